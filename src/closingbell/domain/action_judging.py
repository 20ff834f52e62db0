"""What an answer's rows mean beside what is kept already: new, the same, changed, moved, repeated or gone.

Absence is no cancellation, and a new number no correction until it is seen twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from closingbell.domain.action_facts import AMOUNT_HOLDS, Derived, Surroundings, derive
from closingbell.domain.action_repeats import Neighbours, better_rival, is_undecided, kept_instead
from closingbell.domain.action_rules import (
    DUPLICATE_DAYS,
    DatedRatio,
    Declared,
    Verdict,
    compare_refetch,
    is_same_amount,
)
from closingbell.domain.actions import AcceptedAction, AcceptedKind, Facts
from closingbell.domain.corporate_actions import ActionKind, CorporateAction

# A changed row counts when it is seen again so much later, with nothing else said in between.
CONFIRMED_AFTER = timedelta(hours=20)
VANISHED_ANSWERS = 3
VANISHED_AFTER = timedelta(days=5)

_GROUPS = {ActionKind.DIVIDEND: ("CASH", "SPECIAL"), ActionKind.CAPITAL_GAIN: ("GAIN",), ActionKind.SPLIT: ("SPLIT",)}
_TOLD_KINDS = frozenset({AcceptedKind.CASH, AcceptedKind.CAP_GAIN})


class RowVerdict(StrEnum):
    """What became of a provider's row."""

    ACCEPTED = "ACCEPTED"
    HELD = "HELD"
    NO_CHANGE = "NO_CHANGE"
    SPLIT_GLITCH = "SPLIT_GLITCH"
    CORRECTION_CANDIDATE = "CORRECTION_CANDIDATE"
    CORRECTED = "CORRECTED"
    CORRECTION_DOUBTFUL = "CORRECTION_DOUBTFUL"
    MOVE_CANDIDATE = "MOVE_CANDIDATE"
    MOVED = "MOVED"
    DUPLICATE = "DUPLICATE"
    WAITING = "WAITING"
    NOTHING = "NOTHING"
    # A person's facts, or another provider's that came first, stay.
    KEPT = "KEPT"


# What may still become something else: the next answers are compared with these.
OPEN_VERDICTS = frozenset(
    {
        RowVerdict.SPLIT_GLITCH,
        RowVerdict.CORRECTION_CANDIDATE,
        RowVerdict.CORRECTION_DOUBTFUL,
        RowVerdict.MOVE_CANDIDATE,
        RowVerdict.WAITING,
    }
)
# A row with one of these was what its action was made of.
SOURCES = frozenset({RowVerdict.ACCEPTED, RowVerdict.HELD, RowVerdict.CORRECTED, RowVerdict.MOVED})
# An action was made of a row with one of these, and nobody judged it again.
_FIRST_VERDICTS = frozenset({RowVerdict.ACCEPTED, RowVerdict.HELD})
# A row with one of these tells of another action than the one it is put beside.
_UNLINKED = frozenset({RowVerdict.DUPLICATE, RowVerdict.MOVE_CANDIDATE, RowVerdict.WAITING, RowVerdict.NOTHING})


@dataclass(frozen=True, slots=True)
class Print:
    """A row that was told before: what became of it, of which action, and since when it is told without a break."""

    id: int
    row: CorporateAction
    seq: int
    verdict: RowVerdict
    action_id: int | None
    streak_since: datetime
    last_seen_at: datetime
    seen_count: int = 1
    told_at: datetime | None = None
    first_seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer about one company, with all that it is judged by; ``first`` and ``last`` are the dates it covers."""

    rows: Sequence[CorporateAction]
    provider: str
    first: date
    last: date
    at: datetime
    around: Surroundings
    traded_between: Callable[[date, date], bool] = lambda _first, _last: False


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a company: its actions, who told of each, and the prints that were seen."""

    actions: Sequence[AcceptedAction]
    providers: Mapping[int, str] = field(default_factory=dict)
    prints: Sequence[Print] = ()
    missed: Mapping[int, tuple[int, datetime]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One row decided. ``facts`` are those of a new action, or the changed ones of ``action``; else None.

    ``hold`` is the code of a doubt; ``seq`` numbers rows of one kind and day.
    """

    row: CorporateAction
    seq: int
    verdict: RowVerdict
    action: AcceptedAction | None = None
    facts: Facts | None = None
    hold: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer decided: its rows, the actions that it should have told of and did not, and those it tells of again.

    ``is_telling``: it tells of others, so what is missing counts as missing; else it only makes one look further back.
    """

    judgements: list[Judgement]
    missing: list[AcceptedAction]
    is_telling: bool
    seen_again: list[AcceptedAction]


def judge(answer: Answer, kept: Kept) -> Judged:
    """Decide what each row of an answer is; ``kept`` holds what is known around the answer's dates."""
    numbered = number_rows(answer.rows)
    matched = {index: action for index, (seq, row) in enumerate(numbered) if (action := _match(row, seq, kept))}
    taken = {action.id for action in matched.values()}
    absent = [action for action in kept.actions if action.id not in taken and _should_be_told(action, answer, kept)]
    moved: set[int] = set()
    rivals = [row for index, (_, row) in enumerate(numbered) if index not in matched]
    near = Neighbours(answer.rows, rivals, kept.actions, answer.around.prices, answer.traded_between)
    judgements: list[Judgement] = []
    for index, (seq, row) in enumerate(numbered):
        action = matched.get(index)
        if action is not None:
            judgements.append(_judge_again(row, seq, action, answer, kept))
            continue
        origin = _origin(row, absent, moved)
        if origin is not None:
            moved.add(origin.id)
            judgements.append(_judge_move(row, seq, origin, answer, kept))
        else:
            judgements.append(_judge_new(row, seq, answer, near))
    missing = [action for action in absent if action.id not in moved]
    seen_again = [action for action in matched.values() if action.id in kept.missed]
    return Judged(judgements, missing, bool(answer.rows), seen_again)


def has_vanished(action: AcceptedAction, missed_count: int, missed_since: datetime, *, at: datetime) -> bool:
    """Whether an action is missing for so long that a person should know; counted with this answer."""
    is_known = action.is_held or action.is_cancelled
    return not is_known and missed_count >= VANISHED_ANSWERS and at - missed_since >= VANISHED_AFTER


def number_rows(rows: Sequence[CorporateAction]) -> list[tuple[int, CorporateAction]]:
    """Each row with its number among those of one kind, day and currency."""
    seen: dict[tuple[object, ...], int] = {}
    numbered = []
    for row in rows:
        key = (row.kind, row.ex_date, row.currency)
        numbered.append((seen.get(key, 0), row))
        seen[key] = seen.get(key, 0) + 1
    return numbered


def _match(row: CorporateAction, seq: int, kept: Kept) -> AcceptedAction | None:
    """The action that a row tells of: the one it was linked with before, or the one of its day."""
    by_id = {action.id: action for action in kept.actions}
    for known in kept.prints:
        is_its_day = _identity(known.row, known.seq) == _identity(row, seq)
        action = by_id.get(known.action_id or 0)
        if not is_its_day or action is None or known.verdict in _UNLINKED:
            continue
        # A day that a person gave stays; one that the provider moved is not where it was.
        if action.is_user_entered or action.ex_date == row.ex_date:
            return action
    return _match_by_day(row, seq, kept.actions)


def _match_by_day(row: CorporateAction, seq: int, actions: Sequence[AcceptedAction]) -> AcceptedAction | None:
    groups = _GROUPS[row.kind]
    of_day = {
        action.facts.group: action
        for action in actions
        if (action.ex_date, action.facts.currency, action.seq) == (row.ex_date, row.currency, seq)
    }
    regular, special = of_day.get(groups[0]), of_day.get(groups[-1])
    if regular is not None or special is None:
        return regular
    # A special dividend is not the regular one of its day.
    amount = special.facts.amount
    is_alike = amount is not None and row.amount is not None and is_same_amount(amount, row.amount)
    return special if is_alike else None


def _identity(row: CorporateAction, seq: int) -> tuple[object, ...]:
    return row.kind, row.ex_date, row.currency, seq


def _should_be_told(action: AcceptedAction, answer: Answer, kept: Kept) -> bool:
    """Whether the answer, if it were whole, would tell of an action."""
    is_of_provider = kept.providers.get(action.id) == answer.provider and not action.is_user_entered
    return is_of_provider and not action.is_cancelled and answer.first <= action.ex_date <= answer.last


def _judge_again(row: CorporateAction, seq: int, action: AcceptedAction, answer: Answer, kept: Kept) -> Judgement:
    """A row of an action that is kept already."""
    if is_judged_before_its_split(row, seq, action, answer.rows, kept):
        judgement = _judge_with_split(row, seq, action, answer, kept)
        if judgement is not None:
            return judgement
    if row.kind is ActionKind.SPLIT:
        ratio = Fraction(row.numerator or 1, row.denominator or 1)
        verdict = Verdict.NO_CHANGE if ratio == action.facts.ratio else Verdict.CORRECTION_CANDIDATE
    else:
        verdict = _compare(row, action, answer, kept)
    if verdict is Verdict.NO_CHANGE:
        return Judgement(row, seq, RowVerdict.NO_CHANGE, action)
    told_by = kept.providers.get(action.id, answer.provider)
    is_decided = action.is_user_entered or action.is_cancelled or told_by != answer.provider
    if is_decided or _is_ignored(row, seq, action, kept):
        return Judgement(row, seq, RowVerdict.KEPT, action, note="what is kept was decided otherwise")
    if verdict is Verdict.SPLIT_GLITCH:
        note = "a known split's ratio away from what was declared: asked again"
        return Judgement(row, seq, RowVerdict.SPLIT_GLITCH, action, note=note)
    if not _is_confirmed(row, seq, action, answer, kept):
        note = "told differently: counts when it is told again a day later"
        return Judgement(row, seq, RowVerdict.CORRECTION_CANDIDATE, action, note=note)
    return _correct(row, seq, action, answer)


def is_judged_before_its_split(
    row: CorporateAction, seq: int, action: AcceptedAction, rows: Sequence[CorporateAction], kept: Kept
) -> bool:
    """Whether a dividend was taken as it is printed before anybody told of a split on its ex-date."""
    before = print_of(row, seq, kept)
    if row.kind is not ActionKind.DIVIDEND or before is None or before.verdict not in _FIRST_VERDICTS:
        return False
    if before.action_id != action.id or action.facts.amount != row.amount:
        return False
    since = [one.first_seen_at for one in kept.prints if _is_split_on(one.row, row.ex_date)]
    if not since:
        return any(_is_split_on(one, row.ex_date) for one in rows)
    first = before.first_seen_at
    return first is not None and all(seen is not None and seen > first for seen in since)


def _is_split_on(row: CorporateAction, day: date) -> bool:
    return row.kind is ActionKind.SPLIT and row.ex_date == day


def _judge_with_split(
    row: CorporateAction, seq: int, action: AcceptedAction, answer: Answer, kept: Kept
) -> Judgement | None:
    """A dividend decided anew as if its day's split had been told with it; None where it stays as it is for now."""
    is_others = kept.providers.get(action.id, answer.provider) != answer.provider
    if action.is_user_entered or action.is_cancelled or is_others:
        return None
    if answer.around.prices.splits.get(row.ex_date, Fraction(1)) == 1:
        return None
    derived = derive(row, answer.around, pay_date=action.facts.pay_date)
    if derived.is_waiting or derived.is_nothing:
        return None
    # What the rule for the amount does not decide, a split does not settle either.
    hold = derived.hold or (None if action.held_code in AMOUNT_HOLDS else action.held_code)
    note = derived.note or "a split has the same ex-date, and was told later"
    return Judgement(row, seq, RowVerdict.CORRECTED, action, _changed(action.facts, derived), hold, note)


def _compare(row: CorporateAction, action: AcceptedAction, answer: Answer, kept: Kept) -> Verdict:
    """Compared with what was recovered from the print that was accepted; rules may have made something else of it."""
    amount = row.amount or Decimal(0)
    if amount == action.facts.amount:
        return Verdict.NO_CHANGE
    printed = Decimal(row.printed) if row.printed else amount
    factor = Fraction(amount) / Fraction(printed) if printed else Fraction(1)
    again = Declared(amount, factor, is_snapped=False, is_unsnapped=False)
    known = [DatedRatio(day, ratio) for day, ratio in answer.around.prices.splits.items()]
    accepted = [one.row.amount for one in kept.prints if one.action_id == action.id and one.verdict in SOURCES]
    stored = [one for one in (*accepted[-1:], action.facts.amount) if one is not None]
    verdicts = [compare_refetch(one, again, known) for one in stored] or [Verdict.CORRECTION_CANDIDATE]
    return Verdict.NO_CHANGE if Verdict.NO_CHANGE in verdicts else verdicts[0]


def _correct(row: CorporateAction, seq: int, action: AcceptedAction, answer: Answer) -> Judgement:
    """A confirmed correction; one that is doubtful itself changes nothing."""
    derived = derive(row, answer.around, pay_date=action.facts.pay_date)
    if derived.is_waiting:
        return Judgement(row, seq, RowVerdict.CORRECTION_CANDIDATE, action, note="waits for the close")
    if derived.hold is not None or derived.is_nothing:
        return Judgement(row, seq, RowVerdict.CORRECTION_DOUBTFUL, action, hold=derived.hold)
    facts = _changed(action.facts, derived)
    return Judgement(row, seq, RowVerdict.CORRECTED, action, facts, note=derived.note)


def _changed(facts: Facts, derived: Derived) -> Facts:
    """The facts of an action with what a row tells of it; dates and what a person added stay."""
    new = derived.facts
    kind = facts.kind if new.kind in _TOLD_KINDS else new.kind
    return _with(facts, kind=kind, amount=new.amount, numerator=new.numerator, denominator=new.denominator)


def _with(facts: Facts, **changes: object) -> Facts:
    return replace(facts, **changes)  # type: ignore[arg-type]


def _is_confirmed(row: CorporateAction, seq: int, action: AcceptedAction, answer: Answer, kept: Kept) -> bool:
    """Whether the same was told long enough ago, and nothing else of this action since."""
    before = print_of(row, seq, kept)
    if before is None or before.verdict not in OPEN_VERDICTS or before.action_id != action.id:
        return False
    others = [one.last_seen_at for one in kept.prints if one.action_id == action.id and one.id != before.id]
    is_unbroken = all(seen <= before.last_seen_at for seen in others)
    return is_unbroken and answer.at - before.streak_since >= CONFIRMED_AFTER


def _is_ignored(row: CorporateAction, seq: int, action: AcceptedAction, kept: Kept) -> bool:
    """Whether a person said of this very print that it changes nothing."""
    before = print_of(row, seq, kept)
    return before is not None and before.verdict is RowVerdict.KEPT and before.action_id == action.id


def print_of(row: CorporateAction, seq: int, kept: Kept) -> Print | None:
    """The same print as it was seen before."""
    wanted = (*_identity(row, seq), row.printed)
    return next((one for one in kept.prints if (*_identity(one.row, one.seq), one.row.printed) == wanted), None)


def _origin(row: CorporateAction, absent: Sequence[AcceptedAction], moved: set[int]) -> AcceptedAction | None:
    """The action that seems to have moved to a row's day: it is gone from its own."""
    for action in absent:
        amount = action.facts.amount
        is_near = abs((action.ex_date - row.ex_date).days) <= DUPLICATE_DAYS
        is_alike = action.facts.group in _GROUPS[row.kind] and action.facts.currency == row.currency
        if action.id in moved or not is_near or not is_alike:
            continue
        if row.kind is ActionKind.SPLIT:
            if action.facts.ratio == row.ratio:
                return action
        elif amount is not None and row.amount is not None and is_same_amount(amount, row.amount):
            return action
    return None


def _judge_move(row: CorporateAction, seq: int, action: AcceptedAction, answer: Answer, kept: Kept) -> Judgement:
    if _is_ignored(row, seq, action, kept):
        return Judgement(row, seq, RowVerdict.KEPT, action, note="what is kept was decided otherwise")
    if not _is_confirmed(row, seq, action, answer, kept):
        note = f"seems to be the one of {action.ex_date}: moves it when it is told again a day later"
        return Judgement(row, seq, RowVerdict.MOVE_CANDIDATE, action, note=note)
    derived = derive(row, answer.around, pay_date=action.facts.pay_date)
    if derived.is_waiting:
        return Judgement(row, seq, RowVerdict.MOVE_CANDIDATE, action, note="waits for the close")
    if derived.hold is not None or derived.is_nothing:
        return Judgement(row, seq, RowVerdict.CORRECTION_DOUBTFUL, action, hold=derived.hold)
    facts = _with(_changed(action.facts, derived), ex_date=row.ex_date)
    return Judgement(row, seq, RowVerdict.MOVED, action, facts, note=f"moved from {action.ex_date}")


def _judge_new(row: CorporateAction, seq: int, answer: Answer, near: Neighbours) -> Judgement:
    """A row that tells of nothing kept: a repeat of a neighbour, or a new action."""
    is_dividend = row.kind is ActionKind.DIVIDEND
    if is_dividend and (kept := kept_instead(row, near)) is not None:
        note = f"nearly the one of {kept.ex_date}, which is kept"
        return Judgement(row, seq, RowVerdict.DUPLICATE, kept, note=note)
    if is_dividend and (other := better_rival(row, seq, near)) is not None:
        return Judgement(row, seq, RowVerdict.DUPLICATE, note=f"nearly the one of {other.ex_date}, which is kept")
    derived = derive(row, answer.around)
    if derived.is_waiting:
        return Judgement(row, seq, RowVerdict.WAITING, note="the rule needs the close of the ex-date")
    if derived.is_nothing:
        return Judgement(row, seq, RowVerdict.NOTHING, note=derived.note)
    hold = derived.hold or ("SECOND_ON_DAY" if seq and is_dividend else None)
    if hold is None and is_dividend and is_undecided(row, near):
        hold = "DUPLICATE"
    verdict = RowVerdict.HELD if hold else RowVerdict.ACCEPTED
    return Judgement(row, seq, verdict, facts=derived.facts, hold=hold, note=derived.note)
