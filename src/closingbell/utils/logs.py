"""Structured logs on standard error, readable or JSON."""

from __future__ import annotations

import logging
import sys

import structlog


def configure_logs(level: str, format_: str) -> None:
    """Send closingbell's own events and the libraries' warnings to standard error."""
    numeric = logging.getLevelNamesMapping()[level]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if format_ == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=max(numeric, logging.WARNING), stream=sys.stderr)
    # A wake-up that finds the last one still at work is no news: what is due is on record.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    # The library reports every refused request there as "possibly delisted"; our errors say what it was.
    logging.getLogger("yfinance").setLevel(logging.CRITICAL)
