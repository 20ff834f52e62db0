"""What every story ends with: the stored bars are the recorded market's, and the run log tells what happened.

The recorded lines are read from the file itself, by no code of closingbell.
"""

from __future__ import annotations

from decimal import Decimal

from closingbell.models import Company, JobLog, JobLogItem, Notification, PriceHistory
from tests.app_fixtures import House, recorded_rows

Line = tuple[Decimal, Decimal, Decimal, Decimal, int]


def recorded(symbol: str, since: str, until: str, *, without: tuple[str, ...] = ()) -> dict[str, Line]:
    """The recorded bars of a company by date: open, high, low, close, volume."""
    return {
        row.date: (Decimal(row.open), Decimal(row.high), Decimal(row.low), Decimal(row.close), int(row.volume))
        for row in recorded_rows(symbol)
        if since <= row.date <= until and row.date not in without
    }


def stored(house: House, symbol: str) -> dict[str, Line]:
    """The stored bars of a company by date."""
    return stored_of_all(house)[symbol]


def stored_of_all(house: House) -> dict[str, dict[str, Line]]:
    """The stored bars of every company, by symbol and date."""
    symbols = {row.id: row.symbol for row in house.rows(Company)}
    bars: dict[str, dict[str, Line]] = {symbol: {} for symbol in symbols.values()}
    for bar in house.rows(PriceHistory, order="date"):
        bars[symbols[bar.company_id]][str(bar.date)] = (bar.open, bar.high, bar.low, bar.close, bar.volume)
    return bars


def require_recorded(
    house: House,
    *symbols: str,
    since: str,
    until: str,
    without: tuple[str, ...] = (),
    under: dict[str, str] | None = None,
) -> None:
    """The stored bars of these companies are the recorded ones and no others; ``under`` names the recorded company."""
    found = stored_of_all(house)
    for symbol in symbols:
        wanted = recorded((under or {}).get(symbol, symbol), since, until, without=without)
        assert wanted
        assert found[symbol] == wanted, symbol


def run_log(house: House, job_name: str = "daily_price_update") -> list[str]:
    """Every run of a job in a line: status and message, without how it was asked."""
    logs = [log for log in house.rows(JobLog) if log.job_name == job_name]
    return [f"{log.status}: {(log.message or '').split('; ')[0]}" for log in logs]


def last_item(house: House, symbol: str) -> tuple[str, str | None, str | None]:
    """How a company ended in the newest run that has it: outcome, kind of error, message."""
    rows = [row for row in house.rows(JobLogItem, order="job_log_id") if row.symbol == symbol]
    return rows[-1].outcome, rows[-1].error_kind, rows[-1].message


def told(house: House) -> list[str]:
    """The titles of everything that administrators were told, oldest first."""
    return [row.title for row in house.rows(Notification)]
