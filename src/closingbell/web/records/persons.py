"""What administrators do to people and accounts."""

from __future__ import annotations

from dataclasses import replace

from closingbell.domain.entitlements import FRACTION_POLICIES
from closingbell.domain.rounding import ROUNDINGS
from closingbell.usecases import accounts, people, rights
from closingbell.usecases.accounts import DIVIDEND_PREFERENCES
from closingbell.web.records.changing import Asked, Change, Done
from closingbell.web.records.fields import Field, day_of, whole_of

_LINK = "This link lets them choose a password, once and within half an hour."
_PERSON = Field("name", "Name")
_ADMINISTRATOR = Field("is_administrator", "Administrator: operates, and keeps these records", "", "check")
_VIEWER = Field("is_viewer", "Viewer: looks at jobs, companies and dividends", "", "check")


def _add_person(asked: Asked) -> Done:
    told = dict(asked.values)
    secret = rights.add_person(
        asked.context, told["email"], name=told["name"] or "", is_administrator=told["is_administrator"],
        is_viewer=told["is_viewer"], by=asked.by,
    )  # fmt: skip
    return Done(f"{told['email']} is let in. {_LINK}", secret=secret)


def _edit_person(asked: Asked) -> Done:
    rights.change_person(asked.context, asked.record.email, by=asked.by, **asked.changed)
    return Done(f"{asked.record.email} is changed.")


def _link_person(asked: Asked) -> Done:
    secret = rights.make_link(asked.context, asked.record.email, by=asked.by)
    return Done(f"A new link for {asked.record.email}. {_LINK}", secret=secret)


def _reset_factor(asked: Asked) -> Done:
    email = asked.record.email
    people.reset_second_factor(asked.context, email=email, by=replace(asked.by, told=None))
    return Done(f"{email} signs in with the password alone now.")


ADD_PERSON = Change(
    "add",
    "Let somebody in",
    (Field("email", "E-mail", is_required=True), _PERSON, _ADMINISTRATOR, _VIEWER),
    _add_person,
    "Everybody sees their own accounts; nothing else without one of these rights.",
)
OF_PEOPLE = (
    Change(
        "edit",
        "Edit",
        (_PERSON, Field("is_active", "May sign in", "", "check"), _ADMINISTRATOR, _VIEWER),
        _edit_person,
        "Who loses a right is signed out everywhere.",
        is_edit=True,
    ),
    Change(
        "link",
        "Link to choose a password",
        (),
        _link_person,
        "For who has none yet, or forgot it. Whoever has the link can choose the password.",
        is_direct=True,
        is_for=lambda one: one.is_active,
    ),
    Change(
        "reset-second-factor",
        "Take the second factor away",
        (),
        _reset_factor,
        "For one that was lost. Ask that person first, by a way that you know.",
        is_direct=True,
        is_for=lambda one: one.has_second_factor,
    ),
)


def _add_account(asked: Asked) -> Done:
    told = {name: value for name, value in asked.values.items() if value is not None}
    made = accounts.add_account(asked.context, told.pop("name"), owner=told.pop("owner", ""), by=asked.by, **told)
    return Done(f"Account {made.name} is there, in {made.currency}.", made.id)


def _edit_account(asked: Asked) -> Done:
    changed = dict(asked.changed)
    called = changed.pop("name", None)
    owner = (changed.pop("owner") or "") if "owner" in changed else None
    account = accounts.change_account(
        asked.context, asked.record.name, owner=owner, called=called, by=asked.by, **changed
    )
    return Done(f"Account {account.name} is changed.")


_OF_ACCOUNT = (
    Field("name", "Name", is_required=True),
    Field("owner", "Owner's e-mail", "whose pages show it; empty: nobody's"),
    Field("currency", "Currency", "that dividends are paid out in, as USD", "code", is_required=True),
    Field("residence", "Country of residence", "for withholding tax, as US", "code"),
    Field("dividend_preference", "Dividends", "", "choice", DIVIDEND_PREFERENCES, is_required=True),
    Field("is_reinvesting", "Shares are bought for dividends", "", "check"),
    Field("drip_decimals", "Decimals of reinvested shares", "", "decimal", is_required=True, read=whole_of),
    Field("takes_scrip", "Shares are taken where they are offered for cash", "", "check"),
    Field("rounding", "Rounding of dividends", "", "choice", ROUNDINGS, is_required=True),
    Field("fraction_policy", "Fractions at splits", "", "choice", FRACTION_POLICIES, is_required=True),
    Field("opened_date", "Opened", "", "date", read=day_of),
)
ADD_ACCOUNT = Change(
    "add",
    "Add an account",
    _OF_ACCOUNT,
    _add_account,
    first=lambda: {
        "currency": "USD",
        "dividend_preference": "AUTO",
        "drip_decimals": "4",
        "rounding": "HALF_UP",
        "fraction_policy": "KEEP",
    },
)
OF_ACCOUNTS = (
    Change(
        "edit",
        "Edit",
        _OF_ACCOUNT,
        _edit_account,
        "Where a setting changes, the next dividend run looks at what is booked for the account again.",
        is_edit=True,
    ),
)
