"""Who asked, paused, entered or decided is kept as far as it fits, however long an address is."""

from __future__ import annotations

from closingbell.jobs.registry import jobs_of
from closingbell.models import BookSetting, JobLog, JobRequest, JobState, Order
from closingbell.stores import job_log
from closingbell.usecases import control
from closingbell.usecases.accounts import set_book
from closingbell.usecases.orders import delete_order
from tests.app_fixtures import House

# As a page names a person with the longest address there may be.
WHO = "web:" + "a" * 242 + "@example.org"
KEPT = "web:" + "a" * 196


def test_long_address_fits_wherever_it_is_kept(house: House) -> None:
    context, registry = house.context, jobs_of(house.settings)
    result = house.command("accounts", "add", "Ann")
    assert result.exit_code == 0
    options = ("--date", "2012-09-05", "--amount", "5", "--by", WHO)
    assert house.command("orders", "add", "Ann", "DEPOSIT", *options).exit_code == 0
    [order] = house.rows(Order)
    delete_order(context, order.id, by=WHO)
    set_book(context, "lock_date", "2012-01-01", by=WHO)
    control.request_run(context, registry, "daily_price_update", by=WHO)
    assert control.pause_job(context, registry, "daily_price_update", by=WHO, why=None)
    now, wall = context.clock.now(), context.wall.now()
    start = job_log.RunStart("daily_price_update", "manual", "elsewhere.invalid:1:1", now, wall)
    run_id = context.database.write_unit(lambda connection: job_log.start_run(connection, start))
    assert control.cancel_run(context, run_id, by=WHO)

    [order], [book], [asked] = house.rows(Order), house.rows(BookSetting, order="name"), house.rows(JobRequest)
    [state], [run] = house.rows(JobState, order="job_name"), house.rows(JobLog)
    kept = [
        order.entered_by,
        order.deleted_by,
        book.changed_by,
        asked.requested_by,
        state.paused_by,
        run.cancel_requested_by,
    ]
    assert kept == [KEPT] * 6
