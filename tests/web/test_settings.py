"""What the settings show of providers, closures and values."""

from __future__ import annotations

from collections.abc import Callable

from closingbell.app import add_pages_to
from closingbell.providers.budget import RequestBudget, budget_left
from tests.app_fixtures import House
from tests.web.conftest import Site
from tests.web.test_pages import plain_text


def test_the_providers_stand_there_with_state_budget_and_key(
    sqlite_tables_url: str, houses: Callable[..., House], site: Site
) -> None:
    house = houses(
        site.house.url,
        "2012-11-30 16:31",
        price_providers="yahoo,tiingo,files",
        yahoo_requests_per_minute=60,
        tiingo_base_url="http://127.0.0.1:1",
        tiingo_api_key="very-secret-key",
    )
    add_pages_to(house.app)
    budget = RequestBudget(60, folder=house.settings.cache_folder())
    for _ in range(3):
        budget.acquire()
    viewer = Site(house).as_("viewer")

    html = viewer.text("/settings")
    text = plain_text(html)

    assert "1 yahoo up daily, quotes, minutes, calendar 57 of 60 in this minute none needed never none" in text
    assert "2 tiingo up daily 50 of 50 in this hour set" in text
    assert "3 files not configured not configured: set PRICE_FILES_FOLDER" in text
    assert "very-secret-key" not in html
    command = house.command("providers").stdout
    assert ("57 of 60 in this minute" in command, "very-secret-key" in command) == (True, False)
    # Looking takes nothing of the budget.
    left = budget_left(house.settings.cache_folder(), per_minute=60)
    assert left is not None
    assert left.left == 57
    assert "Providers" not in plain_text(Site(house).as_("member").text("/settings"))


def test_closures_tell_who_closed_the_session_and_when(site: Site) -> None:
    said = site.house.command("closures", "add", "XNYS", "2012-10-31", "hurricane", "--by", "Ann")
    assert said.exit_code == 0
    text = plain_text(site.as_("viewer").text("/settings"))
    assert "XNYS Wed 2012-10-31 hurricane Ann 2012-11-30 16:31 EST" in text
    assert "CACHE_DIR" in text
    assert "the program" in text
