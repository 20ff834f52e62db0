"""The sweep: the last month of every company is read again at least once in five sessions.

A bar that was read on its own day, from a quote or a chart, is provisional. The whole answer, with dividends and
splits, settles it, and is how corporate actions are noticed. Its requests are counted in its own run, so that the
daily run's outcome is told at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from closingbell.domain.runs import Outcome, RunSummary, status_from_coverage, swept_in_words
from closingbell.jobs.context import JobContext, current_context
from closingbell.jobs.dividend_processor import process_after_prices
from closingbell.jobs.price_planning import plan_sweep
from closingbell.jobs.price_updater import fetch_and_store
from closingbell.jobs.runner import Ending, Occasion, Run, carry_out
from closingbell.jobs.unknown_symbols import closed_in_words, note_unknown

PRICE_SWEEP = "price_sweep"


def sweep_prices(
    context: JobContext | None = None, occasion: Occasion | None = None, *, symbols: Sequence[str] | None = None
) -> RunSummary:
    """Read the last month again of every company whose turn it is, or of ``symbols``."""
    context = context or current_context()
    chosen = tuple(symbols) if symbols else None
    return carry_out(context, PRICE_SWEEP, lambda run: _sweep(context, run, chosen), occasion)


def run_price_sweep(context: JobContext, occasion: Occasion, *, symbols: Sequence[str] | None = None) -> RunSummary:
    """The sweep as the scheduler runs it. Dividends are looked at afterwards: this is where they are noticed."""
    summary = sweep_prices(context, occasion, symbols=symbols)
    process_after_prices(context)
    return summary


def _sweep(context: JobContext, run: Run, symbols: tuple[str, ...] | None) -> Ending:
    plan = plan_sweep(context, symbols)
    run.items.extend(plan.skipped)
    fetch_and_store(context, run, plan)
    closed = note_unknown(context, run, plan)
    read = [item for item in run.items if item.outcome is not Outcome.SKIPPED]
    message = swept_in_words(read, plan.newest_in_words()) + closed_in_words(closed)
    return Ending(status_from_coverage(run.items), message)
