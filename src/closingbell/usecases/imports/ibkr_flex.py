"""Interactive Brokers' Flex query as XML, read without any of what makes XML dangerous."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from xml.parsers import expat

from closingbell.usecases.imports import ibkr
from closingbell.usecases.imports.entries import (
    DOUBTFUL,
    LEFT_OUT,
    REFUSED,
    Entry,
    Finding,
    LeftOutError,
    Reading,
    in_order,
    shown,
)
from closingbell.usecases.imports.joining import join_withholding, settle_taken_back
from closingbell.usecases.imports.tables import caught

NAME = "ibkr_flex"
TITLE = "Interactive Brokers: Flex query as XML (Trades, Cash Transactions, Transfers)"

_DEPTH = 12
_STRUCTURE = {"FlexQueryResponse", "FlexStatements", "FlexStatement"}
# Order and what follows it are sums of executions, where the query asks for them beside those.
_ROWS = {
    *("Trade", "CashTransaction", "Transfer", "CorporateAction"),
    *("Order", "SymbolSummary", "AssetSummary", "Lot", "WashSale"),
}


class _UnsafeError(Exception):
    """A document type or too deep a nesting: no Flex query has them."""


@dataclass(frozen=True, slots=True)
class _Element:
    line: int
    section: str
    name: str
    fields: Mapping[str, str]

    @property
    def text(self) -> str:
        return shown(f"<{self.name} " + " ".join(f'{key}="{value}"' for key, value in self.fields.items() if value))


def recognises(text: str) -> bool:
    """By its outermost element."""
    return text.lstrip().startswith("<") and "<FlexQueryResponse" in text[:2000]


def read(text: str) -> Reading:
    """Executions, movements of cash and transfers; other sections are counted and left out."""
    try:
        elements = _elements(text)
    except expat.ExpatError as error:
        return Reading((), (Finding(error.lineno, REFUSED, f"not readable as XML ({error})"),))
    except _UnsafeError as error:
        return Reading((), (Finding(1, REFUSED, str(error)),))
    is_alone = not any(e.name == "Trade" and e.fields.get("levelofdetail", "") == "EXECUTION" for e in elements)
    findings: list[Finding] = []
    entries: list[Entry] = []
    for element in elements:
        if element.name in _ROWS:
            read_one = partial(_read, element, is_alone=is_alone)
            entries += caught(element.line, element.text, read_one, findings)
    kept, taken_back = settle_taken_back(entries)
    return in_order(join_withholding(kept), [*findings, *taken_back, *_other_sections(elements), *_mixed(elements)])


def _elements(text: str) -> list[_Element]:
    """Every element that holds data; a document type is refused before any entity of it can be declared."""
    found: list[_Element] = []
    way: list[str] = []
    parser = expat.ParserCreate()

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(way) >= _DEPTH:
            raise _UnsafeError("the XML is nested too deep for a Flex query")
        if name not in _STRUCTURE and attributes:
            fields = {key.lower(): value for key, value in attributes.items()}
            found.append(_Element(parser.CurrentLineNumber, way[-1] if way else "", name, fields))
        way.append(name)

    def refuse(*_: object) -> None:
        raise _UnsafeError("the XML declares a document type, which no Flex query does; it is not read")

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: way.pop()
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.Parse(text.encode("utf-8"), True)
    return found


def _read(element: _Element, *, is_alone: bool) -> Sequence[Entry]:
    if element.name == "CashTransaction":
        return (ibkr.read_cash(element.line, element.fields),)
    if element.name == "Transfer":
        return ibkr.read_transfer(element.line, element.fields)
    if element.name == "CorporateAction":
        raise LeftOutError(_action(element.fields.get("type", "")))
    return ibkr.read_trade(element.line, element.fields, is_alone=is_alone)


def _action(kind: str) -> str:
    if kind in {"FS", "RS", "FI"}:
        return "a split: it comes from the data provider and is applied by itself"
    return f"what the company did ({kind or 'no type'}): enter it as a corporate action"


def _other_sections(elements: Sequence[_Element]) -> list[Finding]:
    """One finding for each kind of row that is not read."""
    counts = Counter(element.name for element in elements if element.name not in _ROWS)
    firsts = {element.name: element.line for element in reversed(elements)}
    return [
        Finding(firsts[name], LEFT_OUT, f"{count} rows of {name}: neither trades nor cash")
        for name, count in counts.items()
    ]


def _mixed(elements: Sequence[_Element]) -> list[Finding]:
    accounts = sorted({element.fields["accountid"] for element in elements if element.fields.get("accountid")})
    if len(accounts) < 2:
        return []
    return [Finding(1, DOUBTFUL, f"the file holds {len(accounts)} of the broker's accounts; all go into this one")]
