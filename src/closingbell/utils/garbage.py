"""How often Python looks for garbage in a process of ours."""

from __future__ import annotations

import gc

# New objects between two looks. Loading modules and reading years of bars makes many objects and no garbage in cycles:
# with Python's own 700, a twentieth of a command's start and a sixth of a backfill go into looking for some.
OBJECTS_PER_LOOK = 50_000


def collect_less_often() -> None:
    """Look for garbage every 50,000 new objects; for processes that are closingbell's own."""
    gc.set_threshold(OBJECTS_PER_LOOK, 20, 20)
