from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from closingbell.domain.outbox import event_body, events_of, is_worth, masked, names_a_server, next_try_at, signature
from closingbell.domain.paid import Paid
from closingbell.domain.runs import RunEnd, RunStatus

NOW = datetime(2012, 11, 30, 21, 31, tzinfo=UTC)


def end(job_name: str, status: RunStatus, kind: str = "missing", failed: tuple[str, ...] = ()) -> RunEnd:
    return RunEnd(7, job_name, status, "402 of 410 expected closes stored", kind, failed, None)


def test_a_message_goes_to_addresses_that_take_its_level_or_a_lower_one() -> None:
    assert [is_worth("warning", at_least=level) for level in ("info", "warning", "error")] == [True, True, False]


def test_tries_come_ever_later_and_end_after_about_two_days() -> None:
    waits = [next_try_at(count, now=NOW) for count in range(1, 12)]
    assert [at - NOW for at in waits if at][:4] == [timedelta(minutes=m) for m in (1, 2, 5, 15)]
    assert sum((at - NOW for at in waits if at), timedelta()) == timedelta(hours=45, minutes=53)
    assert next_try_at(12, now=NOW) is None


def test_signature_is_hmac_sha256_of_time_and_body() -> None:
    # Printed by: printf '1353968460.{}' | openssl dgst -sha256 -hmac secret
    assert signature("secret", at=1353968460, body=b"{}") == (
        "t=1353968460,v1=a88ab299325858f0f0892615cb4b5a277a38fdd279aefa9e604e5b8b66330c1c"
    )


def test_which_events_a_run_is() -> None:
    assert events_of(end("daily_price_update", RunStatus.SUCCESS), stored_count=402) == ["closes.stored"]
    assert events_of(end("daily_price_update", RunStatus.SUCCESS), stored_count=0) == []
    assert events_of(end("daily_price_update", RunStatus.PARTIAL), stored_count=3) == ["run.failed", "closes.stored"]
    only_owed = replace(end("dividend_processor", RunStatus.SUCCESS), paid=Paid(taken_back_count=1))
    paid = replace(only_owed, paid=Paid(payment_count=1))
    assert [events_of(one, stored_count=2) for one in (only_owed, paid)] == [[], ["dividends.paid"]]
    assert events_of(end("daily_price_update", RunStatus.FAILED, "cancelled"), stored_count=0) == []


def test_an_event_names_ten_failed_symbols_and_counts_all() -> None:
    failed = tuple(f"S{number}" for number in range(12))
    body = json.loads(
        event_body("run.failed", "run-7-run.failed", end("x", RunStatus.FAILED, failed=failed), stored_count=0, now=NOW)
    )
    assert (body["id"], body["event"], body["at"]) == ("run-7-run.failed", "run.failed", "2012-11-30T21:31:00+00:00")
    assert (len(body["run"]["failed_symbols"]), body["run"]["failed_count"]) == (10, 12)


def test_of_an_address_only_its_kind_is_shown() -> None:
    assert masked("mailtos://user:password@example.org") == "mailtos://…"


@pytest.mark.parametrize(
    "url",
    [
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general",
        "tgram://123456789:abcdefg_hijklmnop/12315544",
        "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
        "pover://user@token",
        "pagerduty://A@B",
        "ntfy://my-topic",
        "ntfys://my-topic/",
        "ntfys://ntfy.sh/my-topic",
    ],
)
def test_an_address_at_a_service_names_no_server(url: str) -> None:
    assert names_a_server(url) is False


@pytest.mark.parametrize(
    "url",
    [
        "json://127.0.0.1/",
        "xml://127.0.0.1/",
        "form://127.0.0.1/",
        "gotify://host/token",
        "matrix://host/room",
        "mailto://user:password@gmail.com",
        "mailtos://user:password@example.org?smtp=10.0.0.1",
        "msteams://team/a/b/c",
        "ntfy://10.0.0.1/topic",
        "ntfy://ntfy.sh@10.0.0.1/topic",
        "ntfy://ntfy.sh:80/topic",
        "ntfy://my-topic?mode=private",
        "ntfy://topic\n",
        "slack://a/b/c?template=/etc/passwd",
        "slack://a/b/c, json://127.0.0.1/",
        "slack://a/b/c,json://127.0.0.1/",
        "SLACK://a/b/c",
    ],
)
def test_an_address_that_may_name_a_server_or_a_file_does(url: str) -> None:
    assert names_a_server(url) is True
