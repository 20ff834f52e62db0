"""An action that does not come to its commit leaves no entry in the audit log either."""

from __future__ import annotations

import pytest
import structlog
from sqlalchemy import Connection, event, func, select

from closingbell.models import AuditEntry
from tests.app_fixtures import House, everything

# One of each way in which an entry is written: by a use case, with a session's calendar, by a run that begins.
COMMANDS = (
    "pause-job price_sweep",
    "orders add Ann DEPOSIT --date 2012-11-29 --amount 100",
    "create-token ci --scope read",
    "closures add XNYS 2012-11-27 storm",
    "run-price-sweep --no-wait",
    "run-price-sweep --symbols AAPL",
)


class _ServerGoneError(Exception):
    """What the commit meets."""


def test_what_is_lost_at_its_commit_leaves_neither_action_nor_entry(house: House, no_waits: None) -> None:
    house.hold("AAPL", since="2012-11-28")
    house.command("closures", "add", "XNYS", "2012-11-26", "storm")
    engine = house.context.database.engine
    known = len(house.rows(AuditEntry))
    lost: list[str] = []

    def lose(connection: Connection) -> None:
        if connection.scalar(select(func.count()).select_from(AuditEntry)) != known:
            lost.append("the entry was there")
            raise _ServerGoneError

    before = everything(engine)
    event.listen(engine, "commit", lose)
    try:
        for words in COMMANDS:
            with pytest.raises(_ServerGoneError):
                house.app.test_cli_runner().invoke(args=words.split(), catch_exceptions=False)
    finally:
        event.remove(engine, "commit", lose)
        # A run sent the logs to a stream that is closed now.
        structlog.reset_defaults()

    assert lost == ["the entry was there"] * len(COMMANDS)
    assert everything(engine) == before
