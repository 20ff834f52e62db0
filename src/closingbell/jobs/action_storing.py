"""From what answers tell of companies' actions to actions that count, or wait for a person; one transaction's part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from fractions import Fraction

from sqlalchemy import Connection

from closingbell.domain.action_facts import PriceLine, Surroundings
from closingbell.domain.action_judging import (
    OPEN_VERDICTS,
    SOURCES,
    Answer,
    Judged,
    Judgement,
    Kept,
    RowVerdict,
    has_vanished,
    is_judged_before_its_split,
    judge,
    number_rows,
    print_of,
)
from closingbell.domain.action_words import Told, told_of_doubt, told_of_glitch, told_of_held, why_held
from closingbell.domain.actions import AcceptedAction, AcceptedKind
from closingbell.domain.bars import Bar
from closingbell.domain.corporate_actions import ActionKind, CorporateAction, splits_of
from closingbell.domain.series_dividends import PricedLine, check_payouts, payouts_of
from closingbell.domain.settlement import US_MARKETS
from closingbell.stores import action_rows, actions, companies, incidents, orders, prices
from closingbell.stores.actions import Change, NewAction

# How long before an answer's range actions and prints still matter: trailing dividends, moved and repeated rows.
_BEFORE = timedelta(days=750)
_PRICES_BEFORE = timedelta(days=10)
# Few answers reach further back than this: their companies are read by themselves.
_LONG = timedelta(days=60)
# A print that says what it said is written down again after so long.
_SEEN_EVERY = timedelta(hours=20)
_GLITCH_TOLD_AFTER = timedelta(days=5)
_TOLD_KINDS = {AcceptedKind.CASH: ActionKind.DIVIDEND, AcceptedKind.CAP_GAIN: ActionKind.CAPITAL_GAIN}


@dataclass(frozen=True, slots=True)
class ToldActions:
    """What one answer tells of a company; it covers ``first`` to ``last``, and ``newest`` is the last closed session.

    ``bars`` are the answer's good ones, ascending.
    """

    company_id: int
    mic: str
    provider: str
    currency: str
    rows: Sequence[CorporateAction]
    first: date
    last: date
    newest: date
    bars: Sequence[Bar]


@dataclass(slots=True)
class _Writing:
    """Everything that follows from the answers of one transaction."""

    new: list[tuple[ToldActions, Judgement, NewAction]] = field(default_factory=list)
    prints: list[dict[str, object]] = field(default_factory=list)
    missed: dict[int, tuple[int, datetime | None]] = field(default_factory=dict)
    held: list[tuple[int, AcceptedAction]] = field(default_factory=list)
    glitches: list[tuple[int, AcceptedAction]] = field(default_factory=list)
    doubts: list[tuple[int, AcceptedAction, str]] = field(default_factory=list)
    counts: Counter[RowVerdict] = field(default_factory=Counter)


def store_told(connection: Connection, told: Sequence[ToldActions], *, at: datetime) -> Counter[RowVerdict]:
    """Judge and store what answers tell; return how many rows got each verdict. Safe to repeat."""
    writing = _Writing()
    for provider in sorted({one.provider for one in told}):
        of_provider = [one for one in told if one.provider == provider]
        kept = _load_kept(connection, of_provider)
        splits = actions.load_price_splits(connection, [one.company_id for one in of_provider if one.rows])
        for one in of_provider:
            of_company = kept.get(one.company_id)
            if one.rows or (of_company and of_company.actions):
                _judge(connection, one, of_company or Kept(()), splits.get(one.company_id, {}), writing, at=at)
    _write(connection, writing, at=at)
    return writing.counts


def _load_kept(connection: Connection, told: Sequence[ToldActions]) -> dict[int, Kept]:
    """What is kept of the companies that tell something, or should."""
    long = [one for one in told if one.newest - one.first > _LONG]
    short = [one for one in told if one.newest - one.first <= _LONG]
    return _load_kept_alike(connection, long) | _load_kept_alike(connection, short)


def _load_kept_alike(connection: Connection, told: Sequence[ToldActions]) -> dict[int, Kept]:
    ids = [one.company_id for one in told]
    if not ids:
        return {}
    first = min(one.first for one in told) - _BEFORE
    found = actions.load_actions(connection, ids, first=first)
    prints = action_rows.load_prints(connection, ids, provider=told[0].provider, first=first)
    if not found and not prints:
        return {}
    providers = action_rows.load_providers(connection, list(found), first=first)
    missed = action_rows.load_missed(connection, list(found))
    return {
        company_id: Kept(found.get(company_id, []), providers, prints.get(company_id, []), missed)
        for company_id in found.keys() | prints.keys()
    }


def _judge(
    connection: Connection,
    told: ToldActions,
    kept: Kept,
    splits: Mapping[date, Fraction],
    writing: _Writing,
    *,
    at: datetime,
) -> None:
    """Judge one answer and note what is to be written."""
    around = _surroundings(connection, told, kept, dict(splits) | splits_of(told.rows))
    answer = Answer(
        told.rows,
        told.provider,
        told.first,
        told.last,
        at,
        around,
        lambda first, before: orders.has_trades(connection, told.company_id, first=first, before=before),
    )
    judged = judge(answer, kept)
    for judgement in judged.judgements:
        writing.counts[judgement.verdict] += 1
        _note(connection, told, judgement, kept, writing, at=at)
    _note_missing(connection, told, judged, kept, writing, at=at)


def _surroundings(
    connection: Connection, told: ToldActions, kept: Kept, splits: Mapping[date, Fraction]
) -> Surroundings:
    """What a row is judged by; prices are read only where a row is new or told differently."""
    unknown = _unknown(told, kept)
    bars = _bars(connection, told, unknown) if unknown else []
    prices = PriceLine(bars, told.newest, splits, told.currency)
    doubts = _doubts(told, kept, bars, splits) if unknown else {}
    return Surroundings(prices, told.rows, kept.actions, told.mic in US_MARKETS, doubts)


def _unknown(told: ToldActions, kept: Kept) -> list[CorporateAction]:
    """Dividends that are not already kept with the same amount, or were before a split of their day was told."""
    known = {(action.ex_date, action.facts.currency, action.facts.amount): action for action in kept.actions}
    unknown = []
    for seq, row in number_rows(told.rows):
        action = known.get((row.ex_date, row.currency, row.amount))
        is_new = action is None or is_judged_before_its_split(row, seq, action, told.rows, kept)
        if row.kind is ActionKind.DIVIDEND and is_new:
            unknown.append(row)
    return unknown


def _bars(connection: Connection, told: ToldActions, rows: Sequence[CorporateAction]) -> list[Bar]:
    """Bars around these rows: the answer's, and what is stored before them."""
    first = min(row.ex_date for row in rows) - _PRICES_BEFORE
    until = told.bars[0].date - timedelta(days=1) if told.bars else told.newest
    before = prices.load_closed_bars(connection, told.company_id, first=first, last=until) if first <= until else []
    return [*before, *told.bars]


def _doubts(
    told: ToldActions, kept: Kept, bars: Sequence[Bar], splits: Mapping[date, Fraction]
) -> dict[tuple[ActionKind, date], str]:
    """What the checks over a whole series say of the answer's dividends."""
    known = [
        CorporateAction(kind, a.ex_date, a.facts.amount, a.facts.currency, None, None, "")
        for a in kept.actions
        if (kind := _TOLD_KINDS.get(a.kind)) is not None and not a.is_held and not a.is_cancelled
    ]
    payouts = [row for row in told.rows if row.currency == told.currency]
    line = PricedLine(bars, [1.0] * len(bars))
    found = check_payouts(payouts_of(payouts, known), line, splits)
    return {(row.kind, row.ex_date): rule for rule, row in found}


def _note(
    connection: Connection, told: ToldActions, judgement: Judgement, kept: Kept, writing: _Writing, *, at: datetime
) -> None:
    """What one decided row changes."""
    action = judgement.action
    if judgement.verdict in {RowVerdict.ACCEPTED, RowVerdict.HELD}:
        assert judgement.facts is not None
        hold = None if judgement.hold is None else (judgement.hold, why_held(judgement.hold))
        change = Change(told.provider, told.provider, judgement.note or "first told", at)
        new = NewAction(told.company_id, judgement.facts, change, hold, judgement.seq, judgement.row.printed)
        # Its print is written once its number is known.
        writing.new.append((told, judgement, new))
        return
    if judgement.verdict in {RowVerdict.CORRECTED, RowVerdict.MOVED}:
        assert action is not None and judgement.facts is not None
        _change(connection, told, action, judgement, writing, at=at)
    before = print_of(judgement.row, judgement.seq, kept)
    told_at = before.told_at if before is not None else None
    if judgement.verdict is RowVerdict.SPLIT_GLITCH and before is not None and action is not None:
        is_old = before.verdict is RowVerdict.SPLIT_GLITCH and at - before.streak_since >= _GLITCH_TOLD_AFTER
        if is_old and told_at is None:
            writing.glitches.append((told.company_id, action))
            told_at = at
    if judgement.verdict is RowVerdict.CORRECTION_DOUBTFUL and action is not None and told_at is None:
        sentence = (
            f"told as {judgement.row.printed}, which is not applied: {why_held(judgement.hold or 'NOT_POSITIVE')}"
        )
        writing.doubts.append((told.company_id, action, sentence))
        told_at = at
    _note_print(told, judgement, kept, writing, action_id=action.id if action else None, told_at=told_at, at=at)


def _change(
    connection: Connection,
    told: ToldActions,
    action: AcceptedAction,
    judgement: Judgement,
    writing: _Writing,
    *,
    at: datetime,
) -> None:
    """A confirmed correction or move: the next version, with the doubt that is left of it instead of the old one's."""
    assert judgement.facts is not None
    is_same = (judgement.facts, judgement.hold) == (action.facts, action.held_code)
    if is_same or _day_is_taken(connection, action, judgement.facts.ex_date):
        return
    reason = judgement.note or f"told again as {judgement.row.printed}"
    after = replace(action, facts=judgement.facts, is_held=False, held_code=None, held_reason=None)
    if judgement.hold is not None:
        after = replace(after, is_held=True, held_code=judgement.hold, held_reason=why_held(judgement.hold))
    change = Change(told.provider, told.provider, reason, at)
    stored = actions.store_change(connection, action, after, change, printed=judgement.row.printed)
    if stored is not None and stored.is_held and stored.held_code != action.held_code:
        writing.held.append((told.company_id, stored))


def _day_is_taken(connection: Connection, action: AcceptedAction, ex_date: date) -> bool:
    """Whether another action of the same group has the day that an action would move to."""
    if ex_date == action.ex_date:
        return False
    there = actions.load_actions(connection, [action.company_id], first=ex_date, last=ex_date)
    identity = (action.facts.group, action.facts.currency, action.seq)
    return any((one.facts.group, one.facts.currency, one.seq) == identity for one in there.get(action.company_id, []))


def _note_print(
    told: ToldActions,
    judgement: Judgement,
    kept: Kept,
    writing: _Writing,
    *,
    action_id: int | None,
    told_at: datetime | None,
    at: datetime,
) -> None:
    """Write a print down, unless it only says once more what is known."""
    before = print_of(judgement.row, judgement.seq, kept)
    verdict = judgement.verdict
    rivals = [one for one in kept.prints if action_id is not None and one.action_id == action_id and one is not before]
    if before is not None and verdict is RowVerdict.NO_CHANGE:
        verdict = before.verdict if before.verdict in SOURCES else verdict
        is_contested = any(one.verdict in OPEN_VERDICTS for one in rivals)
        if verdict is before.verdict and not is_contested and at - before.last_seen_at < _SEEN_EVERY:
            return
    is_unbroken = (
        before is not None
        and (before.verdict in OPEN_VERDICTS) == (verdict in OPEN_VERDICTS)
        and all(one.last_seen_at <= before.last_seen_at for one in rivals)
    )
    writing.prints.append(
        action_rows.print_row(
            told.company_id,
            told.provider,
            judgement.row,
            seq=judgement.seq,
            verdict=verdict,
            note=judgement.note,
            action_id=action_id,
            at=at,
            before=before,
            streak_since=before.streak_since if before is not None and is_unbroken else at,
            told_at=told_at,
        )
    )


def _note_missing(
    connection: Connection, told: ToldActions, judged: Judged, kept: Kept, writing: _Writing, *, at: datetime
) -> None:
    """Count the answers without an action, and hold one that is gone; absence takes nothing back."""
    for action in judged.missing:
        count, since = kept.missed.get(action.id, (0, at))
        count += judged.is_telling
        writing.missed[action.id] = (count, since)
        if has_vanished(action, count, since, at=at):
            sentence = why_held("VANISHED")
            after = replace(action, is_held=True, held_code="VANISHED", held_reason=sentence)
            change = Change(told.provider, told.provider, f"not told by {count} answers since {since.date()}", at)
            held = actions.store_change(connection, action, after, change)
            if held is not None:
                writing.held.append((told.company_id, held))
    for action in judged.seen_again:
        writing.missed[action.id] = (0, None)
        if action.held_code == "VANISHED":
            after = replace(action, is_held=False, held_code=None, held_reason=None)
            actions.store_change(connection, action, after, Change(told.provider, told.provider, "told again", at))


def _write(connection: Connection, writing: _Writing, *, at: datetime) -> None:
    stored = actions.store_new_actions(connection, [new for _, _, new in writing.new])
    for (told, judgement, _), action in zip(writing.new, stored, strict=True):
        _note_print(told, judgement, Kept(()), writing, action_id=action.id, told_at=None, at=at)
        if action.is_held and action.version == 1:
            writing.held.append((told.company_id, action))
    action_rows.store_prints(connection, writing.prints)
    action_rows.store_missed(connection, writing.missed)
    _tell(connection, writing, at=at)


def _tell(connection: Connection, writing: _Writing, *, at: datetime) -> None:
    """Tell the administrators what waits for them."""
    concerned = [company_id for company_id, _ in (*writing.held, *writing.glitches)]
    concerned += [company_id for company_id, _, _ in writing.doubts]
    if not concerned:
        return
    symbols = companies.load_symbols(connection, concerned)
    held = [Told(symbols[company_id], one, one.held_reason or "") for company_id, one in writing.held]
    message = told_of_held(held)
    if message is not None:
        incidents.notify(connection, message, now=at)
    sentence = f"told for {_GLITCH_TOLD_AFTER.days} days as if a known split were missing or counted twice"
    for company_id, action in writing.glitches:
        incidents.notify(connection, told_of_glitch(Told(symbols[company_id], action, sentence)), now=at)
    for company_id, action, doubt in writing.doubts:
        incidents.notify(connection, told_of_doubt(Told(symbols[company_id], action, doubt)), now=at)


# --- Rows that waited for a close.


@dataclass(frozen=True, slots=True)
class WaitingCompany:
    """A company with rows that wait: what is needed to judge them once more."""

    company_id: int
    mic: str
    currency: str
    newest: date


def store_waiting(connection: Connection, company: WaitingCompany, *, at: datetime) -> int:
    """Judge the rows of a company that waited for a close; return how many still wait."""
    left = 0
    for (company_id, provider), prints in action_rows.load_waiting(connection).items():
        if company_id != company.company_id:
            continue
        rows = [one.row for one in prints]
        days = [row.ex_date for row in rows]
        bars = prices.load_closed_bars(
            connection, company_id, first=min(days) - _PRICES_BEFORE, last=max(days) + _PRICES_BEFORE
        )
        # It covers nothing else: no other action is missing from it.
        nothing = date.min
        told = ToldActions(
            company_id, company.mic, provider, company.currency, rows, min(days), nothing, company.newest, bars
        )
        left += store_told(connection, [told], at=at)[RowVerdict.WAITING]
    return left
