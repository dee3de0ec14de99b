"""Log lines go to stderr, apart from what a run prints; level by GLMTRADER_LOG."""

import logging
import os
import sys

import structlog


def configure_logs() -> None:
    """Readable lines on a terminal, JSON lines otherwise; warnings and worse by default."""
    level = logging.getLevelNamesMapping().get(os.environ.get("GLMTRADER_LOG", "WARNING").upper())
    on_terminal = sys.stderr.isatty()
    renderer = (
        structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level or logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
