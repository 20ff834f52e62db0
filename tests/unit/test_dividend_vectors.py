"""Worked examples of dividends and splits, each through the code that does the work.

The examples are read from the file named by CLOSINGBELL_VECTORS, else from the shared test data; ``OPS`` says which
function an example's ``op`` is for. Numbers are compared as decimals: 2.0 is 2.00.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from closingbell.domain.action_rules import (
    DatedRatio,
    PricedRow,
    calendar_date,
    classify_split,
    compare_refetch,
    dedupe,
    fund_distribution,
    normalise_unit,
    same_day_split,
    undo_splits,
)
from closingbell.domain.actions import AcceptedKind
from closingbell.domain.settlement import Cycle, derive_ex_date
from tests import payment_ops

VECTORS = "CLOSINGBELL_VECTORS"
# Carried out on a database, in tests/scenarios.
ON_A_DATABASE = frozenset({"scenario"})

Json = dict[str, Any]
OPS: dict[str, Callable[[Json], Json]] = {}


def op(function: Callable[[Json], Json]) -> Callable[[Json], Json]:
    """Enter a function under its name: the op that it carries out."""
    OPS[function.__name__] = function
    return function


def day(text: str) -> date:
    return date.fromisoformat(text)


def number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def text(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")


def splits(rows: list[Json]) -> list[DatedRatio]:
    return [DatedRatio(day(row["ex_date"]), Fraction(row["num"], row["den"])) for row in rows]


@op
def derive_ex_date_(given: Json) -> Json:
    closed = {day(one) for one in given["exchange_holidays"]}
    banks = {day(one) for one in given["bank_holidays"]}
    found = derive_ex_date(
        day(given["record_date"]),
        [Cycle(day(cycle["from"]), cycle["days"]) for cycle in given["cycles"]],
        is_session=lambda one: one.weekday() < 5 and one not in closed,
        is_bank_holiday=lambda one: one in banks,
    )
    return {"ex_date": str(found)}


@op
def declared_amount(given: Json) -> Json:
    found = undo_splits(
        Decimal(given["source_amount"]),
        ex_date=day(given["ex_date"]),
        as_of=day(given["as_of"]),
        splits=splits(given["splits"]),
        decimals=given.get("source_decimals", 6),
    )
    return {
        "factor": f"{found.factor.numerator}/{found.factor.denominator}",
        "declared_amount": text(found.amount),
        "snapped": found.is_snapped,
    }


@op
def compare_refetch_(given: Json) -> Json:
    stored, row = given["stored"], given["row"]
    decimals = row.get("source_decimals", 6)
    told = splits(given["response_splits"])
    again = undo_splits(
        Decimal(row["source_amount"]),
        ex_date=day(stored["ex_date"]),
        as_of=day(row["as_of"]),
        splits=told,
        decimals=decimals,
    )
    known = {*splits(given["ledger_splits"]), *told}
    return {"verdict": str(compare_refetch(Decimal(stored["declared_amount"]), again, known, decimals=decimals))}


@op
def classify_split_(given: Json) -> Json:
    cases = []
    for case in given["cases"]:
        found = classify_split(case["num"], case["den"])
        name = "SPIN_OFF_SUSPECT" if found.kind is AcceptedKind.SPIN_OFF else str(found.kind)
        cases.append({"ratio": f"{case['num']}:{case['den']}", "class": name, "auto_apply": found.is_sure})
    return {"cases": cases}


@op
def dedupe_(given: Json) -> Json:
    one, other = (
        PricedRow(day(row["ex_date"]), Decimal(row["amount"]), number(row.get("prev_close")), number(row.get("close")))
        for row in given["rows"]
    )
    booked = given.get("booked_ex_date")
    found = dedupe(one, other, typical_gap_days=given.get("typical_gap_days"), booked=day(booked) if booked else None)
    return {
        "verdict": "DUPLICATE" if found.is_duplicate else "DISTINCT",
        "keep": str(found.keep) if found.keep else None,
        "decisive": found.is_decisive,
    }


@op
def same_day_split_(given: Json) -> Json:
    basis, amount = same_day_split(
        Decimal(given["source_amount"]),
        Fraction(given["num"], given["den"]),
        prev_close=Decimal(given["prev_close"]),
        close=Decimal(given["close"]),
    )
    return {"basis": str(basis), "amount_cum": text(amount)}


@op
def unit_normalise(given: Json) -> Json:
    amount, currency, flag = normalise_unit(
        Decimal(given["amount"]),
        given["quote_unit"],
        prev_close=number(given.get("prev_close")),
        trailing_median=number(given.get("trailing_median")),
    )
    return {"amount": text(amount), "currency": currency, "flag": str(flag)}


@op
def fund_distribution_(given: Json) -> Json:
    found = fund_distribution(
        Decimal(given["dividend"]),
        Decimal(given["capital_gains"]),
        prev_close=number(given.get("prev_close")),
        close=number(given.get("close")),
    )
    if found is None:
        return {"double_counted": None, "income": None, "capital_gain": None}
    return {
        "double_counted": found.is_double,
        "income": text(found.income),
        "capital_gain": text(found.capital_gain),
    }


@op
def calendar_date_(given: Json) -> Json:
    return {"date": str(calendar_date(given["epoch"]))}


OPS |= payment_ops.OPS

# Functions that must not hide what they test carry a trailing underscore.
for _name in [name for name in OPS if name.endswith("_")]:
    OPS[_name.removesuffix("_")] = OPS.pop(_name)


def compared(value: Any) -> Any:
    """A value as it is compared: numbers in text as numbers, whatever their trailing zeros."""
    if isinstance(value, dict):
        return {key: compared(one) for key, one in value.items()}
    if isinstance(value, list):
        return [compared(one) for one in value]
    if isinstance(value, str):
        try:
            return Decimal(value)
        except InvalidOperation:
            return value
    return value


@pytest.fixture(scope="module")
def vectors(request: pytest.FixtureRequest) -> list[Json]:
    named = os.environ.get(VECTORS)
    path = Path(named) if named else request.getfixturevalue("shared_data") / "dividend_vectors.json"
    found: list[Json] = json.loads(path.read_text(encoding="utf-8"))["vectors"]
    return found


def wrong_answers(vectors: list[Json]) -> dict[str, tuple[Any, Any]]:
    """Every vector of a pure op that the code answers differently: (expected, answered) by id."""
    wrong = {}
    for vector in vectors:
        if vector["op"] in OPS:
            expected = vector["expect"]
            answered = OPS[vector["op"]](vector["input"])
            told = {key: answered.get(key) for key in expected}
            if compared(told) != compared(expected):
                wrong[f"{vector['id']} {vector['title']}"] = (expected, told)
    return wrong


def test_every_vector_of_a_pure_rule_is_answered_as_worked_out(vectors: list[Json]) -> None:
    assert wrong_answers(vectors) == {}


def test_rules_have_vectors(vectors: list[Json]) -> None:
    assert {vector["op"] for vector in vectors} & OPS.keys(), "no vector was tried"


def test_every_rule_that_vectors_name_is_known(vectors: list[Json]) -> None:
    assert {vector["op"] for vector in vectors} - OPS.keys() - ON_A_DATABASE == set()


def test_answer_that_differs_is_noticed(vectors: list[Json]) -> None:
    vector = next(one for one in vectors if one["op"] == "calendar_date")
    bent = {**vector, "expect": {"date": "2022-03-29"}}
    assert list(wrong_answers([bent])) == [f"{vector['id']} {vector['title']}"]
