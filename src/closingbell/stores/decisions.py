"""What people decided about companies: written once, never changed."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Connection, insert

from closingbell.models import CompanyDecision

PRICE_SET = "price set"
PRICE_UNSET = "price unset"
RENAMED = "renamed"
PROVIDER_SYMBOL = "provider symbol"
CLOSED = "closed"
REOPENED = "reopened"


def store_decision(
    connection: Connection, company_id: int, kind: str, day: date, *, detail: str, by: str, why: str, now: datetime
) -> None:
    """Write down what somebody decided about a company."""
    values = {"kind": kind, "date": day, "detail": detail, "decided_by": by, "why": why, "decided_at": now}
    connection.execute(insert(CompanyDecision).values(company_id=company_id, **values))
