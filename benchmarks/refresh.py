"""The daily refresh: history is stored up to the session before, then every company's new close is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import date, datetime
from statistics import median

from benchmarks.baseline import Baseline
from benchmarks.databases import NAMES, new_database
from benchmarks.ours import Ours, clone_symbols, opened, sessions
from benchmarks.report import Line, print_lines, spread
from closingbell.replay import ReplayProcess, replay_process
from closingbell.stores.database import open_database

LATENCY_MS = 100
CONCURRENCY = 64
HISTORY_SESSIONS = 60
# The usual design is measured on this many of the symbols each turn; all of them are loaded in its session.
BASELINE_SYMBOLS = 16

TIMES_BASELINE = 40.0
OF_FETCHING_ALONE = 0.70


@dataclass
class _Turns:
    """What the turns of one case gave, in symbols a second, and in requests."""

    baseline: list[float] = field(default_factory=list)
    fetching: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class _Markets:
    """The same recorded market twice: slow to measure, and fast to prepare."""

    slow: ReplayProcess
    fast: ReplayProcess

    def set_now(self, now: datetime) -> None:
        self.slow.set_now(now)
        self.fast.set_now(now)


def run(kinds: Sequence[str], *, quick: bool) -> list[Line]:
    """Measure every size on every database, print the table and return its lines."""
    sizes, turns = ((500,), 1) if quick else ((500, 2_000), 3)
    lines: list[Line] = []
    notes: list[str] = []
    with ExitStack() as stack:
        markets = _Markets(
            *(
                stack.enter_context(
                    replay_process(now=_sessions()[0][1], speed=0, latency_ms=latency, clones=max(sizes))
                )
                for latency in (LATENCY_MS, 0)
            )
        )
        for size in sizes:
            for kind in kinds:
                found = _measure(kind, size, turns, markets)
                lines += _lines(kind, size, found)
                notes.append(
                    f"{size} on {NAMES[kind]}: {'/'.join(str(n) for n in found.requests)} requests a refresh, "
                    f"client CPU {median(found.cpu_ms):.2f} ms a symbol"
                )
    notes.append(
        f"Usual design: {BASELINE_SYMBOLS} of the symbols a turn, all companies loaded in its session; "
        "it asks for 5 days, ours from the last unsettled session on."
    )
    print_lines(f"Daily refresh, answers after {LATENCY_MS} ms, {CONCURRENCY} requests under way", lines, notes)
    return lines


def _sessions() -> list[tuple[date, datetime]]:
    return sessions(date(2012, 10, 1), date(2013, 2, 28))


def _measure(kind: str, size: int, turns: int, markets: _Markets) -> _Turns:
    symbols = clone_symbols(size)
    found = _Turns()
    with ExitStack() as stack:
        url = stack.enter_context(new_database(kind))
        _store_history(url, symbols, markets)
        ours = stack.enter_context(opened(url, market_url=markets.slow.base_url, concurrency=CONCURRENCY))
        usual = stack.enter_context(closing(_usual(stack.enter_context(new_database(kind)), symbols, markets)))
        for turn in range(turns):
            _, before = _sessions()[HISTORY_SESSIONS + turn]
            day, now = _sessions()[HISTORY_SESSIONS + turn + 1]
            markets.set_now(now)
            _take_turn(found, ours, usual, symbols, first=before.date(), now=now, market=markets.slow)
            assert day == now.date()
    return found


def _take_turn(
    found: _Turns,
    ours: Ours,
    usual: Baseline,
    symbols: Sequence[str],
    *,
    first: date,
    now: datetime,
    market: ReplayProcess,
) -> None:
    """One new session for all three, one after the other."""
    took = usual.refresh(symbols[:BASELINE_SYMBOLS], period="5d")
    found.baseline.append(took.count / took.wall_s)
    found.fetching.append(ours.fetch_only(symbols, first=first, now=now))
    before = market.request_count
    refreshed = ours.run(now)
    found.ours.append(refreshed.symbols_per_s)
    found.cpu_ms.append(refreshed.cpu_s * 1000 / len(symbols))
    asked = market.request_count - before
    if asked != refreshed.summary.request_count or refreshed.rows != len(symbols):
        raise RuntimeError(f"{asked} requests, {refreshed.summary.request_count} counted, {refreshed.rows} bars")
    found.requests.append(asked)


def _store_history(url: str, symbols: Sequence[str], markets: _Markets) -> None:
    """Sixty sessions of every company, by the job itself on the fast market."""
    first, (_, now) = _sessions()[0][0], _sessions()[HISTORY_SESSIONS]
    markets.set_now(now)
    with opened(url, market_url=markets.fast.base_url, concurrency=16) as ours:
        ours.set_up()
        ours.buy(symbols, first)
        ours.run(now)


def _usual(url: str, symbols: Sequence[str], markets: _Markets) -> Baseline:
    """The usual design with the last five sessions of its symbols stored."""
    usual = Baseline(open_database(url).engine, market_url=markets.slow.base_url)
    usual.set_up(symbols)
    usual.refresh(symbols[:BASELINE_SYMBOLS], period="5d")
    return usual


def _lines(kind: str, size: int, found: _Turns) -> list[Line]:
    name, what, ours = NAMES[kind], f"{size} symbols", spread(found.ours)
    fetching = spread(found.fetching)
    return [
        Line(
            f"{what}, the usual design",
            name,
            spread(found.baseline),
            ours,
            median(o / b for o, b in zip(found.ours, found.baseline, strict=True)),
            TIMES_BASELINE,
        ),
        Line(
            f"{what}, fetching alone",
            name,
            fetching,
            ours,
            median(o / f for o, f in zip(found.ours, found.fetching, strict=True)),
            OF_FETCHING_ALONE,
            as_percent=True,
        ),
    ]
