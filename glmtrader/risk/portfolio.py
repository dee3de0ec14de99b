r"""Value and greeks of an account, by underlying: pure.

Equity in a currency is cash, open profit of perpetuals and value of options settled in it. With
S the price and E the equity in coin, `delta_coin` of an account that counts in that coin is
S dE/dS = sum q (N(d1) - mark) + perpetuals in coin; an account that counts in anything else holds
the coins themselves too, and E is added. Deltas of different coins are only ever added in USD.

Between full valuations `moved` follows a price with delta and gamma alone.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import InstrumentKind
from glmtrader.domain.ledger import Ledger
from glmtrader.domain.orders import Account
from glmtrader.domain.risk_events import PortfolioRisk, UnderlyingRisk
from glmtrader.risk.exposure import Exposure, ExposureBook

DOLLARS: Final = frozenset({"USD", "USDC", "USDT"})
"""Currencies taken as one US dollar."""

EQUITY_USD_MIN: Final = 1.0
"""Ratios to equity count at least one dollar of it, so that none is infinite."""


class Valuation(msgspec.Struct, frozen=True, kw_only=True):
    """An account at one set of prices.

    Attributes:
        collateral_usd: equity without the value of options, which the venue takes as no margin.
        long_premium_usd: value of options held long (in flight apart).
        coin_equity: equity by currency. slopes_usd: d equity_usd / dS by underlying.
        delta_slopes: d delta_coin / dS by underlying.
    """

    risk: PortfolioRisk
    collateral_usd: float
    long_premium_usd: float
    coin_equity: dict[str, float]
    slopes_usd: dict[str, float]
    delta_slopes: dict[str, float]


class _Sums:
    """Greeks of one underlying while they are added up, in units of `UnitRisk`."""

    __slots__ = ("delta", "gamma", "gross_usd", "inverse", "is_option", "rho", "theta", "value", "vega")

    def __init__(self) -> None:
        self.delta = self.gamma = self.vega = self.theta = self.rho = 0.0
        self.gross_usd = self.value = self.inverse = 0.0
        self.is_option = False

    def add(self, exposure: Exposure) -> None:
        unit, quantity = exposure.unit, float(exposure.position)
        assert unit is not None, f"{exposure.instrument.instrument_id} has no price"
        self.delta += quantity * unit.delta_coin
        self.gamma += quantity * unit.gamma
        self.vega += quantity * unit.vega
        self.theta += quantity * unit.theta
        self.rho += quantity * unit.rho
        self.value += quantity * unit.value_usd
        self.gross_usd += abs(quantity * unit.delta_coin) * unit.price_usd
        self.inverse += quantity * unit.delta_coin if exposure.instrument.is_inverse else 0.0
        self.is_option |= exposure.instrument.is_option


def missing_input(ledger: Ledger, book: ExposureBook, prices: Mapping[str, float]) -> str | None:
    """Why the account cannot be valued; None when it can."""
    for currency, amount in ledger.balances.items():
        if amount and currency not in DOLLARS and currency not in prices:
            return f"no price of {currency}"
    for name, item in book.by_id.items():
        if item.position and item.unit is None:
            return f"{name} has no price or no volatility"
    return None


def value(
    account: Account,
    ledger: Ledger,
    book: ExposureBook,
    prices: Mapping[str, float],
    marks: Mapping[InstrumentId, float],
    *,
    peak: float | None,
    trigger: str,
    now_ns: int,
) -> Valuation:
    """Value the account; `missing_input` must have found nothing.

    Args:
        account: for its numeraire.
        ledger: cash and entry values.
        book: exposures, their units priced.
        prices: USD by underlying.
        marks: USD by perpetual; its underlying's price where there is none.
        peak: highest equity so far in the numeraire, None before the first valuation.
        trigger: what asked for it.
        now_ns: time of the event that is made.
    """
    held = [item for item in book.by_id.values() if item.position]
    coin_equity = {currency: float(amount) for currency, amount in ledger.balances.items()}
    option_usd = 0.0
    for item in held:
        currency = item.instrument.settlement_currency
        amount = _carried(item, ledger, prices, marks)
        coin_equity[currency] = coin_equity.get(currency, 0.0) + amount
        option_usd += float(item.position) * item.unit.value_usd if item.unit else 0.0
    equity_usd = sum(
        amount * _usd(currency, prices) for currency, amount in coin_equity.items() if amount
    )
    sums: dict[str, _Sums] = {name: _Sums() for name in sorted(_underlyings(coin_equity, held))}
    for item in held:
        sums[item.instrument.underlying].add(item)
    outright = {
        name: 0.0 if name == account.numeraire else coin_equity.get(name, 0.0) for name in sums
    }
    rows = tuple(_underlying(name, item, outright[name], prices) for name, item in sums.items())
    risk = _portfolio_risk(
        account, rows, book, prices, equity_usd, equity_usd - option_usd, peak, trigger, now_ns
    )
    return Valuation(
        risk=risk,
        collateral_usd=equity_usd - option_usd,
        long_premium_usd=sum(
            max(float(item.position), 0.0) * item.unit.value_usd for item in held if item.unit
        ),
        coin_equity=coin_equity,
        slopes_usd={
            name: coin_equity.get(name, 0.0) + item.delta for name, item in sums.items()
        },
        delta_slopes={
            name: item.gamma + (-item.inverse + _outright_slope(item, outright[name])) / prices[name]
            for name, item in sums.items()
        },
    )
