"""A minute with server and client in virtual time; run by `glmtrader.kernel.simloop`."""

from typing import Any

import aiohttp
from deribit_wire import PERPETUAL, Client, make_clock, make_exchange

from glmtrader.kernel.simloop import current_network
from glmtrader.simulator.deribit import DeribitServer, Fault, FaultKind


async def minute() -> dict[str, Any]:
    """Subscribe, trade, lose a reply, be cut; returns what was seen."""
    assert current_network() is not None, "only on a simulated loop"
    clock = make_clock()
    exchange = make_exchange(clock.now_ns())
    server = DeribitServer(exchange, clock)
    seen: list[Any] = []
    async with server.running("10.0.0.1", 8765) as port, aiohttp.ClientSession() as http:
        client = Client(await http.ws_connect(f"ws://10.0.0.1:{port}/ws/api/v2"))
        await client.log_in()
        channel = f"ticker.{PERPETUAL}.100ms"
        await client.call("public/subscribe", channels=[channel])
        bought = await client.call(
            "private/buy", instrument_name=PERPETUAL, amount=100, type="market"
        )
        seen.append(bought["trades"][0]["price"])
        while exchange.now_ns - clock_start(server) < 60_000_000_000:
            seen.append((await client.note(channel, 30.0))["mark_price"])
        server.inject(Fault(kind=FaultKind.DROP_WITHOUT_CLOSE))
        end = await client.ended()
    return {"seen": seen, "end": end.name, "moved_ns": exchange.now_ns - clock_start(server)}


def clock_start(server: DeribitServer) -> int:
    """When the server's exchange began."""
    return server._backend.tape.started_ns
