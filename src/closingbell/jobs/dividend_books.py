"""The facts of some companies as they are now: what decides about their books."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache

from sqlalchemy import Connection

from closingbell.domain.actions import PAYING, SPLITTING, AcceptedAction, AcceptedKind, PayDateStatus
from closingbell.domain.bank_holidays import holidays_of
from closingbell.domain.countries import country_of
from closingbell.domain.elections import takes_shares
from closingbell.domain.entitlements import FractionPolicy, Split, Trade
from closingbell.domain.market_zones import date_at
from closingbell.domain.money import PRICE_SCALE, QUANTITY_SCALE, to_scaled
from closingbell.domain.pay_dates import (
    BusinessDays,
    PayPolicy,
    effective_pay_date,
    typical_lag,
)
from closingbell.domain.payments import (
    BookedLeg,
    CompanyTerms,
    Dividend,
    EventState,
    Frame,
    Holder,
    HolderBooks,
    Leg,
    Rates,
    ShareEvent,
    StoredLink,
    UserDividend,
)
from closingbell.domain.shares_for_cash import RETRY, TOLD_WITHIN
from closingbell.domain.spin_offs import SpinOffFacts
from closingbell.domain.withholding import WithholdingRule, withholding_rule
from closingbell.jobs.spin_off_facts import load_spin_offs
from closingbell.stores import actions, books, dividend_facts, payments
from closingbell.stores.accounts import load_changes, load_holding_choices
from closingbell.stores.dividend_progress import StoredState, Waiting, load_states

_DAY = timedelta(days=1)
_YEARS = range(1970, 2101)
_OVER = frozenset({EventState.PAID, EventState.CORRECTED, EventState.CANCELLED})
_REACHED = frozenset({EventState.PAYABLE, EventState.PAID, EventState.CORRECTED})


@dataclass(frozen=True, slots=True)
class Rulebook:
    """What holds for every company of a run: settings of the books, withholding rates, bank holidays.

    ``lag`` is how many business days a pay date is estimated after the ex-date; None takes each company's own habit.
    """

    settings: books.BookSettings
    rules: Sequence[WithholdingRule]
    holidays: Mapping[str, Mapping[date, bool]]
    lag: int | None
    _known: dict[str, BusinessDays] = field(default_factory=dict)

    def business_days(self, currency: str) -> BusinessDays:
        """Days on which money of a currency moves."""
        if currency not in self._known:
            said = self.holidays.get(currency, {})
            by_rule = {day for year in _YEARS for day in holidays_of(currency, year) if said.get(day, True)}
            self._known[currency] = BusinessDays(frozenset(by_rule | {day for day, rests in said.items() if rests}))
        return self._known[currency]


@dataclass(slots=True)
class CompanyFacts:
    """Everything that decides about one company, as it was read.

    ``rerates`` is what people want computed anew: action, account, and when it was asked.
    """

    waiting: Waiting
    today: date
    terms: CompanyTerms
    lags: dict[int, int]
    frame: Frame
    trades: Mapping[int, Sequence[Trade]]
    holders: Mapping[int, Holder]
    books: dict[int, HolderBooks]
    links: Mapping[tuple[int, int], StoredLink]
    states: Mapping[int, StoredState]
    found: Mapping[int, AcceptedAction]
    spin_offs: SpinOffFacts | None = None
    rerates: list[tuple[int, int, datetime]] = field(default_factory=list)


def load_rulebook(connection: Connection, *, lag: int | None) -> Rulebook:
    """What holds for every company."""
    return Rulebook(
        books.load_book_settings(connection),
        books.load_withholding_rules(connection),
        dividend_facts.load_bank_holidays(connection),
        lag,
    )


def load_facts(
    connection: Connection,
    group: Sequence[Waiting],
    rulebook: Rulebook,
    *,
    now: datetime,
    as_of: date | None = None,
    account_id: int | None = None,
) -> list[CompanyFacts]:
    """The facts of a group of companies; their turns and marks were read before.

    With ``as_of`` that is today: later actions are left out, and what counts after it is left alone. ``account_id``
    leaves all other accounts out, for a look at one.
    """
    ids = [waiting.company_id for waiting in group]
    by_company = actions.load_actions(connection, ids)
    entries = dividend_facts.load_user_dividends(connection, ids, account_id=account_id)
    states = load_states(connection, [action.id for found in by_company.values() for action in found])
    for waiting in group:
        # Entries of people's own stand for one action each: which one, is decided over all of them.
        waiting.is_all = waiting.is_all or waiting.company_id in entries
    chosen = {
        waiting.company_id: _in_scope(waiting, by_company.get(waiting.company_id, ()), states, now=now)
        for waiting in group
    }
    trades = dividend_facts.load_trades(
        connection,
        ids,
        account_id=account_id,
        summed_before={one: _first_day(chosen[one], by_company.get(one, ())) for one in ids},
    )
    action_ids = [action.id for found in chosen.values() for action in found]
    links = dividend_facts.load_links(connection, action_ids)
    legs: dict[int, dict[int, HolderBooks]] = defaultdict(lambda: defaultdict(HolderBooks))
    company_of = {action.id: action.company_id for found in chosen.values() for action in found}
    one_account = None if account_id is None else (account_id, account_id)
    for leg, is_active, posted_at in payments.load_legs(connection, action_ids, account_ids=one_account):
        _take_leg(legs[company_of[leg.action_id]][leg.account_id], leg, is_active=is_active, posted_at=posted_at)
    for (action_id, account), is_accepted in dividend_facts.load_choices(connection, action_ids).items():
        if account_id in (None, account):
            legs[company_of[action_id]][account].choices[action_id] = is_accepted
    rerates: dict[int, list[tuple[int, int, datetime]]] = defaultdict(list)
    for action_id, account, reason, asked_at in dividend_facts.load_rerates(connection, action_ids):
        if account_id in (None, account):
            legs[company_of[action_id]][account].rerates[action_id] = reason
            rerates[company_of[action_id]].append((action_id, account, asked_at))
    accounts = {account for one in trades.values() for account in one}
    accounts |= {account for one in legs.values() for account in one}
    accounts |= {account for one in entries.values() for account in one}
    holders = dividend_facts.load_holders(connection, accounts)
    reinvesting = _load_reinvesting(connection, ids, holders)
    for waiting in group:
        scrip = [one for one in chosen[waiting.company_id] if one.kind is AcceptedKind.SCRIP]
        if scrip:
            of_company = legs[waiting.company_id]
            involved = {account: holders[account] for account in trades[waiting.company_id].keys() | of_company.keys()}
            _take_elections(connection, waiting.mic, scrip, involved, of_company)
    facts = []
    for waiting in group:
        facts.append(
            _company_facts(
                connection,
                waiting,
                chosen[waiting.company_id],
                by_company.get(waiting.company_id, ()),
                rulebook,
                trades=trades[waiting.company_id],
                holders=reinvesting.get(waiting.company_id, holders),
                books=legs[waiting.company_id],
                entries=entries.get(waiting.company_id, {}),
                links=links,
                states=states,
                today=min(as_of or date.max, date_at(waiting.mic, now)),
                as_of=as_of,
            )
        )
        facts[-1].rerates = rerates[waiting.company_id]
    return facts


def _in_scope(
    waiting: Waiting, found: Sequence[AcceptedAction], states: Mapping[int, StoredState], *, now: datetime
) -> list[AcceptedAction]:
    if waiting.is_all:
        return list(found)
    return [
        action
        for action in found
        if action.id in waiting.versions
        or (waiting.since is not None and action.ex_date >= waiting.since)
        or action.id not in states
        or states[action.id].state not in _OVER
        or _is_fresh(states[action.id], now)
        # What it takes of the cost follows from everything before it.
        or action.kind is AcceptedKind.SPIN_OFF
    ]


def _first_day(chosen: Sequence[AcceptedAction], every: Sequence[AcceptedAction]) -> date:
    """The first day on which it matters how many shares there were: before it only their sum does.

    Splits count whether they are in scope or not, for they change the shares that later dividends are paid for.
    """
    splits = [action for action in every if action.facts.kind in SPLITTING]
    return min((action.ex_date for action in (*chosen, *splits)), default=date.max)


def _is_fresh(state: StoredState, now: datetime) -> bool:
    """Whether an action was paid so shortly ago that a price to reinvest at may come, or people be told of none."""
    return state.changed_at is not None and now - state.changed_at <= RETRY + TOLD_WITHIN + _DAY


def _take_leg(of: HolderBooks, leg: BookedLeg, *, is_active: bool, posted_at: datetime) -> None:
    key = (leg.action_id, leg.leg)
    if is_active:
        of.active[key] = leg
    of.versions[key] = max(leg.version, of.versions.get(key, 0))
    if leg.leg is Leg.PAYMENT:
        day = posted_at.date()
        of.first_paid[leg.action_id] = min(day, of.first_paid.get(leg.action_id, day))


def _load_reinvesting(
    connection: Connection, company_ids: Sequence[int], holders: dict[int, Holder]
) -> dict[int, dict[int, Holder]]:
    """Holders as they chose for one company, where any did; ``holders`` themselves learn since when they reinvest."""
    reinvesting = sorted(account for account, holder in holders.items() if holder.is_reinvesting)
    changes = load_changes(connection, "is_reinvesting", reinvesting)
    for account, of_account in changes.items():
        holders[account] = holders[account]._replace(reinvests_since=of_account[-1][0].date())
    found: dict[int, dict[int, Holder]] = {}
    for one in load_holding_choices(connection, company_ids=company_ids):
        holder = holders.get(one.account_id)
        if holder is None:
            continue
        chosen, since = one.is_reinvesting, one.chosen_at.date()
        found.setdefault(one.company_id, dict(holders))[one.account_id] = holder._replace(
            is_reinvesting=holder.is_reinvesting if chosen is None else chosen,
            reinvests_since=since if chosen is not None else max(since, holder.reinvests_since or since),
        )
    return found


def _take_elections(
    connection: Connection,
    mic: str,
    scrip: Sequence[AcceptedAction],
    holders: Mapping[int, Holder],
    of_accounts: dict[int, HolderBooks],
) -> None:
    """Write down for each account which of these dividends it takes in shares, where that is decided."""
    elected = dividend_facts.load_elections(connection, [action.id for action in scrip])
    changes = load_changes(connection, "takes_scrip", sorted(holders))
    for account, holder in holders.items():
        of_account = [(date_at(mic, at), before) for at, before in changes.get(account, ())]
        for action in scrip:
            takes = takes_shares(
                elected.get((action.id, account)),
                standing=holder.takes_scrip,
                changes=of_account,
                deadline=action.facts.election_deadline,
            )
            if takes is not None:
                of_accounts.setdefault(account, HolderBooks()).elections[action.id] = takes


def _company_facts(
    connection: Connection,
    waiting: Waiting,
    chosen: Sequence[AcceptedAction],
    every: Sequence[AcceptedAction],
    rulebook: Rulebook,
    *,
    trades: Mapping[int, Sequence[Trade]],
    holders: Mapping[int, Holder],
    books: dict[int, HolderBooks],
    entries: Mapping[int, Sequence[UserDividend]],
    links: Mapping[tuple[int, int], StoredLink],
    states: Mapping[int, StoredState],
    today: date,
    as_of: date | None,
) -> CompanyFacts:
    lags: dict[int, int] = {}
    dividends = tuple(
        _dividend(waiting, action, every, rulebook, states.get(action.id), lags, today)
        for action in chosen
        if action.kind in PAYING and action.facts.amount is not None
    )
    if as_of is not None:
        dividends = tuple(one for one in dividends if one.ex_date <= as_of)
    scope = {action.id for action in chosen if as_of is None or action.ex_date <= as_of}
    splits = tuple(_share_event(action, in_scope=action.id in scope) for action in every if action.kind in SPLITTING)
    currency = waiting.currency or next((one.currency for one in dividends), "USD")
    terms = CompanyTerms(waiting.company_id, currency, dividends, splits)
    _tie_entries(books, entries, links)
    involved = [holders[account] for account in trades.keys() | books.keys()]
    frame = Frame(
        today,
        _rates(connection, waiting, terms, involved, rulebook),
        rulebook.settings.lock_date,
        rulebook.settings.cutover_date,
        rulebook.settings.fx_date,
        is_past=as_of is not None,
    )
    found = {action.id: action for action in every}
    own_links = {key: link for key, link in links.items() if key[0] in (found if as_of is None else scope)}
    spin_offs = load_spin_offs(connection, waiting.company_id, chosen, books, involved, currency=currency, as_of=as_of)
    return CompanyFacts(waiting, today, terms, lags, frame, trades, holders, books, own_links, states, found, spin_offs)


def _dividend(
    waiting: Waiting,
    action: AcceptedAction,
    every: Sequence[AcceptedAction],
    rulebook: Rulebook,
    stored: StoredState | None,
    lags: dict[int, int],
    today: date,
) -> Dividend:
    facts, is_scrip = action.facts, action.kind is AcceptedKind.SCRIP
    days = rulebook.business_days(facts.currency)
    told = facts.pay_date if facts.pay_date_status is PayDateStatus.CONFIRMED else None
    policy = PayPolicy(rulebook.settings.pay_policy)
    if told is None:
        lag = rulebook.lag
        if stored is not None and stored.lag is not None and stored.state in _REACHED:
            # What was paid by an estimate is not moved by what other pay dates turn out to be.
            lag, policy = stored.lag, PayPolicy.ESTIMATE
        elif policy is PayPolicy.ON_EX:
            lag = 0
        elif lag is None:
            known = [
                (one.ex_date, one.facts.pay_date)
                for one in every
                if one.ex_date < facts.ex_date
                and one.facts.pay_date is not None
                and one.facts.pay_date_status is PayDateStatus.CONFIRMED
            ]
            lag = typical_lag(known, days, country=country_of(waiting.mic, waiting.country) or "")
        pay = effective_pay_date(facts.ex_date, None, days, policy=policy, lag=lag, today=today)
        if pay.status is PayDateStatus.ESTIMATED:
            lags[action.id] = lag
    else:
        pay = effective_pay_date(facts.ex_date, told, days)
    return Dividend(
        action.id,
        facts.kind.value,
        facts.ex_date,
        to_scaled(facts.amount or Decimal(0), QUANTITY_SCALE),
        facts.currency,
        pay,
        action.version,
        action.is_held,
        action.is_cancelled,
        None if facts.tax_rate is None else to_scaled(facts.tax_rate, QUANTITY_SCALE),
        facts.fx_currency,
        None if facts.fx_rate is None else to_scaled(facts.fx_rate, QUANTITY_SCALE),
        # One that was reclassified gives no shares.
        None if facts.scrip_price is None or not is_scrip else to_scaled(facts.scrip_price, PRICE_SCALE),
    )


def _share_event(action: AcceptedAction, *, in_scope: bool) -> ShareEvent:
    facts = action.facts
    price = facts.cash_in_lieu_price
    return ShareEvent(
        Split(facts.ex_date, facts.numerator or 1, facts.denominator or 1, action.id),
        action.version,
        action.counts_for_quantities,
        None if price is None else to_scaled(price, PRICE_SCALE),
        in_scope,
    )


def _tie_entries(
    of_accounts: dict[int, HolderBooks],
    entries: Mapping[int, Sequence[UserDividend]],
    links: Mapping[tuple[int, int], StoredLink],
) -> None:
    """Give each account its own entries: those that a person tied to an action, and the others."""
    for account_id, own in entries.items():
        known = {entry.order_id for entry in own}
        tied = {
            action_id: order_id
            for (action_id, account), (order_id, is_by_person, *_) in links.items()
            if account == account_id and is_by_person and order_id in known
        }
        books = of_accounts.setdefault(account_id, HolderBooks())
        books.links = tied
        books.entries = [entry for entry in own if entry.order_id not in tied.values()]
        books.known = {action_id: link for (action_id, account), link in links.items() if account == account_id}


def _rates(
    connection: Connection, waiting: Waiting, terms: CompanyTerms, holders: Sequence[Holder], rulebook: Rulebook
) -> Rates:
    """The tables that one company's accounts may need, read once."""
    days = [one.pay.date or one.ex_date for one in terms.dividends] + [one.split.ex_date for one in terms.splits]
    currencies = {terms.currency, *(one.currency for one in terms.dividends), *(one.currency for one in holders)}
    exchange = {}
    if len(currencies) > 1 and days:
        first = min(*days, *(one.ex_date for one in terms.dividends), date.max)
        exchange = dividend_facts.load_exchange(connection, sorted(currencies), first=first - _DAY, last=max(days))
    moved: dict[date, date] = {}
    closes: dict[tuple[int, date], int] = {}
    if any(one.is_reinvesting or one.fractions is FractionPolicy.CASH_IN_LIEU for one in holders):
        moved = _trading_days(connection, waiting.mic, days)
        closes = dividend_facts.load_closes(connection, {terms.company_id: {moved.get(day, day) for day in days}})
    country = country_of(waiting.mic, waiting.country)
    return Rates(
        _withheld(rulebook.rules, country),
        lambda source, target, on: dividend_facts.newest_rate(exchange.get((source, target), ()), on),
        lambda on: closes.get((terms.company_id, on)),
        lambda on: moved.get(on, on),
    )


def _trading_days(connection: Connection, mic: str, days: Sequence[date]) -> dict[date, date]:
    """For days on which the exchange is known to rest: the session that follows."""
    if not days:
        return {}
    around = {day + timedelta(days=number) for day in days for number in range(6)}
    closed = dividend_facts.load_closures(connection, mic, around)
    moved = {}
    for day in days:
        if day in closed:
            moved[day] = next((later for n in range(1, 6) if (later := day + timedelta(days=n)) not in closed), day)
    return moved


def _withheld(rules: Sequence[WithholdingRule], country: str | None) -> Callable[[Holder, str, date], int]:
    own = {rule.account_id for rule in rules}

    @cache
    def rate_of(account_id: int, residence: str | None, kind: str, on: date) -> int:
        rule = withholding_rule(
            rules, account_id=account_id, residence=residence, source_country=country, action_type=kind, on=on
        )
        return 0 if rule is None else to_scaled(rule.rate, QUANTITY_SCALE)

    def withheld(holder: Holder, kind: str, on: date) -> int:
        # Accounts without rates of their own differ by residence alone.
        return rate_of(holder.account_id if holder.account_id in own else 0, holder.residence, kind, on)

    return withheld
