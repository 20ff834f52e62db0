"""``python -m benchmarks [PART] [--database KIND] [--quick]``: what is measured, against what, and is the bar met?"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from importlib import import_module

from benchmarks.databases import NAMES, missing
from benchmarks.report import Line
from closingbell.utils.garbage import collect_less_often
from closingbell.utils.logs import configure_logs

PARTS = (
    "startup",
    "scheduling",
    "refresh",
    "backfill",
    "storing",
    "growth",
    "reads",
    "planning",
    "intraday",
    "dividends",
    "positions",
    "pages",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out the parts asked for; with --strict, 1 when a bar is missed."""
    asked = _parser().parse_args(arguments)
    configure_logs("ERROR", "text")
    # As every command of ours does; the usual design, in the same process, has it too.
    collect_less_often()
    kinds = _present(asked.database or list(NAMES))
    lines: list[Line] = []
    began = time.monotonic()
    for part in asked.part or PARTS:
        run: Callable[..., list[Line]] = import_module(f"benchmarks.{part}").run
        lines += run(kinds, quick=asked.quick)
    missed = sum(not line.is_met for line in lines)
    barred = sum(line.bar is not None for line in lines)
    print(f"\n{barred - missed} of {barred} bars met; all of it took {time.monotonic() - began:.0f} s")
    return 1 if missed and asked.strict else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("part", nargs="*", type=_part, help=f"{', '.join(PARTS)}; default: all of them")
    parser.add_argument("--database", action="append", choices=list(NAMES), help="only this one; may be repeated")
    parser.add_argument("--quick", action="store_true", help="one turn of small sizes, to see that it works")
    parser.add_argument("--strict", action="store_true", help="fail when a bar is missed")
    return parser


def _part(name: str) -> str:
    # ``choices`` would refuse an empty list, which stands for all.
    if name not in PARTS:
        raise argparse.ArgumentTypeError(f"there is no part {name!r}")
    return name


def _present(kinds: Sequence[str]) -> list[str]:
    present = []
    for kind in kinds:
        reason = missing(kind)
        if reason is None:
            present.append(kind)
        else:
            print(reason)
    return present


if __name__ == "__main__":
    raise SystemExit(main())
