from __future__ import annotations

import re

from closingbell.models import AuditEntry
from closingbell.usecases import people
from tests.web.conftest import PASSWORD, Site, deactivate


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


def test_no_mail_leads_past_a_second_factor(site: Site) -> None:
    browser = site.as_("administrator")
    assert browser.get("/tf-rescue").status_code == 404
    assert site.browser().get("/tf-rescue").status_code == 302
