"""Checks over a whole answer: what no bar shows by itself, but its neighbours and the corporate actions do.

Pure detection. Whether a finding sets a bar aside, or only flags an old one, is the caller's business.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import pairwise
from math import prod
from typing import NamedTuple

from closingbell.domain.bars import RULES, YOUNG_SESSIONS, Bar
from closingbell.domain.corporate_actions import ActionKind, CorporateAction, splits_of
from closingbell.domain.money import PRICE_SCALE
from closingbell.domain.series_dividends import Payout, PricedLine, check_payouts, payouts_of
from closingbell.domain.series_levels import (
    FIELDS,
    against_stored,
    is_mixed,
    off_fields,
    prices_of,
    restated_closes,
    right_level,
    unit_levels,
    unsplit_indexes,
    wide_splits,
)

SERIES_RULES: dict[str, str] = {
    **{rule: RULES[rule] for rule in ("times_100", "unsplit", "frozen", "no_volume")},
    "dividend_not_positive": "the dividend is zero or less",
    "dividend_times_100": "the dividend is 100 times, or a hundredth of, what the company pays",
    "dividend_repeated": "nearly the same dividend stands a few days away",
    "dividend_too_large": "the dividend is large, and the price did not fall by anything like it",
    "dividend_unsplit": "the dividend is in other shares than the split around it asks for, or it cannot be told",
    "gain_in_dividend": "the dividend seems to hold the capital gain of the same day",
}

# A close that stands still for so many sessions is frozen.
FROZEN_SESSIONS = 5
# How much of what is stored before an answer takes part in the checks.
CONTEXT_SESSIONS = 20

# Between two sessions less than this is an ordinary move, and within a session less than that.
_ORDINARY = (0.75, 1.34)
_WIDE_SESSION = 1.5
# A company whose close stands still in more than a fifth of its sessions is thinly traded, not frozen.
_MOVING = 0.8
# Where the smallest step is more than this of the price (an eighth at 43), closes repeat by themselves.
_COARSE_STEP = 0.0025
# Ticks and trading habits change over the decades: only so many sessions on either side are compared.
_HABIT_SESSIONS = 60
_VOLUME_SHARE = 0.9


class SeriesFinding(NamedTuple):
    """A bar or a dividend that broke a rule; one of ``bar`` and ``action`` is set. ``fields`` are the ones in doubt."""

    rule: str
    date: date
    fields: tuple[str, ...]
    bar: Bar | None = None
    action: CorporateAction | None = None

    @property
    def sentence(self) -> str:
        """What the rule says, with the date in front."""
        return f"{self.date}: {SERIES_RULES[self.rule]}"


@dataclass(frozen=True, slots=True)
class SeriesAround:
    """What is known besides the answer.

    ``stored``: bars as traded, ascending, from about 20 sessions before the answer to its end; they are trusted.
    ``actions``: corporate actions known from earlier answers.
    """

    stored: Sequence[Bar] = ()
    actions: Sequence[CorporateAction] = ()


@dataclass(frozen=True, slots=True)
class _Series:
    """An answer with what is stored before it in front: ``line``, of which ``first`` and later are the answer's."""

    line: list[Bar]
    first: int
    stored: dict[date, Bar]
    splits: dict[date, Fraction]
    payouts: Sequence[Payout]
    actions: Sequence[CorporateAction]


def check_series(
    bars: Sequence[Bar], actions: Sequence[CorporateAction], around: SeriesAround | None = None
) -> list[SeriesFinding]:
    """What is wrong with an answer; ``bars`` ascend, as traded, ``actions`` in the units of their own day.

    A bar has at most one finding, and so has a dividend; bars come first, both by date.
    """
    series = _joined(bars, actions, around or SeriesAround())
    scale = [1.0] * len(series.line)
    found: dict[int, SeriesFinding] = {}
    if not _looks_clean(series):
        for i, rule, fields in _broken(series, scale):
            if i >= series.first:
                found.setdefault(i, SeriesFinding(rule, series.line[i].date, fields, bar=series.line[i]))
    findings = [found[i] for i in sorted(found)]
    if series.payouts:
        priced = PricedLine(series.line, scale)
        for rule, action in check_payouts(series.payouts, priced, series.splits):
            findings.append(SeriesFinding(rule, action.ex_date, ("amount",), action=action))
    return findings


def _joined(bars: Sequence[Bar], actions: Sequence[CorporateAction], around: SeriesAround) -> _Series:
    start = bisect_left(around.stored, (bars[0].date,)) if bars else len(around.stored)
    before = around.stored[max(0, start - CONTEXT_SESSIONS) : start]
    return _Series(
        line=[*before, *bars],
        first=len(before),
        stored={bar.date: bar for bar in around.stored[start:]},
        splits=splits_of(around.actions) | splits_of(actions),
        payouts=payouts_of(actions, around.actions),
        actions=[*actions, *around.actions],
    )


def _looks_clean(series: _Series) -> bool:
    """Whether nothing in the answer needs a closer look; the hot loop of a backfill."""
    down, up = _ORDINARY
    before, run = 0, 0
    for _day, open_, high, low, close, volume in series.line:
        if close == before:
            run += 1
            if run >= FROZEN_SESSIONS:
                return False
        elif before and not down * before < close < up * before:
            return False
        else:
            run = 1
        if not (low <= open_ <= high and low <= close <= high < _WIDE_SESSION * low) or (volume <= 0 and high > low):
            return False
        before = close
    return _agrees_with_stored(series)


def _agrees_with_stored(series: _Series) -> bool:
    """Whether the ends of the answer are on the level of what is stored; a step between them shows in the answer."""
    line = series.line[series.first :]
    for bar in (line[0], line[-1]) if line else ():
        held = series.stored.get(bar.date)
        if held is not None and not _ORDINARY[0] * held.close < bar.close < _ORDINARY[1] * held.close:
            return False
    return True


def _broken(series: _Series, scale: list[float]) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Index, rule and fields of every bar that breaks a rule; ``scale`` is filled to put the closes into one unit."""
    line = series.line
    # Prices of zero and less have a rule of their own and no ratio to others.
    sound = [i for i, bar in enumerate(line) if min(prices_of(bar)) > 0]
    whole = [i for i in sound if not is_mixed(line[i])]
    closes = restated_closes(line, series.splits)
    splits = wide_splits(series.splits)
    yield from _against_stored(series, whole, splits)
    payouts = _explaining(series)
    days = [line[i].date for i in whole]
    for k in unsplit_indexes(days, [closes[i] for i in whole], splits, payouts):
        yield whole[k], "unsplit", (*FIELDS, "volume")
    for i in set(sound) - set(whole):
        yield i, "times_100", off_fields(line, closes, i) or FIELDS
    yield from _wrong_units(series, whole, closes, scale)
    yield from ((i, "frozen", ("close",)) for i in _frozen(line))
    yield from ((i, "no_volume", ("volume",)) for i in _without_volume(line))


def _against_stored(
    series: _Series, whole: Sequence[int], splits: Mapping[date, float]
) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    for i in whole:
        held = series.stored.get(series.line[i].date)
        rule = against_stored(series.line[i].close, held.close, splits) if held and held.close > 0 else None
        if rule is not None:
            yield i, rule, FIELDS


def _explaining(series: _Series) -> dict[date, float]:
    """What was paid on each split's ex-date, in millionths of the newest share unit."""
    paid: dict[date, float] = {}
    # Told twice, by this answer and an earlier one, a dividend still counts once.
    for kind, day, amount in {(action.kind, action.ex_date, action.amount) for action in series.actions}:
        if day in series.splits and kind is ActionKind.DIVIDEND and amount is not None:
            later = prod(float(ratio) for ex_date, ratio in series.splits.items() if ex_date > day)
            paid[day] = paid.get(day, 0.0) + float(amount) * 10**PRICE_SCALE / later
    return paid


def _wrong_units(
    series: _Series, whole: Sequence[int], closes: Sequence[float], scale: list[float]
) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Bars in another unit than the right one; every bar where it cannot be told which one is right."""
    if not whole:
        return
    levels = unit_levels([closes[i] for i in whole])
    if len(set(levels)) == 1:
        return
    right = right_level(levels, [k for k, i in enumerate(whole) if _is_trusted(series, i)])
    for i, level in zip(whole, levels, strict=True):
        if right is not None:
            scale[i] = 100.0 ** (right - level)
        if level != right:
            yield i, "times_100", FIELDS


def _is_trusted(series: _Series, i: int) -> bool:
    """Whether a bar is stored, or is where the stored bar of its session is."""
    if i < series.first:
        return True
    held = series.stored.get(series.line[i].date)
    return held is not None and _ORDINARY[0] * held.close < series.line[i].close < _ORDINARY[1] * held.close


def _frozen(line: Sequence[Bar]) -> Iterator[int]:
    """Indexes of bars that repeat a close which stood still for five sessions or more, the first of them left out."""
    runs = list(_still_runs(line))
    if not runs:
        return
    steps = [abs(after.close - before.close) for before, after in pairwise(line)]
    for start, end in runs:
        others = steps[max(0, start - _HABIT_SESSIONS) : start] + steps[end - 1 : end - 1 + _HABIT_SESSIONS]
        if _usually_moves(others, line[start].close):
            yield from range(start + 1, end)


def _still_runs(line: Sequence[Bar]) -> Iterator[tuple[int, int]]:
    """Ranges of at least five traded sessions with one close and different volumes."""
    start = 0
    for i in range(1, len(line) + 1):
        if i < len(line) and line[i].close == line[start].close and line[i].volume > 0:
            continue
        if i - start >= FROZEN_SESSIONS and len({bar.volume for bar in line[start:i]}) > 1:
            yield start, i
        start = i


def _usually_moves(steps: Sequence[int], close: int) -> bool:
    """Whether a close that stands still is unusual among these steps between the other sessions."""
    moves = [step for step in steps if step]
    if len(steps) < YOUNG_SESSIONS:
        return True
    return len(moves) >= _MOVING * len(steps) and min(moves) <= _COARSE_STEP * close


def _without_volume(line: Sequence[Bar]) -> list[int]:
    """Indexes of sessions whose price moved without a volume, where nearly all others have one."""
    empty = [i for i, bar in enumerate(line) if bar.volume <= 0]
    if not empty or len(line) - len(empty) < _VOLUME_SHARE * len(line):
        return []
    return [i for i in empty if line[i].volume == 0 and line[i].high > line[i].low]
