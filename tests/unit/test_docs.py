from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from itertools import zip_longest
from pathlib import Path

import click

from closingbell.app import add_pages_to, create_app
from closingbell.cli_commands import COMMANDS
from closingbell.config import Settings, load_settings
from closingbell.domain.action_facts import HOLD_SENTENCES
from closingbell.domain.bars import RULES
from closingbell.jobs.registry import jobs_of
from closingbell.replay.faults import Fault
from closingbell.usecases.imports.formats import FORMATS

DOCS = Path(__file__).parents[2] / "docs"
# Told once for all commands, at the head of their page.
OF_ALL = {"--format", "--limit", "--by"}
# Flask-Alembic's own, told as one command.
NOT_OURS = {"db"}


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_every_command_is_documented() -> None:
    told = re.findall(r"`([a-z]+(?:-[a-z]+)*)", page("commands.md"))
    assert set(COMMANDS) - set(told) == set()


def test_every_command_of_a_group_is_documented_with_all_its_options() -> None:
    blocks = list(_blocks())
    missing = {}
    for name, command in _all_commands():
        told = _told_of(name, blocks)
        for other in re.findall(r"with the options of `([a-z -]+)`", told):
            told += _told_of(other, blocks)
        options = [[*one.opts, *one.secondary_opts] for one in command.params if isinstance(one, click.Option)]
        lacking = [names[0] for names in options if not OF_ALL & set(names) and not _is_any_in(names, told)]
        if lacking or not told:
            missing[name] = lacking

    assert missing == {}
    head = page("commands.md").partition("##")[0]
    assert [option for option in OF_ALL if not _is_any_in([option], head)] == []


def test_no_option_is_documented_that_is_none() -> None:
    options = {name for _, command in _all_commands() for one in command.params for name in one.opts}
    options |= {name for _, command in _all_commands() for one in command.params for name in one.secondary_opts}

    assert set(re.findall(r"--[a-z][a-z-]*", page("commands.md"))) - options == {"--app"}


def test_every_page_and_every_route_of_the_scheduler_is_documented(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'none.sqlite'}"
    settings = Settings(database_url=url, instance_path=tmp_path, cache_dir=tmp_path, scheduler_api_enabled=True)
    app = create_app(settings)
    add_pages_to(app)
    rules = [rule for rule in app.url_map.iter_rules() if not rule.rule.startswith("/api/v1/")]
    pages = {_in_braces(rule.rule) for rule in rules if not rule.rule.startswith("/scheduler")}
    routes = {
        f"{method} {_in_braces(rule.rule)}"
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/scheduler")
    }
    told_pages = set(re.findall(r"`(/[^` ]*)`", page("pages.md").partition("## Where each page is")[2]))
    told_routes = set(re.findall(r"`((?:GET|POST|DELETE) /scheduler[^`]*)`", page("scheduling.md")))

    assert (routes - told_routes, told_routes - routes) == (set(), set())
    assert {one for one in pages if not any(_is_told_by(told, one) for told in told_pages)} == set()
    assert {told for told in told_pages if not any(_is_told_by(told, one) for one in pages)} == set()


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


def test_every_invariant_of_dividends_is_proved_by_something_that_exists() -> None:
    machine = _text("tests/dividend_machine.py")
    rows = re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \|$", page("trust.md"), re.M)

    assert [int(number) for number, _ in rows] == list(range(1, 17))
    looks = [name for _, proof in rows for name in re.findall(r"`([a-z_]+)`", proof)]
    assert len(looks) > 10
    assert [name for name in looks if f"def {name}(" not in machine] == []
    assert [number for number, proof in rows if "`" not in proof] == []


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


def _blocks() -> Iterator[str]:
    """Every paragraph, and every row of a table, of all pages."""
    for file in DOCS.glob("*.md"):
        for block in re.split(r"\n\s*\n", file.read_text(encoding="utf-8")):
            yield from block.splitlines() if block.startswith("|") else [block]


def _told_of(name: str, blocks: list[str]) -> str:
    return "\n".join(block for block in blocks if re.search(rf"(`|closingbell ){re.escape(name)}(?![\w-])", block))


def _all_commands() -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its whole name: ``orders add``, not ``orders``."""
    for name, target in COMMANDS.items():
        module, _, attribute = target.partition(":")
        if name not in NOT_OURS:
            yield from _within(name, getattr(import_module(module), attribute))


def _within(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield name, command
        return
    for word, one in command.commands.items():
        yield from _within(f"{name} {word}", one)


def _is_any_in(options: list[str], text: str) -> bool:
    return any(re.search(rf"{option}(?![\w-])", text) for option in options)


def _in_braces(rule: str) -> str:
    """A rule as pages write it: ``/runs/<int:run_id>`` is ``/runs/{run_id}``."""
    return re.sub(r"<(?:[^:>]*:)?([a-z_]+)>", r"{\1}", rule)


def _is_told_by(told: str, address: str) -> bool:
    """Whether a documented address stands for this one; ``{list}`` is any of the records' lists."""
    parts = zip_longest(told.split("/"), address.split("/"))
    return all(ours in (theirs, "{list}") and theirs is not None for ours, theirs in parts)
