"""What follows from one company's answer: compared, checked, and how the company ended. Decides, writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from closingbell.domain.bars import (
    INTRADAY,
    YOUNG_SESSIONS,
    Bar,
    CheckedBars,
    Finding,
    MergedBars,
    Neighbourhood,
    StoredBar,
    check_bars,
    merge_bars,
    without_manual,
)
from closingbell.domain.corporate_actions import CorporateAction, splits_of
from closingbell.domain.currencies import doubt_currency
from closingbell.domain.planning import CompanyState, FetchItem, SessionList, next_ask_at, settled_until
from closingbell.domain.runs import ItemOutcome, Outcome
from closingbell.domain.series_checks import SeriesAround, check_series
from closingbell.errors import ProviderError
from closingbell.jobs.action_storing import ToldActions
from closingbell.jobs.price_planning import Plan
from closingbell.providers.base import DailyHistory

# Calendar days that hold the sessions which an answer's bars are compared with.
CONTEXT = timedelta(days=32)
WRONG_CURRENCY = "wrong_currency"
NO_VOLUME = "no_volume"
# Among fewer bars nobody can tell which of two levels is the wrong one; the jump rule still looks at them.
ENOUGH_NEIGHBOURS = 10
# An answer that begins so long after the date asked for, or ends so long ago, is short: no market closes so long.
_SHORT = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of one item of the plan: a history or an error."""

    item: FetchItem
    history: DailyHistory | None
    error: ProviderError | None
    attempt_count: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Known:
    """What the database holds around a chunk's answers."""

    bars: dict[int, dict[date, StoredBar]]
    previous_closes: dict[int, int]
    doubtful: dict[int, dict[tuple[date, str], Bar]]
    splits: dict[int, dict[date, Any]]


@dataclass(frozen=True, slots=True)
class Settling:
    """One company's answer, decided: what to write and how it ended.

    ``tells_all``: it has every dividend and split since the company's first order.
    """

    company_id: int
    history: DailyHistory
    checked: CheckedBars
    merged: MergedBars
    settled_to: date | None
    previous_close: int | None
    gaps: dict[date, tuple[str, int, datetime | None]]
    filled_gaps: list[date]
    released: list[date]
    coverage: tuple[date, date] | None
    outcome: ItemOutcome
    told: ToldActions
    tells_all: bool


def wrong_currency(fetched: Fetched, plan: Plan, ordered_in: Mapping[str, Set[str]]) -> ItemOutcome | None:
    """An answer in another currency than the company's is set aside whole.

    The first answer of all must be in one of its exchange's currencies, or in one of ``ordered_in`` (by symbol).
    """
    item, history, company = fetched.item, fetched.history, plan.companies.get(fetched.item.symbol)
    if history is None:
        return None
    if company is None or company.currency is None:
        known = ordered_in.get(item.symbol, frozenset())
        message = doubt_currency(item.symbol, item.mic, history.currency, ordered_in=known)
    elif company.currency != history.currency:
        message = f"answered in {history.currency}, but prices of {item.symbol} are in {company.currency}; not stored"
    else:
        return None
    if message is None:
        return None
    return ended(fetched, Outcome.QUARANTINED, covered=0, error_kind=WRONG_CURRENCY, message=message)


def not_answered(fetched: Fetched, state: CompanyState) -> ItemOutcome:
    """No answer: what was stored before still counts."""
    error = fetched.error
    assert error is not None
    stored = {day for day, _ in state.loose}
    covered = sum(day in stored for day in fetched.item.wanted)
    return ended(fetched, Outcome.FAILED, covered=covered, error_kind=error.kind, message=str(error))


def ended(
    fetched: Fetched,
    outcome: Outcome,
    *,
    covered: int,
    expected: int | None = None,
    stored: int = 0,
    changed: int = 0,
    quarantined: int = 0,
    settled: int = 0,
    error_kind: str | None = None,
    message: str | None = None,
) -> ItemOutcome:
    item = fetched.item
    return ItemOutcome(
        symbol=item.symbol,
        company_id=item.company_id,
        outcome=outcome,
        expected_count=len(item.wanted) if expected is None else expected,
        covered_count=covered,
        stored_count=stored,
        changed_count=changed,
        quarantined_count=quarantined,
        error_kind=error_kind,
        message=message,
        attempt_count=fetched.attempt_count,
        duration_ms=fetched.duration_ms,
        settled_count=settled,
    )


def settle(
    fetched: Fetched,
    history: DailyHistory,
    company_id: int,
    state: CompanyState,
    calendar: SessionList,
    known: Known,
    now: datetime,
) -> Settling:
    """Decide all that follows from one answer; pure but for its arguments."""
    item = fetched.item
    stored = known.bars.get(company_id, {})
    previous_close = known.previous_closes.get(company_id)
    doubtful = known.doubtful.get(company_id, {})
    young_from = calendar.young_from(YOUNG_SESSIONS)
    around = Neighbourhood(
        sessions=calendar.closed_set,
        newest=calendar.newest() or date.min,
        young_from=young_from,
        splits=known.splits.get(company_id, {}) | splits_of(history.actions),
        suspects={day: bar for (day, rule), bar in doubtful.items() if rule == "jump"},
        previous_close=previous_close,
    )
    answered = without_manual(_wanted_bars(history.bars, item, calendar), stored)
    events = [action for action in history.actions if action.ex_date >= item.first]
    checked = _still_open(check_answer(answered, events, stored, around), item, stored)
    settled_to = calendar.last_settled(history.fetched_at)
    merged = merge_bars(stored, checked.good, settled_to=settled_to)
    # A price of during the session is not the close that is expected.
    closes = {day for day, held in stored.items() if held.flag != INTRADAY}
    present = {bar.date for bar in checked.good} | closes
    gaps = _gaps(fetched, history, state, checked, present, young_from, now)
    told = _told_actions(item, history, company_id, calendar, checked)
    return Settling(
        company_id,
        history,
        checked,
        merged,
        settled_to,
        previous_close,
        gaps,
        [day for day in state.gap_counts if day in present],
        sorted({day for day, _ in doubtful} & {bar.date for bar in checked.good}),
        _coverage(state, calendar, checked, stored, settled_to, gaps),
        _outcome(fetched, checked, merged, present, gaps),
        told,
        bool(history.bars)
        and state.first_order is not None
        and told.first <= state.first_order
        and told.last >= told.newest,
    )


def _told_actions(
    item: FetchItem, history: DailyHistory, company_id: int, calendar: SessionList, checked: CheckedBars
) -> ToldActions:
    """What the answer tells of the company's actions, and which dates it tells of."""
    newest = calendar.newest() or date.min
    first, last = answered_dates(item, history, newest)
    return ToldActions(
        company_id=company_id,
        mic=item.mic,
        provider=history.provider,
        currency=history.currency,
        rows=history.actions,
        first=first,
        last=max(last, calendar.running or last) if last == newest else last,
        newest=newest,
        bars=checked.good,
    )


def answered_dates(item: FetchItem, history: DailyHistory, newest: date) -> tuple[date, date]:
    """Which dates an answer tells of, up to the newest session: of what a short one leaves out nothing is missing."""
    if not history.bars:
        return item.first, newest
    asked, begins, ends = item.asked_from, history.bars[0].date, history.bars[-1].date
    listed = max(asked, history.first_trade_date or asked)
    return asked if begins <= listed + _SHORT else begins, newest if ends >= newest - _SHORT else ends


def _still_open(checked: CheckedBars, item: FetchItem, stored: dict[date, StoredBar]) -> CheckedBars:
    """What an answer may say: of what was wanted, and of what is not settled. A settled bar stays as it is."""
    closed = {day for day, held in stored.items() if held.is_settled}.difference(item.wanted)
    if not closed:
        return checked
    return CheckedBars(
        [bar for bar in checked.good if bar.date not in closed],
        {day: flag for day, flag in checked.flagged.items() if day not in closed},
        [finding for finding in checked.findings if finding.bar.date not in closed],
    )


def check_answer(
    bars: Sequence[Bar], actions: Sequence[CorporateAction], stored: Mapping[date, StoredBar], around: Neighbourhood
) -> CheckedBars:
    """What each bar says by itself, and what its neighbours say of it; a bar without volume is only flagged."""
    odd: dict[Bar, str] = {}
    if len(stored.keys() | {bar.date for bar in bars}) >= ENOUGH_NEIGHBOURS:
        context = SeriesAround([stored[day].bar for day in sorted(stored)])
        doubts = check_series(bars, actions, context)
        odd = {found.bar: found.rule for found in doubts if found.bar is not None}
    checked = check_bars([bar for bar in bars if odd.get(bar, NO_VOLUME) == NO_VOLUME], around)
    for bar, rule in odd.items():
        if rule == NO_VOLUME:
            checked.flagged.setdefault(bar.date, rule)
        else:
            checked.findings.append(Finding(bar, rule))
    return checked


def _wanted_bars(bars: Sequence[Bar], item: FetchItem, calendar: SessionList) -> list[Bar]:
    """Bars of the item's dates; of later ones only those that cannot be: the running session's bar is no close yet."""
    newest = calendar.newest() or date.min
    return [
        bar
        for bar in bars
        if item.first <= bar.date <= item.last or (bar.date > newest and bar.date != calendar.running)
    ]


def _gaps(
    fetched: Fetched,
    history: DailyHistory,
    state: CompanyState,
    checked: CheckedBars,
    present: set[date],
    young_from: date,
    now: datetime,
) -> dict[date, tuple[str, int, datetime | None]]:
    """Wanted sessions that the answer lacks and that are too old to come late: (reason, times asked, when again)."""
    doubtful = {finding.bar.date for finding in checked.findings}
    begins = history.first_trade_date
    gaps: dict[date, tuple[str, int, datetime | None]] = {}
    for day in fetched.item.wanted:
        if day in present or day in doubtful or day >= young_from:
            continue
        count = state.gap_counts.get(day, 0) + 1
        if begins is not None and day < begins:
            gaps[day] = (f"before the first trade on {begins}", count, None)
        elif history.bars:
            # An answer with no bar at all says nothing about one session.
            gaps[day] = (f"{history.provider} has no bar for this session", count, next_ask_at(count, now=now))
    return gaps


def _coverage(
    state: CompanyState,
    calendar: SessionList,
    checked: CheckedBars,
    stored: dict[date, StoredBar],
    settled_to: date | None,
    gaps: dict[date, Any],
) -> tuple[date, date] | None:
    """The range that is complete after this answer, or None while there is none."""
    limit = settled_to or date.min
    settled = {day for day, is_settled in state.loose if is_settled}
    settled |= {bar.date for bar in checked.good if bar.date <= limit}
    settled |= {day for day, held in stored.items() if held.is_settled}
    settled |= state.gaps | state.due_gaps | gaps.keys()
    covered_from, start = state.covered_from, state.settled_until
    if covered_from is None or state.needed_from < covered_from:
        # Nothing is known to be complete, or older sessions are needed than before: count from the first one again.
        covered_from, start = state.needed_from, None
    until = settled_until(calendar, covered_from, settled, start=start)
    return None if until is None else (covered_from, until)


def _outcome(
    fetched: Fetched,
    checked: CheckedBars,
    merged: MergedBars,
    present: set[date],
    gaps: dict[date, tuple[str, int, datetime | None]],
) -> ItemOutcome:
    """How the company ended: what was wanted and can be had, how much of it is there, and what is in the way."""
    item = fetched.item
    unfillable = {day for day, (_, count, again) in gaps.items() if again is None or count > 1}
    expected = [day for day in item.wanted if day not in unfillable]
    missing = [day for day in expected if day not in present]
    findings = checked.findings
    written = len(merged.new) + len(merged.changed)
    outcome, error_kind, message = Outcome.UNCHANGED, None, item.note
    if findings:
        outcome, error_kind = Outcome.QUARANTINED, findings[0].rule
        message = _first_and_rest([finding.sentence for finding in findings])
    elif missing:
        outcome, error_kind = Outcome.MISSING, "missing"
        message = _first_and_rest([f"{day}: the provider has no bar yet" for day in missing])
    elif written:
        outcome = Outcome.STORED
    return ended(
        fetched,
        outcome,
        covered=len(expected) - len(missing),
        expected=len(expected),
        stored=len(merged.new),
        changed=len(merged.changed),
        quarantined=len(findings),
        settled=len(merged.confirmed),
        error_kind=error_kind,
        message=message,
    )


def _first_and_rest(sentences: Sequence[str]) -> str:
    return sentences[0] + (f" (and {len(sentences) - 1} more)" if len(sentences) > 1 else "")
