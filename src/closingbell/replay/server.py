"""The recorded market as a server on loopback: Yahoo's wire, as of its clock.

Three ways to reach it, all on one port: as a plain HTTP proxy (absolute request lines, any Yahoo
host), in origin form (by hand), and through CONNECT with TLS under an authority of its own, which is
how an unmodified yfinance gets here. It never opens a connection to anybody.

``ReplayServer`` runs it in a thread of the caller's process, ``replay_process`` in a process of its own.

Control plane, on the same port:

======  ==================  =====================================================================
GET     /_replay/health     what is running: now, the data's range, symbols, clones, request count
POST    /_replay/clock      ``{"now": "2012-11-30T16:31-05:00"}`` or ``{"advance_s": 60}``
GET     /_replay/faults     the faults in force, and every fault's name with its meaning
POST    /_replay/faults     ``{"symbol": "AAPL", "fault": "rate_limited", "endpoint": "chart",``
                            ``"times": 3, "date": "2012-11-29", "every": false,``
                            ``"retry_after_s": 60, "field": "currency"}``; all but ``fault`` may be
                            left out; names and meanings in :mod:`closingbell.replay.faults`
DELETE  /_replay/faults     take every fault back
GET     /_replay/log        the requests so far: endpoint, symbols, status; and their count
DELETE  /_replay/log        forget them
======  ==================  =====================================================================
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from closingbell.errors import SettingsError
from closingbell.replay.authority import Authority
from closingbell.replay.clocks import ReplayClock
from closingbell.replay.control import PREFIX, Control, read_rule
from closingbell.replay.faults import FaultBoard
from closingbell.replay.market import Market
from closingbell.replay.protocol import Answerer, HttpProtocol
from closingbell.replay.recorded import RecordedMarket
from closingbell.replay.wire import Answer, Request, RequestRecord
from closingbell.replay.yahoo import Yahoo
from closingbell.utils.clock import Clock

LOOPBACK = "127.0.0.1"


class ReplayServer:
    """A replayed market in a background thread; a context manager."""

    def __init__(
        self,
        market: Market | None = None,
        *,
        clock: Clock,
        latency_ms: float = 0,
        clones: int = 0,
        port: int = 0,
    ) -> None:
        market = market or RecordedMarket.load()
        self.clock = clock if isinstance(clock, ReplayClock) else ReplayClock(clock)
        self.market = market.with_clones(clones) if clones else market
        self._faults = FaultBoard()
        self._yahoo = Yahoo(self.market, clock=self.clock, faults=self._faults)
        self._control = Control(self._yahoo)
        self._authority = Authority()
        self._latency_s = latency_ms / 1000
        self._wanted_port = port
        self._socket: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._socket is None:
            raise SettingsError("the replay is not running")
        return int(self._socket.getsockname()[1])

    @property
    def base_url(self) -> str:
        """Where it answers, as for YAHOO_BASE_URL."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def ca_pem(self) -> bytes:
        """The authority's certificate, for clients that come through CONNECT."""
        return self._authority.pem

    def write_ca(self, path: Path) -> Path:
        """Write the authority's certificate to a file and return its path."""
        path.write_bytes(self.ca_pem)
        return path

    def set_now(self, now: datetime) -> None:
        """Move the market's clock."""
        self.clock.set(now)

    def misbehave(self, symbol: str, fault: str, **options: Any) -> None:
        """Put a fault in force; options are those of :class:`FaultRule`."""
        self._faults.add(read_rule(symbol, fault, options))

    def behave(self) -> None:
        """Take every fault back."""
        self._faults.clear()

    @property
    def requests(self) -> list[RequestRecord]:
        """The requests so far, oldest first; the control plane's own are not among them."""
        return list(self._yahoo.log)

    @property
    def request_count(self) -> int:
        """How many there were."""
        return self._yahoo.request_count

    def clear_log(self) -> None:
        """Forget the requests so far."""
        self._control.clear_log()

    def start(self) -> None:
        """Listen and serve from a thread; SettingsError when the port is taken."""
        self.listen()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready.set,), name="replay", daemon=True)
        self._thread.start()
        ready.wait()

    def stop(self) -> None:
        """Close every connection and end the thread."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop = self._thread = self._socket = None

    def serve_forever(self, when_ready: Callable[[], None]) -> None:
        """Serve from the caller's thread until it is interrupted; ``when_ready`` is called once it does."""
        self._run(when_ready)

    def listen(self) -> socket.socket:
        """Take the port, without serving yet; SettingsError when it is taken."""
        if self._socket is None:
            self._socket = _listening(self._wanted_port)
        return self._socket

    def _run(self, when_ready: Callable[[], None]) -> None:
        loop = self._loop = asyncio.new_event_loop()
        connections: set[asyncio.BaseTransport] = set()
        server = loop.run_until_complete(
            loop.create_server(lambda: self._protocol(connections), sock=self.listen(), backlog=1024)
        )
        loop.call_soon(when_ready)
        try:
            loop.run_forever()
        finally:
            server.close()
            for transport in connections:
                transport.close()
            # One more turn lets the transports close their sockets.
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()

    def _protocol(self, connections: set[asyncio.BaseTransport]) -> HttpProtocol:
        return _Tracked(self._answer, self._authority, latency_s=self._latency_s, connections=connections)

    def _answer(self, request: Request) -> Answer:
        if request.path.startswith(PREFIX):
            return self._control.answer(request)
        return self._yahoo.answer(request)


def _listening(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOOPBACK, port))
        listening.listen(1024)
    except OSError as error:
        listening.close()
        raise SettingsError(f"port {port} of {LOOPBACK} is not free: {error.strerror}") from error
    return listening


class _Tracked(HttpProtocol):
    """A connection that is known while it is open, so that a stop can close it."""

    def __init__(
        self,
        answer: Answerer,
        authority: Authority,
        *,
        latency_s: float,
        connections: set[asyncio.BaseTransport],
    ) -> None:
        super().__init__(answer, authority, latency_s=latency_s)
        self._connections = connections
        self._mine: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._mine = transport
        self._connections.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._mine is not None:
            self._connections.discard(self._mine)
