"""Record keeping, for administrators: Flask-Admin's views over the queries and use cases, in our own look."""

from __future__ import annotations

from flask import Flask
from flask_admin import Admin

from closingbell.web.records.kinds import VIEWS
from closingbell.web.records.views import Home

# The first page of the records.
HOME = "records.index"


def add_records(app: Flask) -> None:
    """Put the records' pages on an application."""
    admin = Admin(app, name="Records", index_view=Home())
    for view in VIEWS:
        admin.add_view(view())
