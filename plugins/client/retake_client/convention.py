"""Script text as it stands in markers, titles and text strips: who says what. One reader and one writer of it for all plugins.

    Hello everyone.              a line of whoever speaks by default
    @anna: Hello everyone.       a line of the speaker anna; upper case and spaces around the colon do not matter
    @anna                        a speaker without words: a marker's name whose comment holds the text
    \\@anna: is how you name one. a text that begins with @ has a backslash before it

The colon is needed: "@home we say hello" is a sentence. Names are those that the daemon accepts (`SPEAKER`); a name in other letters is kept as it
was written, so that the daemon refuses it instead of speaking it. What is probably not meant as it was understood has a `doubt`.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

LONGEST_TEXT = 10_000  # characters of one line; the daemon refuses longer ones
LONGEST_LINE_ID = 64
# Blender keeps this many bytes of a marker's name and drops the rest without a word.
LONGEST_MARKER_NAME = 63

SPEAKER = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_LINE_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_NAMED = re.compile(r"@([^\W_][\w.-]{0,62})[^\S\n]*:\s*")
_ALONE = re.compile(r"@([^\W_][\w.-]{0,62})[^\S\n]*:?")
_NO_COLON = re.compile(r"@([A-Za-z0-9][A-Za-z0-9_-]{0,62})\s+\S")
_SPACED_NAME = re.compile(r"@([^\W_][\w.-]*(?:[^\S\n]+[^\W_][\w.-]*){1,3})[^\S\n]*:\s")
_LINE_ENDS = re.compile(r"\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
_ESCAPED = re.compile(r"\\+@")


@dataclass(frozen=True)
class ScriptText:
    """What was read.

    speaker: lower case; None: whoever speaks by default.
    text: what is to be said, "\\n" between its lines; empty where only a speaker was named.
    doubt: a sentence for people where it may be meant otherwise, else empty.
    """

    speaker: str | None
    text: str
    doubt: str = ""


def parse_line(text: str) -> ScriptText:
    """Read script text. Everything can be read; look at `doubt` where somebody has just typed it."""
    plain = _LINE_ENDS.sub("\n", text.replace("\ufeff", "").replace("\0", "")).strip()
    if _ESCAPED.match(plain):
        return ScriptText(None, plain[1:])
    found = _ALONE.fullmatch(plain)
    if found is not None:
        return _of_speaker(found[1], "")
    found = _NAMED.match(plain)
    if found is not None:
        return _of_speaker(found[1], plain[found.end() :])
    return ScriptText(None, plain, _doubt_of(plain))


def format_line(speaker: str | None, text: str) -> str:
    """Script text that `parse_line` reads as this again; without words only the speaker's name."""
    plain = _LINE_ENDS.sub("\n", text.replace("\ufeff", "").replace("\0", "")).strip()
    if speaker:
        return f"@{speaker}: {plain}" if plain else f"@{speaker}"
    return f"\\{plain}" if plain.startswith("@") or _ESCAPED.match(plain) else plain


def read_marker(name: str, comment: str = "") -> ScriptText | None:
    """The line that a marker holds, None if it holds none.

    Its name or its comment is script text with a speaker ("@anna: Hello."), or its name is a speaker and its comment the text. The comment counts
    where both name a speaker: names are cut off by some programs, comments are not.
    """
    title, note = parse_line(name), parse_line(comment)
    if note.speaker is not None and note.text:
        return note
    if title.speaker is None:
        return None
    words = note.text if note.speaker is None and note.text else title.text
    return ScriptText(title.speaker, words, title.doubt)


def marker_name(speaker: str | None, text: str, longest: int = LONGEST_MARKER_NAME) -> str:
    """A name for the marker of a line: its script text in one line, cut off with "…" where it has more than `longest` bytes.

    A name that was cut off is for people; the whole text belongs into the marker's comment or beside it.
    """
    whole = " ".join(format_line(speaker, text).split())
    if len(whole.encode("utf-8")) <= longest:
        return whole
    mark = "…"
    room = max(0, longest - len(mark.encode("utf-8")))
    return whole.encode("utf-8")[:room].decode("utf-8", "ignore").rstrip() + mark


def new_line_id() -> str:
    """A new id for a line: 12 hexadecimal digits. It stays with the line however the text changes."""
    return uuid.uuid4().hex[:12]


def is_line_id(value: object) -> bool:
    """Whether the daemon takes `value` as the id of a line."""
    return isinstance(value, str) and _LINE_ID.fullmatch(value) is not None


def speaker_problem(name: str) -> str:
    """Why `name` cannot be a speaker's name, as a sentence; empty if it can."""
    if SPEAKER.fullmatch(name):
        return ""
    return f"'{name[:70]}' cannot be a speaker's name: use lower-case letters a to z, digits, '-' and '_', for example 'anna-k'."


def text_problem(text: str) -> str:
    """Why `text` cannot be spoken as one line, as far as that can be told without the daemon; empty if it can."""
    if not text.strip():
        return "There are no words to say: write the line's text."
    if len(text) > LONGEST_TEXT:
        return f"The text has {len(text)} characters, and one line may have {LONGEST_TEXT}: split it into several lines."
    return ""


def _of_speaker(name: str, text: str) -> ScriptText:
    small = name.lower()
    return ScriptText(small, text.strip(), speaker_problem(small))


def _doubt_of(text: str) -> str:
    found = _SPACED_NAME.match(text)
    if found is not None:
        name = re.sub(r"\s+", "-", found[1].lower())
        return f"'@{found[1]}:' names no speaker, since names have no spaces, and is spoken; write '@{name}:' if that is who speaks."
    found = _NO_COLON.match(text)
    if found is not None:
        return f"'@{found[1]}' without a colon is spoken; write '@{found[1].lower()}:' if that is who speaks."
    return ""
