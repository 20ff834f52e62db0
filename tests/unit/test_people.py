from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from closingbell.errors import ClosingbellError, NotAllowedError, NotAuthenticatedError, UsageError
from closingbell.stores.people import StoredToken
from closingbell.usecases import people
from closingbell.usecases.people import check_password, checked_email, checked_name


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("ann@example.org", "ann@example.org"),
        ("  Ann.Lee+jobs@Example.ORG \n", "ann.lee+jobs@example.org"),
        ("root@localhost", "root@localhost"),
        ("o'neil@bücher.example", "o'neil@bücher.example"),
    ],
)
def test_email_is_stored_in_lower_case(given: str, stored: str) -> None:
    assert checked_email(given) == stored


@pytest.mark.parametrize(
    "given",
    [
        "",
        "ann",
        "@example.org",
        "ann@",
        "ann@example@org",
        "ann@example..org",
        "ann@.org",
        "ann@example.org.",
        "an n@example.org",
        "ann@example.org\nBcc: all@example.org",
        "<ann@example.org>",
        "ann@example.org,bob@example.org",
        "ann\0@example.org",
        f"{'a' * 65}@example.org",
        f"ann@{'e' * 251}",
    ],
)
def test_what_is_no_email_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match="not an e-mail"):
        checked_email(given)


@pytest.mark.parametrize("password", ["twelve chars", "x" * 128, "ein langes Wörtchen", " leading and trailing "])
def test_password_of_12_to_128_characters_is_taken(password: str) -> None:
    check_password(password, email="ann@example.org")


@pytest.mark.parametrize(
    ("password", "told"),
    [
        ("", "12 to 128"),
        ("eleven char", "12 to 128"),
        ("x" * 129, "12 to 128"),
        ("ann@example.org", "must not be the e-mail"),
        ("ANN@Example.org", "must not be the e-mail"),
        ("a tab\tin the middle", "control characters"),
        ("not decodable \udcff here", "control characters"),
    ],
)
def test_bad_password_is_refused(password: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        check_password(password, email="ann@example.org")


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "two\nlines", "bell\a"])
def test_bad_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="a token's name must be 1 to 100 printable characters"):
        checked_name(name, longest=100, what="a token's name")


def test_operate_includes_read_and_read_nothing_else() -> None:
    assert people.INCLUDES == {"read": ("read",), "operate": ("read", "operate")}


def test_stored_hash_is_not_shown_with_the_token() -> None:
    stored = StoredToken(1, "ci", "5e884898da28", "read", None, None)
    assert "5e884898da28" not in repr(stored)


def test_passwords_are_hashed_as_argon2id_with_the_librarys_own_strength() -> None:
    hasher = PasswordHasher()
    assert people._hasher.type.name == "ID"
    assert people._hasher.memory_cost == hasher.memory_cost >= 19 * 1024


def test_access_errors_are_expected_errors() -> None:
    assert issubclass(NotAuthenticatedError, ClosingbellError)
    assert issubclass(NotAllowedError, ClosingbellError)
    assert not issubclass(NotAllowedError, UsageError)
