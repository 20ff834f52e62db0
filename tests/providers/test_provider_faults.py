"""Every fault of the source: what the error says, what it is worth, and what it costs."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from closingbell.errors import (
    BadAnswerError,
    DeadlineExceededError,
    NoDataError,
    PermanentProviderError,
    ProviderError,
    RateLimitedError,
    SourceDownError,
    SymbolUnknownError,
    TemporaryProviderError,
)
from closingbell.providers import yahoo_session
from closingbell.providers.base import DailyHistory
from closingbell.providers.budget import RequestBudget
from closingbell.providers.yahoo import YahooProvider
from closingbell.replay import ReplayServer
from closingbell.utils.clock import FixedClock
from closingbell.utils.waiting import waits_disabled
from tests.app_fixtures import new_york

FIRST = date(2012, 11, 26)
NOW = new_york("2012-11-30 16:31")


def fetch(provider: YahooProvider, symbol: str = "AAPL") -> DailyHistory:
    return provider.fetch_daily(symbol, first=FIRST, now=NOW)


def charts(server: ReplayServer) -> int:
    return sum(record.endpoint == "chart" for record in server.requests)


def crumbs(server: ReplayServer) -> int:
    return sum(record.endpoint == "crumb" for record in server.requests)


# --- Which error.


@pytest.mark.parametrize(
    ("fault", "error", "kind", "words"),
    [
        (
            "not_found",
            SymbolUnknownError,
            "symbol_unknown",
            "Yahoo does not know this symbol (HTTP 404: No data found, symbol may be delisted)",
        ),
        ("rate_limited", RateLimitedError, "rate_limited", "Yahoo asks for fewer requests (HTTP 429)"),
        ("rate_limited_no_retry_after", RateLimitedError, "rate_limited", "Yahoo asks for fewer requests (HTTP 429)"),
        ("server_error", SourceDownError, "source_down", "Yahoo is down (HTTP 500)"),
        ("html_page", SourceDownError, "source_down", "Yahoo sent a page instead of data"),
        ("garbage", BadAnswerError, "bad_answer", "Yahoo sent an answer that is not JSON"),
        ("truncated_body", SourceDownError, "source_down", "Yahoo cannot be reached (IncompleteRead)"),
        (
            "bad_crumb",
            SourceDownError,
            "source_down",
            "Yahoo refused the request (HTTP 401), also with a new crumb",
        ),
        ("other_symbol", BadAnswerError, "bad_answer", "AAPL: Yahoo answered with FB"),
        (
            "no_meta_field",
            BadAnswerError,
            "bad_answer",
            "AAPL: Yahoo's answer lacks what every chart has (KeyError('currency'))",
        ),
    ],
)
def test_fault_has_its_error_and_says_what_happened(
    server: ReplayServer, provider: YahooProvider, fault: str, error: type[ProviderError], kind: str, words: str
) -> None:
    server.misbehave("AAPL", fault, endpoint="chart")

    with waits_disabled(), pytest.raises(error) as caught:
        fetch(provider)

    assert str(caught.value) == words
    assert caught.value.kind == kind


@pytest.mark.parametrize("field", ["currency", "exchangeTimezoneName"])
def test_answer_without_a_needed_field_is_refused(server: ReplayServer, provider: YahooProvider, field: str) -> None:
    server.misbehave("AAPL", "no_meta_field", field=field, endpoint="chart")

    with pytest.raises(BadAnswerError, match=field):
        fetch(provider)


@pytest.mark.parametrize("field", ["longName", "firstTradeDate", "fullExchangeName", "instrumentType", "validRanges"])
def test_answer_without_a_field_that_only_decorates_is_read(
    server: ReplayServer, provider: YahooProvider, field: str
) -> None:
    server.misbehave("AAPL", "no_meta_field", field=field, endpoint="chart")

    assert len(fetch(provider).bars) == 5


def test_wrong_currency_is_told_as_it_came(server: ReplayServer, provider: YahooProvider) -> None:
    server.misbehave("AAPL", "wrong_currency", endpoint="chart")

    history = fetch(provider)

    assert (history.currency, history.quote_unit) == ("EUR", "EUR")


def test_empty_answer_is_a_history_without_bars(server: ReplayServer, provider: YahooProvider) -> None:
    server.misbehave("AAPL", "empty", endpoint="chart")

    history = fetch(provider)

    assert (history.bars, history.actions, history.null_dates) == ([], (), ())


@pytest.mark.parametrize("fault", ["null_bar", "null_close"])
def test_bar_without_a_price_is_a_date_without_a_bar(server: ReplayServer, provider: YahooProvider, fault: str) -> None:
    server.misbehave("AAPL", fault, endpoint="chart", date="2012-11-28")

    history = fetch(provider)

    assert [str(bar.date) for bar in history.bars] == ["2012-11-26", "2012-11-27", "2012-11-29", "2012-11-30"]
    assert [str(day) for day in history.null_dates] == ["2012-11-28"]


def test_wrong_values_are_handed_on_for_the_checks_to_judge(server: ReplayServer, provider: YahooProvider) -> None:
    server.misbehave("AAPL", "price_x100", endpoint="chart")

    assert fetch(provider).bars[-1].close == 58_528_000_000


def test_temporary_and_permanent_errors_are_told_apart() -> None:
    assert {cls.kind for cls in TemporaryProviderError.__subclasses__()} == {
        "rate_limited",
        "source_down",
        "deadline_exceeded",
    }
    assert {cls.kind for cls in PermanentProviderError.__subclasses__()} == {"symbol_unknown", "no_data", "bad_answer"}


def test_refused_connection_is_the_source_being_down(
    serve: Callable[..., ReplayServer], provide: Callable[..., YahooProvider]
) -> None:
    server = serve()
    provider = provide(server)
    server.stop()

    with pytest.raises((SourceDownError, DeadlineExceededError)) as caught:
        fetch(provider)

    assert "Yahoo" in str(caught.value)
    assert "crumb=" not in str(caught.value)


# --- What it costs.


def test_first_answer_costs_a_cookie_a_crumb_and_a_chart_the_next_a_chart(
    server: ReplayServer, provider: YahooProvider
) -> None:
    fetch(provider)
    assert charts(server) == 1
    assert crumbs(server) == 1
    before = server.request_count

    fetch(provider, "IBM")

    assert server.request_count == before + 1
    assert provider.request_count == server.request_count


def test_unknown_symbol_costs_one_chart_request_and_no_new_crumb(server: ReplayServer, provider: YahooProvider) -> None:
    fetch(provider)
    server.clear_log()

    for symbol in ("NOPE", "NADA", "NIL"):
        with pytest.raises(SymbolUnknownError):
            fetch(provider, symbol)
    fetch(provider)

    assert [record.endpoint for record in server.requests] == ["chart"] * 4


@pytest.mark.parametrize("fault", ["server_error", "rate_limited", "html_page", "garbage", "other_symbol"])
def test_refusal_costs_one_request(server: ReplayServer, provider: YahooProvider, fault: str) -> None:
    fetch(provider)
    server.clear_log()
    server.misbehave("AAPL", fault, endpoint="chart")

    with waits_disabled(), pytest.raises(ProviderError):
        fetch(provider)

    assert server.request_count == 1


def test_bad_crumb_is_fetched_anew_once_and_the_request_repeated(server: ReplayServer, provider: YahooProvider) -> None:
    fetch(provider)
    server.clear_log()
    server.misbehave("AAPL", "bad_crumb", endpoint="chart", times=1)

    assert len(fetch(provider).bars) == 5

    assert charts(server) == 2
    assert crumbs(server) == 1


def test_error_is_forgotten_as_soon_as_the_source_is_well(server: ReplayServer, provider: YahooProvider) -> None:
    for fault in ("server_error", "not_found", "garbage", "html_page", "bad_crumb", "truncated_body"):
        server.misbehave("AAPL", fault, endpoint="chart")
        with pytest.raises(ProviderError):
            fetch(provider)
        server.behave()
        assert len(fetch(provider).bars) == 5


def test_two_sources_in_one_process_are_kept_apart(
    serve: Callable[..., ReplayServer], provide: Callable[..., YahooProvider]
) -> None:
    one, other = serve(), serve("2012-11-29 16:31")
    first, second = provide(one, folder="one"), provide(other, folder="other")

    assert fetch(first).bars[-1].date == date(2012, 11, 30)
    assert second.fetch_daily("AAPL", first=FIRST, now=new_york("2012-11-29 16:31")).bars[-1].date == date(2012, 11, 29)
    assert charts(one) == charts(other) == 1


# --- Deadlines.


def test_hang_ends_at_the_deadline(server: ReplayServer, provide: Callable[..., YahooProvider]) -> None:
    provider = provide(server, timeout_s=0.4)
    provider.fetch_daily("IBM", first=FIRST, now=NOW)
    server.misbehave("AAPL", "hang", endpoint="chart")
    began = time.monotonic()

    with pytest.raises(DeadlineExceededError, match="Yahoo: no answer before the deadline"):
        fetch(provider)

    assert time.monotonic() - began < 1.5
    assert len(provider.fetch_daily("IBM", first=FIRST, now=NOW).bars) == 5


@pytest.mark.parametrize("endpoint", ["crumb", "cookie"])
def test_hanging_crumb_or_cookie_ends_at_the_deadline_for_every_thread(
    server: ReplayServer, provide: Callable[..., YahooProvider], endpoint: str
) -> None:
    # The library waits 30 s for a crumb, one thread after the other.
    provider = provide(server, timeout_s=0.5, concurrency=3)
    server.misbehave("*", "hang", endpoint=endpoint)
    server.misbehave("*", "hang", endpoint="consent")
    began = time.monotonic()

    with ThreadPoolExecutor(3) as pool:
        ends = list(pool.map(lambda symbol: _end(provider, symbol), ["AAPL", "IBM", "MSFT"]))

    assert time.monotonic() - began < 3
    assert set(ends) <= {"deadline_exceeded", "good"}
    server.behave()
    assert len(fetch(provider).bars) == 5


def _end(provider: YahooProvider, symbol: str) -> str:
    try:
        fetch(provider, symbol)
    except ProviderError as error:
        return error.kind
    return "good"


@pytest.mark.parametrize("fault", ["rate_limited", "server_error", "html_page"])
def test_chart_is_read_without_a_crumb_when_none_is_given(
    server: ReplayServer, provider: YahooProvider, fault: str
) -> None:
    server.misbehave("*", fault, endpoint="crumb")

    assert len(fetch(provider).bars) == 5


# --- Answers that never end, and other wire trouble that the replay does not speak.


class _Wire(BaseHTTPRequestHandler):
    """Answers every request as ``answer`` of its server says."""

    def do_GET(self) -> None:
        # The client may have gone.
        with suppress(OSError):
            self.server.answer(self)  # type: ignore[attr-defined]

    def log_message(self, *_arguments: object) -> None:
        pass


class Wire:
    """A server whose every answer is one function's."""

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler], None]) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Wire)
        self._server.daemon_threads = True
        self._server.answer = answer  # type: ignore[attr-defined]
        self.base_url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def wire() -> Iterator[Callable[[Callable[[BaseHTTPRequestHandler], None]], Wire]]:
    running: list[Wire] = []

    def start(answer: Callable[[BaseHTTPRequestHandler], None]) -> Wire:
        running.append(Wire(answer))
        return running[-1]

    yield start
    for one in running:
        one.stop()


def send(status: int, body: bytes, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def test_dripping_answer_ends_at_the_deadline(wire: Callable[..., Wire], provide: Callable[..., YahooProvider]) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(200):
            handler.wfile.write(b" ")
            time.sleep(0.05)

    provider = provide(wire(drip), timeout_s=0.5)
    began = time.monotonic()

    with pytest.raises(DeadlineExceededError):
        fetch(provider)

    assert time.monotonic() - began < 2.5


def test_endless_answer_is_cut_at_its_largest_size(
    wire: Callable[..., Wire], provide: Callable[..., YahooProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("closingbell.providers.yahoo_session.LARGEST_ANSWER_BYTES", 1_000_000)
    sent = {"bytes": 0}

    def endless(handler: BaseHTTPRequestHandler) -> None:
        if "/chart/" not in handler.path:
            send(200, b"crumb")(handler)
            return
        handler.send_response(200)
        handler.end_headers()
        while sent["bytes"] < 500_000_000:
            handler.wfile.write(b"x" * 100_000)
            sent["bytes"] += 100_000

    provider = provide(wire(endless), timeout_s=20)

    with pytest.raises(ProviderError):
        fetch(provider)

    assert sent["bytes"] < 50_000_000


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", BadAnswerError),
        (b"null", BadAnswerError),
        (b"[]", BadAnswerError),
        (b'{"chart": {"result": null, "error": null}}', BadAnswerError),
        (b'{"chart": {"result": [], "error": null}}', BadAnswerError),
        (b'{"chart": {"result": [{"meta": {}}]}}', BadAnswerError),
        (b'{"chart": NaN}', BadAnswerError),
        (b"[" * 100_000, BadAnswerError),
        (b"Will be right back", SourceDownError),
        (b"  <HTML><body>captcha</body></HTML>", SourceDownError),
    ],
)
def test_strange_body_is_refused(
    wire: Callable[..., Wire], provide: Callable[..., YahooProvider], body: bytes, error: type[ProviderError]
) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        send(200, body if "/chart/" in handler.path else b"crumb")(handler)

    with pytest.raises(error):
        fetch(provide(wire(answer)))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, NoDataError),
        (404, SymbolUnknownError),
        (422, NoDataError),
        (429, RateLimitedError),
        (401, SourceDownError),
        (403, SourceDownError),
        (418, SourceDownError),
        (500, SourceDownError),
        (502, SourceDownError),
        (503, SourceDownError),
        (504, SourceDownError),
        (999, SourceDownError),
    ],
)
def test_status_has_its_error(
    wire: Callable[..., Wire], provide: Callable[..., YahooProvider], status: int, error: type[ProviderError]
) -> None:
    with waits_disabled(), pytest.raises(error, match=f"HTTP {status}"):
        fetch(provide(wire(send(status, b"no"))))


def test_redirect_loop_is_an_error(wire: Callable[..., Wire], provide: Callable[..., YahooProvider]) -> None:
    target = "http://query2.finance.yahoo.com/v8/finance/chart/AAPL"

    with pytest.raises(ProviderError):
        fetch(provide(wire(send(302, b"", Location=target)), timeout_s=3))


# --- Rate limits.


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("0", 0), ("120", 120), ("86400", 3600), ("-5", 0)],
)
def test_retry_after_in_seconds(
    wire: Callable[..., Wire], provide: Callable[..., YahooProvider], header: str, seconds: float
) -> None:
    provider = provide(wire(send(429, b"no", Retry_After=header)))

    with waits_disabled(), pytest.raises(RateLimitedError) as caught:
        fetch(provider)

    assert caught.value.retry_after_s == seconds


def test_retry_after_as_a_date(wire: Callable[..., Wire], provide: Callable[..., YahooProvider]) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=300), usegmt=True)
    provider = provide(wire(send(429, b"no", Retry_After=moment)))

    with waits_disabled(), pytest.raises(RateLimitedError) as caught:
        fetch(provider)

    assert 295 <= (caught.value.retry_after_s or 0) <= 300


@pytest.mark.parametrize("header", ["soon", "nan", "inf", "2012-13-45"])
def test_retry_after_that_cannot_be_read_is_a_pause_of_our_own(
    wire: Callable[..., Wire], provide: Callable[..., YahooProvider], header: str
) -> None:
    provider = provide(wire(send(429, b"no", Retry_After=header)))

    with waits_disabled(), pytest.raises(RateLimitedError) as caught:
        fetch(provider)

    assert caught.value.retry_after_s == 30


def test_rate_limit_without_a_time_doubles_its_pause_until_an_answer_comes(
    server: ReplayServer, provider: YahooProvider
) -> None:
    server.misbehave("AAPL", "rate_limited_no_retry_after", endpoint="chart")
    waits = []
    with waits_disabled():
        for _ in range(3):
            with pytest.raises(RateLimitedError) as caught:
                fetch(provider)
            waits.append(caught.value.retry_after_s)
        fetch(provider, "IBM")
        with pytest.raises(RateLimitedError) as caught:
            fetch(provider)

    assert waits == [30, 60, 120]
    assert caught.value.retry_after_s == 30


def test_rate_limit_pauses_every_session_of_the_folder(
    server: ReplayServer, provide: Callable[..., YahooProvider]
) -> None:
    limited, neighbour, stranger = provide(server), provide(server), provide(server, folder="another")
    server.misbehave("AAPL", "rate_limited", endpoint="chart", retry_after_s=600)
    with pytest.raises(RateLimitedError):
        fetch(limited)
    server.clear_log()

    with pytest.raises(RateLimitedError, match=r"rate limited, again in (600|599) s"):
        fetch(neighbour, "IBM")
    assert server.request_count == 0
    assert len(fetch(stranger, "IBM").bars) == 5


def test_rate_limit_pauses_another_process(
    server: ReplayServer, provide: Callable[..., YahooProvider], tmp_path: Path
) -> None:
    server.misbehave("AAPL", "rate_limited", endpoint="chart", retry_after_s=600)
    with pytest.raises(RateLimitedError):
        fetch(provide(server))
    script = (
        "import sys; from pathlib import Path; from closingbell.providers.budget import RequestBudget\n"
        "from closingbell.errors import RateLimitedError\n"
        "try: RequestBudget(0, folder=Path(sys.argv[1])).acquire()\n"
        "except RateLimitedError as error: print(error)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "shared")], capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith("rate limited, again in 5") or done.stdout.startswith("rate limited, again in 600")


def test_short_pause_is_waited_out(server: ReplayServer, provide: Callable[..., YahooProvider]) -> None:
    server.misbehave("AAPL", "rate_limited", endpoint="chart", retry_after_s=1, times=1)
    provider = provide(server)
    with pytest.raises(RateLimitedError):
        fetch(provider)
    began = time.monotonic()

    assert len(fetch(provider).bars) == 5

    assert 0.5 < time.monotonic() - began < 3


def test_requests_of_the_library_count_against_the_budget(
    server: ReplayServer, provide: Callable[..., YahooProvider], tmp_path: Path
) -> None:
    provider = provide(server, budget=RequestBudget(4, folder=tmp_path / "small"))
    for symbol in ("AAPL", "IBM", "MSFT"):
        threading.Thread(target=fetch, args=(provider, symbol), daemon=True).start()
    time.sleep(0.7)

    # A crumb, perhaps a cookie, and as many charts as were left; whoever waits asks nothing.
    assert server.request_count <= 4
    assert crumbs(server) == 1
    assert charts(server) >= 2


# --- Folders.


def test_cache_folder_that_cannot_be_made_costs_nothing_but_memory(
    server: ReplayServer, provide: Callable[..., YahooProvider], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    provider = provide(server, folder="file", budget=RequestBudget(100, folder=tmp_path / "file"))

    assert len(fetch(provider).bars) == 5
    server.misbehave("AAPL", "rate_limited", endpoint="chart", retry_after_s=600)
    with pytest.raises(RateLimitedError):
        fetch(provider)
    with pytest.raises(RateLimitedError, match="again in"):
        fetch(provider, "IBM")


# --- Addresses.


@pytest.mark.parametrize(
    ("symbol", "path"),
    [
        ("../../v1/x", "/v8/finance/chart/..%2F..%2Fv1%2Fx"),
        ("A?x=1", "/v8/finance/chart/A%3Fx%3D1"),
        ("A&B#C", "/v8/finance/chart/A%26B%23C"),
        ("^GSPC", "/v8/finance/chart/%5EGSPC"),
        ("A B%41", "/v8/finance/chart/A%20B%2541"),
        ("ÅÄÖ", "/v8/finance/chart/%C3%85%C3%84%C3%96"),
    ],
)
def test_symbol_never_changes_the_address(
    server: ReplayServer, provider: YahooProvider, symbol: str, path: str
) -> None:
    with pytest.raises(SymbolUnknownError):
        fetch(provider, symbol)

    [asked] = [record for record in server.requests if record.endpoint == "chart"]
    assert asked.target.partition("?")[0] == path


def test_request_runs_from_the_first_session_to_now(server: ReplayServer, provider: YahooProvider) -> None:
    fetch(provider)

    [asked] = [record for record in server.requests if record.endpoint == "chart"]
    assert "interval=1d" in asked.target
    assert "events=div%2Csplits%2CcapitalGains" in asked.target
    # From 2012-11-25 10:00 UTC, when 2012-11-26 began in the first zone, to a day after now.
    assert "period1=1353837600" in asked.target
    assert "period2=1354397460" in asked.target


def test_clock_of_the_budget_is_handed_in(tmp_path: Path) -> None:
    clock = FixedClock(NOW)
    budget = RequestBudget(0, folder=tmp_path, clock=clock)
    budget.pause_for(90, reason="asked to")
    clock.advance(timedelta(seconds=60))
    assert budget.paused_s() == 30


def test_no_request_begins_without_a_whole_millisecond_left(monkeypatch: pytest.MonkeyPatch) -> None:
    # The client rounds down to milliseconds, and 0 would let it hold the library's lock for ever.
    monkeypatch.setattr(yahoo_session._deadline, "at", time.monotonic() + 0.0009, raising=False)

    with pytest.raises(DeadlineExceededError, match="Yahoo: the deadline passed before the request was sent"):
        yahoo_session._time_left()
