"""Plain text tools: CSV cells that no spreadsheet runs, and lists in words."""

from __future__ import annotations

import re
from collections.abc import Sequence

# A wide sign is a sign too where Chinese, Japanese or Korean is written.
_SIGNS = "=+@\uff1d\uff0b\uff0d\uff20-"
# What a spreadsheet may skip before it looks for a sign.
_SKIPPED = r"\s\0\ufeff\u200b"
_STARTS = re.compile(rf"[\t\r\n\0]|[{_SKIPPED}]*[{_SIGNS}]")
# Where semicolons or tabs part cells, as in much of Europe, a cell of ours may be read as several.
_STARTS_INSIDE = re.compile(rf"([;|\t\r\n][{_SKIPPED}\"']*)(?=[{_SIGNS}])")


def formula_safe(cell: str) -> str:
    """Text that a spreadsheet shows and never runs: a sign that begins a formula gets an apostrophe before it."""
    if cell.isalnum():
        return cell
    safe = _STARTS_INSIDE.sub(r"\1'", cell)
    return f"'{safe}" if _STARTS.match(safe) else safe


def listed(names: Sequence[str], *, limit: int = 10) -> str:
    """``A, B and 3 more``: at most ``limit`` by name, the rest counted."""
    shown = ", ".join(names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown


def counted(count: int, what: str, many: str | None = None) -> str:
    """``1 payment``, ``2,000 payments``; ``many`` where an s does not make more of ``what``: ``2 companies``."""
    return f"{count:,} {what if count == 1 else many or what + 's'}"
