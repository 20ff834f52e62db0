"""Bringing one's own orders in, from closingbell's own CSV: the import of files with that form alone."""

from __future__ import annotations

from dataclasses import dataclass

from closingbell.jobs.context import JobContext
from closingbell.usecases.import_file import ImportRequest, import_file, in_words
from closingbell.usecases.imports import orders_csv
from closingbell.usecases.imports.entries import DOUBTFUL, LEFT_OUT
from closingbell.usecases.reasons import By


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did, or would do: orders added and already there, companies and account that are new."""

    account: str
    is_new_account: bool
    added_count: int
    known_count: int
    new_symbols: tuple[str, ...]
    remarks: tuple[str, ...]


def import_orders(
    context: JobContext, text: str, *, account: str, dry_run: bool = False, name: str = "", by: By | None = None
) -> ImportResult:
    """Store the orders of a CSV in an account; raise ImportRefusedError with every bad line when there is one.

    An account or company that is not there yet is made. An order without ``executed_at`` counts as executed at the
    close of its session, or of the next one where there was none that day.
    """
    request = ImportRequest(account, form=orders_csv.NAME, dry_run=dry_run, name=name)
    preview = import_file(context, text.encode(), request, by=by)
    return ImportResult(
        preview.account,
        preview.is_new_account,
        preview.added_count,
        preview.known_count,
        preview.new_symbols,
        tuple(in_words(finding) for finding in preview.findings if finding.weight in {DOUBTFUL, LEFT_OUT}),
    )
