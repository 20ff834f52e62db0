"""One plan in a process of its own, which tells what it cost: ``python -m benchmarks.plan_once URL NOW TURNS``."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import event

from benchmarks.ours import opened
from benchmarks.stored import NOBODY
from closingbell.jobs.price_planning import Selection, plan_refresh
from closingbell.utils.garbage import collect_less_often
from closingbell.utils.logs import configure_logs


def main(url: str, now: str, turns: str) -> None:
    """Plan for all companies held, and print the cost as JSON."""
    configure_logs("ERROR", "text")
    collect_less_often()
    with opened(url, market_url=NOBODY, concurrency=8) as ours:
        context = ours.at(datetime.fromisoformat(now))
        # What every process has loaded sooner or later: libraries, the sessions, compiled statements.
        plan_refresh(context, Selection(symbols=("C00001",)))
        reads: list[str] = []
        event.listen(context.database.engine, "before_cursor_execute", lambda *told: reads.append(told[2]))
        idle_mb = _memory_mb("VmRSS")
        walls, cpus = [], []
        peak_mb = idle_mb
        for _ in range(int(turns)):
            wall, cpu = time.perf_counter(), time.process_time()
            plan = plan_refresh(context, Selection())
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
            # What the turns leave behind counts too.
            peak_mb = _memory_mb("VmHWM")
        told: dict[str, Any] = {
            "wall_s": median(walls),
            "cpu_s": median(cpus),
            "idle_mb": idle_mb,
            "more_mb": peak_mb - idle_mb,
            "items": len(plan.items),
            "wanted": sum(len(item.wanted) for item in plan.items),
            "statements": len(reads) // int(turns),
            "reads_bars": any("price_history" in statement for statement in reads),
        }
    print(json.dumps(told))


def _memory_mb(name: str) -> float:
    """``VmRSS``: what is resident now; ``VmHWM``: the most that ever was."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(name)) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
