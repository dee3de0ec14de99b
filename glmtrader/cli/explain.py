"""`glmtrader explain`: tells the way of one decision from its inputs to its effect."""

from pathlib import Path

import click
import msgspec

from glmtrader.cli.lines import clock_time, points
from glmtrader.domain.decisions import IntentType, MarketState
from glmtrader.domain.ids import IntentId
from glmtrader.domain.instruments import DAY_NS, SECOND_NS
from glmtrader.research.explain import Story, story_of


@click.command("explain")
@click.option("--journal", type=click.Path(path_type=Path), required=True)
@click.option("--intent", "intent_id", help="Which decision; see the run's lines for ids.")
@click.option("--last", "last", is_flag=True, help="The last decision that acted.")
@click.option("--json", "as_json", is_flag=True, help="Print one object.")
def command(*, journal: Path, intent_id: str | None, last: bool, as_json: bool) -> None:
    """Explain one decision: inputs, intent, veto, command, orders, fills, effect."""
    if intent_id is not None and last:
        raise click.UsageError("give --intent or --last, not both")
    story = story_of(journal, None if intent_id is None else IntentId(intent_id))
    click.echo(msgspec.json.encode(story).decode() if as_json else "\n".join(_told(story)))


def _told(story: Story) -> list[str]:
    event = story.decision
    head = (
        f"{event.intent_id}  {event.strategy} on {event.state.underlying}"
        f"  {clock_time(event.ts_event)}  (record {story.decision_seq})"
    )
    return [
        head,
        *_inputs(event.state),
        *_decision(story),
        *_gate(story),
        *_orders(story),
        *_effect(story),
    ]


def _inputs(state: MarketState) -> list[str]:
    ages = state.staleness
    expiry = "none quoted" if state.expiry_ns is None else clock_time(state.expiry_ns)
    days = "-" if state.horizon_ns is None else f"{state.horizon_ns / DAY_NS:.2f}"
    return [
        "inputs",
        (
            f"  spot {_number(state.spot_usd)}  expiry {expiry} ({days} days)"
            f"  strike {_number(state.strike_usd)}"
        ),
        (
            f"  P {points(state.p_vol)}  straddle bid/ask {points(state.p_vol_bid)}/"
            f"{points(state.p_vol_ask)}  (age {_age(ages.surface_ns)})"
        ),
        (
            f"  Q {points(state.q_vol)}  90 % {_interval(state)}"
            f"  straddle {points(state.q_straddle)}  model {state.model_id or 'absent'}"
            f"  (age {_age(ages.forecast_ns)})"
        ),
        (
            f"  spread {points(state.pq_spread)}  cost {points(state.cost_vol)}"
            f"  net edge long {points(state.net_edge_long)} short {points(state.net_edge_short)}"
        ),
        (
            f"  regime {state.macro_regime or 'absent'}  FOMO {_number(state.fomo_score)}"
            f"  sentiment {_number(state.sentiment_score)}  (age {_age(ages.macro_ns)})"
        ),
        (
            f"  delta {_number(state.total_delta)} coin  gamma {_number(state.total_gamma)}"
            f"  vega {_number(state.total_vega)}  leverage {_number(state.leverage)}"
            f"  drawdown {_number(state.drawdown_pct)}  (age {_age(ages.portfolio_ns)})"
        ),
        f"  position {state.position} straddles, in flight {state.inflight}",
    ]


def _decision(story: Story) -> list[str]:
    intent = story.decision.decision.intent
    lines = ["intent", f"  {intent.intent_type.value}  {intent.action.value} {intent.quantity}"]
    lines.append(f"  because {intent.reason}  confidence {intent.confidence:.2f}")
    if intent.distance_to_action_vol:
        lines.append(f"  {points(intent.distance_to_action_vol)} vol points from acting")
    lines.extend(f"  {key} {value}" for key, value in sorted(intent.metadata.items()))
    return lines


def _gate(story: Story) -> list[str]:
    if story.decision.decision.intent.intent_type is IntentType.HOLD:
        return ["veto", "  not asked: a hold sends nothing"]
    lines = ["veto"]
    for seq, veto in story.vetoes:
        subject = veto.client_order_id or "the intent"
        lines.append(f"  {subject}: {veto.rule}: {veto.reason}  (record {seq})")
        lines.extend(f"    {key} {value}" for key, value in sorted(veto.details.items()))
    if story.command is not None:
        seq, command = story.command
        resized = (
            ""
            if command.intent.quantity == command.quantity_asked
            else (f", resized from {command.quantity_asked}")
        )
        lines.append(f"  approved by {command.approved_by}{resized}")
        lines += ["command", f"  {command.intent.quantity}  (record {seq})"]
    return lines


def _orders(story: Story) -> list[str]:
    lines = ["orders"] if story.orders else []
    for seq, command in story.orders:
        order = command.order
        lines.append(
            f"  {order.client_order_id}  {order.side} {order.quantity} {order.instrument_id}"
            f" at {order.price}  approval {command.approval_id}  (record {seq})"
        )
        lines.extend(
            f"    {update.status} {update.reason}  (record {at})"
            for at, update in story.updates
            if update.client_order_id == order.client_order_id
        )
    if story.fills:
        lines.append("fills")
    lines.extend(
        f"  {fill.trade_id}  {fill.side} {fill.quantity} {fill.instrument_id} at {fill.price}"
        f"  fee {fill.fee} {fill.fee_currency}  (record {seq})"
        for seq, fill in story.fills
    )
    return lines


def _effect(story: Story) -> list[str]:
    lines = []
    if story.completed is not None:
        seq, done = story.completed
        lines.append("outcome")
        lines.append(f"  {done.outcome} {done.quantity_done}: {done.detail}  (record {seq})")
    before, after = story.equity_before, story.equity_after
    if before is None or after is None:
        return lines
    fees = ", ".join(f"{amount} {coin}" for coin, amount in sorted(story.fees().items()))
    lines += [
        "P&L effect",
        (
            f"  equity {before.equity_usd:,.2f} -> {after.equity_usd:,.2f} USD"
            f" ({after.equity_usd - before.equity_usd:+,.2f}), fees {fees or 'none'}"
        ),
        (
            f"  delta {before.total_delta_usd:+,.0f} -> {after.total_delta_usd:+,.0f} USD"
            f"  vega {before.total_vega_usd / 100:+,.1f} ->"
            f" {after.total_vega_usd / 100:+,.1f} USD/pt"
        ),
    ]
    return lines


def _interval(state: MarketState) -> str:
    low, high = state.q_vol_low, state.q_vol_high
    return "absent" if low is None or high is None else f"{points(low)}-{points(high)}"


def _age(age_ns: int | None) -> str:
    return "absent" if age_ns is None else f"{age_ns / SECOND_NS:.1f} s"


def _number(value: float | None) -> str:
    return "absent" if value is None else f"{value:,.6g}"
