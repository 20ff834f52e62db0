"""What a person decides on corporate actions, and enters where no provider knows; every step is a version."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import partial
from typing import Any

from sqlalchemy import Connection

from closingbell import calendars
from closingbell.domain.action_checks import problems_of
from closingbell.domain.action_judging import Print, RowVerdict
from closingbell.domain.action_words import in_words, why_held
from closingbell.domain.actions import PAYING, AcceptedAction, AcceptedKind, Facts, PayDateStatus
from closingbell.domain.orders import SYMBOL
from closingbell.domain.settlement import US_MARKETS, cycles_of, derive_ex_date, is_us_bank_holiday
from closingbell.errors import UsageError
from closingbell.jobs.context import JobContext
from closingbell.jobs.market_time import load_session_list
from closingbell.stores import action_rows, actions, companies, orders
from closingbell.stores.actions import Change, NewAction
from closingbell.stores.companies import CompanyFacts
from closingbell.usecases.audited import write_down
from closingbell.usecases.reasons import By, checked_name, checked_reason

PERSON = "person"
_TOLD_OTHERWISE = (RowVerdict.CORRECTION_CANDIDATE, RowVerdict.CORRECTION_DOUBTFUL, RowVerdict.MOVE_CANDIDATE)
# The longest settlement cycle with the longest holidays inside it.
_BEFORE_RECORD = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class TypedAction:
    """An action as a person enters it; without an ex-date it follows from the record date.

    ``seq`` is the number among those of its kind and day that was promised before; None takes the next one.
    """

    symbol: str
    kind: AcceptedKind
    ex_date: date | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    is_second: bool = False
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Dated:
    """An ex-date that follows from a record date, and the sessions around it."""

    ex_date: date
    sessions: Sequence[date]


def apply_action(context: JobContext, action_id: int, *, by: By, why: str, told: bool = False) -> AcceptedAction:
    """Let an action count that is held; with ``told``, as the provider tells it now instead of as it is kept.

    Raise UsageError when nothing waits, or when facts are missing.
    """
    what = "take-over" if told else "apply"
    return _decide(context, action_id, partial(_applied, told=told), what, f"applied: {why}", by=by, why_given=why)


def ignore_action(context: JobContext, action_id: int, *, by: By, why: str) -> AcceptedAction:
    """Leave an action out that is held, or leave it as it is where a provider tells it differently."""
    return _decide(context, action_id, _ignored, "ignore", f"ignored: {why}", by=by, why_given=why)


def cancel_action(context: JobContext, action_id: int, *, by: By, why: str) -> AcceptedAction:
    """Take an action back: the company cancelled it, or it never was one."""

    def cancelled(_connection: Connection, action: AcceptedAction) -> AcceptedAction:
        if action.is_cancelled:
            raise UsageError(f"{action.id} is cancelled already")
        return replace(action, is_cancelled=True)

    return _decide(context, action_id, cancelled, "cancel", f"cancelled: {why}", by=by, why_given=why)


def reinstate_action(context: JobContext, action_id: int, *, by: By, why: str) -> AcceptedAction:
    """Let a cancelled or ignored action count again."""

    def reinstated(_connection: Connection, action: AcceptedAction) -> AcceptedAction:
        if not action.is_cancelled:
            raise UsageError(f"{action.id} is not cancelled")
        return replace(action, is_cancelled=False)

    return _decide(context, action_id, reinstated, "reinstate", f"reinstated: {why}", by=by, why_given=why)


def edit_action(
    context: JobContext, action_id: int, changes: Mapping[str, Any], *, by: By, why: str, version: int | None = None
) -> AcceptedAction:
    """Change facts of an action; from then on no provider changes them. A hold stays until it is applied.

    With ``version``, only while that is the newest one.
    """
    if not changes:
        raise UsageError("say what is to be changed; closingbell actions edit --help lists it")
    told = ex_date_asked_for(context, action_id, changes)
    decide = partial(edited, changes=changes, told=told, version=version)
    return _decide(context, action_id, decide, "edit", f"edited: {why}", by=by, why_given=why)


def edited(
    connection: Connection,
    action: AcceptedAction,
    *,
    changes: Mapping[str, Any],
    told: Dated | None,
    version: int | None = None,
) -> AcceptedAction:
    """The action with changed facts; raise UsageError where that cannot be."""
    if version is not None and version != action.version:
        raise UsageError(f"{action.id} was changed by somebody else meanwhile; look again")
    facts = with_changes(action.facts, changes)
    if facts.kind is not AcceptedKind.SPIN_OFF and not changes.get("child_symbol"):
        # It turned out to be something else.
        facts = replace(facts, child_symbol=None, parent_basis_pct=None)
    if facts == action.facts:
        raise UsageError(f"{action.id} is like that already")
    after = replace(action, facts=facts, is_user_entered=True)
    if told is not None:
        after = _dated(connection, after, told)
    _require_sound(after.facts, after.is_held)
    _require_own_ratio(connection, after)
    _require_free(connection, action, after.facts)
    return after


def ex_date_asked_for(context: JobContext, action_id: int, changes: Mapping[str, Any]) -> Dated | None:
    """The ex-date that a record date asks for, and the sessions around it; None where none was given alone."""
    record_date: date | None = changes.get("record_date")
    if record_date is None or "ex_date" in changes:
        return None
    now = context.clock.now()
    with context.database.read() as connection:
        action = actions.load_action(connection, action_id)
        company = companies.load_by_id(connection, [action.company_id])[0] if action is not None else None
    if company is None:
        return None
    sessions = load_session_list(context, company.mic, record_date - _BEFORE_RECORD, now=now).dates
    return Dated(_ex_date(context, company, record_date, now), sessions)


def _dated(connection: Connection, action: AcceptedAction, told: Dated) -> AcceptedAction:
    """The action with the ex-date of its record date, where they differ by one session; held where that matters."""
    first, last = sorted((action.ex_date, told.ex_date))
    between = [day for day in told.sessions if first <= day < last]
    if len(between) != 1:
        return action
    if orders.has_trades(connection, action.company_id, first=first, before=last):
        sentence = why_held("EX_DATE_DOUBTFUL")
        return replace(action, is_held=True, held_code="EX_DATE_DOUBTFUL", held_reason=sentence)
    return replace(action, facts=replace(action.facts, ex_date=told.ex_date))


def add_action(context: JobContext, typed: TypedAction, *, by: By, why: str) -> AcceptedAction:
    """Enter an action that no provider tells of; raise UsageError when it cannot be, or is kept already."""
    reason, actor = checked_reason(why), checked_name(by)
    company, facts = read_typed(context, typed)
    change = Change(PERSON, actor, f"entered: {reason}", context.clock.now())

    def unit(connection: Connection) -> AcceptedAction:
        made = _add(connection, company, facts, typed, change)
        write_down(context, connection, by, "enter corporate action", *_told(made, company.symbol, why))
        return made

    return context.database.write_unit(unit)


def read_typed(context: JobContext, typed: TypedAction) -> tuple[CompanyFacts, Facts]:
    """Whose action it is, and what would be kept of it; raise UsageError where that makes no sense."""
    company = None
    if SYMBOL.fullmatch(typed.symbol):
        with context.database.read() as connection:
            company = companies.load_by_symbol(connection, [typed.symbol]).get(typed.symbol)
    if company is None:
        raise UsageError(f"{typed.symbol}: no company of that symbol is known here")
    ex_date = typed.ex_date or _ex_date(context, company, typed.facts.get("record_date"), context.clock.now())
    money = company.currency or "" if typed.kind in PAYING else ""
    facts = with_changes(Facts(kind=typed.kind, ex_date=ex_date, currency=money), typed.facts)
    _require_sound(facts, is_held=False)
    return company, facts


def _ex_date(context: JobContext, company: CompanyFacts, record_date: date | None, now: datetime) -> date:
    """The ex-date that follows from a record date by the market's settlement cycle."""
    if record_date is None:
        raise UsageError("give the ex-date (--ex-date), or the record date (--record-date) from which it follows")
    known = load_session_list(context, company.mic, record_date - _BEFORE_RECORD, now=now)
    sessions = set(known.dates)
    latest = max(sessions, default=record_date)

    def is_session(day: date) -> bool:
        # Past what is written down: no weekends.
        return day in sessions if day <= latest else day.weekday() < 5

    is_bank_holiday = is_us_bank_holiday if company.mic in US_MARKETS else lambda _day: False
    return derive_ex_date(record_date, cycles_of(company.mic), is_session=is_session, is_bank_holiday=is_bank_holiday)


def _add(
    connection: Connection, company: CompanyFacts, facts: Facts, typed: TypedAction, change: Change
) -> AcceptedAction:
    seq = next_seq(connection, company, facts, typed)
    _require_child(connection, company.id, facts, change.at)
    return actions.store_new(connection, NewAction(company.id, facts, change, seq=seq, is_user_entered=True))


def next_seq(connection: Connection, company: CompanyFacts, facts: Facts, typed: TypedAction) -> int:
    """The number of a new action among those of its kind, day and currency.

    Raise UsageError where there is one and no second is meant, or where the number is not the promised one any more.
    """
    there = [
        action
        for action in actions.load_actions(connection, [company.id], first=facts.ex_date, last=facts.ex_date).get(
            company.id, []
        )
        if (action.facts.group, action.facts.currency) == (facts.group, facts.currency)
    ]
    if there and not typed.is_second:
        first = there[0]
        raise UsageError(
            f"{company.symbol} has a {in_words(first.facts)} on {first.ex_date} already (number {first.id}); "
            "edit it, or say that this is another one of the same day (--second)"
        )
    seq = max((action.seq for action in there), default=-1) + 1
    if typed.seq not in (None, seq):
        raise UsageError(f"another one of {facts.ex_date} was entered meanwhile; look again")
    return seq


def _decide(
    context: JobContext,
    action_id: int,
    decide: Callable[[Connection, AcceptedAction], AcceptedAction],
    what: str,
    why: str,
    *,
    by: By,
    why_given: str,
) -> AcceptedAction:
    """Write what somebody decides on one action as its next version."""
    checked_reason(why_given)
    now = context.clock.now()
    change = Change(PERSON, checked_name(by), " ".join(why.split()), now)

    def unit(connection: Connection) -> AcceptedAction:
        action = actions.require_action(connection, action_id)
        after = decide(connection, action)
        _require_child(connection, action.company_id, after.facts, now)
        written = actions.store_change(connection, action, after, change)
        if written is None:
            raise UsageError(f"{action_id} was changed by somebody else just now; look again")
        [company] = companies.load_by_id(connection, [action.company_id])
        told = (f"{action_id} {company.symbol}", why_given)
        if what == "edit":
            told = _told(written, company.symbol, why_given)
        write_down(context, connection, by, f"{what} corporate action", *told)
        return written

    return context.database.write_unit(unit)


def _told(action: AcceptedAction, symbol: str, why: str) -> tuple[str, str]:
    """Which action it is, and its facts as they are now, for the audit log."""
    return f"{action.id} {symbol}", f"{in_words(action.facts)}, ex {action.ex_date}: {why}"


def _applied(connection: Connection, action: AcceptedAction, *, told: bool) -> AcceptedAction:
    if action.is_cancelled:
        raise UsageError(f"{action.id} is cancelled; to let it count again: closingbell actions reinstate {action.id}")
    facts = action.facts
    if told:
        told_otherwise = _told_otherwise(connection, action)
        if not told_otherwise:
            raise UsageError(f"{action.id} is not told differently from what is kept")
        newest = told_otherwise[-1]
        facts = _facts_of_print(facts, newest)
        action_rows.store_verdict(connection, newest.id, RowVerdict.CORRECTED)
    elif not action.is_held:
        raise UsageError(f"{action.id} does not wait for a decision" + _hint(connection, action))
    _require_sound(facts, is_held=False)
    applied = replace(action, facts=facts, is_held=False, held_code=None, held_reason=None)
    _require_own_ratio(connection, applied)
    _require_free(connection, action, facts)
    return applied


def _ignored(connection: Connection, action: AcceptedAction) -> AcceptedAction:
    if action.is_cancelled:
        raise UsageError(f"{action.id} is left out already")
    told_otherwise = _told_otherwise(connection, action)
    if not action.is_held:
        if not told_otherwise:
            raise UsageError(f"{action.id} does not wait for a decision; to take it back: closingbell actions cancel")
        for one in told_otherwise:
            action_rows.store_verdict(connection, one.id, RowVerdict.KEPT)
        return action
    return replace(action, is_cancelled=True)


def _told_otherwise(connection: Connection, action: AcceptedAction) -> list[Print]:
    """Prints that say something else of an action, the newest last."""
    prints = action_rows.load_of_action(connection, action.id)
    return [one for one in prints if one.verdict in _TOLD_OTHERWISE]


def _hint(connection: Connection, action: AcceptedAction) -> str:
    if _told_otherwise(connection, action):
        return "; to take over what the provider tells now, add --told"
    return ""


def _facts_of_print(facts: Facts, one: Print) -> Facts:
    row = one.row
    if row.amount is None:
        return replace(facts, ex_date=row.ex_date, numerator=row.numerator, denominator=row.denominator)
    return replace(facts, ex_date=row.ex_date, amount=row.amount)


def with_changes(facts: Facts, changes: Mapping[str, Any]) -> Facts:
    """Facts with what a person says; a pay date of theirs is confirmed."""
    changed = replace(facts, **changes)
    if "pay_date" in changes:
        status = PayDateStatus.UNKNOWN if changed.pay_date is None else PayDateStatus.CONFIRMED
        changed = replace(changed, pay_date_status=changes.get("pay_date_status", status))
    return changed


def _require_sound(facts: Facts, is_held: bool) -> None:
    """What counts must make sense; what is held may still lack something."""
    problems = [] if is_held else problems_of(facts)
    if problems:
        raise UsageError("; ".join(problems))


def _require_own_ratio(connection: Connection, action: AcceptedAction) -> None:
    """What a provider prints of a spin-off is by how much the price fell, and not how many shares of the child came."""
    if action.kind is not AcceptedKind.SPIN_OFF or action.is_held:
        return
    for one in action_rows.load_of_action(connection, action.id):
        printed = one.row
        if printed.numerator and Fraction(printed.numerator, printed.denominator or 1) == action.facts.ratio:
            raise UsageError(
                f"{printed.printed} is by how much prices were restated, and not how many shares of "
                f"{action.facts.child_symbol} came for each share; say that: closingbell actions edit {action.id} "
                "--ratio NEW:OLD"
            )


def _require_free(connection: Connection, action: AcceptedAction, facts: Facts) -> None:
    """Another action of the same group, day, currency and number may not be there."""
    there = actions.load_actions(connection, [action.company_id], first=facts.ex_date, last=facts.ex_date)
    for other in there.get(action.company_id, []):
        identity = (other.facts.group, other.facts.currency, other.seq)
        if other.id != action.id and identity == (facts.group, facts.currency, action.seq):
            raise UsageError(
                f"number {other.id} is a {in_words(other.facts)} of {facts.ex_date} already; "
                f"cancel or edit that one first"
            )


def _require_child(connection: Connection, company_id: int, facts: Facts, now: datetime) -> None:
    """The company that is spun off must be known, to be held, and another one."""
    if facts.kind is AcceptedKind.SPIN_OFF and facts.child_symbol:
        mic = calendars.mic_of(facts.child_symbol)
        found = companies.load_by_symbol(connection, [facts.child_symbol]).get(facts.child_symbol)
        if found is None:
            companies.store_new(connection, [(facts.child_symbol, mic)], now=now)
        elif found.id == company_id:
            raise UsageError(f"{facts.child_symbol} cannot spin itself off: --child names the new company")
