"""Closes as traded, for valuing positions: the newest by a day, and all of a range."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, ScalarSelect, select

from closingbell.models import PriceHistory, PriceSummary
from closingbell.stores.upsert import in_groups, raw_prices

_BAR = raw_prices(PriceHistory).c
_SUMMARY = raw_prices(PriceSummary).c


class Close(NamedTuple):
    """A close as traded, in millionths of the company's currency."""

    date: date
    price: int


def load_newest_closes(connection: Connection, company_ids: Sequence[int], *, on: date) -> dict[int, Close]:
    """Each company's newest close on ``on`` or before it; a company without one is left out.

    For today that is the kept summary; only for a day in the past companies' bars are looked at, in one statement for
    all of a group.
    """
    found: dict[int, Close] = {}
    earlier: list[int] = []
    for group in in_groups(company_ids):
        query = select(_SUMMARY.company_id, _SUMMARY.date, _SUMMARY.close).where(_SUMMARY.company_id.in_(group))
        for company_id, day, price in connection.execute(query.where(_SUMMARY.date.is_not(None))):
            if day <= on:
                found[company_id] = Close(day, price)
            else:
                earlier.append(company_id)
    for group in in_groups(earlier):
        newest = select(_SUMMARY.company_id, _newest(_BAR.date, on), _newest(_BAR.close, on))
        for company_id, day, price in connection.execute(newest.where(_SUMMARY.company_id.in_(group))):
            if day is not None:
                found[company_id] = Close(day, price)
    return found


def _newest(column: ColumnElement[Any], on: date) -> ScalarSelect[Any]:
    """A column of the newest bar by ``on``: a look into the key for each company, never at all its bars."""
    of_company = select(column).where(_BAR.company_id == _SUMMARY.company_id, _BAR.date <= on)
    return of_company.order_by(_BAR.date.desc()).limit(1).correlate(_SUMMARY.company_id.table).scalar_subquery()


def load_closes(connection: Connection, company_id: int, *, first: date, last: date) -> list[Close]:
    """A company's closes from ``first`` to ``last``, and the one before ``first``, in ascending order."""
    query = select(_BAR.date, _BAR.close).where(_BAR.company_id == company_id)
    before = connection.execute(query.where(_BAR.date < first).order_by(_BAR.date.desc()).limit(1)).all()
    within = connection.execute(query.where(_BAR.date >= first, _BAR.date <= last).order_by(_BAR.date))
    return [Close(*row) for row in (*before, *within)]
