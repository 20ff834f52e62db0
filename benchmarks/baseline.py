"""The design most people write, written down honestly.

One request per symbol in a loop with yfinance, a pandas frame per symbol, and for every row of it one SELECT, one
INSERT or UPDATE and one commit. The session keeps every company, and a commit expires them all: that is what
``for company in Company.query.all()`` does.

Where there was a choice, the one that is kinder to this design was taken:

- it speaks plain HTTP to the recorded market, as ours does, on one kept connection: no TLS on either side;
- yfinance's time zone cache is warm, so a symbol is one request, not two;
- prices are floats (decimals would cost more), and a row that says what is stored already writes nothing;
- its database has the same settings as ours (SQLite: WAL, not the slower default journal);
- it checks nothing, logs nothing and retries nothing.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import yfinance
from curl_cffi.requests import Session as HttpSession
from sqlalchemy import BigInteger, Engine, ForeignKey, String, UniqueConstraint, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from yfinance.cache import get_tz_cache

from benchmarks.folders import cache_folder

TIME_ZONE = "America/New_York"


class Base(DeclarativeBase):
    """The tables of the usual design."""


class Company(Base):
    """A listed company."""

    __tablename__ = "companies"

    id: Mapped[int] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(String(20), unique=True)
    name: Mapped[str | None] = mapped_column(String(200))
    last_updated: Mapped[datetime | None]


class Price(Base):
    """One daily bar."""

    __tablename__ = "prices"
    __table_args__ = (UniqueConstraint("company_id", "date"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"))
    date: Mapped[date]
    open: Mapped[float]
    high: Mapped[float]
    low: Mapped[float]
    close: Mapped[float]
    volume: Mapped[int] = mapped_column(BigInteger)


class MinutePrice(Base):
    """One minute bar."""

    __tablename__ = "minute_prices"
    __table_args__ = (UniqueConstraint("company_id", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"))
    at: Mapped[datetime]
    open: Mapped[float]
    high: Mapped[float]
    low: Mapped[float]
    close: Mapped[float]
    volume: Mapped[int] = mapped_column(BigInteger)


@dataclass(frozen=True, slots=True)
class Took:
    """What a stretch of work cost."""

    count: int
    rows: int
    wall_s: float
    cpu_s: float


class Baseline:
    """The usual design on one database, reading from the recorded market behind ``market_url``."""

    def __init__(self, engine: Engine, *, market_url: str) -> None:
        warnings.filterwarnings("ignore", module="yfinance")
        logging.getLogger("yfinance").setLevel(logging.CRITICAL)
        yfinance.set_tz_cache_location(str(cache_folder() / "yfinance"))
        self._engine = engine
        self._http = _plain_proxy_session(market_url)

    def set_up(self, symbols: Sequence[str]) -> None:
        """Tables, every company, and the time zones that yfinance would look up."""
        Base.metadata.create_all(self._engine)
        with self._engine.begin() as connection:
            connection.execute(insert(Company), [{"symbol": symbol} for symbol in symbols])

    def close(self) -> None:
        """Let go of connections."""
        self._engine.dispose()

    def refresh(self, symbols: Sequence[str], **asked: Any) -> Took:
        """Bring ``symbols`` up to date, with every company of the database loaded, as the design has it.

        ``asked`` is what ``Ticker.history`` is asked for: ``period="5d"``, or a start.
        """
        chosen = set(symbols)
        _warm_time_zones(symbols)
        with Session(self._engine) as session:
            # Loaded before the clock starts: the real loop does it once for all of them.
            every = session.query(Company).all()
            companies = [company for company in every if company.symbol in chosen]
            rows = 0
            wall, cpu = time.perf_counter(), time.process_time()
            for company in companies:
                rows += self._refresh_one(session, company, asked)
            took = Took(len(companies), rows, time.perf_counter() - wall, time.process_time() - cpu)
        return took

    def refresh_minutes(self, symbols: Sequence[str]) -> Took:
        """Bring today's minutes of ``symbols`` up to date, with every company loaded, as the design has it."""
        chosen = set(symbols)
        _warm_time_zones(symbols)
        with Session(self._engine) as session:
            companies = [company for company in session.query(Company).all() if company.symbol in chosen]
            rows = 0
            wall, cpu = time.perf_counter(), time.process_time()
            for company in companies:
                rows += self._refresh_minutes_of(session, company)
            took = Took(len(companies), rows, time.perf_counter() - wall, time.process_time() - cpu)
        return took

    def _refresh_minutes_of(self, session: Session, company: Company) -> int:
        frame = yfinance.Ticker(company.symbol, session=self._http).history(
            interval="1m", period="1d", auto_adjust=False
        )
        for index, row in frame.iterrows():
            at = index.to_pydatetime().replace(tzinfo=None)
            price = session.query(MinutePrice).filter_by(company_id=company.id, at=at).first()
            if price is None:
                price = MinutePrice(company_id=company.id, at=at)
                session.add(price)
            price.open = float(row["Open"])
            price.high = float(row["High"])
            price.low = float(row["Low"])
            price.close = float(row["Close"])
            price.volume = int(row["Volume"])
            session.commit()
        company.last_updated = datetime.now()  # noqa: DTZ005  (as it is usually written)
        session.commit()
        return len(frame)

    def _refresh_one(self, session: Session, company: Company, asked: dict[str, Any]) -> int:
        frame = yfinance.Ticker(company.symbol, session=self._http).history(auto_adjust=False, **asked)
        for index, row in frame.iterrows():
            day = index.date()
            price = session.query(Price).filter_by(company_id=company.id, date=day).first()
            if price is None:
                price = Price(company_id=company.id, date=day)
                session.add(price)
            price.open = float(row["Open"])
            price.high = float(row["High"])
            price.low = float(row["Low"])
            price.close = float(row["Close"])
            price.volume = int(row["Volume"])
            session.commit()
        company.last_updated = datetime.now()  # noqa: DTZ005  (as it is usually written)
        session.commit()
        return len(frame)


def _warm_time_zones(symbols: Sequence[str]) -> None:
    cache = get_tz_cache()
    for symbol in symbols:
        cache.store(symbol, TIME_ZONE)


def _plain_proxy_session(market_url: str) -> HttpSession[Any]:
    """yfinance's usual browser session, pointed at the recorded market over plain HTTP."""

    class Replayed(HttpSession):  # type: ignore[type-arg]
        def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Any:
            kwargs["proxies"] = {"http": market_url}
            return super().request(method, url.replace("https://", "http://", 1), *args, **kwargs)

    return Replayed(impersonate="chrome")
