"""``python -m benchmarks.page_server PORT FILE``: the pages under gunicorn, the time of each request into a file.

The time is the server's own: from the application's call until its answer has been given away.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from werkzeug.wsgi import ClosingIterator

from closingbell.app import add_pages_to, create_app
from closingbell.commands.serving import Server

WORKERS = 2


class Timed:
    """A WSGI application that writes down ``path milliseconds``, a line for each request."""

    def __init__(self, application: Callable[..., Iterable[bytes]], path: Path) -> None:
        self._application = application
        # Appended in one write each, so that lines of several workers do not mix.
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        began = time.perf_counter()
        answer = self._application(environ, start_response)

        def note() -> None:
            os.write(self._file, f"{environ['PATH_INFO']} {(time.perf_counter() - began) * 1000:.2f}\n".encode())

        return ClosingIterator(answer, note)


class _TimedServer(Server):
    def __init__(self, address: str, path: Path) -> None:
        self._path = path
        super().__init__(address, workers=WORKERS, graceful_timeout_s=5)

    def load(self) -> Any:
        """The application of one worker, its pages added and no scheduler."""
        app = create_app()
        add_pages_to(app)
        return Timed(app, self._path)


if __name__ == "__main__":
    _TimedServer(f"127.0.0.1:{int(sys.argv[1])}", Path(sys.argv[2])).run()
