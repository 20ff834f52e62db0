"""Tables, keys and constraints; no queries, no behaviour.

A table's module is loaded when one of its tables is first named here, so that a quick look stays quick; naming ``Base``
loads them all, because whoever wants its metadata wants every table.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from closingbell.models.base import Base as Base
    from closingbell.models.company import Company as Company
    from closingbell.models.company import CompanySymbol as CompanySymbol
    from closingbell.models.company import ProviderSymbol as ProviderSymbol
    from closingbell.models.company import UnknownSymbol as UnknownSymbol
    from closingbell.models.company_calendar import AnnouncedDividend as AnnouncedDividend
    from closingbell.models.company_calendar import CalendarQuestion as CalendarQuestion
    from closingbell.models.corporate_action import CorporateActionRow as CorporateActionRow
    from closingbell.models.corporate_action import CorporateActionSourceRow as CorporateActionSourceRow
    from closingbell.models.corporate_action import CorporateActionVersion as CorporateActionVersion
    from closingbell.models.decision import CompanyDecision as CompanyDecision
    from closingbell.models.dividend_payment import BankHoliday as BankHoliday
    from closingbell.models.dividend_payment import DividendChoice as DividendChoice
    from closingbell.models.dividend_payment import DividendLink as DividendLink
    from closingbell.models.dividend_payment import DividendPayment as DividendPayment
    from closingbell.models.dividend_payment import DividendProgress as DividendProgress
    from closingbell.models.dividend_payment import DividendRecheck as DividendRecheck
    from closingbell.models.dividend_payment import DividendRerate as DividendRerate
    from closingbell.models.dividend_payment import DividendState as DividendState
    from closingbell.models.dividend_payment import NumberBlock as NumberBlock
    from closingbell.models.dividend_payment import ScripElection as ScripElection
    from closingbell.models.job_log import JobLog as JobLog
    from closingbell.models.job_log import JobLogItem as JobLogItem
    from closingbell.models.job_log import RunPaid as RunPaid
    from closingbell.models.job_log import RunTotal as RunTotal
    from closingbell.models.job_tick import ApiToken as ApiToken
    from closingbell.models.job_tick import Incident as Incident
    from closingbell.models.job_tick import JobRequest as JobRequest
    from closingbell.models.job_tick import JobState as JobState
    from closingbell.models.job_tick import JobTick as JobTick
    from closingbell.models.job_tick import SchedulerProcess as SchedulerProcess
    from closingbell.models.ledger import BookSetting as BookSetting
    from closingbell.models.ledger import FxRate as FxRate
    from closingbell.models.ledger import LedgerEntry as LedgerEntry
    from closingbell.models.ledger import WithholdingRate as WithholdingRate
    from closingbell.models.market_session import DatabaseMark as DatabaseMark
    from closingbell.models.market_session import MarketCalendar as MarketCalendar
    from closingbell.models.market_session import MarketHoliday as MarketHoliday
    from closingbell.models.market_session import MarketSession as MarketSession
    from closingbell.models.minute_bar import MinuteBar as MinuteBar
    from closingbell.models.minute_bar import WatchedCompany as WatchedCompany
    from closingbell.models.notification import Notification as Notification
    from closingbell.models.operator import AuditEntry as AuditEntry
    from closingbell.models.operator import OneTimeLink as OneTimeLink
    from closingbell.models.operator import SignInTry as SignInTry
    from closingbell.models.outbox import MessageAddress as MessageAddress
    from closingbell.models.outbox import OutboxMessage as OutboxMessage
    from closingbell.models.outbox import Webhook as Webhook
    from closingbell.models.portfolio import Account as Account
    from closingbell.models.portfolio import AccountChange as AccountChange
    from closingbell.models.portfolio import AccountSymbol as AccountSymbol
    from closingbell.models.portfolio import HoldingChoice as HoldingChoice
    from closingbell.models.portfolio import Order as Order
    from closingbell.models.portfolio import User as User
    from closingbell.models.price_history import PriceCoverage as PriceCoverage
    from closingbell.models.price_history import PriceGap as PriceGap
    from closingbell.models.price_history import PriceHistory as PriceHistory
    from closingbell.models.price_history import PriceRevision as PriceRevision
    from closingbell.models.price_history import PriceSummary as PriceSummary
    from closingbell.models.price_history import QuarantinedBar as QuarantinedBar

_HOMES = {
    "company": ("Company", "CompanySymbol", "ProviderSymbol", "UnknownSymbol"),
    "company_calendar": ("AnnouncedDividend", "CalendarQuestion"),
    "corporate_action": ("CorporateActionRow", "CorporateActionSourceRow", "CorporateActionVersion"),
    "decision": ("CompanyDecision",),
    "dividend_payment": (
        "BankHoliday",
        "DividendChoice",
        "DividendLink",
        "DividendPayment",
        "DividendProgress",
        "DividendRecheck",
        "DividendRerate",
        "DividendState",
        "NumberBlock",
        "ScripElection",
    ),
    "job_log": ("JobLog", "JobLogItem", "RunPaid", "RunTotal"),
    "job_tick": ("ApiToken", "Incident", "JobRequest", "JobState", "JobTick", "SchedulerProcess"),
    "ledger": ("BookSetting", "FxRate", "LedgerEntry", "WithholdingRate"),
    "market_session": ("DatabaseMark", "MarketCalendar", "MarketHoliday", "MarketSession"),
    "minute_bar": ("MinuteBar", "WatchedCompany"),
    "notification": ("Notification",),
    "operator": ("AuditEntry", "OneTimeLink", "SignInTry"),
    "portfolio": ("Account", "AccountChange", "AccountSymbol", "HoldingChoice", "Order", "User"),
    "outbox": ("MessageAddress", "OutboxMessage", "Webhook"),
    "price_history": ("PriceCoverage", "PriceGap", "PriceHistory", "PriceRevision", "PriceSummary", "QuarantinedBar"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(["Base", *_HOME_OF])  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name == "Base":
        for module in _HOMES:
            import_module(f"{__name__}.{module}")
        return import_module(f"{__name__}.base").Base
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
