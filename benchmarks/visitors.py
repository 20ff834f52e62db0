"""People who each read one page a second, on connections that stay open, as a browser's do."""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle
from urllib.parse import urlencode

EVERY_S = 1.0
_TOKEN = re.compile(rb'name="csrf_token"[^>]*value="([^"]+)"')


class Visitor:
    """A person with one connection."""

    def __init__(self, port: int, cookies: dict[str, str] | None = None) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.cookies = dict(cookies or {})

    def sign_in(self, email: str, password: str) -> None:
        """Fill in the sign-in."""
        token = _TOKEN.search(self.ask("GET", "/sign-in")[1])
        assert token is not None
        fields = urlencode({"csrf_token": token[1].decode(), "email": email, "password": password})
        status, _ = self.ask("POST", "/sign-in", fields)
        if status != 302:
            raise RuntimeError(f"the sign-in answered {status}")

    def ask(self, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        """Status and body of an answer; cookies are kept."""
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
        except ConnectionError:
            # The server hung up, as it does after some seconds without a request; a browser calls again, too.
            self._connection.close()
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
        for given in answer.headers.get_all("Set-Cookie", []):
            name, _, value = given.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status, answer.read()

    def page(self, path: str) -> bytes:
        """A page that must be there."""
        status, body = self.ask("GET", path)
        if status != 200:
            raise RuntimeError(f"{path} answered {status}")
        return body

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def come(port: int, count: int, *, email: str, password: str) -> list[Visitor]:
    """So many windows of one person: signing in so often at once would be refused."""
    first = Visitor(port)
    first.sign_in(email, password)
    return [first, *(Visitor(port, first.cookies) for _ in range(count - 1))]


@contextmanager
def reading(visitors: Sequence[Visitor], paths: Sequence[str]) -> Iterator[None]:
    """Let all of them read, each a page a second and each in its own part of it, until the block ends."""
    ended = threading.Event()

    def read(number: int, visitor: Visitor) -> None:
        turns = cycle(paths[number % len(paths) :] + paths[: number % len(paths)])
        due = time.monotonic() + EVERY_S * number / len(visitors)
        while not ended.wait(max(0.0, due - time.monotonic())):
            visitor.page(next(turns))
            due += EVERY_S

    with ThreadPoolExecutor(len(visitors)) as pool:
        readers = [pool.submit(read, number, visitor) for number, visitor in enumerate(visitors)]
        try:
            yield
        finally:
            ended.set()
            for reader in readers:
                reader.result()
