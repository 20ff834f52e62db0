from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask

from closingbell.errors import NotAllowedError, NotAuthenticatedError, UsageError
from closingbell.jobs.context import EXTENSION, JobContext
from closingbell.models import ApiToken, AuditEntry, User
from closingbell.stores import people as stored
from closingbell.usecases import people
from tests.api.conftest import NOW, make_app
from tests.app_fixtures import everything, rows_of, run_closingbell

pytestmark = pytest.mark.usefixtures("quick_hash")

PASSWORD = "correct horse battery"


def run(app: Flask, *arguments: str, typed: str | None = None) -> Any:
    return app.test_cli_runner().invoke(args=list(arguments), input=typed)


def context_of(app: Flask) -> JobContext:
    context: JobContext = app.extensions[EXTENSION]
    return context


def users(app: Flask) -> list[Any]:
    return rows_of(context_of(app).database.engine, User)


def tokens(app: Flask) -> list[Any]:
    return rows_of(context_of(app).database.engine, ApiToken)


# --- Administrators.


def test_administrator_is_asked_for_and_the_password_is_not_echoed(app: Flask) -> None:
    result = run(app, "create-admin", typed=f"Ann@Example.org\n{PASSWORD}\n{PASSWORD}\n")

    assert result.exit_code == 0, result.output
    assert "ann@example.org is an administrator now" in result.output
    assert PASSWORD not in result.output
    [user] = users(app)
    assert (user.email, user.name, user.is_active, user.is_administrator) == ("ann@example.org", None, True, True)
    assert user.created_at == NOW
    assert PasswordHasher().verify(user.password_hash, PASSWORD)
    assert user.password_hash.startswith("$argon2id$")


def test_two_different_passwords_are_asked_for_again(app: Flask) -> None:
    typed = f"{PASSWORD}\nsomething else entirely\n{PASSWORD}\n{PASSWORD}\n"
    result = run(app, "create-admin", "--email", "ann@example.org", typed=typed)
    assert result.exit_code == 0, result.output
    assert len(users(app)) == 1


def test_script_hands_the_password_over_on_standard_input(app: Flask) -> None:
    result = run(
        app, "create-admin", "--email", "ann@example.org", "--name", "Ann", "--password-stdin", typed=f"{PASSWORD}\r\n"
    )
    assert result.exit_code == 0, result.output
    [user] = users(app)
    assert user.name == "Ann"
    assert PasswordHasher().verify(user.password_hash, PASSWORD)


def test_password_is_no_option(app: Flask) -> None:
    result = run(app, "create-admin", "--email", "ann@example.org", "--password", PASSWORD)
    assert result.exit_code == 2
    assert users(app) == []


@pytest.mark.parametrize(
    ("arguments", "typed", "told"),
    [
        (["--password-stdin"], PASSWORD, "needs --email"),
        (["--email", "ann"], PASSWORD, "not an e-mail"),
        (["--email", "ann@example.org", "--password-stdin"], "short\n", "12 to 128"),
        (["--email", "ann@example.org", "--password-stdin"], "", "12 to 128"),
        (["--email", "ann@example.org", "--password-stdin"], "Ann@example.org\n", "must not be the e-mail"),
        (["--email", "ann@example.org", "--name", "a\tb", "--password-stdin"], PASSWORD, "the name must be"),
    ],
)
def test_wrong_use_is_named_and_stores_nobody(app: Flask, arguments: list[str], typed: str, told: str) -> None:
    result = run(app, "create-admin", *arguments, typed=typed)
    assert result.exit_code == 2
    assert told in result.output
    assert users(app) == []


def test_same_email_is_taken_however_it_is_spelled(app: Flask) -> None:
    for email in ("ann@example.org", "ANN@example.org"):
        result = run(app, "create-admin", "--email", email, "--password-stdin", typed=PASSWORD)
    assert result.exit_code == 2
    assert "somebody with the e-mail ann@example.org already" in result.output
    assert len(users(app)) == 1


def test_active_administrators_are_found(app: Flask) -> None:
    context = context_of(app)
    people.create_administrator(context, email="ann@example.org", password=PASSWORD)
    with context.database.read() as connection:
        [ann] = stored.load_administrators(connection)
        assert stored.find_person(connection, "ann@example.org") == ann
        assert stored.find_person(connection, "bob@example.org") is None
    with context.database.write() as connection:
        connection.exec_driver_sql("UPDATE app_user SET is_active = 0")
    with context.database.read() as connection:
        assert stored.load_administrators(connection) == []


# --- Tokens.


def test_token_is_printed_alone_and_told_to_be_kept(app: Flask) -> None:
    result = run(app, "create-token", "ci", "--scope", "read")
    assert result.exit_code == 0
    token = result.stdout.removesuffix("\n")
    assert people.verify_token(context_of(app), token, needs="read").name == "ci"
    assert result.stderr == "this token is shown only now; keep it where secrets are kept\n"


def test_token_as_json(app: Flask) -> None:
    result = run(app, "create-token", "ci", "--scope", "operate", "--format", "json")
    printed = json.loads(result.stdout)
    assert (printed["name"], printed["scope"]) == ("ci", "operate")
    assert people.verify_token(context_of(app), printed["token"], needs="operate").id == tokens(app)[0].id


def test_database_holds_no_token(app: Flask) -> None:
    token = run(app, "create-token", "ci", "--scope", "read").stdout.strip()
    people.verify_token(context_of(app), token, needs="read")
    secret = token.split("_", 2)[2]
    [row] = tokens(app)
    assert not any(token in str(value) or secret in str(value) for value in row)
    assert secret not in str(everything(context_of(app).database.engine))


def test_two_tokens_have_nothing_in_common(app: Flask) -> None:
    made = [run(app, "create-token", name, "--scope", "read").stdout.strip() for name in ("one", "two")]
    assert len({token.split("_", 2)[2] for token in made}) == 2
    assert all(len(token.split("_", 2)[2]) == 43 for token in made)


def test_tokens_are_listed_without_their_text(app: Flask) -> None:
    token = run(app, "create-token", "ci", "--scope", "read").stdout.strip()
    table = run(app, "list-tokens").stdout
    assert "ci" in table
    assert "2012-11-30 16:31:00 EST" in table
    assert "never" in table
    [listed] = json.loads(run(app, "list-tokens", "--format", "json").stdout)
    assert sorted(listed) == [
        "created_at", "created_by", "id", "is_live", "last_used_at", "name", "owner", "revoked_at", "scope",
    ]  # fmt: skip
    assert (listed["id"], listed["owner"], listed["is_live"]) == (1, None, True)
    assert listed["created_at"] == "2012-11-30T21:31:00+00:00"
    assert tokens(app)[0].token_hash not in table + str(listed)
    assert token not in table + str(listed)


def test_no_token_yet_says_how_to_make_one(app: Flask) -> None:
    assert "closingbell create-token NAME --scope read" in run(app, "list-tokens").stdout


def test_revoked_token_is_refused_from_then_on(app: Flask) -> None:
    token = run(app, "create-token", "ci", "--scope", "read").stdout.strip()
    assert run(app, "revoke-token", "ci").exit_code == 0
    with pytest.raises(NotAuthenticatedError, match="revoked"):
        people.verify_token(context_of(app), token, needs="read")
    again = run(app, "revoke-token", "ci")
    assert (again.exit_code, again.stderr) == (2, "error: the token 'ci' is revoked already\n")
    unknown = run(app, "revoke-token", "cd")
    assert (unknown.exit_code, unknown.stderr) == (2, "error: no token is called 'cd'; list-tokens shows them\n")


def test_who_made_and_revoked_what_on_the_console_is_written_down(app: Flask) -> None:
    by = ("--by", "Ann")
    token = run(app, "create-token", " ci ", "--scope", "read", *by).stdout.strip()
    run(app, "create-token", "ci", "--scope", "read", *by)
    run(app, "revoke-token", "ci", *by)
    run(app, "revoke-token", "ci", *by)
    run(app, "create-admin", "--email", "Ben@example.org", "--password-stdin", *by, typed=PASSWORD)
    secret = run(app, "create-admin", "--email", "cat@example.org", "--link", *by).stdout.strip().rpartition("/")[2]
    entries = rows_of(context_of(app).database.engine, AuditEntry)
    assert [(row.who, row.action, row.target, row.detail) for row in entries] == [
        ("Ann", "create token", "ci", "read"),
        ("Ann", "revoke token", "ci", "of the operator"),
        ("Ann", "create administrator", "ben@example.org", None),
        ("Ann", "create administrator", "cat@example.org", "by a link"),
    ]
    assert not any(text in str(entries) for text in (token, secret, PASSWORD))


def test_name_is_used_once_even_after_revoking(app: Flask) -> None:
    run(app, "create-token", "ci", "--scope", "read")
    run(app, "revoke-token", "ci")
    result = run(app, "create-token", "ci", "--scope", "read")
    assert result.exit_code == 2
    assert "called 'ci' already" in result.stderr


def test_a_persons_token_is_revoked_by_its_name_and_whose_it_is(app: Flask) -> None:
    context = context_of(app)
    ann = people.create_administrator(context, email="ann@example.org", password=PASSWORD)
    people.create_token(context, name="ci", scope="read", by="ann", user_id=ann)
    assert "ann@example.org" in run(app, "list-tokens").stdout
    told = run(app, "revoke-token", "ci")
    assert (told.exit_code, told.stderr) == (
        2,
        "error: no token is called 'ci'; list-tokens shows them; ann@example.org has one: --of EMAIL\n",
    )
    assert run(app, "revoke-token", "ci", "--of", "bob@example.org").exit_code == 2
    assert [one.revoked_at for one in tokens(app)] == [None]
    assert run(app, "revoke-token", "ci", "--of", "Ann@example.org").exit_code == 0
    assert [one.revoked_at for one in tokens(app)] == [NOW]


def test_a_token_of_a_person_without_access_is_refused(app: Flask) -> None:
    context = context_of(app)
    ann = people.create_administrator(context, email="ann@example.org", password=PASSWORD)
    token = people.create_token(context, name="ci", scope="read", by="ann", user_id=ann)
    assert people.has_way_in(context) is True
    with context.database.write() as connection:
        connection.exec_driver_sql("UPDATE app_user SET is_active = 0")
    with pytest.raises(NotAuthenticatedError, match="has no access any more"):
        people.verify_token(context, token, needs="read")
    assert [one.is_live for one in people.list_tokens(context)] == [False]
    assert people.has_way_in(context) is False


@pytest.mark.parametrize("arguments", [["ci"], ["ci", "--scope", "admin"], ["", "--scope", "read"]])
def test_token_needs_a_name_and_a_scope_that_is_known(app: Flask, arguments: list[str]) -> None:
    assert run(app, "create-token", *arguments).exit_code == 2
    assert tokens(app) == []


def test_unknown_scope_is_refused_below_the_command_too(app: Flask) -> None:
    with pytest.raises(UsageError, match="read or operate"):
        people.create_token(context_of(app), name="ci", scope="admin", by="ann")


@pytest.mark.parametrize(
    "change",
    [
        lambda token: "",
        lambda token: "cb_1",
        lambda token: token + "x",
        lambda token: token[:-1],
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: token.replace("cb_", "cb_0", 1),
        lambda token: token.replace("cb_1_", "cb_2_", 1),
        lambda token: token.replace("cb_1_", f"cb_{'9' * 18}_", 1),
        lambda token: token.replace("cb_1_", f"cb_{'9' * 40}_", 1),
        lambda token: token.replace("cb_1_", "cb_١_", 1),
        lambda token: token + "\n",
        lambda token: "é" * 40,
    ],
)
def test_anything_but_the_token_itself_is_refused(app: Flask, change: Any) -> None:
    token = people.create_token(context_of(app), name="ci", scope="operate", by="ann")
    with pytest.raises(NotAuthenticatedError) as caught:
        people.verify_token(context_of(app), change(token), needs="read")
    assert token[5:20] not in str(caught.value)


def test_use_is_written_down_once_a_minute(app: Flask) -> None:
    context = context_of(app)
    token = people.create_token(context, name="ci", scope="read", by="ann")
    used = []
    for seconds in (0, 59, 1, 60):
        context.wall.advance(timedelta(seconds=seconds))  # type: ignore[attr-defined]
        people.verify_token(context, token, needs="read")
        used.append(tokens(app)[0].last_used_at)
    start = datetime(2012, 11, 30, 21, 31, tzinfo=UTC)
    minute = timedelta(minutes=1)
    assert used == [start, start, start + minute, start + 2 * minute]


def test_scope_that_nobody_knows_allows_nothing(app: Flask) -> None:
    context = context_of(app)
    token = people.create_token(context, name="ci", scope="read", by="ann")
    with context.database.write() as connection:
        connection.exec_driver_sql("UPDATE api_token SET scope = 'everything'")
    with pytest.raises(NotAllowedError):
        people.verify_token(context, token, needs="read")


# --- Every database, and a process of its own.


@pytest.fixture
def app_everywhere(tables_url: str, tmp_path: Path) -> Iterator[Flask]:
    made = make_app(tables_url, tmp_path)
    yield made
    made.extensions[EXTENSION].database.dispose()


def test_people_and_tokens_on_every_database(app_everywhere: Flask) -> None:
    context = context_of(app_everywhere)
    assert people.has_way_in(context) is False
    people.create_administrator(context, email="ann@example.org", password=PASSWORD)
    with pytest.raises(UsageError, match="already"):
        people.create_administrator(context, email="Ann@example.org", password=PASSWORD)
    assert people.has_way_in(context) is True
    token = people.create_token(context, name="ci", scope="read", by="ann")
    with pytest.raises(UsageError, match="already"):
        people.create_token(context, name="ci", scope="operate", by="ann")
    assert people.verify_token(context, token, needs="read").scope == "read"
    with pytest.raises(NotAllowedError, match="scope operate"):
        people.verify_token(context, token, needs="operate")
    people.revoke_token(context, "ci")
    [view] = people.list_tokens(context)
    assert (view.created_at, view.last_used_at, view.revoked_at) == (NOW, NOW, NOW)
    # A name is each owner's, once: of the operator's, and of every person's.
    [ann] = users(app_everywhere)
    own = people.create_token(context, name="ci", scope="operate", by="ann", user_id=ann.id)
    with pytest.raises(UsageError, match="already"):
        people.create_token(context, name="ci", scope="read", by="ann", user_id=ann.id)
    owner = people.verify_token(context, own, needs="operate").owner
    assert owner == stored.TokenOwner(ann.id, "ann@example.org", True, True, False)
    assert [(one.owner, one.is_live) for one in people.list_tokens(context)] == [
        (None, False),
        ("ann@example.org", True),
    ]


@pytest.mark.parametrize("command", [["list-tokens"], ["revoke-token", "ci"], ["create-token", "ci", "--scope=read"]])
def test_database_without_tables_says_what_to_do(tmp_path: Path, sqlite_url: str, command: list[str]) -> None:
    result = run(make_app(sqlite_url, tmp_path), *command)
    assert result.exit_code == 1
    assert "closingbell init-db" in result.output


def test_commands_in_a_process_of_their_own(tmp_path: Path, sqlite_tables_url: str) -> None:
    import os

    env = {**os.environ, "DATABASE_URL": sqlite_tables_url, "INSTANCE_PATH": str(tmp_path)}
    made = run_closingbell("create-token", "ci", "--scope", "operate", env=env, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("cb_1_")
    assert made.stdout.count("\n") == 1


# --- People.


def test_people_are_let_in_listed_changed_and_let_in_no_more(app: Flask) -> None:
    people.create_administrator(context_of(app), email="ann@example.org", password=PASSWORD)
    added = run(app, "people", "add", " Max@Example.org", "--name", "Max", "--role", "viewer", "--by", "root")
    assert (added.exit_code, added.stderr) == (0, "this link works once, for half an hour\n")
    secret = added.stdout.strip().rpartition("/welcome/")[2]
    assert secret not in str(everything(context_of(app).database.engine))
    assert _listed(app) == [
        ("ann@example.org", "", "administrator", "by password"),
        ("max@example.org", "Max", "viewer", "once a password is chosen"),
    ]

    assert people.choose_password(context_of(app), secret, PASSWORD, address=None).email == "max@example.org"
    assert run(app, "people", "role", "max@example.org", "member").stdout == "max@example.org is a member now\n"
    assert run(app, "people", "deactivate", "MAX@example.org").stdout == "max@example.org may not sign in any more\n"
    assert _listed(app)[1] == ("max@example.org", "Max", "member", "no")
    refused = run(app, "people", "link", "max@example.org")
    assert (refused.exit_code, refused.stderr) == (
        2,
        "error: max@example.org may not sign in; allow that first: closingbell people activate max@example.org\n",
    )
    assert run(app, "people", "activate", "max@example.org").stdout == "max@example.org may sign in again\n"
    assert run(app, "people", "role", "max@example.org", "administrator").exit_code == 0
    assert _listed(app)[1] == ("max@example.org", "Max", "administrator", "by password")
    again = run(app, "people", "link", "max@example.org").stdout.strip().rpartition("/welcome/")[2]
    assert people.link_owner(context_of(app), again) is not None

    told = [(row.who, row.action, row.target, row.address) for row in rows_of(_engine(app), AuditEntry)]
    assert told[0] == ("root", "add person", "max@example.org", "console")
    assert [action for _, action, target, _ in told[1:] if target == "max@example.org"] == [
        "choose password", "edit person", "edit person", "edit person", "edit person", "link person"
    ]  # fmt: skip


def test_what_cannot_be_of_a_person_is_said_and_written_down_nowhere(app: Flask) -> None:
    people.create_administrator(context_of(app), email="ann@example.org", password=PASSWORD)
    before = everything(_engine(app))
    for words, said in (
        (("add", "ann@example.org"), "there is somebody with the e-mail ann@example.org already"),
        (("add", "max"), "that is not an e-mail address; write it like ann@example.org"),
        (("role", "nobody@example.org", "viewer"), "nobody has the address 'nobody@example.org'"),
        (("deactivate", "ann@example.org"), "ann@example.org is the last administrator who can sign in; "
         "first make somebody else one who has a password"),
        (("role", "ann@example.org", "viewer"), "ann@example.org is the last administrator who can sign in; "
         "first make somebody else one who has a password"),
    ):  # fmt: skip
        refused = run(app, "people", *words)
        assert (refused.exit_code, refused.stderr) == (2, f"error: {said}\n"), words
    assert run(app, "people", "add", "max@example.org", "--role", "administrator").exit_code == 2
    assert everything(_engine(app)) == before


def _listed(app: Flask) -> list[tuple[str, str, str, str]]:
    """E-mail, name, role and how they sign in, as the table tells."""
    lines = run(app, "people", "list").stdout.splitlines()
    starts = [lines[0].index(heading) for heading in ("email", "name", "role", "signs in", "since")]
    cells = [[line[a:b].strip() for a, b in pairwise(starts)] for line in lines[1:]]
    return [(one[0], one[1], one[2], one[3]) for one in cells]


def _engine(app: Flask) -> Any:
    return context_of(app).database.engine
