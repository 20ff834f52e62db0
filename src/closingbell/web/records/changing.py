"""Changing records: a form, a question that says what will be otherwise, and the use case, which writes it down.

Nothing typed is lost on the way: what is refused comes back in the form with the reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from closingbell.errors import UsageError
from closingbell.jobs.context import JobContext, current_context
from closingbell.queries.records import Record
from closingbell.usecases.reasons import Actor
from closingbell.web.guard import who_asks
from closingbell.web.records.fields import Field, Typed, said, text_of
from closingbell.web.records.views import ONE_RECORD, RecordView

_WRITTEN_BY_JOBS = ("last_updated", "posted_at")


@dataclass(frozen=True, slots=True)
class Asked:
    """A change as it was confirmed: the record as it is (None for a new one), what the fields mean, and who does it.

    ``changed`` are the fields that are otherwise than in the record.
    """

    context: JobContext
    record: Any
    values: Mapping[str, Any]
    changed: Mapping[str, Any]
    by: Actor


@dataclass(frozen=True, slots=True)
class Done:
    """What is said afterwards; ``number`` is the record to go on with, ``secret`` that of a one-time link."""

    words: str
    number: int | None = None
    secret: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Something that can be done to a record, or the making of one.

    ``what`` is its word in addresses and in the audit log; ``label`` is its button, ``says`` what follows from it;
    ``first`` is what the fields hold where the record does not say. ``is_edit``: the fields hold what is stored, and
    only what is otherwise counts. ``is_direct``: the form is the question, without a look at what would be stored.
    ``is_for`` says for which records it is there.
    """

    what: str
    label: str
    fields: Sequence[Field]
    do: Callable[[Asked], Done]
    says: str = ""
    is_edit: bool = False
    is_direct: bool = False
    first: Callable[[], Mapping[str, str]] = dict
    is_for: Callable[[Record], bool] = lambda _record: True


class ChangingView(RecordView):
    """Records of one kind that administrators change."""

    making: Change
    changes: tuple[Change, ...]

    @expose("/new", methods=("GET", "POST"))
    def new(self) -> ResponseReturnValue:
        """Make a record."""
        return self._asked(self.making, None)

    @expose(f"{ONE_RECORD}/<change>", methods=("GET", "POST"))
    def change(self, record_id: int, change: str) -> ResponseReturnValue:
        """Change a record in one of the ways that there are for it."""
        one = self.get_one(record_id) or abort(404)
        wanted = next((way for way in self.changes_of(one) if way.what == change), None) or abort(404)
        return self._asked(wanted, one)

    def changes_of(self, one: Record) -> list[Change]:
        """The ways to change this record."""
        return [way for way in self.changes if way.is_for(one)]

    def _asked(self, way: Change, one: Record | None) -> ResponseReturnValue:
        """The form, the question or the change itself, as the form that was sent says."""
        if request.method != "POST":
            texts = dict(way.first())
            if way.is_edit:
                texts |= {field.name: text_of(getattr(one, field.name)) for field in way.fields}
            return self._form(way, one, Typed(way.fields, texts))
        typed, step = Typed.of(way.fields, request.form), request.form.get("step", "")
        if step == "change":
            return self._form(way, one, typed)
        try:
            values = typed.values()
            changed = _changed(way, one, values)
            if step != "enter":
                return self._question(way, one, typed)
            _refuse_stale(one, request.form.get("seen", ""))
            return self._do(
                way, one, typed, Asked(current_context(), one, values, changed, self._actor(way, one, typed))
            )
        except UsageError as refused:
            return self._form(way, one, typed, error=str(refused))

    def _do(self, way: Change, one: Record | None, typed: Typed, asked: Asked) -> ResponseReturnValue:
        done = way.do(asked)
        if done.secret is not None:
            link = url_for("pages.welcome", secret=done.secret, _external=False)
            address = f"{asked.context.settings.public_url}{link}"
            return str(self.render("records/link.html", view=self, words=done.words, address=address))
        flash(done.words)
        number = one.id if one is not None else done.number
        if number is None:
            return redirect(url_for(".index_view"))
        return redirect(url_for(".details_view", record_id=number))

    def _actor(self, way: Change, one: Record | None, typed: Typed) -> Actor:
        """Who does it, with what the audit log says of it."""
        target = typed.texts[way.fields[0].name] if one is None else f"{self.key_of(one)}"
        told = (f"{way.what} {self.single.lower()}", target, "; ".join(_told(way, one, typed)) or None)
        return replace(who_asks(), told=told)

    def key_of(self, one: Record) -> str:
        """What a record is called by whoever knows it."""
        return str(getattr(one, self.listed[0]))

    def _form(self, way: Change, one: Record | None, typed: Typed, *, error: str | None = None) -> tuple[str, int]:
        page = self.render(
            "records/form.html", view=self, way=way, one=one, typed=typed, error=error, seen=_fingerprint(one)
        )
        return str(page), 422 if error else 200

    def _question(self, way: Change, one: Record | None, typed: Typed) -> ResponseReturnValue:
        told = [
            (field.label, said(field, _stored(one, field)), said(field, typed.texts[field.name]))
            for field in way.fields
            if field.kind != "hidden"
        ]
        return str(
            self.render("records/ask.html", view=self, way=way, one=one, typed=typed, told=told, seen=_fingerprint(one))
        )


def _stored(one: Record | None, field: Field) -> str:
    return text_of(getattr(one, field.name, None))


def _changed(way: Change, one: Record | None, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are otherwise than stored; raise UsageError where an edit changes nothing."""
    if not way.is_edit or one is None:
        return dict(values)
    changed = {name: value for name, value in values.items() if value != getattr(one, name)}
    if not changed:
        raise UsageError("nothing is otherwise than it is stored")
    return changed


def _told(way: Change, one: Record | None, typed: Typed) -> list[str]:
    """What was said in each field, or what it was before and is now."""
    told = []
    for field in way.fields:
        now = said(field, typed.texts[field.name])
        before = said(field, _stored(one, field))
        if field.kind == "hidden" or (way.is_edit and now == before) or now == "–" == before:
            continue
        name = field.name.replace("_", " ")
        told.append(f"{name}: {before} to {now}" if way.is_edit else f"{name}: {now}")
    return told


def _fingerprint(one: Record | None) -> str:
    """A short word for everything that people may change in a record."""
    if one is None:
        return ""
    kept = [getattr(one, field.name) for field in fields(one) if field.name not in _WRITTEN_BY_JOBS]
    return hashlib.sha256(repr(kept).encode()).hexdigest()[:16]


def _refuse_stale(one: Record | None, seen: str) -> None:
    if one is not None and seen != _fingerprint(one):
        raise UsageError("this record was changed by somebody else since you looked at it; look at it again")
