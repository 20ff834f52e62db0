"""Wrong passwords and codes are slow to try: from one address, for one person, and in one browser.

A browser in which a person signed in before has a count of its own for that person, so that whoever uses up the
person's tries elsewhere does not lock the person out.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import wraps
from ipaddress import IPv6Address, ip_address
from typing import Any

from email_validator import EmailNotValidError, validate_email
from flask import Flask, Response, abort, after_this_request, current_app, g, make_response, request, session
from flask_security import current_user
from flask_security.signals import user_authenticated
from itsdangerous import BadData, URLSafeTimedSerializer

from closingbell.errors import UsageError
from closingbell.jobs.context import current_context
from closingbell.usecases import people
from closingbell.usecases.audited import note_action
from closingbell.usecases.reasons import Actor
from closingbell.usecases.sign_in_tries import Limit, give_back, take_try

FROM_ONE_ADDRESS = Limit(5, timedelta(minutes=1))
FOR_ONE_PERSON = Limit(10, timedelta(hours=1))
KNOWN_FOR = timedelta(days=180)
COOKIE = "closingbell_known"
_CODE_ENDPOINT = "security.two_factor_token_validation"
# Where a person who is signed in gives the password again: whoever has their session does not have it.
_PASSWORD_ENDPOINTS = ("security.change_password", "security.verify")
# As the audit log calls a try that failed.
_FAILURES = {
    "security.login": "fail to sign in",
    _CODE_ENDPOINT: "fail to give code",
    "security.change_password": "fail to change password",
    "security.verify": "fail to give password",
}
_NAME_SHOWN = 100


def limit_sign_in(app: Flask, secret_key: str) -> None:
    """Count the tries of the sign-in, its second step, and the password given again; what succeeds is given back."""
    limits = _Limits(secret_key, is_secure=bool(app.config["SESSION_COOKIE_SECURE"]))
    for endpoint in ("security.login", _CODE_ENDPOINT, *_PASSWORD_ENDPOINTS):
        app.view_functions[endpoint] = limits.on(app.view_functions[endpoint])
    user_authenticated.connect(limits.succeeded, app, weak=False)


def keys_of(secret_key: str, email: str, signs: tuple[int, str] | None) -> list[str]:
    """Every key by which tries of a person are counted: of the name, of codes, and of the password given again.

    ``signs`` are the person's number and session key, None where nobody has the name.
    """
    limits = _Limits(secret_key, is_secure=False)
    told = [("person", _name(email))]
    told += [] if signs is None else [("password", str(signs[0])), ("code", signs[1])]
    return [limits.key(kind, text) for kind, text in told]


class _Limits:
    """Whose try a request is, and what of it is left."""

    def __init__(self, secret_key: str, *, is_secure: bool) -> None:
        self._secret = f"closingbell sign-in {secret_key}".encode()
        self._cookies = URLSafeTimedSerializer(secret_key, salt="closingbell known browser")
        self._is_secure = is_secure
        self._cookie = f"__Host-{COOKIE}" if is_secure else COOKIE

    def on(self, view: Callable[..., Any]) -> Callable[..., Any]:
        """The view, which refuses with 429 when no try is left."""

        @wraps(view)
        def limited(*args: Any, **more: Any) -> Any:
            g.sign_in_tries = []
            for key, limit in self._counts() if request.method == "POST" else ():
                taken = take_try(current_context(), key, limit)
                if taken is None:
                    abort(429)
                g.sign_in_tries.append(taken)
            whose = _whose_try() if g.sign_in_tries else ""
            answer = make_response(view(*args, **more))
            if request.endpoint in _PASSWORD_ENDPOINTS and _is_done(answer):
                give_back(current_context(), g.pop("sign_in_tries", []))
            # What is left counts. A right password before its code counts too, and did not fail.
            if g.pop("sign_in_tries", []) and not _is_done(answer):
                _note_failure(whose)
            return answer

        return limited

    def succeeded(self, _app: Flask, user: Any, **_more: Any) -> None:
        """Give the request's tries back, and know the browser from now on."""
        give_back(current_context(), g.pop("sign_in_tries", []))
        value = self._cookies.dumps([self.key("person", user.email), secrets.token_hex(8)])

        @after_this_request
        def know(response: Response) -> Response:
            response.set_cookie(
                self._cookie, value, max_age=KNOWN_FOR, secure=self._is_secure, httponly=True, samesite="Lax"
            )
            return response

    def _counts(self) -> Iterator[tuple[str, Limit]]:
        """What this try counts against, the address first: one that has no try left uses up nobody's."""
        if request.endpoint == _CODE_ENDPOINT:
            yield self.key("address", _network()), FROM_ONE_ADDRESS
            yield self.key("code", str(session.get("tf_user_id", _network()))), FOR_ONE_PERSON
            return
        if request.endpoint in _PASSWORD_ENDPOINTS:
            yield self.key("password", str(current_user.id)), FOR_ONE_PERSON
            return
        person = self.key("person", _name_tried())
        known = self._known_as(person)
        if known is not None:
            yield self.key("browser", known), FOR_ONE_PERSON
            return
        yield self.key("address", _network()), FROM_ONE_ADDRESS
        yield person, FOR_ONE_PERSON

    def _known_as(self, person: str) -> str | None:
        """The number of this browser where that person signed in with it before."""
        try:
            whose, number = self._cookies.loads(
                request.cookies.get(self._cookie, ""), max_age=int(KNOWN_FOR.total_seconds())
            )
        except (BadData, ValueError, TypeError):
            return None
        return str(number) if whose == person else None

    def key(self, kind: str, text: str) -> str:
        """Whose tries, as they are counted: nobody reads it back."""
        return hmac.new(self._secret, f"{kind}:{text}".encode(), hashlib.sha256).hexdigest()


def _whose_try() -> str:
    """Whom the audit log names: who is signed in, whose code is asked for, or the e-mail that was typed.

    Anything else that was typed is left out: it may be the password, in the wrong field.
    """
    if current_user.is_authenticated:
        return str(current_user.email)
    if request.endpoint == _CODE_ENDPOINT:
        datastore: Any = current_app.extensions["closingbell_people"]
        found = datastore.find_user(fs_uniquifier=str(session.get("tf_user_id", "")))
        return "" if found is None else str(found.email)
    try:
        return people.checked_email(_name_tried())
    except UsageError:
        return ""


def _note_failure(whose: str) -> None:
    """Write down a try that failed; the limits bound how many there are."""
    who = whose if current_user.is_authenticated else "nobody"
    target = whose[:_NAME_SHOWN] or "no e-mail address"
    note_action(current_context(), Actor(who, who, request.remote_addr), _FAILURES[str(request.endpoint)], target)


def _name_tried() -> str:
    """The e-mail as the sign-in reads it: another spelling of one has no tries of its own."""
    told: Any = request.get_json(silent=True) if request.is_json else request.form
    return _name(str(told.get("email", "") if hasattr(told, "get") else ""))


def _name(text: str) -> str:
    text = text.strip()[:254]
    try:
        return validate_email(text, check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        return text.lower()


def _is_done(answer: Response) -> bool:
    """Whether the password was right: then the person is sent on, a program is answered with 200."""
    return answer.status_code == 302 or (answer.is_json and answer.status_code == 200)


def _network() -> str:
    """The address that asks; of IPv6 the network, for whoever has one address there has all of them."""
    text = request.remote_addr or ""
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if isinstance(address, IPv6Address):
        return str(int(address) >> 64) if address.ipv4_mapped is None else str(address.ipv4_mapped)
    return text
