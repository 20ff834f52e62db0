from __future__ import annotations

import re
from pathlib import Path

from closingbell.cli_commands import COMMANDS
from closingbell.config import load_settings
from closingbell.domain.action_facts import HOLD_SENTENCES
from closingbell.domain.bars import RULES
from closingbell.jobs.registry import jobs_of
from closingbell.replay.faults import Fault
from closingbell.usecases.imports.formats import FORMATS

DOCS = Path(__file__).parents[2] / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_every_command_is_documented() -> None:
    told = re.findall(r"`([a-z]+(?:-[a-z]+)*)", page("commands.md"))
    assert set(COMMANDS) - set(told) == set()


def test_every_job_is_documented() -> None:
    assert [name for name in jobs_of(load_settings()) if f"`{name}`" not in page("scheduling.md")] == []


def test_every_rule_of_a_doubtful_bar_is_documented() -> None:
    assert [rule for rule in RULES if f"`{rule}`" not in page("prices.md")] == []


def test_every_fault_of_the_recorded_market_is_documented() -> None:
    assert [fault.value for fault in Fault if f"`{fault.value}`" not in page("replay.md")] == []


def test_every_reason_to_hold_an_action_is_documented() -> None:
    assert [code for code in HOLD_SENTENCES if f"`{code}`" not in page("dividends.md")] == []


def test_every_form_of_import_is_documented() -> None:
    assert [form.name for form in FORMATS if f"`{form.name}`" not in page("imports.md")] == []


def test_links_between_pages_lead_somewhere() -> None:
    for file in [DOCS.parent / "README.md", *DOCS.glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", file.read_text(encoding="utf-8")):
            assert (file.parent / target).exists(), f"{file.name} links to {target}"


def test_every_test_named_on_a_page_exists() -> None:
    named = re.findall(r"`(tests/[a-z_/]+\.py)::(test_[a-z0-9_]+)`", page("trust.md"))
    missing = [f"{file}::{name}" for file, name in named if f"def {name}(" not in _text(file)]

    assert len(named) > 60
    assert missing == []


def test_every_story_is_named_on_the_page_of_trust() -> None:
    told = page("trust.md")
    stories = sorted((DOCS.parent / "tests" / "scenarios" / "stories").glob("test_*.py"))
    names = [
        name for file in stories for name in re.findall(r"^def (test_[a-z0-9_]+)\(", file.read_text("utf-8"), re.M)
    ]

    assert len(names) > 10
    assert [name for name in names if f"::{name}`" not in told] == []


def _text(file: str) -> str:
    path = DOCS.parent / file
    return path.read_text(encoding="utf-8") if path.exists() else ""
