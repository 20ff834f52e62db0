"""The health of providers as several processes see it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from closingbell.domain.provider_health import ProviderState, Turn, state_of
from closingbell.errors import RateLimitedError, SourceDownError
from closingbell.providers.health import HealthBook
from closingbell.utils.clock import FixedClock
from tests.providers.stubs import NOW


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


def trip(book: HealthBook) -> None:
    for _ in range(5):
        book.note_error("yahoo", SourceDownError("Yahoo is down (HTTP 500)"))


def test_what_one_process_learns_the_others_know(tmp_path: Path, clock: FixedClock) -> None:
    ours, theirs = HealthBook(tmp_path, clock=clock), HealthBook(tmp_path, clock=clock)
    assert theirs.take_turn("yahoo") is Turn.ASK

    trip(ours)

    assert theirs.take_turn("yahoo") is Turn.WAIT
    assert theirs.wait_s("yahoo") == 30
    assert theirs.take_turn("tiingo") is Turn.ASK
    clock.advance(timedelta(seconds=30))
    assert theirs.take_turn("yahoo") is Turn.TRIAL
    theirs.note_answer("yahoo")
    assert ours.take_turn("yahoo") is Turn.ASK


def test_one_of_many_gets_the_trial(tmp_path: Path, clock: FixedClock) -> None:
    trip(HealthBook(tmp_path, clock=clock))
    clock.advance(timedelta(seconds=30))
    books = [HealthBook(tmp_path, clock=clock) for _ in range(32)]

    with ThreadPoolExecutor(8) as pool:
        turns = list(pool.map(lambda book: book.take_turn("yahoo"), books))

    assert (turns.count(Turn.TRIAL), turns.count(Turn.WAIT)) == (1, 31)


def test_trial_of_another_thread_is_waited_for(tmp_path: Path, clock: FixedClock) -> None:
    book = HealthBook(tmp_path, clock=clock)
    trip(book)
    clock.advance(timedelta(seconds=30))
    assert book.take_turn("yahoo") is Turn.TRIAL

    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(book.take_turn, "yahoo") for _ in range(4)]
        # Another process does not wait for it.
        assert HealthBook(tmp_path, clock=clock).take_turn("yahoo") is Turn.WAIT
        assert not any(one.done() for one in waiting)
        book.note_answer("yahoo")
        book.end_trial("yahoo")
        assert {one.result(timeout=10) for one in waiting} == {Turn.ASK}


def test_rate_limit_has_its_end(tmp_path: Path, clock: FixedClock) -> None:
    HealthBook(tmp_path, clock=clock).note_error("yahoo", RateLimitedError("fewer", retry_after_s=1260))

    known = HealthBook(tmp_path, clock=clock).read("yahoo")

    assert state_of(known, now=NOW) == (ProviderState.RATE_LIMITED, NOW + timedelta(minutes=21))
    assert known.last_error == "fewer"


def test_thousand_answers_write_once(tmp_path: Path, clock: FixedClock) -> None:
    book = HealthBook(tmp_path, clock=clock)
    book.note_answer("yahoo")
    written = (tmp_path / "health-yahoo.json").stat().st_mtime_ns

    for _ in range(1000):
        book.note_answer("yahoo")

    assert (tmp_path / "health-yahoo.json").stat().st_mtime_ns == written
    assert json.loads((tmp_path / "health-yahoo.json").read_text())["last_success_at"] == "2012-11-30T21:31:00+00:00"


def test_folder_that_cannot_be_used_leaves_a_book_of_ones_own(tmp_path: Path, clock: FixedClock) -> None:
    (tmp_path / "file").write_text("in the way")
    book = HealthBook(tmp_path / "file" / "deeper", clock=clock)

    trip(book)

    assert book.take_turn("yahoo") is Turn.WAIT
    clock.advance(timedelta(seconds=30))
    assert book.take_turn("yahoo") is Turn.TRIAL
    book.end_trial("yahoo")
    assert book.take_turn("yahoo") is Turn.WAIT


@pytest.mark.parametrize("content", ["", "{", "[]", '{"trial_at": "soon"}', '"text"'])
def test_file_that_cannot_be_read_counts_as_none(tmp_path: Path, clock: FixedClock, content: str) -> None:
    (tmp_path / "health-yahoo.json").write_text(content)
    book = HealthBook(tmp_path, clock=clock)

    assert book.take_turn("yahoo") is Turn.ASK
    trip(book)
    assert HealthBook(tmp_path, clock=clock).take_turn("yahoo") is Turn.WAIT
