"""The replay in a process of its own, for callers that must not share their interpreter with it."""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import orjson

from closingbell.errors import SettingsError, UsageError

_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
_STOP_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class ReplayProcess:
    """A replay in another process, steered through its control plane."""

    base_url: str
    pid: int

    def set_now(self, now: datetime) -> None:
        """Move the market's clock."""
        self.control("POST", "clock", {"now": now.isoformat()})

    def misbehave(self, symbol: str, fault: str, **options: Any) -> None:
        """Put a fault in force; options are those of :class:`FaultRule`."""
        self.control("POST", "faults", {"symbol": symbol, "fault": fault, **options})

    def behave(self) -> None:
        """Take every fault back."""
        self.control("DELETE", "faults")

    @property
    def request_count(self) -> int:
        """How many requests it has answered."""
        return int(self.control("GET", "health")["request_count"])

    def clear_log(self) -> None:
        """Forget the requests so far."""
        self.control("DELETE", "log")

    def control(self, method: str, name: str, document: Any = None) -> dict[str, Any]:
        """Ask the control plane; UsageError carries its refusal."""
        address = urlsplit(self.base_url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
        try:
            connection.request(method, f"/_replay/{name}", body=orjson.dumps(document) if document else None)
            response = connection.getresponse()
            answer: dict[str, Any] = orjson.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise UsageError(str(answer.get("error")))
        return answer


@contextmanager
def replay_process(
    *,
    now: datetime,
    speed: float = 1.0,
    latency_ms: float = 0,
    clones: int = 0,
    ca_file: Path | None = None,
    port: int = 0,
) -> Iterator[ReplayProcess]:
    """Run the recorded market in its own process for the length of a ``with`` block."""
    options = {
        "now": now.isoformat(),
        "speed": speed,
        "latency-ms": latency_ms,
        "clones": clones,
        "port": port,
    }
    command = [sys.executable, "-m", "closingbell.replay"]
    command += [f"--{name}={value}" for name, value in options.items()]
    command += [f"--ca-file={ca_file}"] if ca_file else []
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # noqa: S603
    try:
        yield ReplayProcess(_read_address(process.stdout), process.pid)
    finally:
        process.terminate()
        try:
            process.wait(timeout=_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _read_address(output: IO[str] | None) -> str:
    """The address a process prints at its start; SettingsError with its words when it gives up."""
    said = []
    for line in output or ():
        found = _ADDRESS.search(line)
        if found:
            return found[0]
        said.append(line.strip())
    raise SettingsError(f"the replay did not start: {' '.join(said)}")
