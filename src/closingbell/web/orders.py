"""A person's own orders: listed, entered, deleted, and brought in from a broker's file."""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import uuid4

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from closingbell.domain.orders import OrderDraft, OrderType
from closingbell.errors import ImportRefusedError, UsageError
from closingbell.jobs.context import current_context
from closingbell.queries.own_accounts import OwnAccount
from closingbell.stores.orders import StoredOrder
from closingbell.usecases import orders
from closingbell.usecases.import_file import ImportRequest, import_file, in_words
from closingbell.usecases.imports.entries import DOUBTFUL, LEFT_OUT, REFUSED
from closingbell.usecases.imports.formats import FORMATS
from closingbell.usecases.imports.mapping import read_mapping
from closingbell.usecases.imports.preview import ImportPreview
from closingbell.web.guard import Right, needs, own_account, who_asks

# As much as a file may hold here; a larger one is brought in by the command.
LARGEST_FILE = 4 * 1024 * 1024
# So many are listed; all of them: closingbell orders list, or the API.
LISTED = 200
ROWS_SHOWN = 500

_ACCOUNT = "/portfolio/<int(max=9223372036854775807):account_id>"
_ORDER = f"{_ACCOUNT}/orders/<int(max=9223372036854775807):order_id>"
_NUMBERS = ("quantity", "price", "amount", "fee", "tax", "counter_amount")
_WORDS = {REFUSED: ("bad", "bad"), DOUBTFUL: ("doubtful", "warn"), LEFT_OUT: ("left out", "idle")}


def add_routes(pages: Blueprint) -> None:
    """The routes of this module."""
    pages.add_url_rule(f"{_ACCOUNT}/orders", "orders", show_orders)
    pages.add_url_rule(f"{_ACCOUNT}/orders/new", "ask_order", ask_order)
    pages.add_url_rule(f"{_ACCOUNT}/orders/new", "add_order", add_order, methods=["POST"])
    pages.add_url_rule(f"{_ORDER}/delete", "ask_deletion", ask_deletion)
    pages.add_url_rule(f"{_ORDER}/delete", "delete_order", delete_order, methods=["POST"])
    pages.add_url_rule(f"{_ACCOUNT}/import", "ask_import", ask_import)
    pages.add_url_rule(f"{_ACCOUNT}/import", "do_import", do_import, methods=["POST"])


@needs(Right.MEMBER)
def show_orders(account_id: int) -> ResponseReturnValue:
    """The orders of an account, the newest trade first."""
    own = own_account(account_id)
    found = orders.list_orders(current_context(), account=own.name, limit=LISTED + 1)
    return render_template("orders.html", own=own, found=found[:LISTED], is_cut=len(found) > LISTED)


# --- One order.


@needs(Right.MEMBER)
def ask_order(account_id: int) -> ResponseReturnValue:
    """The form of an order; its key makes that a form sent twice enters one order."""
    own = own_account(account_id)
    today = current_context().clock.now().date()
    return _order_form(own, {"trade_date": today.isoformat(), "currency": own.currency, "key": uuid4().hex})


@needs(Right.MEMBER)
def add_order(account_id: int) -> ResponseReturnValue:
    """Enter an order; what is wrong is said on the form, with everything still in it."""
    own, form = own_account(account_id), {name: value.strip() for name, value in request.form.items()}
    try:
        entered = orders.enter_order(
            current_context(),
            _draft(form),
            account=own.name,
            by=who_asks(),
            key=form.get("key") or None,
            allow_short="allow_short" in form,
            source="web",
        )
    except UsageError as refused:
        return _order_form(own, form, error=str(refused))
    order = entered.order
    flash("; ".join([f"Order {order.id} is entered.", *entered.remarks]))
    return redirect(url_for("pages.orders", account_id=account_id))


def _order_form(own: OwnAccount, form: dict[str, str], error: str | None = None) -> ResponseReturnValue:
    page = render_template("new_order.html", own=own, form=form, error=error, types=list(OrderType))
    return page, 422 if error else 200


def _draft(form: dict[str, str]) -> OrderDraft:
    """What a form says; raise UsageError that names every field that cannot be read."""
    wrong, numbers = [], dict[str, Decimal | None]()
    for name in _NUMBERS:
        text = form.get(name, "")
        try:
            numbers[name] = Decimal(text) if text else None
        except InvalidOperation:
            wrong.append(f"{name.replace('_', ' ')}: {text!r} is not a number, as in 12.5")
    try:
        day = date.fromisoformat(form.get("trade_date", ""))
    except ValueError:
        wrong.append(f"date: {form.get('trade_date', '')!r} is not a date, as in 2012-11-30")
    if wrong:
        raise UsageError("; ".join(wrong))
    return OrderDraft(
        type=form.get("type", ""),
        trade_date=day,
        currency=form.get("currency", "").upper(),
        symbol=form.get("symbol", "").upper() or None,
        quantity=numbers["quantity"],
        price=numbers["price"],
        amount=numbers["amount"],
        fee=numbers["fee"] or Decimal(0),
        tax=numbers["tax"] or Decimal(0),
        counter_amount=numbers["counter_amount"],
        counter_currency=form.get("counter_currency", "").upper() or None,
        note=form.get("note") or None,
    )


@needs(Right.MEMBER)
def ask_deletion(account_id: int, order_id: int) -> ResponseReturnValue:
    """The question before an order is deleted."""
    return _deletion_form(own_account(account_id), _order(account_id, order_id))


@needs(Right.MEMBER)
def delete_order(account_id: int, order_id: int) -> ResponseReturnValue:
    """Mark an order deleted and reverse what it booked."""
    own, order = own_account(account_id), _order(account_id, order_id)
    try:
        orders.delete_order(current_context(), order_id, by=who_asks(), allow_short="allow_short" in request.form)
    except UsageError as refused:
        return _deletion_form(own, order, error=str(refused))
    flash(f"Order {order_id} is deleted, and what it booked is reversed. The next dividend run corrects payments.")
    return redirect(url_for("pages.orders", account_id=account_id))


def _deletion_form(own: OwnAccount, order: StoredOrder, error: str | None = None) -> ResponseReturnValue:
    return render_template("ask_order.html", own=own, order=order, error=error), 422 if error else 200


# --- A broker's file.


@dataclass(slots=True)
class _Sent:
    """What the import's form says: the file, and how it is to be read."""

    data: bytes = b""
    name: str = ""
    form: str = ""
    leave_out: str = ""
    mapping: str = ""
    findings: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def packed(self) -> str:
        """The file as text: it goes with the page from the preview to its confirmation, and is kept nowhere else."""
        return base64.b64encode(zlib.compress(self.data)).decode()


@needs(Right.MEMBER)
def ask_import(account_id: int) -> ResponseReturnValue:
    """The form that takes a file."""
    return _import_form(own_account(account_id), _Sent())


@needs(Right.MEMBER)
def do_import(account_id: int) -> ResponseReturnValue:
    """Show what a file would add, or add it; a file with a bad line adds nothing."""
    own, sent = own_account(account_id), _Sent()
    try:
        sent = _read_sent()
        wanted = ImportRequest(
            own.name,
            sent.form or None,
            read_mapping(sent.mapping.splitlines()),
            _lines(sent.leave_out),
            dry_run="confirm" not in request.form,
            name=sent.name,
        )
        preview = import_file(current_context(), sent.data, wanted, by=who_asks())
    except ImportRefusedError as refused:
        return _import_form(own, sent, error=str(refused), reasons=refused.reasons)
    except UsageError as refused:
        return _import_form(own, sent, error=str(refused))
    if wanted.dry_run:
        return _import_form(own, sent, preview=preview)
    said = f"{preview.added_count} added, {preview.known_count} were there"
    flash(f"{preview.format}: {said}.")
    return redirect(url_for("pages.orders", account_id=account_id))


def _import_form(
    own: OwnAccount,
    sent: _Sent,
    *,
    preview: ImportPreview | None = None,
    error: str | None = None,
    reasons: Any = (),
) -> ResponseReturnValue:
    found = [] if preview is None else [(*_WORDS[one.weight], in_words(one)) for one in preview.findings]
    page = render_template(
        "import.html",
        own=own,
        sent=sent,
        preview=preview,
        findings=found,
        rows=() if preview is None else [one for one in preview.rows if one.is_new][:ROWS_SHOWN],
        forms=[form.name for form in FORMATS],
        error=error,
        reasons=reasons,
    )
    return page, 422 if error else 200


def _read_sent() -> _Sent:
    """The file of the form, freshly chosen or carried by the page; raise UsageError."""
    fields = request.form
    sent = _Sent(
        form=fields.get("format", ""), leave_out=fields.get("leave_out", ""), mapping=fields.get("mapping", "")
    )
    chosen = request.files.get("file")
    if chosen is not None and chosen.filename:
        sent.data, sent.name = chosen.stream.read(LARGEST_FILE + 1), chosen.filename
    else:
        sent.data, sent.name = _unpacked(fields.get("packed", "")), fields.get("name", "")
    if len(sent.data) > LARGEST_FILE:
        sent.data = b""
        raise UsageError(
            f"the file is larger than {LARGEST_FILE // 1024 // 1024} MB; export a shorter range of dates, "
            "or use: closingbell import"
        )
    if not sent.data.strip():
        sent.data = b""
        raise UsageError("choose a file that has something in it")
    return sent


def _unpacked(text: str) -> bytes:
    try:
        # No further than one byte too much: a few kB may claim to be any size.
        return zlib.decompressobj().decompress(base64.b64decode(text, validate=True), LARGEST_FILE + 1)
    except (binascii.Error, ValueError, zlib.error):
        raise UsageError("the file was lost on its way; choose it again") from None


def _lines(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.replace(" ", ",").split(",") if part.strip()]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise UsageError("lines to leave out: give numbers, as in 12, 17")
    return tuple(int(part) for part in parts)


# --- Whose.


def _order(account_id: int, order_id: int) -> StoredOrder:
    own = own_account(account_id)
    known = orders.list_orders(current_context(), account=own.name)
    return next((one for one in known if one.id == order_id), None) or abort(404)
