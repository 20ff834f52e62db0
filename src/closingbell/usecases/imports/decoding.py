"""A file's bytes as text; what is no text of a sane size is refused in words."""

from __future__ import annotations

import codecs

from closingbell.errors import ImportRefusedError

SIZE_LIMIT = 20 * 1024 * 1024

# First bytes of files that people pick by mistake -> what they are.
_OTHER_FILES = (
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook"),
    (b"PK\x05\x06", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"%PDF", "a PDF"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decode(data: bytes) -> str:
    """The text of a file in UTF-8, UTF-16 or Windows' western encoding; raise ImportRefusedError for anything else."""
    if len(data) > SIZE_LIMIT:
        raise ImportRefusedError(
            f"the file is larger than {SIZE_LIMIT // 1024 // 1024} MB; export a shorter range of dates"
        )
    for start, name in _OTHER_FILES:
        if data.startswith(start):
            raise ImportRefusedError(f"the file is {name}, not text; unpack it or save it as CSV and import that")
    text = _decode(data)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ImportRefusedError(f"the file is not text: line {line} holds a NUL byte; export it again")
    return text


def _decode(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _strictly(data[len(mark) :], encoding)
    if guessed := _without_mark(data):
        return _strictly(data, guessed)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _strictly(data, "cp1252")


def _without_mark(data: bytes) -> str | None:
    """UTF-16 without its mark: every other byte of western text is zero."""
    head = data[:400]
    if len(head) < 4:
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > len(head) // 3 and even == 0:
        return "utf-16-le"
    return "utf-16-be" if even > len(head) // 3 and odd == 0 else None


def _strictly(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise ImportRefusedError(
            "the file is not text in UTF-8, UTF-16 or Windows-1252; save it as UTF-8 and try again"
        ) from None
