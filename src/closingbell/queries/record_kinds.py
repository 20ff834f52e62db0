"""What a record of each kind is, and where it is read: the shapes and statements behind ``records``."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select

from closingbell.models import (
    Account,
    AuditEntry,
    Company,
    CompanySymbol,
    DividendPayment,
    JobLog,
    LedgerEntry,
    Order,
    User,
)
from closingbell.stores.companies import SHADOW
from closingbell.stores.orders import StoredOrder
from closingbell.stores.upsert import table_of

COMPANY, PERSON, ACCOUNT = table_of(Company).c, table_of(User).c, table_of(Account).c
ORDER, ENTRY, PAYMENT = table_of(Order).c, table_of(LedgerEntry).c, table_of(DividendPayment).c
RUN, ACTION = table_of(JobLog).c, table_of(AuditEntry).c


@dataclass(frozen=True, slots=True)
class CompanyRecord:
    """A company; ``country`` is where its dividends are taxed, None stands for its exchange's."""

    id: int
    symbol: str
    name: str | None
    mic: str
    exchange_name: str | None
    currency: str | None
    quote_unit: str | None
    country: str | None
    first_trade_date: date | None
    closed_on: date | None
    closed_reason: str | None
    last_updated: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """A person and their rights; never a secret of theirs, only whether there is one."""

    id: int
    email: str
    name: str | None
    is_active: bool
    is_administrator: bool
    is_viewer: bool
    has_password: bool
    has_second_factor: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """An account, whose it is, and what it decides."""

    id: int
    name: str
    owner: str | None
    currency: str
    residence: str | None
    dividend_preference: str
    is_reinvesting: bool
    drip_decimals: int
    takes_scrip: bool
    rounding: str
    fraction_policy: str
    opened_date: date | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class OrderRecord(StoredOrder):
    """An order, deleted or not; ``posted_at`` is when the ledger took it up."""

    posted_at: datetime | None


@dataclass(frozen=True, slots=True)
class LedgerRecord:
    """One entry of the ledger; those of one ``group_key`` sum to zero."""

    id: int
    value_date: date
    account: str
    name: str
    amount: Decimal
    currency: str
    kind: str
    symbol: str | None
    order_id: int | None
    payment_id: int | None
    group_key: str
    line: int
    posted_at: datetime


@dataclass(frozen=True, slots=True)
class PaymentRecord:
    """One leg of a dividend, standing or reversed."""

    id: int
    value_date: date
    account: str
    symbol: str
    leg: str
    kind: str
    quantity: Decimal
    per_share: Decimal
    gross: Decimal
    tax: Decimal
    net: Decimal
    currency: str
    cash: Decimal
    cash_currency: str
    due_date: date
    pay_date_status: str
    version: int
    corporate_action_id: int
    order_id: int | None
    job_log_id: int | None
    posted_at: datetime
    reversed_at: datetime | None
    reversal_reason: str | None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of a job."""

    id: int
    job_name: str
    status: str
    trigger: str
    started_at: datetime
    completed_at: datetime | None
    stocks_processed: int
    stocks_failed: int
    expected_count: int
    covered_count: int
    request_count: int
    requested_by: str | None
    attempt: int
    ended_by: str | None
    message: str | None
    error_message: str | None


@dataclass(frozen=True, slots=True)
class ActionRecord:
    """What somebody did: who, when (real time), what, on which thing, from where."""

    id: int
    at: datetime
    who: str
    action: str
    target: str
    detail: str | None
    address: str | None


def columns(table: Any, shape: type[Any], **computed: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    """The columns of a table that make a ``shape``, in its order; ``computed`` are those that it has not itself."""
    return [computed[one.name] if one.name in computed else table[one.name] for one in fields(shape)]


def companies() -> Select[Any]:
    """Every company but those that were made one with another."""
    return select(*columns(COMPANY, CompanyRecord)).where(~COMPANY.symbol.contains(SHADOW))


def people() -> Select[Any]:
    """Every person."""
    computed = {
        "has_password": PERSON.password_hash.is_not(None),
        "has_second_factor": PERSON.tf_primary_method.is_not(None),
    }
    return select(*columns(PERSON, PersonRecord, **computed))


def accounts() -> Select[Any]:
    """Every account with its owner."""
    chosen = select(*columns(ACCOUNT, AccountRecord, owner=PERSON.email)).select_from(table_of(Account))
    return chosen.outerjoin(table_of(User), PERSON.id == ACCOUNT.user_id)


def orders() -> Select[Any]:
    """Every order, deleted ones too."""
    chosen = select(*columns(ORDER, OrderRecord, account=ACCOUNT.name, symbol=COMPANY.symbol))
    return _with_names(chosen.select_from(table_of(Order)), ORDER)


def ledger() -> Select[Any]:
    """Every entry of the ledger."""
    chosen = select(*columns(ENTRY, LedgerRecord, account=ACCOUNT.name, symbol=COMPANY.symbol))
    return _with_names(chosen.select_from(table_of(LedgerEntry)), ENTRY)


def payments() -> Select[Any]:
    """Every leg of every dividend, reversed ones too."""
    chosen = select(*columns(PAYMENT, PaymentRecord, account=ACCOUNT.name, symbol=COMPANY.symbol))
    return _with_names(chosen.select_from(table_of(DividendPayment)), PAYMENT)


def runs() -> Select[Any]:
    """Every run."""
    return select(*columns(RUN, RunRecord))


def actions() -> Select[Any]:
    """Everything that people did."""
    return select(*columns(ACTION, ActionRecord))


def containing(text: str, *of: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether one of these columns has the text in it as it stands, in whatever case."""
    return or_(*(column.icontains(text, autoescape=True) for column in of))


def of_account(account_id: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Whether a row is of the account of that name."""
    return account_id == select(ACCOUNT.id).where(ACCOUNT.name == name).scalar_subquery()


def of_company(company_id: ColumnElement[Any], symbol: str) -> ColumnElement[bool]:
    """Whether a row is of the company that is called so, or was."""
    former = table_of(CompanySymbol).c
    named = select(COMPANY.id).where(COMPANY.symbol == symbol.upper())
    return company_id.in_(named.union(select(former.company_id).where(former.symbol == symbol.upper())))


def _with_names(chosen: Select[Any], row: Any) -> Select[Any]:
    joined = chosen.outerjoin(table_of(Account), ACCOUNT.id == row.account_id)
    return joined.outerjoin(table_of(Company), COMPANY.id == row.company_id)
