"""Prompt files -> Script: plain text or Markdown, one paragraph a line.

    # Title              headings are not spoken; the first one is the script's title
    @anna: Good morning. a speaker's name; holds for this paragraph
    @ben:                alone in a paragraph: holds for the paragraphs after it, up to the next name
    - A list item.       every item is a line of its own
    <!-- a note -->      comments, front matter, fenced code and rules are left out

Links and inline code are spoken as the words they mark. Stars and other hints of how words are said stay (docs/pronunciation.md); a line's
identity does not depend on them.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.hints import STRESSED, shown
from retake.domain.script import Line, Script

LARGEST = 2_000_000  # bytes of a script file: some 30 hours of speech
MOST_LINES = 5_000
_ID_LENGTH = 10  # hexadecimal digits: two different lines of one script meet once in a hundred thousand scripts

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_FRONT_MATTER = re.compile(r"\A(---|\+\+\+)[ \t]*\n.*?\n\1[ \t]*(?:\n|\Z)", re.DOTALL)
_FENCE = re.compile(r"^[ ]{0,3}(```+|~~~+).*?(?:^[ ]{0,3}\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_RULE = re.compile(r"[ ]{0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})")
_UNDERLINE = re.compile(r"[ ]{0,3}(?:=+|-{2,})[ \t]*")
_HEADING = re.compile(r"[ ]{0,3}#{1,6}[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*")
_ITEM = re.compile(r"[ \t]*(?:[-*+•–]|\(?\d{1,3}[.)])[ \t]+(?=\S)")
_QUOTE = re.compile(r"^[ ]{0,3}(?:>[ ]?)+")
_TABLE_RULE = re.compile(r"\|?[ \t:|-]*-{3,}[ \t:|-]*")
_SPEAKER = re.compile(r"@([A-Za-z0-9][A-Za-z0-9_-]{0,62})[ \t]*:[ \t]*")
_DEFINITION = re.compile(r"[ ]{0,3}\[[^\]]+\]:[ \t]+\S+.*")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+\-.!@>~|])")
_HIDDEN = 0xE000  # private code points that stand for escaped characters while marks are taken away
_MARKS = (
    (re.compile(r"!\[([^\]]*)\]\([^)]*\)"), ""),  # pictures
    (re.compile(r"\[(?!\s*pause\b)([^\]]+)\](?:\((?!\s*[A-Za-z]+\s*:\s)[^)]*\)|\[(?!\s*pause\b)[^\]]*\])", re.IGNORECASE), r"\1"),  # links
    (re.compile(r"<((?:https?://|mailto:)?[^\s<>]+[.@][^\s<>]+)>"), r"\1"),
    (re.compile(r"</?[A-Za-z][^<>]*>"), " "),  # HTML
    (re.compile(r"(`+)(.+?)\1"), r"\2"),
    (STRESSED, r"*\2*"),
    (re.compile(r"(?<!\w)(___|__|_)(?=\S)(.+?)(?<=\S)\1(?!\w)"), r"\2"),
    (re.compile(r"~~(?=\S)(.+?)(?<=\S)~~"), r"\1"),
)


def parse_script(path: str | Path) -> Script:
    """Read a script file.

    Encodings: UTF-8 with or without byte order mark, UTF-16 (with mark, or told by its zero bytes), otherwise Windows-1252 / Latin-1.

    Raises:
        RetakeError: not found (script_missing), a folder (script_not_file) or not readable (script_unreadable), too large (script_too_large),
            binary (script_binary), or without a line to speak (script_empty).
    """
    file = Path(path)
    if not file.exists():
        raise RetakeError(f"There is no script {file}.", "Check its name and folder.", kind=ErrorKind.NOT_FOUND, code="script_missing")
    if not file.is_file():
        raise RetakeError(f"{file} is not a file.", "Give a text or Markdown file.", code="script_not_file")
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except OSError as error:
        cause = f"The script {file.name} cannot be read: {error.strerror or error}."
        raise RetakeError(cause, "Check the permissions of the file.", kind=ErrorKind.ENVIRONMENT, code="script_unreadable") from None
    if len(content) > LARGEST:
        raise RetakeError(
            f"The script {file.name} is larger than {LARGEST // 1_000_000} MB.", "Split it into several files.", code="script_too_large"
        )
    return parse_text(decode(content, file.name), file.name)


def decode(content: bytes, name: str = "script") -> str:
    """Bytes of a text file -> text. Raises RetakeError for what is no text."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace").lstrip("\ufeff")
    if content.startswith(b"\xef\xbb\xbf"):
        content = content[3:]
    sample = content[:4096]
    zeros = sample.count(0)
    if zeros and len(sample) >= 4:
        even, odd = sample[0::2].count(0), sample[1::2].count(0)
        if max(even, odd) > 0.3 * len(sample) / 2 and min(even, odd) <= 0.05 * len(sample):
            return content.decode("utf-16-be" if even > odd else "utf-16-le", errors="replace")
    controls = sum(byte < 32 and byte not in b"\t\n\r\f\v\x1a\x1b" for byte in sample)
    if controls > max(2, len(sample) // 100):
        raise RetakeError(f"{name} is not a text file.", "Give a script as plain text or Markdown (.txt, .md).", code="script_binary")
    for encoding in ("utf-8", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def parse_text(text: str, name: str = "script") -> Script:
    """Script from text; `name` is what errors call it. Raises RetakeError (script_empty, script_too_large)."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n\n").replace("\x00", "")
    text = _FENCE.sub("\n", _COMMENT.sub("", _FRONT_MATTER.sub("", text.lstrip("\ufeff\n"))))
    title, blocks = _blocks(text)
    lines: list[Line] = []
    seen: Counter[str] = Counter()
    current: str | None = None
    for block in blocks:
        for speaker, words in _spoken(block):
            if speaker is not None and not words:
                current = speaker
                continue
            if not any(character.isalnum() for character in words):
                continue
            said_by = speaker if speaker is not None else current
            lines.append(Line(_identity(words, said_by, seen), words, said_by))
    if not lines:
        raise RetakeError(
            f"{name} holds no line to speak.", "Write one paragraph for each line; headings and comments are not spoken.", code="script_empty"
        )
    if len(lines) > MOST_LINES:
        raise RetakeError(
            f"{name} has {len(lines):,} lines; a script may have {MOST_LINES:,}.", "Split it into several files.", code="script_too_large"
        )
    return Script(title, tuple(lines))


def _blocks(text: str) -> tuple[str, list[str]]:
    """Title, and the paragraphs and list items in order, their line breaks turned into spaces."""
    title = ""
    blocks: list[str] = []
    paragraph: list[str] = []

    def close() -> None:
        if paragraph:
            blocks.append(" ".join(paragraph))
            paragraph.clear()

    for raw in text.split("\n"):
        line = _QUOTE.sub("", raw, count=1).rstrip()
        heading = _HEADING.fullmatch(line)
        if not line.strip():
            close()
        elif heading is not None:
            close()
            title = title or shown(_plain(heading[1]))
        elif paragraph and len(paragraph) == 1 and _UNDERLINE.fullmatch(line) and not _SPEAKER.match(paragraph[0]):
            title = title or shown(_plain(paragraph[0]))  # a heading underlined with === or ---
            paragraph.clear()
        elif _RULE.fullmatch(line) or _TABLE_RULE.fullmatch(line.strip()) or _DEFINITION.fullmatch(line):
            close()
        elif _ITEM.match(line):
            close()
            paragraph.append(_ITEM.sub("", line, count=1).strip())
        elif paragraph and _SPEAKER.match(line.strip()):
            close()  # dialogue written without empty lines
            paragraph.append(line.strip())
        else:
            paragraph.append(line.strip())
    close()
    return title, blocks


def _spoken(block: str) -> list[tuple[str | None, str]]:
    """Speaker (None: not named) and plain words of a block; no words where a name stands alone."""
    match = _SPEAKER.match(block)
    if match is None:
        return [(None, _plain(block))]
    return [(match[1].lower(), _plain(block[match.end() :]))]


def _hide(match: re.Match[str]) -> str:
    return chr(_HIDDEN + ord(match[1]))


def _plain(text: str) -> str:
    """Markdown's marks taken away, spaces single."""
    text = re.sub(r"^\[[ xX]\][ \t]+", "", text)  # a box to tick
    text = _ESCAPED.sub(_hide, text)
    for pattern, replacement in _MARKS:
        text = pattern.sub(replacement, text)
    text = text.replace(chr(_HIDDEN + ord("*")), "\\*")  # stays escaped, or it would stress words
    text = "".join(chr(ord(c) - _HIDDEN) if _HIDDEN <= ord(c) < _HIDDEN + 128 else c for c in text)
    if text.startswith("|") and text.endswith("|"):
        text = ", ".join(cell.strip() for cell in text.strip("|").split("|") if cell.strip())
    return " ".join(text.split())


def _identity(text: str, speaker: str | None, seen: Counter[str]) -> str:
    """Hash of who says what, however it is said; the second, third ... line that says the same gets its number added."""
    digest = hashlib.sha256(f"{speaker or ''}\n{shown(text)}".encode()).hexdigest()[:_ID_LENGTH]
    seen[digest] += 1
    return digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
