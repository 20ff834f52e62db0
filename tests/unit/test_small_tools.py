from __future__ import annotations

import gc
import re
import threading
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

import closingbell
from closingbell import calendars
from closingbell.errors import DeadlineExceededError, NaiveDatetimeError, UsageError
from closingbell.queries.csv_text import csv_lines
from closingbell.utils.clock import FixedClock, OffsetClock, require_aware
from closingbell.utils.deadlines import DeadlinePool
from closingbell.utils.garbage import cycles_kept
from closingbell.utils.text import counted, formula_safe, listed


@given(st.text())
def test_no_cell_starts_like_a_formula(text: str) -> None:
    safe = formula_safe(text)
    assert not safe or safe[0] not in "=+-@\t\r\n\0"
    # Nothing but apostrophes is added.
    assert safe.replace("'", "") == text.replace("'", "")


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("  =1+1", "'  =1+1"),
        ("\ufeff@SUM(A1)", "'\ufeff@SUM(A1)"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("Smith; =1+1", "Smith; '=1+1"),
        ('Smith;"=1+1"', 'Smith;"\'=1+1"'),
        ("one\n-two", "one\n'-two"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("BRK-B", "BRK-B"),
        ("a = b", "a = b"),
        ("", ""),
    ],
)
def test_a_formula_gets_an_apostrophe_wherever_a_cell_may_begin(text: str, safe: str) -> None:
    assert formula_safe(text) == safe


def test_csv_keeps_numbers_and_dates_and_defuses_text() -> None:
    rows = [
        ["=1+1", Decimal("-12.5"), -3, None, True, date(2012, 11, 30), datetime(2012, 11, 30, 21, 31, tzinfo=UTC)],
        ['a "b", c', Decimal("0.000001"), 0, "", False, date(2012, 12, 3), None],
    ]
    assert list(csv_lines(["text", "price", "n", "none", "is", "day", "at"], rows)) == [
        "text,price,n,none,is,day,at\n",
        "'=1+1,-12.50,-3,,true,2012-11-30,2012-11-30T21:31:00+00:00\n",
        '"a ""b"", c",0.000001,0,,false,2012-12-03,\n',
    ]
    assert list(csv_lines(["text"], [])) == ["text\n"]


def test_nobody_else_writes_csv() -> None:
    source = Path(closingbell.__file__).parent
    writers = [
        path.name for path in source.rglob("*.py") if re.search(r"csv\.(writer|DictWriter)", path.read_text("utf-8"))
    ]
    assert writers == ["csv_text.py"]


def test_a_long_list_is_cut_and_counted() -> None:
    assert listed(["A", "B"]) == "A, B"
    assert listed([str(n) for n in range(13)]) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 3 more"


def test_naive_datetimes_are_refused_at_the_door() -> None:
    with pytest.raises(NaiveDatetimeError):
        require_aware(datetime(2012, 11, 30))  # noqa: DTZ001
    with pytest.raises(NaiveDatetimeError):
        FixedClock(datetime(2012, 11, 30))  # noqa: DTZ001


def test_a_simulated_clock_runs_on_from_its_start() -> None:
    start = datetime(2012, 11, 30, 21, 31, tzinfo=UTC)
    assert timedelta() <= OffsetClock(start).now() - start < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("symbol", "mic"), [("AAPL", "XNYS"), ("BRK-B", "XNYS"), ("VOD.L", "XLON"), ("SAP.DE", "XETR"), ("7203.T", "XTKS")]
)
def test_a_symbol_follows_the_sessions_of_its_exchange(symbol: str, mic: str) -> None:
    assert calendars.mic_of(symbol) == mic


def test_an_unknown_suffix_is_named() -> None:
    with pytest.raises(UsageError, match=r"NOPE\.QQ: no exchange is known for the suffix \.QQ"):
        calendars.mic_of("NOPE.QQ")


def test_a_call_ends_at_its_deadline_and_the_next_one_gets_a_fresh_thread() -> None:
    pool = DeadlinePool(1, name="test")
    release = threading.Event()
    began = time.monotonic()
    with pytest.raises(DeadlineExceededError, match=r"no answer within 0\.05 s"):
        pool.call(release.wait, timeout_s=0.05)
    assert pool.call(lambda: "alive", timeout_s=5) == "alive"
    assert time.monotonic() - began < 4
    release.set()
    pool.close()


def test_threads_are_kept_between_calls() -> None:
    pool = DeadlinePool(4, name="test")
    assert len({pool.call(threading.get_ident, timeout_s=5) for _ in range(10)}) == 1
    pool.close()


def test_an_error_of_the_called_function_reaches_the_caller() -> None:
    pool = DeadlinePool(1, name="test")
    with pytest.raises(ZeroDivisionError):
        pool.call(lambda: 1 / 0, timeout_s=5)
    pool.close()


def test_what_a_call_logs_names_what_its_caller_does() -> None:
    pool = DeadlinePool(1, name="test")
    read = structlog.contextvars.get_contextvars
    assert pool.call(read, timeout_s=5) == {}
    with structlog.contextvars.bound_contextvars(run_id=7):
        assert pool.call(read, timeout_s=5) == {"run_id": 7}
    assert pool.call(read, timeout_s=5) == {}


def test_cycles_are_looked_for_again_once_nobody_needs_quiet() -> None:
    assert gc.isenabled()
    with cycles_kept():
        with pytest.raises(ValueError, match="inner"), cycles_kept():
            raise ValueError("inner")
        assert not gc.isenabled()
    assert gc.isenabled()


def test_one_is_counted_as_one() -> None:
    assert counted(0, "payment") == "0 payments"
    assert counted(1, "payment") == "1 payment"
    assert counted(2000, "payment") == "2,000 payments"
    assert counted(1, "company", "companies") == "1 company"
    assert counted(2, "company", "companies") == "2 companies"
