"""The import floors hold, and the checker sees each rule broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.floors import MAY_IMPORT, check

SOURCE = Path(__file__).resolve().parents[2] / "src"

# A small house in which every rule is kept.
HOUSE = {
    "__init__.py": "def __getattr__(name):\n"
    "    from closingbell.app import create_app  # keeps Flask out of start-up\n"
    "    return create_app\n",
    "__main__.py": "from closingbell.cli_commands import main\n",
    "errors.py": "from collections.abc import Sequence\n",
    "config.py": "import pydantic\nfrom closingbell.utils.clock import Clock\n",
    "domain/__init__.py": "",
    "domain/money.py": "from decimal import Decimal\nfrom closingbell.errors import ClosingbellError\n",
    "domain/bars.py": "from datetime import date\nfrom . import money\n",
    "utils/__init__.py": "",
    "utils/clock.py": "from datetime import datetime\nnow = datetime.now\n",
    "models/__init__.py": "from closingbell.models.types import Price\n",
    "models/types.py": "import sqlalchemy\nfrom closingbell.domain.money import PRICE_SCALE\n",
    "stores/__init__.py": "",
    "stores/prices.py": "import time\nfrom closingbell import models\nstarted = time.monotonic()\n",
    "providers/__init__.py": "",
    "providers/yahoo.py": "def ask():\n    # keeps pandas out of start-up\n    import yfinance\n",
    "providers/yahoo_wire.py": "import curl_cffi\nfrom closingbell.domain import bars\n",
    "testing/__init__.py": "import pytest\nfrom closingbell.providers import yahoo\n",
    "calendars.py": "def fill():\n    import pandas  # noqa: PLC0415  (keeps pandas out of start-up)\n",
    "notifications/__init__.py": "import smtplib\n",
    "jobs/__init__.py": "",
    "jobs/context.py": "from closingbell.providers import yahoo\nfrom closingbell.stores import prices\n",
    "jobs/scheduler.py": "import apscheduler\nfrom closingbell.jobs.context import Context\n",
    "usecases/__init__.py": "from closingbell.jobs.context import Context\n",
    "queries/__init__.py": "from closingbell.stores.prices import load\nimport closingbell.calendars\n",
    "web/__init__.py": "from closingbell.queries import prices\nfrom closingbell import __version__\n",
    "api/__init__.py": "from closingbell.jobs.scheduler import start\n",
    "commands/__init__.py": "",
    "commands/database.py": "from closingbell import migrations\n",
    "commands/replay.py": "def serve():\n"
    "    # keeps the extra optional\n"
    "    import csv\n"
    "    from closingbell import replay\n",
    "commands/demo.py": "from closingbell.replay import serve\n",
    "cli_commands.py": "from closingbell.commands import demo\n",
    "app.py": "import flask\nfrom closingbell import web\nfrom closingbell.providers.yahoo import ask\n",
    "replay/__init__.py": "from closingbell.utils.clock import now\nimport httptools\n",
    "migrations/__init__.py": "",
    "migrations/0001_first.py": "import alembic\nimport sqlalchemy\nfrom closingbell.models.types import Price\n",
}

BREACHES = [
    # Each floor reaches for what stands above or beside it.
    ("errors.py", "from closingbell.utils import clock", "imports utils.clock; errors may import nothing"),
    ("domain/bars.py", "from closingbell.utils import clock", "imports utils.clock; domain may import errors"),
    ("domain/bars.py", "from ..models import Price", "imports models; domain"),
    ("utils/clock.py", "import closingbell.domain.money", "imports domain.money; utils"),
    ("config.py", "from closingbell.domain import money", "imports domain.money; config"),
    ("models/types.py", "from closingbell.domain.bars import Bar", "imports domain.bars; models"),
    ("models/types.py", "from closingbell.stores import prices", "imports stores.prices; models"),
    ("stores/prices.py", "from closingbell.providers import yahoo", "imports providers.yahoo; stores"),
    ("stores/prices.py", "import closingbell.calendars as days", "imports calendars; stores"),
    ("providers/yahoo.py", "from closingbell.stores.prices import load", "imports stores.prices; providers"),
    ("calendars.py", "from closingbell import stores", "imports stores; calendars"),
    ("notifications/__init__.py", "from closingbell.jobs import runner", "imports jobs; notifications"),
    ("jobs/scheduler.py", "from closingbell import usecases", "imports usecases; jobs"),
    ("jobs/scheduler.py", "from closingbell import queries", "imports queries; jobs"),
    ("usecases/__init__.py", "from closingbell.jobs.scheduler import start", "imports jobs.scheduler; usecases"),
    ("queries/__init__.py", "from closingbell.jobs.context import Context", "imports jobs.context; queries"),
    ("queries/__init__.py", "from closingbell import usecases", "imports usecases; queries"),
    ("queries/__init__.py", "from closingbell.providers import yahoo", "imports providers.yahoo; queries"),
    ("web/__init__.py", "from closingbell.providers import yahoo", "imports providers.yahoo; web"),
    ("api/__init__.py", "from closingbell.providers import yahoo", "imports providers.yahoo; api"),
    ("commands/demo.py", "from closingbell.providers import yahoo", "imports providers.yahoo; commands"),
    ("jobs/context.py", "from closingbell import create_app", "imports app; jobs"),
    # Beside the floors.
    ("replay/__init__.py", "from closingbell import models", "imports models; replay"),
    ("app.py", "from closingbell import replay", "imports replay; app"),
    ("commands/__init__.py", "from closingbell import replay", "imports replay; commands"),
    ("commands/demo.py", "from closingbell import migrations", "imports migrations; commands"),
    ("migrations/0001_first.py", "from closingbell import stores", "imports stores; migrations"),
    ("migrations/0001_first.py", "import flask", "imports flask; migrations may import sqlalchemy and alembic"),
    ("__init__.py", "from closingbell.config import Settings", "imports config; __init__"),
    ("__main__.py", "from closingbell.app import create_app", "imports app; __main__"),
    ("domain/money.py", "from closingbell import __version__", "imports __init__; domain"),
    # Wherever the import stands.
    ("stores/prices.py", "if TYPE_CHECKING:\n    from closingbell.jobs import context", "imports jobs.context"),
    ("stores/prices.py", 'import_module("closingbell.jobs.context")', "imports jobs.context"),
    # Owners of outside libraries.
    ("jobs/context.py", "import yfinance as yf", "imports yfinance, which only providers/yahoo*.py may"),
    ("calendars.py", "from curl_cffi import requests", "imports curl_cffi, which only providers/yahoo*.py may"),
    ("providers/yahoo.py", "import exchange_calendars", "imports exchange_calendars, which only calendars.py may"),
    ("jobs/context.py", "from apscheduler.triggers import cron", "which only jobs/scheduler.py may"),
    ("stores/prices.py", "import pandas as pd", "imports pandas, which only providers/yahoo*.py and calendars.py may"),
    ("stores/prices.py", 'importlib.import_module("pandas")', "imports pandas, which only"),
    ("domain/money.py", "import structlog", "imports structlog; domain may import the standard library alone"),
    ("domain/money.py", "import random", "imports random; domain is pure"),
    ("errors.py", "import click", "imports click; errors may import the standard library alone"),
    ("web/__init__.py", "from sqlalchemy import select", "imports sqlalchemy, which web must not"),
    # The wall clock.
    ("stores/prices.py", "import time\nstarted = time.time()", "uses time.time; only utils/clock.py"),
    ("stores/prices.py", "from time import time as tick\nstarted = tick()", "uses time.time"),
    ("stores/prices.py", "import datetime as dt\nx = dt.datetime.now(dt.UTC)", "uses datetime.datetime.now"),
    ("stores/prices.py", "from datetime import datetime\nx = datetime.utcnow()", "uses datetime.datetime.utcnow"),
    ("stores/prices.py", "from datetime import date\nfind(today=date.today)", "uses datetime.date.today"),
    ("stores/prices.py", "from sqlalchemy import func\nx = func.now()", "uses sqlalchemy.func.now"),
    ("domain/money.py", "from closingbell.testing import ProviderContract", "imports testing"),
    ("stores/prices.py", "import pytest", "imports pytest, which only testing/*.py may"),
    # Hidden imports.
    ("stores/prices.py", "def load():\n    import csv", "imports csv inside a function without a comment"),
    ("stores/prices.py", "def load():\n    import csv  # noqa: PLC0415", "imports csv inside a function"),
    ("stores/prices.py", "# keeps\nx = 1\ndef load():\n    import csv", "imports csv inside a function"),
    # Circles.
    ("domain/money.py", "from closingbell.domain import bars", "circle: domain.bars -> domain.money -> domain.bars"),
]


def build(folder: Path, *, extra: tuple[str, str] | None = None) -> Path:
    """Write the small house below ``folder``, with ``extra`` lines at the end of one file."""
    for name, source in HOUSE.items():
        path = folder / "closingbell" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        added = extra[1] + "\n" if extra and extra[0] == name else ""
        path.write_text(source + added, encoding="utf-8")
    return folder


def test_package_keeps_every_rule() -> None:
    assert "\n".join(check(SOURCE)) == ""


def test_house_that_keeps_every_rule_has_no_finding(tmp_path: Path) -> None:
    assert check(build(tmp_path)) == []


def test_house_has_every_part_that_stands_on_a_floor() -> None:
    assert {name.partition("/")[0].removesuffix(".py") for name in HOUSE} == set(MAY_IMPORT)


@pytest.mark.parametrize(("path", "line", "finding"), BREACHES, ids=[f"{b[0]}: {b[1]!r}" for b in BREACHES])
def test_breach_is_named(tmp_path: Path, path: str, line: str, finding: str) -> None:
    findings = check(build(tmp_path, extra=(path, line)))
    assert any(finding in found for found in findings)
    # What reaches upwards may close a circle as well; nothing else is named.
    others = [found for found in findings if finding not in found]
    assert all(found.startswith("modules import each other in a circle") for found in others)


def test_breach_is_told_with_file_and_line(tmp_path: Path) -> None:
    findings = check(build(tmp_path, extra=("domain/bars.py", "import numpy")))
    assert findings == ["domain/bars.py:3: imports numpy; domain may import the standard library alone"]


@pytest.mark.parametrize("name", ["helpers.py", "core/prices.py"])
def test_part_that_stands_on_no_floor_is_named(tmp_path: Path, name: str) -> None:
    path = build(tmp_path) / "closingbell" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("import csv\n", encoding="utf-8")
    part = name.removesuffix(".py").partition("/")[0]
    assert check(tmp_path) == [f"{name}: {part} stands on no floor; give it one in tests/floors.py"]
