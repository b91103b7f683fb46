"""Hints in a text: how a word is said, which one is stressed, where to pause.

    [SQL](say: sequel)           said as if it were written so
    [SQL](say: /ˈsiːkwəl/)       said with these sounds
    *never*                      stressed
    [pause 0.4]                  silence of so many seconds; [pause] alone is the speaker's usual one

A Markdown preview shows the first as a link with the plain word and the second in italics, and braces stay free for the columns of
watch folders. Hints are not shown: captions, titles and names have the text without them (`domain.hints.shown`).

`mark` turns hints into single characters of Unicode's private use areas, so that they pass unharmed through cleaning and through the
splitting into sentences and words; `parts_of` reads them back from a word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from retake.domain.errors import RetakeError
from retake.domain.hints import LINK, PAUSE, SAY, SAY_KIND, STRESSED

from .phonetic import to_misaki

SHORTEST_PAUSE, LONGEST_PAUSE = 0.2, 10.0  # s
LONGEST_SAYING = 200  # characters
_OPEN, _MIDDLE, _CLOSE, _STRONG, _PAUSE = "\ue000", "\ue001", "\ue002", "\ue004", "\ue005"
_LENGTHS = 0xE100  # + hundredths of a second
_VERBATIM = 0xF0000  # + code point: characters of a saying, which are not read by any rule
_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010ffff]")

_SECONDS = re.compile(r"(\d{1,3}(?:[.,]\d{1,3})?|[.,]\d{1,3})\s*(s|sec|seconds?)?", re.IGNORECASE)
_MILLISECONDS = re.compile(r"(\d{1,5})\s*ms", re.IGNORECASE)
_RESPELLING = re.compile(r"[^\W\d_]+(?:[ .'’-]+[^\W\d_]+)*")
_ADDRESS_KINDS = frozenset({"mailto", "tel", "sms"})
_PUNCTUATION_AFTER_PAUSE = re.compile(rf"\s*({_PAUSE}.)\s*([.,;:!?…]+)(?=\s|$)")  # belongs to the word before
_WRITTEN_PART = re.compile(f"^(.*?){_OPEN}(.*?){_MIDDLE}(.*?){_CLOSE}(.*)$", re.DOTALL)


@dataclass(frozen=True)
class Parts:
    """A marked word taken apart.

    shown: what stands there for readers. before, after: what is attached to the hinted part. label: the hinted part as written.
    respelling: how the hinted part is said, in letters; sounds: or in misaki phonemes. pause: seconds of silence instead of a word, 0 the
    speaker's own, None: it is a word.
    """

    shown: str
    strong: bool = False
    before: str = ""
    label: str = ""
    after: str = ""
    respelling: str = ""
    sounds: str = ""
    pause: float | None = None


def mark(text: str) -> str:
    """`text` with its hints as private characters; links of Markdown become their words. Raises RetakeError (bad_hint)."""
    text = _PRIVATE.sub("", text)
    text = SAY.sub(_say, text)
    text = LINK.sub(r"\1", text)
    text = PAUSE.sub(_pause, text)
    text = _PUNCTUATION_AFTER_PAUSE.sub(r"\2 \1 ", text)
    return STRESSED.sub(_stress, text).replace("\\*", "*")


def said_instead(written: str, saying: str) -> str:
    """The hint that has `written` said as `saying`."""
    return f"[{written}](say: {saying})"


def outside(text: str) -> list[tuple[str, bool]]:
    """`text` cut into pieces, each with whether it is free of hints about pronunciation, links and pauses."""
    taken = re.compile(f"{SAY.pattern}|{LINK.pattern}|{PAUSE.pattern}", re.IGNORECASE)
    out: list[tuple[str, bool]] = []
    at = 0
    for match in taken.finditer(text):
        out += [(text[at : match.start()], True), (match[0], False)]
        at = match.end()
    return [*out, (text[at:], True)]


def pause_sign(seconds: float) -> str:
    return f" {_PAUSE}{chr(_LENGTHS + round(seconds * 100))} "


def is_pause(word: str) -> bool:
    return word.startswith(_PAUSE)


def bare(word: str) -> str:
    """A marked word without the sign of stress, for those who look at its first or last letter."""
    return word.replace(_STRONG, "")


def speakable(marked: str) -> str:
    """A marked text with every hinted part replaced by what is said for it in letters, for looking at its letters alone."""
    marked = re.sub(f"{_PAUSE}.", " ", bare(marked))

    def letters(match: re.Match[str]) -> str:
        saying = _decode(match[2])
        return "a" if saying.startswith("/") else saying

    return re.sub(f"{_OPEN}(.*?){_MIDDLE}(.*?){_CLOSE}", letters, marked)


def parts_of(word: str) -> Parts:
    """Take a marked word apart; one without hints is all `shown`."""
    if is_pause(word):
        length = word[1:2]
        return Parts("", pause=(ord(length) - _LENGTHS) / 100 if length else 0.0)
    strong = _STRONG in word
    word = bare(word)
    match = _WRITTEN_PART.match(word)
    if match is None:
        return Parts(word, strong)
    before, label, saying, after = match[1], _decode(match[2]), _decode(match[3]), plain(match[4])
    sounds = saying[1:] if saying.startswith("/") else ""
    return Parts(f"{before}{label}{after}", strong, before, label, after, "" if sounds else saying, sounds)


def plain(marked: str) -> str:
    """A marked text as its readers see it."""
    text = re.sub(f"[ ]?{_PAUSE}.", "", bare(marked))
    return re.sub(f"{_OPEN}(.*?){_MIDDLE}.*?{_CLOSE}", lambda match: _decode(match[1]), text).strip(" ")


def check_saying(saying: str) -> str:
    """`saying` (letters, or sounds between slashes) in the form that is spoken; raises RetakeError (bad_hint) saying what is wrong with it.

    Letters come back with single spaces, sounds as "/" and misaki phonemes.
    """
    saying = " ".join(saying.split())
    if len(saying) > LONGEST_SAYING:
        raise RetakeError(f"'{saying[:30]}…' is too long for a word.", f"Write {LONGEST_SAYING} characters at most.", code="bad_hint")
    if saying.startswith("/"):
        if len(saying) < 3 or not saying.endswith("/"):
            raise RetakeError(f"'{saying}' does not end with a slash.", "Write sounds between slashes: /ˈsiːkwəl/.", code="bad_hint")
        return f"/{to_misaki(saying[1:-1])}"
    if not _RESPELLING.fullmatch(saying) or not all(_is_plain(c) for c in saying):
        raise RetakeError(
            f"'{saying}' cannot be said: only words and spaces can." if saying else "It does not say how.",
            "Write it as an English reader would sound it out (sequel), or its sounds between slashes (/ˈsiːkwəl/).",
            code="bad_hint",
        )
    return saying.replace("’", "'")


def _is_plain(character: str) -> bool:
    return not character.isalpha() or character < "\u0250"  # Latin letters


def _say(match: re.Match[str]) -> str:
    written, kind, saying = " ".join(match[1].split()), match[2].lower(), match[3]
    if kind != SAY_KIND:
        if kind in _ADDRESS_KINDS or not saying[:1].isspace():
            return match[0]  # an address; links are taken away later
        cause = f"'{_short(match[0])}' is no hint."
        raise RetakeError(cause, "How a word is said is written [SQL](say: sequel).", code="bad_hint")
    written = written.strip("*") if written.strip("*") else written
    if not any(c.isalnum() for c in written):
        raise RetakeError(f"'{_short(match[0])}' names no word.", "How a word is said is written [SQL](say: sequel).", code="bad_hint")
    try:
        said = check_saying(saying)
    except RetakeError as error:
        raise RetakeError(f"'{_short(match[0])}': {error.cause}", error.remedy, code="bad_hint") from None
    return f"{_OPEN}{_encode(written)}{_MIDDLE}{_encode(said)}{_CLOSE}"


def _pause(match: re.Match[str]) -> str:
    inside, closed = match[1].strip(" \t:="), match[2]
    if closed and not inside:
        return pause_sign(0.0)
    seconds: float | None = None
    if number := _SECONDS.fullmatch(inside):
        seconds = float(number[1].replace(",", "."))
    elif number := _MILLISECONDS.fullmatch(inside):
        seconds = int(number[1]) / 1000
    if not closed or seconds is None or not SHORTEST_PAUSE <= seconds <= LONGEST_PAUSE:
        raise RetakeError(
            f"'{_short(match[0])}' is no pause.",
            f"Write [pause 0.4] for a silence of 0.4 seconds; {SHORTEST_PAUSE:g} to {LONGEST_PAUSE:g} are possible.",
            code="bad_hint",
        )
    return pause_sign(seconds)


def _stress(match: re.Match[str]) -> str:
    return " ".join(word if is_pause(word) else f"{_STRONG}{word}" for word in match[2].split())


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"


def _encode(text: str) -> str:
    return "".join(chr(_VERBATIM + ord(c)) if ord(c) < 0xFFFE else "" for c in text)


def _decode(text: str) -> str:
    return "".join(chr(ord(c) - _VERBATIM) if ord(c) >= _VERBATIM else c for c in text)
