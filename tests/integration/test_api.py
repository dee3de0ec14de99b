"""Every route of the API against the events that a running system really published."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from api_world import World, kept_running, paper_config, running

from glmtrader.cli.run import _api
from glmtrader.config.schema import ApiConfig, Mode
from glmtrader.domain.events import (
    DecisionMade,
    IntentCompleted,
    PortfolioRisk,
    PositionUpdate,
    VolatilitySurface,
)
from glmtrader.venues.deribit.config import DeribitConfig
from glmtrader.web.errors import AddressUnavailableError
from glmtrader.web.responses import utc_text
from glmtrader.web.server import ApiServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPTIONS = "/api/v1/options"
VALUE_PATHS = (
    "/pq-spread/BTC",
    "/volatility-surface/BTC",
    "/greeks/portfolio",
    "/hedge/status",
    "/strategies/pq-trader/state",
    "/strategies/delta-hedger/state",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """An hour of paper trading, with a straddle on and hedged; time then stands still."""
    loop = asyncio.get_running_loop()
    ready, done = loop.create_future(), asyncio.Event()
    life = loop.create_task(kept_running(tmp_path_factory.mktemp("api"), ready, done, minutes=60.0))
    await asyncio.wait({life, ready}, return_when=asyncio.FIRST_COMPLETED)
    if life.done():
        life.result()
    yield ready.result()
    done.set()
    await life


async def test_health_is_true_while_feeds_are_fresh_and_the_core_answers(world: World) -> None:
    """A running system is healthy, open, and counts what it dispatched."""
    answer = await world.ask("/api/v1/health")
    assert answer.status == 200, answer.text
    report = answer.json
    assert report["healthy"] is True
    assert report["reasons"] == []
    assert report["mode"] == "open"
    assert report["core"]["sequence"] == world.system.bus.seq
    assert {feed["name"] for feed in report["feeds"]} == {"tick.BTC", "chain.BTC"}


@pytest.mark.parametrize("name", ["BTC", "btc", "BTC/USDT", "BTC%2FUSDT", "BTC%2fUSDT", "BTC/USD"])
async def test_pq_spread_takes_a_coin_or_a_pair_however_its_slash_is_written(
    world: World, name: str
) -> None:
    """The pair's slash is part of the name, encoded or not."""
    answer = await world.ask(f"{OPTIONS}/pq-spread/{name}")
    assert answer.status == 200, answer.text
    assert answer.json["underlying"] == "BTC"


async def test_pq_spread_is_the_newest_decision(world: World) -> None:
    """P, Q, spread, edge, intent and reason are those of the decision that was published."""
    event: DecisionMade = world.witness.newest(DecisionMade, strategy="pq_vol")
    got = (await world.ask(f"{OPTIONS}/pq-spread/BTC")).json
    state, intent = event.state, event.decision.intent
    assert state.p_vol is not None
    assert state.q_vol is not None
    assert (got["p_vol"], got["q_vol"]) == (state.p_vol, state.q_vol)
    assert got["spread"] == pytest.approx(state.q_vol - state.p_vol)
    assert (got["net_edge_long"], got["cost_vol"]) == (state.net_edge_long, state.cost_vol)
    assert got["confidence"] == state.confidence
    assert (got["intent_type"], got["intent_reason"]) == (intent.intent_type, intent.reason)
    assert (
        got["signal"] == {1: "buy_volatility", 0: "hold", -1: "sell_volatility"}[intent.direction]
    )
    assert got["timestamp"] == utc_text(event.ts_event)
    assert got["intent_id"] == event.intent_id


async def test_inputs_without_a_source_are_null(world: World) -> None:
    """Regime, FOMO and sentiment have no source here and are shown as absent."""
    got = (await world.ask(f"{OPTIONS}/pq-spread/BTC")).json
    assert [got[name] for name in ("macro_regime", "regime_score", "fomo_score")] == [None] * 3


async def test_surface_is_the_newest_one_with_its_own_quotes(world: World) -> None:
    """Each strike of each expiry is there; out of the money its own quote gives the fitted vol."""
    event: VolatilitySurface = world.witness.newest(VolatilitySurface)
    got = (await world.ask(f"{OPTIONS}/volatility-surface/BTC/USDT")).json
    assert got["timestamp"] == utc_text(event.ts_event)
    assert got["atm_iv"] == event.slices[0].atm_vol
    rows = [(part, row) for part in event.slices for row in range(len(part.strikes))]
    assert len(got["surface_data"]) == len(rows)
    quoted = 0
    for (part, row), point in zip(rows, got["surface_data"], strict=True):
        assert (point["strike"], point["mid_vol"]) == (part.strikes[row], part.mid_vols[row])
        assert point["expiry"] == utc_text(part.expiry_ns)
        near = abs(part.strikes[row] / part.forward - 1) < 0.05
        side = "call" if part.strikes[row] >= part.forward else "put"
        if near and point[f"{side}_iv"] is not None:
            quoted += 1
            assert point[f"{side}_iv"] == pytest.approx(part.mid_vols[row], abs=0.03)
    assert quoted > len(event.slices)


async def test_portfolio_greeks_are_the_newest_risk_event(world: World) -> None:
    """Totals are the event's USD totals and equal the sums of the rows beside them."""
    event: PortfolioRisk = world.witness.newest(PortfolioRisk)
    got = (await world.ask(f"{OPTIONS}/greeks/portfolio")).json
    assert got["total_delta"] == event.total_delta_usd
    assert got["total_gamma"] == event.total_gamma_usd > 0
    assert got["total_vega"] == event.total_vega_usd > 0
    assert got["total_theta"] == event.total_theta_usd < 0
    assert got["total_rho"] == sum(row.rho_per_rate for row in event.by_underlying)
    assert got["total_delta"] == sum(row["delta_usd"] for row in got["by_underlying"])
    assert got["equity_usd"] == event.equity_usd
    assert got["timestamp"] == utc_text(event.ts_event)


async def test_hedge_status_is_delta_against_the_hedgers_band(world: World) -> None:
    """The hedger left delta inside its band, so nothing is recommended to be traded."""
    event: PortfolioRisk = world.witness.newest(PortfolioRisk)
    got = (await world.ask(f"{OPTIONS}/hedge/status")).json
    row = got["by_underlying"][0]
    assert row["delta_coin"] == event.by_underlying[0].delta_coin
    assert got["total_delta"] == event.total_delta_usd
    inside = abs(row["delta_coin"]) <= row["band_delta_coin"]
    assert inside == (row["hedge_quantity_coin"] == 0)
    assert inside == (row["status"] in ("well_hedged", "acceptable"))
    assert row["hedge_instrument"] == "deribit:BTC-PERPETUAL"
    neutral = (await world.ask(f"{OPTIONS}/greeks/portfolio")).json["hedge_status"]
    assert neutral == ("neutral" if inside else "needs_hedge")


async def test_option_positions_are_the_booked_ones_and_their_greeks_add_up(world: World) -> None:
    """Quantity and average price of each booking; the sum of gammas is the portfolio's."""
    got = (await world.ask(f"{OPTIONS}/positions/options")).json
    assert got["total_count"] == len(got["positions"]) == 2
    for position in got["positions"]:
        booked: PositionUpdate = world.witness.newest(
            PositionUpdate, instrument_id=f"deribit:{position['symbol']}"
        )
        assert position["quantity"] == pytest.approx(float(booked.quantity))
        assert booked.average_price is not None
        assert position["avg_price"] == pytest.approx(float(booked.average_price))
        assert position["strategy_id"] == "pq"
        assert position["unrealized_pnl"] == pytest.approx(
            position["quantity"] * (position["mark_price"] - position["avg_price"])
        )
    total = sum(position["greeks"]["vega_per_vol"] for position in got["positions"])
    risk: PortfolioRisk = world.witness.newest(PortfolioRisk)
    assert total == pytest.approx(risk.total_vega_usd, rel=1e-2)


async def test_pq_trader_state_is_what_it_decided_and_finished(world: World) -> None:
    """The newest decision, the straddles it holds, and how its last intent ended."""
    event: DecisionMade = world.witness.newest(DecisionMade, strategy="pq_vol")
    done: IntentCompleted = world.witness.newest(IntentCompleted, strategy_id="pq")
    got = (await world.ask(f"{OPTIONS}/strategies/pq-trader/state")).json
    (instance,) = got["instances"]
    assert instance["intent_id"] == event.intent_id
    assert instance["reason"] == event.decision.intent.reason
    assert instance["position"] == pytest.approx(float(event.state.position))
    assert instance["position"] != 0
    assert len(instance["straddles"]) == len(event.state.straddles) == 1
    assert instance["params"] == msgspec.json.decode(event.params)
    assert instance["last_completed"]["intent_id"] == done.intent_id
    assert instance["last_completed"]["outcome"] == done.outcome == "filled"


async def test_delta_hedger_state_is_its_newest_recorded_decision(world: World) -> None:
    """The newest decision of the hedger, with its parameters and the hedge as of now."""
    event: DecisionMade = world.witness.newest(DecisionMade, strategy="delta_hedger")
    got = (await world.ask(f"{OPTIONS}/strategies/delta-hedger/state")).json
    (instance,) = got["instances"]
    assert instance["intent_id"] == event.intent_id
    assert instance["total_delta"] == event.state.total_delta
    assert instance["params"] == msgspec.json.decode(event.params)
    assert instance["hedge"]["underlying"] == "BTC"


@pytest.mark.parametrize("path", [*VALUE_PATHS, "/positions/options"])
async def test_every_route_answers_without_options_in_its_path(world: World, path: str) -> None:
    """The shorter path is the same route."""
    long, short = await world.ask(OPTIONS + path), await world.ask("/api/v1" + path)
    assert long.status == short.status == 200
    assert long.json == short.json


async def test_openapi_names_every_route_and_its_fields(world: World) -> None:
    """The document has the paths that answer, and the fields that they answer with."""
    document = (await world.ask("/api/v1/openapi.json")).json
    for path in [*VALUE_PATHS, "/positions/options"]:
        listed = (OPTIONS + path).replace("/BTC", "/{underlying}")
        content = document["paths"][listed]["get"]["responses"]["200"]["content"]
        name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
        fields = document["components"]["schemas"][name]["properties"]
        assert set((await world.ask(OPTIONS + path)).json) == set(fields)


@pytest.mark.parametrize("name", ["DOGE", "BTC/EUR", "BTC/USDT/X", "%00", "BTC%20", "B" * 500])
async def test_an_unknown_underlying_is_not_found(world: World, name: str) -> None:
    """What this run does not trade is a 404 problem, never somebody else's numbers."""
    answer = await world.ask(f"{OPTIONS}/pq-spread/{name}")
    assert (answer.status, answer.content_type) == (404, "application/problem+json")
    assert "is not traded here" in answer.json["detail"]


async def test_only_get_is_allowed(world: World) -> None:
    """Any other method is a 405 problem that names what is allowed."""
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        answer = await world.ask("/api/v1/health", method=method)
        assert (answer.status, answer.content_type) == (405, "application/problem+json")
        assert "GET" in answer.headers["Allow"]


async def test_a_large_body_is_refused(world: World) -> None:
    """No route takes a body; a large one is not read."""
    answer = await world.ask("/api/v1/health", data=b"x" * 100_000)
    assert (answer.status, answer.content_type) == (413, "application/problem+json")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "localhost.evil"])
async def test_a_foreign_host_header_is_refused(world: World, host: str) -> None:
    """A name that an attacker may have rebound to this machine reads nothing."""
    answer = await world.ask("/api/v1/health", headers={"Host": host})
    assert (answer.status, answer.content_type) == (421, "application/problem+json")


async def test_every_answer_is_guarded_against_other_sites(world: World) -> None:
    """Pages, values and errors all carry the headers, and none allows another origin."""
    for path in ("/", "/static/status.css", "/api/v1/health", "/api/v1/absent"):
        headers = (await world.ask(path, headers={"Origin": "http://evil.example"})).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert not [name for name in headers if name.lower().startswith("access-control")]


async def test_the_status_page_shows_what_the_api_says(world: World) -> None:
    """Mode, health, P, Q, intent, reason, positions and equity, with nothing loaded from afar."""
    page = await world.ask("/")
    assert (page.status, page.content_type) == (200, "text/html")
    spread = (await world.ask(f"{OPTIONS}/pq-spread/BTC")).json
    risk = (await world.ask(f"{OPTIONS}/greeks/portfolio")).json
    held = (await world.ask(f"{OPTIONS}/positions/options")).json["positions"]
    for text in (
        "healthy",
        "open",
        f"{spread['p_vol'] * 100:.1f}",
        f"{spread['q_vol'] * 100:.1f}",
        spread["intent_reason"],
        f"{risk['equity_usd']:,.2f}",
        held[0]["symbol"],
    ):
        assert text in page.text
    assert "http://" not in page.text
    assert "<script" not in page.text


async def test_before_the_first_value_nothing_is_made_up(tmp_path: Path) -> None:
    """Without a market every value is a 503 problem, and health says what is missing."""
    async with running(tmp_path, venue=False) as world:
        for path in VALUE_PATHS:
            answer = await world.ask(OPTIONS + path)
            assert (answer.status, answer.content_type) == (503, "application/problem+json")
        health = await world.ask("/api/v1/health")
        assert (health.status, health.content_type) == (503, "application/problem+json")
        assert health.json["healthy"] is False
        assert any("tick.BTC" in reason for reason in health.json["reasons"])


async def test_health_turns_false_when_the_feeds_fall_silent(tmp_path: Path) -> None:
    """Time passes and nothing comes: 503, with the age of each feed."""
    async with running(tmp_path) as world:
        await world.advance(2.0)
        assert (await world.ask("/api/v1/health")).status == 200
        while world.clock.fire_next(world.clock.now_ns()):
            pass
        world.clock._now_ns += 600 * 1_000_000_000
        report = await world.ask("/api/v1/health")
        assert report.status == 503
        reasons = " ".join(report.json["reasons"])
        assert all(name in reasons for name in ("tick.BTC", "chain.BTC", "core"))


async def test_the_server_ends_within_a_second_with_a_client_attached(tmp_path: Path) -> None:
    """An idle keep-alive connection does not hold the end up."""
    async with running(tmp_path, venue=False) as world:
        _, port = world.api._socket.getsockname()  # type: ignore[union-attr]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readline()
        started = time.perf_counter()
    assert time.perf_counter() - started < 1.0
    writer.close()


async def test_a_taken_port_is_a_clear_error_with_real_money(tmp_path: Path, world: World) -> None:
    """The error names the port and both ways out, before anything runs."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(AddressUnavailableError) as refused,
            _served(world, tmp_path, port, Mode.LIVE),
        ):
            pass
    for part in (str(port), "port = 0", "enabled = false"):
        assert part in str(refused.value)


async def test_on_paper_a_taken_port_is_replaced_by_another(tmp_path: Path, world: World) -> None:
    """A demo starts whatever else listens; its address is the one that is printed."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with _served(world, tmp_path, port, Mode.PAPER) as api:
            assert api is not None
            assert not api.url.endswith(f":{port}/")


@contextmanager
def _served(world: World, folder: Path, port: int, mode: Mode) -> Iterator[ApiServer | None]:
    """The world's API on a port, as `run` would bind it in a mode."""
    system = world.system
    original = system.config
    paper = msgspec.structs.replace(paper_config(folder), api=ApiConfig(port=port))
    live = msgspec.structs.replace(paper, mode=mode, deribit=DeribitConfig())
    system.config = paper if mode is Mode.PAPER else live
    try:
        with _api(system) as api:
            yield api
    finally:
        system.config = original


async def test_positions_are_served_again_after_a_restart(tmp_path: Path) -> None:
    """What an earlier run booked is known from the ledger's snapshot, its average price too."""
    async with running(tmp_path) as world:
        await world.advance(60.0)
        before = (await world.ask(f"{OPTIONS}/positions/options")).json
    async with running(tmp_path, start_ns=world.clock.now_ns()) as world:
        await world.advance(1.0)
        after = (await world.ask(f"{OPTIONS}/positions/options")).json
    assert before["total_count"] == 2
    names = ("symbol", "quantity", "avg_price", "strategy_id")
    wanted = [[item[name] for name in names] for item in before["positions"]]
    assert [[item[name] for name in names] for item in after["positions"]] == wanted
