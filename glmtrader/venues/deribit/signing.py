"""How this side proves who it is: the signed parameters of `public/auth`. Pure.

The secret itself never travels: the venue gets an HMAC-SHA256 over time, nonce and data.
"""

import hashlib
import hmac

from glmtrader.venues.deribit.config import DeribitCredentials


def auth_params(
    credentials: DeribitCredentials, *, timestamp_ms: int, nonce: str, data: str = ""
) -> dict[str, object]:
    """Parameters of `public/auth` by `client_signature`, valid for this connection alone."""
    message = f"{timestamp_ms}\n{nonce}\n{data}"
    secret = credentials.client_secret.reveal().encode()
    return {
        "grant_type": "client_signature",
        "client_id": credentials.client_id,
        "timestamp": timestamp_ms,
        "nonce": nonce,
        "data": data,
        "signature": hmac.new(secret, message.encode(), hashlib.sha256).hexdigest(),
    }
