"""Orders: what kinds there are, and which ones bring or take shares."""

from __future__ import annotations

from enum import StrEnum


class OrderType(StrEnum):
    """What an order did. Amounts of INTEREST, FEE and TAX may be below zero: charged, refunded."""

    BUY = "BUY"
    SELL = "SELL"
    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"
    TRANSFER_IN = "TRANSFER_IN"
    TRANSFER_OUT = "TRANSFER_OUT"
    DIVIDEND = "DIVIDEND"
    CAPITAL_GAIN = "CAPITAL_GAIN"
    CAPITAL_RETURN = "CAPITAL_RETURN"
    INTEREST = "INTEREST"
    FEE = "FEE"
    TAX = "TAX"
    CONVERSION = "CONVERSION"
    COST_CHANGE = "COST_CHANGE"


# Bring or take shares.
INCOMING = ("BUY", "TRANSFER_IN")
OUTGOING = ("SELL", "TRANSFER_OUT")
SHARE_MOVES = INCOMING + OUTGOING
TRADES = ("BUY", "SELL")
# What a company pays, entered by a person or by a statement.
COMPANY_INCOME = ("DIVIDEND", "CAPITAL_GAIN", "CAPITAL_RETURN")
# About one company; all others are about cash alone, though INTEREST and FEE may name one.
COMPANY_TYPES = (*SHARE_MOVES, *COMPANY_INCOME, "COST_CHANGE")
CASH_MOVES = ("DEPOSIT", "WITHDRAWAL")
# May be below zero: the opposite of what the word says.
SIGNED = ("INTEREST", "FEE", "TAX", "COST_CHANGE")
