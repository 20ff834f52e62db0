"""Tables, keys and constraints; no queries, no behaviour."""

from closingbell.models.base import Base
from closingbell.models.company import Company
from closingbell.models.corporate_action import CorporateActionRevision, CorporateActionRow
from closingbell.models.job_log import JobLog, JobLogItem
from closingbell.models.market_session import DatabaseMark, MarketCalendar, MarketSession
from closingbell.models.portfolio import Account, Order, User
from closingbell.models.price_history import (
    PriceCoverage,
    PriceGap,
    PriceHistory,
    PriceRevision,
    QuarantinedBar,
)

__all__ = [
    "Account",
    "Base",
    "Company",
    "CorporateActionRevision",
    "CorporateActionRow",
    "DatabaseMark",
    "JobLog",
    "JobLogItem",
    "MarketCalendar",
    "MarketSession",
    "Order",
    "PriceCoverage",
    "PriceGap",
    "PriceHistory",
    "PriceRevision",
    "QuarantinedBar",
    "User",
]
