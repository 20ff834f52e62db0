"""Withholding tax: which rate holds for a dividend, the most specific first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class WithholdingRule:
    """A rate from ``valid_from`` on; None in ``account_id``, ``residence`` or ``action_type`` stands for any."""

    source_country: str
    rate: Decimal
    valid_from: date
    account_id: int | None = None
    residence: str | None = None
    action_type: str | None = None
    is_example: bool = False

    @property
    def scope(self) -> str:
        """What the rule is about, as one text."""
        return f"{self.account_id or '*'}/{self.residence or '*'}/{self.source_country}/{self.action_type or '*'}"


def withholding_rule(
    rules: Iterable[WithholdingRule],
    *,
    account_id: int,
    residence: str | None,
    source_country: str | None,
    action_type: str,
    on: date,
) -> WithholdingRule | None:
    """The rule that decides, None where nothing is withheld.

    An account's own rates come before those of its owner's residence, those before the country's statutory rate. At
    home nothing is withheld, and nothing is guessed for an owner whose residence is not known, unless a rate of the
    account itself, or of that residence, says so.
    """
    best: tuple[tuple[int, date], WithholdingRule] | None = None
    for rule in rules:
        rank = _rank(rule, account_id, residence, action_type)
        if rank is None or rule.source_country != source_country or rule.valid_from > on:
            continue
        if rank < _OF_RESIDENCE and residence in (None, source_country):
            continue
        if best is None or (rank, rule.valid_from) > best[0]:
            best = ((rank, rule.valid_from), rule)
    return None if best is None else best[1]


_STATUTORY, _OF_RESIDENCE, _OF_ACCOUNT = 0, 2, 4


def _rank(rule: WithholdingRule, account_id: int, residence: str | None, action_type: str) -> int | None:
    """How specific a rule is (one for a single kind of action beats one for all), None when it is about others."""
    if (
        rule.action_type not in (None, action_type)
        or rule.account_id not in (None, account_id)
        or rule.residence not in (None, residence)
    ):
        return None
    whose = _STATUTORY
    if rule.residence is not None:
        whose = _OF_RESIDENCE
    if rule.account_id is not None:
        whose = _OF_ACCOUNT
    return whose + (rule.action_type is not None)
