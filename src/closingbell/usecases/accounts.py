"""Accounts and books: what a person decides about them, checked before it is stored."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from closingbell.domain.entitlements import FRACTION_POLICIES
from closingbell.domain.money import QUANTITY_SCALE, plain, to_scaled
from closingbell.domain.payments import Preference
from closingbell.domain.rounding import ROUNDINGS
from closingbell.domain.withholding import WithholdingRule
from closingbell.errors import UnknownAccountError, UsageError
from closingbell.jobs.context import JobContext
from closingbell.stores import accounts, books, companies, marks
from closingbell.stores.accounts import AccountFacts
from closingbell.stores.books import FX_DATES, PAY_POLICIES, BookSettings
from closingbell.stores.people import find_person
from closingbell.usecases.audited import in_words, write_down
from closingbell.usecases.reasons import By, checked_name

DIVIDEND_PREFERENCES = tuple(preference.value for preference in Preference)
_CHOICES = {
    "rounding": ROUNDINGS,
    "fraction_policy": FRACTION_POLICIES,
    "dividend_preference": DIVIDEND_PREFERENCES,
    "pay_policy": PAY_POLICIES,
    "fx_date": FX_DATES,
}
_DATES = ("lock_date", "cutover_date")
_CURRENCY = re.compile(r"[A-Z]{3}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_LONGEST_NAME = 100
_MOST_DECIMALS = 10
_PROVIDER = "manual"


def list_accounts(context: JobContext) -> list[AccountFacts]:
    """Every account by name."""
    marks.require_tables(context.database)
    with context.database.read() as connection:
        return list(accounts.load_accounts(connection).values())


def add_account(
    context: JobContext, name: str, *, owner: str = "", by: By | None = None, **settings: Any
) -> AccountFacts:
    """Make an account; raise UsageError for one that is there, or a setting that cannot be.

    ``owner`` is the e-mail of the person whose own it is; nobody's without one.
    """
    marks.claim_origin(context.database, context.settings.origin, clock=context.clock)
    shown = _checked_name(name)
    _check(settings)
    now = context.clock.now()
    currency = settings.pop("currency", None) or "USD"

    def unit(connection: Connection) -> AccountFacts:
        _refuse_taken(connection, shown)
        accounts.store_new_account(connection, shown, currency=currency, now=now)
        facts = _find(connection, shown)
        if owner.strip():
            accounts.store_owner(connection, facts.id, _owner_id(connection, owner))
        if settings:
            accounts.store_account_settings(connection, facts.id, now=now, **settings)
        told = {"currency": currency, **({"owner": owner.strip()} if owner.strip() else {}), **settings}
        write_down(context, connection, by, "add account", shown, in_words(told))
        return _find(connection, shown)

    return context.database.write_unit(unit)


def change_account(
    context: JobContext, name: str, *, owner: str | None = None, called: str | None = None, by: By | None = None,
    **settings: Any,
) -> AccountFacts:  # fmt: skip
    """Change what an account decides; raise UnknownAccountError, or UsageError for what cannot be.

    ``owner`` is the e-mail of the person whose own it becomes, an empty one makes it nobody's; ``called`` is its new
    name.
    """
    marks.claim_origin(context.database, context.settings.origin, clock=context.clock)
    _check(settings)
    if not settings and owner is None and called is None:
        raise UsageError("name at least one thing to change")
    new_name = None if called is None else _checked_name(called)
    now = context.clock.now()

    def unit(connection: Connection) -> AccountFacts:
        facts = _find(connection, name)
        if new_name is not None and new_name != facts.name:
            _refuse_taken(connection, new_name)
            accounts.store_name(connection, facts.id, new_name)
        if owner is not None:
            accounts.store_owner(connection, facts.id, _owner_id(connection, owner) if owner.strip() else None)
        if settings:
            accounts.store_account_settings(connection, facts.id, now=now, **settings)
        told = {"name": new_name, "owner": owner, **settings}
        if called is None:
            del told["name"]
        if owner is None:
            del told["owner"]
        write_down(context, connection, by, "edit account", facts.name, in_words(told))
        return _find(connection, new_name or name)

    try:
        return context.database.write_unit(unit)
    except IntegrityError:
        raise UsageError(f"an account is called {new_name!r} already") from None


def give_account(context: JobContext, name: str, email: str, *, by: By) -> AccountFacts:
    """Make an account a person's own: they alone see it on their pages; raise UsageError where either is not there."""
    if not email.strip():
        raise UsageError("say whose account it is")
    marks.claim_origin(context.database, context.settings.origin, clock=context.clock)

    def unit(connection: Connection) -> AccountFacts:
        facts = _find(connection, name)
        accounts.store_owner(connection, facts.id, _owner_id(connection, email))
        write_down(context, connection, by, "give account", facts.name, email.strip())
        return facts

    return context.database.write_unit(unit)


def find_account(context: JobContext, name: str) -> AccountFacts:
    """One account by its name; raise UnknownAccountError."""
    with context.database.read() as connection:
        return _find(connection, name)


def set_reinvesting(
    context: JobContext,
    name: str,
    symbol: str,
    is_reinvesting: bool | None,
    *,
    by: By,
) -> AccountFacts:
    """Choose for one company of an account whether its dividends buy shares; None is as the account chooses for all.

    Raise UnknownAccountError, UnknownSymbolError, or UsageError where the account never had the company.
    """
    marks.claim_origin(context.database, context.settings.origin, clock=context.clock)
    now, who, wanted = context.clock.now(), checked_name(by), symbol.strip().upper()

    def unit(connection: Connection) -> AccountFacts:
        facts = _find(connection, name)
        [company_id] = companies.require_known(connection, [wanted])
        if company_id not in accounts.load_company_ids(connection, [facts.id]):
            raise UsageError(f"the account {facts.name} has no order of {wanted}")
        accounts.store_holding_choice(connection, facts.id, company_id, is_reinvesting, by=who, now=now)
        said = {True: "reinvested", False: "paid in cash", None: "as the account chooses"}[is_reinvesting]
        write_down(context, connection, by, "reinvest", facts.name, f"{wanted}: {said}")
        return facts

    return context.database.write_unit(unit)


def _find(connection: Connection, name: str) -> AccountFacts:
    facts = accounts.find_account_facts(connection, name.strip())
    if facts is None:
        raise UnknownAccountError(f"no account is called {name.strip()!r}; closingbell accounts list shows them")
    return facts


def _refuse_taken(connection: Connection, name: str) -> None:
    if accounts.find_account_facts(connection, name) is not None:
        raise UsageError(f"an account is called {name!r} already")


def _checked_name(name: str) -> str:
    shown = name.strip()
    if not 1 <= len(shown) <= _LONGEST_NAME or not shown.isprintable():
        raise UsageError(f"an account's name has 1 to {_LONGEST_NAME} printable characters")
    return shown


def _owner_id(connection: Connection, email: str) -> int:
    # Addresses are stored in lower case; one that is stored otherwise is found as it is.
    person = find_person(connection, email.strip()) or find_person(connection, email.strip().lower())
    if person is None:
        raise UsageError(f"nobody has the address {email.strip()!r}")
    return person.id


def read_books(context: JobContext) -> tuple[BookSettings, list[WithholdingRule]]:
    """The settings of all books, and every withholding rate."""
    marks.require_tables(context.database)
    with context.database.read() as connection:
        return books.load_book_settings(connection), books.load_withholding_rules(connection)


def set_book(context: JobContext, name: str, value: str, *, by: By) -> BookSettings:
    """Set what holds for all books; an empty value takes it back; raise UsageError for what cannot be."""
    marks.claim_origin(context.database, context.settings.origin, clock=context.clock)
    known = [field.name for field in fields(BookSettings)]
    if name not in known:
        raise UsageError(f"{name!r} is not one of {', '.join(known)}")
    now = context.clock.now()
    if value and name in _DATES:
        day = _date(value)
        if name == "lock_date" and day >= now.date():
            raise UsageError(f"{day}: only days that are over can be closed")
    elif value:
        _check({name: value})

    def unit(connection: Connection) -> None:
        books.store_book_setting(connection, name, value, by=checked_name(by), now=now)
        write_down(context, connection, by, "set books", name, value or "taken back")

    context.database.write_unit(unit)
    return read_books(context)[0]


def set_withholding_rate(
    context: JobContext, source_country: str, rate: Decimal, *, valid_from: date, account: str | None = None,
    residence: str | None = None, action_type: str | None = None, note: str | None = None, by: By | None = None,
) -> WithholdingRule:  # fmt: skip
    """Set what share of a country's dividends is withheld from a date on, for an account, a residence or everybody."""
    marks.claim_origin(context.database, context.settings.origin, clock=context.clock)
    if not 0 <= rate <= 1:
        raise UsageError(f"a rate is a share from 0 to 1, as in 0.15; {rate} is not")
    to_scaled(rate, QUANTITY_SCALE)
    if account is not None and residence is not None:
        raise UsageError("a rate is for an account or for a residence, not for both")
    for country in (source_country, residence or source_country):
        _check({"residence": country})
    now = context.clock.now()

    def unit(connection: Connection) -> WithholdingRule:
        facts = None if account is None else accounts.find_account_facts(connection, account.strip())
        if account is not None and facts is None:
            raise UnknownAccountError(f"no account is called {account.strip()!r}")
        account_id = None if facts is None else facts.id
        rule = WithholdingRule(source_country, rate, valid_from, account_id, residence, action_type)
        books.store_withholding_rule(connection, rule, now=now, note=note)
        told = f"{plain(rate)} since {valid_from}, {rule.scope}"
        write_down(context, connection, by, "set withholding rate", source_country, told)
        return rule

    return context.database.write_unit(unit)


def set_fx_rate(
    context: JobContext, from_currency: str, to_currency: str, day: date, rate: Decimal, *, by: By | None = None
) -> None:
    """Set what one unit of a currency was worth in another on a day."""
    marks.claim_origin(context.database, context.settings.origin, clock=context.clock)
    for currency in (from_currency, to_currency):
        _check({"currency": currency})
    if from_currency == to_currency or rate <= 0:
        raise UsageError("an exchange rate is above zero, and between two currencies")
    to_scaled(rate, QUANTITY_SCALE)
    now = context.clock.now()
    rates = [(from_currency, to_currency, day, rate)]

    def unit(connection: Connection) -> None:
        books.store_fx_rates(connection, rates, provider=_PROVIDER, now=now)
        write_down(context, connection, by, "set exchange rate", f"{from_currency} {to_currency} {day}", plain(rate))

    context.database.write_unit(unit)


def _check(settings: dict[str, Any]) -> None:
    """Raise UsageError that names the first setting which cannot be."""
    for name, value in settings.items():
        known = _CHOICES.get(name)
        if known is not None and value not in known:
            raise UsageError(f"{name}: {value!r} is not one of {', '.join(known)}")
        if name == "currency" and not _CURRENCY.fullmatch(value):
            raise UsageError(f"currency: {value!r} is not three letters, as in USD")
        if name == "residence" and value and not _COUNTRY.fullmatch(value):
            raise UsageError(f"country: {value!r} is not two letters, as in US")
        if name == "drip_decimals" and not 0 <= value <= _MOST_DECIMALS:
            raise UsageError(f"drip_decimals: 0 to {_MOST_DECIMALS}")


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a date; write YYYY-MM-DD") from None
