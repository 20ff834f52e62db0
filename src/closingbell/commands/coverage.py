"""``closingbell coverage``: what should be stored against what is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import date

import click
from flask.cli import with_appcontext

from closingbell.commands.output import EXIT_FAILED, Command, format_option, print_json, print_rows, symbols_option
from closingbell.jobs.context import current_context
from closingbell.queries.coverage import CompanyCoverage, CoverageTotal, KnownGap, load_coverage, total_of
from closingbell.stores.marks import require_origin, require_tables


@click.command("coverage", cls=Command)
@symbols_option
@click.option("--recount", is_flag=True, help="Read every stored bar instead of the summaries kept of them.")
@format_option
@with_appcontext
def coverage(symbols: tuple[str, ...] | None, recount: bool, format_: str) -> None:
    """Compare what is stored of each company held with what should be; exit code 1 when something is missing."""
    context = current_context()
    require_tables(context.database)
    # A replayed market has no sessions of today: better said so than "not written down yet".
    require_origin(context.database, context.settings.origin)
    covered = load_coverage(context.database, now=context.clock.now(), symbols=symbols, recount=recount)
    total = total_of(covered)
    if format_ == "json":
        print_json({"companies": covered, "total": total})
    else:
        _print_text(covered, total)
    if total.missing_count:
        sys.exit(EXIT_FAILED)


def _print_text(covered: Sequence[CompanyCoverage], total: CoverageTotal) -> None:
    columns: dict[str, Callable[[CompanyCoverage], str]] = {
        "symbol": lambda one: one.symbol,
        "mic": lambda one: one.mic,
        "since": lambda one: str(one.since),
        "expected": lambda one: str(one.expected_count),
        "stored": lambda one: str(one.stored_count),
        "provisional": lambda one: str(one.provisional_count),
        "missing": lambda one: str(one.missing_count),
        "known gaps": lambda one: str(one.gap_count),
        "quarantined": lambda one: str(one.quarantined_count),
        "unexpected": lambda one: str(one.unexpected_count),
    }
    print_rows(covered, "text", columns=columns, empty="nobody holds anything")
    for one in covered:
        for line in _details(one):
            click.echo(f"{one.symbol}: {line}")
    if covered:
        click.echo(in_words(total))


def _details(one: CompanyCoverage) -> Iterator[str]:
    """What the numbers of a company stand for, where they stand for something to look at."""
    if one.closed_on is not None:
        yield f"closed on {one.closed_on}: {one.closed_reason}"
    if one.missing_count:
        yield f"missing {_named(one.missing_dates, one.missing_count)}"
    for gap in one.gaps:
        yield _gap_in_words(gap)
    if one.unexpected_count:
        yield f"a bar without a session on {_named(one.unexpected_dates, one.unexpected_count)}"


def _gap_in_words(gap: KnownGap) -> str:
    span = str(gap.first) if gap.count == 1 else f"{gap.first} to {gap.last}"
    return f"known gap, {gap.count} session{'' if gap.count == 1 else 's'} ({span}): {gap.reason}"


def _named(days: Sequence[date], count: int) -> str:
    named = ", ".join(map(str, days))
    return f"{named} and {count - len(days)} more" if count > len(days) else named


def in_words(total: CoverageTotal) -> str:
    """``305 of 305 expected closes of 5 companies stored; 0 missing, ...``."""
    companies = "1 company" if total.company_count == 1 else f"{total.company_count} companies"
    return (
        f"{total.stored_count} of {total.expected_count} expected closes of {companies} stored; "
        f"{total.missing_count} missing, {total.gap_count} known gaps, {total.provisional_count} provisional, "
        f"{total.quarantined_count} quarantined, {total.unexpected_count} unexpected"
    )
