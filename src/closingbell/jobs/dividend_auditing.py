"""Kept states of corporate actions, and the days on which something is due, against what the facts come to now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

from sqlalchemy import Connection

from closingbell.jobs.dividend_books import load_facts, load_rulebook
from closingbell.jobs.dividend_deciding import decide
from closingbell.stores.dividend_progress import StoredState, load_waiting

# Companies whose facts are read together.
_GROUP = 25


def find_state_differences(connection: Connection, *, now: datetime, lag: int | None) -> Iterator[str]:
    """What is kept otherwise than it comes to, of companies that no run has to look at first."""
    rulebook = load_rulebook(connection, lag=lag)
    every = load_waiting(connection, latest=date.max, is_sweep=True).values()
    settled = [one for one in every if not one.is_marked and not one.is_due(now)]
    for start in range(0, len(settled), _GROUP):
        for facts in load_facts(connection, settled[start : start + _GROUP], rulebook, now=now):
            decision, symbol = decide(facts), facts.waiting.symbol
            for action_id, state in sorted(decision.states.items()):
                stored = facts.states.get(action_id)
                if stored != state:
                    action = facts.found[action_id]
                    name = f"{symbol} {action.kind.value} of {action.ex_date} (corporate action {action_id})"
                    yield f"{name} is kept as {_said(stored)}, and comes to {_said(state)}"
            if decision.next_date != facts.waiting.next_date:
                kept, found = (f"on {day}" if day else "never" for day in (facts.waiting.next_date, decision.next_date))
                yield f"{symbol} is kept as due {kept}, and comes to be due {found}"


def _said(state: StoredState | None) -> str:
    if state is None:
        return "nothing"
    paid = f"pay date {state.pay_date} {state.pay_date_status}" if state.pay_date else "no pay date"
    return f"{state.state} with {paid}" + (
        "" if state.lag is None else f", {state.lag} business days after the ex-date"
    )
