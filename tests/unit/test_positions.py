from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from closingbell.domain.entitlements import ONE_SHARE, FractionPolicy, PositionWalk, Split, shown_quantity
from closingbell.domain.entitlements import Trade as Move
from closingbell.domain.positions import Position, Trade, position_of, return_capital, shares_through

DAY = date(2020, 1, 1)
TWO_FOR_ONE = Fraction(2)


def on(day: int) -> date:
    return DAY + timedelta(days=day)


def trade(day: int, type_: str, shares: int, dollars: int, number: int = 0) -> Trade:
    return Trade(on(day), type_, shares * ONE_SHARE, dollars * 10_000, number)


def lots(position: Position) -> list[tuple[int, int]]:
    """Open lots as whole shares and dollars."""
    return [(int(lot.quantity / ONE_SHARE), lot.cost // 10_000) for lot in position.lots]


def test_oldest_lot_is_sold_first() -> None:
    position = position_of([trade(0, "BUY", 10, 100), trade(1, "BUY", 10, 200), trade(2, "SELL", 15, 300)], {})

    assert lots(position) == [(5, 100)]
    assert [(int(r.quantity / ONE_SHARE), r.gain // 10_000) for r in position.realised] == [(10, 100), (5, 0)]


def test_split_doubles_every_lot_and_keeps_its_cost() -> None:
    position = position_of([trade(0, "BUY", 100, 15_000), trade(0, "BUY", 50, 8_000)], {on(1): TWO_FOR_ONE})

    assert lots(position) == [(200, 15_000), (100, 8_000)]


def test_split_comes_before_the_trades_of_its_day() -> None:
    trades = [trade(0, "BUY", 10, 1_000), trade(1, "SELL", 5, 300)]

    position = position_of(trades, {on(1): TWO_FOR_ONE})

    assert (position.quantity, position.cost) == (15 * ONE_SHARE, 750 * 10_000)
    assert position.realised_gain == 50 * 10_000


def test_position_as_of_a_date_knows_nothing_later() -> None:
    trades = [trade(0, "BUY", 10, 1_000), trade(5, "BUY", 1, 100)]

    assert position_of(trades, {on(3): TWO_FOR_ONE}, on=on(2)).quantity == 10 * ONE_SHARE
    assert position_of(trades, {on(3): TWO_FOR_ONE}, on=on(3)).quantity == 20 * ONE_SHARE


def test_short_gains_when_it_is_bought_back_for_less() -> None:
    position = position_of([trade(0, "SELL", 10, 1_200), trade(1, "BUY", 4, 400)], {})

    assert lots(position) == [(-6, -720)]
    assert position.realised_gain == 80 * 10_000


def test_trade_through_zero_closes_and_opens() -> None:
    position = position_of([trade(0, "BUY", 10, 1_000), trade(1, "SELL", 15, 1_800)], {})

    assert lots(position) == [(-5, -600)]
    assert position.realised_gain == 200 * 10_000


def test_transfer_out_takes_its_cost_along_and_gains_nothing() -> None:
    position = position_of([trade(0, "BUY", 10, 1_000), trade(1, "TRANSFER_OUT", 4, 0)], {})

    assert (lots(position), position.realised) == ([(6, 600)], ())


def test_return_of_capital_below_zero_cost_is_a_gain() -> None:
    trades = [trade(0, "BUY", 1, 100), trade(1, "CAPITAL_RETURN", 0, 80), trade(2, "CAPITAL_RETURN", 0, 30)]

    assert position_of(trades, {}, on=on(1)).cost == 20 * 10_000
    last = position_of(trades, {})
    assert (last.cost, last.realised_gain) == (0, 10 * 10_000)
    assert return_capital(1_000_000, 800_000) == (800_000, 0)
    assert return_capital(200_000, 300_000) == (200_000, 100_000)


def test_cost_change_is_shared_by_cost() -> None:
    trades = [trade(0, "BUY", 1, 100), trade(1, "BUY", 1, 300), trade(2, "COST_CHANGE", 0, -100)]

    assert lots(position_of(trades, {})) == [(1, 75), (1, 225)]


def test_fraction_that_is_paid_out_leaves_with_its_cost() -> None:
    position = position_of([trade(0, "BUY", 100, 1_300)], {on(1): Fraction(1, 8)}, policy=FractionPolicy.CASH_IN_LIEU)

    assert (position.quantity, position.cost) == (12 * ONE_SHARE, 12_480_000)
    (gone,) = position.realised
    assert (gone.quantity, gone.cost, gone.proceeds) == (ONE_SHARE // 2, 520_000, None)


def test_sale_of_all_shown_shares_after_an_uneven_split_leaves_nothing() -> None:
    shown = Trade(on(2), "SELL", 333_333_333_333, 1_000_000)
    position = position_of([trade(0, "BUY", 100, 100), shown], {on(1): Fraction(1, 3)})

    assert position.lots == ()
    assert position.realised[0].cost == 1_000_000


# --- What holds for any orders and splits.

ratios = st.builds(Fraction, st.integers(1, 20), st.integers(1, 20))
moves = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from(["BUY", "SELL"]), st.integers(1, 10**12), st.integers(0, 10**9)),
    max_size=12,
).map(lambda rows: [Trade(on(day), kind, quantity, worth // 100 * 100) for day, kind, quantity, worth in sorted(rows)])
split_days = st.dictionaries(st.integers(0, 30).map(on), ratios, max_size=3)


@given(moves, split_days)
def test_every_dollar_is_in_the_cost_or_in_a_gain(trades: list[Trade], splits: dict[date, Fraction]) -> None:
    position = position_of(trades, splits)

    paid = sum(t.worth if t.type == "BUY" else -t.worth for t in trades)
    assert position.cost - position.realised_gain == paid


@given(moves, split_days)
def test_lots_sum_to_what_the_orders_and_splits_give(trades: list[Trade], splits: dict[date, Fraction]) -> None:
    days = sorted(splits)
    sums = [0] * (len(days) + 1)
    for t in trades:
        sums[sum(day <= t.trade_date for day in days)] += t.quantity if t.type == "BUY" else -t.quantity

    expected = shares_through(sums, [splits[day] for day in days])

    # A remainder below half the smallest quantity is dropped when the rest is sold.
    assert abs(position_of(trades, splits).exact_quantity - expected) <= len(trades) * 20**3


@given(moves, ratios, st.integers(31, 40))
def test_split_there_and_back_again_gives_what_there_was(trades: list[Trade], ratio: Fraction, day: int) -> None:
    before = position_of(trades, {})
    after = position_of(trades, {on(day): ratio, on(day + 1): 1 / ratio})

    assert (after.lots, after.realised) == (before.lots, before.realised)


@given(moves, ratios, st.sampled_from(FractionPolicy))
def test_later_split_keeps_the_total_cost(trades: list[Trade], ratio: Fraction, policy: FractionPolicy) -> None:
    before = position_of(trades, {})
    after = position_of(trades, {on(40): ratio}, policy=policy)

    gone = sum(part.cost for part in after.realised) - sum(part.cost for part in before.realised)
    if policy in (FractionPolicy.KEEP, FractionPolicy.CASH_IN_LIEU) or after.lots:
        assert after.cost + gone == before.cost


@given(moves, moves, split_days)
def test_shares_of_two_accounts_are_the_shares_of_both(
    left: list[Trade], right: list[Trade], splits: dict[date, Fraction]
) -> None:
    together = sorted(left + right, key=lambda t: t.trade_date)

    parts = position_of(left, splits).exact_quantity + position_of(right, splits).exact_quantity

    assert abs(position_of(together, splits).exact_quantity - parts) <= len(together) * 2 * 20**3


def through_all(moves: list[tuple[int, int]], ratios: list[Fraction]) -> tuple[int, int, int]:
    """The same position as the portfolio, as dividends and as the list of all positions count it.

    ``moves`` are (after how many of the splits, quantity), one day each; ``ratios`` are one split each.
    """
    numbered = sorted(enumerate(moves), key=lambda one: (one[1][0], one[0]))
    days = {number: 100 * after + 1 + at for at, (number, (after, _)) in enumerate(numbered)}
    trades = [
        Trade(on(days[n]), "BUY" if quantity > 0 else "SELL", abs(quantity), 100 * abs(quantity))
        for n, (_, quantity) in numbered
        if quantity
    ]
    splits = {on(100 * (at + 1)): ratio for at, ratio in enumerate(ratios)}
    by_portfolio = position_of(trades, splits).quantity
    walk = PositionWalk(
        [Move(one.trade_date, one.quantity if one.type == "BUY" else -one.quantity) for one in trades],
        [Split(day, ratio.numerator, ratio.denominator) for day, ratio in splits.items()],
        FractionPolicy.KEEP,
    )
    sums = [sum(quantity for after, quantity in moves if after == at) for at in range(len(ratios) + 1)]
    return by_portfolio, walk.advance(date.max), shown_quantity(shares_through(sums, ratios))


def test_sale_of_all_shown_shares_leaves_nothing_that_a_later_split_makes_grow() -> None:
    # 10 units through 1:3 are 3.33; three are shown and sold; a third of one through 30:1 would be ten.
    assert through_all([(0, 10), (1, -3)], [Fraction(1, 3), Fraction(30)]) == (0, 0, 0)
    # Without a sale nothing is lost: what came apart comes together again.
    assert through_all([(0, 1)], [Fraction(1, 10), Fraction(10)]) == (1, 1, 1)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-40, 40)), max_size=8),
    st.lists(st.sampled_from([Fraction(1, 3), Fraction(3), Fraction(2, 7), Fraction(30), Fraction(1, 8)]), max_size=3),
)
def test_every_count_of_a_position_is_the_same(moves: list[tuple[int, int]], ratios: list[Fraction]) -> None:
    told = through_all([(min(after, len(ratios)), quantity) for after, quantity in moves], ratios)
    assert len(set(told)) == 1, told
