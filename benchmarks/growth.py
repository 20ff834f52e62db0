"""Does a symbol cost more CPU when there are more of them? Ours at 500 and 20,000, and the usual design."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from datetime import date
from statistics import median

from benchmarks.baseline import Baseline
from benchmarks.databases import NAMES, new_database
from benchmarks.ours import clone_symbols, opened, sessions
from benchmarks.report import Line, print_lines
from closingbell.replay import ReplayProcess, replay_process
from closingbell.stores.database import open_database

CONCURRENCY = 8
HISTORY_SESSIONS = 5
BASELINE_SYMBOLS = 8
AT_MOST = 1.3


def run(kinds: Sequence[str], *, quick: bool) -> list[Line]:
    """Measure on SQLite, print the table and return its lines."""
    if "sqlite" not in kinds:
        print("\nGrowth skipped: it is measured on SQLite")
        return []
    small, large = (100, 1_000) if quick else (500, 20_000)
    known = sessions(date(2012, 12, 3), date(2013, 2, 28))
    with replay_process(now=known[0][1], speed=0, clones=large) as market:
        # The small one before and after the large one, so that a drifting machine shows.
        before = _ours_ms(market, small, turns=4)
        ours_large = _ours_ms(market, large, turns=1)
        ours_small = [*before, *_ours_ms(market, small, turns=4)]
        usual_small, usual_large = (_usual_ms(market, size) for size in (small, large))
    lines = [
        Line(
            f"client CPU a symbol, {small} -> {large}",
            NAMES["sqlite"],
            f"{median(ours_small):.2f} ms",
            f"{median(ours_large):.2f} ms",
            median(ours_large) / median(ours_small),
            AT_MOST,
            at_most=True,
        ),
        Line(
            "the usual design, the same",
            NAMES["sqlite"],
            f"{usual_small:.1f} ms",
            f"{usual_large:.1f} ms",
            usual_large / usual_small,
        ),
    ]
    notes = [
        f"Compared with: {small} symbols; beside it: {large}. One refresh of a new session, answers after 0 ms.",
        f"Ours, {small}: {_listed(ours_small)}; {large}: {_listed(ours_large)} (ms, turn by turn).",
        f"Usual design: {BASELINE_SYMBOLS} symbols measured, all companies loaded in its session.",
    ]
    print_lines("Growth", lines, notes)
    return lines


def _listed(values: Sequence[float]) -> str:
    return " ".join(f"{value:.2f}" for value in values)


def _ours_ms(market: ReplayProcess, size: int, *, turns: int) -> list[float]:
    """Client CPU a symbol, in milliseconds, of one refresh after another."""
    known = sessions(date(2012, 12, 3), date(2013, 2, 28))
    found = []
    with new_database("sqlite") as url, opened(url, market_url=market.base_url, concurrency=CONCURRENCY) as ours:
        ours.set_up()
        ours.buy(clone_symbols(size), known[0][0])
        for turn, (_, now) in enumerate(known[HISTORY_SESSIONS : HISTORY_SESSIONS + turns + 1]):
            market.set_now(now)
            took = ours.run(now)
            # The first run fetches the history and builds the client.
            if turn:
                found.append(took.cpu_s * 1000 / size)
    return found


def _usual_ms(market: ReplayProcess, size: int) -> float:
    known = sessions(date(2012, 12, 3), date(2013, 2, 28))
    symbols = clone_symbols(size)
    with ExitStack() as stack:
        engine = open_database(stack.enter_context(new_database("sqlite"))).engine
        usual = stack.enter_context(closing(Baseline(engine, market_url=market.base_url)))
        usual.set_up(symbols)
        for _, now in known[HISTORY_SESSIONS : HISTORY_SESSIONS + 2]:
            market.set_now(now)
            took = usual.refresh(symbols[:BASELINE_SYMBOLS], period="5d")
    return took.cpu_s * 1000 / took.count
