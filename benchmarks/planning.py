"""Planning the gaps of thousands of companies and ten years: time, memory, and how both grow."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete

from benchmarks.databases import NAMES
from benchmarks.ours import Ours, clone_symbols
from benchmarks.report import Line, below, print_lines
from benchmarks.stored import company_ids, cover, newest_sessions, prepared
from closingbell.domain.days import DaySet
from closingbell.models import PriceCoverage, PriceSummary
from closingbell.stores.upsert import table_of, upsert

PLAN_S = 2.0
MORE_MB = 300.0
GROWTH = 1.3
TEN_YEARS = 2_520
INTERIOR_GAPS = (300, 800, 1_300, 1_800, 2_300)


@dataclass(frozen=True, slots=True)
class Shape:
    """What is stored of every company, by the places of its sessions; ``complete`` bounds the complete range."""

    name: str
    missing: frozenset[int]
    complete: tuple[int, int] | None

    def wanted_count(self) -> int:
        """Sessions that a plan must want: the missing ones and the provisional one before the newest."""
        return len(self.missing) + 1


def shapes(count: int) -> list[Shape]:
    """The everyday one first, then the worst."""
    newest, gaps = count - 1, frozenset(place * count // TEN_YEARS for place in INTERIOR_GAPS)
    missed = frozenset(range(count - 12, count))
    return [
        Shape("a new session", frozenset({newest}), (0, newest - 2)),
        Shape("twelve sessions missed", missed, (0, count - 14)),
        Shape("five interior gaps each", gaps | {newest}, (0, min(gaps) - 1)),
        Shape("no complete range known", frozenset({newest}), None),
    ]


def run(kinds: Sequence[str], *, quick: bool) -> list[Line]:
    """Measure on every database, print the table and return its lines."""
    sizes, count, turns = ((100, 500), 260, 1) if quick else ((500, 2_000, 5_000, 10_000, 20_000), TEN_YEARS, 3)
    of_shapes = 500 if quick else 5_000
    lines: list[Line] = []
    notes: list[str] = []
    for kind in kinds:
        with prepared(kind, 0, count) as ours:
            curve: dict[int, dict[str, Any]] = {}
            for size in sizes:
                _grow(ours, size, count)
                if size == of_shapes:
                    for shape in shapes(count)[1:]:
                        lines += _lines(kind, size, shape, _plan(ours, size, shape, count, turns))
                everyday = shapes(count)[0]
                curve[size] = _plan(ours, size, everyday, count, turns)
                if size == of_shapes:
                    lines += _lines(kind, size, everyday, curve[size])
            lines.append(_growth(kind, curve))
            notes.append(
                f"{NAMES[kind]}: "
                + "; ".join(
                    f"{size:,}: {told['wall_s']:.2f} s, CPU {told['cpu_s'] * 1e6 / size:.0f} µs a symbol, "
                    f"{told['more_mb']:.0f} MB more, {told['statements']} statements"
                    for size, told in curve.items()
                )
            )
    notes.append(
        f"{count:,} sessions a company; each plan in a process of its own, median of {turns}. Memory: the most it had "
        "in all turns, less what it had before the first."
    )
    notes.append("A plan reads the summaries of the bars and no bar; the bars themselves are left out here.")
    print_lines("Planning", lines, notes)
    return lines


def _grow(ours: Ours, size: int, count: int) -> None:
    """So many companies, bought before the first session."""
    known = company_ids(ours)
    if size > len(known):
        ours.buy(clone_symbols(size)[len(known) :], newest_sessions(count)[0][0])


def _plan(ours: Ours, size: int, shape: Shape, count: int, turns: int) -> dict[str, Any]:
    """What one process tells of a plan over companies of that shape."""
    days = [day for day, _ in newest_sessions(count)]
    ids = company_ids(ours)
    ours.context.database.write_unit(lambda connection: _store_shape(connection, ids, days, shape))
    if shape.complete is not None:
        cover(ours, ids, *(days[place] for place in shape.complete))
    url = ours.context.database.engine.url.render_as_string(hide_password=False)
    now = newest_sessions(count)[-1][1].isoformat()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.plan_once", url, now, str(turns)],
        cwd=Path(__file__).parents[1],
        check=True,
        capture_output=True,
        text=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    if (told["items"], told["wanted"]) != (size, size * shape.wanted_count()) or told["reads_bars"]:
        raise RuntimeError(f"not a measurement: {shape.name}: {told}")
    return told


def _store_shape(connection: Connection, ids: Sequence[int], days: Sequence[date], shape: Shape) -> None:
    """The summaries of companies that have every session but the missing ones; the newest of them may still move."""
    stored = [day for place, day in enumerate(days) if place not in shape.missing]
    row = {
        "date": stored[-1],
        "close": Decimal("20.00"),
        "is_settled": False,
        "provider": "yahoo",
        "fetched_at": datetime(2013, 2, 28, 21, 30, tzinfo=UTC),
        "closes": DaySet.of(stored),
        "provisional": DaySet.of(stored[-1:]),
    }
    upsert(connection, PriceSummary, [{"company_id": company_id, **row} for company_id in ids], update=list(row))
    connection.execute(delete(table_of(PriceCoverage)))


def _lines(kind: str, size: int, shape: Shape, told: dict[str, Any]) -> list[Line]:
    what = f"{size:,} symbols, {shape.name}"
    return [
        below(what, NAMES[kind], told["wall_s"], PLAN_S, unit="s"),
        below(f"{what}: more memory", NAMES[kind], told["more_mb"], MORE_MB, unit="MB"),
    ]


def _growth(kind: str, curve: dict[int, dict[str, Any]]) -> Line:
    small, large = min(curve), max(curve)
    before, after = (curve[size]["cpu_s"] * 1e6 / size for size in (small, large))
    what = f"CPU a symbol, {small:,} -> {large:,}"
    return Line(what, NAMES[kind], f"{before:.0f} µs", f"{after:.0f} µs", after / before, GROWTH, at_most=True)
