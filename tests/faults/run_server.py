"""The process in which runs are forked, so that they can be killed; see ``runs.py``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


class RunServer:
    """The process in which runs are forked."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("runs.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._read()

    def carry_out(self, env: dict[str, str], **how: Any) -> list[dict[str, Any]]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"env": env, **how}) + "\n")
        self._process.stdin.flush()
        ends: list[dict[str, Any]] = json.loads(self._read())
        return ends

    def _read(self) -> str:
        assert self._process.stdout is not None
        # Whatever libraries print comes before.
        while line := self._process.stdout.readline():
            if line.startswith(("ready", "[")):
                return line
        raise AssertionError("the process of the runs ended")

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)


@pytest.fixture(scope="session")
def run_server() -> Iterator[RunServer]:
    """One for all tests: importing everything takes a second."""
    started = RunServer()
    yield started
    started.close()
