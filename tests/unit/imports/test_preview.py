from __future__ import annotations

from datetime import date

import pytest

from closingbell.errors import UsageError
from closingbell.usecases.imports.formats import format_named
from closingbell.usecases.imports.preview import Checked, check_reading, preview_of

TODAY = date(2024, 3, 1)
SCHWAB = format_named("schwab")
HEADER = "Date,Action,Symbol,Description,Quantity,Price,Fees & Comm,Amount\n"
FILE = HEADER + (
    "01/02/2024,Buy,SPY,SPDR,1,$470.00,$1.00,-$471.00\n"
    "01/02/2024,Buy,SPY,SPDR,1,$470.00,$1.00,-$471.00\n"
    "01/03/2024,Buy,SPY,SPDR,10,$470.00,,-$4800.00\n"
    "01/04/2024,Lottery,,,,,,$5.00\n"
    "01/05/2024,Qualified Dividend,SPY,SPDR,,,,$5.00\n"
    "01/05/2024,NRA Tax Adj,SPY,SPDR,,,,-$0.75\n"
    "03/02/2024,Credit Interest,,INT,,,,$5.00\n"
)


def check(*, leave_out: tuple[int, ...] = ()) -> Checked:
    return check_reading(SCHWAB.read(FILE), SCHWAB, mapping={}, leave_out=leave_out, latest=lambda _: TODAY, names={})


def told(checked: Checked) -> list[str]:
    return [f"{finding.line} {finding.weight}: {finding.reason}" for finding in checked.findings]


def test_doubts_refusals_and_the_future_are_told_by_line() -> None:
    assert told(check()) == [
        "4 doubtful: the stated amount 4800.00 counts, not quantity times price, which is 4700",
        "5 refused: action 'Lottery' is not known",
        "8 refused: the date 2024-03-02 lies in the future",
    ]
    assert [item.entry.lines for item in check().ready] == [(2,), (3,), (4,), (6, 7)]


def test_lines_are_left_out_with_all_that_belongs_to_them() -> None:
    checked = check(leave_out=(2, 5, 7, 8))

    assert told(checked) == [
        "2 left_out: left out as asked",
        "4 doubtful: the stated amount 4800.00 counts, not quantity times price, which is 4700",
        "5 left_out: left out as asked",
        "6 left_out: left out as asked",
        "7 left_out: left out as asked",
        "8 left_out: left out as asked",
    ]
    assert [item.entry.lines for item in checked.ready] == [(3,), (4,)]
    # The second of two rows that are alike stays the second.
    assert checked.ready[0].source_key == check().ready[1].source_key


def test_a_line_with_nothing_to_leave_out_is_refused() -> None:
    with pytest.raises(UsageError, match="line 99 holds nothing that could be left out"):
        check(leave_out=(99,))


def test_a_preview_counts_what_is_new_by_type() -> None:
    checked = check(leave_out=(5, 8))
    known = {checked.ready[0].source_key}

    preview = preview_of(
        checked, account="Ann", is_new_account=False, form="schwab", known_keys=known, new_symbols=["SPY"]
    )

    assert (preview.added_count, preview.known_count, preview.type_counts) == (3, 1, {"BUY": 2, "DIVIDEND": 1})
    assert (preview.refused_count, preview.left_out_count, preview.doubtful_count) == (0, 2, 1)
    assert [row.is_new for row in preview.rows] == [False, True, True, True]
    assert preview.rows[3].lines == (6, 7)
