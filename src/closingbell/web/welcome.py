"""The one-time link: a new administrator chooses a password."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from closingbell.errors import UsageError
from closingbell.jobs.context import current_context
from closingbell.usecases import people
from closingbell.web.guard import Right, needs


def add_routes(pages: Blueprint) -> None:
    """The routes of this module."""
    pages.add_url_rule("/welcome/<secret>", view_func=welcome, methods=["GET", "POST"])


@needs(Right.ANYBODY)
def welcome(secret: str) -> ResponseReturnValue:
    """Choose the first password; the link works once."""
    context = current_context()
    person = people.link_owner(context, secret)
    if person is None:
        return render_template("welcome_over.html"), 410
    error = None
    if request.method == "POST":
        password, again = request.form.get("password", ""), request.form.get("again", "")
        if password != again:
            error = "the two passwords differ"
        else:
            try:
                people.choose_password(context, secret, password, address=request.remote_addr)
            except UsageError as refused:
                error = str(refused)
            else:
                flash("Your password is set. Sign in with it.")
                return redirect(url_for("security.login"))
    shortest = people.SHORTEST_PASSWORD
    return render_template("welcome.html", person=person, error=error, shortest=shortest), 422 if error else 200
