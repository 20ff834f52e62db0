"""Where an exchange stands: the country whose tax is withheld from dividends, unless a person says otherwise."""

from __future__ import annotations

COUNTRY_OF_MIC: dict[str, str] = {
    "XNYS": "US", "XNAS": "US", "ARCX": "US", "XASE": "US", "BATS": "US", "XTSE": "CA", "XTSX": "CA", "XMEX": "MX",
    "BVMF": "BR", "XBUE": "AR", "XSGO": "CL", "XLON": "GB", "XDUB": "IE", "XPAR": "FR", "XAMS": "NL", "XBRU": "BE",
    "XLIS": "PT", "XMAD": "ES", "XMIL": "IT", "XETR": "DE", "XFRA": "DE", "XSTU": "DE", "XHAM": "DE", "XDUS": "DE",
    "XMUN": "DE", "XBER": "DE", "XSWX": "CH", "XWBO": "AT", "XCSE": "DK", "XSTO": "SE", "XOSL": "NO", "XHEL": "FI",
    "XICE": "IS", "XWAR": "PL", "XPRA": "CZ", "XBUD": "HU", "ASEX": "GR", "XIST": "TR", "XTAE": "IL", "XJSE": "ZA",
    "XBOM": "IN", "XNSE": "IN", "XTKS": "JP", "XHKG": "HK", "XSHG": "CN", "XSHE": "CN", "XKRX": "KR", "XKOS": "KR",
    "XTAI": "TW", "XSES": "SG", "XKLS": "MY", "XIDX": "ID", "XBKK": "TH", "XPHS": "PH", "XASX": "AU", "XNZE": "NZ",
    "XSAU": "SA",
}  # fmt: skip


def country_of(mic: str, stated: str | None = None) -> str | None:
    """The country stated for a company, or its exchange's; None for an exchange that is not known here."""
    return stated or COUNTRY_OF_MIC.get(mic)
