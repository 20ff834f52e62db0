"""Another person's data is answered as data that does not exist, on every route that takes an id or a name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sqlalchemy import insert, update
from werkzeug.routing import Rule

from closingbell import web
from closingbell.models import (
    Account,
    ApiToken,
    CorporateActionRow,
    DividendPayment,
    MessageAddress,
    Notification,
    Order,
    User,
)
from closingbell.usecases.messages import add_address
from closingbell.usecases.people import create_token
from closingbell.web.guard import Right, right_of_view
from tests.app_fixtures import everything
from tests.web.conftest import Browser, Site, deactivate
from tests.web.test_guard import BY_TOKEN, routes

# What names something that is one person's: in an address, and in what a query or a form says.
PERSONAL = frozenset({"account_id", "address_id", "order_id", "payment_id", "token_id"})
PERSONAL_FIELDS = {("pages.read_notifications", "POST", "id")}
# What names something that is nobody's own. A secret and a token let in whoever has them: they are no names.
# Records are the administrators' alone, whosever they are.
COMMON = frozenset(
    {
        "name", "what", "decision", "run_id", "action_id", "bar_id", "symbol", "release", "filename", "form",
        "record_id", "change", "choice", "dividend_id", "election",
    }
)  # fmt: skip
CAPABILITIES = frozenset({"secret", "token"})
COMMON_FIELDS = frozenset(
    {
        "adjusted",
        "after",
        "again",
        "allow_short",
        "before",
        "confirm",
        "counter_currency",
        "currency",
        "file",
        "format",
        "job",
        "key",
        "kind",
        "leave_out",
        "level",
        "mapping",
        "month",
        "name",
        "note",
        "on",
        "packed",
        "password",
        "q",
        "range",
        "reinvest",
        "scope",
        "state",
        "status",
        "step",
        "symbol",
        "symbols",
        "trade_date",
        "type",
        "unread",
        "url",
        "why",
    }
)
NOT_THERE = 999_999
ORDERS = "2012-09-04,DEPOSIT,,,100000,0,USD 2012-09-04,BUY,AAPL,20,675.00,4.95,USD"
# What is nobody's own in an address that names an account.
OTHERWISE = {"symbol": "AAPL", "action_id": 1, "choice": "dismiss", "dividend_id": 2, "election": "shares"}


@dataclass
class Two:
    """Ann's account is the member's, Bob's the viewer's; ids of what is in each, by what an address calls it."""

    site: Site
    ann: dict[str, int]
    bob: dict[str, int]


@pytest.fixture
def two(site: Site) -> Two:
    """Two accounts with the same orders, payments and suggestions, and a message to each person and a token of each."""
    house = site.house
    for name, email in (("Ann", "member@example.org"), ("Bob", "viewer@example.org")):
        house.orders(ORDERS, account=name)
        assert house.command("accounts", "give", name, email).exit_code == 0
    house.run()
    assert house.command("run-dividend-processor").exit_code == 0
    for name in ("Ann", "Bob"):
        assert house.command("accounts", "set", name, "--dividends", "SUGGEST").exit_code == 0
        house.orders("2012-09-04,BUY,IBM,10,195.00,0,USD", account=name)
    house.run()
    scrip = "--ex-date 2013-02-06 --amount 0.85 --currency USD --scrip-price 190 --why told"
    assert house.command("actions", "add", "IBM", "SCRIP", *scrip.split()).exit_code == 0
    people = {one.email.partition("@")[0]: one.id for one in house.rows(User)}
    for role in ("member", "viewer"):
        add_address(site.context, email=f"{role}@example.org", url=f"ntfy://{role}", level="info")
    with site.context.database.write() as connection:
        for role in ("member", "viewer"):
            said = {"type": "JOB", "level": "INFO", "title": role, "body": role, "dedupe_key": role}
            at = datetime(2012, 11, 30, tzinfo=UTC)
            connection.execute(insert(Notification).values(user_id=people[role], created_at=at, **said))
    for role in ("member", "viewer"):
        create_token(site.context, name="script", scope="read", by=role, user_id=people[role])
    return Two(site, ids_of(site, "Ann", people["member"]), ids_of(site, "Bob", people["viewer"]))


def ids_of(site: Site, name: str, user_id: int) -> dict[str, int]:
    [account] = [one for one in site.house.rows(Account) if one.name == name]
    [address] = [one for one in site.house.rows(MessageAddress) if one.user_id == user_id]
    [message] = [one for one in site.house.rows(Notification) if one.user_id == user_id]
    [token] = [one for one in site.house.rows(ApiToken) if one.user_id == user_id]
    return {
        "account_id": account.id,
        "address_id": address.id,
        # The purchase of Apple, which nothing is suggested of: the deposit comes before it.
        "order_id": sorted(one.id for one in site.house.rows(Order) if one.account_id == account.id)[1],
        "action_id": next(
            one.id for one in site.house.rows(CorporateActionRow) if one.company_id == site.house.company("IBM").id
        ),
        "dividend_id": next(one.id for one in site.house.rows(CorporateActionRow) if one.kind == "SCRIP"),
        "payment_id": min(one.id for one in site.house.rows(DividendPayment) if one.account_id == account.id),
        "token_id": token.id,
        "id": message.id,
    }


def named_in(rule: Rule) -> list[str]:
    """The personal ids of an address, in its order."""
    return [name for name in re.findall(r"<(?:[^:>]*:)?([a-z_]+)>", rule.rule) if name in PERSONAL]


def path_of(rule: Rule, ids: Mapping[str, int]) -> str:
    return re.sub(r"<(?:[^:>]*:)?([a-z_]+)>", lambda found: str({**OTHERWISE, **ids}[found[1]]), rule.rule)


def not_own(names: list[str], two: Two) -> Iterator[tuple[dict[str, int], dict[str, int]]]:
    """Every mixture of one's own ids with another's; and the same with such as do not exist in place of another's."""
    for owners in product((two.ann, two.bob), repeat=len(names)):
        if two.bob in owners:
            named = list(zip(names, owners, strict=True))
            yield (
                {name: one[name] for name, one in named},
                {name: one[name] if one is two.ann else NOT_THERE for name, one in named},
            )


def ask(browser: Browser, method: str, path: str, **more: object) -> tuple[int, str]:
    response = browser.client.open(path, method=method, data={"csrf_token": browser.token, **more})
    # A page's token says when it was made: the next second's is another.
    return response.status_code, re.sub(r'name="csrf_token" value="[^"]+"', "", response.get_data(as_text=True))


def test_every_name_in_an_address_is_known_to_be_somebodys_or_nobodys(site: Site) -> None:
    rules = list(site.house.app.url_map.iter_rules())
    found = {name for rule in rules for name in rule.arguments}
    assert found == PERSONAL | COMMON | CAPABILITIES


def test_every_field_that_a_page_reads_is_known_to_be_somebodys_or_nobodys() -> None:
    # Whoever keeps records sees everybody's; test_changing_records says that nobody else does.
    paths = [path for path in sorted(Path(web.__file__).parent.glob("**/*.py")) if path.parent.name != "records"]
    sources = "".join(path.read_text() for path in paths)
    taken = r'\b(?:args|form|fields|files|values)(?:\.(?:get|getlist|pop)\(|\[)"([a-z_]+)"'
    looked_for = r'"([a-z_]+)" (?:not )?in request\.'
    found = {one for pattern in (taken, looked_for) for one in re.findall(pattern, sources)}
    assert found == COMMON_FIELDS | {field for _, _, field in PERSONAL_FIELDS}


@pytest.mark.parametrize("as_member", [True, False], ids=["member", "administrator"])
def test_another_persons_id_is_a_404_on_every_page(two: Two, as_member: bool) -> None:
    browser = two.site.as_("member" if as_member else "administrator")
    engine = two.site.context.database.engine
    before, walked, missed = everything(engine), 0, ""
    for rule, method in routes(two.site):
        names = named_in(rule)
        needed = right_of_view(two.site.house.app, rule.endpoint)
        # Administrators revoke anybody's token.
        if not names or (needed > Right.MEMBER if as_member else names == ["token_id"]):
            continue
        mixtures = [ids for pair in not_own(names, two) for ids in pair]
        for ids in mixtures if as_member else [two.ann, two.bob]:
            status, text = ask(browser, method, path_of(rule, ids))
            assert status == 404, (method, rule.rule, ids)
            # Nothing in the answer says whether it is another's or nobody's.
            missed = missed or text
            assert text == missed, (method, rule.rule, ids)
            walked += 1
    assert walked > 20
    assert everything(engine) == before


def test_another_persons_id_in_a_field_is_a_404(two: Two) -> None:
    browser, engine = two.site.as_("member"), two.site.context.database.engine
    before = everything(engine)
    for endpoint, method, field in PERSONAL_FIELDS:
        [rule] = [rule for rule, of in routes(two.site) if (rule.endpoint, of) == (endpoint, method)]
        for value in (two.bob[field], NOT_THERE, "x"):
            assert ask(browser, method, rule.rule, **{field: value})[0] == 404, (rule.rule, value)
    assert everything(engine) == before
    # One's own among them is done, and another's stays as it is.
    assert ask(browser, "POST", "/notifications", id=[two.bob["id"], two.ann["id"]])[0] == 302
    read = {one.id: one.read_at is not None for one in two.site.house.rows(Notification)}
    assert read == {two.ann["id"]: True, two.bob["id"]: False}


def test_a_member_without_the_right_is_told_the_same_of_every_id(two: Two) -> None:
    browser = two.site.as_("member")
    for rule, method in routes(two.site):
        names = named_in(rule)
        if names and right_of_view(two.site.house.app, rule.endpoint) > Right.MEMBER:
            answers = {ask(browser, method, path_of(rule, ids)) for pair in not_own(names, two) for ids in pair}
            assert [status for status, _ in answers] == [403], (method, rule.rule)


def test_a_query_changes_nobodys_account(two: Two) -> None:
    """Names of accounts and people that no page asks for have no effect."""
    browser = two.site.as_("member")
    query = urlencode(
        {"account": "Bob", "account_id": two.bob["account_id"], "user_id": 2, "email": "viewer@example.org"}
    )
    for path in ("/portfolio", "/notifications", "/settings"):
        text = browser.text(f"{path}?{query}")
        assert ("Bob" in text, "viewer" in text) == (False, False), path


def test_ones_own_id_is_answered_on_the_same_routes(two: Two) -> None:
    browser = two.site.as_("member")
    of_own = [(rule, method) for rule, method in routes(two.site) if named_in(rule)]
    ends = ("/delete", "/revoke", ":choice>", ":election>")
    # What ends something comes last.
    for rule, method in sorted(of_own, key=lambda one: (one[1], one[0].rule.endswith(ends))):
        status, _ = ask(browser, method, path_of(rule, two.ann))
        assert status == {"GET": 200}.get(method, 302 if rule.rule.endswith(ends) else 422), (method, rule.rule)


def api_rules(two: Two) -> list[tuple[Rule, str]]:
    rules = [rule for rule in two.site.house.app.url_map.iter_rules() if rule.endpoint.startswith(BY_TOKEN)]
    return [(rule, method) for rule in rules for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})]


def test_a_session_is_no_way_into_the_api(two: Two) -> None:
    browser = two.site.as_("member")
    for rule, method in api_rules(two):
        if named_in(rule):
            for ids in (two.ann, two.bob):
                assert ask(browser, method, path_of(rule, ids))[0] == 401, (method, rule.rule)


def call(two: Two, token: str, method: str, path: str, body: object = None) -> tuple[int, str]:
    client = two.site.house.app.test_client()
    more = {} if body is None else {"json": body}
    response = client.open(path, method=method, headers={"Authorization": f"Bearer {token}"}, **more)  # type: ignore[arg-type]
    return response.status_code, response.get_data(as_text=True)


def token_of(two: Two, role: str, scope: str = "operate") -> str:
    [person] = [one for one in two.site.house.rows(User) if one.email == f"{role}@example.org"]
    return create_token(two.site.context, name=f"{role} {scope}", scope=scope, by=role, user_id=person.id)


BODIES = {
    "api_v1.add_order": {"type": "DEPOSIT", "trade_date": "2012-11-01", "currency": "USD", "amount": "5"},
    "api_v1.decide_suggestion": {"decision": "accept"},
    "api_v1.choose_election": {"choice": "shares"},
    "api_v1.rerate": {"why": "asked"},
}


@pytest.mark.parametrize("role", ["member", "administrator"])
def test_another_persons_id_is_a_404_for_a_persons_token(two: Two, role: str) -> None:
    token, engine = token_of(two, role), two.site.context.database.engine
    call(two, token, "GET", "/api/v1/accounts")
    before, walked = everything(engine), 0
    for rule, method in api_rules(two):
        names = named_in(rule)
        nowhere = dict.fromkeys(names, NOT_THERE)
        pairs = list(not_own(names, two)) if role == "member" or not names else [(two.ann, nowhere), (two.bob, nowhere)]
        body = BODIES.get(rule.endpoint) if method == "POST" else None
        for ids, twin in pairs:
            answers = {call(two, token, method, path_of(rule, one), body) for one in (ids, twin)}
            assert {status for status, _ in answers} == {404}, (method, rule.rule, ids)
            # But for the number that was asked for, it is the answer for one that does not exist.
            assert len({re.sub(r"[0-9]+", "N", text) for _, text in answers}) == 1, (method, rule.rule, answers)
            walked += 1
    assert walked >= 12
    assert everything(engine) == before


def test_a_members_token_reads_the_members_own(two: Two) -> None:
    token = token_of(two, "member")
    for rule, method in sorted(api_rules(two), key=lambda one: (one[1] == "DELETE", one[1])):
        if named_in(rule):
            body = BODIES.get(rule.endpoint) if method == "POST" else None
            # Ids of an election's dividend and of a suggestion's are told apart as they are on the pages.
            ids = {**two.ann, "action_id": two.ann["dividend_id"]} if "/elections/" in rule.rule else two.ann
            status, text = call(two, token, method, path_of(rule, ids), body)
            assert status == (201 if rule.endpoint == "api_v1.add_order" and method == "POST" else 200), (rule, text)
    accounts = json.loads(call(two, token, "GET", "/api/v1/accounts")[1])
    assert [one["name"] for one in accounts["items"]] == ["Ann"]
    messages = json.loads(call(two, token, "GET", "/api/v1/notifications")[1])
    assert [one["email"] for one in messages["items"]] == ["member@example.org"]
    [entered] = [one for one in two.site.house.rows(Order) if one.source == "api"]
    assert entered.entered_by == "api:member@example.org, token member operate"


def test_a_token_may_do_what_its_owner_may(two: Two) -> None:
    tokens = {role: token_of(two, role, "read") for role in ("member", "viewer", "administrator")}
    own = {rule.endpoint for rule, _ in api_rules(two) if named_in(rule)} | {
        "api_v1.show_accounts",
        "api_v1.list_notifications",
        "api_v1_document.document",
    }
    for rule, method in api_rules(two):
        if method == "GET" and not named_in(rule):
            path = re.sub(r"<(?:[^:>]*:)?([a-z_]+)>", lambda found: {"symbol": "AAPL"}.get(found[1], "1"), rule.rule)
            answers = {role: call(two, token, "GET", path)[0] for role, token in tokens.items()}
            expected = {"member": 200 if rule.endpoint in own else 403, "viewer": 200, "administrator": 200}
            assert answers == expected, rule.rule
    # What is not there is not told of to those alone who may not look.
    assert call(two, tokens["member"], "GET", "/api/v1/nothing")[0] == 404


def test_a_token_follows_what_its_owner_may(two: Two) -> None:
    token = token_of(two, "viewer", "read")
    assert call(two, token, "GET", "/api/v1/runs")[0] == 200
    with two.site.context.database.write() as connection:
        connection.execute(update(User).where(User.email == "viewer@example.org").values(is_viewer=False))
    assert call(two, token, "GET", "/api/v1/runs")[0] == 403
    deactivate(two.site, "viewer@example.org")
    assert call(two, token, "GET", "/api/v1/accounts")[0] == 401
