"""In which currencies each exchange's listings are quoted, so that a first answer in a wrong one is not believed."""

from __future__ import annotations

from collections.abc import Container

# Funds and depositary receipts are listed in others than the exchange's own.
CURRENCIES_OF: dict[str, frozenset[str]] = {
    mic: frozenset(names.split())
    for mic, names in {
        "XNYS": "USD",
        "XAMS": "EUR USD GBP",
        "ASEX": "EUR",
        "XASX": "AUD",
        "XBKK": "THB",
        "XBOM": "INR",
        "XBRU": "EUR USD",
        "XCSE": "DKK EUR",
        "XETR": "EUR USD",
        "XFRA": "EUR USD",
        "XHEL": "EUR USD",
        "XHKG": "HKD CNY USD",
        "XICE": "ISK",
        "XDUB": "EUR USD GBP",
        "XIST": "TRY",
        "XIDX": "IDR",
        "XJSE": "ZAR",
        "XKLS": "MYR",
        "XKRX": "KRW",
        "XLON": "GBP USD EUR",
        "XLIS": "EUR",
        "XMAD": "EUR",
        "XMIL": "EUR USD",
        "XMEX": "MXN USD",
        "XNZE": "NZD AUD",
        "XOSL": "NOK EUR USD",
        "XPAR": "EUR USD",
        "XPRA": "CZK EUR",
        "BVMF": "BRL",
        "XSES": "SGD USD HKD EUR AUD CNY",
        "XSGO": "CLP USD",
        "XSAU": "SAR",
        "XSHG": "CNY USD HKD",
        "XSTO": "SEK EUR",
        "XSWX": "CHF USD EUR GBP",
        "XTKS": "JPY",
        "XTAE": "ILS USD",
        "XTSE": "CAD USD",
        "XTAI": "TWD",
        "XWBO": "EUR",
        "XWAR": "PLN EUR",
    }.items()
}


def doubt_currency(symbol: str, mic: str, currency: str, *, ordered_in: Container[str] = ()) -> str | None:
    """Why the currency of a company's very first answer is not believed; None where it is.

    An index, an exchange rate or a coin (``^FTSE``, ``EURGBP=X``, ``BTC-EUR``) is on no exchange; what somebody ordered
    in a currency is quoted in it.
    """
    usual = CURRENCIES_OF.get(mic)
    is_listed = "^" not in symbol and "=" not in symbol and not symbol.endswith(f"-{currency}")
    if usual is None or currency in usual or not is_listed or currency in ordered_in:
        return None
    names = ", ".join(sorted(usual))
    return f"answered in {currency}, but {mic} quotes in {names}, and no order of {symbol} is in {currency}; not stored"
