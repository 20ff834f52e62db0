"""Every operation of the API's document with whatever it allows, and what it does not: answered as documented."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from closingbell.api.v1 import DOCUMENT
from closingbell.usecases import people
from tests.web.conftest import Site, _quick_hash, site  # noqa: F401

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# Of each kind of question, for each operation.
EXAMPLES = 12


@pytest.fixture
def filled(site: Site) -> Site:  # noqa: F811
    """A house with an account, orders, prices and a payment, so that answers have something in them."""
    house = site.house
    house.orders("2012-09-04,DEPOSIT,,,100000,0,USD 2012-09-04,BUY,AAPL,20,675.00,4.95,USD")
    house.run()
    assert house.command("run-dividend-processor").exit_code == 0
    return site


def test_every_operation_answers_as_documented(filled: Site) -> None:
    token = people.create_token(filled.context, name="all", scope="operate", by="ann")
    headers = {"Authorization": f"Bearer {token}"}
    schema = schemathesis.openapi.from_wsgi(DOCUMENT, filled.house.app, headers=headers)
    tried: dict[str, set[int]] = {}
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            strategy = operation.as_strategy(generation_mode=mode)
            _ask(strategy, headers, tried.setdefault(operation.label, set()))
    # Questions were not all refused.
    assert all(statuses & {200, 201, 404} for label, statuses in tried.items() if not label.startswith("POST")), tried


def _ask(strategy: Any, headers: dict[str, str], statuses: set[int]) -> None:
    """Send what the strategy makes; a wrong answer is raised."""

    @given(case=strategy)
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def answers_as_documented(case: schemathesis.Case) -> None:
        named = case.path_parameters or {}
        for name in named:
            # What is there is asked for too; a number that is made up is hardly ever there.
            if name == "symbol":
                named[name] = "AAPL"
            elif len(str(case.query)) % 2:
                named[name] = 1
        statuses.add(case.call_and_validate(headers=headers, checks=CHECKS).status_code)

    answers_as_documented()
