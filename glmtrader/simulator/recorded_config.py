"""Settings of a recorded market: which files, and what stands in for what was not recorded."""

import msgspec

from glmtrader.domain.recorded_schema import (
    RECORDER_CANDLE_PATTERN,
    RECORDER_CHAIN_PATTERN,
    RECORDER_TICK_PATTERN,
)
from glmtrader.domain.validation import is_positive_decimal, require


class RecordedMarketConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Recorded option chains and candles, replayed.

    File patterns are relative to `folder`; `{underlying}` is replaced by the coin's name.

    Attributes:
        folder: where the recordings are.
        underlyings: coins to replay.
        venue: the prefix of instrument ids.
        start_ns: the first moment; None for the first snapshot that has enough history.
        history_days: candles that must exist before the start.
        trade_window_s: for so long after a snapshot (or a tick) its quotes can be traded.
        chain_pattern: a glob over all coins' files.
        candle_file, perpetual_file: a coin's five-minute bars; globs too, files by ascending name.
        tick_pattern: a glob over the recorder's ticks; index and perpetual come from them then,
            and `perpetual_file` is not read.
        perpetual_is_inverse: settled in coin, as Deribit's; else linear, settled in USD.
        funding_file: one file a coin; None where no funding is to be charged.
        quote_size_coin: assumed behind every option quote whose size was not recorded.
        perpetual_size_usd: assumed on both sides of the perpetual.
        perpetual_tick_usd: the perpetual is quoted half a tick around its recorded close.
        option_lot: by underlying, in coin.
    """

    folder: str
    underlyings: tuple[str, ...] = ("BTC",)
    venue: str = "deribit"
    start_ns: int | None = None
    history_days: int = 10
    trade_window_s: float = 60.0
    chain_pattern: str = "options/deribit_chain_*.parquet"
    candle_file: str = "klines/{underlying}USDT_5m_20251220_20260218.parquet"
    perpetual_file: str = "klines/{underlying}USDT-PERP_5m_20251220_20260218.parquet"
    tick_pattern: str | None = None
    perpetual_is_inverse: bool = False
    funding_file: str | None = "funding/{underlying}USDT_PERP_funding_8h.csv"
    quote_size_coin: float = 10.0
    perpetual_size_usd: float = 1_000_000.0
    perpetual_tick_usd: float = 0.1
    option_lot: dict[str, str] = msgspec.field(default_factory=lambda: {"BTC": "0.1", "ETH": "1"})

    def __post_init__(self) -> None:
        unknown = [name for name in self.underlyings if name not in self.option_lot]
        positive = (
            "history_days",
            "trade_window_s",
            "quote_size_coin",
            "perpetual_size_usd",
            "perpetual_tick_usd",
        )
        require(
            (bool(self.underlyings), "underlyings is empty: name at least one coin"),
            (not unknown, f"option_lot lacks {', '.join(unknown)}"),
            *(
                (is_positive_decimal(lot), f"option_lot of {coin} {lot!r} is no positive decimal")
                for coin, lot in sorted(self.option_lot.items())
            ),
            *(
                (getattr(self, name) > 0, f"{name} {getattr(self, name)} must be positive")
                for name in positive
            ),
        )


def of_recorder(folder: str, underlyings: tuple[str, ...] = ("BTC",)) -> RecordedMarketConfig:
    """How to replay what the recorder wrote of Deribit, real or simulated.

    Its first start keeps ten days of bars from before; the forecast needs nine.
    """
    return RecordedMarketConfig(
        folder=folder,
        underlyings=underlyings,
        history_days=9,
        chain_pattern=RECORDER_CHAIN_PATTERN,
        candle_file=RECORDER_CANDLE_PATTERN,
        tick_pattern=RECORDER_TICK_PATTERN,
        perpetual_is_inverse=True,
        funding_file=None,
        perpetual_tick_usd=0.5,
    )
