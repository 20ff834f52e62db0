"""What each company's bars come to: the newest bar and the days that have a close, kept by whoever writes bars.

Every write of ``price_history`` says which bars it touched. Before the transaction commits, the summaries of their
companies are locked, the touched bars are read back and the summaries brought up to date: whoever comes last has seen
what everybody wrote, and an older bar never takes the newest one's place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, String, and_, cast, delete, func, or_, select

from closingbell.domain.bars import INTRADAY
from closingbell.domain.days import NO_BARS, NO_DAYS, DaySet, StoredDays
from closingbell.models import Company, PriceHistory, PriceSummary
from closingbell.stores.database import Database, last_step
from closingbell.stores.in_one import Dates
from closingbell.stores.upsert import in_groups, raw_prices, table_of, upsert

_BAR = raw_prices(PriceHistory)
_ROW = raw_prices(PriceSummary)
_NEWEST = ("date", "close", "is_settled", "provider", "fetched_at")
_KEPT = (*_NEWEST, "closes", "provisional")


class NewestBar(NamedTuple):
    """A company's newest bar, its close in millionths."""

    date: date
    close: int
    is_settled: bool
    provider: str
    fetched_at: datetime


class Summary(NamedTuple):
    """What is kept of one company; ``newest`` is None while it has no bar."""

    newest: NewestBar | None = None
    days: StoredDays = NO_BARS


class Drift(NamedTuple):
    """A company whose summary is not what its bars come to."""

    company_id: int
    kept: Summary
    made_anew: Summary


@dataclass(slots=True)
class _Touched:
    """Bars that a transaction wrote, or found written: to be read back, or known to be its own."""

    by_day: dict[date, set[int]] = field(default_factory=dict)
    own: dict[int, StoredDays] = field(default_factory=dict)

    def days_by_company(self) -> dict[int, DaySet]:
        """The days of each company that are looked at."""
        days: dict[int, list[date]] = {}
        for day, company_ids in self.by_day.items():
            for company_id in company_ids:
                days.setdefault(company_id, []).append(day)
        return {company_id: DaySet.of(of_company) for company_id, of_company in days.items()}

    def __call__(self, connection: Connection) -> None:
        """Bring the summaries up to date with what was touched so far."""
        if self.by_day:
            _follow(connection, self)
            self.by_day.clear()
            self.own.clear()


def touch(connection: Connection, bars: Iterable[tuple[int, date]]) -> None:
    """Say of which (company, date) a bar was written, settled or removed; nobody writes bars without saying so."""
    with _touched_by(connection) as touched:
        for company_id, day in bars:
            touched.by_day.setdefault(day, set()).add(company_id)


def touch_new(connection: Connection, rows: Sequence[tuple[Any, ...]], *, settled_at: int, flag_at: int) -> None:
    """Say that these rows (company, date, ...) are new and this transaction's own: they need not be read back.

    ``settled_at`` and ``flag_at`` are the places of the two columns in a row.
    """
    with _touched_by(connection) as touched:
        for company_id, of_company in groupby(rows, key=itemgetter(0)):
            bars = list(of_company)
            days = StoredDays.of([(row[1], row[settled_at]) for row in bars if row[flag_at] != INTRADAY])
            known = touched.own.get(company_id, NO_BARS)
            touched.own[company_id] = StoredDays(known.closes | days.closes, known.provisional | days.provisional)
            # The newest one is read all the same: its values are wanted.
            touched.by_day.setdefault(max(row[1] for row in bars), set()).add(company_id)


def follow(connection: Connection) -> None:
    """Bring the summaries up to date now: what reads them in a writing transaction of its own wants them so."""
    touched = last_step(connection, _Touched)
    if touched is not None:
        touched(connection)


@contextmanager
def _touched_by(connection: Connection) -> Iterator[_Touched]:
    """What the transaction touched so far; on a connection without a last step the summaries follow at once."""
    touched = last_step(connection, _Touched)
    if touched is not None:
        yield touched
        return
    yield (now := _Touched())
    now(connection)


def _follow(connection: Connection, touched: _Touched) -> None:
    ids = sorted(set().union(*touched.by_day.values()))
    kept = _lock(connection, ids)
    bars = _read_back(connection, touched.by_day)
    looked_at = touched.days_by_company()
    after = {
        company_id: _after(
            kept[company_id], touched.own.get(company_id, NO_BARS), looked_at[company_id], bars.get(company_id, {})
        )
        for company_id in ids
    }
    # Only a person takes a bar away; where it was the newest, the one before it is.
    beheaded = [
        i for i in ids if (last := kept[i].newest) and last.date in looked_at[i] and last.date not in bars.get(i, {})
    ]
    if beheaded:
        newest = _load_newest(connection, beheaded)
        after.update({i: after[i]._replace(newest=newest.get(i)) for i in beheaded})
    _store(connection, {i: summary for i, summary in after.items() if summary != kept[i]})


def _lock(connection: Connection, ids: Sequence[int]) -> dict[int, Summary]:
    """The summaries of these companies, locked till the transaction ends; the first one of a company is made here."""
    kept = dict(_load(connection, ids, lock=True))
    new = [company_id for company_id in ids if company_id not in kept]
    if new:
        # Two processes may store a company's first bars at once: the second one waits here for the first.
        upsert(connection, PriceSummary, [_row(company_id, Summary()) for company_id in new])
        kept.update(_load(connection, new, lock=True))
    return kept


class _Read(NamedTuple):
    """One bar read back."""

    newest: NewestBar
    flag: str | None


def _read_back(connection: Connection, by_day: Mapping[date, set[int]]) -> dict[int, dict[date, _Read]]:
    """The bars of these days and companies, by the fewest statements."""
    ids = sorted(set().union(*by_day.values()))
    bars: dict[int, dict[date, _Read]] = {}
    columns = (_BAR.c.company_id, *(_BAR.c[name] for name in _NEWEST), _BAR.c.flag)
    if len(by_day) <= len(ids):
        wheres = [
            and_(_BAR.c.date == day, _BAR.c.company_id.in_(group))
            for day, of_day in by_day.items()
            for group in in_groups(sorted(of_day))
        ]
    else:
        # Few companies and many days: each company's days from the first one touched on.
        spans = {company_id: [day for day, of_day in by_day.items() if company_id in of_day] for company_id in ids}
        wheres = [
            and_(_BAR.c.company_id == company_id, _BAR.c.date.between(min(days), max(days)))
            for company_id, days in spans.items()
        ]
    for where in wheres:
        for company_id, *values, flag in connection.execute(select(*columns).where(where)):
            newest = _newest(values)
            assert newest is not None
            bars.setdefault(company_id, {})[newest.date] = _Read(newest, flag)
    return bars


def _after(kept: Summary, own: StoredDays, looked_at: DaySet, bars: Mapping[date, _Read]) -> Summary:
    """A summary with what was touched taken in: ``bars`` are those that were there when it was looked for them."""
    read, closes = looked_at | DaySet.of(bars), DaySet.of(day for day, bar in bars.items() if bar.flag != INTRADAY)
    provisional = DaySet.of(day for day, bar in bars.items() if bar.flag != INTRADAY and not bar.newest.is_settled)
    days = StoredDays(
        ((kept.days.closes | own.closes) - read) | closes,
        ((kept.days.provisional | own.provisional) - read) | provisional,
    )
    newest = kept.newest
    if bars:
        latest = bars[max(bars)].newest
        newest = latest if newest is None or latest.date >= newest.date else newest
    return Summary(newest, days)


# --- What is read and written.


def load_days(connection: Connection, company_ids: Sequence[int]) -> dict[int, StoredDays]:
    """The days of each company that have a close; a company without bars is left out."""
    found: dict[int, StoredDays] = {}
    row = _ROW.c
    for group in in_groups(company_ids):
        query = select(row.company_id, row.closes, row.provisional).where(row.company_id.in_(group))
        for company_id, closes, provisional in connection.execute(query):
            found[company_id] = StoredDays(closes, provisional)
    return found


def load_summaries(connection: Connection, company_ids: Sequence[int]) -> dict[int, Summary]:
    """What is kept of each company."""
    return dict(_load(connection, company_ids))


def _load(connection: Connection, ids: Sequence[int], *, lock: bool = False) -> Iterator[tuple[int, Summary]]:
    for group in in_groups(ids):
        columns = (_ROW.c.company_id, *(_ROW.c[name] for name in _KEPT))
        # In one order everywhere: two processes that want the same rows wait for each other, and never both.
        query = select(*columns).where(_ROW.c.company_id.in_(group)).order_by(_ROW.c.company_id)
        for company_id, *newest, closes, provisional in connection.execute(query.with_for_update() if lock else query):
            yield company_id, Summary(_newest(newest), StoredDays(closes, provisional))


def _newest(values: Sequence[Any]) -> NewestBar | None:
    day, close, is_settled, provider, fetched_at = values
    return None if day is None else NewestBar(day, close, bool(is_settled), provider, fetched_at)


def _store(connection: Connection, summaries: Mapping[int, Summary]) -> None:
    upsert(connection, PriceSummary, [_row(*one) for one in sorted(summaries.items())], update=_KEPT, table=_ROW)


def _row(company_id: int, summary: Summary) -> dict[str, Any]:
    newest = summary.newest or dict.fromkeys(_NEWEST)
    values = newest if isinstance(newest, dict) else newest._asdict()
    return {
        "company_id": company_id,
        **values,
        "closes": summary.days.closes,
        "provisional": summary.days.provisional,
    }


# --- Made anew.


def count_days(connection: Connection, company_ids: Sequence[int]) -> dict[int, StoredDays]:
    """What ``load_days`` gives, from the bars themselves; reads them all."""
    bar = _BAR.c
    dates = func.aggregate_strings(cast(bar.date, String(10)), ",")
    is_close = or_(bar.flag.is_(None), bar.flag != INTRADAY)
    day_of = Dates()
    found: dict[int, StoredDays] = {}
    for group in in_groups(company_ids):
        query = select(bar.company_id, bar.is_settled, dates).where(bar.company_id.in_(group), is_close)
        for company_id, is_settled, texts in connection.execute(query.group_by(bar.company_id, bar.is_settled)):
            days, known = DaySet.of([day_of[text] for text in texts.split(",")]), found.get(company_id, NO_BARS)
            found[company_id] = StoredDays(known.closes | days, known.provisional | (NO_DAYS if is_settled else days))
    return found


def _load_newest(connection: Connection, company_ids: Sequence[int]) -> dict[int, NewestBar]:
    """The newest bar of each company, from the bars themselves."""
    bar = _BAR.c
    newest: dict[int, NewestBar] = {}
    for group in in_groups(company_ids):
        last = (
            select(bar.company_id, func.max(bar.date).label("date"))
            .where(bar.company_id.in_(group))
            .group_by(bar.company_id)
            .subquery()
        )
        query = select(bar.company_id, *(bar[name] for name in _NEWEST)).join(
            last, and_(last.c.company_id == bar.company_id, last.c.date == bar.date)
        )
        for company_id, *values in connection.execute(query):
            found = _newest(values)
            if found is not None:
                newest[company_id] = found
    return newest


def make_summaries(connection: Connection, company_ids: Sequence[int]) -> dict[int, Summary]:
    """What the bars of each company come to, from the bars themselves; a company without bars is left out."""
    days, newest = count_days(connection, company_ids), _load_newest(connection, company_ids)
    return {company_id: Summary(bar, days.get(company_id, NO_BARS)) for company_id, bar in newest.items()}


def rebuild(connection: Connection, company_ids: Sequence[int]) -> list[Drift]:
    """Make the summaries of these companies anew; return those that had drifted."""
    found: list[Drift] = []
    for group in in_groups(sorted(company_ids)):
        drifted = find_drift(connection, group)
        _store(connection, {drift.company_id: drift.made_anew for drift in drifted if drift.made_anew.newest})
        gone = [drift.company_id for drift in drifted if drift.made_anew.newest is None]
        if gone:
            table = table_of(PriceSummary)
            connection.execute(delete(table).where(table.c.company_id.in_(gone)))
        found += drifted
    return found


def rebuild_all(database: Database) -> tuple[int, int]:
    """Make all summaries anew; how many companies were looked at, and how many had drifted.

    Some hundred companies a transaction: others that write wait no longer than that.
    """
    with database.read() as connection:
        ids = load_company_ids(connection)
    drifted = 0
    for group in in_groups(ids):
        drifted += len(database.write_unit(partial(rebuild, company_ids=group)))
    return len(ids), drifted


def load_company_ids(connection: Connection) -> list[int]:
    """Every company."""
    company = table_of(Company).c
    return list(connection.scalars(select(company.id).order_by(company.id)))


def find_drift(connection: Connection, company_ids: Sequence[int]) -> list[Drift]:
    """The companies whose summary is not what their bars come to; none, unless somebody wrote bars by other means."""
    suspects = [drift.company_id for drift in _compare(connection, company_ids, lock=False)]
    # Bars may have been written between the two looks: a second look keeps writers out.
    return _compare(connection, suspects, lock=True) if suspects else []


def _compare(connection: Connection, company_ids: Sequence[int], *, lock: bool) -> list[Drift]:
    found: list[Drift] = []
    for group in in_groups(company_ids):
        kept, made = dict(_load(connection, group, lock=lock)), make_summaries(connection, group)
        for company_id in group:
            before, after = kept.get(company_id, Summary()), made.get(company_id, Summary())
            if before != after:
                found.append(Drift(company_id, before, after))
    return found
