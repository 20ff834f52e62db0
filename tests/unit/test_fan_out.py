from __future__ import annotations

import threading
import time

import pytest

from closingbell.jobs.fan_out import fan_out, in_chunks


def test_every_question_is_answered_once() -> None:
    assert sorted(fan_out(lambda number: number * 2, range(50), concurrency=4)) == list(range(0, 100, 2))


def test_no_question_is_no_answer() -> None:
    assert list(fan_out(lambda number: number, [], concurrency=4)) == []


def test_no_more_questions_are_under_way_than_allowed() -> None:
    under_way, most, lock = 0, 0, threading.Lock()

    def ask(number: int) -> int:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.002)
        with lock:
            under_way -= 1
        return number

    list(fan_out(ask, range(30), concurrency=3))

    assert 1 <= most <= 3


def test_what_a_question_raises_ends_the_rest() -> None:
    asked: list[int] = []

    def ask(number: int) -> int:
        asked.append(number)
        if number == 0:
            raise KeyboardInterrupt
        return number

    with pytest.raises(KeyboardInterrupt):
        list(fan_out(ask, range(1000), concurrency=1))

    assert len(asked) < 10


def test_answers_come_in_groups() -> None:
    assert list(in_chunks(range(5), most=2, age_s=60)) == [[0, 1], [2, 3], [4]]


def test_slow_answers_do_not_wait_for_a_full_group() -> None:
    assert list(in_chunks(range(3), most=100, age_s=0)) == [[0], [1], [2]]


def test_a_group_ends_when_it_weighs_enough() -> None:
    groups = in_chunks([1, 5, 5, 1, 1], most=3, age_s=60, weight=lambda bars: bars, most_weight=6)
    assert list(groups) == [[1, 5], [5, 1], [1]]
