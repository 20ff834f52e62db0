"""The kinds of records that there are, and what of each is listed."""

from __future__ import annotations

from closingbell.queries import records
from closingbell.web.records import market, persons
from closingbell.web.records.changing import ChangingView
from closingbell.web.records.views import RecordView

_ACCOUNT_AND_SYMBOL = (("account", "Account"), ("symbol", "Symbol"))


class Companies(ChangingView):
    """Listed things."""

    kind, title, single = records.COMPANIES, "Companies", "Company"
    about = "Listed things that somebody holds or watches."
    listed = ("symbol", "name", "mic", "currency", "country", "closed_on")
    looked_for = (("q", "Symbol or name"),)
    making, changes = market.ADD_COMPANY, market.OF_COMPANIES


class People(ChangingView):
    """Who may come in."""

    kind, title, single = records.PEOPLE, "People", "Person"
    about = "Who may sign in, and what they may do."
    listed = ("email", "name", "is_active", "is_administrator", "is_viewer", "has_second_factor")
    looked_for = (("q", "E-mail or name"),)
    making, changes = persons.ADD_PERSON, persons.OF_PEOPLE


class Accounts(ChangingView):
    """Accounts."""

    kind, title, single = records.ACCOUNTS, "Accounts", "Account"
    about = "Whose each account is, and how dividends are settled in it."
    listed = ("name", "owner", "currency", "residence", "dividend_preference", "is_reinvesting")
    looked_for = (("q", "Account or its owner's e-mail"),)
    making, changes = persons.ADD_ACCOUNT, persons.OF_ACCOUNTS


class Orders(ChangingView):
    """Orders, deleted ones too."""

    kind, title, single = records.ORDERS, "Orders", "Order"
    about = "Trades and movements of cash in every account, deleted ones too."
    listed = (
        "id", "trade_date", "account", "type", "symbol", "quantity", "price", "amount", "fee", "currency", "deleted_at",
    )  # fmt: skip
    looked_for = _ACCOUNT_AND_SYMBOL
    making, changes = market.ENTER_ORDER, market.OF_ORDERS


class Ledger(RecordView):
    """Entries of the ledger."""

    kind, title, single = records.LEDGER, "Ledger", "Ledger entry"
    about = "Every entry that orders and dividends booked. Nothing here is ever changed: a correction is a new entry."
    listed = ("id", "value_date", "account", "name", "amount", "currency", "kind", "symbol", "order_id", "payment_id")
    looked_for = _ACCOUNT_AND_SYMBOL


class Payments(RecordView):
    """Dividend payments."""

    kind, title, single = records.PAYMENTS, "Payments", "Payment"
    about = "Every leg of every dividend, reversed ones too. The dividend job alone writes them."
    listed = (
        "id", "value_date", "account", "symbol", "leg", "kind", "quantity", "gross", "tax", "net", "currency",
        "reversed_at",
    )  # fmt: skip
    looked_for = _ACCOUNT_AND_SYMBOL


class Runs(RecordView):
    """Runs of jobs."""

    kind, title, single = records.RUNS, "Runs", "Run"
    about = "Every execution of every job."
    listed = ("id", "job_name", "status", "started_at", "completed_at", "stocks_processed", "stocks_failed", "message")
    looked_for = (("job_name", "Job"), ("status", "Status"))


class Actions(RecordView):
    """What people did."""

    kind, title, single, place = records.ACTIONS, "Audit log", "Action", "audit"
    about = "What people did here: who, when, what, from where. Nothing of it is ever changed."
    listed = ("id", "at", "who", "action", "target", "detail", "address")
    looked_for = (("who", "Who"), ("action", "Action"))


VIEWS: tuple[type[RecordView], ...] = (Companies, People, Accounts, Orders, Ledger, Payments, Runs, Actions)
