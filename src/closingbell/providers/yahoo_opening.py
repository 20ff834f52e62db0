"""Yahoo as the settings have it."""

from __future__ import annotations

from closingbell.config import Settings
from closingbell.domain.provider_health import BudgetLeft
from closingbell.providers.budget import RequestBudget, budget_left
from closingbell.providers.yahoo import YahooProvider
from closingbell.providers.yahoo_session import YahooSession


def open_yahoo(settings: Settings) -> YahooProvider:
    """Yahoo behind the shared request budget; opens no connection."""
    folder = settings.cache_folder()
    session = YahooSession(
        base_url=settings.yahoo_base_url,
        timeout_s=settings.yahoo_timeout_s,
        concurrency=settings.yahoo_concurrency,
        budget=RequestBudget(settings.yahoo_requests_per_minute, folder=folder),
        cache_dir=folder / "yfinance",
    )
    return YahooProvider(session)


def yahoo_budget_left(settings: Settings) -> BudgetLeft | None:
    """What is left of Yahoo's budget."""
    return budget_left(settings.cache_folder(), per_minute=settings.yahoo_requests_per_minute)
