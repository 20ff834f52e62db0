"""How legs of one account are booked and taken back, whatever they follow from: versions, closed periods, reasons."""

from __future__ import annotations

from closingbell.domain.payments import (
    BookedLeg,
    Changes,
    Frame,
    Holder,
    HolderBooks,
    Leg,
    Preference,
    Reversal,
    Suggestion,
)

NOT_YET = "the ex-date is not reached any more"
NO_LONGER_ENTITLED = "no share counts for it any more"
USERS_OWN = "the account's own entry stands for it"
CHANGED = "what it follows from has changed"
NO_RATE = "no exchange rate"
NO_PRICE = "no price"

# All but the shares that were bought for a dividend, which no correction undoes.
_OF_ACTIONS = tuple(leg for leg in Leg if leg is not Leg.DRIP)


class Bookkeeper:
    """The books of one account for one company, and what changes in them."""

    def __init__(self, books: HolderBooks, frame: Frame, changes: Changes) -> None:
        self.books = books
        self.frame = frame
        self.changes = changes

    def _active(self, action_id: int, leg: Leg) -> BookedLeg | None:
        return self.books.active.get((action_id, leg))

    def _counts_later(self, action_id: int) -> bool:
        """Whether something of an action counts after the earlier day that the books are made for."""
        if not self.frame.is_past:
            return False
        active = (self._active(action_id, leg) for leg in _OF_ACTIONS)
        return any(leg is not None and max(leg.due_date, leg.value_date) > self.frame.today for leg in active)

    def _is_accepted(self, action_id: int) -> bool:
        """Whether a person wants a suggestion of an action booked."""
        return self.books.choices.get(action_id, False)

    def _suggest(self, holder: Holder, leg: BookedLeg, *, shares: int | None = None) -> None:
        """Show what would be booked, where the account wants to see it."""
        if holder.preference is Preference.OFF:
            return
        is_dismissed = not self.books.choices.get(leg.action_id, True)
        amounts = leg.gross, leg.tax, leg.net, leg.currency
        self.changes.suggestions.append(
            Suggestion(leg.action_id, holder.account_id, leg.quantity, *amounts, shares, is_dismissed)
        )

    def _next_version(self, action_id: int, leg: Leg) -> int:
        return self.books.versions.get((action_id, leg), 0) + 1

    def _book(self, leg: BookedLeg, *, is_moved: bool = False) -> None:
        if leg.due_date <= self.frame.today and (is_moved or self.frame.closed(leg.due_date)):
            leg = leg._replace(value_date=self.frame.today)
        self.changes.bookings.append(leg)

    def _reverse(self, booked: BookedLeg, reason: str) -> bool:
        """Take a leg back on its own day, or today where that day is closed; whether it was moved."""
        is_closed = self.frame.closed(booked.value_date)
        value_date = self.frame.today if is_closed else booked.value_date
        self.changes.reversals.append(Reversal(booked, value_date, reason))
        return is_closed

    def _take_back(self, booked: BookedLeg | None, paid: BookedLeg | None, reason: str) -> None:
        if paid is not None:
            self.changes.corrected.add(paid.action_id)
            self._reverse(paid, reason)
        if booked is not None:
            self._reverse(booked, reason)
