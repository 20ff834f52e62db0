"""The control plane under ``/_replay/``: the clock, the faults and the log of a running replay.

Its addresses and documents are described in :mod:`closingbell.replay.server`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

import orjson

from closingbell.errors import ClosingbellError, UsageError
from closingbell.replay.faults import EVERYTHING, Fault, FaultRule
from closingbell.replay.wire import Answer, Request, json_answer
from closingbell.replay.yahoo import Yahoo

PREFIX = "/_replay/"
_RULE_OPTIONS = {"endpoint", "times", "date", "every", "retry_after_s", "field"}


class Control:
    """Answers what comes in under ``/_replay/``."""

    def __init__(self, yahoo: Yahoo) -> None:
        self._yahoo = yahoo
        self._routes: dict[tuple[str, str], Callable[[dict[str, Any]], Any]] = {
            ("GET", "health"): lambda _: self.health(),
            ("POST", "clock"): self._move_clock,
            ("GET", "faults"): lambda _: self._faults(),
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): lambda _: self._clear_faults(),
            ("GET", "log"): lambda _: self._log(),
            ("DELETE", "log"): lambda _: self.clear_log(),
        }

    def answer(self, request: Request) -> Answer:
        """Carry out a request; 400 with the reason where it cannot be."""
        route = self._routes.get((request.method, request.path.removeprefix(PREFIX)))
        if route is None:
            known = [f"{method} {PREFIX}{name}" for method, name in self._routes]
            return json_answer({"error": "no such control", "controls": known}, status=404)
        try:
            return json_answer(route(_document(request.body)))
        except (ClosingbellError, ValueError, TypeError, OverflowError) as refused:
            return json_answer({"error": str(refused)}, status=400)

    def health(self) -> dict[str, Any]:
        """What is running."""
        market = self._yahoo.market
        return {
            "now": self._yahoo.clock.now().isoformat(),
            "first_date": market.first_date,
            "last_date": market.last_date,
            "symbols": [one.symbol for one in market.listings],
            "clones": market.clones,
            "request_count": self._yahoo.request_count,
        }

    def clear_log(self) -> dict[str, Any]:
        """Forget the requests so far."""
        self._yahoo.log.clear()
        self._yahoo.request_count = 0
        return self._log()

    def _move_clock(self, wanted: dict[str, Any]) -> dict[str, Any]:
        if ("now" in wanted) == ("advance_s" in wanted):
            raise UsageError('give either "now" or "advance_s"')
        if "now" in wanted:
            self._yahoo.clock.set(datetime.fromisoformat(wanted["now"]))
        else:
            self._yahoo.clock.advance(timedelta(seconds=wanted["advance_s"]))
        return {"now": self._yahoo.clock.now().isoformat()}

    def _faults(self) -> dict[str, Any]:
        rules = [asdict(rule) for rule in self._yahoo.faults.rules]
        return {"faults": rules, "known": {fault.value: fault.meaning for fault in Fault}}

    def _add_fault(self, wanted: dict[str, Any]) -> dict[str, Any]:
        if "fault" not in wanted:
            raise UsageError(f'"fault" is missing; known are {", ".join(Fault)}')
        options = {name: value for name, value in wanted.items() if name not in ("symbol", "fault")}
        self._yahoo.faults.add(read_rule(wanted.get("symbol", EVERYTHING), wanted["fault"], options))
        return self._faults()

    def _clear_faults(self) -> dict[str, Any]:
        self._yahoo.faults.clear()
        return self._faults()

    def _log(self) -> dict[str, Any]:
        return {"count": self._yahoo.request_count, "requests": [asdict(one) for one in self._yahoo.log]}


def read_rule(symbol: str, fault: str, options: dict[str, Any]) -> FaultRule:
    """A fault's rule from plain values; UsageError names what is wrong with them."""
    unknown = set(options) - _RULE_OPTIONS
    if unknown:
        raise UsageError(f"unknown option {', '.join(sorted(unknown))}; known are {', '.join(sorted(_RULE_OPTIONS))}")
    if fault not in set(Fault):
        raise UsageError(f"unknown fault {fault!r}; known are {', '.join(Fault)}")
    day = options.get("date")
    if isinstance(day, str):
        options = {**options, "date": date.fromisoformat(day)}
    return FaultRule(symbol=symbol.upper(), fault=Fault(fault), **options)


def _document(body: bytes) -> dict[str, Any]:
    document = orjson.loads(body) if body else {}
    if not isinstance(document, dict):
        raise UsageError("a JSON object is wanted")
    return document
