"""Names of files: what is read, what is left alone, and names for clips that are safe on every system."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

FOLDER_TIMELINE = "folder"  # stem of the timeline of everything in `out`
_TEMPORARY = (".crdownload", ".part", ".partial", ".download", ".tmp", ".temp", ".swp", ".filepart", ".opdownload", ".!ut", ".lock")
_TEMPORARY_STARTS = (".", "~$", "~", "#")
_LITTER = frozenset({"desktop.ini", "thumbs.db", "icon\r"})
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\u0080-\u009f\u200b-\u200f\u2028-\u202f\u2066-\u2069\ufeff]+')
_DEVICES = frozenset({"con", "prn", "aux", "nul", "conin$", "conout$", *(f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³")})
_ENDINGS = re.compile(r"\.(mp4|mov|otio|srt|json|png)\Z", re.IGNORECASE)
_LONGEST = 120  # bytes; file systems take 255, and endings, numbers and the marks of temporaries come behind


def is_temporary(name: str) -> bool:
    """Whether a file of this name is hidden, half downloaded, a program's lock or the system's litter."""
    lower = name.lower()
    return lower.startswith(_TEMPORARY_STARTS) or lower.endswith(_TEMPORARY) or lower in _LITTER or lower.endswith("~")


def readable(name: str) -> str:
    """The name for messages and records; bytes that are no text become question marks."""
    return name.encode("utf-8", "replace").decode("utf-8")


def safe_stem(wanted: str) -> str:
    """A name without ending that every file system takes and that cannot leave its folder; "clip" where nothing is left of `wanted`."""
    name = unicodedata.normalize("NFC", readable(wanted))
    name = _ENDINGS.sub("", name.strip())
    name = " ".join(_FORBIDDEN.sub("-", name).split()).strip(" .-_~$#") or "clip"
    name = name.encode()[:_LONGEST].decode(errors="ignore").rstrip(" .-")
    lower = name.casefold()
    if lower.partition(".")[0] in _DEVICES or lower == FOLDER_TIMELINE or lower.startswith(f"{FOLDER_TIMELINE}-"):
        return f"{name}_" if "." not in name else name.replace(".", "_", 1)
    return name


def numbered(stem: str) -> Iterator[str]:
    """`stem`, `stem-2`, `stem-3`, ..."""
    yield stem
    number = 2
    while True:
        yield f"{stem}-{number}"
        number += 1
