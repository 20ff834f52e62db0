"""The recorded market: a server on loopback that speaks Yahoo's wire, as of a clock of its own."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from closingbell.replay.clocks import ReplayClock as ReplayClock
    from closingbell.replay.faults import Fault as Fault
    from closingbell.replay.market import Bar as Bar
    from closingbell.replay.market import CapitalGain as CapitalGain
    from closingbell.replay.market import Dividend as Dividend
    from closingbell.replay.market import Listing as Listing
    from closingbell.replay.market import Market as Market
    from closingbell.replay.market import Split as Split
    from closingbell.replay.process import ReplayProcess as ReplayProcess
    from closingbell.replay.process import replay_process as replay_process
    from closingbell.replay.recorded import RecordedMarket as RecordedMarket
    from closingbell.replay.server import ReplayServer as ReplayServer
    from closingbell.replay.sessions import LONDON as LONDON
    from closingbell.replay.sessions import NEW_YORK as NEW_YORK
    from closingbell.replay.sessions import Hours as Hours

# Looked up on first use: the server needs the extra "demo", the rest of the package must import without it.
_HOMES = {
    "Bar": "market",
    "CapitalGain": "market",
    "Dividend": "market",
    "Fault": "faults",
    "Hours": "sessions",
    "LONDON": "sessions",
    "Listing": "market",
    "Market": "market",
    "NEW_YORK": "sessions",
    "RecordedMarket": "recorded",
    "ReplayClock": "clocks",
    "ReplayProcess": "process",
    "ReplayServer": "server",
    "Split": "market",
    "replay_process": "process",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
