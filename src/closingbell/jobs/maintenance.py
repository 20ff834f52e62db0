"""Keeping the records from growing without end."""

from __future__ import annotations

from datetime import timedelta

from closingbell.domain.runs import RunStatus, RunSummary
from closingbell.jobs.context import JobContext
from closingbell.jobs.runner import Ending, Occasion, Run, carry_out
from closingbell.stores import minutes, retention, sign_in_tries

LOG_RETENTION = "log_retention"
BATCH = 500
# Small rows that lie together: many of them take no longer.
MINUTE_BATCH = 2_000


def run_log_retention(context: JobContext, occasion: Occasion) -> RunSummary:
    """Remove runs, what left the outbox and minute bars that are older than the settings say."""
    return carry_out(context, LOG_RETENTION, lambda run: _remove_old(context, run), occasion)


def _remove_old(context: JobContext, run: Run) -> Ending:
    """Remove in small batches: a long delete would keep every other writer waiting."""
    settings, now = context.settings, context.clock.now()
    limits = retention.Limits(
        succeeded_before=now - timedelta(days=settings.job_log_retention_days),
        failed_before=now - timedelta(days=settings.job_log_retention_failed_days),
        keep_count=settings.job_log_keep_runs,
    )
    run_count = tick_count = 0
    while removed := context.database.write_unit(lambda c: retention.remove_runs(c, limits, most=BATCH)):
        run.check()
        run_count += removed
    while removed := context.database.write_unit(lambda c: retention.remove_ticks(c, limits, most=BATCH)):
        run.check()
        tick_count += removed
    while context.database.write_unit(lambda c: retention.remove_messages(c, limits, most=BATCH)):
        run.check()
    # Real time; none counts longer than an hour.
    yesterday = context.wall.now() - timedelta(days=1)
    while context.database.write_unit(lambda c: sign_in_tries.remove_old(c, before=yesterday, most=BATCH)):
        run.check()
    minute_count = _remove_minutes(context, run)
    return Ending(
        RunStatus.SUCCESS, f"{run_count} old runs, {tick_count} old due times and {minute_count} old minutes removed"
    )


def _remove_minutes(context: JobContext, run: Run) -> int:
    before = context.clock.now() - timedelta(days=context.settings.minute_bar_retention_days)
    count = 0
    while removed := context.database.write_unit(lambda c: minutes.remove_minutes(c, before=before, most=MINUTE_BATCH)):
        run.check()
        count += removed
    return count
