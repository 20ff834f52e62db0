"""The daily refresh: history is stored up to the session before, then every company's new close is fetched.

Twice: by quote, as the daily job does it when all is well, and with a chart for each company. The sweep that reads
companies again is counted and printed apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import date, datetime
from statistics import median

from benchmarks.baseline import Baseline
from benchmarks.databases import NAMES, new_database
from benchmarks.ours import Ours, Took, clone_symbols, opened, sessions
from benchmarks.report import Line, print_lines, spread
from closingbell.replay import ReplayProcess, replay_process
from closingbell.stores.database import open_database

LATENCY_MS = 100
CONCURRENCY = 64
HISTORY_SESSIONS = 60
# The usual design is measured on this many of the symbols each turn; all of them are loaded in its session.
BASELINE_SYMBOLS = 16

TIMES_BASELINE_BY_QUOTE = 200.0
# For 2,000 companies: 20 for quotes, and what the library asks for on its own.
MOST_REQUESTS = 25
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
    quoted: list[float] = field(default_factory=list)
    quote_requests: list[int] = field(default_factory=list)
    quote_cpu_ms: list[float] = field(default_factory=list)
    swept: list[int] = field(default_factory=list)
    sweep_requests: list[int] = field(default_factory=list)
    sweep_s: list[float] = field(default_factory=list)


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
                notes += _notes(f"{size} on {NAMES[kind]}", found)
    notes.append(
        f"Usual design: {BASELINE_SYMBOLS} of the symbols a turn, all companies loaded in its session; "
        "it asks for 5 days, ours from the last unsettled session on (by chart) or for the newest alone (by quote)."
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
            # Two new sessions a turn: one by chart, one by quote.
            (_, before), (_, by_chart), (_, by_quote) = _sessions()[HISTORY_SESSIONS + 2 * turn :][:3]
            markets.set_now(by_chart)
            _take_turn(found, ours, usual, symbols, first=before.date(), now=by_chart, market=markets.slow)
            markets.set_now(by_quote)
            _take_quotes(found, ours, symbols, now=by_quote, market=markets.slow)
        _sweep(found, ours, now=by_quote)
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
    refreshed = ours.run_by_charts(now)
    found.ours.append(refreshed.symbols_per_s)
    found.cpu_ms.append(refreshed.cpu_s * 1000 / len(symbols))
    found.requests.append(_checked(refreshed, market.request_count - before, len(symbols)))


def _take_quotes(found: _Turns, ours: Ours, symbols: Sequence[str], *, now: datetime, market: ReplayProcess) -> None:
    """One more session for ours, as the daily job asks for it."""
    before = market.request_count
    refreshed = ours.run(now)
    found.quoted.append(refreshed.symbols_per_s)
    found.quote_cpu_ms.append(refreshed.cpu_s * 1000 / len(symbols))
    found.quote_requests.append(_checked(refreshed, market.request_count - before, len(symbols)))


def _checked(refreshed: Took, asked: int, size: int) -> int:
    """The requests that the market saw, if the run counted them so and every company has its new bar."""
    if asked != refreshed.summary.request_count or refreshed.rows != size:
        raise RuntimeError(f"{asked} requests, {refreshed.summary.request_count} counted, {refreshed.rows} bars")
    return asked


def _sweep(found: _Turns, ours: Ours, *, now: datetime) -> None:
    """Whoever's turn it is after the last session."""
    swept = ours.sweep(now)
    found.swept.append(len(swept.summary.items))
    found.sweep_requests.append(swept.summary.request_count)
    found.sweep_s.append(swept.wall_s)


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


def _notes(what: str, found: _Turns) -> list[str]:
    def listed(numbers: Sequence[int]) -> str:
        return "/".join(str(number) for number in numbers)

    return [
        f"{what}: by quote {listed(found.quote_requests)} requests a refresh, client CPU "
        f"{median(found.quote_cpu_ms):.2f} ms a symbol; by chart {listed(found.requests)}, "
        f"{median(found.cpu_ms):.2f} ms; the sweep after it read {listed(found.swept)} companies "
        f"with {listed(found.sweep_requests)} requests in {median(found.sweep_s):.1f} s",
    ]


def _lines(kind: str, size: int, found: _Turns) -> list[Line]:
    name, what, ours = NAMES[kind], f"{size} symbols", spread(found.ours)
    fetching = spread(found.fetching)
    return [
        Line(
            f"{what} by quote, the usual design",
            name,
            spread(found.baseline),
            spread(found.quoted),
            median(o / b for o, b in zip(found.quoted, found.baseline, strict=True)),
            TIMES_BASELINE_BY_QUOTE if size >= 2_000 else None,
        ),
        Line(
            f"{what} by quote, requests",
            name,
            f"{MOST_REQUESTS}",
            f"{max(found.quote_requests)}",
            max(found.quote_requests) / MOST_REQUESTS,
            1.0 if size >= 2_000 else None,
            at_most=True,
        ),
        Line(
            f"{what} by chart, the usual design",
            name,
            spread(found.baseline),
            ours,
            median(o / b for o, b in zip(found.ours, found.baseline, strict=True)),
            TIMES_BASELINE,
        ),
        Line(
            f"{what} by chart, fetching alone",
            name,
            fetching,
            ours,
            median(o / f for o, f in zip(found.ours, found.fetching, strict=True)),
            OF_FETCHING_ALONE,
            as_percent=True,
        ),
    ]
