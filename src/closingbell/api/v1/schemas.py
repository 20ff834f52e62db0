"""Schemas of answers made from the dataclasses that pages and commands show, so that all three say the same."""

from __future__ import annotations

from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from marshmallow import Schema, fields

from closingbell.domain.money import plain

_EXACT = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "example": "585.28"}
_PLAIN: dict[type, tuple[type[fields.Field[Any]], dict[str, Any]]] = {
    bool: (fields.Boolean, {}),
    int: (fields.Integer, {}),
    float: (fields.Float, {}),
    str: (fields.String, {}),
    date: (fields.Date, {}),
    datetime: (fields.AwareDateTime, {"format": "iso"}),
}


class Exact(fields.Decimal):
    """An exact number: a string in JSON, because a number there has the noise of a float."""

    def __init__(self, **more: Any) -> None:
        """``more`` as for any field."""
        super().__init__(allow_nan=False, as_string=True, metadata=_EXACT, **more)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else plain(value)


@cache
def schema_of(view: type) -> type[Schema]:
    """The schema of a dataclass of the queries; every field of it is there in every answer."""
    hints = get_type_hints(view)
    made = {one.name: _field(hints[one.name]) for one in dataclass_fields(view)}
    return Schema.from_dict(made, name=view.__name__)


@cache
def page_of(view: type) -> type[Schema]:
    """A page of such things, and the address of the next one."""
    made: dict[str, Any] = {
        "items": fields.List(fields.Nested(schema_of(view)), required=True),
        "next": fields.String(
            required=True, allow_none=True, metadata={"description": "The address of what follows; null at the end."}
        ),
    }
    return Schema.from_dict(made, name=f"{view.__name__}Page")


def _field(hint: Any, *, optional: bool = False) -> fields.Field[Any]:
    """The field of a type hint: what a dataclass may have here, and nothing else."""
    common: dict[str, Any] = {"required": True, "allow_none": optional}
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        (only,) = [one for one in inner if one is not NoneType]
        return _field(only, optional=True)
    if origin in (tuple, list, dict):
        return _field_of_many(origin, inner, common)
    if hint is Decimal:
        return Exact(**common)
    if is_dataclass(hint):
        return fields.Nested(schema_of(cast(type, hint)), **common)
    if isinstance(hint, type) and issubclass(hint, tuple):
        return fields.Nested(_schema_of_named(hint), **common)
    for plain_type, (field, more) in _PLAIN.items():
        if hint is plain_type or (isinstance(hint, type) and plain_type is str and issubclass(hint, str)):
            return field(**common, **more)
    raise TypeError(f"no field is known for {hint!r}")


def _field_of_many(origin: Any, inner: tuple[Any, ...], common: dict[str, Any]) -> fields.Field[Any]:
    if origin is dict:
        return fields.Dict(fields.String(), None if inner[1] is Any else _field(inner[1]), **common)
    return fields.List(_field(inner[0]), **common)


@cache
def _schema_of_named(view: type) -> type[Schema]:
    made = {name: _field(hint) for name, hint in get_type_hints(view).items()}
    return Schema.from_dict(made, name=view.__name__)


class Problem(Schema):
    """What went wrong (RFC 9457)."""

    type = fields.String(required=True, metadata={"example": "about:blank"})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
