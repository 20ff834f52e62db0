"""Interactive Brokers' Flex query as CSV: trades, or movements of cash."""

from __future__ import annotations

from closingbell.usecases.imports import ibkr
from closingbell.usecases.imports.entries import Reading, in_order
from closingbell.usecases.imports.joining import join_withholding, settle_taken_back
from closingbell.usecases.imports.tables import Row, has_columns, read_rows, read_table

NAME = "ibkr_csv"
TITLE = "Interactive Brokers: Flex query as CSV (Trades, or Cash Transactions)"

_TRADES = ("buy/sell", "tradedate", "quantity", "currencyprimary")
_CASH = ("type", "settledate", "description", "amount", "currencyprimary")


def recognises(text: str) -> bool:
    """By the columns of trades, or of movements of cash."""
    return has_columns(text, *_TRADES) or has_columns(text, *_CASH)


def read(text: str) -> Reading:
    """Executions with their commission, or movements of cash with dividends and the tax kept back."""
    if has_columns(text, *_TRADES):
        table = read_table(text, *_TRADES)
        is_alone = not any(row["levelofdetail"] == "EXECUTION" for row in table.rows)
        return in_order(*read_rows(table, lambda row: ibkr.read_trade(row.line, _fields(row), is_alone=is_alone)))
    entries, findings = read_rows(read_table(text, *_CASH), lambda row: ibkr.read_cash(row.line, _fields(row)))
    kept, taken_back = settle_taken_back(entries)
    return in_order(join_withholding(kept), [*findings, *taken_back])


def _fields(row: Row) -> dict[str, str]:
    return dict(zip(row.columns, row.cells, strict=True))
