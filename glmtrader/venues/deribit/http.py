"""The one aiohttp session of the adapter: its proxy, its limits, and a bounded public GET."""

from typing import Final

import aiohttp
import msgspec

from glmtrader.errors import ConfigurationError, ProtocolError, VenueUnavailableError
from glmtrader.venues.deribit.config import DeribitConfig
from glmtrader.venues.deribit.frames import ABSENT, Envelope
from glmtrader.venues.deribit.session import refusal

BODY_BYTES_MAX: Final = 16 * 1024 * 1024
CONNECTIONS_MAX: Final = 4
"""The venue counts every request as a connection while it runs, and allows 32 an address."""

TOO_MANY_REQUESTS_HTTP: Final = 429
SERVER_ERROR_HTTP: Final = 500

_decode = msgspec.json.Decoder(Envelope).decode


def open_http(config: DeribitConfig) -> aiohttp.ClientSession:
    """A session that goes through the configured proxy for WebSocket and REST alike.

    Raises:
        ConfigurationError: a SOCKS proxy is wanted and aiohttp-socks is not installed.
    """
    proxy_url = config.proxy_url
    timeout = aiohttp.ClientTimeout(total=config.timeouts.rest_s)
    if proxy_url is not None and proxy_url.startswith("socks5://"):
        return aiohttp.ClientSession(connector=_socks_connector(proxy_url), timeout=timeout)
    connector = aiohttp.TCPConnector(limit=CONNECTIONS_MAX)
    return aiohttp.ClientSession(connector=connector, proxy=proxy_url, timeout=timeout)


async def public_get(
    http: aiohttp.ClientSession, config: DeribitConfig, method: str, params: dict[str, str]
) -> msgspec.Raw:
    """The undecoded result of one public method.

    Raises:
        VenueUnavailableError: no answer, a 429 or a 5xx.
        VenueRefusedError: the venue's own no.
        ProtocolError: a body that is no JSON-RPC answer, or is larger than allowed.
    """
    url = f"{config.rest_url}/api/v2/{method}"
    try:
        async with http.get(url, params=params) as response:
            status = response.status
            body = await response.content.read(BODY_BYTES_MAX + 1)
            while len(body) <= BODY_BYTES_MAX and not response.content.at_eof():
                body += await response.content.read(BODY_BYTES_MAX + 1 - len(body))
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise VenueUnavailableError(f"{method}: {type(error).__name__} {error}") from error
    if len(body) > BODY_BYTES_MAX:
        raise ProtocolError(f"{method}: the answer is larger than {BODY_BYTES_MAX} bytes")
    if status == TOO_MANY_REQUESTS_HTTP or status >= SERVER_ERROR_HTTP:
        raise VenueUnavailableError(f"{method}: HTTP {status}: {body[:200]!r}")
    return _result(method, body)


def _result(method: str, body: bytes) -> msgspec.Raw:
    try:
        envelope = _decode(body)
    except msgspec.MsgspecError as error:
        raise ProtocolError(f"{method}: no JSON-RPC answer: {error}: {body[:200]!r}") from error
    if envelope.error is not None:
        raise refusal(method, envelope.error)
    if envelope.result == ABSENT:
        raise ProtocolError(f"{method}: an answer without result: {body[:200]!r}")
    return envelope.result.copy()


def _socks_connector(proxy_url: str) -> aiohttp.BaseConnector:
    try:
        from aiohttp_socks import ProxyConnector  # noqa: PLC0415  only who uses SOCKS pays for it
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "proxy_url is socks5:// and aiohttp-socks is missing: pip install aiohttp-socks"
        ) from error
    connector: aiohttp.BaseConnector = ProxyConnector.from_url(proxy_url, limit=CONNECTIONS_MAX)
    return connector
