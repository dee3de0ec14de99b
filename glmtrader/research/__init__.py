"""Research: replay, explanation and backtests, on the same code that trades.

What enters here reads journals and recordings; it never talks to a venue.
"""
