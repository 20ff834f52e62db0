"""What is installed is all that is here: a wheel holds every module, template, static file, migration and data file."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_wheel_holds_every_file_of_the_package(tmp_path: Path) -> None:
    # Built from a copy: a build leaves its folders in the tree, and takes in what an earlier one left there.
    tree = tmp_path / "tree"
    leave_out = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", tree / "src", ignore=leave_out)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    build = "from setuptools import build_meta; build_meta.build_wheel('..')"
    done = subprocess.run(
        [sys.executable, "-c", build], cwd=tree, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]

    [wheel] = tmp_path.glob("*.whl")
    with ZipFile(wheel) as file:
        held = {name for name in file.namelist() if ".dist-info/" not in name}
    here = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src").rglob("*")
        if path.is_file() and not {"__pycache__", "closingbell.egg-info"} & set(path.parts)
    }
    assert (here - held, held - here) == (set(), set())
    # One of each kind, so that an empty comparison proves nothing.
    for name in ("py.typed", "web/templates/now.html", "web/static/closingbell.css", "migrations/script.py.mako"):
        assert f"closingbell/{name}" in held
