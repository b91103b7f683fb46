"""What a file is, by its first bytes: only media, timelines and plain texts are taken in. What is refused is named, so that people understand."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from retake.domain.errors import RetakeError

HEAD = 4096  # bytes that are looked at; a text or timeline is read whole
LONGEST_TEXT = 16 * 1024**2
# Reading so much JSON takes half a second, in which nobody else is answered.
LONGEST_TIMELINE = 32 * 1024**2
DEEPEST_JSON = 200  # an editor's timeline nests about four levels for every compound clip


@dataclass(frozen=True)
class Kind:
    """`kind` is "media", "timeline" or "text"; `suffix` is what such a file is called."""

    kind: str
    suffix: str


_STRING = re.compile(rb'"[^"]*+"?')
# An opening bracket is a step down, a closing one a step up (-1 as a byte).
_STEPS = bytes(1 if byte in b"[{" else 255 for byte in range(256))
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_BOX_TYPES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*", b"8BPS")
_PICTURE_BRANDS = (b"heic", b"heix", b"mif1", b"avif", b"crx ")
# First bytes of everything that media.container.FORMATS can open, and what such a file is called.
_MEDIA: tuple[tuple[bytes, str], ...] = (
    (b"\x1aE\xdf\xa3", ".mkv"),
    (b"OggS", ".ogg"),
    (b"fLaC", ".flac"),
    (b"ID3", ".mp3"),
    (b"caff", ".caf"),
    (b".snd", ".au"),
    (b"riff.\x91\xcf\x11", ".w64"),
    (b"0&\xb2u\x8ef\xcf\x11", ".asf"),
    (b"FLV\x01", ".flv"),
    (b"\x06\x0e+4\x02\x05\x01\x01", ".mxf"),
    (b"nut/multimedia container\x00", ".nut"),
    (b"\x00\x00\x00\x00\x01\xbc", ".gxf"),
    (b"\x1f\x07\x00", ".dv"),
    (b"DKIF", ".ivf"),
    (b".RMF", ".rm"),
    (b"\x00\x00\x01\xba", ".mpg"),
    (b"\x00\x00\x01\xb3", ".mpg"),
    (b"\x00\x00\x01\xb0", ".m4v"),
    (b"\x00\x00\x01\x0f", ".vc1"),
    (b"\x00\x00\x00\x01", ".h264"),
    (b"\x00\x00\x01", ".h264"),
    (b"\x12\x00\x0a", ".obu"),
    (b"#!AMR", ".amr"),
    (b"MAC ", ".ape"),
    (b"wvpk", ".wv"),
    (b"TTA1", ".tta"),
    (b"TTA2", ".tta"),
    (b"\x0b\x77", ".ac3"),
    (b"\x77\x0b", ".ac3"),
)
_FRAME_HEADERS = {0xFB: ".mp3", 0xFA: ".mp3", 0xF3: ".mp3", 0xF2: ".mp3", 0xE3: ".mp3", 0xE2: ".mp3", 0xF1: ".aac", 0xF9: ".aac"}
_ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"Rar!", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"(\xb5/\xfd", b"MSCF", b'\x04"M\x18')
_PROGRAMS = (
    b"MZ",
    b"\x7fELF",
    b"\xca\xfe\xba\xbe",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\x00asm",
    b"dex\n",
    b"#!",
    b"!<arch>",
)
# Texts by which a player can be led to other files or machines.
_PLAYLISTS = re.compile(r"#EXT(M3U|INF|-X-)|ffconcat\s+version|\[playlist\]|v=0\r?\no=|\[Reference\]|#\s*EXTM3U|RTSPtext|file\s+'", re.IGNORECASE)
_MARKUP = re.compile(r"<\s*[!?/a-z]", re.IGNORECASE)


def sniff(path: Path) -> Kind:
    """What the file at `path` is.

    Raises RetakeError: unwanted_file (program, archive, playlist, web page, picture, or nothing that is known), bad_timeline, bad_text, empty_file.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    size = path.stat().st_size
    if not head:
        raise RetakeError("The file is empty (zero bytes).", "Copy or export the file again.", code="empty_file")
    media = media_suffix(head)
    if media:
        return Kind("media", media)
    _refuse_binaries(head)
    return _text(path, size)


def media_suffix(head: bytes) -> str | None:
    """The suffix of the kind of media that begins with these bytes; None if it is none."""
    if head[4:8] in _BOX_TYPES and not (head[4:8] == b"ftyp" and head[8:12] in _PICTURE_BRANDS):
        return ".mov" if head[8:12] == b"qt  " else ".mp4"
    if head[:4] in {b"RIFF", b"RF64", b"RIFX"}:
        return {b"AVI ": ".avi", b"WAVE": ".wav"}.get(head[8:12])
    if head[:4] == b"FORM":
        return ".aiff" if head[8:12] in {b"AIFF", b"AIFC"} else None
    for size, first in ((188, 0), (192, 4)):
        if len(head) > first + 2 * size and all(head[first + n * size] == 0x47 for n in range(3)):
            return ".ts"
    if len(head) > 2 and head[0] == 0xFF:
        return _FRAME_HEADERS.get(head[1])
    return next((suffix for magic, suffix in _MEDIA if head.startswith(magic)), None)


def check_timeline(data: bytes) -> None:
    """Raise RetakeError (bad_timeline, timeline_too_large) unless `data` is JSON that says of itself that it is an OpenTimelineIO object."""
    if len(data) > LONGEST_TIMELINE:
        raise RetakeError(f"The timeline has more than {LONGEST_TIMELINE // 1024**2} MB.", "Give a smaller one.", code="timeline_too_large")
    if deeper_than(data, DEEPEST_JSON):
        raise _bad_timeline(f"It is nested more than {DEEPEST_JSON} levels deep.")
    try:
        value = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _bad_timeline("It is not UTF-8.") from error
    except json.JSONDecodeError as error:
        raise _bad_timeline(f"It is not JSON (line {error.lineno}, column {error.colno}: {error.msg}).") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits
        raise _bad_timeline("It holds a number that cannot be read.") from error
    schema = value.get("OTIO_SCHEMA") if isinstance(value, dict) else None
    if not isinstance(schema, str) or not re.fullmatch(r"(Timeline|SerializableCollection|Stack|Track)\.\d{1,3}", schema):
        raise _bad_timeline("Its outermost object is no Timeline (OTIO_SCHEMA).")


def deeper_than(data: bytes, deepest: int) -> bool:
    """Whether JSON nests deeper than that, without parsing it: a parser may run out of stack first. 0.4 s for 32 MB."""
    # Escapes occur in strings only, and strings are left out, so that brackets in them do not count.
    plain = _STRING.sub(b"", data.replace(rb"\\", b"").replace(rb"\"", b""))
    steps = memoryview(plain.translate(_STEPS, _NO_BRACKETS)).cast("b")
    depth = 0
    for start in range(0, len(steps), HEAD):
        depths = list(accumulate(steps[start : start + HEAD], initial=depth))
        if max(depths) > deepest:
            return True
        depth = depths[-1]
    return False


def _bad_timeline(why: str) -> RetakeError:
    return RetakeError(f"The timeline cannot be read. {why}", "Export it as .otio (OpenTimelineIO JSON) again.", code="bad_timeline")


def _refuse_binaries(head: bytes) -> None:
    what = None
    if head.startswith(_PROGRAMS):
        what = "a program"
    elif head.startswith(_ARCHIVES) or head[257:262] == b"ustar":
        what = "an archive"
    elif head.startswith(_PICTURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP") or head[4:8] == b"ftyp":
        what = "a still picture"
    if what:
        raise _unwanted(what)


def _text(path: Path, size: int) -> Kind:
    if size > LONGEST_TIMELINE:
        raise _unwanted("no video or sound file that is known")
    data = path.read_bytes()
    begin = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    if begin.startswith(b"{") and b'"OTIO_SCHEMA"' in data:
        check_timeline(data)
        return Kind("timeline", ".otio")
    if size > LONGEST_TEXT:
        raise _unwanted(f"no media, and a text of more than {LONGEST_TEXT // 1024**2} MB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise RetakeError("The text is UTF-16.", "Save it as UTF-8.", code="bad_text") from error
        raise _unwanted("no media, timeline or text that is known") from error
    if re.search(r"[\x00-\x08\x0e-\x1f]", text):
        raise _unwanted("no media, timeline or text that is known")
    if _PLAYLISTS.match(text.lstrip()) or "#EXTM3U" in text[:HEAD]:
        raise _unwanted("a playlist, which may lead to other files")
    if _MARKUP.match(text.lstrip()):
        raise _unwanted("a web page or XML document")
    return Kind("text", ".txt")


def _unwanted(what: str) -> RetakeError:
    return RetakeError(
        f"The file is {what}.",
        "Upload a video or sound file (mp4, mov, mkv, webm, wav), an .otio timeline, or a plain text.",
        code="unwanted_file",
    )
