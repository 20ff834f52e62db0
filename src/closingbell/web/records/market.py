"""What administrators do to companies and orders."""

from __future__ import annotations

from uuid import uuid4

from closingbell.domain.orders import OrderDraft, OrderType
from closingbell.jobs.context import current_context
from closingbell.usecases import closing, companies, orders, renaming
from closingbell.web.records.changing import Asked, Change, Done
from closingbell.web.records.fields import Field, day_of, money_of, price_of, quantity_of

_NAME = Field("name", "Name", "the next answer of a provider that knows it replaces it")
_COUNTRY = Field("country", "Country", "that taxes its dividends, as US; empty: the exchange's", "code")
_WHY = Field("why", "Why", is_required=True)
_SHORT = "More may be sold than is held"


def _add_company(asked: Asked) -> Done:
    made = companies.add_company(asked.context, by=asked.by, **asked.values)
    return Done(f"{made.symbol} is there. Prices are fetched once somebody holds or watches it.", made.id)


def _edit_company(asked: Asked) -> Done:
    companies.change_company(asked.context, asked.record.symbol, by=asked.by, **asked.changed)
    return Done(f"{asked.record.symbol} is changed.")


def _close_company(asked: Asked) -> Done:
    closing.close_company(asked.context, asked.record.symbol, by=asked.by, **asked.values)
    return Done(f"{asked.record.symbol} is closed.")


def _reopen_company(asked: Asked) -> Done:
    closing.reopen_company(asked.context, asked.record.symbol, by=asked.by, **asked.values)
    return Done(f"{asked.record.symbol} is open again.")


def _rename_company(asked: Asked) -> Done:
    told = renaming.rename_symbol(
        asked.context, asked.record.symbol, asked.values["new"], since=asked.values["since"], by=asked.by,
        why=asked.values["why"],
    )  # fmt: skip
    merged = " The company that was known by that name is one with it now." if told.is_merged else ""
    return Done(f"{told.old} is called {told.new} since {told.since}.{merged}")


ADD_COMPANY = Change(
    "add",
    "Add a company",
    (Field("symbol", "Symbol", "Yahoo's spelling, as VOD.L", "code", is_required=True), _NAME, _COUNTRY),
    _add_company,
)
OF_COMPANIES = (
    Change(
        "edit",
        "Edit",
        (_NAME, _COUNTRY),
        _edit_company,
        "Where the country changes, the next dividend run looks at its dividends again.",
        is_edit=True,
    ),
    Change(
        "rename",
        "Call it otherwise",
        (
            Field("new", "New symbol", "", "code", is_required=True),
            Field("since", "Since", "", "date", is_required=True, read=day_of),
            _WHY,
        ),
        _rename_company,
        "Its history stays, and every name finds it.",
        is_direct=True,
    ),
    Change(
        "close",
        "Close",
        (Field("on", "Last day of which a bar is expected", "", "date", is_required=True, read=day_of), _WHY),
        _close_company,
        "Nothing is asked of it any more. The history stays.",
        is_direct=True,
        is_for=lambda one: one.closed_on is None,
    ),
    Change(
        "reopen",
        "Open again",
        (_WHY,),
        _reopen_company,
        "Its bars are expected and asked for again.",
        is_direct=True,
        is_for=lambda one: one.closed_on is not None,
    ),
)


def _enter_order(asked: Asked) -> Done:
    facts = {name: value for name, value in asked.values.items() if name in OrderDraft.__dataclass_fields__}
    # An empty fee is none.
    draft = OrderDraft(**{name: value for name, value in facts.items() if value is not None})
    entered = orders.enter_order(
        asked.context,
        draft,
        account=asked.values["account"],
        by=asked.by,
        key=asked.values["key"],
        allow_short=asked.values["allow_short"],
        source="web",
    )
    words = "; ".join([f"Order {entered.order.id} is entered.", *entered.remarks])
    return Done(words, entered.order.id)


def _delete_order(asked: Asked) -> Done:
    orders.delete_order(asked.context, asked.record.id, by=asked.by, allow_short=asked.values["allow_short"])
    return Done(
        f"Order {asked.record.id} is deleted, and what it booked is reversed. The next dividend run corrects payments."
    )


def _first_of_order() -> dict[str, str]:
    """Today, and a key by which a form that is sent twice enters one order."""
    return {"trade_date": current_context().clock.now().date().isoformat(), "currency": "USD", "key": uuid4().hex}


ENTER_ORDER = Change(
    "enter",
    "Enter an order",
    (
        Field("account", "Account", is_required=True),
        Field("type", "Type", "", "choice", tuple(OrderType), is_required=True),
        Field("trade_date", "Date at the exchange", "", "date", is_required=True, read=day_of),
        Field("symbol", "Symbol", "of a trade, transfer or dividend", "code"),
        Field("quantity", "Shares", "", "decimal", read=quantity_of),
        Field("price", "Price of a share", "", "decimal", read=price_of),
        Field("amount", "Amount", "cash moved; gross of a dividend; exact total of a trade", "decimal", read=money_of),
        Field("fee", "Fee", "", "decimal", read=money_of),
        Field("tax", "Tax", "", "decimal", read=money_of),
        Field("currency", "Currency", "", "code", is_required=True),
        Field("counter_amount", "Amount that a conversion gives", "", "decimal", read=money_of),
        Field("counter_currency", "Currency that a conversion gives", "", "code"),
        Field("note", "Note"),
        Field("allow_short", _SHORT, "", "check"),
        Field("key", "Key", "", "hidden"),
    ),
    _enter_order,
    "It is booked in the ledger at once. An order is never edited: one that is wrong is deleted and entered anew.",
    first=_first_of_order,
)
OF_ORDERS = (
    Change(
        "delete",
        "Delete",
        (Field("allow_short", _SHORT, "", "check"),),
        _delete_order,
        "It stays on record as deleted, and what it booked is reversed.",
        is_direct=True,
        is_for=lambda one: one.deleted_at is None,
    ),
)
