"""What is booked for one corporate action in one account: legs, their versions, and what each one moves.

Quantities, amounts per share and rates are whole 1e-10 units, money whole 1e-4, prices whole 1e-6.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple

from closingbell.domain.entitlements import FractionPolicy, Split
from closingbell.domain.pay_dates import PayDate
from closingbell.domain.rounding import Rounding


class Leg(StrEnum):
    """A step of a payment; each is booked, and reversed, by itself."""

    ACCRUAL = "ACCRUAL"
    PAYMENT = "PAYMENT"
    DRIP = "DRIP"
    SPLIT = "SPLIT"
    CIL = "CIL"
    SPIN_OFF = "SPIN_OFF"
    FRACTION = "FRACTION"
    SCRIP = "SCRIP"


# Each of these is an order of the child's.
SPUN = frozenset({Leg.SPIN_OFF, Leg.FRACTION})
# Their orders are taken back with them.
ORDERED = SPUN | {Leg.SCRIP}


class Preference(StrEnum):
    """Whether an account's dividends are paid by themselves, only shown, or neither."""

    AUTO = "AUTO"
    SUGGEST = "SUGGEST"
    OFF = "OFF"


class EventState(StrEnum):
    """How far a corporate action is, over all accounts."""

    ANNOUNCED = "ANNOUNCED"
    EX = "EX"
    PAYABLE = "PAYABLE"
    PAID = "PAID"
    CORRECTED = "CORRECTED"
    CANCELLED = "CANCELLED"


class Dividend(NamedTuple):
    """A corporate action that pays, with its pay date decided; ``amount`` per share of the close before the ex-date."""

    id: int
    kind: str
    ex_date: date
    amount: int
    currency: str
    pay: PayDate
    version: int = 1
    is_held: bool = False
    is_cancelled: bool = False
    tax_rate: int | None = None
    fx_currency: str | None = None
    fx_rate: int | None = None
    scrip_price: int | None = None


class ShareEvent(NamedTuple):
    """A split and what is paid for a fraction: the agent's ``price`` once a person entered it.

    It always moves the position; what it books is looked at only when it is ``in_scope``.
    """

    split: Split
    version: int = 1
    counts: bool = True
    price: int | None = None
    in_scope: bool = True


class Holder(NamedTuple):
    """An account, and how what companies do is settled in it; ``reinvests_since`` is when it last chose to reinvest."""

    account_id: int
    currency: str
    residence: str | None = None
    rounding: Rounding = Rounding.HALF_UP
    fractions: FractionPolicy = FractionPolicy.KEEP
    is_reinvesting: bool = False
    drip_decimals: int = 4
    preference: Preference = Preference.AUTO
    takes_scrip: bool = False
    reinvests_since: date | None = None


class BookedLeg(NamedTuple):
    """One leg as it is, or is to be, booked. What ``per_share``, rates and price were is frozen in it.

    ``due_date`` is when it should count, ``value_date`` when it does: later where a closed period is in between.
    ``quantity`` is what was counted; what was bought by a DRIP or came as SCRIP; what a CIL cut off or a FRACTION sold.
    ``quantity_after`` is what a SPLIT made of it, or the shares of the child that a SPIN_OFF brought for it; its
    ``gross`` is the part of the parent's cost that went with them.
    """

    action_id: int
    account_id: int
    leg: Leg
    version: int
    kind: str
    action_version: int
    quantity: int
    per_share: int
    gross: int
    tax: int
    net: int
    currency: str
    tax_rate: int
    is_rate_of_action: bool
    rounding: Rounding
    fx_rate: int | None
    fx_date: date | None
    is_fx_of_action: bool
    cash: int
    cash_currency: str
    price: int | None
    quantity_after: int | None
    due_date: date
    value_date: date
    pay_date_status: str
    id: int = 0
    order_id: int | None = None


class Reversal(NamedTuple):
    """A booked leg that is taken back on a date, and why."""

    booked: BookedLeg
    value_date: date
    reason: str


class UserDividend(NamedTuple):
    """What a person or a statement says was paid: an order, its day, and its amounts as they may be meant."""

    order_id: int
    date: date
    currency: str
    gross: int
    net: int


class Link(NamedTuple):
    """An entitlement that a person's own entry stands for; ``gross`` and ``net`` are what we would have booked."""

    action_id: int
    account_id: int
    order_id: int
    gross: int
    net: int
    currency: str


class StoredLink(NamedTuple):
    """What was written down of a link: the entry, whether a person tied it, and what was owed when it was looked at."""

    order_id: int
    is_by_person: bool
    gross: int | None = None
    currency: str | None = None


class Suggestion(NamedTuple):
    """An entitlement that is shown and not booked; ``is_dismissed``: a person has said that it is not wanted.

    Of a spin-off, ``shares`` are the child's that would come, and the amounts are the cost that they take.
    """

    action_id: int
    account_id: int
    quantity: int
    gross: int
    tax: int
    net: int
    currency: str
    shares: int | None = None
    is_dismissed: bool = False


class Wait(NamedTuple):
    """A leg that waits for a price or a rate; ``is_over``: for too long, it is not booked any more.

    ``account_id`` where it waits for what is to be done in one account, which people are told of at once.
    """

    action_id: int
    leg: Leg
    what: str
    is_over: bool = False
    account_id: int | None = None


@dataclass(slots=True)
class HolderBooks:
    """What is on the books of one account for one company: active legs, newest versions, and the first payment's day.

    ``links`` are the entries that a person tied to an action; ``entries`` those that nobody tied to one, ``known``
    those of them that stood for an action before. ``choices``: what a person said of a suggestion, by action: whether
    it is accepted. ``elections``: whether shares are taken in place of cash, by action, where that is decided whatever
    was paid. ``rerates``: why a person wants an action's legs computed anew, with the rounding and the rates that hold
    now.
    """

    active: dict[tuple[int, Leg], BookedLeg] = field(default_factory=dict)
    versions: dict[tuple[int, Leg], int] = field(default_factory=dict)
    first_paid: dict[int, date] = field(default_factory=dict)
    links: dict[int, int] = field(default_factory=dict)
    entries: list[UserDividend] = field(default_factory=list)
    known: dict[int, StoredLink] = field(default_factory=dict)
    choices: dict[int, bool] = field(default_factory=dict)
    elections: dict[int, bool] = field(default_factory=dict)
    rerates: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class Changes:
    """What makes the books of an account what they should be; ``unpaid`` waits for a decision, a rate or a price."""

    reversals: list[Reversal] = field(default_factory=list)
    bookings: list[BookedLeg] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    suggestions: list[Suggestion] = field(default_factory=list)
    unpaid: set[int] = field(default_factory=set)
    corrected: set[int] = field(default_factory=set)
    waiting: list[Wait] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether the books are right as they are."""
        return not self.reversals and not self.bookings


def _itself(day: date) -> date:
    return day


@dataclass(frozen=True, slots=True)
class Rates:
    """What the market and the tables say: withholding (holder, kind, day), exchange (from, to, day), closes (day).

    ``trading_day`` is a day itself, or the session that follows where the exchange is known to rest.
    """

    withheld: Callable[[Holder, str, date], int]
    exchange: Callable[[str, str, date], tuple[int, date] | None]
    close: Callable[[date], int | None]
    trading_day: Callable[[date], date] = _itself


@dataclass(frozen=True, slots=True)
class Frame:
    """The day that it is at the company's exchange, closed periods, the day the books were taken over, and rates.

    ``is_past``: the books are made as of an earlier day; whatever counts after it stays as it is.
    """

    today: date
    rates: Rates
    lock_date: date | None = None
    cutover: date | None = None
    fx_date: str = "PAY_DATE"
    is_past: bool = False

    def closed(self, value_date: date) -> bool:
        """Whether a day lies in a closed period; one that is not over yet is not closed."""
        return self.lock_date is not None and value_date <= self.lock_date < self.today

    def rate_day(self, ex_date: date, due: date) -> date:
        """The day whose exchange rate a payment is converted at."""
        if self.fx_date == "EX_DATE":
            return ex_date
        return due - timedelta(days=1) if self.fx_date == "DAY_BEFORE" else due


@dataclass(frozen=True, slots=True)
class CompanyTerms:
    """A company's corporate actions: those that pay by ex-date, and those that change shares by ex-date."""

    company_id: int
    currency: str
    dividends: tuple[Dividend, ...]
    splits: tuple[ShareEvent, ...] = ()

    def counting(self, today: date) -> list[Split]:
        """The splits that changed positions up to today."""
        return [event.split for event in self.splits if event.counts and event.split.ex_date <= today]


def split_state_of(event: ShareEvent, today: date, *, is_waiting: bool) -> EventState:
    """How far a split is: whether cash for some account's fraction is still waited for."""
    if not event.counts:
        return EventState.CANCELLED
    if today < event.split.ex_date:
        return EventState.ANNOUNCED
    return EventState.PAYABLE if is_waiting else EventState.PAID


def state_of(dividend: Dividend, today: date, *, is_unpaid: bool, is_corrected: bool) -> EventState:
    """How far a dividend is: whether any account still waits for it, and whether any payment was ever taken back."""
    if dividend.is_cancelled:
        return EventState.CANCELLED
    if today < dividend.ex_date:
        return EventState.ANNOUNCED
    if dividend.pay.date is None or today < dividend.pay.date:
        return EventState.EX
    if is_unpaid:
        return EventState.PAYABLE
    return EventState.CORRECTED if is_corrected else EventState.PAID
