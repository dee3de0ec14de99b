"""Strategies: one module each with a pure `decide(state, params) -> Decision`, and their engine.

A strategy sees one MarketState and says one Intent. It never sees a venue, an order or the web;
its memory is a frozen struct that travels in the state and comes back with the decision.
"""
