from __future__ import annotations

import re

from closingbell.app import add_pages_to, create_app
from closingbell.jobs.context import EXTENSION
from closingbell.models import AuditEntry, SignInTry
from closingbell.usecases import people
from tests.web.conftest import PASSWORD, Browser, Site, deactivate


def test_right_password_leads_to_the_first_page(site: Site) -> None:
    response = site.browser().sign_in("administrator@example.org")
    assert (response.status_code, response.headers["Location"]) == (302, "/")


def test_wrong_password_and_unknown_person_read_the_same(site: Site) -> None:
    texts = []
    for email in ("administrator@example.org", "nobody@example.org"):
        response = site.browser().sign_in(email, "wrong password!")
        assert response.status_code == 200
        texts.append(re.sub(r'value="[^"]*"', "", response.get_data(as_text=True)))
    assert texts[0] == texts[1]
    assert "Authentication failed" in texts[0]


def test_the_sixth_try_in_a_minute_is_refused_also_with_the_right_password(site: Site) -> None:
    browser = site.browser()
    answers = [browser.sign_in("administrator@example.org", "wrong password!").status_code for _ in range(5)]
    assert answers == [200] * 5
    assert browser.sign_in("administrator@example.org").status_code == 429


def test_another_worker_and_another_spelling_count_on(site: Site) -> None:
    browser = site.browser()
    spellings = ("nobody@example.org", " NOBODY@example.org", "nobody@EXAMPLE.ORG", "nobody@\uff45xample.org")
    for number in range(10):
        browser.client.environ_base["REMOTE_ADDR"] = f"192.0.2.{number}"
        assert browser.sign_in(spellings[number % 4], "wrong password!").status_code == 200
    # As a worker that was started just now: it remembers nothing by itself.
    app = create_app(site.house.settings)
    add_pages_to(app)
    other = Browser(app.test_client())
    other.client.environ_base["REMOTE_ADDR"] = "192.0.2.99"
    assert other.sign_in("nobody@example.org", "wrong password!").status_code == 429
    assert other.sign_in("somebody@example.org", "wrong password!").status_code == 200
    app.extensions[EXTENSION].database.dispose()


def test_a_stranger_does_not_lock_a_person_out_of_a_known_browser(site: Site) -> None:
    browser, stranger = site.as_("viewer"), site.browser()
    browser.post("/sign-out")
    for number in range(10):
        stranger.client.environ_base["REMOTE_ADDR"] = f"192.0.2.{number}"
        stranger.sign_in("viewer@example.org", "wrong password!")
    stranger.client.environ_base["REMOTE_ADDR"] = "192.0.2.99"
    assert stranger.sign_in("viewer@example.org").status_code == 429
    assert browser.sign_in("viewer@example.org").status_code == 302
    # It is known for its own person only.
    known = browser.client.get_cookie("closingbell_known")
    assert known is not None
    stranger.client.set_cookie("closingbell_known", known.value)
    assert [stranger.sign_in("member@example.org", "wrong password!").status_code for _ in range(6)][-1] == 429


def test_only_failed_tries_count(site: Site) -> None:
    for _ in range(7):
        assert site.browser().sign_in("viewer@example.org").status_code == 302


def test_no_address_and_no_name_is_kept_of_a_try(site: Site) -> None:
    site.browser().sign_in("nobody@example.org", "wrong password!")
    kept = site.house.rows(SignInTry, order="key_hash")
    assert len(kept) == 2
    assert "127.0.0.1" not in str(kept)
    assert "nobody" not in str(kept)


def test_an_inactive_person_cannot_sign_in_and_a_session_ends(site: Site) -> None:
    browser = site.as_("viewer")
    deactivate(site, "viewer@example.org")
    assert browser.get("/runs").status_code == 302
    assert site.browser().sign_in("viewer@example.org").status_code == 200


def test_signing_out_ends_every_copy_of_the_session(site: Site) -> None:
    browser = site.as_("administrator")
    stolen = site.browser()
    cookie = browser.client.get_cookie("closingbell")
    assert cookie is not None
    stolen.client.set_cookie("closingbell", cookie.value)
    assert stolen.get("/runs").status_code == 200

    assert browser.post("/sign-out").status_code == 302

    assert stolen.get("/runs").status_code == 302


def test_a_one_time_link_lets_its_person_choose_a_password_once(site: Site) -> None:
    secret = people.invite_administrator(site.context, email="new@example.org", name="New")
    browser = site.browser()

    assert "new@example.org" in browser.text(f"/welcome/{secret}")
    assert browser.post(f"/welcome/{secret}", password="short", again="short").status_code == 422
    assert browser.post(f"/welcome/{secret}", password=PASSWORD, again="another one here").status_code == 422
    assert browser.post(f"/welcome/{secret}", password=PASSWORD, again=PASSWORD).status_code == 302

    assert browser.get(f"/welcome/{secret}").status_code == 410
    assert site.browser().sign_in("new@example.org").headers["Location"] == "/"


def test_a_second_link_takes_the_first_one_s_place(site: Site) -> None:
    first = people.invite_administrator(site.context, email="new@example.org")
    second = people.invite_administrator(site.context, email="new@example.org")
    assert site.browser().get(f"/welcome/{first}").status_code == 410
    assert site.browser().get(f"/welcome/{second}").status_code == 200


def test_create_admin_prints_a_link(site: Site) -> None:
    result = site.house.command("create-admin", "--link", "--email", "new@example.org")
    assert result.exit_code == 0
    assert re.fullmatch(r"http://127\.0\.0\.1:8000/welcome/[A-Za-z0-9_-]{43}\n", result.stdout)


def test_signing_in_is_written_down(site: Site) -> None:
    site.as_("viewer")
    entry = site.house.rows(AuditEntry)[-1]
    assert (entry.who, entry.action, entry.address) == ("viewer@example.org", "sign in", "127.0.0.1")


def noted(site: Site, *actions: str) -> list[tuple[str, str, str, str | None]]:
    """What the audit log says of these actions."""
    found = [row for row in site.house.rows(AuditEntry) if row.action in actions]
    return [(row.who, row.action, row.target, row.address) for row in found]


def test_a_failed_sign_in_is_written_down_with_the_name_and_never_with_a_password(site: Site) -> None:
    site.browser().sign_in("viewer@example.org", "wrong password!")
    site.browser().sign_in(f"{'a' * 60}@{'b' * 60}.example.org", "wrong password!")
    # As typed into the wrong field.
    site.browser().sign_in("correct horse \0 battery", "wrong password!")
    site.as_("viewer")
    assert noted(site, "fail to sign in") == [
        ("nobody", "fail to sign in", "viewer@example.org", "127.0.0.1"),
        ("nobody", "fail to sign in", "a" * 60 + "@" + "b" * 39, "127.0.0.1"),
        ("nobody", "fail to sign in", "no e-mail address", "127.0.0.1"),
    ]
    assert "horse" not in str(site.house.rows(AuditEntry))
    assert "wrong password" not in str(site.house.rows(AuditEntry))


def test_no_more_failures_are_written_down_than_there_are_tries(site: Site) -> None:
    for _ in range(8):
        site.browser().sign_in("viewer@example.org", "wrong password!")
    assert len(noted(site, "fail to sign in")) == 5


def test_what_a_person_does_to_the_own_way_in_is_written_down(site: Site) -> None:
    browser = site.as_("viewer")
    assert change_password(browser, "wrong password!", "another good one!") == 200
    assert change_password(browser, PASSWORD, "another good one!") == 302
    browser.get("/verify")
    assert browser.post("/verify", password="wrong password!").status_code == 200
    assert browser.post("/sign-out").status_code == 302
    did = [row.action for row in site.house.rows(AuditEntry)]
    assert did == ["sign in", "fail to change password", "change password", "fail to give password", "sign out"]
    assert {(row.who, row.target) for row in site.house.rows(AuditEntry)} == {
        ("viewer@example.org", "viewer@example.org")
    }


def test_no_mail_leads_past_a_second_factor(site: Site) -> None:
    browser = site.as_("administrator")
    assert browser.get("/tf-rescue").status_code == 404
    assert site.browser().get("/tf-rescue").status_code == 302


def change_password(browser: Browser, password: str, new: str) -> int:
    browser.get("/password")
    fields = {"password": password, "new_password": new, "new_password_confirm": new}
    return browser.post("/password", **fields).status_code


def test_the_own_password_is_not_guessed_from_a_session(site: Site) -> None:
    browser = site.as_("viewer")
    guesses = [change_password(browser, f"wrong password {number}", "another good one!") for number in range(9)]
    browser.get("/verify")
    assert (guesses, browser.post("/verify", password="wrong password!").status_code) == ([200] * 9, 200)
    assert change_password(browser, PASSWORD, "another good one!") == 429
    browser.get("/verify")
    refused = browser.post("/verify", password=PASSWORD)
    assert (refused.status_code, "Too many tries" in refused.get_data(as_text=True)) == (429, True)
    # Nobody else has fewer tries for it, and looking at the page is none.
    assert change_password(site.as_("member"), PASSWORD, "another good one!") == 302
    assert browser.get("/password").status_code == 200
    assert site.browser().sign_in("viewer@example.org").status_code == 302


def test_a_right_password_that_is_given_again_uses_up_no_try(site: Site) -> None:
    browser = site.as_("viewer")
    for _ in range(6):
        browser.get("/verify")
        assert browser.post("/verify", password=PASSWORD).status_code == 302
        assert change_password(browser, PASSWORD, "another good one!") == 302
        assert change_password(browser, "another good one!", PASSWORD) == 302
    assert site.house.rows(SignInTry, order="key_hash") == []


def test_a_person_whose_tries_are_used_up_is_given_them_back_by_command(site: Site) -> None:
    session, stranger = site.as_("viewer"), site.browser()
    for number in range(10):
        stranger.client.environ_base["REMOTE_ADDR"] = f"192.0.2.{number}"
        stranger.sign_in("viewer@example.org", "wrong password!")
        change_password(session, "wrong password!", "another good one!")
    stranger.client.environ_base["REMOTE_ADDR"] = "192.0.2.99"
    assert stranger.sign_in("viewer@example.org").status_code == 429

    freed = site.house.command("unlock", " Viewer@Example.org", "--by", "Ann")

    assert (freed.exit_code, freed.stdout) == (0, "20 tries of viewer@example.org are given back\n")
    entry = next(row for row in site.house.rows(AuditEntry) if row.action == "unlock")
    assert (entry.who, entry.target) == ("Ann", "viewer@example.org")
    assert change_password(session, PASSWORD, "another good one!") == 302
    assert stranger.sign_in("viewer@example.org", "another good one!").status_code == 302
    again = site.house.command("unlock", "viewer@example.org")
    assert again.stdout.startswith("no try of viewer@example.org is used up; tries are known by SECRET_KEY")
    # A name that nobody has is counted too, and freed.
    site.browser().sign_in("nobody@example.org", "wrong password!")
    assert site.house.command("unlock", "nobody@example.org").stdout.startswith("1 tries of nobody@example.org")


def test_a_link_to_the_page_of_codes_signs_nobody_out(site: Site) -> None:
    browser = site.as_("administrator")
    assert browser.get("/tf-validate").headers["Location"] == "/tf-setup"
    assert browser.post("/tf-validate", code="123456").status_code == 302
    assert browser.get("/settings").status_code == 200
