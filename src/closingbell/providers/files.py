"""A folder of CSV or Parquet files as a provider: for repairs by hand, and for working without a network.

``SYMBOL.csv`` holds one company, any other file the companies that its symbol column names. Files may be changed at any
time; what was read is kept until then.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

from closingbell.config import Settings
from closingbell.domain.money import major_unit
from closingbell.errors import BadAnswerError, NoDataError, SettingsError, SymbolUnknownError
from closingbell.providers.base import DAILY, DailyHistory, MinuteHistory, Quote
from closingbell.providers.files_reading import CSV, PARQUET, OfSymbol, columns_of, read_file

_Stamp = tuple[int, int]


def open_files(settings: Settings) -> FilesProvider:
    """The folder that the settings name; raise SettingsError when they name none, or what is no folder."""
    folder = settings.price_files_folder
    if folder is None:
        raise SettingsError("set PRICE_FILES_FOLDER to the folder with the files")
    if not folder.is_dir():
        raise SettingsError(f"PRICE_FILES_FOLDER: {folder} is not a folder")
    return FilesProvider(folder)


class FilesProvider:
    """Daily bars from the files of a folder."""

    name = "files"
    capabilities = frozenset({DAILY})

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._read: dict[Path, tuple[_Stamp, dict[str, OfSymbol]]] = {}
        self._shared: tuple[_Stamp, tuple[Path, ...]] | None = None

    @property
    def request_count(self) -> int:
        """Nobody is asked."""
        return 0

    def close(self) -> None:
        """Forget what was read."""
        self._read.clear()

    def fetch_daily(self, symbol: str, *, first: date, now: datetime) -> DailyHistory:
        """The bars of ``symbol`` from ``first`` on that its file has."""
        with self._lock:
            of_symbol = self._find(symbol)
        if of_symbol.problem is not None:
            raise BadAnswerError(of_symbol.problem)
        bars = [bar for bar in of_symbol.bars if bar.date >= first]
        if not bars:
            raise NoDataError(f"the files have nothing of {symbol} from {first} on")
        return DailyHistory(
            symbol=symbol,
            provider=self.name,
            fetched_at=now,
            currency=major_unit(of_symbol.quote_unit)[0],
            quote_unit=of_symbol.quote_unit,
            bars=bars,
            actions=tuple(action for action in of_symbol.actions if action.ex_date >= first),
        )

    def fetch_quotes(self, symbols: Sequence[str], *, now: datetime) -> dict[str, Quote]:
        """Files have none."""
        return {}

    def fetch_minutes(self, symbol: str, *, since: datetime, now: datetime) -> MinuteHistory:
        """Files have none."""
        raise NoDataError("files hold no minutes")

    def _find(self, symbol: str) -> OfSymbol:
        """The one file's part that is about ``symbol``: its own file's, else that of a file for several."""
        if Path(symbol).name != symbol:
            raise SymbolUnknownError(f"no file is called {symbol!r}")
        own = [path for suffix in (CSV, PARQUET) if (path := self._folder / f"{symbol}{suffix}").is_file()]
        found = _parts([(path, self._content(path)) for path in own], symbol)
        found = found or _parts([(path, self._content(path)) for path in self._for_several()], symbol)
        if len(found) > 1:
            raise BadAnswerError(f"{symbol} is in {' and in '.join(path.name for path, _ in found)}; keep one")
        if not found:
            raise SymbolUnknownError(f"no file in {self._folder} has {symbol}")
        return found[0][1]

    def _content(self, path: Path) -> dict[str, OfSymbol]:
        """What a file holds; read again when it has changed."""
        stamp = _stamp(path)
        known = self._read.get(path)
        if known is None or known[0] != stamp:
            known = (stamp, read_file(path))
            self._read[path] = known
        return known[1]

    def _for_several(self) -> tuple[Path, ...]:
        """The files with a symbol column; looked for again when the folder has changed. Unreadable ones are named."""
        stamp = _stamp(self._folder)
        if self._shared is None or self._shared[0] != stamp:
            paths = sorted(path for path in self._folder.iterdir() if path.suffix in {CSV, PARQUET})
            self._shared = (stamp, tuple(path for path in paths if "symbol" in columns_of(path)))
        return self._shared[1]


def _parts(contents: list[tuple[Path, dict[str, OfSymbol]]], symbol: str) -> list[tuple[Path, OfSymbol]]:
    return [(path, content[symbol.upper()]) for path, content in contents if symbol.upper() in content]


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError as error:
        raise BadAnswerError(f"{path}: cannot be read ({error.strerror})") from None
    return found.st_mtime_ns, found.st_size
