"""Where the blocks of a page stand, compared with how they stood when a person looked at pictures of it.

Fonts differ from one machine to the next, and with them how text wraps. What no font changes is compared closely: which
blocks there are and in which order, where each begins from the left, how wide it is, and whether it stands below the
one before it or beside it, and how far. Heights are compared roughly.

After a page was changed, look at it and write down how it stands now::

    LAYOUT_PICTURES=/tmp/pictures pytest tests/browser/test_every_page.py -k fits

makes a picture of each page in both themes and widths there and rewrites ``layout.json`` beside this file. Look at the
pictures, and at what changed in ``layout.json``, before either is kept.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

REVIEWED = Path(__file__).with_name("layout.json")
PICTURES = os.environ.get("LAYOUT_PICTURES")
# A scroll bar's width moves what is in the middle by half of it.
CLOSE_PX = 12
# A line or two more or less, or half.
ROUGH_PX, ROUGH = 60, 0.5

# The frame, what stands on the page, and what stands in its sections; each after the one before it.
_BLOCKS = """() => {
  const found = [];
  const add = (one, inside) => {
    const box = one.getBoundingClientRect();
    const style = getComputedStyle(one);
    if (!box.width || !box.height || style.position === "absolute" || style.display.startsWith("inline")) return;
    const heading = one.matches("section, article, form") ? one.querySelector("h2, h3") : null;
    const said = one.getAttribute("aria-label") || (heading || (one.matches("h1, h2") ? one : {})).textContent || "";
    // Whether a chart was drawn already is not asked here.
    const names = [...one.classList].filter((name) => name !== "js-plotly-plot");
    const kind = [one.tagName.toLowerCase(), ...names].join(".");
    found.push({
      name: (inside ? "  " : "") + kind + (said ? " " + said.replace(/\\s+/g, " ").trim().slice(0, 40) : ""),
      x: box.x, y: box.y + scrollY, width: box.width, height: box.height, inside,
    });
  };
  for (const one of document.querySelectorAll("header.top, .replay")) add(one, false);
  for (const one of document.querySelectorAll("main > *")) {
    add(one, false);
    if (one.matches("section, .cards")) for (const inner of one.children) add(inner, true);
  }
  return found;
}"""

# name, x, width, how far below the one before it (None: beside it), height.
Block = list[Any]


def blocks_of(page: Page) -> list[Block]:
    """The blocks of the page that is shown, from its top to its end, in whole pixels."""
    shown: list[Block] = []
    bottom: dict[bool, float] = {False: 0.0, True: 0.0}
    for one in page.evaluate(_BLOCKS):
        level, is_first = one["inside"], False
        if not level:
            # What is inside begins at the top of what it is in.
            inner_top = one["y"]
        else:
            is_first = bottom[True] == 0.0
        before = inner_top if is_first else bottom[level]
        gap = one["y"] - before
        is_beside = gap < -1
        shown.append([_no_numbers(one["name"]), *(round(one[side]) for side in ("x", "width")),
                      None if is_beside else round(gap), round(one["height"])])  # fmt: skip
        bottom[level] = max(bottom[level], one["y"] + one["height"])
        if not level:
            bottom[True] = 0.0
    return shown


def _no_numbers(name: str) -> str:
    """Without what is another from day to day."""
    return re.sub(r"[0-9]+", "N", name)


def differences(shown: list[Block], reviewed: list[Block]) -> list[str]:
    """How what is shown stands otherwise than what was reviewed, in words."""
    names, expected = [one[0] for one in shown], [one[0] for one in reviewed]
    if names != expected:
        gone = [name for name in expected if name not in names]
        come = [name for name in names if name not in expected]
        return [f"other blocks: without {gone}, with {come}" if gone or come else f"another order: {names}"]
    found = []
    for (name, x, width, gap, height), (_, was_x, was_width, was_gap, was_height) in zip(shown, reviewed, strict=True):
        said = []
        if abs(x - was_x) > CLOSE_PX or abs(width - was_width) > CLOSE_PX:
            said.append(f"at {x}, {width} wide instead of at {was_x}, {was_width} wide")
        if (gap is None) is not (was_gap is None):
            said.append("beside the one before it" if gap is None else "no longer beside the one before it")
        elif gap is not None and abs(gap - was_gap) > CLOSE_PX:
            said.append(f"{gap} below the one before it instead of {was_gap}")
        if abs(height - was_height) > max(ROUGH_PX, ROUGH * was_height):
            said.append(f"{height} high instead of {was_height}")
        found += [f"{name.strip()}: {one}" for one in said]
    return found


class Layouts:
    """The reviewed layouts: compared with, or written down anew where pictures are asked for."""

    def __init__(self) -> None:
        self._new: dict[str, dict[str, list[Block]]] = {}
        self._reviewed = {} if PICTURES else json.loads(REVIEWED.read_text())

    def look(self, page: Page, address: str, *, theme: str, width: int) -> list[str]:
        """What stands otherwise on this page; both themes stand alike."""
        shown = blocks_of(page)
        if PICTURES:
            name = f"{address.strip('/').replace('/', '_') or 'now'}-{theme}-{width}.png"
            page.screenshot(path=Path(PICTURES) / name, full_page=True)
            reviewed = self._new.setdefault(address, {}).setdefault(str(width), shown)
        else:
            reviewed = self._reviewed.get(address, {}).get(str(width))
            if reviewed is None:
                return ["its layout was not reviewed yet; how to: tests/browser/layout.py"]
        return differences(shown, reviewed)

    def keep(self) -> None:
        """Write down what was shown, where pictures were asked for."""
        if PICTURES:
            lines = [
                f"{json.dumps(address)}: {{\n"
                + ",\n".join(
                    f"  {json.dumps(width)}: [\n" + ",\n".join(f"    {json.dumps(one)}" for one in found) + "\n  ]"
                    for width, found in by_width.items()
                )
                + "\n}"
                for address, by_width in sorted(self._new.items())
            ]
            REVIEWED.write_text("{\n" + ",\n".join(lines) + "\n}\n")
