"""Conversion of TOML values into the types of the schema, one hook for all of them."""

from typing import Any

import msgspec

from glmtrader.config.secret import secret_dec_hook


def convert(value: object, wanted: Any) -> Any:
    """Convert a TOML value; numbers become exact Decimals where those are wanted.

    Raises:
        msgspec.ValidationError: it does not fit.
    """
    return msgspec.convert(value, wanted, strict=True, dec_hook=secret_dec_hook)
