"""Pure numerics on arrays: pricing, implied volatility, surface, realised volatility, hedging, P&L.

Nothing here waits, reads a clock, draws a number or touches a file; only NumPy and
``scipy.special`` may enter. Arrays are float64, timestamps int64 nanoseconds UTC, volatilities
fractions per year, years ACT/365.
"""
