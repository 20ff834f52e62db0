"""A second provider's word on bars that a run set aside: agreement accepts them, disagreement is noted for a person.

The second provider's own bar is never stored. The database is closed while it is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import structlog
from structlog.contextvars import bound_contextvars

from closingbell.domain.money import plain, price_to_decimal
from closingbell.domain.runs import ItemOutcome, Outcome
from closingbell.domain.second_opinion import bears_out, difference_in_words
from closingbell.errors import ProviderError, SymbolUnknownError, UsageError
from closingbell.jobs.context import JobContext
from closingbell.jobs.runner import Run
from closingbell.providers.base import DailyHistory, PriceProvider
from closingbell.providers.chain import second_opinion
from closingbell.stores import job_log, prices, quarantine
from closingbell.stores.quarantine import Undecided
from closingbell.usecases.quarantine import accept_bar
from closingbell.utils.waiting import watched

NOT_TO_BE_HAD = "second_opinion.not_to_be_had"
ACCEPTED_BY_SECOND = "second_opinion.accepted"

# A run asks about so many companies, newest doubts first, and decides on so many bars of each; the rest wait a day.
MOST_COMPANIES = 20
MOST_BARS = 50

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A bar that was accepted; ``is_new``: its session had no close before."""

    symbol: str
    provider: str
    is_new: bool


def ask_second_opinions(context: JobContext, run: Run) -> None:
    """Ask another provider about what this run set aside, where there is one; the items tell what came of it."""
    symbols = [item.symbol for item in run.items if item.outcome is Outcome.QUARANTINED]
    if not symbols:
        return
    provider = context.open_provider()
    with context.database.read() as connection:
        doubts = quarantine.load_undecided(connection, symbols)
    accepted: list[_Accepted] = []
    for of_company in _by_company(doubts)[:MOST_COMPANIES]:
        run.check()
        with bound_contextvars(symbol=of_company[0].symbol):
            accepted += _ask_about(context, run, provider, of_company)
    if accepted:
        _tell(context, run, accepted)


def _by_company(doubts: Sequence[Undecided]) -> list[list[Undecided]]:
    """The doubts of each company and provider together, newest first."""
    ordered = sorted(doubts, key=lambda doubt: (doubt.symbol, doubt.provider, doubt.bar.date), reverse=True)
    groups = [list(group) for _, group in groupby(ordered, key=lambda doubt: (doubt.symbol, doubt.provider))]
    return sorted(groups, key=lambda group: group[0].bar.date, reverse=True)


def _ask_about(context: JobContext, run: Run, provider: PriceProvider, doubts: Sequence[Undecided]) -> list[_Accepted]:
    """One request about one company, and what follows from the answer."""
    second = second_opinion(provider, apart_from=doubts[0].provider)
    if second is None:
        return []
    doubts, symbol = doubts[:MOST_BARS], doubts[0].symbol
    try:
        with watched(run.check):
            first = min(doubt.bar.date for doubt in doubts)
            history = second.fetch_daily(symbol, first=first, now=context.clock.now())
    except SymbolUnknownError as error:
        # Asked once: the same question would get the same answer.
        for doubt in doubts:
            _note(context, doubt, str(error))
        return []
    except ProviderError as error:
        _log.info(NOT_TO_BE_HAD, error=str(error))
        return []
    return [found for doubt in doubts if (found := _weigh(context, doubt, history)) is not None]


def _weigh(context: JobContext, doubt: Undecided, history: DailyHistory) -> _Accepted | None:
    """Accept one bar, or note why not; a session that the second provider does not have either is asked for again."""
    other = next((bar for bar in history.bars if bar.date == doubt.bar.date), None)
    if other is None:
        return None
    if doubt.currency is not None and history.currency != doubt.currency:
        _note(context, doubt, f"{history.provider} has it in {history.currency}")
        return None
    if not bears_out(doubt.bar, other, rule=doubt.rule):
        _note(context, doubt, f"{history.provider} does not bear it out: {difference_in_words(doubt.bar, other)}")
        return None
    with context.database.read() as connection:
        held = prices.load_bars(connection, {doubt.company_id: doubt.bar.date}).get(doubt.company_id, {})
    is_new = doubt.bar.date not in held
    try:
        why = f"its close is {plain(price_to_decimal(other.close))}"
        accept_bar(context, doubt.id, by=history.provider, why=why, is_by_run=True)
    except UsageError as error:
        _note(context, doubt, f"{history.provider} bears it out, but {error}")
        return None
    _log.info(ACCEPTED_BY_SECOND, date=str(doubt.bar.date), provider=history.provider)
    return _Accepted(doubt.symbol, history.provider, is_new)


def _note(context: JobContext, doubt: Undecided, note: str) -> None:
    context.database.write_unit(lambda connection: quarantine.store_note(connection, doubt.id, note=note))


def _tell(context: JobContext, run: Run, accepted: Sequence[_Accepted]) -> None:
    """Put right in the run's items what is stored after all."""
    changed = []
    for position, item in enumerate(run.items):
        of_item = [one for one in accepted if one.symbol == item.symbol]
        if of_item:
            run.items[position] = _with_accepted(item, of_item)
            changed.append(run.items[position])
    context.database.write_unit(lambda connection: job_log.store_items(connection, run.id, changed))


def _with_accepted(item: ItemOutcome, accepted: Sequence[_Accepted]) -> ItemOutcome:
    new = sum(one.is_new for one in accepted)
    left = max(item.quarantined_count - len(accepted), 0)
    told = replace(
        item,
        covered_count=min(item.covered_count + new, item.expected_count),
        stored_count=item.stored_count + new,
        changed_count=item.changed_count + len(accepted) - new,
        quarantined_count=left,
    )
    words = f"{len(accepted)} set aside and accepted by {accepted[0].provider}"
    if left:
        return replace(told, message=f"{item.message}; {words}")
    if told.covered_count < told.expected_count:
        return replace(told, outcome=Outcome.MISSING, error_kind="missing", message=words)
    return replace(told, outcome=Outcome.STORED, error_kind=None, message=words)
