"""HTTP/1.1 on loopback: origin form, absolute form as a plain proxy, and CONNECT with TLS.

Nothing is ever passed on: a proxy request for a host outside yahoo.com is refused with 403.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import cast

import httptools

from closingbell.replay.authority import Authority
from closingbell.replay.wire import TEXT_TYPE, Answer, Request

Answerer = Callable[[Request], Answer]

_PLAIN_PROXY = "http://"
_REASONS = {status.value: status.phrase for status in HTTPStatus}


class HttpProtocol(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, answer: Answerer, authority: Authority, *, latency_s: float = 0.0) -> None:
        self._answer = answer
        self._authority = authority
        self._latency_s = latency_s
        self._transport: asyncio.Transport | None = None
        self._tunnel_host = ""
        self._is_handshaking = False
        self._early = bytearray()
        self._tasks: set[asyncio.Task[None]] = set()
        self._start_parsing()

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        if self._is_handshaking:
            # Decrypted already, but the new transport is not in our hands yet.
            self._early += data
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return
        except httptools.HttpParserError as error:
            self._send(Answer(400, f"not HTTP/1.1: {error}".encode(), TEXT_TYPE), is_last=True)

    # httptools' side

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode()
        if method == "CONNECT":
            self._connect(self._url.decode("latin-1"))
            return
        host, target, is_proxied = self._addressed()
        if is_proxied and not is_yahoo(host):
            self._send(_not_yahoo(host), is_last=True)
            return
        path, _, query = target.partition("?")
        request = Request(method, host, path, query, self._headers, self._body)
        self._reply(self._answer(request), is_last=not self._parser.should_keep_alive())

    def _start_parsing(self) -> None:
        self.on_message_begin()
        self._parser = httptools.HttpRequestParser(self)

    def _addressed(self) -> tuple[str, str, bool]:
        """Host, path with query, and whether we are spoken to as a proxy."""
        url = self._url.decode("latin-1")
        if url[:7].lower() == _PLAIN_PROXY:
            host, slash, rest = url[7:].partition("/")
            return _without_port(host), slash + rest or "/", True
        host = self._tunnel_host or _without_port(self._headers.get("host", ""))
        return host, url, False

    def _connect(self, authority: str) -> None:
        host = _without_port(authority)
        if not is_yahoo(host):
            self._send(_not_yahoo(host), is_last=True)
            return
        self._is_handshaking = True
        task = asyncio.get_running_loop().create_task(self._begin_tls(host))
        # The loop keeps only a weak reference to its tasks.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _begin_tls(self, host: str) -> None:
        transport = self._transport
        if transport is None:
            return
        transport.pause_reading()
        transport.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        loop = asyncio.get_running_loop()
        try:
            secured = await loop.start_tls(transport, self, self._authority.context(host), server_side=True)
        except OSError:
            # TLS errors are OSErrors: the client does not trust us or went away, and will say so itself.
            transport.abort()
            return
        self._transport, self._tunnel_host = secured, host
        self._start_parsing()
        self._is_handshaking = False
        early, self._early = bytes(self._early), bytearray()
        if early:
            self.data_received(early)

    def _reply(self, answer: Answer, *, is_last: bool) -> None:
        if answer.is_silent:
            return
        if self._latency_s:
            loop = asyncio.get_running_loop()
            loop.call_later(self._latency_s, lambda: self._send(answer, is_last=is_last))
        else:
            self._send(answer, is_last=is_last)

    def _send(self, answer: Answer, *, is_last: bool) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        is_last = is_last or answer.is_cut
        body = answer.body[: len(answer.body) // 2] if answer.is_cut else answer.body
        transport.write(_head(answer, is_last=is_last) + body)
        if is_last:
            transport.close()


def is_yahoo(host: str) -> bool:
    """Whether a host is Yahoo's."""
    return host == "yahoo.com" or host.endswith(".yahoo.com")


def _without_port(authority: str) -> str:
    return authority.rpartition("@")[2].partition(":")[0].lower()


def _not_yahoo(host: str) -> Answer:
    why = f"the replay answers for yahoo.com only and connects to nobody; {host} was asked for\n"
    return Answer(403, why.encode(), TEXT_TYPE)


def _head(answer: Answer, *, is_last: bool) -> bytes:
    lines = [
        f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Unknown')}",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(answer.body)}",
        *(f"{name}: {value}" for name, value in answer.headers),
    ]
    if is_last:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
