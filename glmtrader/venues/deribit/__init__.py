"""Deribit: a native WebSocket adapter for market data and orders, ccxt for markets and history.

Nothing in this folder was ever run against the real venue or its test network: it was written
from the published interface, recorded public traffic (ticker and book frames of 2021) and runs
against scripted and simulated servers. What only the real venue can show is named where it
matters: authentication renewal, platform locks, the fields of delivery log entries, rate limits.
"""
