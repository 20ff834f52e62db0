"""When jobs are due: fire times computed from a schedule and the exchanges' sessions, as aware UTC instants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from closingbell.domain.market_zones import NEW_YORK
from closingbell.domain.planning import SessionTimes
from closingbell.errors import ScheduleError

HOLIDAY = "holiday"
_FROM = date(2026, 1, 1)

Sessions = Mapping[str, Sequence[SessionTimes]]


class FireTime(NamedTuple):
    """An instant at which a job is due; ``skip`` says why it is not run then (a holiday)."""

    at: datetime
    skip: str | None = None


class Schedule(Protocol):
    """Yields fire times; the same ones whoever asks and whenever."""

    @property
    def words(self) -> str:
        """The rule in words."""
        ...

    def fire_times(self, after: datetime, until: datetime, sessions: Sessions) -> list[FireTime]:
        """Fire times later than ``after`` and not later than ``until``, ascending; ``sessions`` by MIC, ascending."""
        ...


# Near first: a job that is due every second has a million fire times in a fortnight.
LOOK_AHEAD = (timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(days=5), timedelta(days=30))


def next_fire_time(schedule: Schedule, sessions: Sessions, *, now: datetime) -> datetime | None:
    """The next instant at which a job is due, holidays left out; None when there is none within a month."""
    for ahead in LOOK_AHEAD:
        due = (fire.at for fire in schedule.fire_times(now, now + ahead, sessions) if fire.skip is None)
        if (first := next(due, None)) is not None:
            return first
    return None


@dataclass(frozen=True, slots=True)
class OnSessions:
    """At a local time on every session of the home exchange, and as long after the close of every other one in use.

    A weekday without a session is due too, and skipped as a holiday: that nothing ran is on record.
    """

    at: time = time(16, 30)
    zone: ZoneInfo = NEW_YORK
    mic: str = "XNYS"
    after_close: timedelta = timedelta(minutes=30)

    def __post_init__(self) -> None:
        check_local_time(self.at, self.zone)

    @property
    def words(self) -> str:
        minutes = int(self.after_close.total_seconds() // 60)
        return f"{self.at:%H:%M} {_place(self.zone)} on {self.mic} sessions, elsewhere {minutes} min after the close"

    def fire_times(self, after: datetime, until: datetime, sessions: Sessions) -> list[FireTime]:
        open_days = {session.date for session in sessions.get(self.mic, ())}
        found: dict[datetime, FireTime] = {}
        for day in _days(after, until, self.zone):
            at = _instant(day, self.at, self.zone)
            if after < at <= until and (day.weekday() < 5 or day in open_days):
                found[at] = FireTime(at, None if day in open_days else HOLIDAY)
        for mic, of_mic in sessions.items():
            for session in of_mic if mic != self.mic else ():
                at = session.close_at + self.after_close
                if after < at <= until:
                    # A holiday at home does not keep another exchange from being served at that instant.
                    found[at] = FireTime(at)
        return sorted(found.values())


@dataclass(frozen=True, slots=True)
class Daily:
    """At a local time every day, and perhaps at others."""

    at: time
    zone: ZoneInfo = NEW_YORK
    also: tuple[time, ...] = ()

    def __post_init__(self) -> None:
        for at in self._times:
            check_local_time(at, self.zone)

    @property
    def _times(self) -> list[time]:
        return sorted({self.at, *self.also})

    @property
    def words(self) -> str:
        return f"{', '.join(f'{at:%H:%M}' for at in self._times)} {_place(self.zone)} every day"

    def fire_times(self, after: datetime, until: datetime, sessions: Sessions) -> list[FireTime]:
        instants = (_instant(day, at, self.zone) for day in _days(after, until, self.zone) for at in self._times)
        return [FireTime(at) for at in instants if after < at <= until]


@dataclass(frozen=True, slots=True)
class WithinSessions:
    """Every so often from the open to the close of each exchange in use, both included; half days end early."""

    every: timedelta = timedelta(minutes=15)

    def __post_init__(self) -> None:
        if self.every < timedelta(minutes=1):
            raise ScheduleError(f"every {self.every}: at least a minute must lie between two fire times")

    @property
    def words(self) -> str:
        return f"every {int(self.every.total_seconds() // 60)} min from open to close of each session"

    def fire_times(self, after: datetime, until: datetime, sessions: Sessions) -> list[FireTime]:
        near = (s for of_mic in sessions.values() for s in of_mic if s.close_at > after and s.open_at <= until)
        found = {at for session in near for at in self._of(session)}
        return [FireTime(at) for at in sorted(found) if after < at <= until]

    def _of(self, session: SessionTimes) -> Iterator[datetime]:
        at = session.open_at
        while at <= session.close_at:
            yield at
            at += self.every


@dataclass(frozen=True, slots=True)
class Every:
    """Every so often, counted from a fixed instant, so that every process counts alike."""

    every: timedelta
    anchor: datetime = datetime(2000, 1, 1, tzinfo=UTC)

    def __post_init__(self) -> None:
        if self.every < timedelta(seconds=1):
            raise ScheduleError(f"every {self.every}: at least a second must lie between two fire times")

    @property
    def words(self) -> str:
        return f"every {self.every}"

    def fire_times(self, after: datetime, until: datetime, sessions: Sessions) -> list[FireTime]:
        steps = (after - self.anchor) // self.every + 1
        found = []
        at = self.anchor + steps * self.every
        while at <= until:
            found.append(FireTime(at))
            at += self.every
        return found


def _place(zone: ZoneInfo) -> str:
    """A zone as people call it: New York."""
    return zone.key.rpartition("/")[2].replace("_", " ")


def check_local_time(at: time, zone: ZoneInfo, *, days: Iterable[date] | None = None) -> None:
    """Raise ScheduleError for a local time that the clocks skip or double on one of ``days`` (two years of them)."""
    for day in _clock_changes(zone) if days is None else days:
        local = datetime.combine(day, at)
        if _offset(local, zone, 0) != _offset(local, zone, 1):
            raise ScheduleError(
                f"{at:%H:%M} {zone.key} is skipped or doubled when the clocks change on {day}; "
                "choose a time outside 01:00 to 03:00"
            )


@lru_cache
def _clock_changes(zone: ZoneInfo) -> tuple[date, ...]:
    """The dates of two years between whose noons, and the noons before, the clocks of a zone change."""
    noons = [datetime.combine(_FROM + timedelta(days=number), time(12), tzinfo=zone) for number in range(731)]
    changed = [after.date() for before, after in pairwise(noons) if before.utcoffset() != after.utcoffset()]
    # A change late in the evening belongs to the day before.
    return tuple(day - timedelta(days=back) for day in changed for back in (1, 0))


def _offset(local: datetime, zone: ZoneInfo, fold: int) -> timedelta | None:
    return local.replace(tzinfo=zone, fold=fold).utcoffset()


def _days(after: datetime, until: datetime, zone: ZoneInfo) -> Iterator[date]:
    """The local dates on which instants of the range can lie."""
    day, last = after.astimezone(zone).date(), until.astimezone(zone).date()
    while day <= last:
        yield day
        day += timedelta(days=1)


def _instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class CatchUp:
    """What to do with fire times that passed unnoticed: run at most the newest ``most`` of them (None: all)."""

    most: int | None = 1

    @property
    def words(self) -> str:
        """The policy in words."""
        return {0: "none", 1: "latest", None: "all"}.get(self.most, f"all, at most {self.most}")


LATEST = CatchUp(1)
NONE = CatchUp(0)
SUPERSEDED = "superseded by catch-up"
NOT_CAUGHT_UP = "missed, and this job is not caught up"
PAUSED = "paused"
DISABLED = "disabled"
OVERLAP = "overlap"


def decide(
    due: Sequence[FireTime], policy: CatchUp, *, on_time_after: datetime, barred: str | None = None
) -> list[tuple[datetime, str | None]]:
    """Each due fire time with the reason why it is skipped, or None where it is to be run.

    ``barred`` bars all of them (paused, disabled). Fire times later than ``on_time_after`` are not late: catch-up does
    not concern them, except that the newest of several counts for the earlier ones under the policy "latest".
    """
    if barred is not None:
        return [(fire.at, fire.skip or barred) for fire in due]
    runnable = [fire.at for fire in due if fire.skip is None]
    chosen = _chosen(runnable, policy, on_time_after)
    reason = NOT_CAUGHT_UP if policy.most == 0 else SUPERSEDED
    return [(fire.at, fire.skip or (None if fire.at in chosen else reason)) for fire in due]


def _chosen(runnable: Sequence[datetime], policy: CatchUp, on_time_after: datetime) -> set[datetime]:
    if policy.most is None:
        return set(runnable)
    if policy.most == 0:
        return {at for at in runnable if at > on_time_after}
    return set(runnable[-policy.most :])
