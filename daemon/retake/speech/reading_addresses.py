"""How addresses of the net, names of files and paths are read: every sign by its name, short pieces letter by letter."""

from __future__ import annotations

import re

from . import numbers
from .reading_context import Context
from .spoken_forms import DOMAIN_WORDS, EXTENSIONS, PATH_WORDS

_URL = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://|www\.)\S+|(?:[a-z0-9-]+\.)+(?:com|org|net|io|ai|gov|edu|dev|app|co|uk|de|eu|info|tv|me)(?::\d+)?(?:/\S*)?|localhost(?::\d+)?(?:/\S*)?",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_PATH = re.compile(r"(?:~|\.{1,2}|[A-Za-z]:)?(?:[/\\][\w.@+~-]+)+[/\\]?|[A-Za-z]:[/\\]|~[/\\]")
_FILE = re.compile(rf"[\w-]*\w(?:\.\w+)*\.(?:{'|'.join(EXTENSIONS)})", re.IGNORECASE)
_IP = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?")
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_SHORT = 2  # letters; shorter pieces are spelled, unless they are words
_SMALL_WORDS = frozenset({"me", "my", "go", "to", "by", "do", "at", "or", "on", "in", "is", "it", "no", "of", "we", "up"})
SIGNS = {
    ".": "dot", "/": "slash", "\\": "backslash", "-": "dash", "_": "underscore", "?": "question mark", "=": "equals", "&": "and",
    "%": "percent", "#": "hash", ":": "colon", "+": "plus", "~": "tilde", "@": "at",
}  # fmt: skip


def spell(letters: str) -> str:
    """As in "uk" -> "U.K", which the pronouncing dictionary says letter by letter; it takes a single A for the article."""
    return "eh" if letters in ("a", "A") else ".".join(letters.upper())


def address(core: str, context: Context) -> str | None:
    """E-mail and web addresses, IP addresses, paths, names of files."""
    if _EMAIL.fullmatch(core):
        name, _, host = core.partition("@")
        return f"{_parts(name)} at {_parts(host)}"
    if _URL.fullmatch(core):
        return _parts(_SCHEME.sub("", core).rstrip("/"))
    if _IP.fullmatch(core):
        return " ".join(numbers.digits(piece) if piece.isdecimal() else SIGNS[piece] for piece in re.findall(r"\d+|[.:]", core))
    if _PATH.fullmatch(core) and not re.fullmatch(r"[/\\]\w", core):
        return _parts(core.rstrip("/\\") or core)
    if _FILE.fullmatch(core):
        return _parts(core)
    return None


def _parts(text: str) -> str:
    pieces = re.findall(r"\d+|[^\W\d_]+|[^\w\s]|_", text)
    out: list[str] = []
    for place, piece in enumerate(pieces):
        before = pieces[place - 1] if place else ""
        if piece.isdecimal():
            out.append(numbers.digits(piece) if before == ":" else numbers.number(piece))
        elif piece.isalpha():
            last_name = before == "." and place > 1
            out.append(_piece(piece, extension=last_name))
        elif piece in SIGNS:
            out.append(SIGNS[piece])
    return " ".join(out)


def _piece(piece: str, *, extension: bool) -> str:
    lower = piece.lower()
    if extension and lower in EXTENSIONS:
        return EXTENSIONS[lower] or spell(piece)
    if lower in PATH_WORDS:
        return PATH_WORDS[lower]
    if lower in DOMAIN_WORDS or lower in _SMALL_WORDS:
        return piece
    consonants = not any(letter in "aeiouy" for letter in lower) and len(lower) <= 4
    return spell(piece) if len(piece) <= _SHORT or consonants or lower == "www" else piece
