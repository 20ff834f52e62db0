"""What is coming: ex-dates and pay dates of what accounts hold, with the cash that is expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import Connection, select

from closingbell.domain.actions import PAYING, AcceptedAction, AcceptedKind
from closingbell.domain.countries import country_of
from closingbell.domain.dividends import dividend_amounts
from closingbell.domain.entitlements import FractionPolicy
from closingbell.domain.money import QUANTITY_SCALE, from_scaled, to_scaled
from closingbell.domain.payments import EventState, Leg
from closingbell.domain.rounding import Rounding
from closingbell.domain.valuation import money
from closingbell.domain.withholding import WithholdingRule, withholding_rule
from closingbell.models import Company, DividendLink, DividendPayment, Order
from closingbell.queries.portfolio import chosen_accounts
from closingbell.stores import actions, books, positions
from closingbell.stores.accounts import AccountFacts
from closingbell.stores.calendar import load_announced
from closingbell.stores.database import Database
from closingbell.stores.dividend_facts import load_choices
from closingbell.stores.dividend_progress import StoredState, load_states
from closingbell.stores.upsert import in_groups, table_of

# An ex-date longer ago than this is not waited for any more.
LOOK_BACK = timedelta(days=400)
_UNTAXED = frozenset({AcceptedKind.RETURN_OF_CAPITAL})
_LEG = table_of(DividendPayment).c
_ORDER = table_of(Order).c
_LINK = table_of(DividendLink).c


@dataclass(frozen=True, slots=True)
class CalendarLine:
    """A dividend of one account that is not paid yet; None is not known. Tax is an estimate until it is paid.

    ``state`` is ANNOUNCED before the ex-date, EX from then on, PAYABLE when its pay date has come. ``remark`` says why
    it may not come like this.
    """

    account: str
    symbol: str
    kind: str | None
    state: str
    ex_date: date
    pay_date: date | None
    pay_date_status: str
    quantity: Decimal
    per_share: Decimal | None
    gross: Decimal | None
    tax: Decimal | None
    net: Decimal | None
    currency: str | None
    remark: str


@dataclass(frozen=True, slots=True)
class _Terms:
    """What is known of the companies of the calendar."""

    names: Mapping[int, tuple[str, str | None]]
    actions: Mapping[int, Sequence[AcceptedAction]]
    states: Mapping[int, StoredState]
    announced: Mapping[int, Sequence[tuple[date, date | None]]]
    rules: Sequence[WithholdingRule]
    choices: Mapping[tuple[int, int], bool]
    cutover: date | None


def load_calendar(database: Database, *, as_of: date, account: str | None = None) -> list[CalendarLine]:
    """What is coming, by the day on which something happens next; raise UnknownAccountError."""
    with database.read() as connection:
        lines = [
            line
            for group in in_groups(chosen_accounts(connection, account))
            for _action_id, line in _of_accounts(connection, group, as_of)
        ]
    return sorted(lines, key=lambda line: (_next_day(line, as_of), line.symbol, line.account))


def load_expected(connection: Connection, company_ids: Sequence[int], *, as_of: date) -> dict[int, dict[str, Decimal]]:
    """What all accounts together still wait for, net: action -> currency -> cash; the sums of the calendar's lines."""
    wanted = frozenset(company_ids)
    holders: set[int] = set()
    for group in in_groups(sorted(wanted)):
        holders |= set(connection.scalars(select(_ORDER.account_id).where(_ORDER.company_id.in_(group)).distinct()))
    chosen = [facts for facts in chosen_accounts(connection, None) if facts.id in holders]
    sums: dict[int, dict[str, Decimal]] = {}
    for accounts in in_groups(chosen):
        for action_id, line in _of_accounts(connection, accounts, as_of, wanted):
            if action_id is not None and line.net is not None and line.currency is not None:
                by_currency = sums.setdefault(action_id, {})
                by_currency[line.currency] = by_currency.get(line.currency, Decimal(0)) + line.net
    return sums


def _of_accounts(
    connection: Connection, chosen: Sequence[AccountFacts], as_of: date, wanted: frozenset[int] | None = None
) -> Iterator[tuple[int | None, CalendarLine]]:
    """What is coming in these accounts, each with its action; however many they are, each table is asked once.

    ``wanted`` are the companies to look at, None for all.
    """
    ids = [facts.id for facts in chosen]
    holdings = {
        account_id: {id_: one for id_, one in held.items() if wanted is None or id_ in wanted}
        for account_id, held in positions.load_holdings_of(connection, ids, on=as_of).items()
    }
    company_ids = sorted({company_id for held in holdings.values() for company_id in held})
    terms = _load_terms(connection, company_ids, as_of)
    done = _load_done(connection, ids, as_of)
    for facts in chosen:
        for company_id, holding in holdings[facts.id].items():
            yield from _of_company(facts, company_id, holding, terms, done[facts.id], as_of)


def _next_day(line: CalendarLine, as_of: date) -> date:
    return line.ex_date if line.ex_date >= as_of else line.pay_date or date.max


def _load_terms(connection: Connection, company_ids: Sequence[int], as_of: date) -> _Terms:
    row = table_of(Company).c
    names: dict[int, tuple[str, str | None]] = {}
    for group in in_groups(company_ids):
        for id_, symbol, mic, country in connection.execute(
            select(row.id, row.symbol, row.mic, row.country).where(row.id.in_(group))
        ):
            names[id_] = (symbol, country_of(mic, country))
    known = {
        company_id: [action for action in found if action.kind in PAYING and not action.is_cancelled]
        for company_id, found in actions.load_actions(connection, company_ids, first=as_of - LOOK_BACK).items()
    }
    announced = {
        company_id: [(one.ex_date, one.pay_date) for one in found]
        for company_id, found in load_announced(connection, company_ids, first=as_of).items()
    }
    action_ids = [action.id for found in known.values() for action in found]
    return _Terms(
        names,
        known,
        load_states(connection, action_ids),
        announced,
        books.load_withholding_rules(connection),
        load_choices(connection, action_ids),
        books.load_book_settings(connection).cutover_date,
    )


def _load_done(connection: Connection, account_ids: Sequence[int], as_of: date) -> dict[int, set[int]]:
    """Actions that were paid to each account by then, or that an entry of its owner stands for."""
    paid = (
        select(_LEG.account_id, _LEG.corporate_action_id)
        .where(_LEG.account_id.in_(account_ids), _LEG.is_active == 1, _LEG.leg == Leg.PAYMENT.value)
        .where(_LEG.value_date <= as_of)
    )
    linked = select(_LINK.account_id, _LINK.corporate_action_id).where(_LINK.account_id.in_(account_ids))
    done: dict[int, set[int]] = {account_id: set() for account_id in account_ids}
    for query in (paid, linked):
        for account_id, action_id in connection.execute(query):
            done[account_id].add(action_id)
    return done


def _of_company(
    account: AccountFacts, company_id: int, holding: positions.HoldingFacts, terms: _Terms, done: set[int], as_of: date
) -> Iterator[tuple[int | None, CalendarLine]]:
    walk = holding.walk(FractionPolicy(account.fraction_policy))
    symbol, country = terms.names[company_id]
    known = sorted(terms.actions.get(company_id, []), key=lambda action: action.ex_date)
    dated: list[tuple[date, AcceptedAction | None, date | None]] = [(one.ex_date, one, None) for one in known]
    taken = {action.ex_date for action in known}
    dated += [(day, None, pay) for day, pay in terms.announced.get(company_id, []) if day not in taken]
    for ex_date, action, pay_date in sorted(dated, key=lambda one: one[0]):
        quantity = walk.advance(ex_date)
        if not quantity or (action is not None and action.id in done):
            continue
        if action is None:
            yield None, _announced(account, symbol, ex_date, pay_date, quantity)
            continue
        state = terms.states.get(action.id)
        if state is not None and _is_over(state, as_of):
            continue
        yield action.id, _expected(account, symbol, country, action, state, quantity, terms, as_of)


def _is_over(state: StoredState, as_of: date) -> bool:
    """Whether an action was settled by then, for whoever was entitled."""
    if state.state in (EventState.PAID, EventState.CORRECTED):
        return state.pay_date is None or state.pay_date <= as_of
    return state.state is EventState.CANCELLED


def _announced(account: AccountFacts, symbol: str, ex_date: date, pay_date: date | None, quantity: int) -> CalendarLine:
    status = "CONFIRMED" if pay_date else "UNKNOWN"
    remark = "the amount is not known yet"
    shares = from_scaled(quantity, QUANTITY_SCALE)
    return CalendarLine(
        account.name, symbol, None, EventState.ANNOUNCED.value, ex_date, pay_date, status, shares, None, None, None,
        None, None, remark,
    )  # fmt: skip


def _expected(
    account: AccountFacts,
    symbol: str,
    country: str | None,
    action: AcceptedAction,
    state: StoredState | None,
    quantity: int,
    terms: _Terms,
    as_of: date,
) -> CalendarLine:
    facts = action.facts
    amount = facts.amount or Decimal(0)
    shares = from_scaled(quantity, QUANTITY_SCALE)
    pay_date, status = facts.pay_date, facts.pay_date_status.value
    if state is not None:
        pay_date, status = state.pay_date, state.pay_date_status
    rate = _rate(account, country, action, quantity, terms.rules, on=pay_date or action.ex_date)
    gross, tax, net = dividend_amounts(
        quantity, to_scaled(amount, QUANTITY_SCALE), facts.currency, to_scaled(rate, QUANTITY_SCALE),
        Rounding(account.rounding),
    )  # fmt: skip
    told = EventState.ANNOUNCED if as_of < action.ex_date else EventState.EX
    if pay_date is not None and pay_date <= as_of:
        told = EventState.PAYABLE
    return CalendarLine(
        account.name, symbol, action.kind.value, told.value, action.ex_date, pay_date, status, shares, amount,
        money(gross), money(tax), money(net), facts.currency,
        _remark(account, action, pay_date, terms),
    )  # fmt: skip


def _rate(
    account: AccountFacts,
    country: str | None,
    action: AcceptedAction,
    quantity: int,
    rules: Sequence[WithholdingRule],
    *,
    on: date,
) -> Decimal:
    """The rate of the day on which it is paid, as it is booked."""
    if quantity < 0 or action.kind in _UNTAXED:
        return Decimal(0)
    if action.facts.tax_rate is not None:
        return action.facts.tax_rate
    rule = withholding_rule(
        rules, account_id=account.id, residence=account.residence, source_country=country,
        action_type=action.kind.value, on=on,
    )  # fmt: skip
    return Decimal(0) if rule is None else rule.rate


def _remark(account: AccountFacts, action: AcceptedAction, pay_date: date | None, terms: _Terms) -> str:
    """Why it may not come like this: by what was said of it, the account's choice, or the cut-over."""
    if action.is_held:
        return f"held: {action.held_reason or action.held_code}"
    is_accepted = terms.choices.get((action.id, account.id))
    if is_accepted:
        return "accepted: paid like any other"
    is_before = terms.cutover is not None and (pay_date or action.ex_date) < terms.cutover
    if account.dividend_preference == "AUTO" and not is_before:
        return ""
    if is_accepted is False:
        return "dismissed: not paid"
    why = account.dividend_preference if account.dividend_preference != "AUTO" else "from before the cut-over"
    return f"not paid by itself: {why}"
