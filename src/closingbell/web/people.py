"""Signing in: Flask-Security over the people's table, with its own session on our engine."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

from flask import Flask, abort, redirect, request, session, url_for
from flask_login import user_logged_out
from flask_security import RoleMixin, Security, SQLAlchemySessionUserDatastore, UserMixin, current_user
from flask_security.signals import password_changed, tf_disabled, tf_profile_changed, user_authenticated
from sqlalchemy.orm import registry, scoped_session, sessionmaker

from closingbell.jobs.context import JobContext
from closingbell.models import User
from closingbell.stores.upsert import table_of
from closingbell.usecases import people
from closingbell.usecases.audited import write_down
from closingbell.usecases.reasons import Actor
from closingbell.web.sign_in_limits import limit_sign_in


class Role(RoleMixin):
    """A role by its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.permissions: list[str] = []


class Person(UserMixin):
    """A person as Flask-Security knows one; the same table as ``User``."""

    id: int
    email: str
    name: str | None
    is_administrator: bool
    is_viewer: bool
    fs_uniquifier: str

    @property
    def roles(self) -> list[RoleMixin]:  # type: ignore[override]
        """The roles that the columns say."""
        names = {"administrator": self.is_administrator, "viewer": self.is_viewer}
        return [Role(name) for name, is_so in names.items() if is_so]


# What a person changed of the own way in.
_NOTED = (
    (password_changed, "change password"),
    (tf_profile_changed, "set up second factor"),
    (tf_disabled, "remove second factor"),
)
_mapped: list[bool] = []


def _map_person() -> None:
    """Give the people's table its second mapping, once in a process: with the names that Flask-Security wants."""
    if _mapped:
        return
    table = table_of(User)
    renamed = {"password": table.c.password_hash, "active": table.c.is_active}
    registry().map_imperatively(Person, table, properties=renamed)
    _mapped.append(True)


class Datastore(SQLAlchemySessionUserDatastore):
    """People in the database; roles are columns of theirs."""

    def find_user(self, case_insensitive: bool = False, **kwargs: Any) -> Person | None:
        """The person of that id, e-mail or session; the transaction ends with the look.

        One that went on would have to become a writing one later, which SQLite refuses once somebody else wrote.
        """
        found = super().find_user(case_insensitive, **kwargs)
        self.db.session.commit()
        return found if isinstance(found, Person) else None

    def find_role(self, role: str) -> Role | None:
        """A role of that name."""
        return Role(role) if role in {"administrator", "viewer"} else None


def add_people(app: Flask, context: JobContext, secret_key: str) -> None:
    """Sessions, sign-in, second factor and its limits."""
    _map_person()
    scoped = scoped_session(sessionmaker(context.database.engine, expire_on_commit=False))
    app.teardown_appcontext(lambda _error: scoped.remove())
    app.config.update(_settings(context, secret_key))
    datastore = Datastore(scoped, Person, Role)
    app.extensions["closingbell_people"] = datastore
    Security(app, datastore)
    # Its way out of a lost second factor is mail, which whoever has the password may read too; ours is a command.
    app.view_functions["security.two_factor_rescue"] = lambda: abort(404)
    _keep_session_of_a_lost_code(app)
    user_logged_out.connect(_end_sessions(context, datastore), app, weak=False)
    user_authenticated.connect(_note_sign_in(context, datastore), app, weak=False)
    for signal, action in _NOTED:
        signal.connect(_noted(context, datastore, action), app, weak=False)
    limit_sign_in(app, secret_key)


def _keep_session_of_a_lost_code(app: Flask) -> None:
    """Who is signed in and was asked for no code is led on: as it comes, the page signs such a person out everywhere.

    It is reached by a link, so any page elsewhere could do that to whoever follows one.
    """
    endpoint = "security.two_factor_token_validation"
    validate = app.view_functions[endpoint]

    def validate_code() -> Any:
        if current_user.is_authenticated and session.get("tf_state") != "validating_profile":
            return redirect(url_for("security.two_factor_setup"))
        return validate()

    app.view_functions[endpoint] = validate_code


def _settings(context: JobContext, secret_key: str) -> dict[str, Any]:
    is_secure = context.settings.public_url.startswith("https://")
    return {
        "SECRET_KEY": secret_key,
        "SESSION_COOKIE_NAME": "__Host-closingbell" if is_secure else "closingbell",
        "SESSION_COOKIE_SECURE": is_secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "PERMANENT_SESSION_LIFETIME": 12 * 3600,
        # Hashes are argon2's own, without a second hash around them, so that commands and pages agree.
        "SECURITY_PASSWORD_SINGLE_HASH": True,
        "SECURITY_PASSWORD_HASH": "argon2",
        "SECURITY_PASSWORD_SCHEMES": ["argon2"],
        "SECURITY_DEPRECATED_PASSWORD_SCHEMES": [],
        "SECURITY_PASSWORD_SALT": _derived(secret_key, "password"),
        "SECURITY_PASSWORD_LENGTH_MIN": people.SHORTEST_PASSWORD,
        "SECURITY_RETURN_GENERIC_RESPONSES": True,
        "SECURITY_REGISTERABLE": False,
        "SECURITY_RECOVERABLE": False,
        "SECURITY_CHANGEABLE": True,
        "SECURITY_CHANGE_URL": "/password",
        "SECURITY_SEND_PASSWORD_CHANGE_EMAIL": False,
        "SECURITY_LOGIN_URL": "/sign-in",
        "SECURITY_LOGOUT_URL": "/sign-out",
        "SECURITY_LOGOUT_METHODS": ["POST"],
        "SECURITY_POST_LOGIN_VIEW": "/",
        "SECURITY_POST_LOGOUT_VIEW": "/sign-in",
        "SECURITY_POST_CHANGE_VIEW": "/settings",
        "SECURITY_UNAUTHORIZED_VIEW": None,
        "SECURITY_EMAIL_VALIDATOR_ARGS": {"check_deliverability": False},
        "SECURITY_JOIN_USER_ROLES": False,
        "SECURITY_TRACKABLE": False,
        "SECURITY_DEFAULT_REMEMBER_ME": False,
        "SECURITY_FRESHNESS_GRACE_PERIOD": timedelta(hours=1),
        "SECURITY_TWO_FACTOR": True,
        "SECURITY_TWO_FACTOR_REQUIRED": False,
        "SECURITY_TWO_FACTOR_ENABLED_METHODS": ["authenticator"],
        "SECURITY_TWO_FACTOR_ALWAYS_VALIDATE": True,
        "SECURITY_TOTP_SECRETS": {"1": _derived(secret_key, "totp")},
        "SECURITY_TOTP_ISSUER": "closingbell",
        "SECURITY_MULTI_FACTOR_RECOVERY_CODES": False,
        "WTF_CSRF_TIME_LIMIT": None,
        "MAX_CONTENT_LENGTH": 16 * 1024 * 1024,
        # A broker's file goes with the page from its preview to its confirmation.
        "MAX_FORM_MEMORY_SIZE": 8 * 1024 * 1024,
    }


def _derived(secret_key: str, what: str) -> str:
    """A secret for one purpose; each is of no use for another."""
    return base64.b32encode(hashlib.sha256(f"closingbell {what} {secret_key}".encode()).digest()).decode().rstrip("=")


def _end_sessions(context: JobContext, datastore: Datastore) -> Callable[..., None]:
    """Signing out ends every session of the person: a stolen cookie is worth nothing from then on."""
    told = _noted(context, datastore, "sign out")

    def end(app: Flask, user: Person, **_more: Any) -> None:
        datastore.set_uniquifier(user, uuid4().hex)
        told(app, user)

    return end


def _note_sign_in(context: JobContext, datastore: Datastore) -> Callable[..., None]:
    told = _noted(context, datastore, "sign in")

    def signed_in(app: Flask, user: Person, authn_via: Sequence[str] | None = None, **_more: Any) -> None:
        # A new password lets its person in anew, which is no sign-in of theirs.
        if "change" not in (authn_via or ()):
            told(app, user)

    return signed_in


def _noted(context: JobContext, datastore: Datastore, action: str) -> Callable[..., None]:
    """Writes down what a person does to themselves, in the transaction that does it; as a signal's receiver."""

    def told(_app: Flask, user: Person, **_more: Any) -> None:
        who = Actor(user.email, user.email, request.remote_addr)
        # Flask-Security has changed the person, and stores that when the session commits.
        try:
            write_down(context, datastore.db.session.connection(), who, action, user.email)
            datastore.commit()  # type: ignore[no-untyped-call]
        except BaseException:
            # Its views commit after an error too.
            datastore.db.session.rollback()
            raise

    return told
