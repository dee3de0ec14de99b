"""The one tree of errors: everything the program raises on purpose descends from here."""


class GlmtraderError(Exception):
    """Base of every error that glmtrader raises on purpose."""
