"""What each leg of a payment books in the ledger, as rules that are data: the same in Python and in SQL.

Rules copy stored amounts, so nothing is computed twice; those of one leg sum to zero in each currency.
"""

from __future__ import annotations

from typing import NamedTuple

from closingbell.domain.actions import AcceptedKind
from closingbell.domain.ledger import (
    CASH,
    CONVERSION,
    DIVIDEND,
    PAYABLE,
    PAYMENT_IN_LIEU,
    RECEIVABLE,
    REVERSAL,
    SECURITIES,
    TRANSFERS,
    WITHHOLDING_TAX,
    Posting,
)
from closingbell.domain.payments import BookedLeg, Leg

CAPITAL = AcceptedKind.RETURN_OF_CAPITAL.value


class PostingRule(NamedTuple):
    """One line of a leg's group: the ledger account, and which amount of the leg with which sign.

    It holds for legs of which all that is not None says the same. ``is_kind_named`` appends the action's kind to
    ``name``; ``in_cash_currency`` takes the account's currency in place of the dividend's.
    """

    leg: Leg
    line: int
    name: str
    sign: int
    amount: str
    is_short: bool | None = None
    is_capital: bool | None = None
    is_converted: bool | None = None
    is_kind_named: bool = False
    in_cash_currency: bool = False


RULES = (
    PostingRule(Leg.ACCRUAL, 0, RECEIVABLE, 1, "net", is_short=False),
    PostingRule(Leg.ACCRUAL, 1, WITHHOLDING_TAX, 1, "tax", is_short=False),
    PostingRule(Leg.ACCRUAL, 2, DIVIDEND, -1, "gross", is_short=False, is_capital=False, is_kind_named=True),
    PostingRule(Leg.ACCRUAL, 2, SECURITIES, -1, "gross", is_short=False, is_capital=True),
    PostingRule(Leg.ACCRUAL, 0, PAYMENT_IN_LIEU, -1, "gross", is_short=True),
    PostingRule(Leg.ACCRUAL, 1, PAYABLE, 1, "gross", is_short=True),
    PostingRule(Leg.PAYMENT, 0, CASH, 1, "cash", in_cash_currency=True),
    PostingRule(Leg.PAYMENT, 1, RECEIVABLE, -1, "net", is_short=False),
    PostingRule(Leg.PAYMENT, 1, PAYABLE, -1, "net", is_short=True),
    PostingRule(Leg.PAYMENT, 2, CONVERSION, 1, "net", is_converted=True),
    PostingRule(Leg.PAYMENT, 3, CONVERSION, -1, "cash", is_converted=True, in_cash_currency=True),
    PostingRule(Leg.CIL, 0, CASH, 1, "cash", in_cash_currency=True),
    PostingRule(Leg.CIL, 1, SECURITIES, -1, "net"),
    PostingRule(Leg.CIL, 2, CONVERSION, 1, "net", is_converted=True),
    PostingRule(Leg.CIL, 3, CONVERSION, -1, "cash", is_converted=True, in_cash_currency=True),
    # The child's shares come by an order, at the cost that goes here.
    PostingRule(Leg.SPIN_OFF, 0, SECURITIES, -1, "gross"),
    PostingRule(Leg.SPIN_OFF, 1, TRANSFERS, 1, "gross"),
)


def rules_for(leg: BookedLeg) -> list[PostingRule]:
    """The rules that a leg is booked by, in the order of their lines; none for a leg that moves no money."""
    is_short, is_converted = leg.gross < 0, leg.currency != leg.cash_currency
    return [
        rule
        for rule in RULES
        if rule.leg is leg.leg
        and rule.is_short in (None, is_short)
        and rule.is_capital in (None, leg.kind == CAPITAL)
        and rule.is_converted in (None, is_converted)
    ]


def postings_of(leg: BookedLeg) -> list[Posting]:
    """What a leg books: ledger account, currency and amount; what is zero is left out."""
    return [
        (
            rule.name + leg.kind if rule.is_kind_named else rule.name,
            leg.cash_currency if rule.in_cash_currency else leg.currency,
            rule.sign * getattr(leg, rule.amount),
        )
        for rule in rules_for(leg)
        if getattr(leg, rule.amount)
    ]


def group_key(leg: BookedLeg) -> str:
    """What tells this leg's group of entries from any other, whoever books it."""
    return key_of(leg.action_id, leg.account_id, leg.leg, leg.version)


def group_keys(leg: BookedLeg) -> tuple[str, str]:
    """The groups of all entries that a leg can have: what it booked, and what took that back."""
    key = group_key(leg)
    return key, key + REVERSAL


def key_of(action_id: int, account_id: int, leg: str, version: int) -> str:
    """The key of a leg's group; short, because every entry has it, and its index too."""
    return f"d{action_id}:{account_id}:{leg}{version}"
