"""Listings elsewhere and their units: pence, cents, agorot, and what a split makes of it all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time
from decimal import Decimal

import pytest

from closingbell.domain.corporate_actions import ActionKind
from closingbell.providers.base import DailyHistory
from closingbell.providers.yahoo import YahooProvider
from closingbell.replay import LONDON, Bar, CapitalGain, Dividend, Hours, Listing, Market, ReplayServer, Split
from tests.app_fixtures import House, item, new_york

NOW = "2012-11-30 16:31"


def bar(day: str, close: str, volume: int = 1000) -> Bar:
    price = Decimal(close)
    return Bar(date.fromisoformat(day), price, price + 1, price - 1, price, volume)


def listing(
    symbol: str, currency: str, *, hours: Hours = LONDON, prices: str = "180.25 181.5 182.75", **more: object
) -> Listing:
    days = ("2012-11-28", "2012-11-29", "2012-11-30")
    bars = [bar(day, price) for day, price in zip(days, prices.split(), strict=True)]
    return Listing(symbol, bars, currency=currency, hours=hours, **more)  # type: ignore[arg-type]


Ask = Callable[[Listing], DailyHistory]


@pytest.fixture
def ask(serve: Callable[..., ReplayServer], provide: Callable[..., YahooProvider]) -> Ask:
    """A listing's history as our provider reads it."""

    def fetch(one: Listing) -> DailyHistory:
        provider = provide(serve(NOW, market=Market([one])))
        return provider.fetch_daily(one.symbol, first=date(2012, 11, 1), now=new_york(NOW))

    return fetch


@pytest.mark.parametrize(
    ("symbol", "quoted", "currency", "closes"),
    [
        ("VOD.L", "GBp", "GBP", [1_802_500, 1_815_000, 1_827_500]),
        ("VOD.L", "GBX", "GBP", [1_802_500, 1_815_000, 1_827_500]),
        ("AGL.JO", "ZAc", "ZAR", [1_802_500, 1_815_000, 1_827_500]),
        ("TEVA.TA", "ILA", "ILS", [1_802_500, 1_815_000, 1_827_500]),
        ("NBK.KW", "KWF", "KWD", [180_250, 181_500, 182_750]),
        ("VUSA.L", "GBP", "GBP", [180_250_000, 181_500_000, 182_750_000]),
        ("SAP.DE", "EUR", "EUR", [180_250_000, 181_500_000, 182_750_000]),
    ],
)
def test_minor_units_become_major_and_the_quoted_unit_is_kept(
    ask: Ask, symbol: str, quoted: str, currency: str, closes: list[int]
) -> None:
    history = ask(listing(symbol, quoted))

    assert (history.currency, history.quote_unit) == (currency, quoted)
    assert [bar.close for bar in history.bars] == closes
    assert [bar.volume for bar in history.bars] == [1000, 1000, 1000]


def test_dividend_in_pence_is_told_in_pounds(ask: Ask) -> None:
    history = ask(listing("VOD.L", "GBp", dividends=[Dividend(date(2012, 11, 29), Decimal("3.27"))]))

    [action] = history.actions
    assert (action.kind, action.amount, action.currency, action.printed) == (
        ActionKind.DIVIDEND,
        Decimal("0.0327"),
        "GBP",
        "3.27",
    )


def test_dividend_in_its_own_currency_is_told_in_that(ask: Ask) -> None:
    paid = [
        Dividend(date(2012, 11, 29), Decimal("0.05"), currency="USD"),
        Dividend(date(2012, 11, 30), Decimal("4"), currency="GBp"),
    ]

    history = ask(listing("BP.L", "GBp", dividends=paid))

    assert [(action.amount, action.currency) for action in history.actions] == [
        (Decimal("0.05"), "USD"),
        (Decimal("0.04"), "GBP"),
    ]


def test_capital_gain_is_an_action_of_its_own(ask: Ask) -> None:
    fund = listing("FUND", "USD", capital_gains=[CapitalGain(date(2012, 11, 29), Decimal("1.5"))], hours=Hours())

    [action] = ask(fund).actions

    assert (action.kind, action.ex_date, action.amount) == (ActionKind.CAPITAL_GAIN, date(2012, 11, 29), Decimal("1.5"))


def test_dividend_before_a_split_is_told_as_declared(ask: Ask) -> None:
    # Apple in 2014: 3.29 before a split of 7:1 is printed as 0.47.
    history = ask(
        listing(
            "AAPL",
            "USD",
            prices="645.57 645.57 92.70",
            hours=Hours(),
            dividends=[Dividend(date(2012, 11, 29), Decimal("3.29"))],
            splits=[Split(date(2012, 11, 30), 7)],
        )
    )

    dividend, split = history.actions
    assert (dividend.amount, dividend.printed) == (Decimal("3.29"), "0.47")
    assert (split.numerator, split.denominator, split.printed) == (7, 1, "7:1")
    assert [bar.close for bar in history.bars] == [645_570_000, 645_570_000, 92_700_000]


@pytest.mark.parametrize(
    ("numerator", "denominator", "prices", "closes"),
    [
        (3, 2, "150.03 150.03 100.02", [150_030_000, 150_030_000, 100_020_000]),
        (1, 10, "1.05 1.05 10.50", [1_050_000, 1_050_000, 10_500_000]),
        (21, 20, "105 105 100", [105_000_000, 105_000_000, 100_000_000]),
    ],
)
def test_prices_before_a_split_are_recovered(
    ask: Ask, numerator: int, denominator: int, prices: str, closes: list[int]
) -> None:
    history = ask(
        listing("X", "USD", prices=prices, hours=Hours(), splits=[Split(date(2012, 11, 30), numerator, denominator)])
    )

    assert [bar.close for bar in history.bars] == closes
    assert all(abs(bar.volume - 1000) <= 1 for bar in history.bars)


def test_two_splits_multiply(ask: Ask) -> None:
    history = ask(
        listing(
            "X",
            "USD",
            prices="600 200 100",
            hours=Hours(),
            splits=[Split(date(2012, 11, 29), 3), Split(date(2012, 11, 30), 2)],
        )
    )

    assert [(bar.close, bar.volume) for bar in history.bars] == [
        (600_000_000, 1000),
        (200_000_000, 1000),
        (100_000_000, 1000),
    ]


@pytest.mark.parametrize(
    ("zone", "opens", "closes"),
    [
        ("Asia/Tokyo", time(9), time(15)),
        ("Pacific/Auckland", time(10), time(16, 45)),
        ("Australia/Sydney", time(10), time(16)),
        ("Asia/Kolkata", time(9, 15), time(15, 30)),
        ("America/Sao_Paulo", time(10), time(17)),
    ],
)
def test_session_has_its_exchanges_own_date(ask: Ask, zone: str, opens: time, closes: time) -> None:
    history = ask(listing("X", "JPY", hours=Hours(zone, opens, closes)))

    assert [str(bar.date) for bar in history.bars] == ["2012-11-28", "2012-11-29", "2012-11-30"]


def test_bar_of_the_first_date_is_there_and_none_before_it(
    serve: Callable[..., ReplayServer], provide: Callable[..., YahooProvider]
) -> None:
    auckland = listing("AIR.NZ", "NZD", hours=Hours("Pacific/Auckland", time(10), time(16, 45)))
    provider = provide(serve(NOW, market=Market([auckland])))

    history = provider.fetch_daily("AIR.NZ", first=date(2012, 11, 29), now=new_york(NOW))

    assert [str(bar.date) for bar in history.bars] == ["2012-11-29", "2012-11-30"]


def test_live_row_behind_the_sessions_row_is_the_one_that_counts(
    serve: Callable[..., ReplayServer], provide: Callable[..., YahooProvider]
) -> None:
    server = serve()
    history = provide(server).fetch_daily("AAPL", first=date(2012, 11, 29), now=new_york(NOW))

    assert [str(bar.date) for bar in history.bars] == ["2012-11-29", "2012-11-30"]


def test_london_listing_is_stored_in_pounds_by_the_job(
    tables_url: str, houses: Callable[..., House], no_waits: None
) -> None:
    vodafone = listing("VOD.L", "GBp", dividends=[Dividend(date(2012, 11, 29), Decimal("3.27"))])
    house = houses(tables_url, "2012-11-30 16:31", market=Market([vodafone]))
    house.orders("2012-11-28,BUY,VOD.L,10,1.80,0,GBP")

    summary = house.run()

    assert item(summary, "VOD.L").stored_count == 3
    assert house.closes("VOD.L") == {"2012-11-28": "1.8025", "2012-11-29": "1.815", "2012-11-30": "1.8275"}
    company = house.company("VOD.L")
    assert (company.mic, company.currency, company.quote_unit) == ("XLON", "GBP", "GBp")
    # London had closed hours before: at 16:31 in New York its newest session is not settled yet either.
    assert house.states("VOD.L")["2012-11-30"] == "provisional"
