"""Which providers there are, which are chosen, and those of other packages."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from closingbell.config import Settings, load_settings
from closingbell.domain.provider_health import ProviderState, ProviderView
from closingbell.errors import BadAnswerError, RateLimitedError, RunCancelledError, SettingsError, SourceDownError
from closingbell.providers import guests
from closingbell.providers.base import CALENDAR, DAILY, MINUTES, QUOTES
from closingbell.providers.budget import RequestBudget
from closingbell.providers.health import HealthBook
from closingbell.providers.meter import RequestMeter, metered
from closingbell.providers.registry import open_chain, require_known, survey
from closingbell.utils.clock import FixedClock
from tests.providers.stubs import DAY, NOW, StubProvider

Install = Callable[..., None]
FILES_OPEN = Path("/proc/self/fd")


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """``install(name=factory)``: what other packages offer; an exception is raised where the factory is loaded."""

    def put(**factories: Any) -> None:
        points = [_point(name, factory) for name, factory in factories.items()]
        monkeypatch.setattr(guests, "entry_points", lambda group: points if group == "closingbell.providers" else [])

    return put


def _point(name: str, factory: Any) -> Any:
    def load() -> Any:
        if isinstance(factory, Exception):
            raise factory
        return factory

    return SimpleNamespace(name=name, value=f"acme.prices:{name}", load=load)


def settings(providers: str, **more: Any) -> Settings:
    return load_settings(price_providers=providers, **more)


def by_name(views: list[ProviderView]) -> dict[str, ProviderView]:
    return {view.name: view for view in views}


# --- The choice.


def test_yahoo_alone_is_the_default() -> None:
    chain = open_chain(load_settings())

    assert chain.name == "yahoo"
    assert chain.capabilities == {DAILY, QUOTES, MINUTES, CALENDAR}
    assert chain.request_count == 0


def test_chosen_providers_are_opened_in_order(install: Install) -> None:
    install(acme=lambda _: StubProvider("acme"))

    assert open_chain(settings("ACME , yahoo,acme")).name == "acme, yahoo"


def test_unknown_name_is_told_with_those_there_are(install: Install) -> None:
    install(acme=lambda _: StubProvider("acme"))

    with pytest.raises(SettingsError) as caught:
        require_known(settings("yahoo,yaho"))

    assert str(caught.value).startswith("PRICE_PROVIDERS: no provider is called yaho; there are acme, ")


@pytest.mark.parametrize("value", [",", " , "])
def test_list_without_a_name_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="PRICE_PROVIDERS: must name at least one provider"):
        settings(value)


# --- Providers of other packages.


def test_factory_is_given_the_settings(install: Install) -> None:
    given: list[Settings] = []

    def make(settings: Settings) -> StubProvider:
        given.append(settings)
        return StubProvider("acme", closes={"AAPL": 585})

    install(acme=make)
    chosen = settings("acme")

    history = open_chain(chosen).fetch_daily("AAPL", first=DAY, now=NOW)

    assert history.provider == "acme"
    assert given == [chosen]


@pytest.mark.parametrize(
    ("factory", "reason"),
    [
        (ImportError("no module named acme"), "acme.prices:acme failed (ImportError: no module named acme)"),
        (lambda _: 1 / 0, "acme.prices:acme failed (ZeroDivisionError: division by zero)"),
        (lambda _: StubProvider("other"), "acme.prices:acme: its name is 'other', not 'acme'"),
        (lambda _: None, "acme.prices:acme: its name is None, not 'acme'"),
        (
            lambda _: StubProvider("acme", capabilities=("weekly",)),
            "acme.prices:acme: its capabilities are frozenset({'weekly'}),"
            " not a frozenset of calendar, daily, minutes, quotes",
        ),
        (
            lambda _: SimpleNamespace(name="acme", capabilities=frozenset({DAILY, QUOTES}), fetch_daily=print),
            "acme.prices:acme: it lacks fetch_quotes, close",
        ),
    ],
)
def test_broken_plug_in_is_named_and_left_out(install: Install, factory: Any, reason: str) -> None:
    install(acme=factory)
    chosen = settings("acme,yahoo")

    assert open_chain(chosen).name == "yahoo"
    view = by_name(survey(chosen))["acme"]
    assert (view.position, view.state, view.reason) == (1, ProviderState.BROKEN, reason)
    with pytest.raises(SettingsError, match=r"PRICE_PROVIDERS: none can be used; acme: acme\.prices:acme"):
        open_chain(settings("acme"))


def test_plug_in_that_lacks_a_setting_says_which(install: Install) -> None:
    def make(_: Settings) -> StubProvider:
        raise SettingsError("set ACME_KEY")

    install(acme=make)

    view = by_name(survey(settings("yahoo,acme")))["acme"]

    assert (view.position, view.state, view.reason) == (2, ProviderState.NOT_CONFIGURED, "set ACME_KEY")


def test_bug_in_a_plug_in_costs_its_answer_alone(install: Install) -> None:
    def make(_: Settings) -> StubProvider:
        return StubProvider("acme", error=KeyError("close"))

    install(acme=make)

    with pytest.raises(BadAnswerError, match=r"the provider acme failed \(KeyError\)"):
        open_chain(settings("acme")).fetch_daily("AAPL", first=DAY, now=NOW)


def test_run_that_is_cancelled_meanwhile_is_cancelled(install: Install) -> None:
    install(acme=lambda _: StubProvider("acme", error=RunCancelledError("by Ann")))

    with pytest.raises(RunCancelledError):
        open_chain(settings("acme")).fetch_daily("AAPL", first=DAY, now=NOW)


def test_real_entry_point_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("stub", "tests.providers.test_registry:make_stub", guests.GROUP)
    monkeypatch.setattr(guests, "entry_points", lambda group: [point])

    assert open_chain(settings("stub")).name == "stub"


def make_stub(_: Settings) -> StubProvider:
    return StubProvider("stub")


# --- What a person is told.


@pytest.mark.skipif(not FILES_OPEN.is_dir(), reason="the kernel tells of open files on Linux alone")
def test_survey_leaves_no_file_open(tmp_path: Path) -> None:
    chosen = settings("yahoo,tiingo", cache_dir=tmp_path, tiingo_api_key="a key")
    survey(chosen)
    # Nothing is freed by chance meanwhile.
    gc.disable()
    try:
        before = len(list(FILES_OPEN.iterdir()))
        for _ in range(20):
            survey(chosen)
        after = len(list(FILES_OPEN.iterdir()))
    finally:
        gc.enable()

    assert after == before


@pytest.mark.skipif(not FILES_OPEN.is_dir(), reason="the kernel tells of open files on Linux alone")
def test_closed_provider_that_was_asked_leaves_no_file_open(tmp_path: Path) -> None:
    budget = RequestBudget(60, folder=tmp_path)

    def files_of_the_budget() -> int:
        return sum(str(tmp_path) in os.path.realpath(file) for file in FILES_OPEN.iterdir())

    budget.acquire()
    assert files_of_the_budget() > 0
    budget.close()
    assert files_of_the_budget() == 0
    budget.acquire()
    budget.close()
    assert files_of_the_budget() == 0


def test_requests_of_another_packages_provider_count_for_the_run_that_asks(install: Install) -> None:
    """It tells no more than a total, which other runs raise as well."""
    stub = StubProvider("acme", closes={"AAPL": 1_000_000})
    stub.request_count = 7
    install(acme=lambda _: stub)
    chain = open_chain(settings("acme"))
    one, other = RequestMeter(), RequestMeter()

    for meter, times in ((one, 2), (other, 1), (one, 1)):
        with metered(meter):
            for _ in range(times):
                chain.fetch_daily("AAPL", first=DAY, now=NOW)
    stub.error = SourceDownError("no route")
    with metered(other), pytest.raises(SourceDownError):
        chain.fetch_daily("AAPL", first=DAY, now=NOW)

    assert (one.by_provider, other.by_provider) == ({"acme": 3}, {"acme": 2})


def test_survey_tells_each_state(install: Install) -> None:
    install(acme=lambda _: StubProvider("acme"), idle=lambda _: StubProvider("idle"))
    chosen = settings("yahoo,acme")
    health = HealthBook(chosen.cache_folder(), clock=FixedClock(NOW))
    health.note_error("yahoo", RateLimitedError("Yahoo asks for fewer requests (HTTP 429)", retry_after_s=1260))
    for _ in range(5):
        health.note_error("acme", SourceDownError("no route"))

    views = survey(chosen, wall=FixedClock(NOW))

    found = {view.name: (view.position, view.state, view.until, view.last_error) for view in views}
    assert found["yahoo"] == (
        1,
        ProviderState.RATE_LIMITED,
        NOW + timedelta(minutes=21),
        "Yahoo asks for fewer requests (HTTP 429)",
    )
    assert found["acme"] == (2, ProviderState.DOWN, NOW + timedelta(seconds=30), "no route")
    assert found["idle"] == (None, ProviderState.NOT_IN_USE, None, None)
    assert by_name(views)["yahoo"].capabilities == ("daily", "quotes", "minutes", "calendar")
