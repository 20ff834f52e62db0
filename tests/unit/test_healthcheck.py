"""The dead-man's switch: told of begin and end in order, and never in the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import structlog
from structlog.testing import capture_logs

from closingbell.domain.runs import RunEnd, RunStatus
from closingbell.errors import SettingsError
from closingbell.notifications.healthcheck import HealthcheckPinger, check_url, rid_of

JOB = "daily_price_update"
KEY = "5ec4e7-key"
SUCCESS = RunEnd(17, JOB, RunStatus.SUCCESS, "2 of 2 expected closes stored", None, (), None)
FAILED = replace(SUCCESS, status=RunStatus.FAILED, message="0 of 2 expected closes stored", kind="rate_limited")
PARTIAL = replace(FAILED, status=RunStatus.PARTIAL, message="1 of 2 expected closes stored")


@dataclass
class CheckServer:
    """A check on loopback: what it heard, and how it answers; ``hangs`` lets it answer only when it is released."""

    answers: list[int] = field(default_factory=list)
    location: str = ""
    hangs: bool = False
    heard: list[tuple[str, str, str]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> CheckServer:
        check = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                check.heard.append((self.command, self.path, body))
                self._answer()

            def do_GET(self) -> None:
                check.heard.append((self.command, self.path, ""))
                self._answer()

            def _answer(self) -> None:
                if check.hangs:
                    check.released.wait(20)
                status = check.answers.pop(0) if check.answers else 200
                try:
                    self.send_response(status)
                    if status in {301, 302}:
                        self.send_header("Location", check.location)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    return

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/{KEY}"

    @property
    def paths(self) -> list[str]:
        """The paths asked for, without their queries."""
        return [urlsplit(path).path for _, path, _ in self.heard]

    @property
    def rids(self) -> list[str]:
        """The ids of the runs told of."""
        return [parse_qs(urlsplit(path).query)["rid"][0] for _, path, _ in self.heard]


@pytest.fixture
def check() -> Iterator[CheckServer]:
    with CheckServer() as server:
        yield server


@pytest.fixture
def pinger_of() -> Iterator[Callable[..., HealthcheckPinger]]:
    """Makes pingers that end with the test; their retries follow at once."""
    with ExitStack() as stack:

        def make(url: str, **options: Any) -> HealthcheckPinger:
            made = HealthcheckPinger(url, **{"retry_waits_s": (0.0, 0.0), **options})
            stack.callback(made.close, 0)
            return made

        yield make


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    structlog.reset_defaults()
    with capture_logs() as captured:
        yield captured


Pingers = Callable[..., HealthcheckPinger]


def test_begin_success_and_failure_come_in_order_with_the_id_of_their_run(
    check: CheckServer, pinger_of: Pingers
) -> None:
    pinger = pinger_of(check.url)

    pinger.started(17, JOB)
    pinger.ended(SUCCESS)
    pinger.started(18, JOB)
    pinger.ended(replace(FAILED, run_id=18))
    pinger.close(10)

    assert check.paths == [f"/{KEY}/start", f"/{KEY}", f"/{KEY}/start", f"/{KEY}/fail"]
    assert check.rids == [rid_of(17), rid_of(17), rid_of(18), rid_of(18)]
    assert [(method, body) for method, _, body in check.heard] == [
        ("POST", ""),
        ("POST", "2 of 2 expected closes stored"),
        ("POST", ""),
        ("POST", "0 of 2 expected closes stored"),
    ]


def test_id_of_a_run_is_a_uuid_that_stays() -> None:
    assert rid_of(17) == "c78a342c-6a25-574f-9f5c-571907ea04d6"
    assert rid_of(17) != rid_of(18)


def test_partial_success_is_success_unless_told_otherwise(check: CheckServer, pinger_of: Pingers) -> None:
    for partial_fails in (False, True):
        pinger = pinger_of(check.url, partial_fails=partial_fails)
        pinger.ended(PARTIAL)
        pinger.close(10)

    assert check.paths == [f"/{KEY}", f"/{KEY}/fail"]
    assert check.heard[0][2] == "1 of 2 expected closes stored"


def test_interrupted_run_says_nothing_because_it_is_taken_up_again(check: CheckServer, pinger_of: Pingers) -> None:
    pinger = pinger_of(check.url)
    pinger.ended(replace(FAILED, kind="interrupted"))
    pinger.close(10)

    assert check.heard == []


def test_only_chosen_jobs_are_told_of(check: CheckServer, pinger_of: Pingers) -> None:
    pinger = pinger_of(check.url, job_names=frozenset({JOB}))

    pinger.started(1, "log_retention")
    pinger.ended(replace(SUCCESS, job_name="log_retention"))
    pinger.started(17, JOB)
    pinger.close(10)

    assert check.paths == [f"/{KEY}/start"]


def test_long_message_is_cut_to_a_thousand_bytes_between_characters(check: CheckServer, pinger_of: Pingers) -> None:
    pinger = pinger_of(check.url)
    pinger.ended(replace(FAILED, message="x" + "é" * 2_000))
    pinger.close(10)

    assert check.heard[0][2] == "x" + "é" * 499


def test_query_of_the_address_stays(check: CheckServer, pinger_of: Pingers) -> None:
    pinger = pinger_of(f"{check.url}/?create=1")
    pinger.started(17, JOB)
    pinger.close(10)

    assert check.heard[0][1] == f"/{KEY}/start?create=1&rid={rid_of(17)}"


def test_error_that_may_pass_is_tried_again_twice(check: CheckServer, pinger_of: Pingers, logs: list[Any]) -> None:
    check.answers = [503, 500, 200]
    pinger = pinger_of(check.url)
    pinger.started(17, JOB)
    pinger.close(10)

    assert check.paths == [f"/{KEY}/start"] * 3
    assert logs == []


def test_error_that_stays_is_told_once_and_not_tried_again(
    check: CheckServer, pinger_of: Pingers, logs: list[Any]
) -> None:
    check.answers = [404]
    pinger = pinger_of(check.url)
    pinger.started(17, JOB)
    pinger.close(10)

    assert check.paths == [f"/{KEY}/start"]
    assert [(one["event"], one["signal"], one["error"]) for one in logs] == [
        ("healthcheck.ping_failed", "/start", "HTTP 404")
    ]


def test_hanging_check_delays_nobody(check: CheckServer, pinger_of: Pingers, logs: list[Any]) -> None:
    check.hangs = True
    pinger = pinger_of(check.url)

    began = time.monotonic()
    for number in range(200):
        pinger.started(number, JOB)
        pinger.ended(replace(SUCCESS, run_id=number))
    told_s = time.monotonic() - began
    _wait_until(lambda: len(check.heard) == 1)
    began = time.monotonic()
    pinger.close(0.2)
    closed_s = time.monotonic() - began

    assert told_s < 1
    assert closed_s < 2
    assert [one["event"] for one in logs] == ["healthcheck.ping_dropped", "healthcheck.not_sent"]
    # What still hangs is the last: nothing waits any more.
    check.released.set()
    _wait_until(lambda: "healthcheck" not in {thread.name for thread in threading.enumerate()})
    assert len(check.heard) == 1


def test_hanging_check_is_given_up_after_the_timeout(check: CheckServer, pinger_of: Pingers, logs: list[Any]) -> None:
    check.hangs = True
    pinger = pinger_of(check.url, timeout_s=0.05)
    pinger.started(17, JOB)
    pinger.close(10)

    _wait_until(lambda: check.paths == [f"/{KEY}/start"] * 3)
    assert [one["error"] for one in logs] == ["TimeoutError"]


def test_full_queue_drops_the_oldest_and_says_so_once(check: CheckServer, pinger_of: Pingers, logs: list[Any]) -> None:
    check.hangs = True
    pinger = pinger_of(check.url, most_waiting=2)
    pinger.started(1, JOB)
    _wait_until(lambda: len(check.heard) == 1)

    for number in (2, 3, 4, 5):
        pinger.started(number, JOB)
    check.hangs = False
    check.released.set()
    pinger.close(10)

    assert check.rids == [rid_of(1), rid_of(4), rid_of(5)]
    assert [one["event"] for one in logs] == ["healthcheck.ping_dropped"]


def test_nothing_is_sent_after_the_close(check: CheckServer, pinger_of: Pingers) -> None:
    pinger = pinger_of(check.url)
    pinger.close(1)
    pinger.started(17, JOB)
    pinger.close(1)

    assert check.heard == []


def test_no_thread_runs_before_the_first_ping(check: CheckServer, pinger_of: Pingers) -> None:
    pinger_of(check.url)

    assert "healthcheck" not in {thread.name for thread in threading.enumerate()}


def test_redirect_to_another_host_is_not_followed(check: CheckServer, pinger_of: Pingers, logs: list[Any]) -> None:
    with CheckServer() as other:
        check.answers, check.location = [302], other.url.replace("127.0.0.1", "localhost")
        pinger = pinger_of(check.url)
        pinger.started(17, JOB)
        pinger.close(10)

        assert other.heard == []
    assert [one["error"] for one in logs] == ["HTTP 302"]


def test_redirect_within_the_host_is_followed(check: CheckServer, pinger_of: Pingers, logs: list[Any]) -> None:
    check.answers, check.location = [301], f"/moved/{KEY}"
    pinger = pinger_of(check.url)
    pinger.started(17, JOB)
    pinger.close(10)

    assert check.paths == [f"/{KEY}/start", f"/moved/{KEY}"]
    assert logs == []


@pytest.mark.parametrize("answers", [[404], [302], [500] * 3, [200]])
def test_address_is_never_logged(
    answers: list[int], check: CheckServer, pinger_of: Pingers, logs: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    check.answers, check.location = answers, f"http://localhost:1/{KEY}"
    pinger = pinger_of(check.url)
    pinger.started(17, JOB)
    pinger.close(10)

    assert KEY not in str(logs)
    assert KEY not in caplog.text


def test_refused_connection_is_told_without_the_address(pinger_of: Pingers, logs: list[Any]) -> None:
    with CheckServer() as gone:
        url = gone.url
    pinger = pinger_of(url)
    pinger.started(17, JOB)
    pinger.close(10)

    assert [(one["event"], one["error"]) for one in logs] == [("healthcheck.ping_failed", "ConnectionRefusedError")]
    assert KEY not in str(logs)


@pytest.mark.parametrize(
    "url",
    [
        f"ftp://example.com/{KEY}",
        f"file:///{KEY}",
        f"example.com/{KEY}",
        f"https:///{KEY}",
        f"https://user:word@example.com/{KEY}",
        f"https://example.com:port/{KEY}",
        f"https://[example.com/{KEY}",
        f"https://example.com/a b/{KEY}",
    ],
)
def test_what_is_no_address_is_refused_by_the_name_of_its_setting(url: str) -> None:
    with pytest.raises(SettingsError, match="HEALTHCHECK_URL") as refused:
        check_url(url)
    assert KEY not in str(refused.value)


def _wait_until(is_so: Callable[[], bool], *, timeout_s: float = 10) -> None:
    ends_at = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < ends_at
        time.sleep(0.005)
