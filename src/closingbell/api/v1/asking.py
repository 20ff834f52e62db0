"""What requests may ask with: the query parameters that several routes share, and the frame of a page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

from flask import request
from marshmallow import Schema, fields, validate

# As many as one answer holds at most.
MOST = 1_000
LARGEST_ID = 2**63 - 1
ID = f"int(max={LARGEST_ID})"

# Text that any of the databases takes: none of them keeps a NUL.
NO_NUL = validate.Regexp(r"[^\x00]*\Z", error="must not contain a NUL character")


class Limited(Schema):
    """How many are wanted."""

    limit = fields.Integer(
        load_default=100, validate=validate.Range(1, MOST), metadata={"description": "How many at most."}
    )


class Backwards(Limited):
    """How many are wanted of what is shown newest first, and before which one."""

    before = fields.Integer(
        load_default=None,
        validate=validate.Range(1, LARGEST_ID),
        metadata={"description": "Those that come after this one, by its id, in the same order."},
    )


class Ranged(Schema):
    """From a day to a day, both included."""

    first = fields.Date(data_key="from", load_default=None, metadata={"description": "The first day."})
    last = fields.Date(data_key="to", load_default=None, metadata={"description": "The last day."})


class AsOf(Schema):
    """At the end of which day."""

    as_of = fields.Date(load_default=None, metadata={"description": "At the end of this day; today by default."})


def page(items: Sequence[Any], following: dict[str, Any] | None) -> dict[str, Any]:
    """A page, and the address of the next one: this one's with ``following`` in place of what it had."""
    if following is None:
        return {"items": items, "next": None}
    asked = {**request.args.to_dict(), **{name: _text(value) for name, value in following.items()}}
    return {"items": items, "next": f"{request.path}?{urlencode(asked)}"}


def backwards(found: Sequence[Any], limit: int) -> dict[str, Any]:
    """A page of things with an id, of which one more than ``limit`` was asked for, and where the next one begins."""
    return page(found[:limit], {"before": found[limit - 1].id} if len(found) > limit else None)


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def in_range(moment: datetime | None) -> datetime | None:
    """An instant that has a day in every zone: the first and last ones of the calendar have none."""
    if moment is None:
        return None
    naive = moment.replace(tzinfo=None)
    return (
        datetime(1900, 1, 1, tzinfo=UTC) if naive.year < 1900 else moment.astimezone(UTC) if naive.year < 9999 else None
    )
