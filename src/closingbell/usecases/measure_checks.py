"""How good the checks are: run over recorded bad answers that somebody repaired, and counted cell by cell.

A folder holds an ``index.json`` (a list of objects with ``file``, ``fixed_file`` unless the series is a control,
``ticker`` and ``category``) and CSV files as yfinance printed them without adjusting. Such a file is turned back into
the answer it came from: prices, dividends and splits as printed, in one unnamed unit, because no file says which.
The provider's own reader then recovers what was traded, so the checks see what the daily job would hand them.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

from closingbell.domain.bars import YOUNG_SESSIONS, Neighbourhood, check_bars
from closingbell.domain.corporate_actions import splits_of
from closingbell.domain.series_checks import check_series
from closingbell.errors import BadAnswerError, UsageError
from closingbell.providers.base import DailyHistory
from closingbell.providers.yahoo import read_chart

BAR_COLUMNS = ("Open", "High", "Low", "Close", "Volume")
COLUMNS = (*BAR_COLUMNS, "Dividends")
CONTROL = "no-bad-divs"
INDEX = "index.json"
# The least share of bad cells that must be set aside, per category and column.
BAR = Fraction(9, 10)

# Repaired files are printed with fewer digits: less than this, relative, is no difference.
_NOISE = 1e-5
# Rules that a bar breaks by itself, whatever stands around it.
_IMPOSSIBLE = frozenset({"not_positive", "outside_range", "negative_volume"})
_FAR = 50
_NO_UNIT = "XXX"
_EVENTS = {"dividends": "Dividends", "capitalGains": "Capital Gains"}

Row = Mapping[str, str]
Cell = tuple[date, str]


@dataclass(frozen=True, slots=True)
class Pair:
    """One recorded series; ``fixed`` is the repaired one, or the series itself where it is a control."""

    file: str
    category: str
    bad: dict[date, Row]
    fixed: dict[date, Row]


@dataclass(frozen=True, slots=True)
class Share:
    """One column of a category: bad cells, and those of them set aside; good cells, and those of them set aside.

    ``left_count`` are the good cells of bars that are wrong in the repaired file as well, though nobody repaired them
    (a close outside low and high, a close 50 times the usual one): set aside with reason, hence no false alarms.
    """

    category: str
    column: str
    bad_count: int
    caught_count: int
    good_count: int
    alarm_count: int
    left_count: int

    @property
    def is_enough(self) -> bool:
        """Whether the bar is met: every control untouched, nine in ten bad cells set aside."""
        if self.category == CONTROL:
            return not self.alarm_count and not self.left_count
        return self.caught_count >= BAR * self.bad_count


@dataclass(frozen=True, slots=True)
class Alarm:
    """Good cells of one file that a rule set aside, with the first and last date; ``is_left`` as in Share."""

    file: str
    rule: str
    is_left: bool
    cell_count: int
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Miss:
    """A bad cell that no rule set aside."""

    file: str
    date: date
    column: str


@dataclass(frozen=True, slots=True)
class Measured:
    """The whole measurement."""

    shares: list[Share]
    alarms: list[Alarm]
    misses: list[Miss]

    @property
    def alarm_count(self) -> int:
        """Good cells set aside."""
        return sum(share.alarm_count for share in self.shares)

    @property
    def good_count(self) -> int:
        """Good cells in all."""
        return sum(share.good_count for share in self.shares)

    @property
    def is_enough(self) -> bool:
        """Whether the bar is met everywhere."""
        return all(share.is_enough for share in self.shares)


class _Verdict(StrEnum):
    CAUGHT = "bad and set aside"
    MISSED = "bad and not set aside"
    QUIET = "good and not set aside"
    ALARM = "good and set aside"
    LEFT = "set aside, and wrong in the repaired file too"


def measure_checks(folder: Path) -> Measured:
    """Run the checks over every pair of a folder; raise UsageError where the folder cannot be read."""
    counts: Counter[tuple[str, str, _Verdict]] = Counter()
    alarms: list[Alarm] = []
    misses: list[Miss] = []
    for pair in _load_pairs(folder):
        try:
            aside = set_aside(pair)
            verdicts = _verdicts(pair, aside)
        except ValueError as error:
            raise UsageError(f"{pair.file}: {error}") from None
        counts.update((pair.category, column, verdict) for (_, column), verdict in verdicts.items())
        alarms += _alarms(pair, verdicts, aside)
        misses += [Miss(pair.file, *cell) for cell in sorted(verdicts) if verdicts[cell] is _Verdict.MISSED]
    return Measured(_shares(counts), alarms, misses)


def _verdicts(pair: Pair, aside: Mapping[Cell, str]) -> dict[Cell, _Verdict]:
    """What the checks made of every cell that has a number."""
    bad = bad_cells(pair)
    wrong_days = _days_left_wrong(pair, aside) - {day for day, column in bad if column in BAR_COLUMNS}
    verdicts: dict[Cell, _Verdict] = {}
    for day, row in pair.bad.items():
        for column in COLUMNS:
            cell, rule = (day, column), aside.get((day, column))
            if _number(row, column) is None:
                continue
            if cell in bad:
                verdicts[cell] = _Verdict.MISSED if rule is None else _Verdict.CAUGHT
            elif rule is None:
                verdicts[cell] = _Verdict.QUIET
            else:
                verdicts[cell] = _Verdict.LEFT if day in wrong_days and column in BAR_COLUMNS else _Verdict.ALARM
    return verdicts


def _days_left_wrong(pair: Pair, aside: Mapping[Cell, str]) -> set[date]:
    """Days whose repaired bar is impossible, or as far from the repaired series' median as a wrong unit is."""
    closes = {day: close for day, row in pair.fixed.items() if (close := _number(row, "Close"))}
    middle = median(closes.values())
    far = {day for day, close in closes.items() if not 1 / _FAR < close / middle < _FAR}
    return far | {day for (day, _), rule in aside.items() if rule in _IMPOSSIBLE}


def _shares(counts: Counter[tuple[str, str, _Verdict]]) -> list[Share]:
    shares = []
    for category in sorted({key[0] for key in counts}):
        for column in COLUMNS:
            count = {verdict: counts[category, column, verdict] for verdict in _Verdict}
            shares.append(
                Share(
                    category,
                    column,
                    bad_count=count[_Verdict.CAUGHT] + count[_Verdict.MISSED],
                    caught_count=count[_Verdict.CAUGHT],
                    good_count=count[_Verdict.QUIET] + count[_Verdict.ALARM] + count[_Verdict.LEFT],
                    alarm_count=count[_Verdict.ALARM],
                    left_count=count[_Verdict.LEFT],
                )
            )
    return shares


def bad_cells(pair: Pair) -> set[Cell]:
    """The cells in which a series differs from its repaired one by more than the noise of printing."""
    return {
        (day, column)
        for day, row in pair.bad.items()
        for column in COLUMNS
        if not _same(_number(row, column), _number(pair.fixed[day], column))
    }


def set_aside(pair: Pair) -> dict[Cell, str]:
    """The cells that the checks set aside, with the rule: all of a bar's, or one dividend's."""
    history = _answer_of(pair)
    days = [bar.date for bar in history.bars]
    around = Neighbourhood(
        sessions=frozenset(days),
        newest=max(days, default=date.min),
        young_from=days[-YOUNG_SESSIONS:][0] if days else date.max,
        splits=splits_of(history.actions),
        suspects={},
    )
    aside: dict[Cell, str] = {}
    for day, rule in _rules(history, around):
        columns = ("Dividends",) if "dividend" in rule else BAR_COLUMNS
        for column in columns:
            aside.setdefault((day, column), rule)
    return aside


def _rules(history: DailyHistory, around: Neighbourhood) -> Iterator[tuple[date, str]]:
    for finding in check_bars(history.bars, around).findings:
        yield finding.bar.date, finding.rule
    for found in check_series(history.bars, history.actions):
        yield found.date, found.rule


def _alarms(pair: Pair, verdicts: Mapping[Cell, _Verdict], aside: Mapping[Cell, str]) -> list[Alarm]:
    """The good cells of a file that were set aside, one line a rule."""
    days: dict[tuple[str, bool], list[date]] = {}
    for cell, verdict in verdicts.items():
        if verdict in {_Verdict.ALARM, _Verdict.LEFT}:
            days.setdefault((aside[cell], verdict is _Verdict.LEFT), []).append(cell[0])
    return [Alarm(pair.file, *key, len(found), min(found), max(found)) for key, found in sorted(days.items())]


def _answer_of(pair: Pair) -> DailyHistory:
    """The answer that a file was printed from, read as the daily job reads it."""
    days = sorted(pair.bad)
    rows = [pair.bad[day] for day in days]
    stamps = [_stamp(day) for day in days]
    quote = {column.lower(): [_number(row, column) for row in rows] for column in BAR_COLUMNS}
    events: dict[str, Any] = {"splits": dict(_splits(rows, stamps))}
    for name, column in _EVENTS.items():
        amounts = zip(stamps, (_number(row, column) for row in rows), strict=True)
        events[name] = {str(stamp): {"date": stamp, "amount": amount} for stamp, amount in amounts if amount}
    result = {
        "meta": {"exchangeTimezoneName": "UTC", "currency": _NO_UNIT},
        "timestamp": stamps,
        "events": events,
        "indicators": {"quote": [quote]},
    }
    try:
        fetched_at = datetime.combine(days[-1], time.max, tzinfo=UTC)
        return read_chart({"chart": {"result": [result]}}, symbol=pair.file, first=days[0], fetched_at=fetched_at)
    except BadAnswerError as error:
        raise UsageError(str(error)) from None


def _splits(rows: Sequence[Row], stamps: Sequence[int]) -> Iterator[tuple[str, dict[str, int]]]:
    """Splits with whole numbers again: 0.471428571428571 is 33 for 70."""
    for row, stamp in zip(rows, stamps, strict=True):
        ratio = _number(row, "Stock Splits")
        if ratio:
            exact = Fraction(ratio).limit_denominator(10_000)
            yield str(stamp), {"date": stamp, "numerator": exact.numerator, "denominator": exact.denominator}


def _stamp(day: date) -> int:
    return int(datetime.combine(day, time(12), tzinfo=UTC).timestamp())


def _number(row: Row, column: str) -> float | None:
    """A cell's number; None where the file has none."""
    text = row.get(column) or ""
    value = float(text) if text else math.nan
    return value if math.isfinite(value) else None


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=_NOISE, abs_tol=1e-12)


def _load_pairs(folder: Path) -> list[Pair]:
    """Every series of the index with its repaired one."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        return [_load_pair(folder, entry) for entry in index]
    except (OSError, EOFError, LookupError, TypeError, ValueError) as error:
        raise UsageError(f"{folder} has no readable {INDEX} of recorded pairs: {error}") from None


def _load_pair(folder: Path, entry: Mapping[str, Any]) -> Pair:
    bad = _load_rows(folder / entry["file"])
    fixed = _load_rows(folder / entry["fixed_file"]) if entry.get("fixed_file") else bad
    if not any(row.get("Close") for row in fixed.values()) or bad.keys() - fixed.keys():
        raise ValueError(f"{entry['file']} has no closes, or dates that its repaired file lacks")
    return Pair(entry["file"], entry["category"], bad, fixed)


def _load_rows(path: Path) -> dict[date, Row]:
    """The rows of a CSV by the exchange's own date; packed or not."""
    packed = path.read_bytes()
    text = (gzip.decompress(packed) if path.suffix == ".gz" else packed).decode("utf-8-sig")
    return {_day(row): row for row in csv.DictReader(io.StringIO(text))}


def _day(row: Row) -> date:
    """The date in front of a row's time, which is the exchange's."""
    return date.fromisoformat((row.get("Datetime") or row["Date"])[:10])
