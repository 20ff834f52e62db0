"""Which providers there are, and the ones that a person chose, opened in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import structlog

from closingbell.config import Settings
from closingbell.domain.provider_health import BudgetLeft, ProviderState, ProviderView, state_of
from closingbell.errors import SettingsError
from closingbell.providers import guests
from closingbell.providers.base import CALENDAR, DAILY, MINUTES, QUOTES, PriceProvider
from closingbell.providers.chain import ProviderChain, Spelling, as_it_is
from closingbell.providers.guests import BrokenProviderError, Factory
from closingbell.providers.health import HealthBook
from closingbell.utils.clock import Clock, SystemClock

LEFT_OUT = "provider.left_out"


@dataclass(frozen=True, slots=True)
class Offer:
    """A provider of our own: ``factory`` is module:name, imported when it is used; what it can do, told before that.

    ``budget`` is module:name of what tells what is left of its requests, ``key`` the setting that holds its key.
    """

    factory: str
    capabilities: frozenset[str]
    budget: str = ""
    key: str = ""

    def open(self, settings: Settings) -> PriceProvider:
        """The provider; raise SettingsError with the variable's name when something is missing."""
        factory: Factory = _imported(self.factory)
        return factory(settings)

    def budget_left(self, settings: Settings) -> BudgetLeft | None:
        """What is left of its requests; None where nothing limits them."""
        if not self.budget:
            return None
        left: BudgetLeft | None = _imported(self.budget)(settings)
        return left

    def has_key(self, settings: Settings) -> bool | None:
        """Whether its key is set; None where it needs none."""
        return bool(getattr(settings, self.key).get_secret_value()) if self.key else None


def _imported(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


# A provider of our own is its file, its test and one line here.
OFFERS: Mapping[str, Offer] = {
    "yahoo": Offer(
        "closingbell.providers.yahoo_opening:open_yahoo",
        frozenset({DAILY, QUOTES, MINUTES, CALENDAR}),
        budget="closingbell.providers.yahoo_opening:yahoo_budget_left",
    ),
    "tiingo": Offer(
        "closingbell.providers.tiingo:open_tiingo",
        frozenset({DAILY}),
        budget="closingbell.providers.tiingo:tiingo_budget_left",
        key="tiingo_api_key",
    ),
    "files": Offer("closingbell.providers.files:open_files", frozenset({DAILY})),
}

_log = structlog.get_logger(__name__)


def require_known(settings: Settings) -> None:
    """Raise SettingsError for a name in PRICE_PROVIDERS that no provider has."""
    strangers = [name for name in settings.providers_in_order if name not in OFFERS]
    if not strangers:
        return
    known = {**OFFERS, **guests.installed()}
    for name in strangers:
        if name not in known:
            raise SettingsError(f"PRICE_PROVIDERS: no provider is called {name}; there are {', '.join(sorted(known))}")


def open_chain(settings: Settings, *, wall: Clock | None = None, spelling: Spelling = as_it_is) -> ProviderChain:
    """The chosen providers in order. One that cannot be opened is left out and named; none at all is an error."""
    require_known(settings)
    links, problems = [], []
    for name in settings.providers_in_order:
        try:
            links.append(_open(name, settings))
        except SettingsError as error:
            _log.warning(LEFT_OUT, provider=name, error=str(error))
            problems.append(f"{name}: {error}")
    if not links:
        raise SettingsError(f"PRICE_PROVIDERS: none can be used; {'; '.join(problems)}")
    return ProviderChain(links, health=HealthBook(settings.cache_folder(), clock=wall), spelling=spelling)


def survey(settings: Settings, *, wall: Clock | None = None) -> list[ProviderView]:
    """Every provider that there is, the chosen ones first and in order, with its state. Asks nobody outside."""
    wall = wall or SystemClock()
    health = HealthBook(settings.cache_folder(), clock=wall)
    chosen = settings.providers_in_order
    views = [_view(place, name, settings, health, wall) for place, name in enumerate(chosen, start=1)]
    others = sorted((OFFERS.keys() | guests.installed().keys()) - set(chosen))
    return views + [ProviderView(None, name, _told_before(name), ProviderState.NOT_IN_USE) for name in others]


def survey_with_means(settings: Settings, *, wall: Clock | None = None) -> list[ProviderView]:
    """The same with what is left of each one's requests, and whether its key is set. Asks nobody outside either."""
    views = survey(settings, wall=wall)
    return [
        replace(view, budget=offer.budget_left(settings), has_key=offer.has_key(settings))
        if (offer := OFFERS.get(view.name))
        else view
        for view in views
    ]


def _open(name: str, settings: Settings) -> PriceProvider:
    offer = OFFERS.get(name)
    return offer.open(settings) if offer else guests.open_guest(guests.installed()[name], settings)


def _view(place: int, name: str, settings: Settings, health: HealthBook, wall: Clock) -> ProviderView:
    try:
        provider = _open(name, settings)
    except BrokenProviderError as error:
        return ProviderView(place, name, (), ProviderState.BROKEN, reason=str(error))
    except SettingsError as error:
        return ProviderView(place, name, _told_before(name), ProviderState.NOT_CONFIGURED, reason=str(error))
    capabilities = _in_order(provider.capabilities)
    provider.close()
    known = health.read(name)
    state, until = state_of(known, now=wall.now())
    return ProviderView(
        place,
        name,
        capabilities,
        state,
        until=until,
        last_success_at=known.last_success_at,
        last_error_at=known.last_error_at,
        last_error=known.last_error,
    )


def _told_before(name: str) -> tuple[str, ...]:
    """What a provider can do, as far as that is known without opening it."""
    offer = OFFERS.get(name)
    return _in_order(offer.capabilities) if offer else ()


def _in_order(capabilities: frozenset[str]) -> tuple[str, ...]:
    return tuple(name for name in (DAILY, QUOTES, MINUTES, CALENDAR) if name in capabilities)
