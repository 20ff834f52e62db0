"""What requests may ask with: the query parameters that several routes share, and the frame of a page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
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


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
