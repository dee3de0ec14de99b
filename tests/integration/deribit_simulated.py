"""The adapter and a scripted server in virtual time: the target of a simulated process."""

import asyncio
import hashlib

import msgspec
from deribit_run import Run, order_body, ticker_body
from scripted_deribit import CLIENT_ID, CLIENT_SECRET, ScriptedDeribit

from glmtrader.config.secret import Secret
from glmtrader.kernel.clock import LoopClock
from glmtrader.venues.deribit.adapter import DeribitVenue
from glmtrader.venues.deribit.config import DeribitConfig, DeribitCredentials

TICKS = 3000
ORDER_EVERY = 50
DROP_EVERY = 1000


async def main() -> dict[str, object]:
    """Five minutes of ticks, orders and dropped connections; says what came out."""
    clock = LoopClock()
    async with ScriptedDeribit(lambda: clock.now_ns() // 1_000_000, port=8765) as server:
        server.answers["private/buy"] = lambda params: {
            "order": order_body(params),
            "trades": [],
        }
        server.answers["public/auth"] = lambda params: {**server.auth(params), "expires_in": 50}
        run = Run(server, clock)
        credentials = DeribitCredentials(client_id=CLIENT_ID, client_secret=Secret(CLIENT_SECRET))
        config = DeribitConfig(
            ws_url=server.ws_url,
            rest_url=server.rest_url,
            credentials=credentials,
            candle_history_days=0,
        )
        run.venue = DeribitVenue(config, clock=clock, publish=run.events.append)
        run.task = asyncio.get_running_loop().create_task(run.venue.run())
        await run.connected()
        await _trade(run)
        run.task.cancel()
        await asyncio.gather(run.task, return_exceptions=True)
        encoder = msgspec.json.Encoder(enc_hook=lambda array: array.tolist())
        told = b"\n".join(encoder.encode(event) for event in run.events)
        return {
            "events": len(run.events),
            "told": hashlib.blake2b(told, digest_size=16).hexdigest(),
            "orders_sent": len(server.asked("private/buy")),
            "authentications": len(server.asked("public/auth")),
            "disconnects": run.statuses().count("disconnected"),
        }


async def _trade(run: Run[ScriptedDeribit]) -> None:
    for number in range(TICKS):
        await asyncio.sleep(0.1)
        if not run.server.sockets[-1].closed:
            await run.server.push("ticker.BTC-PERPETUAL.100ms", ticker_body(90000.0 + number))
        if number % ORDER_EVERY == 0:
            run.submit(f"o-{number}")
        if number % DROP_EVERY == DROP_EVERY - 1:
            await run.server.drop()
