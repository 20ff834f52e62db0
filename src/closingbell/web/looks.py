"""How values look on every page: instants, counts, durations, outcomes; and what every page's frame shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, request
from flask_security import current_user
from markupsafe import Markup, escape

from closingbell.domain.money import plain
from closingbell.jobs.context import current_context
from closingbell.queries.jobs import Outcome
from closingbell.queries.notifications import count_unread
from closingbell.web.guard import Right, right_of_user

NEW_YORK = ZoneInfo("America/New_York")
THEME_COOKIE = "closingbell_theme"

# outcome or status -> the word that styles it; colour never tells alone, the word stands beside it.
TONES = {
    "SUCCESS": "good",
    "PARTIAL": "warn",
    "FAILED": "bad",
    "RUNNING": "busy",
    "stored": "good",
    "unchanged": "good",
    "provisional": "warn",
    "quarantined": "warn",
    "missing": "warn",
    "failed": "bad",
    "skipped": "idle",
    "ok": "good",
    "warn": "warn",
    "fail": "bad",
}


def add_looks(app: Flask, frame: Sequence[tuple[str, str, Right]]) -> None:
    """Filters of the templates, and what every page is given; ``frame`` are the pages that its head leads to."""
    for name, function in (
        ("moment", moment),
        ("everywhere", everywhere),
        ("ahead", ahead),
        ("day", day),
        ("count", count),
        ("seconds", seconds),
        ("strip", strip),
        ("tone", tone),
        ("number", number),
        ("words", words),
    ):
        app.template_filter(name)(function)
    app.context_processor(_frame)
    app.context_processor(lambda: {"pages_of_the_frame": frame})


def _frame() -> dict[str, Any]:
    """What the frame of every page shows; an anonymous person's has no more than a title."""
    right = right_of_user()
    theme = request.cookies.get(THEME_COOKIE, "")
    frame: dict[str, Any] = {
        "right": int(right),
        "Right": Right,
        "chosen_theme": theme if theme in {"light", "dark"} else "",
    }
    if right is not Right.ANYBODY:
        frame["unread_count"] = count_unread(current_context().database, current_user.id)
        frame["is_replay"] = current_context().settings.is_replay
    return frame


def moment(at: datetime | None, otherwise: str = "never") -> Markup | str:
    """An instant in New York time; a script adds the reader's own."""
    if at is None:
        return otherwise
    shown = at.astimezone(NEW_YORK).strftime("%Y-%m-%d %H:%M %Z")
    # Digits and letters only: nothing to escape, and a page shows hundreds of these.
    return Markup(f'<time datetime="{at.astimezone(UTC).isoformat(timespec="seconds")}">{shown}</time>')  # noqa: S704


def strip(outcomes: Iterable[Outcome]) -> Markup:
    """The outcomes of a job's newest runs as list items; made in one go, for *Now* shows hundreds of them."""
    items = []
    for one in outcomes:
        said = escape(words(one.status))
        title = f"{said}, {one.started_at:%Y-%m-%d %H:%M} UTC"
        items.append(f'<li class="{tone(one.status)}" title="{title}"><span class="unseen">{said}</span></li>')
    # The only text in it that is not ours was escaped.
    return Markup("".join(items))  # noqa: S704


def everywhere(at: datetime | None, otherwise: str = "never") -> Markup | str:
    """An instant in New York time and in UTC, with the day where it is another; a script adds the reader's own."""
    if at is None:
        return otherwise
    utc, new_york = at.astimezone(UTC), at.astimezone(NEW_YORK)
    shown = f"{utc:%H:%M} UTC" if utc.date() == new_york.date() else f"{utc:%Y-%m-%d %H:%M} UTC"
    return Markup('{} · <span class="dim" data-here="{}">{}</span>').format(moment(at), utc.isoformat(), shown)


def ahead(at: datetime | None, now: datetime) -> Markup | str:
    """How far off an instant is, in words (``in 2 h 5 min``); nothing of one that is not known."""
    if at is None:
        return ""
    said = in_words((at - now).total_seconds())
    return Markup('<span data-ahead="{}">{}</span>').format(at.astimezone(UTC).isoformat(), said)


def in_words(ahead_s: float) -> str:
    """``now``, ``in 5 min``, ``in 2 h 5 min``, ``in 17 h``, ``in 3 days``; cut, never rounded up."""
    minutes = int(ahead_s // 60)
    if minutes < 1:
        return "now" if ahead_s <= 0 else "in less than a minute"
    if minutes < 60:
        return f"in {minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 10 and minutes:
        return f"in {hours} h {minutes} min"
    return f"in {hours} h" if hours < 48 else f"in {hours // 24} days"


def day(on: date | None, otherwise: str = "none") -> Markup | str:
    """``Fri 2012-11-30``, on one line."""
    # Digits and letters only: nothing to escape.
    return otherwise if on is None else Markup(f'<span class="when">{on:%a %Y-%m-%d}</span>')  # noqa: S704


def count(value: int | None) -> str:
    """``12,154``."""
    return "–" if value is None else f"{value:,}"


def seconds(value: float | None, otherwise: str = "–") -> str:
    """A duration a person can compare: ``0.4 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if value is None:
        return otherwise
    if value < 10:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 2 * 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} days"


def number(value: Decimal | None, decimals: int | None = None) -> str:
    """An exact number with thousands apart; ``decimals`` rounds what is shown, never what is stored."""
    if value is None:
        return "–"
    return f"{value:,.{decimals}f}" if decimals is not None else _grouped(plain(value))


def _grouped(text: str) -> str:
    whole, dot, rest = text.partition(".")
    return f"{int(whole):,}{dot}{rest}" if whole.lstrip("-") not in {"", "0"} else text


def tone(status: str | None) -> str:
    """The style of a status or outcome."""
    return TONES.get(status or "", "idle")


def words(status: str) -> str:
    """``SUCCESS`` as ``success``; ``daily_price_update`` as ``daily price update``."""
    return status.replace("_", " ").lower()
