"""Corporate actions that no free source knows: entered and edited, with a preview before anything is kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from closingbell.domain.action_checks import parse_ratio
from closingbell.domain.action_words import in_words
from closingbell.domain.actions import PAYING, AcceptedAction, AcceptedKind, Facts, PayDateStatus
from closingbell.domain.money import PRICE_SCALE, QUANTITY_SCALE, parse_decimal, plain
from closingbell.errors import UsageError
from closingbell.jobs.context import current_context
from closingbell.usecases.action_previews import ActionPreview, KeptAction, find_action, preview_edit, preview_new
from closingbell.usecases.actions import TypedAction, add_action, edit_action
from closingbell.web.guard import Right, needs, who_asks

_NEW = "/dividends/new"
_EDIT = "/dividends/<int(max=9223372036854775807):action_id>/edit"
# No exchange is older, and nothing is declared further ahead.
_YEARS = range(1792, 2201)
# The command's options have no place in a sentence of a page.
_OPTION = re.compile(r" \(--[a-z-]+\)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One field of the form: the fact's name, what the page calls it, and how it is read."""

    name: str
    label: str
    says: str
    read: Callable[[str], Any]
    kind: str = "decimal"


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a date, as in 2012-11-30") from None
    if day.year not in _YEARS:
        raise ValueError(f"the year {day.year} lies outside {_YEARS[0]} to {_YEARS[-1]}")
    return day


_number = partial(parse_decimal, scale=QUANTITY_SCALE)
_price = partial(parse_decimal, scale=PRICE_SCALE)
# Groups that are about one kind alone.
_OF_KIND = {"SPIN_OFF": "Spin-off", "SCRIP": "Scrip: shares in place of cash"}
# Groups of the form: what they are about, and their fields.
GROUPS: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    (
        "",
        (
            Entry("ex_date", "Ex-date", "the first day without the right; or give the record date", _day, "date"),
            Entry("record_date", "Record date", "", _day, "date"),
            Entry("pay_date", "Pay date", "confirmed; empty where nobody told it", _day, "date"),
        ),
    ),
    (
        "Cash: dividends, capital gain, return of capital, scrip",
        (
            Entry("amount", "Amount per share", "of the close before the ex-date, in the major unit", _number),
            Entry("currency", "Currency", "the company's unless told", str.upper, "code"),
            Entry("tax_rate", "Withholding tax for everybody", "as 0.15; empty: by the table of rates", _number),
        ),
    ),
    (
        "Shares: split, reverse split, stock dividend, spin-off",
        (
            Entry("ratio", "Ratio", "new:old, as 3:2; of a spin-off the child's per the parent's", parse_ratio, "text"),
            Entry("cash_in_lieu_price", "Price paid for the fractions of a share", "", _price),
        ),
    ),
    (
        _OF_KIND["SPIN_OFF"],
        (
            Entry("child_symbol", "Symbol of the company spun off", "", str.upper, "code"),
            Entry("parent_basis_pct", "Per cent of the cost that stays with the parent", "as 76.52", _number),
        ),
    ),
    (
        _OF_KIND["SCRIP"],
        (
            Entry("scrip_price", "The issuer's price of a new share", "", _price),
            Entry("election_deadline", "Until when shares may be chosen", "", _day, "date"),
        ),
    ),
    (
        "An exchange rate that the company fixed",
        (
            Entry("fx_currency", "Its currency", "", str.upper, "code"),
            Entry("fx_rate", "Units of it for one of the dividend's currency", "", _number),
        ),
    ),
)
ENTRIES = tuple(entry for _, entries in GROUPS for entry in entries)
_ALSO = ("symbol", "kind", "why", "is_second", "seq", "version")


@dataclass(slots=True)
class _Typed:
    """What the form says, word for word, and what is wrong with single fields."""

    texts: dict[str, str]
    wrong: dict[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> AcceptedKind:
        """The kind that was chosen; raise UsageError for none."""
        try:
            return AcceptedKind(self.texts.get("kind", ""))
        except ValueError:
            self.wrong["kind"] = "choose one of the list"
            raise UsageError("kind: choose one of the list") from None

    def read(self) -> dict[str, Any]:
        """Every fact that the form has a place for, None where nothing stands; raise UsageError naming every field."""
        found: dict[str, Any] = {}
        for entry in ENTRIES:
            text = self.texts.get(entry.name, "")
            try:
                found[entry.name] = entry.read(text) if text else None
            except ValueError as error:
                self.wrong[entry.name] = str(error)
        if self.wrong:
            labels = {entry.name: entry.label for entry in ENTRIES}
            raise UsageError("; ".join(f"{labels[name]}: {said}" for name, said in self.wrong.items()))
        if self.kind not in PAYING:
            # Where no money moves there is no currency.
            found["currency"] = ""
        return found


def add_routes(pages: Blueprint) -> None:
    """The routes of this module."""
    for rule, view in ((_NEW, new_action), (_EDIT, change_action)):
        pages.add_url_rule(rule, view.__name__, view, methods=["GET", "POST"])


# --- A new one.


@needs(Right.ADMINISTRATOR)
def new_action() -> ResponseReturnValue:
    """The form of an action that no provider tells of, what it would do, and entering it."""
    if request.method == "GET":
        kind = request.args.get("kind", AcceptedKind.CASH_SPECIAL.value)
        return _form(_Typed({"kind": kind, "symbol": request.args.get("symbol", "").strip().upper()}))
    typed, step = _sent(), request.form.get("step", "look")
    if step == "change":
        return _form(typed)
    try:
        wanted = _new_of(typed)
        if step == "look":
            return _form(typed, preview=preview_new(current_context(), wanted, why=typed.texts["why"]))
        done = add_action(current_context(), wanted, by=who_asks(), why=typed.texts["why"])
    except UsageError as refused:
        return _form(typed, error=refused)
    return _kept(wanted.symbol, done, "is entered")


def _new_of(typed: _Typed) -> TypedAction:
    found = typed.read()
    ratio = found.pop("ratio")
    if ratio is not None:
        found |= {"numerator": ratio.numerator, "denominator": ratio.denominator}
    facts = {name: value for name, value in found.items() if value is not None and name != "ex_date"}
    seq = typed.texts["seq"]
    return TypedAction(
        typed.texts["symbol"].upper(),
        typed.kind,
        found["ex_date"],
        facts,
        bool(typed.texts["is_second"]),
        int(seq) if seq.isascii() and seq.isdigit() else None,
    )


# --- One that is there.


@needs(Right.ADMINISTRATOR)
def change_action(action_id: int) -> ResponseReturnValue:
    """The form with the facts of an action, what changing them would do, and the change."""
    context = current_context()
    try:
        kept = find_action(context, action_id)
    except UsageError:
        abort(404)
    if request.method == "GET":
        return _form(_Typed(dict(_texts_of(kept.action), symbol=kept.symbol)), kept=kept)
    typed, step = _sent(), request.form.get("step", "look")
    typed.texts["symbol"] = kept.symbol
    if step == "change":
        return _form(typed, kept=kept)
    try:
        changes, version, why = _changes_of(typed, kept.action.facts), _version(typed), typed.texts["why"]
        if step == "look":
            preview = preview_edit(context, action_id, changes, version=version, why=why)
            return _form(typed, kept=kept, preview=preview)
        done = edit_action(context, action_id, changes, by=who_asks(), why=why, version=version)
    except UsageError as refused:
        return _form(typed, kept=kept, error=refused)
    return _kept(kept.symbol, done, "is changed")


def _version(typed: _Typed) -> int:
    text = typed.texts["version"]
    # One that cannot be read is no version of anything.
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def _changes_of(typed: _Typed, facts: Facts) -> dict[str, Any]:
    """What the form says otherwise than what is kept."""
    found = typed.read()
    ratio = found.pop("ratio")
    if ratio is None:
        found |= {"numerator": None, "denominator": None}
    elif facts.numerator is None or ratio != facts.ratio:
        found |= {"numerator": ratio.numerator, "denominator": ratio.denominator}
    if found["currency"] is None:
        found["currency"] = facts.currency
    if found["ex_date"] is None:
        typed.wrong["ex_date"] = "it must stay known"
        raise UsageError("Ex-date: it must stay known")
    if facts.pay_date_status is not PayDateStatus.CONFIRMED and found["pay_date"] is None:
        # An estimate is not shown in the form, so an empty field does not take it away.
        del found["pay_date"]
    found["kind"] = typed.kind
    changes = {name: value for name, value in found.items() if value != getattr(facts, name)}
    if "pay_date" not in changes and found.get("pay_date") and facts.pay_date_status is not PayDateStatus.CONFIRMED:
        changes["pay_date"] = found["pay_date"]
    if not changes:
        raise UsageError("nothing is changed: every field says what is kept")
    return changes


def _texts_of(action: AcceptedAction) -> dict[str, str]:
    """The facts of an action as the form shows them; an estimated pay date is nobody's word, so it is left out."""
    facts = action.facts
    texts = {entry.name: _text(getattr(facts, entry.name)) for entry in ENTRIES if entry.name != "ratio"}
    if facts.numerator is not None:
        texts["ratio"] = f"{facts.numerator}:{facts.denominator or 1}"
    if facts.pay_date_status is not PayDateStatus.CONFIRMED:
        texts["pay_date"] = ""
    return {**texts, "kind": facts.kind.value, "version": str(action.version)}


# --- Both.


def _sent() -> _Typed:
    names = (*(entry.name for entry in ENTRIES), *_ALSO)
    return _Typed({name: request.form.get(name, "").strip() for name in names})


def _form(
    typed: _Typed,
    *,
    kept: KeptAction | None = None,
    preview: ActionPreview | None = None,
    error: UsageError | None = None,
) -> ResponseReturnValue:
    if preview is not None and kept is None:
        # What is entered then is what was looked at: another one of the same day meanwhile is refused.
        typed.texts["seq"] = str(preview.seq)
    page = render_template(
        "action_form.html",
        kept=kept,
        form=typed.texts,
        wrong=typed.wrong,
        kinds={kind.value: in_words(Facts(kind=kind, ex_date=date.min, currency="")) for kind in AcceptedKind},
        groups=[(title, entries, _is_open(typed, title, entries)) for title, entries in GROUPS],
        preview=preview,
        told=[] if preview is None else list(_told(preview.facts, None if kept is None else kept.action.facts)),
        error=None if error is None else _OPTION.sub("", str(error)),
    )
    return page, 422 if error else 200


def _is_open(typed: _Typed, title: str, entries: tuple[Entry, ...]) -> bool:
    """Whether a folded group stands open: it is what the chosen kind is about, or something was typed there."""
    return title == _OF_KIND.get(typed.texts.get("kind", "")) or any(typed.texts.get(one.name) for one in entries)


def _told(facts: Facts, before: Facts | None) -> Iterator[tuple[str, str, str]]:
    """Every fact that is or was known: what it is called, as it would be, and as it is kept (empty for a new one)."""
    yield "Kind", in_words(facts), "" if before is None else in_words(before)
    for entry in ENTRIES:
        after, was = _shown(facts, entry.name), "" if before is None else _shown(before, entry.name)
        if after or was:
            yield entry.label, after, was


def _shown(facts: Facts, name: str) -> str:
    if name == "ratio":
        return "" if facts.numerator is None else f"{facts.numerator}:{facts.denominator or 1}"
    return _text(getattr(facts, name))


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    return "" if value is None else str(value)


def _kept(symbol: str, done: AcceptedAction, afterwards: str) -> ResponseReturnValue:
    words = f"{in_words(done.facts)}, ex {done.ex_date}"
    state = "It waits for a decision." if done.is_held else "The next dividend run books what follows."
    flash(f"{symbol}, {words}, {afterwards}. {state}")
    return redirect(url_for("pages.action", action_id=done.id))
