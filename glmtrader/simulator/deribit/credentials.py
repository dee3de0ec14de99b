"""Who is calling: keys, signatures and tokens. Secrets and tokens enter here and never leave.

Keys and secrets are those of the exchange's accounts. Nothing in this module logs, and no error
says which part of a credential was wrong.
"""

import base64
import binascii
import hashlib
import hmac
from collections import OrderedDict
from enum import StrEnum
from typing import Final

import msgspec

from glmtrader.domain.instruments import MILLISECOND_NS, SECOND_NS
from glmtrader.kernel.ids import secret_token
from glmtrader.simulator.deribit.config import ServerConfig
from glmtrader.simulator.deribit.errors import invalid_credentials, unauthorized
from glmtrader.simulator.deribit.params import Params
from glmtrader.simulator.deribit.wire import Frame
from glmtrader.simulator.exchange import SimulatedExchange
from glmtrader.simulator.refusals import ExchangeRefusedError

TOKENS_MAX: Final = 10_000
"""Tokens remembered; the oldest is forgotten first."""
_DEFAULT_SCOPE: Final = "account:read_write trade:read_write wallet:read"


class Grant(StrEnum):
    """Deribit's grant types."""

    CREDENTIALS = "client_credentials"
    SIGNATURE = "client_signature"
    REFRESH = "refresh_token"


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A proven identity.

    Attributes:
        scopes: what it may do. connection: the only one a token is good for; empty for any.
        expires_ns: when the proof ends; None for a request that carried its own.
    """

    account: str
    scopes: frozenset[str]
    connection: str = ""
    expires_ns: int | None = None

    def may(self, scope: str) -> bool:
        """Whether the scopes cover `trade:read`, `trade:read_write` and the like."""
        area, _, access = scope.partition(":")
        if f"{area}:read_write" in self.scopes:
            return True
        return access == "read" and f"{area}:read" in self.scopes


class Credentials:
    """Verifies keys, signatures and tokens against the exchange's accounts."""

    def __init__(self, exchange: SimulatedExchange, config: ServerConfig) -> None:
        self._exchange = exchange
        self._config = config
        self._access: OrderedDict[str, Login] = OrderedDict()
        self._refresh: OrderedDict[str, Login] = OrderedDict()

    def authenticate(self, params: Params, now_ns: int, connection: str) -> tuple[Login, Frame]:
        """`public/auth`: the login and the reply with its tokens.

        Raises:
            RpcError: 13004, when the credentials are wrong.
        """
        grant = params.choice("grant_type", Grant)
        scope = params.text("scope", "")
        if grant is Grant.REFRESH:
            return self._renew(params.text("refresh_token"), now_ns, connection)
        account, secret = self._account(params.text("client_id"))
        if grant is Grant.CREDENTIALS:
            _check_equal(params.text("client_secret"), secret)
        else:
            timestamp = params.text("timestamp")
            text = f"{timestamp}\n{params.text('nonce', '')}\n{params.text('data', '')}"
            self._check_signature(params.text("signature"), secret, text, timestamp, now_ns)
        return self._issue(account, scope or _DEFAULT_SCOPE, now_ns, connection)

    def login_of_token(self, token: str, now_ns: int, connection: str) -> Login:
        """Whom an access token belongs to.

        Raises:
            RpcError: 13009, when it is unknown, expired or another connection's.
        """
        login = self._access.get(token)
        if login is None or login.connection not in ("", connection):
            raise unauthorized("invalid_token")
        assert login.expires_ns is not None, "tokens expire"
        if login.expires_ns <= now_ns:
            raise unauthorized("token_expired")
        return login

    def login_of_header(self, header: str, signed: str, now_ns: int) -> Login:
        """Whom an `Authorization` header proves.

        Args:
            header: `deri-hmac-sha256 ...`, `Bearer ...` or `Basic ...`.
            signed: `METHOD`, path with query and body, each followed by a line feed.
            now_ns: the venue's time.

        Raises:
            RpcError: 13009 or 13004.
        """
        scheme, _, rest = header.strip().partition(" ")
        match scheme.lower():
            case "deri-hmac-sha256":
                return self._signed_request(rest, signed, now_ns)
            case "bearer":
                return self.login_of_token(rest.strip(), now_ns, "")
            case "basic":
                return self._basic(rest.strip())
        raise unauthorized("invalid_authorization")

    def forget_connection(self, connection: str) -> None:
        """Tokens of a connection end with it."""
        for tokens in (self._access, self._refresh):
            for token in [name for name, it in tokens.items() if it.connection == connection]:
                del tokens[token]

    def _account(self, api_key: str) -> tuple[str, str]:
        try:
            return self._exchange.credentials(api_key)
        except ExchangeRefusedError:
            raise invalid_credentials() from None

    def _signed_request(self, fields: str, signed: str, now_ns: int) -> Login:
        parts = {
            name.strip(): value.strip()
            for name, _, value in (item.partition("=") for item in fields.split(","))
        }
        timestamp = parts.get("ts", "")
        account, secret = self._account(parts.get("id", ""))
        text = f"{timestamp}\n{parts.get('nonce', '')}\n{signed}"
        self._check_signature(parts.get("sig", ""), secret, text, timestamp, now_ns)
        return Login(account=account, scopes=_scopes(_DEFAULT_SCOPE))

    def _basic(self, encoded: str) -> Login:
        try:
            key, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise invalid_credentials() from None
        account, expected = self._account(key)
        _check_equal(secret, expected)
        return Login(account=account, scopes=_scopes(_DEFAULT_SCOPE))

    def _check_signature(
        self, signature: str, secret: str, text: str, timestamp: str, now_ns: int
    ) -> None:
        if not timestamp.isdecimal():
            raise invalid_credentials()
        limit_ms = self._config.signature_age_ms_max
        if limit_ms is not None and abs(now_ns // MILLISECOND_NS - int(timestamp)) > limit_ms:
            raise invalid_credentials()
        expected = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        _check_equal(signature, expected)

    def _renew(self, token: str, now_ns: int, connection: str) -> tuple[Login, Frame]:
        login = self._refresh.pop(token, None)
        if login is None or login.connection not in ("", connection):
            raise invalid_credentials()
        assert login.expires_ns is not None, "tokens expire"
        if login.expires_ns <= now_ns:
            raise invalid_credentials()
        return self._issue(login.account, " ".join(sorted(login.scopes)), now_ns, connection)

    def _issue(self, account: str, scope: str, now_ns: int, connection: str) -> tuple[Login, Frame]:
        scopes = _scopes(scope)
        bound = "" if any(item.startswith("session:") for item in scopes) else connection
        life_s = self._config.token_life_s
        login = Login(
            account=account,
            scopes=scopes,
            connection=bound,
            expires_ns=now_ns + round(life_s * SECOND_NS),
        )
        later_ns = now_ns + round(self._config.refresh_life_s * SECOND_NS)
        access, refresh = secret_token(), secret_token()
        _keep(self._access, access, login)
        _keep(self._refresh, refresh, msgspec.structs.replace(login, expires_ns=later_ns))
        frame: Frame = {
            "access_token": access,
            "expires_in": int(life_s),
            "refresh_token": refresh,
            "scope": " ".join(sorted(scopes)),
            "token_type": "bearer",
            "enabled_features": [],
            "mandatory_tfa_status": "disabled",
        }
        return login, frame


def _scopes(text: str) -> frozenset[str]:
    found = frozenset(text.split())
    if not any(item == "connection" or item.startswith("session:") for item in found):
        found |= {"connection"}
    return found | {"mainaccount"}


def _check_equal(given: str, expected: str) -> None:
    if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
        raise invalid_credentials()


def _keep(tokens: OrderedDict[str, Login], token: str, login: Login) -> None:
    tokens[token] = login
    if len(tokens) > TOKENS_MAX:
        tokens.popitem(last=False)
