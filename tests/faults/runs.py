"""Carries out runs of the daily job in processes that may be killed; run as a script, driven by lines on its input.

Everything heavy is imported once here; each run is a fork. A line is JSON: ``{"at_statement": 17}`` kills the run
just before its 17th SQL statement, ``{"after_chunk": 2}`` after its second transaction of prices, ``{"after_s": 0.2}``
after that time, ``{}`` lets it end; ``{"at_once": 2}`` starts
several runs together; ``env`` holds the settings. The answer is one line of JSON: how each run ended, and how many
statements it sent.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from dataclasses import replace
from datetime import date
from typing import Any

import pandas  # noqa: F401
import yfinance  # noqa: F401
from sqlalchemy import event

import closingbell
from closingbell import calendars
from closingbell.config import load_settings
from closingbell.errors import ClosingbellError
from closingbell.jobs import price_updater
from closingbell.jobs.context import EXTENSION
from closingbell.utils.clock import FixedClock

NEVER = 10**9


def run_once(report: int, at_statement: int, after_chunk: int) -> None:
    """One run of the daily job, a company a transaction; writes how it ended to the pipe ``report``."""
    price_updater.CHUNK_COMPANIES = 1
    _die_after(after_chunk)
    settings = load_settings()
    assert settings.closingbell_now is not None
    app = closingbell.create_app(settings)
    context = replace(app.extensions[EXTENSION], clock=FixedClock(settings.closingbell_now))
    app.extensions[EXTENSION] = context
    sent = {"statements": 0}

    @event.listens_for(context.database.engine, "before_cursor_execute")
    def _count(*_what: Any) -> None:
        sent["statements"] += 1
        if sent["statements"] == at_statement:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        with app.app_context():
            end = price_updater.update_daily_prices().status.value
    except ClosingbellError as error:
        end = type(error).__name__
    except Exception:
        end = traceback.format_exc()
    os.write(report, json.dumps({"end": end, "statements": sent["statements"]}).encode())


def _die_after(chunks: int) -> None:
    """Kill this process once so many chunks are stored."""
    store_chunk = price_updater.store_chunk
    stored: list[int] = []

    def store_and_die(*arguments: Any) -> Any:
        outcomes = store_chunk(*arguments)
        stored.append(len(outcomes))
        if len(stored) == chunks:
            os.kill(os.getpid(), signal.SIGKILL)
        return outcomes

    price_updater.store_chunk = store_and_die


def start(at_statement: int, after_chunk: int, env: dict[str, str]) -> tuple[int, int]:
    """Fork a run; its process id and the pipe that it reports to."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        os.environ.update(env)
        code = 1
        try:
            run_once(writing, at_statement, after_chunk)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    return pid, reading


def end(pid: int, reading: int) -> dict[str, Any]:
    """Wait for a run; how it ended."""
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(said) if said else {"end": "killed", "statements": 0}


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    # Building a calendar takes half a second: not in every fork.
    calendars.fetch_sessions("XNYS", date(2012, 9, 1), date(2012, 12, 1))
    _say("ready")
    for line in sys.stdin:
        wanted = json.loads(line)
        when = wanted.get("at_statement", NEVER), wanted.get("after_chunk", NEVER)
        runs = [start(*when, wanted["env"]) for _ in range(wanted.get("at_once", 1))]
        if "after_s" in wanted:
            time.sleep(wanted["after_s"])
            for pid, _ in runs:
                os.kill(pid, signal.SIGKILL)
        _say(json.dumps([end(*one) for one in runs]))


if __name__ == "__main__":
    main()
