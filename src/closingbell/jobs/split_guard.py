"""The split guard: while a price that looks like an unknown split is set aside, its splits are asked for again.

It rides on the intraday job. A source may list a split only after it told prices in new shares. Until it does, the
price stays set aside and the last close counts; then split and prices are stored together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import structlog

from closingbell.domain.bars import YOUNG_SESSIONS
from closingbell.domain.incidents import Message
from closingbell.domain.money import plain, price_to_decimal
from closingbell.domain.split_guard import is_split_like, tells_split
from closingbell.errors import PermanentProviderError, ProviderError, UsageError
from closingbell.jobs.context import JobContext
from closingbell.jobs.market_time import load_session_list
from closingbell.jobs.price_planning import plan_sweep
from closingbell.jobs.price_settling import Fetched
from closingbell.jobs.price_storing import store_chunk
from closingbell.jobs.runner import Run
from closingbell.stores import actions, incidents, prices, quarantine
from closingbell.stores.quarantine import Jump
from closingbell.utils.waiting import watched

NOT_TO_BE_HAD = "split_guard.not_to_be_had"
SPLIT_FOUND = "split_guard.split_found"
# A run asks about so many companies, those with the newest prices first.
MOST_COMPANIES = 20

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Looked:
    """Whose splits were asked for, and of whom one was found and stored."""

    asked: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)

    def in_words(self) -> str:
        """``; asked for a split of AAPL, MSFT: found of AAPL``, or nothing."""
        if not self.asked:
            return ""
        return f"; asked for a split of {', '.join(self.asked)}: " + (
            f"found of {', '.join(self.found)}" if self.found else "none is told yet"
        )


@dataclass(frozen=True, slots=True)
class _Suspect:
    """A price that looks like a split, and the close before it with its day at the earliest."""

    jump: Jump
    close: int
    after: date


def look_for_splits(context: JobContext, run: Run, symbols: Sequence[str] | None, *, moment: datetime) -> Looked:
    """Ask for the splits of every company whose newest prices look like one that is not known; store what is found.

    Only while its exchange is open, and for five sessions. What else the answers say is left to the other jobs.
    """
    looked = Looked()
    suspects = _load_suspects(context, symbols, moment)
    if not suspects:
        return looked
    _tell(context, run, suspects)
    provider = context.open_provider()
    of_company: dict[str, list[_Suspect]] = {}
    for suspect in suspects:
        of_company.setdefault(suspect.jump.symbol, []).append(suspect)
    plan = plan_sweep(context, tuple(of_company)[:MOST_COMPANIES])
    for item in plan.items:
        run.check()
        now = context.clock.now()
        looked.asked.append(item.symbol)
        try:
            with watched(run.check):
                history = provider.fetch_daily(item.symbol, first=item.asked_from, now=now)
        except ProviderError as error:
            _log.info(NOT_TO_BE_HAD, symbol=item.symbol, error=str(error))
            if isinstance(error, PermanentProviderError):
                continue
            # In a quarter of an hour there is another chance: nobody is asked more while the source is in trouble.
            break
        if any(
            tells_split(history.actions, after=one.after, until=one.jump.bar.date) for one in of_company[item.symbol]
        ):
            count = len(run.items)
            store_chunk(context, run, plan, [Fetched(item, history, None, 1, 0)])
            # The run's own items are those of its prices.
            del run.items[count:]
            looked.found.append(item.symbol)
            _log.info(SPLIT_FOUND, symbol=item.symbol)
    return looked


def _load_suspects(context: JobContext, symbols: Sequence[str] | None, moment: datetime) -> list[_Suspect]:
    """Prices of the newest sessions that are set aside and look like a split, newest first."""
    with context.database.read() as connection:
        jumps = quarantine.load_jumps(connection)
    if symbols is not None:
        jumps = [jump for jump in jumps if jump.symbol in symbols]
    young_from = {mic: _young_from(context, mic, moment) for mic in sorted({jump.mic for jump in jumps})}
    jumps = [jump for jump in jumps if (first := young_from[jump.mic]) is not None and jump.bar.date >= first]
    if not jumps:
        return []
    ids = sorted({jump.company_id for jump in jumps})
    suspects = []
    with context.database.read() as connection:
        splits = actions.load_price_splits(connection, ids)
        for jump in jumps:
            key, day = jump.company_id, jump.bar.date
            before = prices.load_close_before(connection, key, day)
            if before is None or not is_split_like(before[1], jump.bar.close):
                continue
            if not any(before[0] < known <= day for known in splits.get(key, {})):
                suspects.append(_Suspect(jump, before[1], before[0]))
    return sorted(suspects, key=lambda one: (one.jump.bar.date, one.jump.symbol), reverse=True)


def _young_from(context: JobContext, mic: str, moment: datetime) -> date | None:
    """The first of an exchange's newest five sessions, while another one runs; None while it is closed."""
    try:
        known = load_session_list(context, mic, moment.date(), now=moment)
    except UsageError:
        return None
    return known.young_from(YOUNG_SESSIONS) if known.running is not None else None


def _tell(context: JobContext, run: Run, suspects: Sequence[_Suspect]) -> None:
    """Tell administrators once of each."""
    minutes, now = context.settings.intraday_every_minutes, context.clock.now()
    messages = [_message(one, minutes) for one in suspects]
    context.database.write_unit(lambda connection: incidents.notify_all(connection, messages, run.id, now=now))


def _message(suspect: _Suspect, minutes: int) -> Message:
    jump = suspect.jump
    price, close = (plain(price_to_decimal(one)) for one in (jump.bar.close, suspect.close))
    return Message(
        f"split-suspected-{jump.company_id}-{jump.bar.date}",
        "warning",
        f"{jump.symbol}: the price looks like a split that is not known",
        f"{jump.bar.date}: {price} after {close} of {suspect.after}. The price is set aside and the last close counts. "
        f"Splits are asked for every {minutes} minutes while {jump.mic} is open, for {YOUNG_SESSIONS} sessions. "
        f"If there is none: closingbell quarantine accept {jump.id}. If it is known elsewhere: closingbell actions add",
    )
