from __future__ import annotations

import io
import json
import logging
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from flask import Flask
from structlog.testing import capture_logs

from closingbell.api import scheduler
from closingbell.api.scheduler import ROUTES, require_way_in, scheduler_api
from closingbell.domain.runs import ItemOutcome, Outcome, RunStatus
from closingbell.errors import DatabaseNotReadyError, SettingsError
from closingbell.jobs.context import EXTENSION
from closingbell.jobs.requests import run_requests
from closingbell.models import ApiToken, JobLog, JobRequest, JobState
from closingbell.stores import job_log, job_ticks
from closingbell.usecases import people
from tests.api.conftest import NOW, Api, make_app, serve
from tests.app_fixtures import House, everything, rows_of

JOB = "/scheduler/jobs/daily_price_update"
ATTACK = {"func": "os:system", "args": ["touch stolen"], "trigger": "date", "id": "mine"}
OUTSIDE_METHODS = ("PUT", "PATCH", "DELETE", "TRACE", "PROPFIND")


def address(rule: str) -> str:
    """An address that a rule answers to."""
    number = "<int(max=9223372036854775807):"
    return (
        rule.replace("<job_id>", "daily_price_update")
        .replace(f"{number}run_id>", "1")
        .replace(f"{number}request_id>", "1")
    )


EVERY_ROUTE = [(method, address(f"/scheduler{rule}")) for method, rule, _ in ROUTES]
LOOKING = [route for route in EVERY_ROUTE if route[0] == "GET"]
OPERATING = [route for route in EVERY_ROUTE if route[0] == "POST"]


def rows(api: Api, model: Any) -> list[Any]:
    order = "job_name" if model is JobState else "id"
    return rows_of(api.context.database.engine, model, order=order)


def start_run(api: Api, *, job_name: str = "daily_price_update", now: datetime = NOW) -> int:
    start = job_log.RunStart(job_name=job_name, trigger="schedule", owner="host:1:1", now=now, wall=now)
    return api.context.database.write_unit(lambda c: job_log.start_run(c, start))


def end_run(api: Api, run_id: int, *failed: str) -> None:
    """End a run in which IBM was stored and ``failed`` were not."""
    good = ItemOutcome("IBM", None, Outcome.STORED, 1, 1, stored_count=1)
    bad = [ItemOutcome(name, None, Outcome.FAILED, 1, 0, error_kind="source_down", message="down") for name in failed]
    items = [good, *bad]

    def unit(connection: Any) -> None:
        job_log.store_items(connection, run_id, items)
        job_log.finish_run(
            connection,
            run_id,
            "host:1:1",
            status=RunStatus.PARTIAL if failed else RunStatus.SUCCESS,
            message="done",
            items=items,
            error_message=None,
            requests_by_provider={"yahoo": 1},
            now=NOW + timedelta(seconds=4),
        )

    api.context.database.write_unit(unit)


def assert_problem(response: Any, status: int, told: str = "") -> None:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    body = json.loads(response.data)
    assert sorted(body) == ["detail", "status", "title", "type"]
    assert (body["type"], body["status"]) == ("about:blank", status)
    assert told in body["detail"]
    assert response.headers["Cache-Control"] == "no-store"


# --- Who may.


@pytest.mark.parametrize("token", [None, "wrong", "revoked"])
def test_nobody_gets_anywhere_without_a_live_token(api: Api, token: str | None) -> None:
    before = everything(api.context.database.engine)
    for method, path in EVERY_ROUTE:
        response = api.call(method, path, token=token)
        assert_problem(response, 401)
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="closingbell"'
    assert everything(api.context.database.engine) == before


def test_read_token_operates_nothing(api: Api) -> None:
    before = everything(api.context.database.engine, without=("api_token",))
    for method, path in OPERATING:
        response = api.call(method, path, token="read")
        assert_problem(response, 403, "needs a token of scope operate; 'read' has scope read")
        assert 'error="insufficient_scope"' in response.headers["WWW-Authenticate"]
    assert everything(api.context.database.engine, without=("api_token",)) == before


def test_both_scopes_look(api: Api) -> None:
    end_run(api, start_run(api))
    api.post(f"{JOB}/run")
    for token in ("read", "operate"):
        for method, path in LOOKING:
            response = api.call(method, path, token=token)
            assert response.status_code == 200, response.text
            assert response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(("method", "path"), OPERATING)
def test_operate_token_operates(api: Api, method: str, path: str) -> None:
    run_id = start_run(api)
    if path.endswith("/retry"):
        end_run(api, run_id, "AAPL")
    assert api.call(method, path).status_code in {200, 202}


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic b3BlcmF0ZTpvcGVyYXRl",
        "Token {}",
        "{}",
        "Bearer {} {}",
        "Bearer\t{}x",
        "Bearer é",
    ],
)
def test_only_a_bearer_token_counts(api: Api, header: str) -> None:
    value = header.replace("{}", api.tokens["operate"])
    response = api.client.get("/scheduler/jobs", headers={"Authorization": value})
    assert_problem(response, 401)
    assert api.tokens["operate"] not in response.text


def test_token_counts_nowhere_but_in_its_header(api: Api) -> None:
    token = api.tokens["operate"]
    response = api.client.get(
        f"/scheduler/jobs?token={token}&access_token={token}", headers={"Cookie": f"token={token}", "X-Token": token}
    )
    assert_problem(response, 401)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/scheduler/"),
        ("GET", "/scheduler/nothing/here"),
        ("POST", "/scheduler/jobs"),
        ("POST", "/scheduler/shutdown"),
        ("GET", "/scheduler//jobs"),
        ("GET", "/scheduler/runs/first"),
        ("GET", "/scheduler/runs/9223372036854775808"),
        ("DELETE", JOB),
        ("OPTIONS", "/scheduler/jobs"),
        ("OPTIONS", f"{JOB}/run"),
        ("HEAD", "/scheduler/jobs"),
    ],
)
def test_stranger_cannot_tell_what_exists(api: Api, method: str, path: str) -> None:
    assert api.call(method, path, token=None).status_code == 401
    assert api.call(method, path, token="wrong").status_code == 401


def test_every_rule_of_the_blueprint_is_guarded(api: Api) -> None:
    """Walks what is registered, not what is listed: a route added elsewhere is guarded too."""
    rules = [rule for rule in api.app.url_map.iter_rules() if rule.rule.startswith("/scheduler")]
    assert len(rules) == len(ROUTES)
    for rule in rules:
        assert rule.endpoint.startswith("scheduler_api.")
        for method in sorted(rule.methods or ()):
            assert api.call(method, address(rule.rule), token=None).status_code == 401, (method, rule.rule)
            if method not in {"GET", "HEAD", "OPTIONS"}:
                assert api.call(method, address(rule.rule), token="read").status_code == 403, (method, rule.rule)


def test_view_that_was_added_later_is_guarded(app: Flask) -> None:
    blueprint = scheduler_api({})
    blueprint.add_url_rule("/later", "later", lambda: "told")
    app.register_blueprint(blueprint)
    assert app.test_client().get("/scheduler/later").status_code == 401


def test_guard_goes_with_the_blueprint_to_another_address(app: Flask) -> None:
    app.register_blueprint(scheduler_api({}), url_prefix="/elsewhere")
    assert app.test_client().get("/elsewhere/jobs").status_code == 401


def test_other_addresses_of_the_application_are_left_alone(api: Api) -> None:
    api.app.add_url_rule("/other", "other", lambda: "other")
    assert api.client.get("/other").text == "other"
    assert api.client.get("/schedulers").status_code == 404
    assert api.client.get("/").status_code == 404
    assert "Cache-Control" not in api.client.get("/other").headers


# --- What comes in from people who mean harm.


@pytest.fixture
def no_process(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every attempt to start a process."""
    started: list[Any] = []

    def note(*args: Any, **kwargs: Any) -> int:
        started.append(args)
        return 0

    for owner, name in ((os, "system"), (os, "popen"), (os, "fork"), (os, "posix_spawn"), (subprocess, "Popen")):
        monkeypatch.setattr(owner, name, note)
    return started


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", None])
def test_no_code_comes_in(
    api: Api, content_type: str | None, no_process: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = everything(api.context.database.engine, without=("api_token",))
    for path in ("/scheduler/jobs", JOB, f"{JOB}/run", f"{JOB}/pause", f"{JOB}/resume"):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            response = api.call(method, path, data=json.dumps(ATTACK), content_type=content_type)
            expected = {422} if content_type == "application/json" else {415}
            assert response.status_code in {404, 405} | expected, (method, path, response.text)
    assert no_process == []
    assert not (tmp_path / "stolen").exists()
    assert sorted(api.registry) == ["daily_price_update", "log_retention"]
    assert everything(api.context.database.engine, without=("api_token",)) == before


@pytest.mark.parametrize("job_id", ["os:system", "closingbell.jobs.maintenance:run_log_retention", "..%2Fruns", "Ä"])
def test_only_jobs_of_the_registry_are_run(api: Api, job_id: str) -> None:
    assert_problem(api.post(f"/scheduler/jobs/{job_id}/run"), 404)
    assert rows(api, JobRequest) == []


def test_unknown_job_names_those_there_are(api: Api) -> None:
    assert_problem(api.post("/scheduler/jobs/nothing/run"), 404, "there are daily_price_update, log_retention")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_body_of_another_type_is_refused(api: Api, content_type: str) -> None:
    response = api.post(f"{JOB}/run", data=b'{"symbols": ["AAPL"]}', content_type=content_type)
    assert_problem(response, 415, "application/json")
    assert rows(api, JobRequest) == []


def test_other_methods_are_refused(api: Api) -> None:
    for known, path in EVERY_ROUTE:
        for method in OUTSIDE_METHODS:
            response = api.call(method, path)
            assert_problem(response, 405, f"{method} is not done here")
            assert known in response.headers["Allow"].split(", ")


@pytest.mark.parametrize("size", [16 * 1024 + 1, 3_000_000])
def test_large_body_is_refused(api: Api, size: int) -> None:
    data = json.dumps({"why": "x" * size})
    assert_problem(api.post(f"{JOB}/pause", data=data, content_type="application/json"), 413)


def test_largest_body_is_read(api: Api) -> None:
    data = b'{"why": "x"}'.ljust(16 * 1024)
    assert api.post(f"{JOB}/pause", data=data, content_type="application/json").status_code == 200


def test_large_body_in_pieces_is_refused(api: Api) -> None:
    """As a server hands a chunked body over: without a length, and with its own end."""
    body = b'{"why": "x"}'.ljust(20_000)
    response = api.post(
        f"{JOB}/pause",
        input_stream=io.BytesIO(body),
        content_type="application/json",
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )
    assert_problem(response, 413)


def test_stranger_with_a_large_body_is_a_stranger_first(api: Api) -> None:
    assert_problem(api.post(f"{JOB}/run", data=b"x" * 20_000, token=None, content_type="text/plain"), 401)


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ("{", 400, "cannot be read"),
        ("[" * 5000, 400, "cannot be read"),
        ('{"symbols": NaN}', 400, "cannot be read"),
        ("[]", 422, "JSON object"),
        ('"AAPL"', 422, "JSON object"),
        ("null", 422, "JSON object"),
        ('{"func": "os:system"}', 422, "not known here: func; this takes only symbols"),
        ('{"symbols": ["AAPL"], "args": []}', 422, "not known here: args"),
        ('{"symbols": []}', 422, "1 to 500"),
        ('{"symbols": null}', 422, "1 to 500"),
        ('{"symbols": "AAPL"}', 422, "1 to 500"),
        ('{"symbols": [1]}', 422, "a symbol is"),
        ('{"symbols": ["AAPL; rm"]}', 422, "a symbol is"),
        ('{"symbols": ["../../v1"]}', 422, "a symbol is"),
    ],
)
def test_run_takes_symbols_and_nothing_else(api: Api, body: str, status: int, told: str) -> None:
    assert_problem(api.post(f"{JOB}/run", data=body, content_type="application/json"), status, told)
    assert rows(api, JobRequest) == []


def test_more_symbols_than_a_request_holds_are_refused(api: Api) -> None:
    body = {"symbols": [f"S{number}" for number in range(501)]}
    assert_problem(api.post(f"{JOB}/run", body), 422, "1 to 500")


def test_job_without_symbols_takes_none(api: Api) -> None:
    response = api.post("/scheduler/jobs/log_retention/run", {"symbols": ["AAPL"]})
    assert_problem(response, 422, "log_retention does not take symbols")


@pytest.mark.parametrize("why", [5, ["late"], "two\nlines", "nul\0", "x" * 501])
def test_reason_of_a_pause_is_one_line(api: Api, why: object) -> None:
    assert_problem(api.post(f"{JOB}/pause", {"why": why}), 422, "one line")


@pytest.mark.parametrize("path", [f"{JOB}/resume", "/scheduler/runs/1/cancel", "/scheduler/runs/1/retry"])
def test_routes_without_a_body_take_no_keys(api: Api, path: str) -> None:
    start_run(api)
    assert_problem(api.post(path, {"symbols": ["AAPL"]}), 422, "this takes nothing")


def test_no_page_elsewhere_is_let_in(api: Api) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for method, path in (("GET", "/scheduler/jobs"), ("OPTIONS", f"{JOB}/run")):
        headers = api.call(method, path, headers=asked).headers
        assert not [name for name, _ in headers if name.lower().startswith("access-control-")]


# --- What goes out.


def test_nothing_is_kept_in_caches(api: Api) -> None:
    for method, path in EVERY_ROUTE:
        response = api.call(method, path)
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in response.headers


def test_no_code_goes_out(api: Api) -> None:
    for path in ("/scheduler", "/scheduler/jobs", JOB):
        text = api.get(path).text
        assert "closingbell." not in text
        for key in ("func", "function", "args", "kwargs", "arguments", "module"):
            assert f'"{key}"' not in text


def test_scheduler_runs_while_a_heartbeat_is_young(api: Api) -> None:
    assert api.get("/scheduler").json == {"running": False, "now": "2012-11-30T21:31:00+00:00", "schedulers": []}
    api.context.database.write_unit(lambda c: job_ticks.store_alive(c, "host:1:1", wall=NOW - timedelta(seconds=60)))
    answer = api.get("/scheduler").json
    assert answer["running"] is True
    assert answer["schedulers"] == [
        {
            "owner": "host:1:1",
            "started_at": "2012-11-30T21:30:00+00:00",
            "heartbeat_at": "2012-11-30T21:30:00+00:00",
            "stopped_at": None,
            "is_alive": True,
        }
    ]
    api.context.wall.advance(timedelta(seconds=60))  # type: ignore[attr-defined]
    assert api.get("/scheduler").json["running"] is False


def test_jobs_are_told_with_their_trigger_in_words(api: Api) -> None:
    jobs = api.get("/scheduler/jobs").json["jobs"]
    assert [job["id"] for job in jobs] == ["daily_price_update", "log_retention"]
    assert jobs[1] == api.get("/scheduler/jobs/log_retention").json
    assert jobs[1]["next_run_time"] == "2012-12-01T11:00:00+00:00"
    assert jobs[1]["last_run"] is None
    assert "06:00" in jobs[1]["trigger"]


def test_paused_job_says_by_whom_and_why(api: Api) -> None:
    paused = api.post(f"{JOB}/pause", {"why": "the provider is moving"}).json
    assert (paused["paused_by"], paused["paused_why"]) == ("token:operate", "the provider is moving")
    assert paused["paused_at"] == "2012-11-30T21:31:00+00:00"
    assert paused["next_run_time"] is None
    again = api.post(f"{JOB}/pause", {"why": "another reason"})
    assert (again.status_code, again.json["paused_why"]) == (200, "the provider is moving")
    resumed = api.post(f"{JOB}/resume")
    assert (resumed.status_code, resumed.json["paused_at"]) == (200, None)
    assert api.post(f"{JOB}/resume").status_code == 200


def test_pause_needs_no_reason(api: Api) -> None:
    assert api.post(f"{JOB}/pause").json["paused_why"] is None
    assert api.post(f"{JOB}/resume", {}).status_code == 200


def test_run_is_asked_for_and_not_carried_out(api: Api) -> None:
    response = api.post(f"{JOB}/run", {"symbols": ["aapl", "BRK-B", "AAPL"]})
    assert (response.status_code, response.json) == (202, {"request_id": 1})
    assert response.headers["Location"] == "/scheduler/requests/1"
    [request] = rows(api, JobRequest)
    assert (request.job_name, request.trigger, request.requested_by) == ("daily_price_update", "api", "token:operate")
    assert json.loads(request.arguments) == {"symbols": ["AAPL", "BRK-B"]}
    assert rows(api, JobLog) == []
    assert api.get("/scheduler/requests/1").json == {
        "id": 1,
        "job_name": "daily_price_update",
        "requested_by": "token:operate",
        "requested_at": "2012-11-30T21:31:00+00:00",
        "done_at": None,
        "refused": None,
        "run_id": None,
    }


def test_run_of_everything_needs_no_body(api: Api) -> None:
    assert api.post(f"{JOB}/run", content_type="text/plain").status_code == 202
    assert json.loads(rows(api, JobRequest)[0].arguments) == {}


def test_request_leads_to_its_run(api_house: tuple[Api, House]) -> None:
    api, house = api_house
    house.hold("AAPL", "IBM", since="2012-11-29")
    location = api.post(f"{JOB}/run", {"symbols": ["AAPL"]}).headers["Location"]

    assert run_requests(house.context, api.registry["daily_price_update"]) == 1

    run_id = api.get(location).json["run_id"]
    run = api.get(f"/scheduler/runs/{run_id}").json
    assert (run["status"], run["trigger"], run["requested_by"]) == ("SUCCESS", "api", "token:operate")
    assert run["started_at"] == "2012-11-30T21:31:00+00:00"
    assert run["requests_by_provider"] == {"yahoo": house.market.request_count}
    assert [(item["symbol"], item["outcome"], item["covered_count"]) for item in run["items"]] == [
        ("AAPL", "stored", 2)
    ]
    assert api.get(JOB).json["last_run"]["id"] == run_id


def test_request_that_cannot_be_carried_out_is_refused_with_the_reason(api_house: tuple[Api, House]) -> None:
    api, house = api_house
    location = api.post(f"{JOB}/run", {"symbols": ["AAPL.NOWHERE"]}).headers["Location"]
    run_requests(house.context, api.registry["daily_price_update"])
    assert "AAPL.NOWHERE" in api.get(location).json["refused"]


def test_runs_newest_first_and_filtered(api: Api) -> None:
    first = start_run(api, now=NOW - timedelta(days=1))
    end_run(api, first, "AAPL")
    second = start_run(api)
    end_run(api, second)
    third = start_run(api, job_name="log_retention")

    def ids(query: str = "") -> list[int]:
        return [run["id"] for run in api.get(f"/scheduler/runs{query}").json["runs"]]

    assert ids() == [third, second, first]
    assert ids("?limit=1") == [third]
    assert ids("?job_name=daily_price_update") == [second, first]
    assert ids("?job_name=nothing") == []
    assert ids("?status=partial") == [first]
    assert ids("?status=RUNNING") == [third]
    assert ids("?symbol=aapl") == [first]
    assert ids("?symbol=IBM&status=SUCCESS") == [second]
    assert ids("?since=2012-11-30T00:00:00Z") == [third, second]
    # As a shell or a form sends it: the plus arrives as a blank.
    assert ids("?since=2012-11-30T22:31:00+01:00") == [third, second]
    assert ids("?since=2012-11-30T16:32:00-05:00") == []


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("limit=201", "from 1 to 200"),
        ("limit=0", "from 1 to 200"),
        ("limit=-1", "from 1 to 200"),
        ("limit=many", "from 1 to 200"),
        ("limit=", "from 1 to 200"),
        ("limit=%D9%A1", "from 1 to 200"),
        ("status=DONE", "RUNNING, SUCCESS, FAILED, PARTIAL"),
        ("status=", "RUNNING, SUCCESS, FAILED, PARTIAL"),
        ("since=yesterday", "with its offset"),
        ("since=2012-11-30", "with its offset"),
        ("since=2012-11-30T16:30:00", "with its offset"),
        ("since=0001-01-01T00:00:00%2B14:00", "with its offset"),
        ("symbol=", "a symbol is"),
        ("symbol=%27%20OR%201=1", "a symbol is"),
        ("job_name=a%00b", "the name of a job"),
        ("func=os:system", "not known here: func"),
    ],
)
def test_filter_that_cannot_be_read_is_named(api: Api, query: str, told: str) -> None:
    assert_problem(api.get(f"/scheduler/runs?{query}"), 422, told)


@pytest.mark.parametrize("path", ["/scheduler/runs/7", "/scheduler/requests/7", "/scheduler/runs/9223372036854775807"])
def test_what_is_not_there_is_not_found(api: Api, path: str) -> None:
    assert_problem(api.get(path), 404, "has the number")


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_run_that_is_not_there_is_not_operated(api: Api, verb: str) -> None:
    assert_problem(api.post(f"/scheduler/runs/7/{verb}"), 404, "no run has the number 7")


def test_nothing_at_an_address_is_said_to_those_who_may_know(api: Api) -> None:
    assert_problem(api.get("/scheduler/nothing"), 404, "nothing at this address")


def test_run_is_cancelled_once_and_asking_again_does_no_harm(api: Api) -> None:
    run_id = start_run(api)
    for _ in range(2):
        response = api.post(f"/scheduler/runs/{run_id}/cancel")
        assert (response.status_code, response.json["cancel_requested_at"]) == (202, "2012-11-30T21:31:00+00:00")
    assert rows(api, JobLog)[0].cancel_requested_by == "token:operate"


def test_run_that_ended_cannot_be_cancelled(api: Api) -> None:
    run_id = start_run(api)
    end_run(api, run_id)
    assert_problem(api.post(f"/scheduler/runs/{run_id}/cancel"), 409, "ended as SUCCESS")


def test_retry_asks_for_the_failed_companies(api: Api) -> None:
    run_id = start_run(api)
    end_run(api, run_id, "AAPL", "MSFT")
    response = api.post(f"/scheduler/runs/{run_id}/retry")
    assert (response.status_code, response.headers["Location"]) == (202, "/scheduler/requests/1")
    [request] = rows(api, JobRequest)
    assert json.loads(request.arguments) == {"symbols": ["AAPL", "MSFT"], "retry_of": run_id}
    assert request.requested_by == "token:operate"


def test_run_that_goes_on_or_went_well_is_not_retried(api: Api) -> None:
    run_id = start_run(api)
    assert_problem(api.post(f"/scheduler/runs/{run_id}/retry"), 409, "still running")
    end_run(api, run_id)
    assert_problem(api.post(f"/scheduler/runs/{run_id}/retry"), 409, "no failed companies")


# --- What is written down, and what never is.


def test_who_did_what_is_logged(api: Api) -> None:
    with capture_logs() as logs:
        api.post(f"{JOB}/run", {"symbols": ["AAPL"]})
        api.post(f"{JOB}/pause")
        api.get("/scheduler/jobs")
    common = {"event": "scheduler_api.operated", "log_level": "info", "who": "token:operate", "job": JOB[16:]}
    assert logs == [
        {**common, "what": "run", "request_id": 1, "symbols": ("AAPL",)},
        {**common, "what": "pause", "changed": True},
    ]


def test_refusal_is_logged_without_the_address(api: Api) -> None:
    with capture_logs() as logs:
        api.get(f"/scheduler/{api.tokens['operate']}", token=None)
        api.post(f"{JOB}/run", token="read")
    assert [(log["event"], log["status"], log["route"]) for log in logs] == [
        ("scheduler_api.refused", 401, "unknown"),
        ("scheduler_api.refused", 403, "/scheduler/jobs/<job_id>/run"),
    ]


@pytest.fixture
def printed_logs() -> Iterator[None]:
    """Logs as they are when nobody set them up: with every local variable that a renderer likes to show."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def test_token_is_in_no_log_no_answer_and_no_table(
    api: Api,
    printed_logs: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    token = api.tokens["operate"]
    answers = [api.call(method, path).text for method, path in EVERY_ROUTE]
    answers += [api.call(method, path, token="revoked").text for method, path in EVERY_ROUTE]

    def broken(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("the database went away")

    for name in ("list_jobs", "find_run"):
        monkeypatch.setattr(scheduler, name, broken)
    monkeypatch.setattr(people, "_live_token", lambda context, text: broken())
    broken_answer = api.get("/scheduler/jobs", token="operate")
    unrouted_answer = api.get("/scheduler/nothing", token="operate")

    assert_problem(broken_answer, 500, "the reason is in this server's log")
    assert_problem(unrouted_answer, 500)
    written = "".join(capsys.readouterr()) + caplog.text
    assert "the database went away" in written
    assert "the database went away" not in broken_answer.text + unrouted_answer.text
    stored = str(everything(api.context.database.engine)) + str([tuple(row) for row in rows(api, ApiToken)])
    for shown in (token, api.tokens["revoked"]):
        for kept in (written, stored, *answers, broken_answer.text):
            assert shown.split("_", 2)[2] not in kept


def test_broken_database_is_no_open_door(api: Api) -> None:
    with api.context.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE api_token")
    with capture_logs() as logs:
        assert_problem(api.post(f"{JOB}/run"), 500)
    assert logs[0]["event"] == "scheduler_api.failed"
    assert rows(api, JobRequest) == []


# --- Before serving begins.


def test_nobody_serves_an_api_that_nobody_could_use(sqlite_tables_url: str, tmp_path: Path, quick_hash: None) -> None:
    context = make_app(sqlite_tables_url, tmp_path, scheduler_api_enabled=True).extensions[EXTENSION]
    with pytest.raises(SettingsError, match=r"SCHEDULER_API_ENABLED: is on.*create-token"):
        require_way_in(context)
    people.create_token(context, name="ci", scope="read", by="ann")
    require_way_in(context)
    people.revoke_token(context, "ci")
    with pytest.raises(SettingsError):
        require_way_in(context)
    people.create_administrator(context, email="ann@example.org", password="correct horse battery")
    require_way_in(context)


def test_api_that_is_off_needs_nobody_and_no_table(sqlite_url: str, tmp_path: Path) -> None:
    require_way_in(make_app(sqlite_url, tmp_path).extensions[EXTENSION])


def test_api_that_is_on_needs_tables(sqlite_url: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseNotReadyError, match="init-db"):
        require_way_in(make_app(sqlite_url, tmp_path, scheduler_api_enabled=True).extensions[EXTENSION])


# --- Every database.


@pytest.fixture
def api_everywhere(tables_url: str, tmp_path: Path) -> Iterator[Api]:
    served = serve(make_app(tables_url, tmp_path))
    yield served
    served.context.database.dispose()


def test_one_round_on_every_database(api_everywhere: Api) -> None:
    api = api_everywhere
    location = api.post(f"{JOB}/run", {"symbols": ["AAPL"]}).headers["Location"]
    assert api.get(location).json["requested_at"] == datetime(2012, 11, 30, 21, 31, tzinfo=UTC).isoformat()
    assert api.post(f"{JOB}/pause", {"why": "späte Börse"}).json["paused_why"] == "späte Börse"
    assert api.post(f"{JOB}/resume").json["paused_by"] is None
    run_id = start_run(api)
    assert api.post(f"/scheduler/runs/{run_id}/cancel").status_code == 202
    end_run(api, run_id, "AAPL")
    assert api.post(f"/scheduler/runs/{run_id}/retry").status_code == 202
    query = "?since=2012-11-30T21:31:00Z&symbol=AAPL&status=PARTIAL&job_name=daily_price_update&limit=200"
    [run] = api.get(f"/scheduler/runs{query}").json["runs"]
    assert (run["id"], run["started_at"]) == (run_id, "2012-11-30T21:31:00+00:00")
    assert [item["symbol"] for item in api.get(f"/scheduler/runs/{run_id}").json["items"]] == ["AAPL", "IBM"]
    assert api.get("/scheduler/runs/9223372036854775807").status_code == 404
    assert [job["id"] for job in api.get("/scheduler/jobs").json["jobs"]] == ["daily_price_update", "log_retention"]
    assert api.get("/scheduler").json["running"] is False
    assert api.get("/scheduler/jobs", token="revoked").status_code == 401
