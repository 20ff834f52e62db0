"""Who may import whom: reads every module of the package and says where one breaks a rule of the house.

``python tests/floors.py`` prints what is wrong and exits 1. Imports count wherever they stand: in a function, under
``TYPE_CHECKING``, or as ``import_module("name")``.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

PACKAGE = "closingbell"
ROOT = "__init__"

_GROUND = ("errors", "utils", "domain", "config")
_BELOW_ADAPTERS = (*_GROUND, "models")
_BELOW_JOBS = (*_BELOW_ADAPTERS, "stores", "providers", "calendars", "notifications")
_READS = (*_BELOW_ADAPTERS, "stores", "calendars")
_BELOW_FACES = (*_BELOW_ADAPTERS, "stores", "calendars", "notifications", "jobs", "usecases", "queries")
_FACES = ("app", "cli_commands", "commands", "web", "api")

# Part of the package -> what it may import besides itself; a name covers everything under it.
MAY_IMPORT: Mapping[str, tuple[str, ...]] = {
    "errors": (),
    "domain": ("errors",),
    "utils": ("errors",),
    "config": ("errors", "utils"),
    "models": ("errors", "utils", "domain.money", "domain.days"),
    "stores": _BELOW_ADAPTERS,
    "providers": _BELOW_ADAPTERS,
    # What other packages test their providers with.
    "testing": (*_BELOW_ADAPTERS, "providers"),
    "calendars": _BELOW_ADAPTERS,
    "notifications": _BELOW_ADAPTERS,
    "jobs": _BELOW_JOBS,
    "usecases": (*_BELOW_JOBS, "jobs.context", "jobs.market_time", "jobs.registry"),
    # What jobs there are is a read; what they do is not.
    "queries": (*_READS, "jobs.registry"),
    "web": (*_BELOW_FACES, *_FACES),
    "api": (*_BELOW_FACES, *_FACES),
    "cli_commands": (*_BELOW_FACES, *_FACES),
    "commands": (*_BELOW_FACES, *_FACES),
    # Puts the parts together, so it alone among the faces knows a provider.
    "app": (*_BELOW_FACES, *_FACES, "providers"),
    # Beside the floors: a server of its own, the tables' history, and the two doors of the package.
    "replay": ("errors", "utils", "domain"),
    "migrations": ("models",),
    ROOT: ("app",),
    "__main__": ("cli_commands",),
}
# Modules that may import more than their part may.
MAY_ALSO_IMPORT: Mapping[str, tuple[str, ...]] = {
    # A second provider decides as a person does, by the same rules.
    "jobs.second_opinion": ("usecases.quarantine",),
    # What is suggested is worked out by the rule that books; this module of the job's only reads.
    "queries.suggestions": ("jobs.dividend_suggesting",),
    "usecases.suggestions": ("jobs.dividend_suggesting",),
    # And so are the states that it keeps.
    "queries.audit": ("jobs.dividend_auditing",),
    # So is what becomes of a payment that is rated again.
    "queries.rerating": ("jobs.dividend_rerating",),
    "usecases.rerating": ("jobs.dividend_rerating",),
    "commands.replay": ("replay",),
    "commands.demo": ("replay",),
    # ``python -m closingbell.replay`` is the command.
    "replay.__main__": ("commands.replay",),
    # Tells Alembic where the migrations lie.
    "commands.database": ("migrations",),
}
# These hold facts about the package itself, so the version is no business of theirs.
NO_ROOT = ("errors", "domain", "migrations")

# Outside library -> the only modules that may import it (file patterns).
_YAHOO = ("providers/yahoo*.py",)
_CALENDARS = ("calendars.py",)
OWNERS: Mapping[str, tuple[str, ...]] = {
    "yfinance": _YAHOO,
    "curl_cffi": _YAHOO,
    "exchange_calendars": _CALENDARS,
    "pandas": (*_YAHOO, *_CALENDARS),
    "pyarrow": ("providers/files*.py", "api/v1/market.py"),
    "flask_smorest": ("api/v1/*.py",),
    "marshmallow": ("api/v1/*.py",),
    "plotly": ("web/charts.py",),
    "flask_admin": ("web/records/*.py",),
    "tiingo": ("providers/tiingo*.py",),
    "requests": ("providers/tiingo*.py",),
    "apscheduler": ("jobs/scheduler.py",),
    "pytest": ("testing/*.py",),
    "apprise": ("notifications/senders.py",),
    "prometheus_client": ("api/metrics.py",),
}
# Part -> the only outside libraries it may import; parts that are not named here may import any.
ONLY_LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "errors": (),
    "domain": (),
    "migrations": ("sqlalchemy", "alembic"),
}
# Part -> libraries it must not import: faces hold no SQL.
NO_LIBRARIES: Mapping[str, tuple[str, ...]] = dict.fromkeys(("web", "api", "commands", "cli_commands"), ("sqlalchemy",))
# Flask-Security brings its own reads and writes of people.
BRING_THEIR_OWN: Mapping[str, tuple[str, ...]] = {"web.people": ("sqlalchemy",)}
# The pure part looks at no clock, no network, no file, and rolls no dice.
NOT_PURE = (
    *("asyncio", "http", "multiprocessing", "os", "pathlib", "random", "secrets", "shutil", "socket", "sqlite3"),
    *("ssl", "subprocess", "threading", "time", "urllib"),
)

CLOCK_MODULE = "utils/clock.py"
WALL_CLOCKS = frozenset(
    {
        "time.time",
        "time.time_ns",
        "datetime.datetime.now",
        "datetime.datetime.utcnow",
        "datetime.datetime.today",
        "datetime.date.today",
        "sqlalchemy.func.now",
        "sqlalchemy.func.current_timestamp",
        "sqlalchemy.func.current_date",
    }
)


@dataclass(frozen=True)
class Import:
    """One imported name: dotted and absolute; ``is_statement`` is false for ``import_module("name")``."""

    name: str
    line: int
    last_line: int
    is_in_function: bool
    is_statement: bool


@dataclass(frozen=True)
class Module:
    """One file of the package; ``name`` is dotted and without the package's own name."""

    name: str
    path: str
    source: str
    is_package: bool = False
    lines: list[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lines", self.source.splitlines())

    @property
    def part(self) -> str:
        return self.name.partition(".")[0]

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source, self.path)

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        return tuple(_imports(self.tree, self, is_in_function=False))


def check(source_root: Path) -> list[str]:
    """What breaks a rule in the package below ``source_root``, one sentence each; empty when all is well."""
    modules = _modules(source_root / PACKAGE)
    findings: list[str] = []
    for module in modules.values():
        if module.part not in MAY_IMPORT:
            findings.append(f"{module.path}: {module.part} stands on no floor; give it one in tests/floors.py")
            continue
        findings += _check_floor(module, modules)
        findings += _check_libraries(module)
        findings += _check_clock(module)
        findings += _check_hidden(module)
    findings += _check_circles(modules)
    return findings


def _modules(package: Path) -> dict[str, Module]:
    found: dict[str, Module] = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts) or ROOT
        relative = path.relative_to(package).as_posix()
        found[name] = Module(name, relative, path.read_text(encoding="utf-8"), is_package)
    return found


def _imports(node: ast.AST, module: Module, *, is_in_function: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        for name in _names(child, module):
            line, last_line = child.lineno, child.end_lineno or child.lineno  # type: ignore[attr-defined]
            is_statement = isinstance(child, ast.Import | ast.ImportFrom)
            yield Import(name, line, last_line, is_in_function, is_statement)
        opens_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _imports(child, module, is_in_function=is_in_function or opens_function)


def _names(node: ast.AST, module: Module) -> list[str]:
    """The absolute names that ``node`` imports by itself."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = _absolute(node, module)
        return [f"{base}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and node.args:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        argument = node.args[0]
        if called in {"import_module", "__import__"} and isinstance(argument, ast.Constant):
            return [str(argument.value)]
    return []


def _absolute(node: ast.ImportFrom, module: Module) -> str:
    """The module after ``from``; dots at its start are counted from where the file lies."""
    if not node.level:
        return node.module or ""
    here = [PACKAGE, *([] if module.name == ROOT else module.name.split("."))]
    up = node.level - 1 if module.is_package else node.level
    return ".".join([*here[: len(here) - up], *([node.module] if node.module else [])])


def _target(name: str, modules: Mapping[str, Module]) -> str | None:
    """The module of the package that importing ``name`` reads; None for a name from outside."""
    top, _, inside = name.partition(".")
    if top != PACKAGE:
        return None
    if inside == "create_app":
        return "app"
    first = inside.partition(".")[0]
    while inside and inside not in modules:
        inside = inside.rpartition(".")[0]
    if not inside and first in MAY_IMPORT:
        return first
    return inside or ROOT


def _is_under(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def _check_floor(module: Module, modules: Mapping[str, Module]) -> Iterator[str]:
    allowed = (module.part, *MAY_IMPORT[module.part], *MAY_ALSO_IMPORT.get(module.name, ()))
    if module.part not in NO_ROOT:
        allowed += (ROOT,)
    for found in module.imports:
        target = _target(found.name, modules)
        if target is not None and not _is_under(target, allowed):
            below = ", ".join(MAY_IMPORT[module.part]) or "nothing of the package"
            yield f"{module.path}:{found.line}: imports {target}; {module.part} may import {below}"


def _check_libraries(module: Module) -> Iterator[str]:
    for found in module.imports:
        library = found.name.partition(".")[0]
        owners = OWNERS.get(library)
        if owners and not any(fnmatch(module.path, owner) for owner in owners):
            yield f"{module.path}:{found.line}: imports {library}, which only {' and '.join(owners)} may"
        if library in NO_LIBRARIES.get(module.part, ()) and library not in BRING_THEIR_OWN.get(module.name, ()):
            yield f"{module.path}:{found.line}: imports {library}, which {module.part} must not"
        if module.part == "domain" and library in NOT_PURE:
            yield f"{module.path}:{found.line}: imports {library}; domain is pure"
        only = ONLY_LIBRARIES.get(module.part)
        if only is not None and library not in {*only, PACKAGE, *sys.stdlib_module_names}:
            allowed = " and ".join(only) or "the standard library alone"
            yield f"{module.path}:{found.line}: imports {library}; {module.part} may import {allowed}"


def _check_clock(module: Module) -> Iterator[str]:
    """Uses of the wall clock, called or handed on, under whatever name they were imported."""
    if module.path == CLOCK_MODULE:
        return
    known = _local_names(module)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute | ast.Name) and (name := _dotted(node, known)) in WALL_CLOCKS:
            yield f"{module.path}:{node.lineno}: uses {name}; only {CLOCK_MODULE} looks at the clock"


def _local_names(module: Module) -> dict[str, str]:
    """Name in the file -> what it stands for, from its imports."""
    names: dict[str, str] = {}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _dotted(node: ast.expr, known: Mapping[str, str]) -> str:
    if isinstance(node, ast.Name):
        return known.get(node.id, "")
    if isinstance(node, ast.Attribute):
        base = _dotted(node.value, known)
        return f"{base}.{node.attr}" if base else ""
    return ""


_WHY = re.compile(r"#.*\bkeeps\b")
_IMPORT_OR_COMMENT = re.compile(r"\s*(#|import\s|from\s.*\simport\b)")


def _check_hidden(module: Module) -> Iterator[str]:
    """An import in a function has to say what it keeps out of start-up, on its line or right before its block."""
    for found in module.imports:
        if found.is_in_function and found.is_statement and not _says_why(module.lines, found):
            yield (
                f"{module.path}:{found.line}: imports {found.name} inside a function without a comment"
                " with the word 'keeps' (what it keeps out of start-up)"
            )


def _says_why(lines: list[str], found: Import) -> bool:
    around = lines[found.line - 1 : found.last_line]
    for before in reversed(lines[: found.line - 1]):
        if not _IMPORT_OR_COMMENT.match(before):
            break
        around.append(before if before.lstrip().startswith("#") else "")
    return any(_WHY.search(line) for line in around)


def _check_circles(modules: Mapping[str, Module]) -> Iterator[str]:
    """Modules that import each other in a circle; the lazy door of the package counts for none."""
    after: dict[str, list[str]] = {}
    for name, module in modules.items():
        targets = {target for found in module.imports if (target := _target(found.name, modules)) in modules}
        after[name] = [] if name == ROOT else sorted(target for target in targets if target not in {None, name, ROOT})
    finished: set[str] = set()
    for start in after:
        yield from _circles_from(start, after, [], finished)


def _circles_from(name: str, after: Mapping[str, list[str]], way: list[str], finished: set[str]) -> Iterator[str]:
    if name in way:
        circle = way[way.index(name) :]
        at = circle.index(min(circle))
        yield "modules import each other in a circle: " + " -> ".join([*circle[at:], *circle[: at + 1]])
        return
    if name in finished:
        return
    for following in after[name]:
        yield from _circles_from(following, after, [*way, name], finished)
    finished.add(name)


def main() -> int:
    """Print what is wrong with the package in this repository."""
    findings = check(Path(__file__).resolve().parent.parent / "src")
    for finding in findings:
        sys.stdout.write(f"src/{PACKAGE}/{finding}\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
