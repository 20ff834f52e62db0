"""The formats that are understood; a new one is its module and its line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from closingbell.errors import ImportRefusedError
from closingbell.usecases.imports import (
    degiro_account,
    degiro_transactions,
    freetrade,
    ghostfolio,
    ibkr_csv,
    ibkr_flex,
    orders_csv,
    portfolio_performance,
    schwab,
    trading212,
)
from closingbell.usecases.imports.entries import Reading


@dataclass(frozen=True, slots=True)
class Format:
    """A form of file: how it is recognised and read; ``rivals`` hold the same trades in another form.

    With ``says_date`` the date of a row is the exchange's; otherwise it is that of the row's instant where it has one.
    """

    name: str
    title: str
    recognises: Callable[[str], bool]
    read: Callable[[str], Reading]
    rivals: tuple[str, ...] = ()
    says_date: bool = False


FORMATS: tuple[Format, ...] = (
    Format(orders_csv.NAME, orders_csv.TITLE, orders_csv.recognises, orders_csv.read, says_date=True),
    Format(ghostfolio.NAME, ghostfolio.TITLE, ghostfolio.recognises, ghostfolio.read),
    Format(
        portfolio_performance.NAME,
        portfolio_performance.TITLE,
        portfolio_performance.recognises,
        portfolio_performance.read,
    ),
    Format(ibkr_flex.NAME, ibkr_flex.TITLE, ibkr_flex.recognises, ibkr_flex.read, rivals=("ibkr_csv",)),
    Format(ibkr_csv.NAME, ibkr_csv.TITLE, ibkr_csv.recognises, ibkr_csv.read, rivals=("ibkr_flex",)),
    Format(trading212.NAME, trading212.TITLE, trading212.recognises, trading212.read),
    Format(
        degiro_account.NAME,
        degiro_account.TITLE,
        degiro_account.recognises,
        degiro_account.read,
        rivals=("degiro_transactions",),
    ),
    Format(
        degiro_transactions.NAME,
        degiro_transactions.TITLE,
        degiro_transactions.recognises,
        degiro_transactions.read,
        rivals=("degiro_account",),
    ),
    Format(schwab.NAME, schwab.TITLE, schwab.recognises, schwab.read),
    Format(freetrade.NAME, freetrade.TITLE, freetrade.recognises, freetrade.read),
)


def recognise(text: str) -> Format:
    """The one format that a file is in, by its content; raise ImportRefusedError for none or several."""
    found = [form for form in FORMATS if form.recognises(text)]
    if len(found) == 1:
        return found[0]
    if found:
        names = " or ".join(form.name for form in found)
        raise ImportRefusedError(f"the file could be {names}; say which with --format")
    raise ImportRefusedError("the file is in no form that is known", [f"{form.name}: {form.title}" for form in FORMATS])


def format_named(name: str) -> Format:
    """A format by its name; raise ImportRefusedError for an unknown one."""
    for form in FORMATS:
        if form.name == name:
            return form
    raise ImportRefusedError(
        f"no format is called {name!r}; there are {', '.join(form.name for form in FORMATS)}",
    )
