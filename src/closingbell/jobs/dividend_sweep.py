"""The weekly look over the dividends of every company: it must find nothing, and administrators are told if it does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from closingbell.domain.incidents import Message
from closingbell.jobs.context import JobContext
from closingbell.stores import dividend_progress, incidents
from closingbell.utils.text import counted

SWEEP_DIFFERS = "dividends.sweep_differs"
SWEEP_EVERY = timedelta(days=7)

_log = structlog.get_logger(__name__)


def is_sweep_due(context: JobContext, now: datetime) -> bool:
    """Whether the last look over every company is a week old."""
    with context.database.read() as connection:
        last = dividend_progress.load_last(connection, dividend_progress.SWEEP)
    return last is None or now - last >= SWEEP_EVERY


def end_sweep(context: JobContext, run_id: int, unexpected: Sequence[str], now: datetime) -> None:
    """Write down that everything was looked at; tell of differences, which there must not be."""
    messages = []
    if unexpected:
        _log.error(SWEEP_DIFFERS, symbols=list(unexpected[:10]), count=len(unexpected))
        named = ", ".join(unexpected[:10]) + (f" and {len(unexpected) - 10} more" if len(unexpected) > 10 else "")
        where = counted(len(unexpected), "company", "companies")
        messages.append(
            Message(
                f"dividend-sweep:{run_id}",
                "error",
                f"The weekly look over all dividends found differences in {where}",
                f"They were booked now, but a mark was missing for {named}: something changed orders or corporate "
                f"actions past closingbell. See: closingbell payments --run {run_id}",
            )
        )

    def unit(connection: Connection) -> None:
        dividend_progress.store_last(connection, dividend_progress.SWEEP, now=now)
        if messages:
            incidents.notify_all(connection, messages, run_id, now=now)

    context.database.write_unit(unit)
