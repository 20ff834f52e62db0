"""How the documentation is built: ``make docs``, then open build/docs/index.html."""

from __future__ import annotations

from importlib.metadata import version as version_of

project = "closingbell"
author = "The closingbell developers"
version = release = version_of("closingbell")
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "closingbell"
html_static_path: list[str] = []
# Every heading can be linked to, as on a forge.
myst_heading_anchors = 3
exclude_patterns = ["build"]
nitpicky = True
