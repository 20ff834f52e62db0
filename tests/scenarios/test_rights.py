"""What a person may do is changed by several administrators at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import update

from closingbell.errors import UsageError
from closingbell.models import AuditEntry, User
from closingbell.usecases import people, rights
from tests.app_fixtures import House


def test_two_administrators_who_take_each_others_right_leave_one(house: House) -> None:
    emails = ("ann@example.org", "bob@example.org")
    for email in emails:
        people.invite_administrator(house.context, email=email)
    with house.context.database.write() as connection:
        connection.execute(update(User).values(password_hash="x"))

    def demote(email: str) -> str:
        try:
            rights.change_person(house.context, email, is_administrator=False, by="somebody")
        except UsageError as refused:
            return str(refused)
        return "done"

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(demote, emails))

    assert said.count("done") == 1
    assert sum("is the last administrator who can sign in" in words for words in said) == 1
    assert sum(one.is_administrator for one in house.rows(User)) == 1
    # What was refused is not written down as done.
    assert len(house.rows(AuditEntry)) == 1
