"""Nothing but sign-in, health and static files is reached without signing in; every action is somebody's right."""

from __future__ import annotations

import re

import pytest
from werkzeug.routing import Rule

from closingbell.models import JobRequest
from closingbell.web.guard import Right, right_of_view
from tests.web.conftest import Site

PUBLIC = {
    "security.login",
    "security.static",
    "security.two_factor_token_validation",
    "static",
    "pages.static",
    "pages.healthz",
    "pages.readyz",
    "pages.welcome",
}
RANKS = {"member": Right.MEMBER, "viewer": Right.VIEWER, "administrator": Right.ADMINISTRATOR}
# Each rule's variable parts, filled in.
VALUES = {
    "name": "daily_price_update",
    "what": "run",
    "decision": "apply",
    "choice": "accept",
    "election": "shares",
    "run_id": "1",
    "secret": "x",
    "symbol": "AAPL",
    "release": "0",
    "form": "csv",
    "change": "edit",
    "filename": "closingbell.css",
    "token_id": "1",
}
# Guarded by a token of its own instead of a session.
BY_TOKEN = ("scheduler_api.", "api")


def routes(site: Site) -> list[tuple[Rule, str]]:
    """Every rule with every method of it that does something."""
    return [
        (rule, method)
        for rule in site.house.app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        if not rule.endpoint.startswith(BY_TOKEN)
    ]


def path_of(rule: Rule) -> str:
    return re.sub(r"<(?:[^:>]*:)?([a-z_]+)>", lambda found: VALUES.get(found[1], "1"), rule.rule)


def test_only_sign_in_health_and_static_files_are_public(site: Site) -> None:
    app = site.house.app
    found = {rule.endpoint for rule, _ in routes(site) if right_of_view(app, rule.endpoint) is Right.ANYBODY}
    assert found == PUBLIC


def test_a_stranger_is_sent_to_the_sign_in_or_refused(site: Site) -> None:
    browser = site.browser()
    for rule, method in routes(site):
        if rule.endpoint in PUBLIC:
            continue
        response = browser.client.open(path_of(rule), method=method)
        expected = (302, "/sign-in") if method == "GET" else (401, None)
        where = response.headers.get("Location")
        assert (response.status_code, where and where.partition("?")[0]) == expected, (rule.rule, method)


@pytest.mark.parametrize("role", list(RANKS))
def test_every_route_lets_in_whom_it_should(site: Site, role: str) -> None:
    browser = site.as_(role)
    for rule, method in routes(site):
        if rule.endpoint in PUBLIC or rule.endpoint.startswith("security."):
            continue
        response = browser.client.open(path_of(rule), method=method, data={"csrf_token": browser.token})
        needed = right_of_view(site.house.app, rule.endpoint)
        refused = response.status_code == 403
        assert refused is (RANKS[role] < needed), (rule.rule, method, response.status_code)


def test_a_form_from_elsewhere_changes_nothing(site: Site) -> None:
    browser = site.as_("administrator")
    for rule, method in routes(site):
        if method != "POST" or rule.endpoint in PUBLIC:
            continue
        response = browser.client.post(path_of(rule), data={})
        assert response.status_code == 400, rule.rule
    assert site.house.rows(JobRequest) == []


def test_an_address_that_does_not_exist_tells_a_stranger_nothing(site: Site) -> None:
    response = site.browser().get("/no-such-page")
    assert (response.status_code, response.headers["Location"]) == (302, "/sign-in?next=/no-such-page")


def test_every_answer_carries_the_headers(site: Site) -> None:
    for browser, path in ((site.browser(), "/sign-in"), (site.as_("administrator"), "/")):
        headers = browser.get(path).headers
        assert "'unsafe-inline'" not in headers["Content-Security-Policy"]
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_no_page_has_a_script_or_style_of_its_own(site: Site) -> None:
    browser = site.as_("administrator")
    for path in (
        "/",
        "/runs",
        "/settings",
        "/notifications",
        "/portfolio",
        "/jobs/daily_price_update/pause",
        "/password",
    ):
        text = browser.text(path)
        assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\son[a-z]+=|\sstyle=", text) == [], path
        assert re.findall(r"(?:src|href)=\"(?:https?:)?//", text) == [], path
