"""Interactive Brokers' Flex queries: what a trade and a movement of cash become, whether they came as XML or CSV."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from closingbell.usecases.imports.building import as_note, as_quantity, cash, price_of, rounded_price, to_money
from closingbell.usecases.imports.entries import (
    BUY,
    CAPITAL_RETURN,
    CONVERSION,
    DEPOSIT,
    DIVIDEND,
    FEE,
    INTEREST,
    PAYMENTS,
    SELL,
    TAX,
    TRANSFER_IN,
    TRANSFER_OUT,
    WITHDRAWAL,
    Entry,
    LeftOutError,
    RowError,
    Security,
)
from closingbell.usecases.imports.values import POINT, read_currency, read_isin, read_iso

# Where a share is listed, by Interactive Brokers' name -> Yahoo's suffix.
_LISTINGS = {
    **dict.fromkeys(("NYSE", "NASDAQ", "ARCA", "AMEX", "BATS", "PINK", "NYSENAT", "IEX"), ""),
    **dict.fromkeys(("LSE", "LSEETF"), ".L"),
    **dict.fromkeys(("IBIS", "IBIS2", "XETRA"), ".DE"),
    **{"FWB": ".F", "FWB2": ".F", "AEB": ".AS", "SBF": ".PA", "ENEXT.BE": ".BR", "BVL": ".LS", "ISED": ".IR"},
    **{"EBS": ".SW", "VSE": ".VI", "BVME": ".MI", "BVME.ETF": ".MI", "BM": ".MC", "SFB": ".ST", "CPH": ".CO"},
    **{"HEX": ".HE", "OSE": ".OL", "WSE": ".WA", "TSE": ".TO", "VENTURE": ".V", "SEHK": ".HK", "TSEJ": ".T"},
    **{"ASX": ".AX", "SGX": ".SI", "NSE": ".NS", "TASE": ".TA", "MEXI": ".MX"},
}
_TICKER = re.compile(r"(?P<ticker>[A-Z0-9.]+)\s*\([A-Z0-9]+\)")

_CASH_TYPES: dict[str, str] = {
    "dividends": DIVIDEND,
    "payment in lieu of dividends": DIVIDEND,
    "withholding tax": TAX,
    "871(m) withholding": TAX,
    "broker interest paid": INTEREST,
    "broker interest received": INTEREST,
    "bond interest paid": INTEREST,
    "bond interest received": INTEREST,
    "broker fees": FEE,
    "other fees": FEE,
    "advisor fees": FEE,
    "commission adjustments": FEE,
    "other income": INTEREST,
    "deposits/withdrawals": DEPOSIT,
    "deposits & withdrawals": DEPOSIT,
    "deposits": DEPOSIT,
    "withdrawals": DEPOSIT,
}
# Levels of detail that repeat what the rows of the lowest level say.
_SUMS = {"ORDER", "SUMMARY", "SYMBOL_SUMMARY", "ASSET_SUMMARY", "CLOSED_LOT", "WASH_SALE", "BASE_SUMMARY"}

Fields = Mapping[str, str]


def read_trade(line: int, fields: Fields, *, is_alone: bool = False) -> Sequence[Entry]:
    """One execution; ``is_alone`` takes an order's sum, where a query has no executions."""
    _leave_sums_out(fields, but="ORDER" if is_alone else "")
    side = _field(fields, "buysell", "buy/sell").upper()
    if "CA" in side.partition("(")[2].upper() or "Ca" in _codes(fields):
        raise LeftOutError("a trade that was cancelled, or its cancellation")
    kind = _field(fields, "assetcategory", "assetclass").upper()
    if kind == "CASH":
        return _conversion(line, fields)
    if kind not in {"STK", "FUND", "ETF", ""}:
        raise LeftOutError(f"{kind}: closingbell keeps shares and funds; enter its cash by hand")
    if side not in {BUY, SELL}:
        raise RowError(f"a trade must be BUY or SELL, it is {side!r}")
    if not kind and not _field(fields, "symbol", "isin"):
        raise RowError("neither symbol nor ISIN: a currency, it seems; add Symbol and AssetClass to the Flex query")
    return _trade(line, fields, side)


def _trade(line: int, fields: Fields, side: str) -> Sequence[Entry]:
    currency = _currency(fields)
    quantity = as_quantity(POINT.read(_field(fields, "quantity"), what="quantity"))
    price = POINT.maybe(_field(fields, "tradeprice", "price"), what="trade price")
    money = POINT.maybe(_field(fields, "proceeds", "trademoney"), what="proceeds")
    if price is None and money is None:
        raise RowError("the trade has neither a price nor proceeds")
    amount = abs(money) if money is not None else quantity * (price or Decimal(0))
    tax = -_money(_field(fields, "taxes"), what="taxes")
    fee = -_money(_field(fields, "ibcommission"), what="commission")
    unit = _field(fields, "ibcommissioncurrency") or currency
    entry = Entry(
        (line,),
        side,
        _day(fields, "tradedate", "datetime"),
        currency,
        security=_security(fields, currency),
        quantity=quantity,
        price=rounded_price(price) if price is not None else price_of(amount, quantity),
        amount=_rounded(amount),
        fee=_rounded(fee) if unit == currency and fee > 0 else Decimal(0),
        tax=_rounded(tax) if tax > 0 else Decimal(0),
        broker_key=_field(fields, "tradeid", "transactionid", "ibexecid") or None,
    )
    return (entry, *_fee_apart(line, fields, entry.trade_date, fee, unit, is_apart=unit != currency or fee < 0))


def _fee_apart(
    line: int, fields: Fields, day: date, fee: Decimal, unit: str, *, is_apart: bool = True
) -> Sequence[Entry]:
    """A commission in another currency than the trade's, or a rebate, is an entry of its own."""
    if not fee or not is_apart:
        return ()
    key = _field(fields, "tradeid", "transactionid", "ibexecid")
    note = f"commission of {_field(fields, 'symbol', 'isin')}"
    return (cash(line, FEE, day, _rounded(fee), read_currency(unit), note=note, broker_key=key or None),)


def _conversion(line: int, fields: Fields) -> Sequence[Entry]:
    """EUR.USD: euros are bought or sold for dollars."""
    base, _, quoted = _field(fields, "symbol").upper().partition(".")
    quantity = abs(POINT.read(_field(fields, "quantity"), what="quantity"))
    money = abs(POINT.read(_field(fields, "proceeds", "trademoney"), what="proceeds"))
    bought = (read_currency(base, what="symbol"), _rounded(quantity))
    paid = (read_currency(quoted, what="symbol"), _rounded(money))
    if _field(fields, "buysell", "buy/sell").upper() == SELL:
        bought, paid = paid, bought
    day = _day(fields, "tradedate", "datetime")
    key = _field(fields, "tradeid", "transactionid", "ibexecid") or None
    entry = Entry(
        (line,),
        CONVERSION,
        day,
        paid[0],
        amount=paid[1],
        counter_amount=bought[1],
        counter_currency=bought[0],
        broker_key=key,
        note=as_note(_field(fields, "symbol")),
    )
    fee = -_money(_field(fields, "ibcommission"), what="commission")
    unit = _field(fields, "ibcommissioncurrency") or quoted
    return (entry, *_fee_apart(line, fields, day, fee, unit))


def read_cash(line: int, fields: Fields) -> Entry:
    """One movement of cash."""
    _leave_sums_out(fields)
    said = _field(fields, "type")
    kind = _CASH_TYPES.get(" ".join(said.lower().split()))
    if kind is None:
        raise RowError(f"type {said!r} is not known")
    amount = _rounded(POINT.read(_field(fields, "amount"), what="amount"))
    currency, day = _currency(fields), _day(fields, "settledate", "datetime", "reportdate")
    key, note = _field(fields, "transactionid") or None, _field(fields, "description")
    if kind == DIVIDEND and "return of capital" in note.lower():
        kind = CAPITAL_RETURN
    if kind in {*PAYMENTS, TAX}:
        security = _security(fields, currency) if _field(fields, "isin", "symbol") else None
        if kind != TAX and security is None:
            raise RowError("a dividend without symbol and ISIN: add them to the Flex query")
        signed = -amount if kind == TAX else amount
        return Entry(
            (line,),
            kind,
            day,
            currency,
            security=security,
            amount=signed,
            broker_key=key,
            note=as_note(note),
            # Corrections of tax name the old day of payment and come in a later report.
            batch=_field(fields, "reportdate"),
        )
    if kind == DEPOSIT:
        kind, amount = (DEPOSIT, amount) if amount > 0 else (WITHDRAWAL, -amount)
    return cash(line, kind, day, -amount if kind == FEE else amount, currency, note=note, broker_key=key)


def read_transfer(line: int, fields: Fields) -> Sequence[Entry]:
    """Shares or cash moved in from another broker, or out to one."""
    _leave_sums_out(fields)
    direction = _field(fields, "direction").upper()
    if direction not in {"IN", "OUT"}:
        raise RowError(f"a transfer must go IN or OUT, it goes {direction!r}")
    day, currency = _day(fields, "date", "datetime", "reportdate"), _currency(fields)
    key = _field(fields, "transactionid") or None
    moved = _money(_field(fields, "cashtransfer"), what="cash transfer")
    if moved:
        kind = DEPOSIT if direction == "IN" else WITHDRAWAL
        return (cash(line, kind, day, abs(moved), currency, note="transfer", broker_key=key),)
    value = _money(_field(fields, "positionamount"), what="position amount")
    quantity = as_quantity(POINT.read(_field(fields, "quantity"), what="quantity"))
    return (
        Entry(
            (line,),
            TRANSFER_IN if direction == "IN" else TRANSFER_OUT,
            day,
            currency,
            security=_security(fields, currency),
            quantity=quantity,
            price=price_of(abs(value), quantity) if value else None,
            amount=abs(value) or None,
            broker_key=key,
        ),
    )


def _leave_sums_out(fields: Fields, *, but: str = "") -> None:
    level = _field(fields, "levelofdetail").upper()
    if (level in _SUMS and level != but) or _field(fields, "currency", "currencyprimary") == "BASE_SUMMARY":
        raise LeftOutError("a sum of other rows")


def _field(fields: Fields, *names: str) -> str:
    """The first of these fields that is filled."""
    return next((fields[name].strip() for name in names if fields.get(name, "").strip()), "")


def _codes(fields: Fields) -> set[str]:
    return set(re.split(r"[;,]", _field(fields, "notes", "code", "notes/codes")))


def _currency(fields: Fields) -> str:
    return read_currency(_field(fields, "currency", "currencyprimary"))


def _day(fields: Fields, *names: str) -> date:
    return read_iso(_field(fields, *names))[0]


def _money(cell: str, *, what: str) -> Decimal:
    return _rounded(POINT.maybe(cell, what=what) or Decimal(0))


def _rounded(value: Decimal) -> Decimal:
    """Interactive Brokers keeps more digits than money has here."""
    return to_money(value, what="amount")


def _security(fields: Fields, currency: str) -> Security:
    """By its exchange, or a share from the United States in dollars; anything else must be mapped."""
    isin, ticker = read_isin(_field(fields, "isin")), _field(fields, "symbol")
    described = _field(fields, "description")
    if not ticker and (found := _TICKER.match(described)):
        return Security(isin=isin, ticker=found["ticker"])
    listing = _field(fields, "listingexchange").upper()
    suffix = _LISTINGS.get(listing)
    if suffix is None and not listing and currency == "USD" and isin and isin.startswith("US"):
        suffix = ""
    symbol = _symbol(ticker, suffix) if ticker and suffix is not None else None
    return Security(symbol, isin, ticker or None, described or None)


def _symbol(ticker: str, suffix: str) -> str | None:
    """``BRK B`` is Yahoo's BRK-B, London's ``BT.A`` is BT-A.L, Xetra's ``SAPd`` is SAP.DE.

    Preferred shares, rights and warrants (``BAC PRK``) are spelled by rules of their own: none is made up here.
    """
    plain = (ticker.removesuffix("d") if suffix == ".DE" else ticker).upper().rstrip(".")
    name, _, share_class = plain.replace(".", " ").partition(" ")
    if len(share_class) > 1 and not (suffix == ".TO" and share_class == "UN"):
        return None
    spelled = f"{name}-{share_class}" if share_class else name
    return f"{spelled.zfill(4) if suffix == '.HK' else spelled}{suffix}"
