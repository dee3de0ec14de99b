"""The simulated exchange: market models, matching, accounts, and servers that speak real wires.

Pure but for the servers: no clock, no randomness of its own (generators are handed in), no I/O.
It imports nothing from `venues`, so that an adapter and its counterpart cannot share a mistake.
"""
