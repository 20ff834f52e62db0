"""What an administrator does to a job: run now, pause, resume. Each is asked once and written down."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from closingbell.errors import UsageError
from closingbell.jobs.context import current_context
from closingbell.jobs.registry import Job, Registry, find_job
from closingbell.usecases import control
from closingbell.web.guard import Right, needs, who_asks

LONGEST_WHY = 500
MOST_SYMBOLS = 500

QUESTIONS = {
    "run": "Run {name} now?",
    "pause": "Pause {name}? Due times are recorded as skipped until it is resumed.",
    "resume": "Resume {name}?",
}


def add_routes(pages: Blueprint, registry: Registry) -> None:
    """The routes of this module."""

    @needs(Right.ADMINISTRATOR)
    def ask_job(name: str, what: str) -> ResponseReturnValue:
        job = find_job(registry, name)
        if what not in QUESTIONS:
            abort(404)
        return render_template("ask_job.html", job=job, what=what, question=QUESTIONS[what].format(name=job.name))

    @needs(Right.ADMINISTRATOR)
    def do_job(name: str, what: str) -> ResponseReturnValue:
        job = find_job(registry, name)
        if what not in QUESTIONS:
            abort(404)
        flash(_do(registry, job, what))
        return redirect(url_for("pages.now"))

    pages.add_url_rule("/jobs/<name>/<what>", "ask_job", ask_job)
    pages.add_url_rule("/jobs/<name>/<what>", "do_job", do_job, methods=["POST"])


def _do(registry: Registry, job: Job, what: str) -> str:
    """Carry it out, and say what came of it."""
    context, who = current_context(), who_asks()
    if what == "run":
        symbols = _symbols(job)
        control.request_run(context, registry, job.name, by=who, trigger="web", symbols=symbols)
        return f"{job.name} was asked for; a scheduler takes it up within seconds."
    if what == "pause":
        why = request.form.get("why", "").strip()[:LONGEST_WHY] or None
        changed = control.pause_job(context, registry, job.name, by=who, why=why)
        return f"{job.name} is paused." if changed else f"{job.name} was paused already."
    changed = control.resume_job(context, registry, job.name, by=who)
    return f"{job.name} goes on." if changed else f"{job.name} was not paused."


def _symbols(job: Job) -> tuple[str, ...] | None:
    given = request.form.get("symbols", "")
    symbols = tuple(dict.fromkeys(part.strip().upper() for part in given.replace(",", " ").split()))
    if len(symbols) > MOST_SYMBOLS:
        raise UsageError(f"at most {MOST_SYMBOLS} symbols at a time")
    return symbols if symbols and "symbols" in job.arguments else None
