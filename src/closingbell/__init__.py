"""closingbell: every close stored, every dividend paid once, and someone is told when not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from closingbell.app import create_app

__all__ = ["create_app"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load the application factory on first use, so that importing a pure part loads no Flask."""
    if name == "create_app":
        from closingbell.app import create_app  # noqa: PLC0415  (PEP 562: keeps Flask out of start-up)

        return create_app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
