"""The last thing a run says: its totals, as one object and as a block for people; pure."""

from typing import Any, Final

import msgspec

from glmtrader.research.attribution import PARTS, Attribution, Pnl

ROWS: Final = (*PARTS, "residual", "actual")
"""Lines of the P&L table."""


def pnl_fields(attribution: Attribution | None) -> dict[str, Any]:
    """What the summary says of P&L; None where no equity was ever known."""
    if attribution is None:
        return {"equity_start_usd": None, "equity_usd": None, "pnl_usd": None, "pnl": None}
    return {
        "equity_start_usd": attribution.equity_start_usd,
        "equity_usd": attribution.equity_end_usd,
        "pnl_usd": attribution.total.actual,
        "pnl": {
            "total": _usd(attribution.total),
            "by_underlying": {name: _usd(pnl) for name, pnl in attribution.by_underlying.items()},
            "unallocated_usd": attribution.unallocated,
            "intervals": attribution.intervals,
        },
    }


def block(line: dict[str, Any]) -> str:
    """The summary for people."""
    parts = [
        f"summary  {line['started']} to {line['time']}, stopped by {line['stopped_by']}",
        (
            f"  decisions {line['decisions']}, intents {line['intents']} with the hedger's,"
            f" vetoes {line['vetoes']}"
        ),
        (
            f"  orders {line['orders']}, fills {line['fills']}: {line['trades']} of options,"
            f" {line['hedges']} hedges asked for; {line['deliveries']} expiries delivered"
        ),
        f"  fees {_amounts(line['fees'])}",
        *_equity(line),
        *_pnl_table(line["pnl"]),
        *_assumptions(line.get("assumptions", [])),
        f"  journal {line['journal']} ({line['journal_digest']})",
    ]
    return "\n".join(parts)


def _usd(pnl: Pnl) -> dict[str, float]:
    fields: dict[str, float] = msgspec.structs.asdict(pnl)
    return fields


def _amounts(amounts: dict[str, str]) -> str:
    return " + ".join(f"{amount} {coin}" for coin, amount in amounts.items()) or "none"


def _equity(line: dict[str, Any]) -> list[str]:
    if line["equity_usd"] is None:
        return ["  equity unknown: the account was never valued"]
    deltas = ", ".join(f"{coin} {delta:+.4f}" for coin, delta in line["delta_coin"].items())
    return [
        (
            f"  equity {line['equity_start_usd']:,.2f} -> {line['equity_usd']:,.2f} USD"
            f" ({line['pnl_usd']:+,.2f}; worst drawdown {line['drawdown_pct_max']:.2%});"
            f" delta left {deltas or 'none'}"
        )
    ]


def _pnl_table(pnl: dict[str, Any] | None) -> list[str]:
    if pnl is None:
        return []
    columns = dict(pnl["by_underlying"])
    if len(columns) != 1 or abs(pnl["unallocated_usd"]) >= 0.005:
        columns["total"] = pnl["total"]
    head = "".join(f"{name:>14}" for name in columns)
    rows = [
        f"    {part:<10}" + "".join(f"{column[part]:>+14,.2f}" for column in columns.values())
        for part in ROWS
    ]
    return [f"  P&L, USD    {head}", *rows]


def _assumptions(sentences: list[str]) -> list[str]:
    return (
        ["  this holds as far as the following does:", *(f"  - {one}" for one in sentences)]
        if (sentences)
        else []
    )
