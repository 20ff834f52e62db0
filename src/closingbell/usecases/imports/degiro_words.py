"""The descriptions of Degiro's account statement, in the languages they come in, and what each of them is."""

from __future__ import annotations

import re

from closingbell.usecases.imports.entries import BUY, DIVIDEND, FEE, INTEREST, SELL, TAX

TRADE, CONVERTED, WITHHOLDING, DEPOSITED = "trade", "converted", "withholding", "deposited"
SWEEP, RESERVED, PRODUCT, STOCK_DIVIDEND = "sweep", "reserved", "product", "stock_dividend"

LEFT_OUT = {
    SWEEP: "cash between Degiro and its bank: yours before and after",
    RESERVED: "a deposit announced: counted when it arrives",
    PRODUCT: "the same shares under a new name or ISIN: map both ISINs to one symbol",
    STOCK_DIVIDEND: "a dividend in shares: enter it as a corporate action",
}

_BUY = {"koop", "buy", "kauf", "achat", "compra", "acquisto", "köp", "køb", "kjøp", "kupno", "nákup", "osto", "αγορά"}
_SELL = {
    *("verkoop", "sell", "verkauf", "vente", "venta", "venda", "vendita", "sälj", "salg", "sprzedaż", "prodej"),
    *("myynti", "πώληση"),
}
_SIDES = "|".join(sorted(_BUY | _SELL))

# The first that matches decides. Lower case, spaces as one.
_KINDS: tuple[tuple[str, str], ...] = (
    (r"cash sweep|flatexdegiro bank|processed flatex withdrawal|transfer (from|to) your cash account", SWEEP),
    (r"^(reservation|reservierung|réservation|reserva)\b", RESERVED),
    (r"(productwijziging|product change|isin change|produktwechsel|isin-änderung|changement de produit)", PRODUCT),
    (r"^(stock dividend|stockdividend|dividende en actions|aktiendividende)\b", STOCK_DIVIDEND),
    (rf"^({_SIDES}) [0-9]", TRADE),
    (r"^(dividendbelasting|dividend tax|dividendensteuer|impôts sur dividende|impôt sur dividende)", WITHHOLDING),
    (r"^(retención del dividendo|imposto sobre dividendo|ritenuta sul dividendo|imposta sul dividendo)", WITHHOLDING),
    (r"^(dividend|dividende|dividendo|dividenda|dividends|capital return|kapitalrückzahlung)$", DIVIDEND),
    (r"^valuta (creditering|debitering)|^fx (credit|debit)|^währungswechsel|cambio de divisa", CONVERTED),
    (
        r"(crédito|levantamento) de divisa|^opération de change|^(accredito|prelievo) cambio|^change de devises",
        CONVERTED,
    ),
    (r"^(transactiebelasting|transaction tax|stamp duty|finanztransaktionssteuer|taxe sur les transactions)", TAX),
    (r"(transactiekosten|transaction (fees?|and/or third|costs)|transaktionskosten|comissões de transação)", FEE),
    (r"(frais degiro de courtage|frais de transaction|costes de transacción|costi di transazione)", FEE),
    (r"(aansluitingskosten|connection fee|connectivity|corporate action kosten|corporate action fee|adr/gdr)", FEE),
    (r"^(degiro courtesy|einrichtung von handelsmodalitäten|costes de conectividad|frais de connexion)", FEE),
    (
        r"^(flatex interest|interest( income| expense)?|rente|debetrente|creditrente|zinsen|intérêts|intereses)",
        INTEREST,
    ),
    (r"^(ideal deposit|sofort deposit|flatex deposit|deposit|storting|einzahlung|dépôt|ingreso|depósito)$", DEPOSITED),
    (r"^(withdrawal|terugstorting|flatex terugstorting|flatex withdrawal|auszahlung|retrait|retirada)$", DEPOSITED),
    (r"^(deposito|versamento|prelievo|levantamento)$", DEPOSITED),
)
_PATTERNS = tuple((re.compile(pattern), kind) for pattern, kind in _KINDS)


def kind_of(description: str) -> str | None:
    """What a description is; nothing for words that are not known."""
    plain = " ".join(unmangled(description).lower().split())
    return next((kind for pattern, kind in _PATTERNS if pattern.search(plain)), None)


def side_of(word: str) -> str | None:
    """BUY or SELL by its word."""
    plain = word.lower()
    return BUY if plain in _BUY else SELL if plain in _SELL else None


def unmangled(text: str) -> str:
    """Text that was UTF-8 and was read as Windows-1252 once, as some exports hold it, put right again."""
    for encoding in ("cp1252", "latin-1"):
        try:
            return text.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
    return text
