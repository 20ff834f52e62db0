"""One scheduler with quick jobs, for so many seconds; prints what it measured as JSON."""

from __future__ import annotations

import json
import sys
import time
from datetime import timedelta
from typing import Any

from closingbell.app import create_app, start_scheduler_of
from closingbell.config import load_settings
from closingbell.domain.runs import RunStatus, RunSummary
from closingbell.domain.schedules import CatchUp, Every
from closingbell.jobs import scheduler
from closingbell.jobs.context import JobContext
from closingbell.jobs.registry import Job
from closingbell.jobs.runner import Ending, Occasion, carry_out

claims_ms: list[float] = []
late_ms: list[float] = []


def _named(number: int) -> Any:
    """A job that does nothing but say how late it began."""

    def function(context: JobContext, occasion: Occasion, **_: Any) -> RunSummary:
        late_ms.append((context.wall.now() - (occasion.fire_time or context.wall.now())).total_seconds() * 1000)
        return carry_out(context, f"quick_{number}", lambda _run: Ending(RunStatus.SUCCESS, "done"), occasion)

    return function


def main(seconds: float, job_count: int, every_s: int) -> None:
    """Run the scheduler and print what was measured."""
    jobs = {}
    for number in range(job_count):
        name = f"quick_{number}"
        globals()[name] = _named(number)
        jobs[name] = Job(
            name,
            "does nothing",
            Every(timedelta(seconds=every_s)),
            f"{__name__}:{name}",
            catch_up=CatchUp(None),
            overlap="queue",
        )
    _measure_claims()
    app = create_app(load_settings(log_level="ERROR"), registry=jobs)
    running = start_scheduler_of(app)
    time.sleep(seconds)
    running.shutdown(grace_s=10)
    print(json.dumps({"claims_ms": claims_ms, "late_ms": late_ms}))


def _measure_claims() -> None:
    """Time each look at what is due that found something."""
    record_due = scheduler.record_due

    def measured(*args: Any, **kwargs: Any) -> int:
        began = time.perf_counter()
        count = record_due(*args, **kwargs)
        if count:
            claims_ms.append((time.perf_counter() - began) * 1000)
        return count

    scheduler.record_due = measured


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
