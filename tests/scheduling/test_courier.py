"""A running scheduler sends what waits, and a receiver that takes its time delays no run."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from closingbell.jobs.scheduler import Scheduler
from closingbell.models import JobLog, OutboxMessage
from closingbell.usecases import messages
from tests.scheduling.fleet import context_on, prepare, rows, soon, wait_until
from tests.scheduling.quick_jobs import Plan, registry_of

# Less than a sender waits for an answer.
PATIENCE_S = 12


@dataclass
class Receiver:
    """What came in and when; nothing is answered until ``may_answer`` is set."""

    address: str = ""
    got: list[tuple[datetime, Any]] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A server on loopback."""
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.got.append((datetime.now(UTC), json.loads(body)))
            made.may_answer.wait(PATIENCE_S)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made.address = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        yield made
    finally:
        made.may_answer.set()
        server.shutdown()
        server.server_close()


@pytest.mark.slow
def test_a_scheduler_sends_what_waits_and_a_slow_receiver_delays_no_run(sqlite_tables_url: str, tmp_path: Path) -> None:
    plan = Plan(("quick_1",), soon(2).isoformat(), every_s=3, count=40)
    prepare(sqlite_tables_url, tmp_path, plan)
    with context_on(sqlite_tables_url, tmp_path) as context, receiver() as slow:
        messages.add_webhook(context, url=slow.address, events=("run.failed",), by="Ann")
        key = messages.queue_test(context).key
        scheduler = Scheduler(context, registry_of(plan))
        scheduler.start()
        try:
            [(came_at, body)] = wait_until(lambda: slow.got, within_s=30, what="the message has come")
            assert body["id"] == key

            def due_meanwhile() -> list[Any]:
                return [run for run in rows(context.database, JobLog) if run.fire_time and run.fire_time > came_at]

            [run, *_] = wait_until(due_meanwhile, within_s=PATIENCE_S - 2, what="a run that became due meanwhile began")
            # It is still being sent.
            assert [message.done_at for message in rows(context.database, OutboxMessage)] == [None]
            assert run.started_at - run.fire_time < timedelta(seconds=5)

            slow.may_answer.set()
            wait_until(
                lambda: [message.is_sent for message in rows(context.database, OutboxMessage)] == [True],
                within_s=30,
                what="it is written down as sent",
            )
        finally:
            slow.may_answer.set()
            scheduler.shutdown(grace_s=5)
    assert len(slow.got) == 1
