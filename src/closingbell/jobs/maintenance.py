"""Keeping the records from growing without end."""

from __future__ import annotations

from datetime import timedelta

from closingbell.domain.runs import RunStatus, RunSummary
from closingbell.jobs.context import JobContext
from closingbell.jobs.runner import Ending, Occasion, Run, carry_out
from closingbell.stores import retention

LOG_RETENTION = "log_retention"
BATCH = 500


def run_log_retention(context: JobContext, occasion: Occasion) -> RunSummary:
    """Remove runs, and what belongs to them, that are older than the settings say."""
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
    return Ending(RunStatus.SUCCESS, f"{run_count} old runs and {tick_count} old due times removed")
