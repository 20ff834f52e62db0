"""The API's document for reading: every address, what it takes, and what it answers."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, render_template
from flask.typing import ResponseReturnValue

from closingbell.api.v1 import DOCUMENT, document_of
from closingbell.web.guard import Right, needs


def add_routes(pages: Blueprint) -> None:
    """The routes of this module."""
    pages.add_url_rule("/api-documentation", "api_documentation", show_api)


@needs(Right.MEMBER)
def show_api() -> ResponseReturnValue:
    """Every operation of the document, and every schema that they name."""
    told = document_of(current_app)
    operations = [
        {"method": method.upper(), "path": path, "shared": of_path.get("parameters", []), **operation}
        for path, of_path in told["paths"].items()
        for method, operation in of_path.items()
        if method != "parameters"
    ]
    return render_template(
        "api.html",
        says=told["info"]["description"].split("\n\n"),
        operations=operations,
        schemas=told["components"]["schemas"],
        document=DOCUMENT,
        kind_of=kind_of,
    )


def kind_of(schema: dict[str, Any]) -> str:
    """What a schema is, in a few words: ``text``, ``list of DailyBar``, ``date, or null``."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "allOf" in schema:
        return kind_of(schema["allOf"][0]) + (", or null" if schema.get("nullable") else "")
    if schema.get("type") == "array":
        words = f"list of {kind_of(schema['items'])}"
    elif "enum" in schema:
        words = " | ".join(str(one) for one in schema["enum"] if one is not None)
    elif "pattern" in schema and schema.get("example"):
        words = "exact number as text"
    else:
        words = {"string": "text"}.get(schema.get("type", ""), schema.get("type", "anything"))
        words = schema.get("format", words)
    return words + (", or null" if schema.get("nullable") else "")
