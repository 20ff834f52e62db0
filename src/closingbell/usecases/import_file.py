"""Bringing a broker's file in: all of it or nothing, and the same file twice adds nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import Connection

from closingbell import calendars
from closingbell.domain.entitlements import FractionPolicy
from closingbell.domain.market_zones import latest_trade_date
from closingbell.domain.money import QUANTITY_SCALE, from_scaled, plain, to_scaled
from closingbell.domain.orders import OUTGOING, SHARE_MOVES
from closingbell.domain.planning import SessionList
from closingbell.domain.positions import sinks_to
from closingbell.errors import ImportRefusedError, UsageError
from closingbell.jobs.context import JobContext
from closingbell.jobs.market_time import load_session_list
from closingbell.stores import account_symbols, accounts, actions, companies, marks, orders, positions
from closingbell.stores.companies import CompanyFacts, why_over
from closingbell.stores.symbols import load_every_name
from closingbell.usecases.audited import write_down
from closingbell.usecases.imports.decoding import decode
from closingbell.usecases.imports.entries import DOUBTFUL, REFUSED, Finding
from closingbell.usecases.imports.formats import Format, format_named, recognise
from closingbell.usecases.imports.preview import Checked, ImportPreview, ReadyEntry, check_reading, preview_of
from closingbell.usecases.imports.trading_days import session_of
from closingbell.usecases.reasons import By

_NAME_LENGTH = 100
_COMPARED = ("quantity", "amount", "fee", "tax", "currency", "counter_amount")


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What a person asks for: ``form`` overrides what the content tells, ``leave_out`` are lines not to be taken.

    ``name`` is the file's, for the audit log.
    """

    account: str
    form: str | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    leave_out: Collection[int] = ()
    dry_run: bool = False
    name: str = ""


def import_file(context: JobContext, data: bytes, request: ImportRequest, *, by: By | None = None) -> ImportPreview:
    """Store what a file holds, or with ``dry_run`` only say what would be stored.

    Raise ImportRefusedError with every bad line when there is one and it was not a dry run, and for a file that is in
    no known form.
    """
    account = account_name(request.account)
    now = context.clock.now()
    marks.claim_origin(context.database, context.settings.origin, clock=context.clock)
    text = decode(data)
    form = format_named(request.form) if request.form else recognise(text)
    remembered, names = _load_names(context, account)
    checked = check_reading(
        form.read(text),
        form,
        mapping={**remembered, **request.mapping},
        leave_out=request.leave_out,
        latest=lambda symbol: latest_trade_date(_mic_or_none(symbol), now),
        names=names,
    )
    return _import(context, checked, form, account, now, dry_run=request.dry_run, name=request.name, by=by)


def account_name(text: str) -> str:
    """An account's name without the spaces around it; raise UsageError for none or one that is too long."""
    name = text.strip()
    if not name or len(name) > _NAME_LENGTH:
        raise UsageError(f"--account must be a name of 1 to {_NAME_LENGTH} letters")
    return name


def refusal(preview: ImportPreview) -> ImportRefusedError:
    """Why a file was not imported, one sentence for each bad line."""
    refused = [finding for finding in preview.findings if finding.weight == REFUSED]
    return ImportRefusedError(f"nothing was imported: {len(refused)} bad line(s)", [in_words(one) for one in refused])


def in_words(finding: Finding) -> str:
    """A finding with the line it is about and the text that stands there."""
    where = f"line {finding.line}: " if finding.line else ""
    return f"{where}{finding.reason}{f' | {finding.text}' if finding.text else ''}"


def _import(
    context: JobContext, checked: Checked, form: Format, account: str, now: datetime, *, dry_run: bool, name: str,
    by: By | None,
) -> ImportPreview:  # fmt: skip
    mics, strange = _mics(checked.ready)
    known = _load_known(context, account, form, checked, sorted(mics))
    checked = known.checked
    market = _calendars(context, checked.ready, mics, now)
    ready = checked.ready if form.says_date else tuple(_dated(item, mics, market) for item in checked.ready)
    short = _sold_short(context, known, ready)
    findings = (*checked.findings, *strange, *known.findings, *_closed_days(ready, mics, market), *short)
    checked = replace(checked, ready=ready, findings=tuple(sorted(findings, key=lambda one: one.line)))
    preview = preview_of(
        checked,
        account=account,
        is_new_account=known.account_id is None,
        form=form.name,
        known_keys=known.keys,
        new_symbols=known.new_symbols,
    )
    if dry_run:
        return preview
    if preview.refused_count:
        raise refusal(preview)
    fresh = [
        _new_order(item, form, _executed_at(item, mics, market))
        for item in checked.ready
        if item.source_key not in known.keys
    ]
    symbols = [(symbol, mics[symbol]) for symbol in known.new_symbols]

    def unit(connection: Connection) -> None:
        _store(connection, account, fresh, symbols=symbols, mapping=checked.mapping, now=now)
        said = f"{preview.added_count} added, {preview.known_count} were there"
        write_down(context, connection, by, "import file", account, f"{form.name} {name[:100]}: {said}")

    context.database.write_unit(unit)
    return preview


def _store(
    connection: Connection,
    account: str,
    fresh: Sequence[orders.NewOrder],
    *,
    symbols: Sequence[tuple[str, str]],
    mapping: Mapping[str, str],
    now: datetime,
) -> None:
    orders.store_orders(connection, account, fresh, symbols=symbols, now=now)
    account_id = orders.find_account(connection, account)
    assert account_id is not None
    account_symbols.store_mapping(connection, account_id, mapping, now=now)


def _load_names(context: JobContext, account: str) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """What was mapped for this account before, and every name of companies that were renamed."""
    with context.database.read() as connection:
        account_id = orders.find_account(connection, account)
        mapping = account_symbols.load_mapping(connection, account_id) if account_id is not None else {}
        return mapping, load_every_name(connection)


@dataclass(frozen=True, slots=True)
class _Known:
    checked: Checked
    account_id: int | None
    keys: set[str]
    new_symbols: list[str]
    findings: tuple[Finding, ...]


def _load_known(context: JobContext, account: str, form: Format, checked: Checked, symbols: Sequence[str]) -> _Known:
    """What is there already, and what is to be said of it."""
    with context.database.read() as connection:
        there = companies.load_by_symbol(connection, symbols)
        new_symbols = sorted(set(symbols) - set(there))
        over = _after_closing(checked.ready, there)
        account_id = orders.find_account(connection, account)
        if account_id is None:
            return _Known(checked, None, set(), new_symbols, tuple(over))
        keys = orders.load_source_keys(connection, account_id)
        checked = replace(checked, ready=_under_other_names(checked.ready, keys))
        wanted = {*(item.source_key for item in checked.ready), *checked.undone.values()} & keys
        stored = orders.load_by_source_key(connection, account_id, sorted(wanted))
        sources = orders.load_sources(connection, account_id)
    findings = (*_rivals(sources, form), *_still_there(checked, stored), *_differences(checked, stored), *over)
    return _Known(checked, account_id, keys, new_symbols, findings)


def _under_other_names(items: Sequence[ReadyEntry], keys: Collection[str]) -> tuple[ReadyEntry, ...]:
    """Entries that are here under another name of their company, with the keys that they came by."""
    taken = {item.source_key for item in items} & set(keys)
    found = []
    for item in items:
        key = item.source_key
        if key not in taken:
            key = next((one for one in item.other_keys if one in keys and one not in taken), key)
            taken.add(key)
        found.append(replace(item, source_key=key))
    return tuple(found)


def _after_closing(items: Sequence[ReadyEntry], there: Mapping[str, CompanyFacts]) -> list[Finding]:
    """Trades of a company after the day on which it was closed: kept, but no price of it is asked for."""
    findings = []
    for item in items:
        company = there.get(item.symbol or "")
        if company is not None and item.entry.type in SHARE_MOVES and company.is_over(item.entry.trade_date):
            findings.append(Finding(item.entry.lines[0], DOUBTFUL, f"{company.symbol}: {why_over(company)}"))
    return findings


def _rivals(sources: set[str], form: Format) -> list[Finding]:
    """A file whose trades came before in the broker's other form is refused."""
    came_as = sorted(sources & set(form.rivals))
    reason = f"this account was imported from {', '.join(came_as)}, which holds the same trades; go on with that form"
    return [Finding(0, REFUSED, reason)] if came_as else []


def _still_there(checked: Checked, stored: Mapping[str, orders.StoredOrder]) -> list[Finding]:
    """What the file takes back and an earlier import brought in."""
    return [
        Finding(line, REFUSED, f"a later line takes this back, and it is here as order {stored[key].id}: delete that")
        for line, key in checked.undone.items()
        if key in stored
    ]


def _differences(checked: Checked, stored: Mapping[str, orders.StoredOrder]) -> list[Finding]:
    """Orders that the broker states otherwise than before: they stay as they are, and a person is told."""
    findings = []
    for item in checked.ready:
        before = stored.get(item.source_key)
        if before is None:
            continue
        changed = [
            f"{name} {_said(getattr(before, name))} here, {_said(getattr(item.entry, name))} in the file"
            for name in _COMPARED
            if getattr(before, name) != getattr(item.entry, name)
        ]
        if changed:
            reason = f"order {before.id} has {'; '.join(changed)}; it stays as it is: correct it by hand"
            findings.append(Finding(item.entry.lines[0], DOUBTFUL, reason))
    return findings


def _sold_short(context: JobContext, known: _Known, items: Sequence[ReadyEntry]) -> list[Finding]:
    """Sales of more than is held once the whole file is counted: a statement stands, but something is missing before.

    One of each company, at the first day on which it is so.
    """
    by_symbol: dict[str, list[ReadyEntry]] = {}
    for item in items:
        if item.symbol is not None and item.entry.type in SHARE_MOVES and item.source_key not in known.keys:
            by_symbol.setdefault(item.symbol, []).append(item)
    sold = [symbol for symbol, own in by_symbol.items() if any(item.entry.type in OUTGOING for item in own)]
    findings = []
    with context.database.read() as connection:
        companies_of = companies.load_by_symbol(connection, sorted(sold))
        splits = actions.load_splits(connection, [one.id for one in companies_of.values()])
        policy = FractionPolicy.KEEP
        if known.account_id is not None:
            facts = accounts.load_accounts(connection, [known.account_id])[known.account_id]
            policy = FractionPolicy(facts.fraction_policy)
        for symbol in sorted(sold):
            company = companies_of.get(symbol)
            there = (
                []
                if company is None or known.account_id is None
                else positions.load_moves(connection, known.account_id, company.id)
            )
            before = [(move.trade_date, move.quantity) for move in there]
            added = [(item.entry.trade_date, _signed(item)) for item in by_symbol[symbol]]
            of_company = {} if company is None else splits.get(company.id, {})
            sunk = sinks_to(before, [*before, *added], of_company, policy=policy)
            if sunk is not None:
                lowest, day = sunk
                findings.append(_short_finding(symbol, by_symbol[symbol], day, plain(_shares(lowest))))
    return findings


def _signed(item: ReadyEntry) -> int:
    quantity = to_scaled(item.entry.quantity or Decimal(0), QUANTITY_SCALE)
    return -quantity if item.entry.type in OUTGOING else quantity


def _shares(exact: Fraction) -> Decimal:
    return from_scaled(round(exact), QUANTITY_SCALE)


def _short_finding(symbol: str, items: Sequence[ReadyEntry], day: date, shares: str) -> Finding:
    sales = [item for item in items if item.entry.type in OUTGOING and item.entry.trade_date <= day]
    line = max(sales or items, key=lambda item: item.entry.trade_date).entry.lines[0]
    reason = (
        f"the account would hold {shares} {symbol} at the end of {day}: purchases before are missing; "
        "enter them, or shares that were there already as TRANSFER_IN"
    )
    return Finding(line, DOUBTFUL, reason)


def _said(value: object) -> str:
    return plain(value) if isinstance(value, Decimal) else str(value or "empty")


def _new_order(item: ReadyEntry, form: Format, executed_at: datetime) -> orders.NewOrder:
    entry = item.entry
    return orders.NewOrder(
        type=entry.type,
        symbol=item.symbol,
        trade_date=entry.trade_date,
        executed_at=executed_at,
        quantity=entry.quantity,
        price=entry.price,
        amount=entry.amount,
        fee=entry.fee,
        tax=entry.tax,
        currency=entry.currency,
        counter_amount=entry.counter_amount,
        counter_currency=entry.counter_currency,
        note=entry.note or None,
        source=form.name,
        source_key=item.source_key,
    )


def _mics(items: Sequence[ReadyEntry]) -> tuple[dict[str, str], list[Finding]]:
    """The MIC of every symbol; a symbol of an unknown exchange makes its line bad."""
    mics: dict[str, str] = {}
    findings = []
    for item in items:
        if item.symbol is None or item.symbol in mics:
            continue
        try:
            mics[item.symbol] = calendars.mic_of(item.symbol)
        except UsageError as error:
            findings.append(Finding(item.entry.lines[0], REFUSED, str(error)))
    return mics, findings


def _mic_or_none(symbol: str | None) -> str | None:
    """The MIC of a symbol; None for none, and for one of an unknown exchange, which is told by itself."""
    try:
        return None if symbol is None else calendars.mic_of(symbol)
    except UsageError:
        return None


def _calendars(
    context: JobContext, items: Sequence[ReadyEntry], mics: Mapping[str, str], now: datetime
) -> dict[str, SessionList]:
    """The sessions of every exchange of the file from a little before its first trade on."""
    firsts: dict[str, date] = {}
    for item in items:
        if item.symbol is not None and item.symbol in mics and item.entry.type in SHARE_MOVES:
            mic = mics[item.symbol]
            firsts[mic] = min(item.entry.trade_date, firsts.get(mic, item.entry.trade_date))
    # The instant of a trade may lie in the session before its date in UTC.
    before = timedelta(days=7)
    return {mic: load_session_list(context, mic, first - before, now=now) for mic, first in sorted(firsts.items())}


def _executed_at(item: ReadyEntry, mics: Mapping[str, str], market: Mapping[str, SessionList]) -> datetime:
    """The close of a trade's session, or of the next; midnight UTC after the day for cash and for today."""
    entry = item.entry
    if entry.executed_at is not None:
        return entry.executed_at
    if item.symbol is not None and entry.type in SHARE_MOVES:
        close = market[mics[item.symbol]].close_on_or_after(entry.trade_date)
        if close is not None:
            return close
    return datetime.combine(entry.trade_date + timedelta(days=1), time.min, tzinfo=UTC)


def _dated(item: ReadyEntry, mics: Mapping[str, str], market: Mapping[str, SessionList]) -> ReadyEntry:
    """A trade of which the file knows the instant counts for the session of that instant."""
    entry = item.entry
    if item.symbol is None or item.symbol not in mics or entry.type not in SHARE_MOVES or entry.executed_at is None:
        return item
    day = session_of(entry.executed_at, market[mics[item.symbol]])
    return item if day is None else replace(item, entry=replace(entry, trade_date=day))


def _closed_days(
    items: Sequence[ReadyEntry], mics: Mapping[str, str], market: Mapping[str, SessionList]
) -> list[Finding]:
    """Trades dated on a day without a session: kept, but worth a look."""
    findings = []
    for item in items:
        if item.symbol is None or item.symbol not in mics or item.entry.type not in SHARE_MOVES:
            continue
        mic, day = mics[item.symbol], item.entry.trade_date
        if not market[mic].has(day):
            reason = f"{mic} was closed on {day}: counted at the next close"
            findings.append(Finding(item.entry.lines[0], DOUBTFUL, reason))
    return findings
