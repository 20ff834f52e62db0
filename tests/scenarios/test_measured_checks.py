"""What the checks catch of recorded bad answers, and that they leave good ones alone."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner

from closingbell.commands.measure import measure_checks_command
from closingbell.domain.bars import Bar, snap_price
from closingbell.domain.corporate_actions import ActionKind, CorporateAction
from closingbell.domain.series_checks import check_series
from closingbell.usecases.measure_checks import BAR_COLUMNS, CONTROL, Measured, measure_checks


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    return shared_data / "bad_data" / "yfinance"


@pytest.fixture(scope="module")
def measured(folder: Path) -> Measured:
    return measure_checks(folder)


def test_the_bad_cells_are_those_that_were_recorded(measured: Measured) -> None:
    counted = {(share.category, share.column): share.bad_count for share in measured.shares if share.bad_count}
    assert counted == {
        **{("100x-error", column): 14 for column in BAR_COLUMNS if column != "Volume"},
        **{("bad-stock-split", column): 13 for column in BAR_COLUMNS},
        ("bad-div", "Dividends"): 14,
    }


def test_nine_in_ten_bad_cells_are_set_aside_in_every_category(measured: Measured) -> None:
    missed = [share for share in measured.shares if share.category != CONTROL and not share.is_enough]
    assert missed == []


def test_only_a_weekly_bar_that_a_special_dividend_explains_is_missed(measured: Measured) -> None:
    assert {(miss.file, miss.date) for miss in measured.misses} == {
        ("AV-L-1wk-bad-stock-split.csv.gz", date(2022, 5, 16))
    }


def test_no_check_of_a_whole_answer_touches_a_control(measured: Measured) -> None:
    assert sum(share.alarm_count for share in measured.shares if share.category == CONTROL) == 0


def test_no_rule_touches_a_control(measured: Measured) -> None:
    assert [share for share in measured.shares if share.category == CONTROL and not share.is_enough] == []


def test_false_alarms_are_below_one_in_a_hundred(measured: Measured) -> None:
    assert measured.alarm_count < 0.01 * measured.good_count


def test_false_alarms_are_the_known_ones(measured: Measured) -> None:
    alarms = {(alarm.file.partition("-1")[0], alarm.rule) for alarm in measured.alarms if not alarm.is_left}
    assert alarms <= {
        # Nothing in the answer says which of the two units is right.
        ("AET-L", "times_100"),
        # The running week has no volume yet; 101.69 was paid per old share.
        ("AV-L", "no_volume"),
        ("AV-L", "dividend_unsplit"),
        # More than half of the price was paid out.
        ("CNE-L", "jump"),
        ("DODFX", "gain_in_dividend"),
        # Its own bar is in another unit than the rest.
        ("LSC-L", "dividend_too_large"),
        # The price says nothing about a third of a percent.
        ("SAND", "dividend_repeated"),
    }


def test_the_command_prints_the_table_and_fails_while_the_bar_is_missed(folder: Path, measured: Measured) -> None:
    result = CliRunner().invoke(measure_checks_command, [str(folder)])
    assert result.exit_code == (0 if measured.is_enough else 1)
    assert "bad-stock-split  Close      13   12         92.31 %" in result.output


def test_the_command_prints_json(folder: Path, measured: Measured) -> None:
    result = CliRunner().invoke(measure_checks_command, [str(folder), "--format", "json"])
    answer = json.loads(result.output)
    assert answer["is_enough"] is measured.is_enough
    assert Counter(row["category"] for row in answer["shares"])["bad-div"] == 6


def test_a_folder_without_an_index_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(measure_checks_command, [str(tmp_path)])
    assert result.exit_code == 2


def test_half_a_century_of_real_bars_has_no_finding(shared_data: Path) -> None:
    bars: dict[str, list[Bar]] = {}
    splits: dict[str, list[CorporateAction]] = {}
    with gzip.open(shared_data / "daily" / "wiki_raw_ohlcv_div_split.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            symbol, day = row["symbol"], date.fromisoformat(row["date"])
            if row["close"] in {"", "nan", "NaN"}:
                continue
            prices = [snap_price(float(row[name])) for name in ("open", "high", "low", "close")]
            bars.setdefault(symbol, []).append(Bar(day, *prices, volume=int(float(row["volume"]))))
            ratio = Fraction(row["split_ratio"]).limit_denominator(1000)
            if ratio != 1:
                action = CorporateAction(ActionKind.SPLIT, day, None, "", ratio.numerator, ratio.denominator, "")
                splits.setdefault(symbol, []).append(action)
    assert {symbol: len(rows) for symbol, rows in bars.items()} == {"AAPL": 9400, "FB": 1052, "KO": 13746}
    assert [
        found for symbol, rows in bars.items() for found in check_series(sorted(rows), splits.get(symbol, []))
    ] == []
