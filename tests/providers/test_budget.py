"""The request budget: never more than so many in a minute, none while paused, shared by processes."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from pyrate_limiter import SQLiteBucket

from closingbell.errors import RateLimitedError
from closingbell.providers import budget as budget_module
from closingbell.providers.budget import RequestBudget
from closingbell.utils.clock import FixedClock
from tests.app_fixtures import new_york


class Time:
    """The time of bucket and budget, moved on by every pause."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = FixedClock(new_york("2012-11-30 16:31"))
        self.paused: list[float] = []
        monkeypatch.setattr(SQLiteBucket, "now", lambda _: int(self.clock.now().timestamp() * 1000))
        monkeypatch.setattr(budget_module, "pause", self._pause)

    def _pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.clock.advance(timedelta(seconds=seconds))

    @property
    def now_s(self) -> float:
        return self.clock.now().timestamp() - new_york("2012-11-30 16:31").timestamp()


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


def test_requests_beyond_the_budget_wait_for_the_next_minute(tmp_path: Path, time: Time) -> None:
    budget = RequestBudget(3, folder=tmp_path, clock=time.clock)
    sent = []

    for _ in range(7):
        budget.acquire()
        sent.append(round(time.now_s))

    assert sent == [0, 0, 0, 60, 60, 60, 120]


def test_no_minute_ever_holds_more_than_the_budget(tmp_path: Path, time: Time) -> None:
    budget = RequestBudget(5, folder=tmp_path, clock=time.clock)
    sent = []

    for number in range(40):
        budget.acquire()
        sent.append(time.now_s)
        time.clock.advance(timedelta(seconds=number % 7))

    assert all(later - sent[number] >= 59.9 for number, later in enumerate(sent[5:]))


def test_two_budgets_of_one_folder_are_one(tmp_path: Path, time: Time) -> None:
    one = RequestBudget(4, folder=tmp_path, clock=time.clock)
    other = RequestBudget(4, folder=tmp_path, clock=time.clock)
    sent = []

    for _ in range(3):
        one.acquire()
        other.acquire()
        sent.append(round(time.now_s))

    assert sent == [0, 0, 60]


def test_another_process_counts_too(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from closingbell.providers.budget import RequestBudget\n"
        "for _ in range(3): RequestBudget(4, folder=Path(sys.argv[1])).acquire()"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    budget = RequestBudget(4, folder=tmp_path)
    budget.acquire()
    second = threading.Thread(target=budget.acquire, daemon=True)

    second.start()
    second.join(0.3)

    assert second.is_alive()


def test_request_of_the_library_counts_without_waiting(tmp_path: Path, time: Time) -> None:
    budget = RequestBudget(3, folder=tmp_path, clock=time.clock)
    budget.acquire()
    budget.note_extra()
    budget.note_extra()
    assert time.now_s == 0

    budget.acquire()

    assert round(time.now_s) == 60


def test_no_limit_needs_no_file(tmp_path: Path) -> None:
    budget = RequestBudget(0, folder=tmp_path / "budget")

    for _ in range(1000):
        budget.acquire()
    budget.note_extra()

    assert not (tmp_path / "budget").exists()


def test_many_threads_stay_within_the_budget(tmp_path: Path) -> None:
    budget = RequestBudget(20, folder=tmp_path)
    done: list[int] = []

    def ask() -> None:
        budget.acquire()
        done.append(1)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads[:]:
        thread.join(0.1)

    assert len(done) == 20


# --- Pauses.


def test_pause_is_kept_for_the_time_that_was_named(tmp_path: Path, time: Time) -> None:
    budget = RequestBudget(0, folder=tmp_path, clock=time.clock)

    assert budget.pause_for(45, reason="asked to") == 45

    assert budget.paused_s() == 45
    budget.acquire()
    assert time.paused == [45]
    assert budget.paused_s() == 0


def test_pause_without_a_time_doubles_up_to_an_hour(tmp_path: Path, time: Time) -> None:
    budget = RequestBudget(0, folder=tmp_path, clock=time.clock)

    lengths = [budget.pause_for(None, reason="no time") for _ in range(9)]

    assert lengths == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_pause_is_never_longer_than_an_hour(tmp_path: Path, time: Time) -> None:
    assert RequestBudget(0, folder=tmp_path, clock=time.clock).pause_for(1e9, reason="silly") == 3600


def test_long_pause_is_told_at_once(tmp_path: Path, time: Time) -> None:
    budget = RequestBudget(0, folder=tmp_path, clock=time.clock)
    budget.pause_for(600, reason="asked to")

    with pytest.raises(RateLimitedError, match="rate limited, again in 600 s") as caught:
        budget.acquire()

    assert caught.value.retry_after_s == 600
    assert time.paused == []


def test_pause_is_read_by_a_later_process(tmp_path: Path, time: Time) -> None:
    RequestBudget(0, folder=tmp_path, clock=time.clock).pause_for(600, reason="asked to")

    assert RequestBudget(0, folder=tmp_path, clock=time.clock).paused_s() == 600


def test_success_ends_the_doubling(tmp_path: Path, time: Time) -> None:
    budget = RequestBudget(0, folder=tmp_path, clock=time.clock)
    budget.pause_for(None, reason="no time")
    budget.pause_for(None, reason="no time")

    budget.note_success()

    assert budget.pause_for(None, reason="no time") == 30


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"until": "soon"}', '{"until": null, "strikes": "x"}'])
def test_spoilt_pause_file_is_no_pause(tmp_path: Path, time: Time, text: str) -> None:
    (tmp_path / "paused.json").write_text(text)
    budget = RequestBudget(0, folder=tmp_path, clock=time.clock)

    budget.acquire()
    budget.note_success()

    assert budget.pause_for(None, reason="no time") == 30


def test_pause_file_is_whole_json(tmp_path: Path, time: Time) -> None:
    RequestBudget(0, folder=tmp_path, clock=time.clock).pause_for(60, reason="Yahoo asks for fewer requests")

    state = json.loads((tmp_path / "paused.json").read_text())

    assert state == {"until": 1354311120.0, "strikes": 1, "reason": "Yahoo asks for fewer requests"}
    assert [path.name for path in tmp_path.iterdir()] == ["paused.json"]


# --- Folders that cannot be used.


def test_folder_that_cannot_be_made_leaves_a_budget_of_ones_own(tmp_path: Path, time: Time) -> None:
    (tmp_path / "file").write_text("in the way")
    budget = RequestBudget(2, folder=tmp_path / "file" / "deeper", clock=time.clock)

    for _ in range(3):
        budget.acquire()
    budget.pause_for(600, reason="asked to")

    assert round(time.now_s) == 60
    assert budget.paused_s() == 600


def test_spoilt_budget_file_leaves_a_budget_of_ones_own(tmp_path: Path, time: Time) -> None:
    (tmp_path / "budget.sqlite").write_bytes(b"this is not a database, it only looks like a file" * 100)
    budget = RequestBudget(2, folder=tmp_path, clock=time.clock)

    for _ in range(3):
        budget.acquire()

    assert round(time.now_s) == 60


def test_budget_file_that_spoils_meanwhile_leaves_a_budget_of_ones_own(tmp_path: Path, time: Time) -> None:
    budget = RequestBudget(2, folder=tmp_path, clock=time.clock)
    budget.acquire()
    with sqlite3.connect(tmp_path / "budget.sqlite") as other:
        other.execute("DROP TABLE rate_bucket")

    for _ in range(3):
        budget.acquire()

    assert round(time.now_s) == 60
