"""Who acts, from where, and what they did: written down by the very transaction that does it.

So neither is there without the other, whatever fails in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from closingbell.jobs.context import JobContext
from closingbell.stores.people import CONSOLE, Action, store_action
from closingbell.usecases.reasons import By, checked_name

_LONGEST_TARGET = 200


def write_down(
    context: JobContext, connection: Connection, by: By | None, action: str, target: str,
    detail: str | None = None,
) -> None:  # fmt: skip
    """Write down what is done on this connection; nothing where the program does it by itself (``by`` is None)."""
    if by is not None:
        store_action(connection, _done(by, action, target, detail), now=context.wall.now())


def _done(by: By, action: str, target: str, detail: str | None) -> Action:
    if isinstance(by, str):
        return Action(checked_name(by), action, target[:_LONGEST_TARGET], detail, CONSOLE)
    if by.told is not None:
        action, target, detail = by.told
    return Action(by.who, action, target[:_LONGEST_TARGET], detail, by.address)


def note_action(
    context: JobContext, by: By, action: str, target: str, detail: str | None = None
) -> None:  # fmt: skip
    """Write down, in a transaction of its own, what is done by many or by somebody else's: a run, a sign-in."""
    context.database.write_unit(lambda connection: write_down(context, connection, by, action, target, detail))


def in_words(settings: Mapping[str, Any]) -> str | None:
    """What was set, as ``residence: US; is reinvesting: yes``; None for nothing."""
    return "; ".join(f"{name.replace('_', ' ')}: {_said(value)}" for name, value in settings.items()) or None


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value in (None, "") else str(value)
