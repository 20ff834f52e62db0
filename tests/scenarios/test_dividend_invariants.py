"""Whatever happens in whatever order, the books are those that the facts of now lead to; nothing is ever edited.

Hypothesis makes up orders, dividends, splits, corrections, cancellations, holds and deletions, what people enter and
choose, rates and prices that come late and periods that are closed, runs at random times, runs that are killed, and
runs of two processes at once. After every step the books are compared with a small reckoning of their own, written
without any of closingbell's code for entitlements. docs/trust.md says which look proves which invariant; those that
compare accounts with each other are in ``test_dividend_comparisons``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from closingbell.jobs import dividend_processor
from tests.dividend_machine import Books


def machine_on(url: str) -> Callable[[], Books]:
    return type("BooksThere", (Books,), {"url": url})


def carry_out_examples(url: str, count: int, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Each company in a group of its own: on a server both are under way at once, also the one that the other spins off.
    monkeypatch.setattr(dividend_processor, "GROUP", 1)
    end_sweep = dividend_processor.end_sweep

    def end_sweep_without_differences(context: Any, run_id: int, unexpected: Sequence[str], now: Any) -> None:
        assert unexpected == [], "something changed and no mark said so"
        end_sweep(context, run_id, unexpected, now)

    monkeypatch.setattr(dividend_processor, "end_sweep", end_sweep_without_differences)
    run_state_machine_as_test(
        machine_on(url),
        settings=settings(
            max_examples=count,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # Making a failure smaller takes minutes on a database; the failing steps are printed as they are.
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
        ),
    )


@pytest.mark.slow
def test_books_are_those_of_the_facts_whatever_happened(tables_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    carry_out_examples(tables_url, 5, 7, monkeypatch)


@pytest.mark.soak
def test_books_are_those_of_the_facts_after_long_stories(tables_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    carry_out_examples(tables_url, 150, 40, monkeypatch)
