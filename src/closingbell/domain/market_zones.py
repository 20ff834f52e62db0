"""Where an exchange stands on the clock, which civil date it is there, and New York's time, which people are shown."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_ZONES: dict[str, tuple[str, ...]] = {
    "America/New_York": ("XNYS", "XNAS", "XASE", "ARCX", "BATS"),
    "America/Toronto": ("XTSE", "XTSX"),
    "America/Mexico_City": ("XMEX",),
    "America/Sao_Paulo": ("BVMF",),
    "America/Buenos_Aires": ("XBUE",),
    "America/Santiago": ("XSGO",),
    "Europe/London": ("XLON",),
    "Europe/Dublin": ("XDUB",),
    "Europe/Lisbon": ("XLIS",),
    "Europe/Paris": ("XPAR",),
    "Europe/Amsterdam": ("XAMS",),
    "Europe/Brussels": ("XBRU",),
    "Europe/Madrid": ("XMAD",),
    "Europe/Rome": ("XMIL",),
    "Europe/Berlin": ("XETR", "XFRA", "XSTU", "XHAM", "XDUS", "XMUN", "XBER"),
    "Europe/Zurich": ("XSWX",),
    "Europe/Vienna": ("XWBO",),
    "Europe/Copenhagen": ("XCSE",),
    "Europe/Stockholm": ("XSTO",),
    "Europe/Oslo": ("XOSL",),
    "Europe/Helsinki": ("XHEL",),
    "Atlantic/Reykjavik": ("XICE",),
    "Europe/Warsaw": ("XWAR",),
    "Europe/Prague": ("XPRA",),
    "Europe/Budapest": ("XBUD",),
    "Europe/Athens": ("ASEX",),
    "Europe/Istanbul": ("XIST",),
    "Asia/Jerusalem": ("XTAE",),
    "Asia/Riyadh": ("XSAU",),
    "Africa/Johannesburg": ("XJSE",),
    "Asia/Kolkata": ("XBOM", "XNSE"),
    "Asia/Tokyo": ("XTKS",),
    "Asia/Hong_Kong": ("XHKG",),
    "Asia/Shanghai": ("XSHG", "XSHE"),
    "Asia/Seoul": ("XKRX", "XKOS"),
    "Asia/Taipei": ("XTAI",),
    "Asia/Singapore": ("XSES",),
    "Asia/Kuala_Lumpur": ("XKLS",),
    "Asia/Jakarta": ("XIDX",),
    "Asia/Bangkok": ("XBKK",),
    "Asia/Manila": ("XPHS",),
    "Australia/Sydney": ("XASX",),
    "Pacific/Auckland": ("XNZE",),
}
_ZONE_OF = {mic: name for name, mics in _ZONES.items() for mic in mics}
# Whatever people are shown without asking for another zone is in this one's time.
NEW_YORK = ZoneInfo("America/New_York")
# The earliest and the latest civil date on Earth differ by so much from UTC's.
_EASTMOST = timedelta(hours=14)


@lru_cache(maxsize=128)
def zone_of(mic: str) -> ZoneInfo:
    """The time zone of an exchange; New York's where it is not known here."""
    return ZoneInfo(_ZONE_OF.get(mic, "America/New_York"))


def date_at(mic: str, now: datetime) -> date:
    """The civil date at an exchange."""
    return now.astimezone(zone_of(mic)).date()


def latest_trade_date(mic: str | None, now: datetime) -> date:
    """The latest date that an order may have: UTC's, or its exchange's, where a day may begin before it does in UTC.

    ``mic`` is None for orders of cash.
    """
    return now.date() if mic is None else max(now.date(), date_at(mic, now))


def latest_date(now: datetime) -> date:
    """The latest civil date that it is anywhere."""
    return (now + _EASTMOST).date()


def in_new_york(moment: datetime) -> str:
    """An instant to the minute: ``2012-11-30 11:15 EST``."""
    return moment.astimezone(NEW_YORK).strftime("%Y-%m-%d %H:%M %Z")
