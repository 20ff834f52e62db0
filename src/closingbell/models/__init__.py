"""Tables, keys and constraints; no queries, no behaviour."""

from closingbell.models.base import Base
from closingbell.models.company import Company
from closingbell.models.corporate_action import CorporateActionRevision, CorporateActionRow
from closingbell.models.job_log import JobLog, JobLogItem
from closingbell.models.job_tick import ApiToken, Incident, JobRequest, JobState, JobTick, SchedulerProcess
from closingbell.models.market_session import DatabaseMark, MarketCalendar, MarketSession
from closingbell.models.notification import Notification
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
    "ApiToken",
    "Base",
    "Company",
    "CorporateActionRevision",
    "CorporateActionRow",
    "DatabaseMark",
    "Incident",
    "JobLog",
    "JobLogItem",
    "JobRequest",
    "JobState",
    "JobTick",
    "MarketCalendar",
    "MarketSession",
    "Notification",
    "Order",
    "PriceCoverage",
    "PriceGap",
    "PriceHistory",
    "PriceRevision",
    "QuarantinedBar",
    "SchedulerProcess",
    "User",
]
