"""Corporate actions as closingbell keeps them: what was declared, what is known of its dates, whether it counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction


class AcceptedKind(StrEnum):
    """What a company did, in our words; a provider knows only dividends, capital gains and splits."""

    CASH = "CASH"
    CASH_SPECIAL = "CASH_SPECIAL"
    CAP_GAIN = "CAP_GAIN"
    RETURN_OF_CAPITAL = "RETURN_OF_CAPITAL"
    SCRIP = "SCRIP"
    SPLIT = "SPLIT"
    REVERSE_SPLIT = "REVERSE_SPLIT"
    STOCK_DIVIDEND = "STOCK_DIVIDEND"
    SPIN_OFF = "SPIN_OFF"


# Kinds of one group are one action that may be reclassified; two of different groups on one day are two actions.
GROUP_OF: dict[AcceptedKind, str] = {
    AcceptedKind.CASH: "CASH",
    AcceptedKind.RETURN_OF_CAPITAL: "CASH",
    AcceptedKind.SCRIP: "CASH",
    AcceptedKind.CASH_SPECIAL: "SPECIAL",
    AcceptedKind.CAP_GAIN: "GAIN",
    AcceptedKind.SPLIT: "SPLIT",
    AcceptedKind.REVERSE_SPLIT: "SPLIT",
    AcceptedKind.STOCK_DIVIDEND: "SPLIT",
    AcceptedKind.SPIN_OFF: "SPLIT",
}
PAYING = frozenset(kind for kind, group in GROUP_OF.items() if group != "SPLIT")
# Those that change how many shares everybody has, once they are confirmed.
SPLITTING = frozenset({AcceptedKind.SPLIT, AcceptedKind.REVERSE_SPLIT, AcceptedKind.STOCK_DIVIDEND})


class PayDateStatus(StrEnum):
    """How well a pay date is known."""

    CONFIRMED = "CONFIRMED"
    ESTIMATED = "ESTIMATED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of one corporate action; what is not known, or does not apply to its kind, is None.

    ``amount`` per share and ``numerator``:``denominator`` are in *cum units*: the shares of the close before the
    ex-date. ``amount`` is in the major unit of ``currency`` (``""`` where no money moves). For a spin-off the ratio is
    the child's shares per share of the parent. ``fx_rate``: units of ``fx_currency`` for one of ``currency``, fixed by
    the company. ``tax_rate`` and ``parent_basis_pct`` are what their names say, as 0.15 and 76.52.
    """

    kind: AcceptedKind
    ex_date: date
    currency: str
    amount: Decimal | None = None
    numerator: int | None = None
    denominator: int | None = None
    record_date: date | None = None
    pay_date: date | None = None
    pay_date_status: PayDateStatus = PayDateStatus.UNKNOWN
    tax_rate: Decimal | None = None
    fx_currency: str | None = None
    fx_rate: Decimal | None = None
    child_symbol: str | None = None
    parent_basis_pct: Decimal | None = None
    cash_in_lieu_price: Decimal | None = None
    scrip_price: Decimal | None = None
    election_deadline: date | None = None

    @property
    def ratio(self) -> Fraction:
        """New shares per old share (child's per parent's for a spin-off); 1 where no shares move."""
        return Fraction(self.numerator or 1, self.denominator or 1)

    @property
    def group(self) -> str:
        """What, with company, ex-date, currency and number, tells one action from another."""
        return GROUP_OF[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedAction:
    """A corporate action that is kept: its facts, and whether it waits for a person or was taken back.

    ``seq`` tells two of one group, day and currency apart. ``version`` counts up with every change, of a hold or a
    cancellation too.
    """

    id: int
    company_id: int
    facts: Facts
    seq: int = 0
    is_held: bool = False
    held_code: str | None = None
    held_reason: str | None = None
    is_cancelled: bool = False
    is_user_entered: bool = False
    version: int = 1

    @property
    def kind(self) -> AcceptedKind:
        """What the company did."""
        return self.facts.kind

    @property
    def ex_date(self) -> date:
        """The first day without the right."""
        return self.facts.ex_date

    @property
    def counts_for_quantities(self) -> bool:
        """Whether it is a confirmed real split: held, cancelled and spun-off ones change no position."""
        return self.kind in SPLITTING and not self.is_held and not self.is_cancelled
