"""One folder for the caches of every client of this process: yfinance opens its own once and keeps it."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path


@cache
def cache_folder() -> Path:
    """A temporary folder that lasts as long as this process."""
    folder = tempfile.mkdtemp(prefix="closingbell_bench_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
