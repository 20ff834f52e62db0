"""Whatever a program changes over either API is in the audit log: who, what, on which thing, from where."""

from __future__ import annotations

from closingbell.api.scheduler import scheduler_api
from closingbell.jobs.context import JOBS_EXTENSION
from closingbell.models import AuditEntry
from closingbell.usecases import people
from tests.api.conftest import Api
from tests.api.test_scheduler_api import end_run, start_run
from tests.app_fixtures import everything
from tests.web.conftest import Site, _quick_hash, site  # noqa: F401

JOB = "/scheduler/jobs/daily_price_update"
DEPOSIT = {"type": "DEPOSIT", "trade_date": "2012-11-29", "currency": "USD", "amount": "100"}
# Every writing route of both APIs -> how it is asked, and what the audit log says then.
WRITING = {
    ("api_v1.add_order", "POST"): (
        ("/api/v1/accounts/1/orders", DEPOSIT),
        ("enter order", "4 Ann", "DEPOSIT 2012-11-29"),
    ),
    ("api_v1.delete_order", "DELETE"): (
        ("/api/v1/accounts/1/orders/4", None),
        ("delete order", "4 Ann", "DEPOSIT 2012-11-29"),
    ),
    ("api_v1.decide_suggestion", "POST"): (
        ("/api/v1/accounts/1/suggestions/2", {"decision": "dismiss"}),
        ("dismiss suggestion", "Ann, corporate action 2", "IBM 2012-11-07"),
    ),
    ("api_v1.choose_election", "POST"): (
        ("/api/v1/accounts/1/elections/3", {"choice": "shares"}),
        ("elect", "Ann, corporate action 3", "IBM 2013-02-06: shares"),
    ),
    ("api_v1.rerate", "POST"): (
        ("/api/v1/payments/2/rerate", {"why": "a form was missing"}),
        ("rate again", "payment 2, Ann", "AAPL 2012-11-07: a form was missing"),
    ),
    ("scheduler_api.run_job", "POST"): (
        (f"{JOB}/run", {"symbols": ["AAPL"]}),
        ("run job", "daily_price_update", "request 1, AAPL"),
    ),
    ("scheduler_api.pause_job", "POST"): (
        (f"{JOB}/pause", {"why": "moving house"}),
        ("pause job", "daily_price_update", "moving house"),
    ),
    ("scheduler_api.resume_job", "POST"): ((f"{JOB}/resume", None), ("resume job", "daily_price_update", None)),
    ("scheduler_api.retry_run", "POST"): (
        ("/scheduler/runs/2/retry", None),
        ("retry run", "run 2 of daily_price_update", "request 2"),
    ),
    ("scheduler_api.cancel_run", "POST"): (
        ("/scheduler/runs/3/cancel", None),
        ("cancel run", "run 3 of daily_price_update", None),
    ),
}


def decide_on_dividends(site: Site) -> None:  # noqa: F811
    """Apple's dividend is paid, at a rate that is another by now; IBM's is suggested, and its next one has a choice."""

    def do(words: str) -> None:
        result = site.house.command(*words.split())
        assert result.exit_code == 0, result.output

    do("actions add AAPL CASH --ex-date 2012-11-07 --amount 2.65 --currency USD --pay-date 2012-11-15 --why told")
    do("run-dividend-processor")
    do("books withhold US 0.25 --since 2012-01-01 --account Ann")
    do("accounts set Ann --dividends SUGGEST")
    do("actions add IBM CASH --ex-date 2012-11-07 --amount 0.85 --currency USD --why told")
    do("actions add IBM SCRIP --ex-date 2013-02-06 --amount 0.85 --currency USD --scrip-price 190 --why told")


def test_every_writing_route_of_both_apis_leaves_its_entry(site: Site) -> None:  # noqa: F811
    app = site.house.app
    buys = [f"2012-09-04,BUY,{symbol},10,100,0,USD" for symbol in ("AAPL", "IBM")]
    site.house.orders(" ".join(["2012-09-04,DEPOSIT,,,100000,0,USD", *buys]))
    app.register_blueprint(scheduler_api(app.extensions[JOBS_EXTENSION]))
    token = people.create_token(site.context, name="ci", scope="operate", by="ann")
    api = Api(app, site.context, app.extensions[JOBS_EXTENSION], {"operate": token})
    decide_on_dividends(site)
    end_run(api, start_run(api), "AAPL")
    start_run(api)
    there = {
        (rule.endpoint, method)
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith(("scheduler_api.", "api_v1"))
        for method in (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}
    }
    assert there == set(WRITING)
    engine = site.context.database.engine

    for (_, method), ((path, body), (action, target, detail)) in WRITING.items():
        before, things = len(site.house.rows(AuditEntry)), everything(engine, without=("api_token",))
        with site.house.without_entries():
            refused = api.call(method, path, json=body) if body else api.call(method, path)
        # An action whose entry cannot be stored is not done.
        assert refused.status_code >= 400, path
        assert everything(engine, without=("api_token",)) == things, path
        answer = api.call(method, path, json=body) if body else api.call(method, path)
        assert answer.status_code in {200, 201, 202}, (path, answer.get_data(as_text=True))
        [entry] = site.house.rows(AuditEntry)[before:]
        assert (entry.action, entry.target, entry.detail) == (action, target, detail)
        assert (entry.who, entry.address) == ("token:ci", "127.0.0.1")


def test_what_is_refused_or_changes_nothing_leaves_none(site: Site) -> None:  # noqa: F811
    app = site.house.app
    app.register_blueprint(scheduler_api(app.extensions[JOBS_EXTENSION]))
    token = people.create_token(site.context, name="ci", scope="operate", by="ann")
    api = Api(app, site.context, app.extensions[JOBS_EXTENSION], {"operate": token})
    for method, path in (
        ("POST", "/api/v1/accounts/9/orders"),
        ("DELETE", "/api/v1/accounts/9/orders/1"),
        ("POST", "/scheduler/jobs/nightly/run"),
        ("POST", f"{JOB}/resume"),
        ("POST", "/scheduler/runs/9/cancel"),
    ):
        api.call(method, path)
    # The token that asked was made here.
    assert [one.action for one in site.house.rows(AuditEntry)] == ["create token"]
