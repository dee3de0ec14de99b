"""Recorded option chains: rows checked and counted, held between snapshots, priced at any moment.

Between two snapshots the volatility of every strike is held and forwards move with the index. An
option that is missing from a snapshot before its expiry keeps its last volatility and has no quote.
Pure.
"""

from collections import Counter
from decimal import Decimal

import msgspec
import numpy as np

from glmtrader.domain.arrays import BoolArray, FloatArray, IntArray
from glmtrader.domain.ids import InstrumentId
from glmtrader.domain.instruments import YEAR_NS, Instrument
from glmtrader.quant import black76
from glmtrader.simulator.contracts import inverse_option, option_symbol
from glmtrader.simulator.market_model import OptionChain
from glmtrader.simulator.recorded_files import ChainRows


class Universe(msgspec.Struct, frozen=True, kw_only=True):
    """Every option that is ever recorded, once; rows of a snapshot point into it."""

    instruments: tuple[Instrument, ...]
    expiry_ns: IntArray
    strike: FloatArray
    is_call: BoolArray


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The good rows of one snapshot; `member` points into the universe, ascending.

    `forward` is each row's own: the venue marks options one after the other, so the rows of an
    expiry differ by the index's drift in those seconds, and a mark fits its own row's forward.
    """

    ts_ns: int
    member: IntArray
    bid: FloatArray
    ask: FloatArray
    bid_size: FloatArray
    ask_size: FloatArray
    vol: FloatArray
    forward: FloatArray


class RecordedChains(msgspec.Struct, frozen=True, kw_only=True):
    """The recording of one underlying, and how many rows were refused for each reason."""

    universe: Universe
    snapshots: tuple[Snapshot, ...]
    rows_refused: dict[str, int]


def load_chains(
    rows: ChainRows, *, venue: str, underlying: str, lot: Decimal, quote_size: float
) -> RecordedChains:
    """Check and arrange recorded rows."""
    refused, good = check_rows(rows, underlying)
    universe, member = _universe(rows, good, venue=venue, underlying=underlying, lot=lot)
    times = rows.snapshot_ns[good]
    cuts = np.flatnonzero(np.diff(times)) + 1
    parts = zip(np.split(good, cuts), np.split(member, cuts), strict=True)
    return RecordedChains(
        universe=universe,
        snapshots=tuple(_snapshot(rows, at, of, quote_size) for at, of in parts if len(at)),
        rows_refused=refused,
    )


def check_rows(rows: ChainRows, underlying: str) -> tuple[dict[str, int], IntArray]:
    """Count bad rows by reason, and the positions of the good ones.

    A bid or ask that is null or zero is no fault: nobody quotes. Reasons, the first that holds:
    `not_a_number`, `negative`, `crossed` (locked too), `expired`, `wrong_name`, `duplicate`.
    """
    numbers = (rows.strike, rows.mark_vol, rows.forward)
    faults = {
        "not_a_number": ~np.isfinite(numbers).all(axis=0),
        "negative": (np.min(numbers, axis=0) <= 0) | (rows.bid < 0) | (rows.ask < 0),
        "crossed": (rows.bid >= rows.ask) & (rows.ask > 0),
        "expired": rows.expiry_ns <= rows.snapshot_ns,
    }
    left = np.ones(len(rows.strike), np.bool_)
    refused = {}
    for reason, bad in faults.items():
        refused[reason] = int(np.sum(left & bad))
        left &= ~bad
    good, named = _well_named(rows, np.flatnonzero(left), underlying)
    return {name: count for name, count in (refused | named).items() if count}, good


def _well_named(
    rows: ChainRows, candidates: IntArray, underlying: str
) -> tuple[IntArray, dict[str, int]]:
    good: list[int] = []
    refused: Counter[str] = Counter()
    expected: dict[str, tuple[int, float, bool]] = {}
    seen: set[tuple[int, str]] = set()
    for i in candidates.tolist():
        symbol, snapshot_ns = rows.symbol[i], int(rows.snapshot_ns[i])
        terms = int(rows.expiry_ns[i]), float(rows.strike[i]), bool(rows.is_call[i])
        if symbol not in expected and symbol == option_symbol(
            underlying, terms[0], terms[1], is_call=terms[2]
        ):
            expected[symbol] = terms
        if expected.get(symbol) != terms:
            refused["wrong_name"] += 1
        elif (snapshot_ns, symbol) in seen:
            refused["duplicate"] += 1
        else:
            seen.add((snapshot_ns, symbol))
            good.append(i)
    return np.array(good, np.int64), dict(refused)


def _universe(
    rows: ChainRows, good: IntArray, *, venue: str, underlying: str, lot: Decimal
) -> tuple[Universe, IntArray]:
    """All distinct options, by expiry, strike, call before put, and where each good row is."""
    symbols = rows.symbol[good].tolist()
    first = dict(zip(reversed(symbols), reversed(good.tolist()), strict=True))
    at = np.array(list(first.values()), np.int64)
    at = at[np.lexsort((~rows.is_call[at], rows.strike[at], rows.expiry_ns[at]))]
    place = {symbol: i for i, symbol in enumerate(rows.symbol[at].tolist())}
    member = np.array([place[symbol] for symbol in symbols], np.int64)
    expiry_ns, strike, is_call = rows.expiry_ns[at], rows.strike[at], rows.is_call[at]
    instruments = tuple(
        inverse_option(venue, underlying, int(expiry), float(price), lot, is_call=bool(call))
        for expiry, price, call in zip(expiry_ns, strike, is_call, strict=True)
    )
    universe = Universe(
        instruments=instruments, expiry_ns=expiry_ns, strike=strike, is_call=is_call
    )
    return universe, member


def _snapshot(
    rows: ChainRows, positions: IntArray, member: IntArray, quote_size: float
) -> Snapshot:
    order = np.argsort(member)
    at, member = positions[order], member[order]
    bid, ask = (np.where(side > 0, side, np.nan) for side in (rows.bid[at], rows.ask[at]))
    bid_size, ask_size = (
        np.where(np.isnan(price), 0.0, quote_size if size is None else np.nan_to_num(size[at]))
        for price, size in ((bid, rows.bid_size), (ask, rows.ask_size))
    )
    return Snapshot(
        ts_ns=int(rows.snapshot_ns[at[0]]),
        member=member,
        bid=bid,
        ask=ask,
        bid_size=bid_size,
        ask_size=ask_size,
        vol=rows.mark_vol[at],
        forward=rows.forward[at],
    )


def carry_over(before: Snapshot | None, now: Snapshot, universe: Universe) -> Snapshot:
    """The snapshot with those unexpired options of the one before that it lacks, unquoted."""
    if before is None:
        return now
    expiry_ns = universe.expiry_ns[before.member]
    lost = ~np.isin(before.member, now.member) & (expiry_ns > now.ts_ns)
    if not lost.any():
        return now
    moved = np.median(now.forward) / np.median(before.forward)
    forward = before.forward[lost] * moved
    known = universe.expiry_ns[now.member]
    for i, expiry in enumerate(expiry_ns[lost]):
        same = np.flatnonzero(known == expiry)
        if len(same):
            forward[i] = now.forward[same[0]]
    nothing, zero = np.full(int(lost.sum()), np.nan), np.zeros(int(lost.sum()))
    joined = {
        "member": np.concatenate((now.member, before.member[lost])),
        "bid": np.concatenate((now.bid, nothing)),
        "ask": np.concatenate((now.ask, nothing)),
        "bid_size": np.concatenate((now.bid_size, zero)),
        "ask_size": np.concatenate((now.ask_size, zero)),
        "vol": np.concatenate((now.vol, before.vol[lost])),
        "forward": np.concatenate((now.forward, forward)),
    }
    order = np.argsort(joined["member"])
    return Snapshot(ts_ns=now.ts_ns, **{name: values[order] for name, values in joined.items()})


def drop_expired(snapshot: Snapshot, universe: Universe, now_ns: int) -> Snapshot:
    """The snapshot without what has expired; the same object where nothing has."""
    alive = universe.expiry_ns[snapshot.member] > now_ns
    if alive.all():
        return snapshot
    columns = ("member", "bid", "ask", "bid_size", "ask_size", "vol", "forward")
    return Snapshot(
        ts_ns=snapshot.ts_ns, **{name: getattr(snapshot, name)[alive] for name in columns}
    )


def chain_at(
    snapshot: Snapshot,
    universe: Universe,
    instrument_ids: tuple[InstrumentId, ...],
    now_ns: int,
    index_ratio: float,
    *,
    is_tradable: bool,
) -> OptionChain:
    """The chain at `now_ns`: marks from held volatilities, quotes only while they can be traded.

    Args:
        snapshot: without expired options.
        universe: what the snapshot points into.
        instrument_ids: of the snapshot's members.
        now_ns: not before the snapshot.
        index_ratio: the index now over the index at the snapshot.
        is_tradable: whether the recorded quotes still stand.
    """
    member = snapshot.member
    forward = snapshot.forward * index_ratio
    expiry_ns, strike = universe.expiry_ns[member], universe.strike[member]
    is_call = universe.is_call[member]
    years = (expiry_ns - now_ns) / YEAR_NS
    mark = black76.price(forward, strike, years, snapshot.vol, is_call) / forward
    nothing, zero = np.full(len(member), np.nan), np.zeros(len(member))
    return OptionChain(
        ts_ns=snapshot.ts_ns,
        instrument_ids=instrument_ids,
        expiry_ns=expiry_ns,
        strike=strike,
        is_call=is_call,
        bid=snapshot.bid if is_tradable else nothing,
        ask=snapshot.ask if is_tradable else nothing,
        bid_size=snapshot.bid_size if is_tradable else zero,
        ask_size=snapshot.ask_size if is_tradable else zero,
        mark=mark,
        mark_vol=snapshot.vol,
        forward=forward,
    )
