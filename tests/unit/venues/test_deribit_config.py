"""Secrets and the configuration of the Deribit connection."""

import pickle

import msgspec
import pytest

from glmtrader.config.secret import Secret, secret_dec_hook, secret_enc_hook
from glmtrader.venues.deribit.config import DeribitConfig, DeribitCredentials, DeribitTimeouts
from glmtrader.venues.deribit.frames import PlatformStateData, PlatformStatus
from glmtrader.venues.deribit.platform import Platform
from glmtrader.venues.deribit.signing import auth_params

HIDDEN = "s3cr3t-value"


def test_a_secret_shows_itself_nowhere() -> None:
    """Repr, string, format, encoded form and a configuration's repr are masked; pickling fails."""
    secret = Secret(HIDDEN)
    config = DeribitConfig(credentials=DeribitCredentials(client_id="id", client_secret=secret))
    shown = [repr(secret), str(secret), f"{secret:>5}", repr(config)]
    shown.append(msgspec.json.encode(config, enc_hook=secret_enc_hook).decode())
    assert all(HIDDEN not in text and "***" in text for text in shown)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)
    assert secret.reveal() == HIDDEN
    assert secret == Secret(HIDDEN) != Secret("other")


def test_a_configuration_is_decoded_with_its_secret() -> None:
    """TOML-like values become a configuration; an unknown key is an error."""
    raw = {"credentials": {"client_id": "a", "client_secret": HIDDEN}, "underlyings": ["ETH"]}
    config = msgspec.convert(raw, DeribitConfig, dec_hook=secret_dec_hook)
    assert config.credentials is not None
    assert config.credentials.client_secret.reveal() == HIDDEN
    assert config.settlement_currencies == ("ETH",)
    with pytest.raises(msgspec.ValidationError, match="chain_intervall"):
        msgspec.convert({"chain_intervall": 1}, DeribitConfig)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"ws_url": "https://x"}, "wss://"),
        ({"proxy_url": "ftp://x"}, "socks5://"),
        ({"underlyings": ()}, "underlyings"),
        ({"candle_interval_s": 77}, "bars"),
        ({"timeouts": DeribitTimeouts(silence_s=10.0)}, "heartbeat_s"),
        ({"timeouts": DeribitTimeouts(accept_margin_s=20.0)}, "accept_margin_s"),
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, object], told: str) -> None:
    """Each impossible value is named."""
    with pytest.raises(ValueError, match=told):
        DeribitConfig(**wrong)  # type: ignore[arg-type]


def test_the_signature_of_authentication() -> None:
    """HMAC-SHA256 over time, nonce and data, against a value computed with openssl."""
    credentials = DeribitCredentials(client_id="id", client_secret=Secret("secret"))
    params = auth_params(credentials, timestamp_ms=1576074319000, nonce="abcd1234")
    assert params["grant_type"] == "client_signature"
    assert params["signature"] == EXPECTED_SIGNATURE
    assert "secret" not in {str(value) for value in params.values()}


EXPECTED_SIGNATURE = "eb36dd4deb740f06a565c30c2c1116bd7b88453fb981aee44957702bbf715e9a"


def test_platform_locks_of_our_indices_alone_change_the_state() -> None:
    """Another coin's lock is not ours; a lock ends when it is lifted; maintenance is on top."""
    platform = Platform(["btc_usd"])
    assert platform.apply(PlatformStateData(price_index="sol_usdc", locked=True)) is None
    locked = platform.apply(PlatformStateData(price_index="btc_usd", locked=True))
    assert locked is not None
    assert (locked.status, locked.detail) == ("locked", "locked: btc_usd")
    upkeep = platform.apply(PlatformStateData(maintenance=True))
    assert upkeep is not None
    assert upkeep.status == "maintenance"
    assert platform.apply(PlatformStateData(price_index="btc_usd", locked=False)) is None
    opened = platform.apply(PlatformStateData(maintenance=False))
    assert opened is not None
    assert opened.status == "open"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (PlatformStatus("false"), "open"),
        (PlatformStatus("true"), "locked"),
        (PlatformStatus("partial", ("btc_usd",)), "locked"),
        (PlatformStatus("partial", ("sol_usdc",)), "open"),
    ],
)
def test_the_state_asked_for_after_connecting(status: PlatformStatus, expected: str) -> None:
    """A lock that began before we connected is known."""
    assert Platform(["btc_usd"]).replace(status).status == expected
