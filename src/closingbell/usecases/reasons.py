"""Who decided, and why: kept in full, and refused where nothing is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from closingbell.errors import UsageError

LONGEST = 200


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts through a page or an API; whoever sits at the console is a plain name instead.

    ``who`` is how the audit log names them, ``by`` how rows do that keep who decided, ``address`` from where they act.
    ``told`` is action, target and detail in the words of a form that asked, in place of the use case's.
    """

    who: str
    by: str
    address: str | None
    told: tuple[str, str, str | None] | None = None


# Who acts: as above, or the name of whoever sits at the console.
By: TypeAlias = Actor | str


def checked_reason(reason: str, *, ask: str = "say why, for those who look later") -> str:
    """The reason in one line; raise UsageError when there is none or it does not fit its column."""
    words = " ".join(reason.split())
    if not words:
        raise UsageError(ask)
    if len(words) > LONGEST:
        raise UsageError(f"the reason has {len(words)} characters; {LONGEST} are kept")
    return words


def checked_name(by: By) -> str:
    """Who decided, as far as it fits its column."""
    return " ".join((by if isinstance(by, str) else by.by).split())[:LONGEST] or "somebody"
