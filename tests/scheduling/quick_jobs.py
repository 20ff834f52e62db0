"""Jobs and schedules for trying schedulers, in this process or in closingbell's own commands.

A command whose environment comes from ``environment()`` has these jobs instead of the real ones, and leases and chunks
as short as the test wants; everything else in it is closingbell's.
"""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from closingbell.domain.runs import RunStatus, RunSummary
from closingbell.domain.schedules import CatchUp, FireTime, Sessions
from closingbell.jobs import price_updater, registry
from closingbell.jobs.context import JobContext
from closingbell.jobs.registry import Job
from closingbell.jobs.runner import Ending, Occasion, Run, carry_out
from closingbell.stores import job_log

REPOSITORY = Path(__file__).resolve().parents[2]
JOBS_VARIABLE = "CLOSINGBELL_TEST_JOBS"
QUICK = ("quick_1", "quick_2", "quick_3", "quick_4", "quick_5")


@dataclass(frozen=True, slots=True)
class Series:
    """So many fire times, every so often from an instant on; then no more."""

    start: datetime
    every: timedelta
    count: int

    @property
    def words(self) -> str:
        return f"{self.count} times every {self.every} from {self.start}"

    def all(self) -> list[datetime]:
        """Every fire time there will ever be."""
        return [self.start + number * self.every for number in range(self.count)]

    def fire_times(self, after: datetime, until: datetime, sessions: Sessions) -> list[FireTime]:
        return [FireTime(at) for at in self.all() if after < at <= until]


@dataclass(frozen=True)
class Plan:
    """What the jobs of another process are like; ``start`` is ISO 8601. Zero seconds leave what closingbell says."""

    jobs: tuple[str, ...]
    start: str
    every_s: float = 2
    count: int = 1
    catch_up: int | None = None
    overlap: str = "queue"
    seconds: float = 0.05
    lease_s: float = 0
    heartbeat_s: float = 0
    stall_grace_s: float = 0
    chunk: int = 0

    @property
    def series(self) -> Series:
        return Series(datetime.fromisoformat(self.start), timedelta(seconds=self.every_s), self.count)


def environment(plan: Plan) -> dict[str, str]:
    """The variables that make a closingbell command have these jobs."""
    path = os.pathsep.join([str(REPOSITORY / "tests" / "scheduling" / "site"), str(REPOSITORY)])
    return {"PYTHONPATH": path, JOBS_VARIABLE: json.dumps(asdict(plan))}


def _plan() -> Plan:
    told = json.loads(os.environ[JOBS_VARIABLE])
    return Plan(**{field.name: told[field.name] for field in fields(Plan)} | {"jobs": tuple(told["jobs"])})


def registry_of(plan: Plan) -> dict[str, Job]:
    """The jobs of a plan: quick ones, ``slow``, ``deaf`` and the real ``daily_price_update``."""
    functions = dict.fromkeys(QUICK, "quick") | {"slow": "slow", "deaf": "deaf", "daily_price_update": "prices"}
    return {
        name: Job(
            name,
            "a job for trying schedulers",
            plan.series,
            f"{__name__}:{functions[name]}" if functions[name] != "quick" else f"{__name__}:{name}",
            catch_up=CatchUp(plan.catch_up),
            overlap=plan.overlap,
            arguments=("symbols",) if name == "daily_price_update" else (),
        )
        for name in plan.jobs
    }


def install() -> None:
    """Put the jobs of the environment in the place of closingbell's."""
    plan = _plan()
    registry.jobs_of = lambda _settings: registry_of(plan)
    if plan.lease_s:
        job_log.LEASE = timedelta(seconds=plan.lease_s)
    if plan.heartbeat_s:
        job_log.HEARTBEAT = timedelta(seconds=plan.heartbeat_s)
    if plan.stall_grace_s:
        from closingbell.jobs import watch

        watch._STALL_GRACE = timedelta(seconds=plan.stall_grace_s)
    if plan.chunk:
        price_updater.CHUNK_COMPANIES = plan.chunk


def _patiently(context: JobContext, occasion: Occasion, name: str, seconds: float) -> RunSummary:
    """A run that takes so long and asks between its steps whether it is to stop."""

    def body(run: Run) -> Ending:
        ends_at = time.monotonic() + seconds
        while (left := ends_at - time.monotonic()) > 0:
            run.check()
            time.sleep(min(left, 0.05))
        return Ending(RunStatus.SUCCESS, "done")

    return carry_out(context, name, body, occasion)


def quick_1(context: JobContext, occasion: Occasion, **_: Any) -> RunSummary:
    return _patiently(context, occasion, "quick_1", 0.05)


def quick_2(context: JobContext, occasion: Occasion, **_: Any) -> RunSummary:
    return _patiently(context, occasion, "quick_2", 0.05)


def quick_3(context: JobContext, occasion: Occasion, **_: Any) -> RunSummary:
    return _patiently(context, occasion, "quick_3", 0.05)


def quick_4(context: JobContext, occasion: Occasion, **_: Any) -> RunSummary:
    return _patiently(context, occasion, "quick_4", 0.05)


def quick_5(context: JobContext, occasion: Occasion, **_: Any) -> RunSummary:
    return _patiently(context, occasion, "quick_5", 0.05)


def slow(context: JobContext, occasion: Occasion, **_: Any) -> RunSummary:
    """Takes as long as the plan of the environment says."""
    return _patiently(context, occasion, "slow", _plan().seconds)


# Ends the deaf: they listen to nothing else.
told_to_end = threading.Event()


def deaf(context: JobContext, occasion: Occasion, **_: Any) -> RunSummary:
    """Never asks whether it is to stop, and gets nowhere."""

    def body(_run: Run) -> Ending:
        told_to_end.wait(_plan().seconds if JOBS_VARIABLE in os.environ else 60)
        return Ending(RunStatus.SUCCESS, "done")

    return carry_out(context, "deaf", body, occasion)


def prices(context: JobContext, occasion: Occasion, **arguments: Any) -> RunSummary:
    """The real thing."""
    return price_updater.run_daily_price_update(context, occasion, **arguments)


def failing(context: JobContext, occasion: Occasion, **_: Any) -> RunSummary:
    """Begins and fails."""

    def body(_run: Run) -> Ending:
        raise ValueError("this job always fails")

    return carry_out(context, "failing", body, occasion)
