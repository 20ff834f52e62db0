from __future__ import annotations

import csv
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text, update

from closingbell.models import AuditEntry, DatabaseMark, JobLog, JobLogItem, JobRequest, JobState, Notification, User
from closingbell.stores import job_log
from closingbell.stores.marks import newest_revision
from closingbell.stores.upsert import table_of
from closingbell.usecases import people
from closingbell.web import looks, runs
from tests.web.conftest import PASSWORD, Site


def plain_text(html: str) -> str:
    """What a reader sees of a page, blanks put together."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_now_says_that_no_scheduler_is_alive(site: Site) -> None:
    text = plain_text(site.as_("viewer").text("/"))
    assert "No scheduler is alive." in text
    assert "Look below" in text


def test_now_shows_the_newest_closes_and_the_market(site: Site) -> None:
    site.house.hold("AAPL", "MSFT", since="2012-11-29")
    site.house.run()

    text = plain_text(site.as_("viewer").text("/"))

    assert "2 of 2" in text
    assert (
        "XNYS Closed after the close Opens in 2 days · 2012-12-03 09:30 EST · 14:30 UTC "
        "Closes in 2 days · 2012-12-03 16:00 EST · 21:00 UTC" in text
    )
    assert "Newest closed session: Fri 2012-11-30" in text


def test_now_names_a_holiday_and_a_half_day(site: Site) -> None:
    site.house.hold("AAPL", since="2012-11-20")
    site.house.run()
    site.house.at("2012-11-22 12:00")
    text = plain_text(site.as_("viewer").text("/"))
    # Thanksgiving, and the Friday after it that ends at one o'clock.
    assert (
        "Closed Thanksgiving half day Opens in 21 h · 2012-11-23 09:30 EST · 14:30 UTC "
        "Closes in 25 h · 2012-11-23 13:00 EST · 18:00 UTC" in text
    )


def test_now_says_when_a_job_is_due_in_words_and_in_two_zones(site: Site) -> None:
    site.house.hold("AAPL", since="2012-11-29")
    site.house.run()
    site.house.at("2012-12-03 14:25")
    text = plain_text(site.as_("viewer").text("/"))
    assert "in 2 h 5 min 2012-12-03 16:30 EST · 21:30 UTC " in text
    assert "Times are New York's. As of 2012-12-03 14:25 EST · 19:25 UTC" in text


def test_an_instant_whose_day_is_another_in_utc_says_so() -> None:
    at = datetime(2012, 12, 1, 1, 30, tzinfo=UTC)
    assert str(looks.everywhere(at)) == (
        '<time datetime="2012-12-01T01:30:00+00:00">2012-11-30 20:30 EST</time> · '
        '<span class="dim" data-here="2012-12-01T01:30:00+00:00">2012-12-01 01:30 UTC</span>'
    )
    assert looks.everywhere(None, "not planned") == "not planned"


def test_how_far_off_something_is() -> None:
    told = {seconds: looks.in_words(seconds) for seconds in (-5, 0, 59, 60, 3599, 7200, 7500, 36_060, 172_799, 172_800)}
    assert told == {
        -5: "now",
        0: "now",
        59: "in less than a minute",
        60: "in 1 min",
        3599: "in 59 min",
        7200: "in 2 h",
        7500: "in 2 h 5 min",
        36_060: "in 10 h",
        172_799: "in 47 h",
        172_800: "in 2 days",
    }


def test_a_member_is_led_to_the_messages(site: Site) -> None:
    assert site.as_("member").get("/").headers["Location"] == "/portfolio"


def test_run_now_is_asked_once_then_done_and_written_down(site: Site) -> None:
    browser = site.as_("administrator")
    assert "Run daily_price_update now?" in browser.text("/jobs/daily_price_update/run")
    assert site.house.rows(JobRequest) == []

    response = browser.post("/jobs/daily_price_update/run", symbols="aapl, MSFT")

    assert response.status_code == 302
    asked = site.house.rows(JobRequest)
    assert [(one.job_name, one.arguments, one.requested_by) for one in asked] == [
        ("daily_price_update", '{"symbols": ["AAPL", "MSFT"]}', "web:administrator@example.org")
    ]
    assert site.house.rows(AuditEntry)[-1].action == "run job"


def test_a_person_with_the_longest_address_asks_for_a_run(site: Site) -> None:
    address = f"{'a' * 60}@{'b' * 60}.{'c' * 60}.{'d' * 60}.example"
    people.create_administrator(site.context, email=address, password=PASSWORD)
    browser = site.browser()
    assert browser.sign_in(address).status_code == 302
    browser.get("/jobs/daily_price_update/run")
    assert browser.post("/jobs/daily_price_update/run").status_code == 302
    [asked] = site.house.rows(JobRequest)
    # Two hundred characters: 4, the 61 of the name and its sign, two labels, and 13 of the third.
    assert asked.requested_by == f"web:{'a' * 60}@{'b' * 60}.{'c' * 60}.{'d' * 13}"


def test_pause_and_resume(site: Site) -> None:
    browser = site.as_("administrator")
    browser.post("/jobs/daily_price_update/pause", why="moving house")
    assert [(one.job_name, one.paused_why) for one in site.house.rows(JobState, order="job_name")] == [
        ("daily_price_update", "moving house")
    ]
    assert "paused by web:administrator@example.org : moving house" in plain_text(browser.text("/")).replace(
        "org:", "org :"
    )
    browser.post("/jobs/daily_price_update/resume")
    assert site.house.rows(JobState, order="job_name")[0].paused_at is None


def test_an_unknown_job_is_not_run(site: Site) -> None:
    browser = site.as_("administrator")
    assert browser.post("/jobs/os:system/run").status_code == 404
    assert browser.post("/jobs/daily_price_update/explode").status_code == 404


def test_a_run_shows_what_each_company_came_to(site: Site) -> None:
    site.house.hold("AAPL", "NOSUCH", since="2012-11-29")
    site.house.run()

    browser = site.as_("viewer")
    listed, run = plain_text(browser.text("/runs")), plain_text(browser.text("/runs/1"))

    assert "1 daily_price_update partial" in listed
    assert "failed 1 company: symbol unknown" in run.lower()
    assert "Yahoo does not know this symbol" in run
    assert f"Requests {site.house.market.request_count} to yahoo" in run
    assert "Retry failed" not in run
    assert "Retry failed" in plain_text(site.as_("administrator").text("/runs/1"))


def test_a_run_counts_all_that_ended_alike_and_names_the_first(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("closingbell.web.runs.SHOWN_OF_A_GROUP", 1)
    site.house.hold("MSFT", "AAPL", "NOSUCH", "IBM", since="2012-11-29")
    site.house.run()

    run = plain_text(site.as_("viewer").text("/runs/1"))

    assert "1 failed 3 stored failed 1 company: symbol unknown" in run.lower()
    assert re.search(r"stored 3 companies Symbol .* AAPL 2/2 .* … and 2 more: all companies of this run as CSV \.", run)
    assert "IBM 2/2" not in run


def test_every_company_of_a_run_is_in_its_file(site: Site) -> None:
    site.house.hold("MSFT", "NOSUCH", "IBM", since="2012-11-29")
    site.house.run()
    with site.context.database.write() as connection:
        connection.execute(update(JobLogItem).where(JobLogItem.symbol == "NOSUCH").values(message="=1+1"))

    sent = site.as_("viewer").get("/runs/1/companies.csv")

    assert (sent.mimetype, sent.headers["Content-Disposition"]) == ("text/csv", "attachment; filename=run-1.csv")
    heading, *lines = list(csv.reader(sent.get_data(as_text=True).splitlines()))
    assert heading[:5] == ["symbol", "outcome", "expected_count", "covered_count", "stored_count"]
    assert [line[:5] for line in lines] == [
        ["IBM", "stored", "2", "2", "2"],
        ["MSFT", "stored", "2", "2", "2"],
        ["NOSUCH", "failed", "2", "0", "0"],
    ]
    # No text is run by a spreadsheet.
    assert lines[2][heading.index("message")] == "'=1+1"
    assert site.as_("viewer").get("/runs/2/companies.csv").status_code == 404


def test_a_symbol_leads_to_its_company_for_those_who_may_look_at_it(site: Site) -> None:
    site.house.orders("2012-09-04,BUY,AAPL,20,675.00,4.95,USD")
    site.house.run()
    link = 'href="/companies/AAPL"'
    viewer = site.as_("viewer")
    assert [link in viewer.text(path) for path in ("/runs/1", "/dividends", "/dividends/1")] == [True] * 3

    for role, leads in (("viewer", True), ("member", False)):
        assert site.house.command("accounts", "give", "Ann", f"{role}@example.org").exit_code == 0
        assert (link in site.as_(role).text("/portfolio/1")) is leads


def test_runs_are_filtered(site: Site) -> None:
    site.house.hold("AAPL", since="2012-11-29")
    site.house.run()
    browser = site.as_("viewer")
    assert "No run is like that." in browser.text("/runs?status=FAILED")
    assert "No run is like that." in browser.text("/runs?symbol=MSFT")
    assert "No run is like that." not in browser.text("/runs?symbol=aapl&job=daily_price_update")


def test_progress_of_an_ended_run_ends_at_once(site: Site) -> None:
    site.house.hold("AAPL", since="2012-11-29")
    site.house.run()
    response = site.as_("viewer").get("/runs/1/progress")
    assert response.mimetype == "text/event-stream"
    lines = response.get_data(as_text=True).split("\n\n")
    assert '"processed":1' in lines[0]
    assert '"symbol":"AAPL"' in lines[0]
    assert lines[1] == "event: ended\ndata: {}"


def test_settings_show_no_secret(site: Site) -> None:
    text = site.as_("administrator").text("/settings")
    assert "YAHOO_REQUESTS_PER_MINUTE" in text
    assert site.house.app.config["SECRET_KEY"] not in text


def test_a_company_s_name_is_text_wherever_it_stands(site: Site) -> None:
    site.house.hold("AAPL", since="2012-11-29")
    site.house.run()
    site.as_("administrator").post("/jobs/daily_price_update/pause", why="<script>alert(1)</script>")
    assert "<script>alert" not in site.as_("viewer").text("/")


def test_a_run_under_way_names_the_company_that_ended_last(site: Site) -> None:
    context = site.context
    at = context.wall.now()
    with context.database.write() as connection:
        run_id = job_log.start_run(connection, job_log.RunStart("daily_price_update", "manual", "us", at, at))
        job_log.store_progress(connection, run_id, "us", processed=2, failed=0, last_symbol="IBM", wall=at, planned=5)
        # Progress without a company keeps the one that was named.
        job_log.store_progress(connection, run_id, "us", processed=2, failed=0, wall=at)
    told = plain_text(site.as_("viewer").text(f"/runs/{run_id}"))
    assert "2 of 5 companies, 0 failed, the last was IBM , – a second" in told


def assert_not_ready(site: Site, why: str) -> None:
    response = site.browser().get("/readyz")
    assert (response.status_code, response.get_data(as_text=True)) == (503, f"not ready: {why}\n")
    # It lives all the same: starting it anew would not help.
    assert site.browser().text("/healthz") == "ok\n"


def test_without_tables_it_is_not_ready(site: Site) -> None:
    with site.context.database.write() as connection:
        table_of(DatabaseMark).drop(connection)
    assert_not_ready(site, "the database has no tables yet; run: closingbell init-db")


def test_with_tables_of_another_version_it_is_not_ready(site: Site) -> None:
    known = newest_revision()
    with site.context.database.write() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('0001')"))
    way_out = "run: closingbell init-db"
    assert_not_ready(site, f"the tables are of revision 0001, this version works with {known}; {way_out}")

    with site.context.database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :known"), {"known": known})
    assert site.browser().text("/readyz") == "ready\n"


def test_without_its_database_it_is_not_ready(site: Site) -> None:
    engine = site.context.database.engine
    engine.dispose()
    for path in Path(engine.url.database or "").parent.glob("closingbell.sqlite*"):
        path.write_bytes(b"no database" * 1000)
    assert_not_ready(site, "the database does not answer")


def test_messages_are_read_a_page_at_a_time_to_the_oldest(site: Site) -> None:
    viewer = site.as_("viewer")
    at = site.context.clock.now()
    with site.context.database.write() as connection:
        [user_id] = connection.scalars(select(User.id).where(User.email == "viewer@example.org"))
        rows = [
            {"user_id": user_id, "type": "job_failed", "level": "ERROR", "title": f"No. {number}.", "body": "Why.",
             "dedupe_key": str(number), "created_at": at - timedelta(minutes=number)}
            for number in range(1, 104)
        ]  # fmt: skip
        connection.execute(insert(Notification), rows)

    newest = viewer.text("/notifications?unread=1")
    [older] = re.findall(r'href="([^"]+)">Older messages', newest)
    oldest = plain_text(viewer.text(older.replace("&amp;", "&")))

    assert ("No. 1." in newest, "No. 100." in newest, "No. 101." in newest) == (True, True, False)
    assert [f"No. {number}." in oldest for number in (100, 101, 102, 103)] == [False, True, True, True]
    assert "Older messages" not in oldest
    # Who marks some as read goes on where they stood.
    [first, *_] = re.findall(r'name="id" value="([0-9]+)"', viewer.text(older.replace("&amp;", "&")))
    there = viewer.post(older.replace("&amp;", "&"), id=first).headers["Location"]
    assert there == older.replace("&amp;", "&")
    assert [f"No. {number}." in viewer.text(there) for number in (100, 101, 102, 103)] == [False, False, True, True]


def test_health_is_told_to_anybody_and_no_more(site: Site) -> None:
    browser = site.browser()
    assert browser.text("/healthz") == "ok\n"
    assert browser.text("/readyz") == "ready\n"


def test_live_views_leave_threads_for_everybody_else(site: Site) -> None:
    now = site.context.clock.now()
    run = {"job_name": "daily_price_update", "status": "RUNNING", "started_at": now, "trigger": "manual"}
    with site.context.database.write() as connection:
        connection.execute(insert(JobLog).values(**run, owner="somebody", heartbeat_at=now))
    taken = [runs._streams.acquire(blocking=False) for _ in range(runs.MOST_STREAMS)]
    try:
        # One more is told how things are, and ends instead of holding a thread.
        text = site.as_("viewer").get("/runs/1/progress").get_data(as_text=True)
    finally:
        for _ in filter(None, taken):
            runs._streams.release()
    assert taken == [True] * runs.MOST_STREAMS
    assert text.count("data: ") == 1
    assert '"status":"RUNNING"' in text
