"""The plain status page: the API's own answers as tables, rendered here, without a script. Pure."""

from collections.abc import Callable, Iterable, Sequence
from html import escape
from importlib import resources
from string import Template
from typing import Final

from glmtrader.web.errors import NotKnownYetError
from glmtrader.web.hedge import hedge_status, portfolio_greeks
from glmtrader.web.holdings import option_positions
from glmtrader.web.queries import pq_spread
from glmtrader.web.responses import HealthReport, OptionPosition, PqSpread, UnderlyingHedge
from glmtrader.web.views import ViewCache

REFRESH_S: Final = 2
DAYS_A_YEAR: Final = 365.0
ABSENT: Final = "-"

_TEMPLATE: Final = Template(
    resources.files("glmtrader.web").joinpath("static/status.html").read_text("utf-8")
)


def render(views: ViewCache, report: HealthReport, now_ns: int) -> str:
    """The whole page."""
    sections = [
        _health_section(report),
        _or_reason("P against Q", lambda: _spreads(views, now_ns)),
        _or_reason("Account", lambda: _account(views, now_ns)),
        _or_reason("Delta", lambda: _hedges(views, now_ns)),
        _or_reason("Options", lambda: _positions(views, now_ns)),
    ]
    return _TEMPLATE.substitute(
        refresh_s=REFRESH_S,
        mode=escape(report.mode or "no mode yet"),
        health="healthy" if report.healthy else "not healthy",
        health_class="good" if report.healthy else "bad",
        time=escape(report.timestamp),
        sections="\n".join(sections),
    )


def _health_section(report: HealthReport) -> str:
    reasons = list(report.reasons)
    if report.mode_reason is not None:
        reasons.append(f"mode {report.mode}: {report.mode_reason}")
    reasons.append(f"{report.core.sequence} events dispatched, {report.core.queue_depth} waiting")
    items = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
    return _section("Health", f"<ul>{items}</ul>")


def _or_reason(title: str, body: Callable[[], str]) -> str:
    """A section, or why there is nothing to show."""
    try:
        return _section(title, body())
    except NotKnownYetError as error:
        return _section(title, f'<p class="absent">{escape(str(error))}</p>')


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _spreads(views: ViewCache, now_ns: int) -> str:
    heads = (
        "underlying", "P", "P bid-ask", "Q", "Q straddle", "net edge long", "net edge short",
        "intent", "reason", "to go", "decided",
    )  # fmt: skip
    rows = [_spread_row(pq_spread(views, now_ns, name)) for name in views.scope.underlyings]
    return _table(heads, rows)


def _spread_row(item: PqSpread) -> tuple[str, ...]:
    return (
        item.underlying,
        _points(item.p_vol),
        f"{_points(item.p_vol_bid)} to {_points(item.p_vol_ask)}",
        _points(item.q_vol),
        _points(item.q_straddle),
        _points(item.net_edge_long),
        _points(item.net_edge_short),
        item.intent_type,
        item.intent_reason,
        _points(item.distance_to_action_vol),
        item.timestamp,
    )


def _account(views: ViewCache, now_ns: int) -> str:
    risk = portfolio_greeks(views, now_ns)
    heads = (
        "equity USD", "delta USD", "gamma per USD", "vega per point", "theta per day", "leverage",
        "drawdown", "worst scenario USD", "hedge", "valued",
    )  # fmt: skip
    row = (
        f"{risk.equity_usd:,.2f}",
        f"{risk.total_delta:+,.0f}",
        f"{risk.total_gamma:+.3g}",
        f"{risk.total_vega / 100:+,.1f}",
        f"{risk.total_theta / DAYS_A_YEAR:+,.1f}",
        f"{risk.leverage:.2f}",
        f"{risk.drawdown_pct:.2%}",
        f"{-risk.scenario_loss_usd:,.0f}",
        risk.hedge_status,
        risk.timestamp,
    )
    return _table(heads, [row])


def _hedges(views: ViewCache, now_ns: int) -> str:
    heads = ("underlying", "delta coin", "band", "status", "action", "hedge", "instrument")
    return _table(heads, [_hedge_row(item) for item in hedge_status(views, now_ns).by_underlying])


def _hedge_row(item: UnderlyingHedge) -> tuple[str, ...]:
    amount = ABSENT if item.hedge_quantity is None else f"{item.hedge_quantity:,f}"
    return (
        item.underlying,
        f"{item.delta_coin:+.4f}",
        _number(item.band_delta_coin, ".4f"),
        item.status,
        item.recommended_action,
        f"{amount} {item.hedge_unit or ''}".strip(),
        item.hedge_instrument or ABSENT,
    )


def _positions(views: ViewCache, now_ns: int) -> str:
    found = option_positions(views, now_ns).positions
    if not found:
        return '<p class="absent">no options held</p>'
    heads = ("symbol", "quantity", "average", "mark", "open profit USD", "delta", "vega per point")
    return _table(heads, [_position_row(item) for item in found])


def _position_row(item: OptionPosition) -> tuple[str, ...]:
    greeks = item.greeks
    return (
        item.symbol,
        f"{item.quantity:+f}",
        ABSENT if item.avg_price is None else f"{item.avg_price:.6g} {item.currency}",
        ABSENT if item.mark_price is None else f"{item.mark_price:.6g} {item.currency}",
        _number(item.unrealized_pnl_usd, "+,.2f"),
        ABSENT if greeks is None else f"{greeks.delta_coin:+.4f}",
        ABSENT if greeks is None else f"{greeks.vega_per_vol / 100:+,.2f}",
    )


def _points(value: float | None) -> str:
    """A volatility in vol points."""
    return ABSENT if value is None else f"{value * 100:.1f}"


def _number(value: float | None, form: str) -> str:
    return ABSENT if value is None else format(value, form)
