"""*Runs* and *a run*: filters, live progress, outcomes grouped by error, cancel and retry."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator

import orjson
from flask import Blueprint, Response, abort, flash, redirect, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue

from closingbell.domain.runs import RunStatus, requests_in_words
from closingbell.jobs.context import JobContext, current_context
from closingbell.jobs.registry import Registry
from closingbell.queries.csv_text import csv_lines
from closingbell.queries.jobs import find_run
from closingbell.queries.runs import (
    SKIPPED,
    ItemView,
    RunFilter,
    RunView,
    group_items,
    load_time_line,
    read_place,
    run_items,
)
from closingbell.usecases import control
from closingbell.web.guard import Right, needs, who_asks

RUNS_A_PAGE = 50
# A live view holds a thread of the server: so many at once, each for so long. Others are told the state of now; the
# browser asks again by itself.
MOST_STREAMS = 3
LONGEST_STREAM_S = 120.0
STREAM_EVERY_S = 1.0
SHOWN_OF_A_GROUP = 50

_STATUSES = [status.value for status in RunStatus]
_streams = threading.BoundedSemaphore(MOST_STREAMS)


def add_routes(pages: Blueprint, registry: Registry) -> None:
    """The routes of this module."""

    @needs(Right.VIEWER)
    def runs() -> ResponseReturnValue:
        chosen = RunFilter(
            job_name=request.args.get("job") or None,
            status=_status(),
            symbol=request.args.get("symbol", "").strip().upper() or None,
        )
        before = read_place(request.args.get("before", ""))
        line = load_time_line(current_context().database, chosen, before=before, limit=RUNS_A_PAGE)
        return render_template(
            "runs.html", line=line, chosen=chosen, job_names=sorted(registry), statuses=[*_STATUSES, SKIPPED]
        )

    @needs(Right.ADMINISTRATOR)
    def ask_run(run_id: int, what: str) -> ResponseReturnValue:
        run = find_run(current_context().database, run_id)
        if what not in {"cancel", "retry"}:
            abort(404)
        return render_template("ask_run.html", run=run, what=what)

    @needs(Right.ADMINISTRATOR)
    def do_run(run_id: int, what: str) -> ResponseReturnValue:
        context, who = current_context(), who_asks()
        run = find_run(context.database, run_id)
        if what == "cancel":
            stops = control.cancel_run(context, run.id, by=who)
            said = "It will stop within seconds." if stops else "It had ended already, or was being stopped."
        elif what == "retry":
            request_id = control.retry_run(context, registry, run.id, by=who, trigger="web")
            said = f"The failed companies were asked for again (request {request_id})."
        else:
            abort(404)
        flash(said)
        return redirect(url_for("pages.run", run_id=run.id))

    run_rule = "/runs/<int(max=9223372036854775807):run_id>"
    pages.add_url_rule("/runs", "runs", runs)
    pages.add_url_rule(run_rule, "run", show_run)
    pages.add_url_rule(f"{run_rule}/progress", "run_progress", run_progress)
    pages.add_url_rule(f"{run_rule}/companies.csv", "run_companies", send_companies)
    pages.add_url_rule(f"{run_rule}/<what>", "ask_run", ask_run)
    pages.add_url_rule(f"{run_rule}/<what>", "do_run", do_run, methods=["POST"])


def _status() -> str | None:
    given = request.args.get("status", "").upper()
    return given if given in {*_STATUSES, SKIPPED} else None


@needs(Right.VIEWER)
def show_run(run_id: int) -> ResponseReturnValue:
    """One run and how each company ended in it."""
    database = current_context().database
    run = find_run(database, run_id)
    groups = group_items(database, run_id, most=SHOWN_OF_A_GROUP)
    counts: Counter[str] = Counter()
    for one in groups:
        counts[one.outcome] += one.count
    return render_template(
        "run.html",
        run=run,
        requests=requests_in_words(run.request_count, run.requests_by_provider),
        groups=groups,
        counts=counts,
    )


@needs(Right.VIEWER)
def send_companies(run_id: int) -> ResponseReturnValue:
    """Every company of a run and how it ended, as CSV: a page shows the first of each kind alone."""
    database = current_context().database
    find_run(database, run_id)
    names = ItemView.__slots__
    lines = csv_lines(names, ([getattr(item, name) for name in names] for item in run_items(database, run_id)))
    return Response(
        "".join(lines), mimetype="text/csv", headers={"Content-Disposition": f"attachment; filename=run-{run_id}.csv"}
    )


@needs(Right.VIEWER)
def run_progress(run_id: int) -> ResponseReturnValue:
    """Server-sent events of a run's counts until it ends."""
    context = current_context()
    find_run(context.database, run_id)
    response = Response(stream_with_context(_stream(context, run_id)), mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    # A proxy that collects answers would make them late.
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _stream(context: JobContext, run_id: int) -> Iterator[bytes]:
    is_ours = _streams.acquire(blocking=False)
    try:
        yield from _events(context, run_id, lasting_s=LONGEST_STREAM_S if is_ours else 0.0)
    finally:
        if is_ours:
            _streams.release()


def _events(context: JobContext, run_id: int, *, lasting_s: float) -> Iterator[bytes]:
    gives_up_at = time.monotonic() + lasting_s
    last = None
    while True:
        run = find_run(context.database, run_id)
        told = _progress(context, run)
        if told != last:
            yield b"data: " + orjson.dumps(told) + b"\n\n"
            last = told
        if run.status != RunStatus.RUNNING:
            yield b"event: ended\ndata: {}\n\n"
            return
        if time.monotonic() + STREAM_EVERY_S > gives_up_at:
            return
        time.sleep(STREAM_EVERY_S)


def _progress(context: JobContext, run: RunView) -> dict[str, object]:
    """Counts, the company that ended last, rate and time left of a run: what a script puts on the page."""
    running_s = max((context.clock.now() - run.started_at).total_seconds(), 0.001)
    rate = run.stocks_processed / running_s
    left = (run.stocks_planned or 0) - run.stocks_processed
    return {
        "status": run.status,
        "planned": run.stocks_planned,
        "processed": run.stocks_processed,
        "failed": run.stocks_failed,
        "symbol": run.last_symbol,
        "requests": run.request_count,
        "rate": round(rate, 1),
        "left_s": round(left / rate) if rate and left > 0 else None,
    }
