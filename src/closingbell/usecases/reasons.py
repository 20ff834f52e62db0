"""Who decided, and why: kept in full, and refused where nothing is said."""

from __future__ import annotations

from closingbell.errors import UsageError

LONGEST = 200


def checked_reason(reason: str, *, ask: str = "say why, for those who look later") -> str:
    """The reason in one line; raise UsageError when there is none or it does not fit its column."""
    words = " ".join(reason.split())
    if not words:
        raise UsageError(ask)
    if len(words) > LONGEST:
        raise UsageError(f"the reason has {len(words)} characters; {LONGEST} are kept")
    return words


def checked_name(by: str) -> str:
    """Who decided, as far as it fits its column."""
    return " ".join(by.split())[:LONGEST] or "somebody"
