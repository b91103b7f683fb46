"""The text of script documents: blocks and their notes, marks taken away when read and escaped when written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from retake_client.convention import format_line, is_line_id

from .front_matter import CONFORMS
from .reading import TimelineError

_COMMENT = re.compile(r"<!--(.*?)(?:-->|\Z)", re.DOTALL)
_NOTE = re.compile(r"[ \t\n]*(?:line|slot|gap|conform|seed)[ \t]*:.*", re.DOTALL)
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*")
_ITEM = re.compile(r"^[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+(?=\S)")
_QUOTE = re.compile(r"^ {0,3}(?:>[ ]?)+")
_RULE = re.compile(r" {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,}|=+)")
_FENCE = re.compile(r" {0,3}(```|~~~)")
_NAMED = re.compile(r"@[A-Za-z0-9][A-Za-z0-9_-]{0,62}[ \t]*:")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_HIDDEN = 0xE000  # private code points that stand for escaped characters while marks are taken away
_MARKS = (
    (re.compile(r"!\[([^\]]*)\]\([^)]*\)"), ""),  # pictures
    (re.compile(r"\[([^\]]+)\]\([^)]*\)"), r"\1"),  # links
    (re.compile(r"</?[A-Za-z][^<>]*>"), " "),
    (re.compile(r"(`+)(.+?)\1"), r"\2"),
    (re.compile(r"(\*\*\*|\*\*|\*)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<!\w)(___|__|_)(?=\S)(.+?)(?<=\S)\1(?!\w)"), r"\2"),
    (re.compile(r"~~(?=\S)(.+?)(?<=\S)~~"), r"\1"),
)
_NAME_ESCAPED = re.compile(r"\\+@")  # how the convention tells a text that begins with @ from a speaker; `parse_line` reads it
_LONGEST_SLOT = 3600 * 240


@dataclass(frozen=True)
class Block:
    """A heading (level 1 to 6), a line (level 0), or a note alone (no text). line: of the file, where it begins."""

    level: int
    text: str
    line: int
    note: dict[str, Any] | None = None


def blocks_of(text: str, skipped: int = 0) -> Iterator[Block]:
    """The blocks of a document; `skipped`: lines of the file before `text`. Raises TimelineError (bad_script) naming the line."""
    notes: list[dict[str, Any]] = []

    def keep(match: re.Match[str]) -> str:
        """A note stays as a token; other comments go. Line ends stay, so that numbers of lines are right."""
        ends = "\n" * match[0].count("\n")
        if not _NOTE.fullmatch(match[1]):
            return ends
        notes.append(parse_note(match[1], skipped + text.count("\n", 0, match.start()) + 1))
        return f"\x00{len(notes) - 1}\x00{ends}"

    plain = _COMMENT.sub(keep, text.replace("\x00", ""))
    paragraph: list[str] = []
    began = 0
    fence = ""
    for number, raw in enumerate([*plain.split("\n"), ""], skipped + 1):
        line = _QUOTE.sub("", raw, count=1).rstrip()
        opened = _FENCE.match(line)
        heading = _HEADING.fullmatch(line)
        if fence or opened:
            fence = "" if fence and opened and opened[1] == fence else fence or (opened[1] if opened else "")
            line, heading = "", None
        starts = bool(_ITEM.match(line) or _NAMED.match(line.lstrip()))
        if paragraph and (not line.strip() or heading is not None or starts or _RULE.fullmatch(line)):
            yield _block(paragraph, began, notes)
            paragraph = []
        if heading is not None:
            yield Block(len(heading[1]), _plain(re.sub("\x00.*?\x00", "", heading[2])), number)
        elif line.strip() and not _RULE.fullmatch(line):
            began = began if paragraph else number
            paragraph.append(_ITEM.sub("", line, count=1).strip())


def parse_note(text: str, line: int) -> dict[str, Any]:
    """What a comment "line: ID; slot: FRAMES; gap: FRAMES; conform: WORD; seed: NUMBER" says. Raises TimelineError (bad_script)."""
    out: dict[str, Any] = {}
    for part in text.split(";"):
        name, _, value = (piece.strip() for piece in part.partition(":"))
        if not name and not value:
            continue
        whole = int(value) if re.fullmatch(r"[0-9]{1,10}", value) else None
        good = {
            "line": is_line_id(value),
            "slot": whole is not None and 0 < whole <= _LONGEST_SLOT,
            "gap": whole is not None and whole <= _LONGEST_SLOT,
            "seed": whole is not None and whole < 2**31,
            "conform": value in CONFORMS,
        }
        if name not in good or not good[name] or name in out:
            raise TimelineError(
                f"Line {line}: the note '{part.strip()[:60]}' cannot be read.",
                "Write it as <!-- line: 3f2a; slot: 75 -->; slot and gap are frames, conform is fit, keep or ripple.",
                "bad_script",
            )
        out[name] = whole if whole is not None and name not in {"line", "conform"} else value
    return out


def note_of(values: Mapping[str, Any]) -> str:
    """A comment that says `values`; what is None is left out."""
    said = "; ".join(f"{name}: {value}" for name, value in values.items() if value is not None)
    return f"<!-- {said} -->" if said else ""


def written_line(speaker: str | None, text: str) -> str:
    """A paragraph that is read as this line again; `speaker` None: whoever speaks already."""
    if speaker:
        return f"@{speaker}: {escaped(text)}"
    said = format_line(None, text)
    start = _NAME_ESCAPED.match(said)
    return start[0] + escaped(said[start.end() :]) if start is not None else escaped(said)


def escaped(text: str) -> str:
    """A line of text that is read as it is."""
    out = re.sub(r"[\\`*_\[\]<~]", _backslash, text)
    if _RULE.fullmatch(out) or re.match(r"[#>+=|-]", out):
        return f"\\{out}"
    numbered = re.match(r"(\d{1,3})([.)])(?=\s|$)", out)
    if numbered is not None:
        return f"{numbered[1]}\\{out[numbered.end(1) :]}"
    return out


def _backslash(match: re.Match[str]) -> str:
    return f"\\{match[0]}"


def _block(paragraph: list[str], began: int, notes: list[dict[str, Any]]) -> Block:
    whole = " ".join(paragraph)
    said: dict[str, Any] = {}
    for index in re.findall("\x00(\\d+)\x00", whole):
        said |= notes[int(index)]
    return Block(0, _plain(re.sub("\x00\\d+\x00", " ", whole)), began, said if "\x00" in whole else None)


def _hide(match: re.Match[str]) -> str:
    return chr(_HIDDEN + ord(match[1]))


def _plain(text: str) -> str:
    """Markdown's marks taken away, spaces single."""
    start = _NAME_ESCAPED.match(text.strip())
    kept, text = (start[0], text.strip()[start.end() :]) if start is not None else ("", text)
    text = _ESCAPED.sub(_hide, text)
    for pattern, replacement in _MARKS:
        text = pattern.sub(replacement, text)
    text = "".join(chr(ord(c) - _HIDDEN) if _HIDDEN <= ord(c) < _HIDDEN + 128 else c for c in text)
    return " ".join((kept + text).split())
