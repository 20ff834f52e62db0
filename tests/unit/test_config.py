from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from closingbell.config import Settings, load_settings, told_settings
from closingbell.errors import SettingsError

SETTINGS_PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_defaults_need_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert settings.effective_database_url == "sqlite:///instance/closingbell.sqlite"
    assert settings.jobs_enabled is True
    assert settings.scheduler_api_enabled is False
    assert settings.yahoo_base_url == ""
    assert settings.yahoo_requests_per_minute == 60
    assert settings.closingbell_now is None
    assert settings.origin == "live"


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("JOBS_ENABLED", "perhaps", "JOBS_ENABLED"),
        ("YAHOO_REQUESTS_PER_MINUTE", "many", "YAHOO_REQUESTS_PER_MINUTE"),
        ("YAHOO_REQUESTS_PER_MINUTE", "-1", "YAHOO_REQUESTS_PER_MINUTE"),
        ("YAHOO_BASE_URL", "https://example.org", "YAHOO_BASE_URL: must start with http://"),
        ("CLOSINGBELL_NOW", "2012-11-30T16:31", "CLOSINGBELL_NOW"),
        ("CLOSINGBELL_NOW", "soon", "CLOSINGBELL_NOW"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL"),
    ],
)
def test_a_malformed_value_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(variable, value)
    if variable == "CLOSINGBELL_NOW":
        monkeypatch.setenv("YAHOO_BASE_URL", "http://127.0.0.1:1")
    with pytest.raises(SettingsError, match=told):
        load_settings()


def test_a_simulated_clock_is_refused_against_the_real_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOSINGBELL_NOW", "2012-11-30T16:31-05:00")
    with pytest.raises(SettingsError, match="needs YAHOO_BASE_URL"):
        load_settings()


def test_a_secret_is_read_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("mysql://app:canary@db/portfolio\n", encoding="utf-8")
    monkeypatch.setenv("DATABASE_URL_FILE", str(secret))
    assert load_settings().database_url == "mysql://app:canary@db/portfolio"


def test_a_missing_secret_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL_FILE", "/nowhere/url")
    with pytest.raises(SettingsError, match="DATABASE_URL_FILE: cannot read /nowhere/url"):
        load_settings()


def test_a_value_and_its_file_together_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///a")
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "url"))
    with pytest.raises(SettingsError, match="both set"):
        load_settings()


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        load_settings().jobs_enabled = False  # type: ignore[misc]


def test_sources_are_told_apart() -> None:
    assert load_settings().source_id() == "yahoo"
    one = load_settings(yahoo_base_url="http://127.0.0.1:1").source_id()
    other = load_settings(yahoo_base_url="http://127.0.0.1:2").source_id()
    assert one.startswith("replay-")
    assert one != other


def test_every_setting_is_in_the_table_of_the_docs() -> None:
    page = SETTINGS_PAGE.read_text(encoding="utf-8")
    documented = {line.split("|")[1].strip().strip("`") for line in page.splitlines() if line.startswith("| `")}
    assert documented == {name.upper() for name in Settings.model_fields}


def test_each_value_says_where_it_came_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("LOG_LEVEL=info\nLOG_FORMAT=json\nYAHOO_TIMEOUT_S=\n", encoding="utf-8")
    (tmp_path / "key").write_text("canary", encoding="utf-8")
    monkeypatch.setenv("TIINGO_API_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("LOG_FORMAT", "text")
    monkeypatch.setenv("JOBS_DISABLED", "")

    told = {one.name: one for one in told_settings(load_settings(yahoo_concurrency=4))}

    # The tests' own setting.
    assert told.pop("CACHE_DIR").origin == "environment"
    origins = {name: one.origin for name, one in told.items() if one.origin != "default"}
    # An empty variable sets nothing.
    assert origins == {
        "LOG_LEVEL": ".env",
        "LOG_FORMAT": "environment",
        "TIINGO_API_KEY": "TIINGO_API_KEY_FILE",
        "YAHOO_CONCURRENCY": "the program",
    }
    assert told["TIINGO_API_KEY"].value == "(secret)"
