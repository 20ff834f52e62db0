"""What is dear to read is read once for all who ask within its time, and what is cheap each time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import pytest

from closingbell.queries.kept import Kept

AT = datetime(2012, 11, 30, 21, 0, tzinfo=UTC)


class Source:
    """Something to be read that counts how often it was."""

    def __init__(self, lasts_s: float) -> None:
        self.count = 0
        self.lasts = timedelta(seconds=lasts_s)

    def read(self) -> tuple[int, timedelta]:
        self.count += 1
        return self.count, self.lasts


def at(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def test_a_reading_holds_for_its_time() -> None:
    kept, source = Kept[int](), Source(5)
    told = [kept.load("friday", source.read, wall=at(seconds)) for seconds in (0, 2, 4.9, 5, 9.9, 10)]
    assert told == [1, 1, 1, 2, 2, 3]


def test_another_question_is_not_given_the_answer_of_the_last_one() -> None:
    kept, source = Kept[int](), Source(60)
    told = [kept.load(day, source.read, wall=at(0)) for day in ("friday", "monday", "monday", "friday")]
    assert told == [1, 2, 2, 3]


def test_what_is_cheap_is_read_each_time() -> None:
    kept, source = Kept[int](), Source(0.9)
    assert [kept.load("friday", source.read, wall=at(0)) for _ in range(3)] == [1, 2, 3]


def test_while_one_reads_anew_the_others_are_given_what_was_read_before() -> None:
    kept, source = Kept[int](), Source(5)
    kept.load("friday", source.read, wall=at(0))
    began, may_end = Event(), Event()
    told: list[int] = []

    def slow() -> tuple[int, timedelta]:
        began.set()
        assert may_end.wait(10)
        return source.read()

    reader = Thread(target=lambda: told.append(kept.load("friday", slow, wall=at(6))))
    reader.start()
    assert began.wait(10)
    assert kept.load("friday", source.read, wall=at(6)) == 1
    may_end.set()
    reader.join(10)
    assert told == [2]
    assert kept.load("friday", source.read, wall=at(7)) == 2


def test_a_reading_that_failed_leaves_the_next_one_to_read() -> None:
    kept, source = Kept[int](), Source(5)
    kept.load("friday", source.read, wall=at(0))

    def fail() -> tuple[int, timedelta]:
        raise OSError("no database")

    with pytest.raises(OSError, match="no database"):
        kept.load("friday", fail, wall=at(6))
    assert kept.load("friday", source.read, wall=at(6)) == 2
