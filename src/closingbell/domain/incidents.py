"""Incidents: what people are told of a failing job, and when. One message when it begins, one a day while it lasts,
one when it is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from closingbell.domain.market_zones import in_new_york
from closingbell.domain.runs import RunEnd, RunStatus

REMIND_AFTER = timedelta(hours=24)
MOST_NAMED = 10
GIVEN_UP = "given_up"

# A cancelled run is what somebody asked for; an interrupted one is taken up again when its process is back.
QUIET_KINDS = frozenset({"cancelled", "interrupted"})


class Step(StrEnum):
    """What a run's end does to an incident."""

    NOTHING = "nothing"
    OPEN = "open"
    COUNT = "count"
    REMIND = "remind"
    RECOVER = "recover"


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """Something that goes on: since when, how often it was seen, when people last heard of it."""

    id: int
    job_name: str
    kind: str
    opened_at: datetime
    reminded_at: datetime
    seen_count: int


@dataclass(frozen=True, slots=True)
class Message:
    """What people are told; ``key`` is there once per person, ``level`` is error, warning or info."""

    key: str
    level: str
    title: str
    body: str


def decide(incident: OpenIncident | None, end: RunEnd, *, now: datetime) -> Step:
    """What the end of a run does to the open incident of its job and kind (None: there is none)."""
    if end.status is RunStatus.SUCCESS:
        # A run over chosen companies says nothing of the others, so it ends no incident.
        return Step.NOTHING if incident is None or end.is_narrowed else Step.RECOVER
    if end.kind in QUIET_KINDS:
        return Step.NOTHING
    if incident is None:
        return Step.OPEN
    return Step.REMIND if now - incident.reminded_at >= REMIND_AFTER else Step.COUNT


def key_of(end: RunEnd) -> str:
    """What tells one open incident from another: job and kind of failure."""
    return f"{end.job_name}|{kind_of(end)}"


def kind_of(end: RunEnd) -> str:
    """The kind of failure; a run that does not name one is called by its status."""
    return end.kind or end.status.value.lower()


def opened(incident_id: int, end: RunEnd) -> Message:
    """The message that an incident begins."""
    body = _paragraphs(_sentence(_what(end)), _failed(end.failed_symbols), _look_closer(end))
    return Message(f"incident-{incident_id}-opened", _level(end), _title(end), body)


def reminder(incident: OpenIncident, end: RunEnd, *, now: datetime) -> Message:
    """The message that an incident goes on; ``incident`` counts this run already."""
    since = f"Since {in_new_york(incident.opened_at)}: {_times(incident.seen_count)}. The last time:"
    body = _paragraphs(since, _sentence(_what(end)), _failed(end.failed_symbols), _look_closer(end))
    return Message(f"incident-{incident.id}-reminded-{now.date()}", _level(end), f"Still: {_title(end)}", body)


def recovered(incident: OpenIncident, end: RunEnd) -> Message:
    """The message that an incident is over."""
    before = f"{incident.kind} since {in_new_york(incident.opened_at)}, {_times(incident.seen_count)}."
    title = f"{incident.job_name} works again"
    body = _paragraphs(_sentence(end.message), f"Before that: {before}", _look_closer(end))
    return Message(f"incident-{incident.id}-recovered", "info", title, body)


def given_up(job_name: str, run_id: int, reason: str | None, *, fire_time: datetime, attempts: int) -> RunEnd:
    """The end of a due time whose attempts are used up: nobody takes it up again."""
    message = f"given up after {attempts} attempts at the due time {in_new_york(fire_time)}"
    return RunEnd(run_id, job_name, RunStatus.FAILED, message, GIVEN_UP, (), reason)


def closed_by_itself(symbol: str, company_id: int, *, reason: str, session: date, run_id: int) -> Message:
    """The message that a company was closed because no provider knows it any more."""
    body = _paragraphs(
        f"{_sentence(reason)} Its history stays; nothing more is expected or asked for.",
        f"Was it renamed? closingbell rename-symbol {symbol} NEW --from DATE --why ...",
        f"Should it be asked for again? closingbell reopen-company {symbol} --why ...",
        f"Run {run_id}.",
    )
    return Message(f"company-{company_id}-closed-{session}", "warning", f"{symbol} was closed: nobody knows it", body)


def _title(end: RunEnd) -> str:
    how = "partly failed" if end.status is RunStatus.PARTIAL else "failed"
    return f"{end.job_name} {how}: {kind_of(end)}"


def _level(end: RunEnd) -> str:
    return "warning" if end.status is RunStatus.PARTIAL else "error"


def _what(end: RunEnd) -> str:
    """The run's message, and the reason where neither it nor the failed symbols tell."""
    reason = end.error_message
    if not reason or end.failed_symbols or reason in end.message:
        return end.message
    return f"{end.message}: {reason}"


def _failed(symbols: Sequence[str]) -> str:
    """``Failed: A, B and 2 more.``: at most ten by name, the rest counted; nothing when none failed."""
    if not symbols:
        return ""
    rest = len(symbols) - MOST_NAMED
    return f"Failed: {', '.join(symbols[:MOST_NAMED])}{f' and {rest} more' if rest > 0 else ''}."


def _look_closer(end: RunEnd) -> str:
    return f"Run {end.run_id}. To look closer: closingbell view-job-logs --job-name {end.job_name}"


def _paragraphs(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


def _sentence(text: str) -> str:
    return f"{text.rstrip('.')}." if text else ""


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
