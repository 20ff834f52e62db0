"""Every exception that closingbell raises on purpose.

::

    ClosingbellError
    ├── SettingsError                 a setting is missing, malformed or contradicts another
    │   └── ScheduleError             a job's trigger cannot be kept exactly
    ├── UsageError                    a caller asked for something that cannot be
    │   ├── UnknownSymbolError        no company of that symbol is known here
    │   ├── UnknownJobError           no job of that name is registered
    │   ├── UnknownRunError           no run of that number is on record
    │   ├── UnknownAccountError       no account of that name is known here
    │   ├── UnknownPaymentError       no payment of that number is on record
    │   └── ClosedDayError            the exchange was closed on that day
    ├── AccessError                   somebody may not do what they ask for
    │   ├── NotAuthenticatedError     no token, or one that is wrong or revoked
    │   └── NotAllowedError           the token's scope is too small
    ├── AlreadyRunningError           another process is carrying out this job
    ├── ImportRefusedError            a file was not imported; carries the bad lines
    ├── DatabaseError
    │   ├── DatabaseNotReadyError     no tables, or tables of another version
    │   ├── OriginMismatchError       replayed and live data would be mixed
    │   ├── UnbalancedEntriesError    entries of a group would not sum to zero
    │   ├── BooksChangedError         somebody else wrote what was to be written
    │   └── ValueOutOfRangeError      a number does not fit its column
    ├── NaiveDatetimeError            a datetime without a zone came to a door
    ├── RunStoppedError               a run is to stop before its end
    │   ├── RunCancelledError         somebody asked for it
    │   ├── RunStalledError           it made no progress for too long
    │   ├── RunInterruptedError       its process is shutting down
    │   └── RunLostError              it was closed, and perhaps taken up, by somebody else
    └── ProviderError                 a provider did not give what was asked
        ├── TemporaryProviderError    worth another try
        │   ├── RateLimitedError      carries retry_after_s where the provider named it
        │   ├── SourceDownError       refused, reset, 5xx, a page instead of data
        │   └── DeadlineExceededError the call was given up at its deadline
        └── PermanentProviderError    the same question will get the same answer
            ├── SymbolUnknownError    the provider does not know the symbol
            │   └── SymbolDoubtedError  one does not, and another could not be asked
            ├── NoDataError           the provider has nothing for the range
            └── BadAnswerError        an answer that cannot be read or belongs to another question
"""

from __future__ import annotations

from collections.abc import Sequence


class ClosingbellError(Exception):
    """Base of everything raised on purpose."""


class SettingsError(ClosingbellError):
    """A setting is missing, malformed or contradicts another; names the variable."""


class ScheduleError(SettingsError):
    """A job's trigger cannot be kept exactly: jitter, numeric weekdays, a time that the clocks skip or double."""


class UsageError(ClosingbellError):
    """A caller asked for something that cannot be."""


class UnknownSymbolError(UsageError):
    """No company of that symbol is known here."""


class UnknownJobError(UsageError):
    """No job of that name is registered."""


class UnknownRunError(UsageError):
    """No run of that number is on record."""


class UnknownAccountError(UsageError):
    """No account of that name is known here."""


class UnknownPaymentError(UsageError):
    """No payment of that number is on record."""


class ClosedDayError(UsageError):
    """The exchange was closed on that day."""


class AccessError(ClosingbellError):
    """Somebody may not do what they ask for; the message never holds what they showed."""


class NotAuthenticatedError(AccessError):
    """No token, or one that is wrong or revoked."""


class NotAllowedError(AccessError):
    """The token's scope is too small for what is asked."""


class AlreadyRunningError(ClosingbellError):
    """Another process is carrying out this job."""


class ImportRefusedError(ClosingbellError):
    """A file was not imported; ``reasons`` holds one sentence per bad line."""

    def __init__(self, message: str, reasons: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.reasons = tuple(reasons)


class DatabaseError(ClosingbellError):
    """The database is not as it must be."""


class DatabaseNotReadyError(DatabaseError):
    """The database has no tables, or tables of another version."""


class OriginMismatchError(DatabaseError):
    """Replayed and live data would be mixed."""


class UnbalancedEntriesError(DatabaseError):
    """Entries of a group would not sum to zero; nothing of them is stored."""


class BooksChangedError(DatabaseError):
    """Somebody else wrote what was to be written from facts read before: nothing was written; read again."""


class ValueOutOfRangeError(DatabaseError, ValueError):
    """A number does not fit its column: too large, or not finite."""


class NaiveDatetimeError(ClosingbellError, ValueError):
    """A datetime without a zone came to a door."""


class RunStoppedError(ClosingbellError):
    """A run is to stop before its end; ``ended_by`` is what its JobLog row calls that."""

    ended_by = "cancelled"


class RunCancelledError(RunStoppedError):
    """Somebody asked this run to stop."""


class RunStalledError(RunStoppedError):
    """The run made no progress for too long."""

    ended_by = "stalled"


class RunInterruptedError(RunStoppedError):
    """The run's process is shutting down; the run is taken up again."""

    ended_by = "interrupted"


class RunLostError(RunStoppedError):
    """The run was closed, and perhaps taken up, by somebody else."""

    ended_by = "orphaned"

    def __init__(self, message: str = "this run was closed by somebody else") -> None:
        super().__init__(message)


class ProviderError(ClosingbellError):
    """A provider did not give what was asked; ``kind`` is what logs and outcomes call it."""

    kind = "provider_error"


class TemporaryProviderError(ProviderError):
    """Worth another try."""

    kind = "temporary"
    retry_after_s: float | None = None


class RateLimitedError(TemporaryProviderError):
    """The provider asks for fewer requests; ``retry_after_s`` where it named a time."""

    kind = "rate_limited"

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SourceDownError(TemporaryProviderError):
    """Refused, reset, 5xx, or a page instead of data."""

    kind = "source_down"


class DeadlineExceededError(TemporaryProviderError):
    """The call was given up at its deadline."""

    kind = "deadline_exceeded"


class PermanentProviderError(ProviderError):
    """The same question will get the same answer."""

    kind = "permanent"


class SymbolUnknownError(PermanentProviderError):
    """The provider does not know the symbol."""

    kind = "symbol_unknown"


class SymbolDoubtedError(SymbolUnknownError):
    """One provider does not know the symbol, and another could not be asked."""

    kind = "symbol_doubted"


class NoDataError(PermanentProviderError):
    """The provider has nothing for the range."""

    kind = "no_data"


class BadAnswerError(PermanentProviderError):
    """An answer that cannot be read, or that belongs to another question."""

    kind = "bad_answer"
