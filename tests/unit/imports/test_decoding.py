from __future__ import annotations

import gzip
import io
import zipfile

import pytest

from closingbell.errors import ImportRefusedError
from closingbell.usecases.imports.decoding import SIZE_LIMIT, decode


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)  # fmt: skip
def test_text_in_every_encoding_that_exports_come_in(encoding: str) -> None:
    text = "Datum;Typ;Wert;Buchungswährung\n2024-01-15;Einlage;5.000,00;EUR\n"

    assert decode(text.encode(encoding)) == text


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("orders.csv", "0" * 1_000_000)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (_zip(), "a ZIP archive or an Excel workbook"),
        (gzip.compress(b"0" * 1_000_000), "a gzip archive"),
        (b"%PDF-1.7 ...", "a PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook"),
        (b"date,type\n2024-01-01,B\x00UY\n", "line 2 holds a NUL byte"),
        (b"\xff\xfe\x00", "not text in UTF-8, UTF-16"),
        (b"date,\x81\x8d\n", "not text in UTF-8, UTF-16"),
        (b"x" * (SIZE_LIMIT + 1), "larger than 20 MB"),
    ],
)
def test_what_is_no_text_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(ImportRefusedError, match=words):
        decode(data)
