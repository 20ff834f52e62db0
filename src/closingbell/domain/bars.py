"""Daily bars: what one is, how its as-traded prices are recovered, and what makes one doubtful."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import NamedTuple

# Yahoo serves float32 prices: rounding moves a value by at most half a unit in the last place, 2^-24 of it.
FLOAT32_NOISE = 6e-8
# Two recoveries of one price may each be off by that noise.
SAME_PRICE = 2.5e-7
# A jump is doubtful while it is younger than this many sessions.
YOUNG_SESSIONS = 5
# The flag of a bar that was made while its session ran: expected to move, and no close yet.
INTRADAY = "intraday"
# The provider of a bar that a person set by hand: no other one takes its place.
MANUAL = "manual"
# Opening auctions, London's above all, are printed as opens without counting for the day's low and high.
AUCTION_REACH = 0.05

_SNAPS = ((100, 10_000), (1_000, 1_000), (10_000, 100), (100_000, 10))
# Close ratios that an unannounced split leaves behind; everything beyond 50 % is doubtful anyway.
_SPLIT_TRACES = tuple(float(r) for s in ((3, 2), (5, 3)) for r in (Fraction(*s), 1 / Fraction(*s)))
_TRACE_WIDTH = 0.03
# Two for one, on a day on which the price rose by up to 15 %: hardly anything else halves a price so nearly.
_NEARLY_HALF = 0.575

RULES: dict[str, str] = {
    "not_positive": "open, high, low and close must be above zero",
    "outside_range": "open and close must lie between low and high; an auction's open may lie up to 5 % outside",
    "negative_volume": "volume must not be negative",
    "not_a_session": "the exchange had no session on this date",
    "future": "the session had not closed when the answer came",
    "jump": "the close jumped like a split or by more than half, and no split is known",
    "times_100": "the price is 100 times, or a hundredth of, what the sessions around it say",
    "unsplit": "the price is a known split's ratio away from its neighbours: not restated for it, or twice",
    "frozen": "the close has not moved for five sessions or more while shares changed hands",
    "no_volume": "the price moved and the sessions around it have a volume, but this one has none",
}


class Bar(NamedTuple):
    """One session's bar as traded: prices in millionths of the major currency unit, volume in shares."""

    date: date
    open: int
    high: int
    low: int
    close: int
    volume: int


class Finding(NamedTuple):
    """A bar that broke a rule: kept aside, not used."""

    bar: Bar
    rule: str

    @property
    def sentence(self) -> str:
        """What the rule says, with the date in front."""
        return f"{self.bar.date}: {RULES[self.rule]}"


@dataclass(frozen=True, slots=True)
class CheckedBars:
    """``good`` bars to store, ``flagged`` dates among them that look odd but are old, and what was set aside."""

    good: list[Bar]
    flagged: dict[date, str]
    findings: list[Finding]


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """What a check needs to know around the answer.

    ``sessions``: closed sessions, ``newest`` the last of them, ``young_from`` the first of the newest five;
    ``splits``: new shares per old share by ex-date; ``suspects``: bars set aside by the jump rule in an earlier answer.
    """

    sessions: Container[date]
    newest: date
    young_from: date
    splits: dict[date, Fraction]
    suspects: dict[date, Bar]
    previous_close: int | None = None


def snap_price(value: float) -> int:
    """The price with the fewest decimals (2 to 6) within float32 noise of ``value``, in millionths."""
    tolerance = value * FLOAT32_NOISE
    for scale, step in _SNAPS:
        units = round(value * scale)
        if abs(units / scale - value) <= tolerance:
            return units * step
    return round(value * 1_000_000)


def same_price(stored: int, answered: int) -> bool:
    """Whether two prices in millionths are one price seen through float32 twice."""
    return stored == answered or abs(stored - answered) <= SAME_PRICE * stored


def same_bar(stored: Bar, answered: Bar) -> bool:
    """Whether an answer repeats what is stored."""
    return (
        # A volume restated for a split of 3:2 and recovered again may be one share off.
        abs(stored.volume - answered.volume) <= 1
        and same_price(stored.close, answered.close)
        and same_price(stored.open, answered.open)
        and same_price(stored.high, answered.high)
        and same_price(stored.low, answered.low)
    )


def is_jump(before: int, after: int, split: Fraction | None = None) -> bool:
    """Whether two neighbouring closes differ like an unannounced split or by more than half."""
    ratio = after / before if split is None else after * split.numerator / (before * split.denominator)
    if not _NEARLY_HALF <= ratio <= 1.5:
        return True
    # Daily moves of less than a tenth are by far the most: leave early.
    if 0.9 < ratio < 1.1:
        return False
    return any(abs(ratio / trace - 1) <= _TRACE_WIDTH for trace in _SPLIT_TRACES)


def check_bars(bars: Sequence[Bar], around: Neighbourhood) -> CheckedBars:
    """Split an answer into bars to store and findings; ``bars`` ascend by date."""
    good: list[Bar] = []
    flagged: dict[date, str] = {}
    findings: list[Finding] = []
    before = around.previous_close
    for bar in bars:
        rule = _broken_rule(bar, around)
        if rule is None and before is not None and is_jump(before, bar.close, around.splits.get(bar.date)):
            if bar.date >= around.young_from and not _repeats_suspect(bar, around.suspects):
                rule = "jump"
            else:
                flagged[bar.date] = "jump"
        if rule is not None:
            findings.append(Finding(bar, rule))
            continue
        if not bar.low <= bar.open <= bar.high:
            flagged.setdefault(bar.date, "open_outside")
        good.append(bar)
        before = bar.close
    return CheckedBars(good, flagged, findings)


def _broken_rule(bar: Bar, around: Neighbourhood) -> str | None:
    """The first rule that the bar breaks by itself."""
    day, open_, high, low, close, volume = bar
    if day not in around.sessions:
        return "future" if day > around.newest else "not_a_session"
    if low <= 0 or open_ <= 0 or high <= 0 or close <= 0:
        return "not_positive"
    if not (low <= close <= high and low * (1 - AUCTION_REACH) <= open_ <= high * (1 + AUCTION_REACH)):
        return "outside_range"
    return "negative_volume" if volume < 0 else None


def _repeats_suspect(bar: Bar, suspects: dict[date, Bar]) -> bool:
    """Whether an earlier answer had the same odd bar: then the market did it, not the provider."""
    earlier = suspects.get(bar.date)
    return earlier is not None and same_price(earlier.close, bar.close)


class StoredBar(NamedTuple):
    """A bar as it is stored, with where it came from."""

    bar: Bar
    is_settled: bool
    provider: str
    fetched_at: datetime
    flag: str | None = None


@dataclass(frozen=True, slots=True)
class MergedBars:
    """What an answer changes: ``new`` bars, ``changed`` (stored, answered), ``confirmed`` dates that settle now."""

    new: list[Bar]
    changed: list[tuple[StoredBar, Bar]]
    confirmed: list[date]
    unchanged_count: int


def without_manual(answered: Sequence[Bar], stored: Mapping[date, StoredBar]) -> list[Bar]:
    """An answer without the dates on which a person set the price: what it says of them is not even judged."""
    manual = {day for day, held in stored.items() if held.provider == MANUAL}
    return [bar for bar in answered if bar.date not in manual]


def merge_bars(stored: dict[date, StoredBar], answered: Sequence[Bar], *, settled_to: date | None) -> MergedBars:
    """Compare an answer with what is stored; bars up to ``settled_to`` are settled by this answer."""
    if not stored:
        return MergedBars(list(answered), [], [], 0)
    merged = MergedBars([], [], [], 0)
    unchanged = 0
    for bar in answered:
        held = stored.get(bar.date)
        if held is None:
            merged.new.append(bar)
        elif held.provider == MANUAL:
            unchanged += 1
        elif held.flag == INTRADAY:
            # The session's own bar takes the place of one made while it ran, also where both say the same.
            merged.changed.append((held, bar))
        elif not same_bar(held.bar, told := _grown(held, bar)):
            merged.changed.append((held, told))
        else:
            unchanged += 1
            if not held.is_settled and settled_to is not None and bar.date <= settled_to:
                merged.confirmed.append(bar.date)
    return MergedBars(merged.new, merged.changed, merged.confirmed, unchanged)


def _grown(held: StoredBar, bar: Bar) -> Bar:
    """The answer with the greater of both volumes while a bar is not settled: what was traded was traded."""
    return bar if held.is_settled or bar.volume >= held.bar.volume else bar._replace(volume=held.bar.volume)
