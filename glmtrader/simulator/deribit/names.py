"""Instrument names, kinds, currencies and index names as Deribit spells them."""

from enum import StrEnum

from glmtrader.domain.instruments import Instrument
from glmtrader.simulator.deribit.errors import RpcError, invalid_params
from glmtrader.simulator.exchange import SimulatedExchange


class Kind(StrEnum):
    """Deribit's kinds; perpetuals are futures. Spot and combos exist there and not here."""

    ANY = "any"
    FUTURE = "future"
    OPTION = "option"
    SPOT = "spot"
    FUTURE_COMBO = "future_combo"
    OPTION_COMBO = "option_combo"
    COMBO = "combo"


def kind_of(instrument: Instrument) -> Kind:
    """The wire's kind of an instrument."""
    return Kind.OPTION if instrument.is_option else Kind.FUTURE


def kind_of_symbol(symbol: str) -> Kind:
    """The kind by the name alone, for instruments that may be gone."""
    return Kind.OPTION if symbol.endswith(("-C", "-P")) else Kind.FUTURE


def fits(instrument: Instrument, kind: Kind, currency: str | None) -> bool:
    """Whether an instrument is of that kind and settled in that currency (None or `any`: all)."""
    if kind not in (Kind.ANY, kind_of(instrument)):
        return False
    return currency in (None, "any", instrument.settlement_currency)


def index_name(underlying: str) -> str:
    """`btc_usd`."""
    return f"{underlying.lower()}_usd"


def underlying_of_index(exchange: SimulatedExchange, name: str) -> str:
    """The coin of an index name.

    Raises:
        RpcError: no such index.
    """
    coin = name.removesuffix("_usd").upper()
    if coin not in exchange.underlyings or name != index_name(coin):
        raise invalid_params("index_name", f"there is no index {name}")
    return coin


class Names:
    """Finds listed and held instruments by their wire name."""

    def __init__(self, exchange: SimulatedExchange) -> None:
        self._exchange = exchange
        self._listed: dict[str, Instrument] = {}
        self._source: object = None

    def find(self, name: str) -> Instrument | None:
        """A listed instrument, or None."""
        return self._listing().get(name)

    def get(self, name: str) -> Instrument:
        """A listed instrument.

        Raises:
            RpcError: Deribit's answer to a name that it does not list.
        """
        found = self.find(name)
        if found is None:
            raise RpcError(13020, "not_found", data={"reason": "instrument_not_found"})
        return found

    def listed(self, kind: Kind = Kind.ANY, currency: str | None = None) -> list[Instrument]:
        """Listed instruments of a kind and currency."""
        return [item for item in self._listing().values() if fits(item, kind, currency)]

    def forget(self) -> None:
        """Read the listing anew: it changed."""
        self._source = None

    def check_currency(self, currency: str) -> str:
        """A currency traded here (or `any`).

        Raises:
            RpcError: it is not.
        """
        known = {item.settlement_currency for item in self._listing().values()}
        if currency != "any" and currency not in known:
            raise invalid_params("currency", "invalid currency")
        return currency

    def _listing(self) -> dict[str, Instrument]:
        if self._source is None:
            self._listed = {item.symbol: item for item in self._exchange.instruments()}
            self._source = self._listed
        return self._listed
