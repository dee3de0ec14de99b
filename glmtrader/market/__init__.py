"""Market data: quotes, catalogue, candles, and the service that publishes P.

What enters here turns venue events into views that decisions and gates read. The views are
updated by the first core component, so that everyone after it sees the same market.
"""
