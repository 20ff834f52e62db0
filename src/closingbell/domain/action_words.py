"""Corporate actions in words, for commands, messages and pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from closingbell.domain.action_facts import HOLD_SENTENCES
from closingbell.domain.actions import AcceptedAction, AcceptedKind, Facts
from closingbell.domain.incidents import MOST_NAMED, Message
from closingbell.domain.money import plain

_KINDS = {
    AcceptedKind.CASH: "dividend",
    AcceptedKind.CASH_SPECIAL: "special dividend",
    AcceptedKind.CAP_GAIN: "capital gain",
    AcceptedKind.RETURN_OF_CAPITAL: "return of capital",
    AcceptedKind.SCRIP: "scrip dividend",
    AcceptedKind.SPLIT: "split",
    AcceptedKind.REVERSE_SPLIT: "reverse split",
    AcceptedKind.STOCK_DIVIDEND: "stock dividend",
    AcceptedKind.SPIN_OFF: "spin-off",
}


@dataclass(frozen=True, slots=True)
class Told:
    """Something of an action that a person must know: which action, and the sentence."""

    symbol: str
    action: AcceptedAction
    sentence: str

    @property
    def line(self) -> str:
        """All of it in one line."""
        facts = self.action.facts
        return f"{self.symbol}: {in_words(facts)} of {facts.ex_date} (number {self.action.id}): {self.sentence}"


def in_words(facts: Facts) -> str:
    """``dividend 0.82 USD``, ``split 4:1``: what was done, without its day."""
    words = _KINDS[facts.kind]
    if facts.amount is not None:
        words += f" {plain(facts.amount)} {facts.currency}"
    if facts.numerator is not None:
        words += f" {facts.numerator}:{facts.denominator or 1}"
    return f"{words} in {facts.child_symbol}" if facts.child_symbol else words


def why_held(code: str) -> str:
    """The sentence of a hold's code; the code itself where a later version wrote one that is not known here."""
    return HOLD_SENTENCES.get(code, code)


def told_of_held(held: Sequence[Told]) -> Message | None:
    """The message that actions wait for a person; None when none does."""
    if not held:
        return None
    first = held[0]
    rest = len(held) - MOST_NAMED
    title = f"{first.symbol}: {in_words(first.action.facts)} waits for a decision"
    if len(held) > 1:
        title = f"{len(held)} corporate actions wait for a decision"
    lines = [one.line for one in held[:MOST_NAMED]]
    lines += [f"… and {rest} more"] if rest > 0 else []
    lines.append("To decide: closingbell actions list, then apply, edit or ignore")
    key = f"action-held-{first.action.id}-{first.action.version}-{len(held)}"
    return Message(key, "warning", title, "\n".join(lines))


def told_of_glitch(glitch: Told) -> Message:
    """The message that a provider keeps telling an amount that a known split explains."""
    title = f"{glitch.symbol}: a dividend is told in other shares"
    return Message(f"action-glitch-{glitch.action.id}-{glitch.action.version}", "warning", title, glitch.line)


def told_of_doubt(doubt: Told) -> Message:
    """The message that a provider corrects an action to something that cannot be believed."""
    title = f"{doubt.symbol}: a correction is not applied"
    way_out = f"To decide: closingbell actions show {doubt.action.id}, then apply --told, edit or ignore"
    key = f"action-doubt-{doubt.action.id}-{doubt.action.version}"
    return Message(key, "warning", title, f"{doubt.line}\n{way_out}")
