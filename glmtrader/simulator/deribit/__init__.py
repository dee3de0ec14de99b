"""The simulated exchange as a server on Deribit's REST and WebSocket wire.

What enters here is the exchange, a clock and Deribit's public documentation; nothing of the
project's own Deribit adapter, so that the two cannot share a mistake. `DeribitServer` is the door:

    server = DeribitServer(exchange, clock)
    async with server.running("127.0.0.1", 8765) as port:
        server.inject(Fault(kind=FaultKind.LOST_REPLY, method="private/buy"))
"""

from glmtrader.simulator.deribit.config import CreditPool, RateLimits, ServerConfig
from glmtrader.simulator.deribit.faults import Fault, FaultKind
from glmtrader.simulator.deribit.server import DeribitServer

__all__ = [
    "CreditPool",
    "DeribitServer",
    "Fault",
    "FaultKind",
    "RateLimits",
    "ServerConfig",
]
