"""Plain text tools: CSV cells that no spreadsheet runs, and lists in words."""

from __future__ import annotations

from collections.abc import Sequence

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")


def formula_safe(cell: str) -> str:
    """Text that a spreadsheet shows and never runs: a leading formula sign gets an apostrophe before it."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


def listed(names: Sequence[str], *, limit: int = 10) -> str:
    """``A, B and 3 more``: at most ``limit`` by name, the rest counted."""
    shown = ", ".join(names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown
