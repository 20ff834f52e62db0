"""Tiingo's end-of-day prices of listings in the United States: as traded, with dividends and splits in the same answer.

One request tells all of a company. The free key is good for about 50 requests an hour. The client library keeps the
address, the headers and the key; every request that it sends goes through our subclass of its session class, which
bounds and counts it, and turns refusals into our errors.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from importlib.util import find_spec
from typing import Any

import orjson

from closingbell.config import Settings
from closingbell.domain.bars import Bar, snap_price
from closingbell.domain.corporate_actions import ActionKind, CorporateAction
from closingbell.domain.money import BIGINT_MAX, QUANTITY_SCALE, to_scaled
from closingbell.domain.provider_health import BudgetLeft
from closingbell.errors import (
    BadAnswerError,
    DeadlineExceededError,
    NoDataError,
    ProviderError,
    RateLimitedError,
    SettingsError,
    SourceDownError,
    SymbolUnknownError,
)
from closingbell.providers.base import DAILY, DailyHistory, MinuteHistory, Quote
from closingbell.providers.budget import RequestBudget, budget_left
from closingbell.providers.meter import note_sent
from closingbell.providers.retry_after import retry_after_s
from closingbell.utils.deadlines import DeadlinePool

TIMEOUT_S = 20.0
CONCURRENCY = 4
LARGEST_ANSWER_BYTES = 32 * 1024 * 1024

# Status of a refused request -> error class and what it means. Everything from 500 on is the source being down.
REFUSALS: dict[int, tuple[type[ProviderError], str]] = {
    400: (BadAnswerError, "Tiingo does not understand the question"),
    401: (SourceDownError, "Tiingo does not accept the key in TIINGO_API_KEY"),
    403: (SourceDownError, "Tiingo does not accept the key in TIINGO_API_KEY"),
    404: (SymbolUnknownError, "Tiingo does not know this symbol"),
    429: (RateLimitedError, "Tiingo asks for fewer requests"),
}
# The same with status 200, as text where JSON should be.
_LIMIT_IN_WORDS = re.compile(rb"run over your|request allocation|symbol look ?up", re.IGNORECASE)

# Yahoo's spelling of listings in the United States: a share class after a dash, a preferred share's after -P.
_PLAIN_OR_CLASS = re.compile(r"[A-Z][A-Z0-9]{0,9}(-[A-Z])?")
_PREFERRED = re.compile(r"([A-Z][A-Z0-9]{0,9})-P-?([A-Z])")

# Whatever reading a row of another shape raises.
_NOT_READABLE = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError)
# Ratios are printed with six decimals or so: 0.333333 is one for three.
_RATIO_NOISE = Fraction(1, 100_000)
_PAST = timedelta(days=1)


def open_tiingo(settings: Settings) -> TiingoProvider:
    """Tiingo with the key of the settings; raise SettingsError that names what is missing."""
    key = settings.tiingo_api_key.get_secret_value()
    if not key:
        raise SettingsError("set TIINGO_API_KEY (a key costs nothing at tiingo.com)")
    if find_spec("tiingo") is None:
        raise SettingsError("its client is not installed: pip install 'closingbell[tiingo]'")
    if settings.is_replay != bool(settings.tiingo_base_url):
        raise SettingsError(
            "set TIINGO_BASE_URL together with YAHOO_BASE_URL or not at all, so that live and replayed prices never mix"
        )
    folder = settings.cache_folder() / "tiingo"
    budget = RequestBudget(0, per_hour=settings.tiingo_requests_per_hour, folder=folder)
    return TiingoProvider(key, budget=budget, base_url=settings.tiingo_base_url)


def tiingo_budget_left(settings: Settings) -> BudgetLeft | None:
    """What is left of Tiingo's budget."""
    return budget_left(settings.cache_folder() / "tiingo", per_hour=settings.tiingo_requests_per_hour)


def spelled(symbol: str) -> str:
    """Tiingo's spelling of a symbol (``BAC-PL`` is ``BAC-P-L``); raise SymbolUnknownError for listings elsewhere."""
    preferred = _PREFERRED.fullmatch(symbol)
    if preferred:
        return f"{preferred[1]}-P-{preferred[2]}"
    if not _PLAIN_OR_CLASS.fullmatch(symbol):
        raise SymbolUnknownError(f"Tiingo has listings of the United States only, and {symbol} is none")
    return symbol


class TiingoProvider:
    """Daily bars from Tiingo, or from ``base_url`` in its place; safe to use from many threads."""

    name = "tiingo"
    capabilities = frozenset({DAILY})

    def __init__(self, key: str, *, budget: RequestBudget, base_url: str = "", timeout_s: float = TIMEOUT_S) -> None:
        self._key = key
        self._budget = budget
        self._base_url = base_url
        self._timeout_s = timeout_s
        self._pool = DeadlinePool(CONCURRENCY, name="Tiingo")
        self._lock = threading.Lock()
        self._client: Any = None
        self.request_count = 0

    def close(self) -> None:
        """Let the idle threads end, and go of the budget's file."""
        self._pool.close()
        self._budget.close()

    def fetch_daily(self, symbol: str, *, first: date, now: datetime) -> DailyHistory:
        """Daily bars of ``symbol`` from ``first`` to ``now``; one request."""
        ticker = spelled(symbol)
        client = self._client or self._build()
        self._budget.acquire()
        try:
            answer = self._pool.call(
                lambda: _ask(client, ticker, first=first, last=now.date() + _PAST), timeout_s=self._timeout_s + 1
            )
        except RateLimitedError as error:
            error.retry_after_s = self._budget.pause_for(error.retry_after_s, reason=str(error))
            raise
        self._budget.note_success()
        return read_prices(answer, symbol=symbol, first=first, fetched_at=now)

    def fetch_quotes(self, symbols: Sequence[str], *, now: datetime) -> dict[str, Quote]:
        """Tiingo is asked for none."""
        return {}

    def fetch_minutes(self, symbol: str, *, since: datetime, now: datetime) -> MinuteHistory:
        """Tiingo is asked for none."""
        raise NoDataError("Tiingo is not asked for minutes")

    def _build(self) -> Any:
        """The library's client on a session of ours, made once; importing it takes as long as pandas does."""
        with self._lock:
            if self._client is None:
                from requests import Session  # noqa: PLC0415  (keeps it out of start-up, and optional)
                from tiingo import TiingoClient  # noqa: PLC0415  (keeps pandas out of start-up)

                client = TiingoClient({"api_key": self._key, "session": True})
                client._session = self._session_class(Session)()
                if self._base_url:
                    client._base_url = self._base_url
                self._client = client
            return self._client

    def _session_class(self, base: type[Any]) -> type[Any]:
        """The session class of the library's HTTP client with our bounds around every request."""
        outer = self

        class BoundedSession(base):  # type: ignore[misc]
            def request(self, method: str, url: str, **kwargs: Any) -> Any:
                outer._count()
                # The key stays with the host that it is for; a .netrc file must not put another in its place.
                own = {"timeout": outer._timeout_s, "allow_redirects": False, "stream": True, "auth": _as_it_is}
                response = super().request(method, url, **{**kwargs, **own})
                with response:
                    _read_body(response)
                _require_json(response)
                return response

        return BoundedSession

    def _count(self) -> None:
        with self._lock:
            self.request_count += 1
        note_sent(self.name)


def _ask(client: Any, ticker: str, *, first: date, last: date) -> Any:
    """One call of the library; runs in a thread of the pool. Names the kind of an error, never what was sent."""
    try:
        return client.get_ticker_price(ticker, startDate=str(first), endDate=str(last), fmt="json", frequency="daily")
    except ProviderError:
        raise
    except Exception as error:
        name = type(error).__name__
        if "Timeout" in name:
            raise DeadlineExceededError("Tiingo: no answer before the deadline") from None
        raise SourceDownError(f"Tiingo cannot be reached ({name})") from None


def _as_it_is(request: Any) -> Any:
    return request


def _read_body(response: Any) -> None:
    """Read the answer, up to a size; the library finds it in the response as ever."""
    parts, size = [], 0
    for part in response.iter_content(65_536):
        size += len(part)
        if size > LARGEST_ANSWER_BYTES:
            raise BadAnswerError(f"Tiingo sent more than {LARGEST_ANSWER_BYTES // 1024**2} MB")
        parts.append(part)
    response._content = b"".join(parts)


def _require_json(response: Any) -> None:
    """Raise our error for a refused request, and for text where JSON should be."""
    status = int(response.status_code)
    if status >= 500:
        raise SourceDownError(f"Tiingo is down (HTTP {status})")
    if status >= 300:
        kind, sentence = REFUSALS.get(status, (SourceDownError, "Tiingo refused the request"))
        if kind is RateLimitedError:
            wait_s = retry_after_s(response.headers.get("Retry-After"))
            raise RateLimitedError(f"{sentence} (HTTP {status})", retry_after_s=wait_s)
        raise kind(f"{sentence} (HTTP {status})")
    body: bytes = response.content
    try:
        orjson.loads(body)
    except ValueError:
        if _LIMIT_IN_WORDS.search(body[:1000]):
            raise RateLimitedError("Tiingo asks for fewer requests (in words)") from None
        if body[:200].lstrip().lower().startswith((b"<!doctype", b"<html")):
            raise SourceDownError("Tiingo sent a page instead of data") from None
        raise BadAnswerError("Tiingo sent an answer that is not JSON") from None


def read_prices(answer: Any, *, symbol: str, first: date, fetched_at: datetime) -> DailyHistory:
    """An answer as a DailyHistory; raise BadAnswerError where it cannot be read, NoDataError where it is empty."""
    if not isinstance(answer, list):
        raise BadAnswerError(f"{symbol}: Tiingo's answer is no list of prices")
    bars: list[Bar] = []
    actions: list[CorporateAction] = []
    null_dates: list[date] = []
    try:
        for row in sorted(answer, key=lambda row: row["date"]):
            day = date.fromisoformat(row["date"][:10])
            if day < first:
                continue
            actions += _actions(row, day)
            bar = _bar(row, day)
            if bar is None:
                null_dates.append(day)
            elif not bars or bars[-1].date < day:
                bars.append(bar)
            else:
                raise ValueError(f"{day} twice")
    except _NOT_READABLE as error:
        raise BadAnswerError(f"{symbol}: Tiingo's answer cannot be read ({error!r})") from None
    if not bars and not null_dates:
        raise NoDataError(f"Tiingo has nothing of {symbol} from {first} on")
    return DailyHistory(
        symbol=symbol,
        provider=TiingoProvider.name,
        fetched_at=fetched_at,
        # What it has of the United States it has in dollars; the answer does not say.
        currency="USD",
        quote_unit="USD",
        bars=bars,
        actions=tuple(actions),
        null_dates=tuple(null_dates),
    )


def _bar(row: Mapping[str, Any], day: date) -> Bar | None:
    """One bar as traded, or None for a session without a price. The adjusted columns are left alone."""
    printed = [row[name] for name in ("open", "high", "low", "close")]
    if None in printed:
        return None
    o, h, low, c = (snap_price(float(price)) for price in printed)
    volume = int(row["volume"] or 0)
    if max(abs(number) for number in (o, h, low, c, volume)) > BIGINT_MAX:
        raise ValueError(f"no price can be stored for {day}")
    return Bar(day, o, h, low, c, volume)


def _actions(row: Mapping[str, Any], day: date) -> list[CorporateAction]:
    """What happened on the row's own day, in its own units."""
    found = []
    split, cash = row.get("splitFactor"), row.get("divCash")
    if split not in {None, 0, 1}:
        ratio = _ratio(Fraction(Decimal(repr(split))))
        found.append(CorporateAction(ActionKind.SPLIT, day, None, "", ratio.numerator, ratio.denominator, repr(split)))
    if cash:
        amount = round(Decimal(repr(cash)), QUANTITY_SCALE)
        # Raises where no column could take it.
        to_scaled(amount, QUANTITY_SCALE)
        found.append(CorporateAction(ActionKind.DIVIDEND, day, amount, "USD", None, None, repr(cash)))
    return sorted(found, key=lambda action: action.kind)


def _ratio(printed: Fraction) -> Fraction:
    """New shares per old one: the simplest ratio that is printed like this."""
    if printed <= 0:
        raise ValueError(f"a split of {float(printed)}")
    simple = printed.limit_denominator(1000)
    return simple if abs(simple - printed) <= printed * _RATIO_NOISE else printed
