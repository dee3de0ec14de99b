"""glmtrader: trades implied against forecast volatility, and can explain every decision."""

__version__ = "0.1.0"
