"""Why the exchange says no: Deribit's error names with their numbers."""

from typing import Final

from glmtrader.errors import VenueRefusedError

NUMBERS: Final[dict[str, int]] = {
    "qty_too_low": 10002,
    "order_overlap": 10003,
    "order_not_found": 10004,
    "not_enough_funds": 10009,
    "already_closed": 10010,
    "price_not_allowed": 10011,
    "book_closed": 10012,
    "locked_by_admin": 10019,
    "invalid_or_unsupported_instrument": 10020,
    "invalid_amount": 10021,
    "invalid_quantity": 10022,
    "invalid_price": 10023,
    "not_owner_of_order": 10029,
    "settlement_in_progress": 10041,
    "price_wrong_tick": 10043,
    "already_filled": 11008,
    "other_reject": 11030,
    "not_open_order": 11044,
    "not_open_instrument": 11030,
    "system_maintenance": 11051,
    "post_only_reject": 11054,
    "invalid_credentials": 13004,
    "timed_out": 13888,
}
"""Number of each name. No number of its own is published for `not_open_instrument`: it has that of
`other_reject`. `timed_out` and the rest are those of Deribit's error list."""


class ExchangeRefusedError(VenueRefusedError):
    """The exchange refused a request; `code` is Deribit's name, `number` its number."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}", code=code)
        self.number = NUMBERS[code]
