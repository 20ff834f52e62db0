"""What ended runs come to: counts that only grow, and how long runs took and how late they began, in buckets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Upper bounds in seconds; whatever is longer is in a last bucket without a bound.
DURATION_BOUNDS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
LATENESS_BOUNDS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
UNBOUNDED = "inf"
INFINITE = float(UNBOUNDED)

# Kinds of totals, each by job and label: a status, an outcome, a bucket's bound; sums in milliseconds have no label.
RUNS, SYMBOLS = "runs", "symbols"
DURATION, DURATION_MS = "duration", "duration_ms"
LATENESS, LATENESS_MS = "lateness", "lateness_ms"

# (kind, label) -> how much it is raised by.
Raised = dict[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class EndedRun:
    """One run as it counts; ``late_s`` is None where it was due at no time, or not at its first attempt.

    ``outcomes`` are its companies by outcome.
    """

    status: str
    duration_s: float | None
    late_s: float | None
    outcomes: Mapping[str, int]


def raised_by(run: EndedRun) -> Raised:
    """What one more ended run raises, and by how much."""
    raised: Raised = {(RUNS, run.status.lower()): 1}
    raised |= {(SYMBOLS, outcome): count for outcome, count in run.outcomes.items()}
    if run.duration_s is not None:
        raised |= _measured(DURATION, DURATION_MS, run.duration_s, DURATION_BOUNDS)
    if run.late_s is not None:
        raised |= _measured(LATENESS, LATENESS_MS, run.late_s, LATENESS_BOUNDS)
    return raised


def _measured(kind: str, sum_kind: str, seconds: float, bounds: tuple[float, ...]) -> Raised:
    # A clock that was set back makes no run end before it began.
    seconds = max(seconds, 0.0)
    return {(kind, _bucket_of(seconds, bounds)): 1, (sum_kind, ""): round(seconds * 1000)}


def _bucket_of(seconds: float, bounds: tuple[float, ...]) -> str:
    """The label of the smallest bucket that holds a time."""
    return next((f"{bound:g}" for bound in bounds if seconds <= bound), UNBOUNDED)


def cumulative(counts: Mapping[str, int], bounds: tuple[float, ...]) -> list[tuple[float, int]]:
    """How many were at most as long as each bound, and in the end all of them; ``counts`` are by bucket's label."""
    by_bound = {float(label): count for label, count in counts.items()}
    up_to = [(bound, sum(count for at, count in by_bound.items() if at <= bound)) for bound in bounds]
    return [*up_to, (INFINITE, sum(by_bound.values()))]
