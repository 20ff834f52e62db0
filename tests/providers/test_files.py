"""A folder of files as a provider: what is read, and what is said of what cannot be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from closingbell.config import load_settings
from closingbell.domain.bars import Bar
from closingbell.domain.corporate_actions import ActionKind
from closingbell.errors import BadAnswerError, NoDataError, SettingsError, SymbolUnknownError
from closingbell.providers.base import DailyHistory
from closingbell.providers.files import FilesProvider, open_files
from tests.providers.stubs import NOW

HEADER = "date,open,high,low,close,volume,currency"
LINE = "2012-11-30,586.79,588.40,582.68,585.28,13975700,USD"
BAR = Bar(date(2012, 11, 30), 586_790_000, 588_400_000, 582_680_000, 585_280_000, 13_975_700)

Fetch = Callable[..., DailyHistory]


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., None]:
    """``put("AAPL.csv", HEADER, LINE)``: writes a file of these lines."""

    def write(name: str, *lines: str) -> None:
        (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")

    return write


@pytest.fixture
def fetch(tmp_path: Path) -> Fetch:
    provider = FilesProvider(tmp_path)
    return lambda symbol="AAPL", first="2012-11-01": provider.fetch_daily(
        symbol, first=date.fromisoformat(first), now=NOW
    )


def test_file_of_one_company_is_read_exactly(put: Callable[..., None], fetch: Fetch) -> None:
    put("AAPL.csv", HEADER, LINE, "2012-11-29,590.22,594.25,585.25,589.36,18382100,USD", "")

    history = fetch()

    assert [bar.date.day for bar in history.bars] == [29, 30]
    assert history.bars[1] == BAR
    assert (history.currency, history.quote_unit, history.provider) == ("USD", "USD", "files")
    assert fetch(first="2012-11-30").bars == [BAR]


def test_file_of_several_companies_has_a_symbol_column(put: Callable[..., None], fetch: Fetch) -> None:
    put("friday.csv", f"symbol,{HEADER}", f"AAPL,{LINE}", f"brk-b,{LINE.replace('585.28', '585.00')}")

    assert fetch().bars == [BAR]
    assert fetch("BRK-B").bars[0].close == 585_000_000


def test_dividends_and_splits_are_of_their_own_day(put: Callable[..., None], fetch: Fetch) -> None:
    put("AAPL.csv", f"{HEADER},dividend,split", f"{LINE},2.65,", "2014-06-09,92.70,93.88,91.75,93.70,75415000,USD,,7:1")

    dividend, split = fetch().actions

    assert (dividend.kind, dividend.ex_date, dividend.amount, dividend.currency) == (
        ActionKind.DIVIDEND,
        date(2012, 11, 30),
        Decimal("2.65"),
        "USD",
    )
    assert (split.kind, split.ex_date, split.numerator, split.denominator) == (
        ActionKind.SPLIT,
        date(2014, 6, 9),
        7,
        1,
    )


def test_pence_are_pounds(put: Callable[..., None], fetch: Fetch) -> None:
    put("VOD.L.csv", f"{HEADER},dividend", "2012-11-30,161.05,161.50,160.00,161.00,1,GBp,3.27")

    history = fetch("VOD.L")

    assert (history.currency, history.quote_unit) == ("GBP", "GBp")
    assert history.bars[0][1:] == (1_610_500, 1_615_000, 1_600_000, 1_610_000, 1)
    assert (history.actions[0].amount, history.actions[0].currency) == (Decimal("0.0327"), "GBP")


def test_parquet_is_read_alike(tmp_path: Path, fetch: Fetch) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {
        "Date": [date(2012, 11, 30)],
        "Open": [586.79],
        "High": [588.4],
        "Low": [582.68],
        "Close": [585.28],
        "Volume": [13975700],
        "Currency": ["USD"],
        "Dividend": pyarrow.array([None], pyarrow.float64()),
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "AAPL.parquet")

    assert fetch().bars == [BAR]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (LINE.replace("585.28", "abc"), "line 3: close: 'abc' is not a number"),
        (LINE.replace("585.28", "nan"), "line 3: close: NaN is not a number that can be stored"),
        (LINE.replace("585.28", "585.2800001"), "line 3: close: 585.2800001 has more than 6 decimals"),
        (LINE.replace("2012-11-30", "30.11.2012"), "line 3: date is '30.11.2012', not YYYY-MM-DD"),
        (LINE.replace("13975700", "1.5"), "line 3: volume is '1.5', not a whole number of shares"),
        (LINE.replace("USD", "dollars"), "line 3: currency is 'dollars', not a code such as USD or GBp"),
        (LINE.replace("USD", "EUR"), "line 3: currency is EUR, and USD before"),
        (LINE.replace("2012-11-30", "2012-11-29"), "line 3: 2012-11-29 stands there twice"),
        (LINE + ",", "line 3: has 8 cells for 7 columns"),
    ],
)
def test_bad_line_is_named_with_its_reason(put: Callable[..., None], fetch: Fetch, line: str, reason: str) -> None:
    put("AAPL.csv", HEADER, LINE.replace("2012-11-30", "2012-11-29"), line)

    with pytest.raises(BadAnswerError) as caught:
        fetch()

    assert str(caught.value) == f"AAPL.csv, {reason}"


@pytest.mark.parametrize(("split", "said"), [("four", "'four'"), ("4:0", "'4:0'"), ("-1", "'-1'")])
def test_bad_split_is_named(put: Callable[..., None], fetch: Fetch, split: str, said: str) -> None:
    put("AAPL.csv", f"{HEADER},split", f"{LINE},{split}")

    with pytest.raises(BadAnswerError, match=f"line 2: split is {said}, not new:old shares such as 4:1"):
        fetch()


def test_bad_line_spoils_its_own_company_only(put: Callable[..., None], fetch: Fetch) -> None:
    put("all.csv", f"symbol,{HEADER}", f"IBM,{LINE.replace('585.28', 'abc')}", f"AAPL,{LINE}")

    assert fetch().bars == [BAR]
    with pytest.raises(BadAnswerError, match=r"all\.csv, line 2: close"):
        fetch("IBM")


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("date,open,high,low,close,volume", "AAPL.csv: lacks the columns currency"),
        (
            f"{HEADER},volumne",
            "AAPL.csv: nobody knows the columns volumne; there are "
            "date, open, high, low, close, currency, symbol, volume, dividend, split",
        ),
    ],
)
def test_wrong_columns_are_named(put: Callable[..., None], fetch: Fetch, header: str, reason: str) -> None:
    put("AAPL.csv", header, LINE)

    with pytest.raises(BadAnswerError) as caught:
        fetch()

    assert str(caught.value) == reason


def test_file_that_is_no_text_and_no_parquet_is_named(tmp_path: Path, fetch: Fetch) -> None:
    (tmp_path / "AAPL.csv").write_bytes(b"\xff\xfe\x00date")
    with pytest.raises(BadAnswerError, match=r"AAPL\.csv: cannot be read as CSV in UTF-8"):
        fetch()

    (tmp_path / "IBM.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(BadAnswerError, match=r"IBM\.parquet: cannot be read as Parquet"):
        fetch("IBM")


def test_changed_and_new_files_are_seen(put: Callable[..., None], fetch: Fetch) -> None:
    put("AAPL.csv", HEADER, LINE.replace("585.28", "abc"))
    with pytest.raises(BadAnswerError):
        fetch()
    with pytest.raises(SymbolUnknownError):
        fetch("IBM")

    put("AAPL.csv", HEADER, LINE)
    put("more.csv", f"symbol,{HEADER}", f"IBM,{LINE}")

    assert fetch().bars == fetch("IBM").bars == [BAR]


def test_company_in_two_files_is_refused(put: Callable[..., None], fetch: Fetch) -> None:
    put("one.csv", f"symbol,{HEADER}", f"AAPL,{LINE}")
    put("two.csv", f"symbol,{HEADER}", f"AAPL,{LINE}")

    with pytest.raises(BadAnswerError, match=r"AAPL is in one\.csv and in two\.csv; keep one"):
        fetch()


@pytest.mark.parametrize("symbol", ["../AAPL", "/etc/passwd", "a/b"])
def test_symbol_leads_out_of_the_folder_never(tmp_path: Path, symbol: str) -> None:
    (tmp_path / "AAPL.csv").write_text(f"{HEADER}\n{LINE}", encoding="utf-8")
    (tmp_path / "inner").mkdir()

    with pytest.raises(SymbolUnknownError):
        FilesProvider(tmp_path / "inner").fetch_daily(symbol, first=date(2012, 1, 1), now=NOW)


def test_range_without_bars_is_no_data(put: Callable[..., None], fetch: Fetch) -> None:
    put("AAPL.csv", HEADER, LINE)

    with pytest.raises(NoDataError, match="the files have nothing of AAPL from 2012-12-01 on"):
        fetch(first="2012-12-01")


def test_folder_is_needed(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="set PRICE_FILES_FOLDER"):
        open_files(load_settings())
    with pytest.raises(SettingsError, match=r"PRICE_FILES_FOLDER: .* is not a folder"):
        open_files(load_settings(price_files_folder=tmp_path / "nowhere"))
