"""Records of every kind for keeping them: a page at a time by key, one by its number, or all of them for a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Select

from closingbell.domain.money import BIGINT_MAX
from closingbell.errors import UsageError
from closingbell.queries import record_kinds as kinds
from closingbell.stores.database import Database

Record = Any
# So many are read at once for a file: each lot in a look of its own, so that a slow reader keeps no transaction open.
AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of record: the shape of its rows, and how they are read.

    ``order`` is the field by which they are listed, unique among them, the highest first where ``is_newest_first``.
    ``filters`` are what they can be looked for by: name -> the condition that a text becomes.
    """

    shape: type[Record]
    query: Callable[[], Select[Any]]
    number: ColumnElement[int]
    key: ColumnElement[Any]
    filters: Mapping[str, Callable[[str], ColumnElement[bool]]]
    order: str = "id"
    is_newest_first: bool = True

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of a record's fields, in their order."""
        return tuple(field.name for field in fields(self.shape))

    @property
    def numeric(self) -> frozenset[str]:
        """The fields that hold amounts and counts."""
        return frozenset(
            one.name
            for one in fields(self.shape)
            if str(one.type).startswith(("Decimal", "int")) and one.name != "id" and not one.name.endswith("_id")
        )


def list_records(
    database: Database, kind: Kind, wanted: Mapping[str, str], *, after: str = "", limit: int = 100
) -> list[Record]:
    """Up to ``limit`` records that are as ``wanted`` (a filter -> its text) says, beyond the one of the key ``after``.

    Raise UsageError for a key that cannot be one.
    """
    query = kind.query()
    for name, text in wanted.items():
        if text:
            query = query.where(kind.filters[name](text))
    if after:
        key = _key(kind, after)
        query = query.where(kind.key < key if kind.is_newest_first else kind.key > key)
    ordered = query.order_by(kind.key.desc() if kind.is_newest_first else kind.key)
    with database.read() as connection:
        return [kind.shape(*row) for row in connection.execute(ordered.limit(limit))]


def find_record(database: Database, kind: Kind, number: int) -> Record | None:
    """The record of that number; None where there is none."""
    with database.read() as connection:
        row = connection.execute(kind.query().where(kind.number == number)).one_or_none()
        return None if row is None else kind.shape(*row)


def stream_records(database: Database, kind: Kind, wanted: Mapping[str, str]) -> Iterator[Record]:
    """Every record that is as ``wanted`` says, in the order of the list; what is stored meanwhile may be among them."""
    after = ""
    while True:
        found = list_records(database, kind, wanted, after=after, limit=AT_ONCE)
        yield from found
        if len(found) < AT_ONCE:
            return
        after = key_of(kind, found[-1])


def key_of(kind: Kind, record: Record) -> str:
    """What ``after`` is for the records beyond this one."""
    return str(getattr(record, kind.order))


def _key(kind: Kind, text: str) -> str | int:
    if kind.order != "id":
        return text
    if not (text.isascii() and text.isdecimal() and int(text) <= BIGINT_MAX):
        raise UsageError(f"after: {text[:40]!r} is not the number of a record")
    return int(text)


_ORDER, _ENTRY, _PAYMENT = kinds.ORDER, kinds.ENTRY, kinds.PAYMENT
_COMPANY, _PERSON, _ACCOUNT = kinds.COMPANY, kinds.PERSON, kinds.ACCOUNT
_RUN, _ACTION = kinds.RUN, kinds.ACTION

COMPANIES = Kind(
    kinds.CompanyRecord, kinds.companies, _COMPANY.id, _COMPANY.symbol,
    {"q": lambda text: kinds.containing(text, _COMPANY.symbol, _COMPANY.name)},
    order="symbol", is_newest_first=False,
)  # fmt: skip
PEOPLE = Kind(
    kinds.PersonRecord, kinds.people, _PERSON.id, _PERSON.email,
    {"q": lambda text: kinds.containing(text, _PERSON.email, _PERSON.name)},
    order="email", is_newest_first=False,
)  # fmt: skip
ACCOUNTS = Kind(
    kinds.AccountRecord, kinds.accounts, _ACCOUNT.id, _ACCOUNT.name,
    {"q": lambda text: kinds.containing(text, _ACCOUNT.name, _PERSON.email)},
    order="name", is_newest_first=False,
)  # fmt: skip
ORDERS = Kind(
    kinds.OrderRecord, kinds.orders, _ORDER.id, _ORDER.id,
    {
        "account": lambda text: kinds.of_account(_ORDER.account_id, text),
        "symbol": lambda text: kinds.of_company(_ORDER.company_id, text),
    },
)  # fmt: skip
LEDGER = Kind(
    kinds.LedgerRecord, kinds.ledger, _ENTRY.id, _ENTRY.id,
    {
        "account": lambda text: kinds.of_account(_ENTRY.account_id, text),
        "symbol": lambda text: kinds.of_company(_ENTRY.company_id, text),
    },
)  # fmt: skip
PAYMENTS = Kind(
    kinds.PaymentRecord, kinds.payments, _PAYMENT.id, _PAYMENT.id,
    {
        "account": lambda text: kinds.of_account(_PAYMENT.account_id, text),
        "symbol": lambda text: kinds.of_company(_PAYMENT.company_id, text),
    },
)  # fmt: skip
RUNS = Kind(
    kinds.RunRecord, kinds.runs, _RUN.id, _RUN.id,
    {"job_name": lambda text: _RUN.job_name == text, "status": lambda text: _RUN.status == text.upper()},
)  # fmt: skip
ACTIONS = Kind(
    kinds.ActionRecord, kinds.actions, _ACTION.id, _ACTION.id,
    {"who": lambda text: _ACTION.who == text, "action": lambda text: _ACTION.action == text},
)  # fmt: skip
