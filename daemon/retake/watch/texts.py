"""Bytes of a dropped file as text: bounded, in an encoding that says what it is."""

from __future__ import annotations

import codecs

from retake.domain.errors import RetakeError

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_REMEDY = "Save it as plain text in UTF-8 (in a spreadsheet: 'CSV UTF-8')."


def decode(content: bytes) -> str:
    """Text in UTF-8 (with or without byte order mark) or UTF-16 (with one), its line ends as \\n.

    Guessing another encoding would put wrong words into somebody's mouth, so that there is an error instead: RetakeError (bad_encoding, not_text).
    """
    if content.startswith(_UTF32):
        raise RetakeError("The file is in UTF-32.", _REMEDY, code="bad_encoding")
    encoding = "utf-16" if content.startswith(_UTF16) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise RetakeError(f"Line {line}: the file is not in UTF-8.", _REMEDY, code="bad_encoding") from error
    if any(ord(character) < 32 and character not in "\t\n\r\f\v" for character in text):
        raise RetakeError("The file is not a text file.", _REMEDY, code="not_text")
    return text.replace("\r\n", "\n").replace("\r", "\n")
