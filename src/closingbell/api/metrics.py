"""``/metrics``: how everything is, for Prometheus, computed from the database so that every process says the same.

A request needs a token of scope read. Counters are totals that are kept, gauges are of this moment; no symbol is ever a
label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from closingbell.api.problems import problem_of, sealed
from closingbell.api.tokens import require_rights, verify_request
from closingbell.domain.run_totals import INFINITE
from closingbell.domain.runs import RunStatus
from closingbell.jobs.context import current_context
from closingbell.jobs.registry import Registry
from closingbell.queries.figures import Figures, Measured, load_figures
from closingbell.queries.now import JobNow, Now, look

# name after ``closingbell_``, what it says, and its value; a value that is not known leaves the line out.
OF_A_JOB: tuple[tuple[str, str, Callable[[JobNow], float | None]], ...] = (
    (
        "job_last_success_timestamp_seconds",
        "When the job last ended well.",
        lambda one: _timestamp(one.job.last_success_at),
    ),
    ("job_next_run_timestamp_seconds", "When the job is due next.", lambda one: _timestamp(one.job.next_run_time)),
    ("job_running", "1 while a run of the job is under way.", lambda one: float(_is_running(one))),
    ("job_paused", "1 while the job is paused.", lambda one: float(one.job.paused_at is not None)),
    ("job_overdue", "1 when a due time has passed and nobody recorded it.", lambda one: float(one.job.is_overdue)),
    ("job_last_run_duration_seconds", "How long the newest ended run took.", lambda one: one.last_s),
    (
        "job_last_run_failed_companies",
        "For how many companies the newest run failed.",
        lambda one: float(one.job.last_run.stocks_failed) if one.job.last_run else None,
    ),
)
OF_ALL: tuple[tuple[str, str, Callable[[Now], float | None]], ...] = (
    (
        "scheduler_heartbeat_timestamp_seconds",
        "When a scheduler was last seen.",
        lambda seen: _timestamp(seen.scheduler_seen_at),
    ),
    ("scheduler_alive", "1 while a scheduler is alive.", lambda seen: float(seen.is_scheduler_alive)),
    (
        "closes_expected",
        "Companies held that should have the newest session's close.",
        lambda seen: float(seen.closes.expected_count) if seen.closes else None,
    ),
    (
        "closes_stored",
        "How many of them have it.",
        lambda seen: float(seen.closes.covered_count) if seen.closes else None,
    ),
    (
        "companies_incomplete",
        "Companies that miss a session since the newest daily run of all companies.",
        lambda seen: float(seen.closes.left_count) if seen.closes else None,
    ),
    ("incidents_open", "What went wrong and goes on.", lambda seen: float(len(seen.incidents))),
    (
        "quarantined_bars",
        "Bars set aside until a person decides.",
        lambda seen: float(seen.quarantined_count),
    ),
)


def metrics_api(registry: Registry) -> Blueprint:
    """The blueprint of ``/metrics``, with a guard of its own."""
    blueprint = Blueprint("api_metrics", __name__)

    def show_metrics() -> Response:
        context = current_context()
        seen = look(
            context.database,
            registry,
            now=context.clock.now(),
            wall=context.wall.now(),
            disabled=context.settings.disabled_jobs,
        )
        figures = load_figures(
            context.database,
            job_names=registry.keys(),
            mics={clock.mic for clock in seen.clocks},
            now=context.clock.now(),
        )
        lines = CollectorRegistry()
        lines.register(_Reading(seen, figures))
        return Response(generate_latest(lines), content_type=CONTENT_TYPE_LATEST)

    blueprint.add_url_rule("/metrics", "show_metrics", show_metrics)
    blueprint.before_request(_guard)
    blueprint.after_request(sealed)
    blueprint.register_error_handler(Exception, problem_of)
    return blueprint


def _guard() -> None:
    require_rights(verify_request(needs="read"), needs="read")


class _Reading(Collector):
    """One moment's figures in Prometheus' words."""

    def __init__(self, seen: Now, figures: Figures) -> None:
        self._seen = seen
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        for name, says, value in OF_ALL:
            yield _family(name, says, [((), value(self._seen))])
        for name, says, of_job in OF_A_JOB:
            yield _family(name, says, [((one.job.id,), of_job(one)) for one in self._seen.jobs], labels=("job",))
        figures = self._figures
        yield _counter("job_runs", "Runs that ended, by how.", figures.runs, labels=("job", "status"))
        yield _counter("symbols", "Companies in ended runs, by outcome.", figures.companies, labels=("job", "outcome"))
        yield _histogram("job_run_duration_seconds", "How long ended runs took.", figures.durations)
        yield _histogram("tick_lateness_seconds", "How long after its due time a run began.", figures.lateness)
        ages = [((mic,), age) for mic, age in figures.price_ages.items()]
        yield _family("price_age_seconds", "How old a market's newest stored price is.", ages, labels=("mic",))


def _counter(
    name: str, says: str, counts: Mapping[tuple[str, str], int], *, labels: tuple[str, str]
) -> CounterMetricFamily:
    family = CounterMetricFamily(f"closingbell_{name}", says, labels=labels)
    for values, count in counts.items():
        family.add_metric(values, count)
    return family


def _histogram(name: str, says: str, measured: Mapping[str, Measured]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(f"closingbell_{name}", says, labels=("job",))
    for job, of_job in measured.items():
        buckets = [("+Inf" if bound == INFINITE else str(bound), count) for bound, count in of_job.buckets]
        family.add_metric((job,), buckets, of_job.sum_s)
    return family


def _family(
    name: str, says: str, samples: Iterable[tuple[tuple[str, ...], float | None]], *, labels: tuple[str, ...] = ()
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"closingbell_{name}", says, labels=labels)
    for values, value in samples:
        if value is not None:
            family.add_metric(values, value)
    return family


def _is_running(one: JobNow) -> bool:
    return one.job.last_run is not None and one.job.last_run.status == RunStatus.RUNNING


def _timestamp(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()
