"""Exchange calendars, from exchange_calendars; and which exchange a symbol is listed on."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from closingbell.domain.planning import SessionTimes
from closingbell.errors import UsageError

# Yahoo's suffix -> MIC of the calendar its listings follow. No suffix is a listing in the United States.
SUFFIX_MICS: dict[str, str] = {
    "": "XNYS",
    "AS": "XAMS",
    "AT": "ASEX",
    "AX": "XASX",
    "BK": "XBKK",
    "BO": "XBOM",
    "BR": "XBRU",
    "CO": "XCSE",
    "DE": "XETR",
    "F": "XFRA",
    "HE": "XHEL",
    "HK": "XHKG",
    "IC": "XICE",
    "IR": "XDUB",
    "IS": "XIST",
    "JK": "XIDX",
    "JO": "XJSE",
    "KL": "XKLS",
    "KQ": "XKRX",
    "KS": "XKRX",
    "L": "XLON",
    "LS": "XLIS",
    "MC": "XMAD",
    "MI": "XMIL",
    "MX": "XMEX",
    "NS": "XBOM",
    "NZ": "XNZE",
    "OL": "XOSL",
    "PA": "XPAR",
    "PR": "XPRA",
    "SA": "BVMF",
    "SI": "XSES",
    "SN": "XSGO",
    "SR": "XSAU",
    "SS": "XSHG",
    "ST": "XSTO",
    "SW": "XSWX",
    "SZ": "XSHG",
    "T": "XTKS",
    "TA": "XTAE",
    "TO": "XTSE",
    "TW": "XTAI",
    "V": "XTSE",
    "VI": "XWBO",
    "WA": "XWAR",
}

# How far ahead sessions are written down: calendars know about a year.
DAYS_AHEAD = 370


def mic_of(symbol: str) -> str:
    """The MIC whose sessions a symbol follows, by its suffix; raise UsageError for an unknown suffix."""
    _, dot, suffix = symbol.rpartition(".")
    mic = SUFFIX_MICS.get(suffix if dot else "")
    if mic is None:
        raise UsageError(f"{symbol}: no exchange is known for the suffix .{suffix}")
    return mic


def fetch_sessions(mic: str, first: date, last: date) -> list[tuple[SessionTimes, str | None]]:
    """The sessions of ``mic`` in the range that its calendar knows, each with what is special ("early close")."""
    calendar = _calendar(mic, first.year)
    labels = calendar.sessions_in_range(*_within(calendar, first, last))
    early = {label.date() for label in calendar.early_closes}
    opens, closes = calendar.opens[labels], calendar.closes[labels]
    return [
        (
            SessionTimes(label.date(), opened.to_pydatetime(), closed.to_pydatetime()),
            "early close" if label.date() in early else None,
        )
        for label, opened, closed in zip(labels, opens, closes, strict=True)
    ]


def fetch_holidays(mic: str, first: date, last: date) -> list[tuple[date, str]]:
    """Days of the range on which ``mic`` has no session though the day of the week has, by the calendar's names."""
    calendar = _calendar(mic, first.year)
    named = calendar.regular_holidays
    names: dict[date, str] = {}
    if named is not None:
        found = named.holidays(first, last, return_name=True)
        names = {label.date(): str(name) for label, name in found.items()}
    sessions = {label.date() for label in calendar.sessions_in_range(*_within(calendar, first, last))}
    return [(day, name) for day, name in sorted(names.items()) if day not in sessions and day.weekday() < 5]


def _within(calendar: Any, first: date, last: date) -> tuple[date, date]:
    """The part of a range that the calendar knows."""
    return max(first, calendar.first_session.date()), min(last, calendar.last_session.date())


def calendar_version() -> str:
    """Name and version of the source of sessions."""
    return f"exchange_calendars {version('exchange_calendars')}"


@lru_cache(maxsize=32)
def _calendar(mic: str, from_year: int) -> Any:
    """The library's calendar from the start of a year on, or as early as it knows; building takes half a second."""
    import exchange_calendars  # noqa: PLC0415  (keeps pandas out of start-up; this module owns it)

    for options in ({"start": f"{from_year}-01-01"}, {}):
        try:
            return exchange_calendars.get_calendar(mic, **options)
        except (ValueError, NotImplementedError):
            # Some exchanges are known from a later year on only: take what there is.
            continue
    raise UsageError(f"{mic}: the installed {calendar_version()} has no calendar that works for this exchange")


def default_horizon(today: date) -> date:
    """The last date that sessions should be written down for."""
    return today + timedelta(days=DAYS_AHEAD)
