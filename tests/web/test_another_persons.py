"""Another person's data is answered as data that does not exist, on every route that takes an id or a name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sqlalchemy import insert
from werkzeug.routing import Rule

from closingbell import web
from closingbell.models import Account, DividendPayment, MessageAddress, Notification, Order, User
from closingbell.usecases.messages import add_address
from closingbell.web.guard import Right, right_of_view
from tests.app_fixtures import everything
from tests.web.conftest import Browser, Site
from tests.web.test_guard import BY_TOKEN, routes

# What names something that is one person's: in an address, and in what a query or a form says.
PERSONAL = frozenset({"account_id", "address_id", "order_id", "payment_id"})
PERSONAL_FIELDS = {("pages.read_notifications", "POST", "id")}
# What names something that is nobody's own. A secret and a token let in whoever has them: they are no names.
# Records are the administrators' alone, whosever they are.
COMMON = frozenset(
    {
        "name", "what", "decision", "run_id", "action_id", "bar_id", "symbol", "release", "filename", "form",
        "record_id",
    }
)  # fmt: skip
CAPABILITIES = frozenset({"secret", "token"})
COMMON_FIELDS = frozenset(
    {
        "adjusted", "after", "again", "allow_short", "before", "confirm", "counter_currency", "currency", "file",
        "format", "job", "key", "kind", "leave_out", "level", "mapping", "name", "note", "on", "packed", "password",
        "q", "range", "status", "step", "symbol", "symbols", "trade_date", "type", "unread", "url", "why",
    }
)  # fmt: skip
NOT_THERE = 999_999
ORDERS = "2012-09-04,DEPOSIT,,,100000,0,USD 2012-09-04,BUY,AAPL,20,675.00,4.95,USD"


@dataclass
class Two:
    """Ann's account is the member's, Bob's the viewer's; ids of what is in each, by what an address calls it."""

    site: Site
    ann: dict[str, int]
    bob: dict[str, int]


@pytest.fixture
def two(site: Site) -> Two:
    """Two accounts with the same orders and payments, and a message to each person."""
    house = site.house
    for name, email in (("Ann", "member@example.org"), ("Bob", "viewer@example.org")):
        house.orders(ORDERS, account=name)
        assert house.command("accounts", "give", name, email).exit_code == 0
    house.run()
    assert house.command("run-dividend-processor").exit_code == 0
    people = {one.email.partition("@")[0]: one.id for one in house.rows(User)}
    for role in ("member", "viewer"):
        add_address(site.context, email=f"{role}@example.org", url=f"ntfy://{role}", level="info")
    with site.context.database.write() as connection:
        for role in ("member", "viewer"):
            said = {"type": "JOB", "level": "INFO", "title": role, "body": role, "dedupe_key": role}
            at = datetime(2012, 11, 30, tzinfo=UTC)
            connection.execute(insert(Notification).values(user_id=people[role], created_at=at, **said))
    return Two(site, ids_of(site, "Ann", people["member"]), ids_of(site, "Bob", people["viewer"]))


def ids_of(site: Site, name: str, user_id: int) -> dict[str, int]:
    [account] = [one for one in site.house.rows(Account) if one.name == name]
    [address] = [one for one in site.house.rows(MessageAddress) if one.user_id == user_id]
    [message] = [one for one in site.house.rows(Notification) if one.user_id == user_id]
    return {
        "account_id": account.id,
        "address_id": address.id,
        # The purchase: the deposit comes before it.
        "order_id": max(one.id for one in site.house.rows(Order) if one.account_id == account.id),
        "payment_id": min(one.id for one in site.house.rows(DividendPayment) if one.account_id == account.id),
        "id": message.id,
    }


def named_in(rule: Rule) -> list[str]:
    """The personal ids of an address, in its order."""
    return [name for name in re.findall(r"<(?:[^:>]*:)?([a-z_]+)>", rule.rule) if name in PERSONAL]


def path_of(rule: Rule, ids: Mapping[str, int]) -> str:
    return re.sub(r"<(?:[^:>]*:)?([a-z_]+)>", lambda found: str(ids[found[1]]), rule.rule)


def not_own(names: list[str], two: Two) -> Iterator[dict[str, int]]:
    """Every mixture of one's own ids with another's and with such as do not exist, but for one's own alone."""
    for owners in product((two.ann, two.bob, None), repeat=len(names)):
        if any(one is not two.ann for one in owners):
            yield {name: NOT_THERE if one is None else one[name] for name, one in zip(names, owners, strict=True)}


def ask(browser: Browser, method: str, path: str, **more: object) -> tuple[int, str]:
    response = browser.client.open(path, method=method, data={"csrf_token": browser.token, **more})
    # A page's token says when it was made: the next second's is another.
    return response.status_code, re.sub(r'name="csrf_token" value="[^"]+"', "", response.get_data(as_text=True))


def test_every_name_in_an_address_is_known_to_be_somebodys_or_nobodys(site: Site) -> None:
    rules = list(site.house.app.url_map.iter_rules())
    found = {name for rule in rules for name in rule.arguments}
    assert found == PERSONAL | COMMON | CAPABILITIES


def test_every_field_that_a_page_reads_is_known_to_be_somebodys_or_nobodys() -> None:
    sources = "".join(path.read_text() for path in sorted(Path(web.__file__).parent.glob("**/*.py")))
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
        if not names or (right_of_view(two.site.house.app, rule.endpoint) > Right.MEMBER and as_member):
            continue
        asked = list(not_own(names, two)) if as_member else [two.ann, two.bob]
        for ids in asked:
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
            answers = {ask(browser, method, path_of(rule, ids)) for ids in not_own(names, two)}
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
    # What changes something comes last.
    for rule, method in sorted(of_own, key=lambda one: (one[1], "delete" in one[0].rule)):
        status, _ = ask(browser, method, path_of(rule, two.ann))
        assert status == {"GET": 200}.get(method, 302 if "delete" in rule.rule else 422), (method, rule.rule)


def test_a_session_is_no_way_into_the_api(two: Two) -> None:
    browser = two.site.as_("member")
    rules = [rule for rule in two.site.house.app.url_map.iter_rules() if rule.endpoint.startswith(BY_TOKEN)]
    for rule in rules:
        if named_in(rule):
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                for ids in (two.ann, two.bob):
                    assert ask(browser, method, path_of(rule, ids))[0] == 401, (method, rule.rule)
