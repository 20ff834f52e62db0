"""What is handed to operators: units, compose files, the image's recipe, and the documentation as a site."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from closingbell.app import add_pages_to, create_app
from closingbell.cli_commands import COMMANDS
from closingbell.config import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = sorted(DEPLOY.glob("compose.*.yaml"))
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


def is_setting(name: str) -> bool:
    known = Settings.model_fields
    return name.lower() in known or name.removesuffix("_FILE").lower() in known


@lru_cache
def help_of(command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "closingbell", command, "--help"], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def check_command(words: list[str]) -> None:
    """A command line of closingbell that exists, with options that it has."""
    assert words[0] in COMMANDS, words
    told = help_of(words[0]) if len(words) > 1 else ""
    assert [word for word in words[1:] if word.startswith("--") and word not in told] == []


def patience_needed(command: str) -> float:
    """How many seconds a process may take to stop: what runs may, and with `serve` what pages under way may."""
    grace: float = Settings.model_fields["jobs_shutdown_grace"].default
    return grace + 15 if command == "serve" else grace


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_what_there_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    [line] = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    program, *words = shlex.split(line)
    assert program == "/opt/closingbell/bin/closingbell"
    check_command(words)
    [variables] = re.findall(r"^Environment=(.*)$", text, re.MULTILINE)
    assert [name for name in re.findall(r"([A-Z_]+)=", variables) if not is_setting(name)] == []
    [patience] = re.findall(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    assert int(patience) > patience_needed(words[0])


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_a_compose_file_starts_what_there_is(path: Path) -> None:
    told: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(told["services"]) == {"database", "tables", "scheduler", "web"}
    for name, service in told["services"].items():
        assert set(service["secrets"]) <= set(told["secrets"])
        if name == "database":
            continue
        check_command(service["command"])
        assert [variable for variable in service["environment"] if not is_setting(variable)] == []
        assert (ROOT / service["build"]["dockerfile"]).is_file()
        if "stop_grace_period" in service:
            assert int(service["stop_grace_period"].removesuffix("s")) > patience_needed(service["command"][0])
    assert {name for name, service in told["services"].items() if "stop_grace_period" in service} == {
        "scheduler",
        "web",
    }
    # A database that fills its new volume answers on its socket, and is stopped once more: only TCP tells it is ready.
    assert {"-h", "--connect"} & set(told["services"]["database"]["healthcheck"]["test"])
    # Podman leaves the image's own check out; and what the image asks is what the service asks.
    image = (ROOT / "Containerfile").read_text(encoding="utf-8")
    [asked] = re.findall(r"^HEALTHCHECK .*\n +CMD (\[.*\])$", image, re.MULTILINE)
    assert told["services"]["web"]["healthcheck"]["test"] == ["CMD", *yaml.safe_load(asked)]
    assert told["services"]["web"]["environment"]["JOBS_ENABLED"] == "false"
    # The one kind of database does not open the files of the other.
    [kept] = [volume.split(":")[0] for volume in told["services"]["database"]["volumes"]]
    assert kept == path.name.split(".")[1]
    # Nobody else reaches the pages before a proxy is put in front of them.
    assert told["services"]["web"]["ports"] == ["127.0.0.1:8000:8000"]


def test_the_image_is_made_of_what_there_is() -> None:
    text = (ROOT / "Containerfile").read_text(encoding="utf-8")
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [name for names in re.findall(r"^COPY (?!--)(.*) \S+$", text, re.MULTILINE) for name in names.split()]
    assert sorted(copied) == sorted(kept)
    assert [name for name in copied if not (ROOT / name).exists()] == []
    [command] = re.findall(r"^CMD (\[.*\])$", text, re.MULTILINE)
    check_command(yaml.safe_load(command))
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    [extras] = re.findall(r"whl\)\[([a-z,]+)\]", text)
    assert [name for name in extras.split(",") if not re.search(rf"^{name} = \[", project, re.MULTILINE)] == []
    assert re.search(r"^USER 10001$", text, re.MULTILINE)
    variables = re.findall(r"\b([A-Z_]+)=/var/lib", text)
    assert (bool(variables), [name for name in variables if not is_setting(name)]) == (True, [])


def test_the_proxy_passes_the_live_page_on_at_once(tmp_path: Path) -> None:
    app = create_app(Settings(database_url=f"sqlite:///{tmp_path}/closingbell.sqlite", instance_path=tmp_path))
    add_pages_to(app)
    live = app.url_map.bind("closingbell.example").build("pages.run_progress", {"run_id": 12})
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    assert text.count("{") == text.count("}")
    blocks = re.findall(r"location ~ (\S+) \{(.*?)\}", text, re.DOTALL)
    [told] = [inside for rule, inside in blocks if re.search(rule, live)]
    assert "proxy_buffering off;" in told
    # The guide names it too.
    assert f"`{live.replace('12', '…')}`" in (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")


def test_the_guide_names_commands_that_exist() -> None:
    text = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`?closingbell ([a-z]+(?:-[a-z]+)+|doctor|audit|serve)\b", text))
    assert {"init-db", "doctor", "run-scheduler"} <= named
    assert sorted(named - set(COMMANDS)) == []


def test_the_documentation_is_built_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", ROOT / "docs", tmp_path / "site"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    pages = {path.stem for path in (tmp_path / "site").glob("*.html")}
    assert {path.stem for path in (ROOT / "docs").glob("*.md")} <= pages
    # Nothing is loaded from another host.
    for path in (tmp_path / "site").glob("*.html"):
        assert re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"https?://", path.read_text(encoding="utf-8")) == []
