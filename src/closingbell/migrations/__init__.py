"""Alembic migrations; run them with ``closingbell init-db`` or ``closingbell db upgrade``."""
