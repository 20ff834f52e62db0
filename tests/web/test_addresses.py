"""A person's own addresses in the settings: added, changed, tried and removed, and never shown."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import update

from closingbell.models import AuditEntry, MessageAddress, OutboxMessage, User
from closingbell.usecases import messages
from tests.app_fixtures import everything
from tests.web.conftest import Browser, Site
from tests.web.test_pages import plain_text

SECRET = "topsecret"


def add(browser: Browser, url: str, level: str = "warning") -> int:
    browser.get("/settings/addresses/new")
    return browser.post("/settings/addresses/new", url=url, level=level).status_code


def levels(site: Site) -> list[tuple[str, bool]]:
    return [(row.level, row.removed_at is None) for row in site.house.rows(MessageAddress)]


def test_an_address_is_added_changed_tried_and_removed_and_each_is_written_down(site: Site) -> None:
    browser = site.as_("administrator")
    assert add(browser, f"json://user:{SECRET}@127.0.0.1:9/hook") == 302
    text = plain_text(browser.text("/settings"))
    assert "Messages of level warning and above also go to json://…." in text
    assert "json://… warning" in text

    browser.get("/settings/addresses/1/level")
    assert browser.post("/settings/addresses/1/level", level="error").status_code == 302
    assert levels(site) == [("error", True)]

    assert "To 1 address of yours: json://…." in plain_text(browser.text("/settings/addresses/test"))
    assert browser.post("/settings/addresses/test").status_code == 302
    assert [(row.target_id, row.title) for row in site.house.rows(OutboxMessage)] == [(1, "closingbell: a test")]
    assert "waits" in plain_text(browser.text("/settings"))

    assert "Send nothing more there?" in browser.text("/settings/addresses/1/delete")
    assert browser.post("/settings/addresses/1/delete").status_code == 302
    assert levels(site) == [("error", False)]
    assert browser.get("/settings/addresses/1/delete").status_code == 404
    told = [(row.action, row.target, row.detail) for row in site.house.rows(AuditEntry)[-4:]]
    assert told == [
        ("add address", "1", "json://… from warning on"),
        ("change address", "1", "json://… from error on"),
        ("test addresses", "administrator@example.org", "1 addresses"),
        ("remove address", "1", "json://…"),
    ]


def test_a_secret_stands_in_no_page_no_log_and_no_error(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    browser = site.as_("administrator")
    seen = []
    with caplog.at_level(logging.DEBUG):
        for url in (
            f"tgram://{SECRET}",
            f"json://{SECRET}@127.0.0.1:9/, file:///{SECRET}",
            f"file:///{SECRET}",
            f"slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?template=/{SECRET}",
            SECRET * 200,
            f"ntfy://{SECRET}\x00",
        ):
            browser.get("/settings/addresses/new")
            refused = browser.post("/settings/addresses/new", url=url, level="info")
            assert refused.status_code == 422, url
            assert "Write it again: an address is never shown." in plain_text(refused.get_data(as_text=True))
            seen.append(refused.get_data(as_text=True))
        assert add(browser, f"json://user:{SECRET}@127.0.0.1:9/hook") == 302
        browser.post("/settings/addresses/test")
        seen += [
            browser.text(path) for path in ("/settings", "/settings/addresses/1/level", "/settings/addresses/test")
        ]
    seen += [caplog.text, *(str(row.detail) for row in site.house.rows(AuditEntry))]
    assert [one for one in seen if SECRET in one] == []


def test_a_member_names_no_server(site: Site) -> None:
    member = site.as_("member")
    for url in ("json://127.0.0.1/", "gotify://10.0.0.1/token", "mailto://u:p@mail.internal", "ntfy://10.0.0.1/topic"):
        browser_said = (
            member.get("/settings/addresses/new").status_code,
            member.post("/settings/addresses/new", url=url, level="info"),
        )
        assert (browser_said[0], browser_said[1].status_code) == (200, 422), url
        assert "is for administrators; yours may be one of slack://" in browser_said[1].get_data(as_text=True)
        # The command asks for the same of the same person.
        command = site.house.command("addresses", "add", "member@example.org", url)
        assert (command.exit_code, "is for administrators" in command.output) == (2, True)
    assert site.house.rows(MessageAddress) == []
    assert add(member, "ntfy://my-own-topic") == 302
    assert levels(site) == [("warning", True)]


def test_who_is_no_administrator_any_more_calls_no_server_of_their_choice(site: Site) -> None:
    for url in ("json://127.0.0.1:9/", "ntfy://topic"):
        messages.add_address(site.context, email="administrator@example.org", url=url, level="info")
    with site.context.database.write() as connection:
        connection.execute(update(User).values(is_administrator=False))
    assert messages.queue_test(site.context, email="administrator@example.org").count == 1
    assert [row.target_id for row in site.house.rows(OutboxMessage)] == [2]


def test_what_cannot_be_is_refused_with_words(site: Site) -> None:
    browser = site.as_("member")
    browser.get("/settings/addresses/test")
    none = browser.post("/settings/addresses/test")
    assert (none.status_code, "you have no address yet; add one first" in none.get_data(as_text=True)) == (422, True)
    assert add(browser, "ntfy://topic", level="loud") == 422
    add(browser, "ntfy://topic")
    browser.get("/settings/addresses/1/level")
    assert browser.post("/settings/addresses/1/level", level="loud").status_code == 422
    assert levels(site) == [("warning", True)]


def test_tests_and_addresses_of_one_person_are_bounded(site: Site) -> None:
    browser = site.as_("member")
    for number in range(20):
        messages.add_address(site.context, email="member@example.org", url=f"ntfy://topic{number}", level="error")
    assert add(browser, "ntfy://one-more") == 422
    browser.get("/settings/addresses/test")
    assert [browser.post("/settings/addresses/test").status_code for _ in range(6)] == [302] * 5 + [422]


def test_looking_changes_nothing(site: Site) -> None:
    browser = site.as_("member")
    add(browser, "ntfy://topic")
    before = everything(site.context.database.engine)
    for path in ("/settings", "/settings/addresses/new", "/settings/addresses/test", "/settings/addresses/1/delete"):
        browser.text(path)
    assert everything(site.context.database.engine) == before
