"""What markets say: ticks, candles, chains, instruments, and the volatility they imply."""

from decimal import Decimal
from typing import ClassVar

import msgspec

from glmtrader.domain.arrays import BoolArray, IntArray
from glmtrader.domain.arrays import FloatArray as FloatArray  # noqa: PLC0414  risk, venues ask here
from glmtrader.domain.event import Event
from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import Instrument


class MarketTick(Event, frozen=True, kw_only=True):
    """Top of book of one instrument; None where a side is empty.

    Attributes:
        bid, ask: best prices in the instrument's own price unit.
        bid_quantity, ask_quantity: what stands there, in the instrument's quantity unit.
        mark: the venue's mark price, where it gives one.
        index_usd: price of the underlying index in USD, where the venue sends it along.
    """

    topic: ClassVar[str] = "market.tick"
    journaled: ClassVar[bool] = False

    instrument_id: InstrumentId
    bid: Decimal | None
    ask: Decimal | None
    bid_quantity: Decimal | None
    ask_quantity: Decimal | None
    mark: Decimal | None
    index_usd: Decimal | None


class Candle(Event, frozen=True, kw_only=True):
    """One completed bar of an underlying; `ts_event` is its close. Volume in coin."""

    topic: ClassVar[str] = "market.candle"
    journaled: ClassVar[bool] = False

    underlying: str
    open_ns: int
    interval_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class ChainSnapshot(Event, frozen=True, kw_only=True):
    """All options of one underlying, quoted at one moment; columns of equal length n.

    Prices are in the chain's own unit: coin for inverse options, USD for linear ones. The arrays
    are read only by contract; the surface made of them is what the journal keeps.

    Attributes:
        instrument_ids: n names, in the order of the columns.
        expiry_ns: int64[n]. strike: USD, float64[n]. is_call: bool[n].
        bid, ask, mark: float64[n], NaN where there is none.
        bid_quantity, ask_quantity: float64[n] in coin, zero where there is none.
        forward: USD forward of each row's expiry, float64[n].
        inverse: whether prices are in coin.
        index_usd: the index at the same moment.
        mark_vol: the volatility behind `mark`, fraction a year, float64[n], where the venue says
            it; NaN for rows where it does not.
    """

    topic: ClassVar[str] = "market.chain"
    journaled: ClassVar[bool] = False

    underlying: str
    venue: str
    instrument_ids: tuple[InstrumentId, ...]
    expiry_ns: IntArray
    strike: FloatArray
    is_call: BoolArray
    bid: FloatArray
    ask: FloatArray
    mark: FloatArray
    bid_quantity: FloatArray
    ask_quantity: FloatArray
    forward: FloatArray
    inverse: bool
    index_usd: float
    mark_vol: FloatArray | None = None


class InstrumentsListed(Event, frozen=True, kw_only=True):
    """Instruments became tradable; sent whole at start and by difference afterwards."""

    topic: ClassVar[str] = "market.instruments"

    venue: str
    listed: tuple[Instrument, ...]
    delisted: tuple[InstrumentId, ...]


class SurfaceSlice(msgspec.Struct, frozen=True, kw_only=True):
    """Implied volatility of one expiry, with the straddle at the strike nearest its forward.

    Volatilities are fractions a year of 365 days; tuples are columns by ascending strike.

    Attributes:
        straddle_bid, straddle_ask: the volatility at which Black-76 gives the summed bids (asks)
            of call and put at `straddle_strike`; None unless both legs quote both sides.
        atm_vol: at the forward, interpolated; None where too few strikes are quoted.
    """

    expiry_ns: int
    years: float
    forward: float
    strikes: tuple[float, ...]
    mid_vols: tuple[float, ...]
    atm_vol: float | None
    straddle_strike: float | None
    straddle_bid: float | None
    straddle_ask: float | None


class VolatilitySurface(Event, frozen=True, kw_only=True):
    """P: what one coherent snapshot of a chain implies.

    Attributes:
        slices: by ascending expiry; only expiries with enough quotes.
        index_usd: price of the underlying in the same snapshot.
        quotes_used, quotes_refused: how many rows carried the fit, and how many were refused for
            each reason (crossed, negative, one_sided, expired, ...).
        unavailable: why there is no slice at all, else None.
    """

    topic: ClassVar[str] = "market.vol_surface"

    underlying: str
    venue: str
    index_usd: float
    slices: tuple[SurfaceSlice, ...]
    quotes_used: int
    quotes_refused: dict[str, int]
    unavailable: str | None


class VolatilityForecast(Event, frozen=True, kw_only=True):
    """Q: our forecast of realised volatility over `horizon_ns` from `ts_event`.

    Attributes:
        q_var: E[RV], variance a year. q_vol: E[sqrt(RV)], volatility a year.
        q_vol_low, q_vol_high: 90 % predictive interval of q_vol.
        q_straddle: expected break-even volatility of the delta-hedged ATM straddle.
        confidence: 0 to 1, from the interval's width.
        model_id: content hash of the artefact.
        candles_until_ns: close of the last bar that was used.
    """

    topic: ClassVar[str] = "strategy.forecast.volatility"

    underlying: str
    horizon_ns: int
    q_var: float
    q_vol: float
    q_vol_low: float
    q_vol_high: float
    q_straddle: float
    confidence: float
    model_id: str
    candles_until_ns: int


class MacroState(Event, frozen=True, kw_only=True):
    """Regime and mood of a market; None where no source is configured.

    Attributes:
        macro_regime: bull, bear, panic, chop, high_vol_bull or unknown.
        regime_score, fomo_score: 0 to 1. sentiment_score: -1 to 1.
        funding_rate_8h: of the perpetual, as a fraction.
    """

    topic: ClassVar[str] = "market.macro_state"

    underlying: str
    macro_regime: str | None
    regime_score: float | None
    sentiment_score: float | None
    fomo_score: float | None
    funding_rate_8h: float | None
