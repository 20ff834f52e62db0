"""Positions on every database: streamed for everybody and loaded for one account, they are what the walk says."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import insert

from closingbell.domain.entitlements import ONE_SHARE, FractionPolicy
from closingbell.domain.positions import Trade, position_of
from closingbell.models import Account, Company, CorporateActionRow, Order
from closingbell.stores import orders, positions
from closingbell.stores.database import Database

NOW = datetime(2012, 11, 30, 21, 31, tzinfo=UTC)
FIRST = date(2012, 1, 2)
POLICIES = ("KEEP", "KEEP", "CASH_IN_LIEU", "ROUND_UP", "ROUND_DOWN")
SPLITS = {2: [(date(2012, 3, 1), 3, 2), (date(2012, 6, 1), 1, 7)], 3: [(date(2012, 9, 3), 2, 1)]}


def fill(database: Database) -> dict[tuple[int, int], list[Trade]]:
    """Five accounts, four companies, two of which split, and 300 orders; the trades by company and account."""
    dice = random.Random(7)
    trades: dict[tuple[int, int], list[Trade]] = defaultdict(list)
    rows = []
    with database.write() as connection:
        for number, policy in enumerate(POLICIES, start=1):
            values = {"id": number, "name": f"account {number}", "fraction_policy": policy, "created_at": NOW}
            connection.execute(insert(Account).values(**values))
        for number in range(1, 5):
            connection.execute(insert(Company).values(id=number, symbol=f"C{number}", mic="XNYS", created_at=NOW))
        for company_id, splits in SPLITS.items():
            for ex_date, numerator, denominator in splits:
                connection.execute(
                    insert(CorporateActionRow).values(**split(company_id, ex_date, numerator, denominator))
                )
        for number in range(300):
            company_id, account_id = dice.randint(1, 4), dice.randint(1, 5)
            day = FIRST + timedelta(days=dice.randint(0, 300))
            type_, quantity = (
                dice.choice(["BUY", "BUY", "SELL", "TRANSFER_IN", "TRANSFER_OUT"]),
                dice.randint(1, 10**12),
            )
            is_deleted = number % 10 == 0
            rows.append(
                {
                    "account_id": account_id, "company_id": company_id, "type": type_, "trade_date": day,
                    "executed_at": NOW, "quantity": Decimal(quantity).scaleb(-10), "price": Decimal(2),
                    "fee": Decimal(0), "currency": "USD", "source": "test", "source_key": str(number),
                    "created_at": NOW, "deleted_at": NOW if is_deleted else None,
                }
            )  # fmt: skip
            if not is_deleted:
                trades[company_id, account_id].append(Trade(day, type_, quantity, 0))
        connection.execute(insert(Order), rows)
    return trades


def split(company_id: int, ex_date: date, numerator: int, denominator: int) -> dict[str, object]:
    return {
        "company_id": company_id, "kind": "SPLIT", "kind_group": "SPLIT", "ex_date": ex_date, "currency": "",
        "numerator": numerator, "denominator": denominator, "printed": f"{numerator}:{denominator}",
        "provider": "test", "pay_date_status": "UNKNOWN", "first_seen_at": NOW, "last_seen_at": NOW,
    }  # fmt: skip


def test_streamed_positions_are_those_of_the_walk_for_every_policy(database: Database) -> None:
    trades = fill(database)
    for on in (date(2012, 2, 1), date(2012, 3, 1), date(2012, 8, 1), date(2012, 11, 30)):
        expected = {}
        for (company_id, account_id), moves in trades.items():
            splits = {day: Fraction(n, d) for day, n, d in SPLITS.get(company_id, [])}
            ordered = sorted(moves, key=lambda trade: trade.trade_date)
            policy = POLICIES[account_id - 1]
            quantity = position_of(ordered, splits, on=on, policy=FractionPolicy(policy)).quantity
            if quantity:
                expected[company_id, account_id] = quantity

        with database.read() as connection:
            streamed = {held[:2]: held.quantity for held in positions.stream_positions(connection, on=on)}

        assert streamed == expected


def test_one_accounts_holdings_know_lots_splits_and_deletions(database: Database) -> None:
    trades = fill(database)
    on = date(2012, 8, 1)
    with database.read() as connection:
        found = positions.load_holdings(connection, 3, on=on)
        moves = positions.load_moves(connection, 3, 2)

    assert set(found) == {company_id for (company_id, account_id) in trades if account_id == 3}
    for company_id, facts in found.items():
        splits = {day: Fraction(n, d) for day, n, d in SPLITS.get(company_id, [])}
        ordered = sorted(trades[company_id, 3], key=lambda trade: trade.trade_date)
        expected = position_of(ordered, splits, on=on, policy=FractionPolicy.CASH_IN_LIEU)
        assert facts.position(policy=FractionPolicy.CASH_IN_LIEU, on=on).quantity == expected.quantity
    assert sum(abs(move.quantity) for move in moves) == sum(trade.quantity for trade in trades[2, 3])


def test_cost_of_a_position_is_what_its_orders_say(database: Database) -> None:
    database.write_unit(
        lambda c: orders.store_orders(
            c,
            "Ann",
            [
                orders.NewOrder(
                    type=type_, symbol="IBM", trade_date=date(2012, 9, day), executed_at=NOW,
                    quantity=Decimal(quantity), price=Decimal(price), amount=None,
                    fee=Decimal("4.95"), currency="USD", source="test", source_key=str(day),
                )
                for type_, day, quantity, price in [("BUY", 4, 10, 100), ("BUY", 5, 10, 200), ("SELL", 6, 15, 150)]
            ],
            symbols=[("IBM", "XNYS")],
            now=NOW,
        )
    )  # fmt: skip
    with database.read() as connection:
        account_id = orders.find_account(connection, "Ann")
        assert account_id is not None
        (facts,) = positions.load_holdings(connection, account_id).values()

    position = facts.position(policy=FractionPolicy.KEEP)
    assert (position.quantity, position.cost, position.realised_gain) == (5 * ONE_SHARE, 10_000_000, 2_500_000)
