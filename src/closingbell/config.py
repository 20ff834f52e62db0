"""Settings: read once, frozen, and refused with the variable's name when they are wrong.

Every value comes from the environment, from a ``.env`` file in the current folder, or, for ``NAME``, from the file that
``NAME_FILE`` names (for secrets).
"""

from __future__ import annotations

import hashlib
import os
import re
from contextvars import ContextVar
from datetime import time
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import AwareDatetime, Field, PrivateAttr, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from closingbell.errors import SettingsError
from closingbell.utils.clock import Clock, OffsetClock, SystemClock

PROGRAM, ENVIRONMENT, ENV_FILE, DEFAULT = "the program", "environment", ".env", "default"

# Sources of the settings that are being read, with the names that each has; the first one counts.
_sources: ContextVar[tuple[tuple[str, frozenset[str]], ...]] = ContextVar("closingbell_settings_sources", default=())


class _FileSecrets(PydanticBaseSettingsSource):
    """Reads ``X`` from the file that the environment variable ``X_FILE`` names."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        variable = f"{field_name.upper()}_FILE"
        path = os.environ.get(variable)
        if not path:
            return None, field_name, False
        if os.environ.get(field_name.upper()):
            raise SettingsError(f"{field_name.upper()} and {variable} are both set; keep one")
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except OSError as error:
            raise SettingsError(f"{variable}: cannot read {path} ({error.strerror})") from None

    def __call__(self) -> dict[str, Any]:
        values = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in values.items() if value is not None}


class Settings(BaseSettings):
    """What closingbell can be told from outside; see docs/settings.md."""

    model_config = SettingsConfigDict(
        frozen=True, env_file=".env", extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    database_url: str = Field("", description="Where the data lives. Empty: SQLite in the instance folder.")
    instance_path: Path = Field(Path("instance"), description="Folder of the default database.")
    jobs_enabled: bool = Field(True, description="False: no scheduler thread exists; commands still work.")
    scheduler_api_enabled: bool = Field(False, description="Turns on the HTTP API over the scheduler.")
    price_providers: str = Field("yahoo", description="Where prices come from, in order and with commas between them.")
    price_files_folder: Path | None = Field(
        None, description="A folder of CSV or Parquet files for the provider that is called files."
    )
    tiingo_api_key: SecretStr = Field(SecretStr(""), description="The key for the provider that is called tiingo.")
    tiingo_requests_per_hour: int = Field(
        50, ge=0, description="The same budget for Tiingo; its free key allows about 50. 0: no limit."
    )
    tiingo_base_url: str = Field("", description="An address that is asked in place of Tiingo's. Empty: Tiingo itself.")
    yahoo_base_url: str = Field(
        "",
        description="An http address that gets the requests for all of Yahoo's hosts. Empty: Yahoo itself.",
    )
    yahoo_requests_per_minute: int = Field(
        60,
        ge=0,
        description="Budget shared by every closingbell process of this user on this machine. 0: no limit.",
    )
    yahoo_concurrency: int = Field(8, ge=1, le=256, description="Requests under way at once.")
    yahoo_timeout_s: float = Field(20.0, gt=0, le=300, description="Deadline of one request, whatever happens.")
    closingbell_now: AwareDatetime | None = Field(
        None, description="The instant at which the clock starts, for replays: ISO 8601 with an offset."
    )
    cache_dir: Path | None = Field(
        None, description="Cookies, budgets, states of providers. Empty: the user's cache folder."
    )
    daily_price_update_time: time = Field(time(16, 30), description="When the daily prices are fetched, New York time.")
    daily_price_update_minutes_after_close: int = Field(
        30, ge=0, le=720, description="How long after the close of other exchanges their prices are fetched."
    )
    dividend_processor_time: time = Field(
        time(16, 0), description="When dividends and splits are booked every day, New York time."
    )
    dividend_processor_early_time: time = Field(
        time(7, 0), description="When they are booked before New York opens: what is payable that day, and late rows."
    )
    dividend_pay_lag_days: int | None = Field(
        None,
        ge=0,
        le=250,
        description="Business days from ex-date to an estimated pay date. Empty: each company's own habit.",
    )
    close_unknown_after_sessions: int = Field(
        10, ge=0, description="A company that no provider knows on so many sessions is closed. 0: never."
    )
    price_healing_requests: int = Field(
        50, ge=0, description="Companies a daily run asks for known gaps alone; other gaps ride on other requests."
    )
    price_sweep_time: time = Field(time(18, 0), description="When prices are read again, New York time.")
    price_sweep_minutes_after_close: int = Field(
        120, ge=0, le=720, description="How long after the close of other exchanges their prices are read again."
    )
    intraday_every_minutes: int = Field(
        15, ge=1, le=240, description="How often prices are refreshed while an exchange is open."
    )
    minute_bar_retention_days: int = Field(30, ge=1, description="Minute bars older than this are removed.")
    log_retention_time: time = Field(time(6, 0), description="When old runs are removed, New York time.")
    job_log_retention_days: int = Field(90, ge=1, description="Runs older than this are removed.")
    job_log_retention_failed_days: int = Field(365, ge=1, description="The same for runs that did not succeed.")
    job_log_keep_runs: int = Field(50, ge=1, description="So many newest runs of each job are always kept.")
    jobs_disabled: str = Field(
        "", description="Names of jobs, with commas between them, that are never run by themselves."
    )
    jobs_shutdown_grace: float = Field(
        25.0, ge=0, le=3600, description="Seconds that runs may still take when their process is told to end."
    )
    jobs_stall_after_s: float = Field(
        900.0, gt=0, description="A run without progress for so many seconds is cancelled as stalled."
    )
    healthcheck_url: str = Field("", description="A check of a dead-man's switch in the healthchecks protocol.")
    web_enabled: bool = Field(True, description="False: no pages are served, only what else was turned on.")
    secret_key: SecretStr = Field(
        SecretStr(""),
        description="Signs the sessions of people. Empty: made once and kept in the instance folder; "
        "several machines need the same one.",
    )
    public_url: str = Field(
        "http://127.0.0.1:8000",
        description="Where people reach the pages; with https:// cookies are sent over TLS only.",
    )
    trusted_proxies: int = Field(
        0, ge=0, le=5, description="So many reverse proxies before this server may say who asks (X-Forwarded-For)."
    )
    log_level: str = Field("WARNING", description="DEBUG, INFO, WARNING or ERROR.")
    log_format: str = Field("text", description="text or json.")

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        _sources.set(
            (
                (PROGRAM, frozenset(getattr(init_settings, "init_kwargs", ()))),
                (ENVIRONMENT, frozenset(getattr(env_settings, "env_vars", ()))),
                (ENV_FILE, frozenset(getattr(dotenv_settings, "env_vars", ()))),
            )
        )
        return init_settings, _FileSecrets(settings_cls), env_settings, dotenv_settings

    def model_post_init(self, context: Any, /) -> None:
        """Keep where each value came from, while that is known."""
        for name in self.model_fields_set:
            found = next((source for source, names in _sources.get() if name in names), None)
            variable = f"{name.upper()}_FILE"
            self._origins[name] = variable if found != PROGRAM and os.environ.get(variable) else found or PROGRAM

    def origin_of(self, name: str) -> str:
        """Where the value of a setting came from.

        ``environment``, ``.env``, ``X_FILE`` (the file that it names), ``the program`` (a command's own), ``default``.
        """
        return self._origins.get(name, DEFAULT)

    @field_validator("yahoo_base_url")
    @classmethod
    def _plain_http(cls, value: str) -> str:
        if value and not value.startswith("http://"):
            raise ValueError("must start with http:// (it is spoken to as a plain proxy), or be empty for Yahoo")
        return value.rstrip("/")

    @field_validator("public_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/")

    @field_validator("tiingo_base_url")
    @classmethod
    def _key_is_safe(cls, value: str) -> str:
        if value and not value.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
            raise ValueError("must start with https:// (a key goes there), or be on this machine")
        return value.rstrip("/")

    @field_validator("price_providers")
    @classmethod
    def _some_providers(cls, value: str) -> str:
        if not _names(value):
            raise ValueError("must name at least one provider, as in yahoo or yahoo,files")
        return value

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
        return value.upper()

    @field_validator("log_format")
    @classmethod
    def _known_format(cls, value: str) -> str:
        if value not in {"text", "json"}:
            raise ValueError("must be text or json")
        return value

    @model_validator(mode="after")
    def _no_false_history(self) -> Settings:
        # A simulated clock with the real Yahoo behind it would write a false history into a live database.
        if self.closingbell_now is not None and not self.yahoo_base_url:
            raise ValueError("CLOSINGBELL_NOW: needs YAHOO_BASE_URL, so that no simulated time is mixed with live data")
        return self

    @property
    def effective_database_url(self) -> str:
        """``database_url``, or SQLite in the instance folder."""
        return self.database_url or f"sqlite:///{self.instance_path / 'closingbell.sqlite'}"

    @property
    def disabled_jobs(self) -> frozenset[str]:
        """Names of the jobs that are never run by themselves."""
        return frozenset(_names(self.jobs_disabled))

    @property
    def providers_in_order(self) -> tuple[str, ...]:
        """Names of the providers that are asked, in that order."""
        return tuple(dict.fromkeys(name.lower() for name in _names(self.price_providers)))

    @property
    def is_replay(self) -> bool:
        """Whether what is fetched comes from something else than Yahoo itself, or at a simulated time."""
        return self.closingbell_now is not None or bool(self.yahoo_base_url)

    @property
    def origin(self) -> str:
        """``live`` or ``replay``: which kind of data these settings fetch."""
        return "replay" if self.is_replay else "live"

    def source_id(self) -> str:
        """A short name for the source behind ``yahoo_base_url``; caches of different sources are kept apart."""
        if not self.yahoo_base_url:
            return "yahoo"
        return "replay-" + hashlib.sha256(self.yahoo_base_url.encode()).hexdigest()[:12]

    def cache_folder(self) -> Path:
        """Where cookies, budgets and the providers' health are kept, shared by this user's processes."""
        if self.cache_dir is not None:
            return self.cache_dir / self.source_id()
        from platformdirs import user_cache_path  # noqa: PLC0415  (keeps it out of start-up)

        return user_cache_path("closingbell", appauthor=False) / self.source_id()

    def clock(self) -> Clock:
        """The clock that everything is told the time by."""
        return OffsetClock(self.closingbell_now) if self.closingbell_now else SystemClock()


class ToldSetting(NamedTuple):
    """One setting as a person may see it: secrets and passwords are left out."""

    name: str
    value: str
    origin: str
    description: str


def told_settings(settings: Settings) -> list[ToldSetting]:
    """Every setting, its value and where it comes from; see ``Settings.origin_of``."""
    return [
        ToldSetting(
            name.upper(),
            _told_value(name, getattr(settings, name)),
            settings.origin_of(name),
            field.description or "",
        )
        for name, field in Settings.model_fields.items()
    ]


def _told_value(name: str, value: Any) -> str:
    if isinstance(value, SecretStr):
        return "(secret)" if value.get_secret_value() else ""
    text = "" if value is None else str(value)
    if name == "database_url":
        return re.sub(r"://([^:/@]*):[^@]*@", r"://\1:***@", text)
    # A check's address is its key.
    return "(secret)" if name == "healthcheck_url" and text else text


def _names(told: str) -> list[str]:
    """The names in a list with commas."""
    return [name.strip() for name in told.split(",") if name.strip()]


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; raise SettingsError with the variable's name when one is wrong."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError("; ".join(_in_words(detail) for detail in error.errors())) from None


def _in_words(detail: Any) -> str:
    """One pydantic complaint as a sentence that starts with the variable's name."""
    message = str(detail["msg"]).removeprefix("Value error, ")
    return f"{str(detail['loc'][0]).upper()}: {message}" if detail["loc"] else message
