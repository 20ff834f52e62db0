"""``closingbell replay`` and the replay in its own process."""

from __future__ import annotations

import builtins
import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from closingbell.commands.replay import replay
from closingbell.errors import SettingsError, UsageError
from closingbell.replay.process import replay_process

NOW = datetime.fromisoformat("2012-11-30T16:31-05:00")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("2012-11-30T16:31", "has no offset from UTC; write it as 2012-11-30T16:31-05:00"),
        ("noon", "is not a date and time; write it as 2012-11-30T16:31-05:00"),
    ],
)
def test_bad_now_says_how_to_write_it(given: str, words: str) -> None:
    result = CliRunner().invoke(replay, ["--now", given])
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())


def test_taken_port_is_one_line_and_exit_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(replay, ["--port", str(port)])
    assert result.exit_code == 2
    assert result.output == f"Error: port {port} of 127.0.0.1 is not free: Address already in use\n"


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("closingbell.replay.server"):
            raise ModuleNotFoundError("No module named 'httptools'", name="httptools")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    result = CliRunner().invoke(replay, ["--port", "0"])
    assert result.exit_code == 2
    assert 'httptools is not installed; the replay needs the extra "demo"' in result.output
    assert 'pip install "closingbell[demo]"' in result.output


def test_process_serves_obeys_and_ends(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    with replay_process(now=NOW, clones=3, ca_file=ca_file) as process:
        url = f"{process.base_url}/v8/finance/chart/C00003?range=1d&interval=1d"
        with urllib.request.urlopen(url) as response:
            assert json.load(response)["chart"]["result"][0]["meta"]["symbol"] == "C00003"
        assert process.request_count == 1
        process.set_now(datetime.fromisoformat("2012-11-23T12:00-05:00"))
        process.misbehave("C00003", "server_error", times=1)
        with pytest.raises(urllib.error.HTTPError, match="500"):
            urllib.request.urlopen(url)
        with pytest.raises(UsageError, match="unknown fault"):
            process.misbehave("AAPL", "nasty")
        process.behave()
        process.clear_log()
        assert process.request_count == 0
    assert ca_file.read_text().startswith("-----BEGIN CERTIFICATE-----")
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url)


def test_process_that_cannot_start_says_why() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(SettingsError, match="is not free"),
        replay_process(now=NOW, port=taken.getsockname()[1]),
    ):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a POSIX signal")
def test_ctrl_c_ends_it_quietly() -> None:
    # A shell that runs tests in the background may have Ctrl-C ignored; this one must hear it.
    script = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from closingbell.commands.replay import replay; replay(['--port', '0'])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        greeting = [process.stdout.readline() for _ in range(10)]
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=10)
    assert "Friday 2012-11-30 16:31:" in "".join(greeting)
    assert "The replay has ended." in rest
    assert (process.returncode, errors) == (0, "")
