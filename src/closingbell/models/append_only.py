"""Tables whose rows the database itself keeps from being changed or removed.

Whoever makes such a table anew in a migration (SQLite's way to alter one) must protect it again afterwards.
"""

from __future__ import annotations


def protect(table: str, dialect: str) -> list[str]:
    """The statements that make ``table`` refuse UPDATE and DELETE."""
    if dialect == "postgresql":
        return [_POSTGRESQL_FUNCTION, *(_postgresql(table, verb) for verb in _VERBS)]
    one = _sqlite if dialect == "sqlite" else _mysql
    return [one(table, verb) for verb in _VERBS]


def unprotect(table: str, dialect: str) -> list[str]:
    """The statements that take the protection away, for a migration."""
    on = f" ON {table}" if dialect == "postgresql" else ""
    return [f"DROP TRIGGER IF EXISTS {_name(table, verb)}{on}" for verb in _VERBS]


def trigger_names(table: str) -> set[str]:
    """What the triggers of a protected table are called."""
    return {_name(table, verb) for verb in _VERBS}


_VERBS = ("UPDATE", "DELETE")

_POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION closingbell_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'rows of % are never changed or removed', TG_TABLE_NAME;
END
$$"""


def _name(table: str, verb: str) -> str:
    return f"{table}_no_{verb.lower()}"


def _postgresql(table: str, verb: str) -> str:
    return (
        f"CREATE TRIGGER {_name(table, verb)} BEFORE {verb} ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION closingbell_append_only()"
    )


def _sqlite(table: str, verb: str) -> str:
    return (
        f"CREATE TRIGGER {_name(table, verb)} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are never changed or removed'); END"
    )


def _mysql(table: str, verb: str) -> str:
    return (
        f"CREATE TRIGGER {_name(table, verb)} BEFORE {verb} ON {table} "
        f"FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'rows of {table} are never changed or removed'"
    )
