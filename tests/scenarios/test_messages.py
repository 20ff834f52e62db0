"""Messages that reach people and programs: one incident, one message, one recovery; at least once."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import update

from closingbell.errors import UsageError
from closingbell.jobs.courier import deliver
from closingbell.jobs.maintenance import run_log_retention
from closingbell.jobs.runner import Occasion
from closingbell.models import JobLog, OutboxMessage
from closingbell.stores import outbox
from closingbell.usecases import messages, people
from closingbell.utils.clock import FixedClock
from tests.app_fixtures import House


@dataclass
class Receiver:
    """A server on loopback that keeps what it is sent, and answers as told."""

    address: str
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    status: int = 204

    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, _, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.got.append((self.path, dict(self.headers), body))
            self.send_response(made.status)
            if made.status in (301, 302):
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    made.address = f"127.0.0.1:{server.server_port}"
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def told(house: House, receiver: Receiver) -> House:
    """A house whose administrator has an address at the receiver."""
    people.create_administrator(house.context, email="ann@example.org", password="correct horse battery")
    url = f"json://user:topsecret@{receiver.address}/ann"
    messages.add_address(house.context, email="ann@example.org", url=url, level="info")
    return house


def fail(house: House) -> None:
    """A run in which the market answers what nobody can read."""
    house.market.misbehave("*", "garbage")
    house.run()
    house.market.behave()


def send(house: House) -> int:
    return deliver(house.context, "this process")


def titles(receiver: Receiver) -> list[str]:
    return [body["title"] for body in receiver.bodies()]


def test_one_incident_is_one_message_and_one_recovery(told: House, receiver: Receiver) -> None:
    told.hold("AAPL", since="2012-11-29")
    fail(told)
    assert receiver.got == []
    assert send(told) == 1
    fail(told)
    assert send(told) == 0
    told.run()
    assert send(told) == 1
    assert titles(receiver) == ["daily_price_update failed: bad_answer", "daily_price_update works again"]


def test_a_receiver_that_fails_is_tried_again_with_the_same_key(told: House, receiver: Receiver) -> None:
    told.hold("AAPL", since="2012-11-29")
    fail(told)
    receiver.status = 500
    send(told)
    assert send(told) == 0
    waiting = told.rows(OutboxMessage)[0]
    assert (waiting.is_sent, waiting.try_count, waiting.last_error) == (False, 1, "not taken")

    receiver.status = 204
    later = FixedClock(told.context.wall.now() + timedelta(minutes=2))
    object.__setattr__(told.context, "wall", later)
    assert send(told) == 1

    keys = [body["message"].splitlines()[-1] for body in receiver.bodies()]
    assert keys == [keys[0], keys[0]]
    assert told.rows(OutboxMessage)[0].is_sent is True


def test_a_sender_that_died_is_followed_by_another(told: House, receiver: Receiver) -> None:
    told.hold("AAPL", since="2012-11-29")
    fail(told)
    wall = told.context.wall.now()
    with told.context.database.write() as connection:
        assert len(outbox.claim_due(connection, "a dead process", wall=wall, limit=5)) == 1
    assert send(told) == 0
    object.__setattr__(told.context, "wall", FixedClock(wall + timedelta(minutes=6)))
    assert send(told) == 1
    assert len(receiver.got) == 1


def test_a_level_keeps_lesser_messages_away(house: House, receiver: Receiver) -> None:
    people.create_administrator(house.context, email="ann@example.org", password="correct horse battery")
    messages.add_address(house.context, email="ann@example.org", url=f"json://{receiver.address}/", level="error")
    house.hold("AAPL", "NOSUCH", since="2012-11-29")
    house.run()
    # Partly failed is a warning.
    assert house.rows(OutboxMessage) == []


def test_a_webhook_is_told_of_stored_closes_and_failed_runs_signed(house: House, receiver: Receiver) -> None:
    number, secret = messages.add_webhook(
        house.context, url=f"http://{receiver.address}/hook", events=("closes.stored", "run.failed"), by="ann"
    )
    house.hold("AAPL", "NOSUCH", since="2012-11-29")
    house.run()
    assert send(house) == 2

    run_id = house.rows(JobLog)[0].id
    events = [(body["event"], body["id"], body["run"]["stored_count"]) for body in receiver.bodies()]
    assert events == [
        ("run.failed", f"run-{run_id}-run.failed", 2),
        ("closes.stored", f"run-{run_id}-closes.stored", 2),
    ]
    path, headers, body = receiver.got[0]
    stamp, _, shown = headers["Closingbell-Signature"].partition(",v1=")
    expected = hmac.new(secret.encode(), stamp.removeprefix("t=").encode() + b"." + body, hashlib.sha256).hexdigest()
    assert (path, headers["Closingbell-Id"], shown) == ("/hook", f"run-{run_id}-run.failed", expected)
    assert number >= 1


@pytest.mark.one_database
@pytest.mark.parametrize(("status", "tries_again"), [(503, True), (429, True), (400, False), (302, False)])
def test_which_answers_of_a_webhook_are_worth_another_try(
    house: House, receiver: Receiver, status: int, tries_again: bool
) -> None:
    messages.add_webhook(house.context, url=f"http://{receiver.address}/", events=("closes.stored",), by="ann")
    house.hold("AAPL", since="2012-11-29")
    house.run()
    receiver.status = status
    send(house)
    waiting = house.rows(OutboxMessage)[0]
    assert (waiting.last_error, waiting.done_at is None) == (f"HTTP {status}", tries_again)
    assert len(receiver.got) == 1


def test_a_removed_address_is_sent_nothing(told: House, receiver: Receiver) -> None:
    told.hold("AAPL", since="2012-11-29")
    fail(told)
    messages.remove_address(told.context, messages.list_addresses(told.context)[0].id)
    send(told)
    assert receiver.got == []
    assert told.rows(OutboxMessage)[0].last_error == "the address was removed"


def test_commands_show_no_secret_and_a_test_arrives(told: House, receiver: Receiver) -> None:
    result = told.command("test-notification")
    assert (result.exit_code, result.stdout) == (0, "1 of 1 arrived\n")
    assert titles(receiver) == ["closingbell: a test"]
    listed = told.command("addresses", "list").stdout
    assert "json://…" in listed
    assert "topsecret" not in listed + told.command("addresses", "list", "--format", "json").stdout


def test_a_test_that_does_not_arrive_says_so(told: House, receiver: Receiver) -> None:
    receiver.status = 500
    result = told.command("test-notification", "--user", "ann@example.org")
    assert result.exit_code == 1
    assert result.stdout == "0 of 1 arrived\n"
    assert "topsecret" not in result.output


@pytest.mark.one_database
@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "dbus://", "windows://", "mailto:", "ann@example.org", "json://", "exec://rm"]
)
def test_an_address_that_is_none_is_refused_without_showing_it(house: House, url: str) -> None:
    people.create_administrator(house.context, email="ann@example.org", password="correct horse battery")
    with pytest.raises(UsageError) as refused:
        messages.add_address(house.context, email="ann@example.org", url=url, level="info")
    assert "passwd" not in str(refused.value)


def test_what_was_sent_long_ago_is_removed_and_what_waits_stays(told: House, receiver: Receiver) -> None:
    told.hold("AAPL", since="2012-11-29")
    fail(told)
    old = told.context.wall.now() - timedelta(days=91)
    with told.context.database.write() as connection:
        connection.execute(update(OutboxMessage).values(is_sent=True, done_at=old))
    told.run()

    told.clock.set(told.context.wall.now())
    run_log_retention(told.context, Occasion())

    left = told.rows(OutboxMessage)
    assert [(one.title, one.done_at) for one in left] == [("daily_price_update works again", None)]


def test_two_senders_at_once_send_each_message_once(
    told: House, receiver: Receiver, houses: Callable[..., House]
) -> None:
    for number in range(12):
        messages.add_webhook(told.context, url=f"http://{receiver.address}/{number}", events=("run.failed",), by="ann")
    told.hold("AAPL", since="2012-11-29")
    fail(told)
    threads = [threading.Thread(target=deliver, args=(told.context, f"process {name}")) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    send(told)
    assert sorted(path for path, _, _ in receiver.got) == sorted(["/ann", *(f"/{number}" for number in range(12))])
