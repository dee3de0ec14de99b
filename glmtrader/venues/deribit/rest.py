"""ccxt as the REST side: what is listed, history and reconciliation; loaded at the first use.

ccxt signs, throttles and transports; results are taken as the venue sent them (its parsers drop
labels and tick steps) and decoded into this folder's types. One request runs at a time.

The HTTP client sends a GET again when its connection broke before the answer. So nothing goes this
way that must not happen twice: private methods read, or cancel everything.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import aiohttp
import msgspec

from glmtrader.domain.instruments import SECOND_NS
from glmtrader.errors import ProtocolError, VenueError, VenueRefusedError, VenueUnavailableError
from glmtrader.kernel.clock import Clock
from glmtrader.kernel.ids import secret_token
from glmtrader.venues.deribit.config import DeribitConfig
from glmtrader.venues.deribit.limits import CreditBucket, OrderLimiter
from glmtrader.venues.deribit.names import MS_NS
from glmtrader.venues.deribit.order_codec import TRANSIENT_CODES
from glmtrader.venues.slim_ccxt import ccxt_errors, load_exchange

T = TypeVar("T")

_CODE: Final = re.compile(r'"code"\s*:\s*(-?\d+)')


class Rest:
    """Deribit's REST through ccxt.

    Args:
        http: the session to use; closing it is its owner's business.
        limiter: told when the venue says that requests come too fast.
        offset_ns: venue time minus ours, for signatures.
    """

    def __init__(
        self,
        config: DeribitConfig,
        *,
        clock: Clock,
        http: aiohttp.ClientSession,
        limiter: OrderLimiter,
        offset_ns: Callable[[], int],
    ) -> None:
        self._config = config
        self._clock = clock
        self._http = http
        self._limiter = limiter
        self._turn = asyncio.Lock()
        limits, now_ns = config.limits, clock.now_ns()
        self._credits = {
            "get_transaction_log": CreditBucket(
                rate_per_s=limits.logs_per_s, burst=limits.logs_burst, now_ns=now_ns
            ),
            "get_instruments": CreditBucket(
                rate_per_s=limits.listings_per_s, burst=limits.listings_burst, now_ns=now_ns
            ),
        }
        self._exchange: Any = None
        self._offset_ns = offset_ns

    @property
    def clock_offset_ns(self) -> int:
        """Venue time minus ours, as last measured."""
        return self._offset_ns()

    async def public(self, method: str, params: Mapping[str, object], result: type[T]) -> T:
        """A public method's result, for example `get_instruments`.

        Raises:
            VenueUnavailableError: no answer, or one that another try may change.
            VenueRefusedError: the venue's own no, with its code.
            ProtocolError: the result is not what it should be.
        """
        return await self._ask("public", method, params, result)

    async def private(self, method: str, params: Mapping[str, object], result: type[T]) -> T:
        """A private method's result; fails like `public`. No order may go this way."""
        assert method == "cancel_all" or method.startswith("get_"), (
            f"private/{method} might be sent twice over REST: use the WebSocket"
        )
        assert self._config.credentials is not None, f"private/{method} needs credentials"
        return await self._ask("private", method, params, result)

    async def close(self) -> None:
        """Let go of ccxt; the shared session stays open."""
        if self._exchange is not None:
            await self._exchange.close()
            self._exchange = None

    async def _ask(
        self, room: str, method: str, params: Mapping[str, object], result: type[T]
    ) -> T:
        name = f"{room}/{method}"
        await self._wait_for_credit(method)
        async with self._turn:
            answer = await self._fetch(f"{room}_get_{method}", dict(params), name)
        value = answer.get("result") if isinstance(answer, dict) else None
        try:
            return msgspec.convert(value, result, strict=False)
        except msgspec.ValidationError as error:
            raise ProtocolError(f"{name}: cannot read the result: {error}") from error

    async def _wait_for_credit(self, method: str) -> None:
        """Some methods have credit of their own; ccxt knows only the common rate."""
        bucket = self._credits.get(method)
        if bucket is None:
            return
        while wait_ns := bucket.wait_ns(self._clock.now_ns()):
            await self._clock.sleep(wait_ns / SECOND_NS)
        bucket.take(self._clock.now_ns())

    async def _fetch(self, function: str, params: dict[str, object], name: str) -> Any:
        if self._exchange is None:
            self._exchange = self._make()
        errors = ccxt_errors()
        try:
            return await getattr(self._exchange, function)(params)
        except errors.DDoSProtection as error:
            self._limiter.too_many_requests(self._clock.now_ns(), retry_after_ns=self._retry_ns())
            raise VenueUnavailableError(f"{name}: too many requests: {error}") from error
        except errors.BaseError as error:
            raise _translate(name, error, errors) from error

    def _retry_ns(self) -> int | None:
        headers = self._exchange.last_response_headers or {}
        seconds = str(headers.get("Retry-After", ""))
        return int(seconds) * 1000 * MS_NS if seconds.isdigit() else None

    def _make(self) -> Any:
        """An exchange whose clock, nonce, session and address are ours."""
        exchange = load_exchange("deribit")(
            {
                "session": self._http,
                "timeout": round(self._config.timeouts.rest_s * 1000),
                "enableRateLimit": True,
                "rateLimit": 1000 / self._config.limits.requests_per_s,
            }
        )
        exchange.urls["api"] = {"rest": self._config.rest_url}
        exchange.milliseconds = self._venue_ms
        exchange.nonce = lambda: secret_token(8)
        if self._config.credentials is not None:
            exchange.apiKey = self._config.credentials.client_id
            exchange.secret = self._config.credentials.client_secret.reveal()
        return exchange

    def _venue_ms(self) -> int:
        return (self._clock.now_ns() + self.clock_offset_ns) // MS_NS


def _translate(name: str, error: Exception, errors: Any) -> VenueError:
    """A ccxt error in this project's tree: a network error is never a `not found`."""
    words = f"{name}: {error}"
    if isinstance(error, errors.OperationFailed | errors.BadResponse):
        return VenueUnavailableError(words)
    found = _CODE.search(str(error))
    if found and int(found[1]) in TRANSIENT_CODES:
        return VenueUnavailableError(words)
    return VenueRefusedError(words, code=found[1] if found else type(error).__name__)
