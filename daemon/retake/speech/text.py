"""Written text -> what is said: checks, sentences, and for every written word the words that are spoken.

The engine speaks English. Numbers, dates, money, units, abbreviations, addresses and symbols are read out here (`speech.reading`),
so that what comes out holds words and punctuation only, and every spoken word still belongs to a written one: captions show
"$5 million" at the time "five million dollars" is heard. Hints (`speech.hints`) say how words are said, where to pause and what to stress; they
are followed here and never shown.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from retake.domain.errors import RetakeError
from retake.domain.hints import shown

from . import hints
from .reading import Context, read, speakable

LONGEST = 10_000  # characters of one line
HINTED = 5  # times that, with its hints
LANGUAGES = ("English",)
_QUOTES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‚": "'", "′": "'", "″": '"'})
_DASHES = str.maketrans({"‐": "-", "‑": "-", "‒": "-", "−": "-", "―": "—"})
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff\u20e3]")
_EMOJI_RANGES = (
    (0x1F000, 0x1FAFF), (0x2600, 0x27BF), (0x2B00, 0x2BFF), (0x1F1E6, 0x1F1FF), (0x2300, 0x23FF), (0xE0000, 0xE007F), (0x2190, 0x2191), (0x25A0,
    0x25FF),
)  # fmt: skip
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"')\]”’]*\s+(?=\S)")
# A full stop after these does not end a sentence.
_TITLES = frozenset(
    [
        "mr", "mrs", "ms", "dr", "prof", "st", "gen", "gov", "sen", "rep", "capt", "lt", "col", "sgt", "rev", "hon", "mt", "ft", "no", "nos",
        "vs", "fig", "vol", "e.g", "i.e", "cf", "approx", "p", "pp", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov",
        "dec",
    ]
)  # fmt: skip
_LONG_SENTENCE = 300  # characters above which a sentence is cut at a comma, semicolon or dash


@dataclass(frozen=True)
class Token:
    """One written word with its punctuation, and what is said for it: words and punctuation, possibly none ("—") or several.

    sounds: misaki phonemes that a hint gives instead; `spoken` then serves who cannot say phonemes. opening, closing: punctuation around them.
    strong: stressed. pause: this is no word but a silence of so many seconds, 0 for the speaker's own; `written` and `spoken` are empty.
    """

    written: str
    spoken: str
    sounds: str = ""
    opening: str = ""
    closing: str = ""
    strong: bool = False
    pause: float | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """The spoken words without punctuation."""
        return tuple(re.findall(r"[^\W_]+(?:[.'-][^\W_]+)*", self.spoken))


def _is_emoji(character: str) -> bool:
    point = ord(character)
    return any(low <= point <= high for low, high in _EMOJI_RANGES) and character not in "→←"


def _is_latin(letter: str) -> bool:
    """Letters the engine can take: Latin ones, ordinal and micro signs, and pi, which is read as a symbol."""
    name = unicodedata.name(letter, "LATIN")
    return name.startswith(("LATIN", "FULLWIDTH LATIN", "MODIFIER", "FEMININE", "MASCULINE", "MICRO")) or letter in "πµμ"


def check(text: str, *, language: str = "en") -> tuple[str, ...]:
    """Raise RetakeError if `text` cannot be spoken; otherwise return notes for the user (dropped emoji and the like).

    language: of the text, a tag; of others than English any letters are taken.

    Codes: text_empty, text_too_long, text_language, bad_hint.
    """
    length = len(text) if len(text) > HINTED * LONGEST else len(shown(text))  # hints are not spoken
    if length > LONGEST:
        cause = f"The text has {length:,} characters; one line may have {LONGEST:,}."
        raise RetakeError(cause, "Split it into several lines, for example with a script file.", code="text_too_long")
    return _check_marked(hints.mark(text), any_letters=language.partition("-")[0] != "en")


def _check_marked(marked: str, *, any_letters: bool = False) -> tuple[str, ...]:
    text = hints.speakable(marked)
    letters = [c for c in text if c.isalpha()]
    foreign = [] if any_letters else [c for c in letters if not _is_latin(c)]
    if foreign and (len(foreign) >= max(2, len(letters) // 20) or len(foreign) == len(letters)):  # a single sign among words is left out
        script = unicodedata.name(foreign[0]).split()[0].capitalize()
        script = "Chinese or Japanese" if script in ("Cjk", "Hiragana", "Katakana") else script
        cause = f"The text holds {script} letters, which the embedded voice cannot speak."
        raise RetakeError(cause, f"It speaks {' and '.join(LANGUAGES)}; give the text in that language.", code="text_language")
    if not any(c.isalnum() for c in text) and not any(c in "&@%$€£#+=" for c in text):
        cause = "The text holds no words, only punctuation or symbols." if text.strip() else "The text is empty."
        raise RetakeError(cause, "Give the words that shall be said.", code="text_empty")
    notes: list[str] = []
    emoji = [c for c in text if _is_emoji(c)]
    if emoji:
        notes.append(f"{len(emoji)} emoji {'is' if len(emoji) == 1 else 'are'} not spoken and left out.")
    if foreign:
        notes.append(f"Letters of another script are left out: {''.join(dict.fromkeys(foreign))[:20]}")
    return tuple(notes)


def _keep(character: str) -> str:
    if _is_emoji(character) or (unicodedata.category(character) == "Cc" and character not in "\n\t"):
        return " "
    if character.isalpha() and not _is_latin(character):
        return " "
    if character.isdigit() and not character.isascii() and character not in "²³":
        return str(unicodedata.digit(character))
    return unicodedata.normalize("NFKC", character) if 0xFF00 <= ord(character) <= 0xFFEF else character


def clean(text: str) -> str:
    """What readers see: plain quotes, dashes and spaces; no hints, emoji, invisible or control characters; paragraphs separated by one empty line."""
    return "\n\n".join(" ".join(seen for word in paragraph.split() if (seen := hints.plain(word))) for paragraph in paragraphs(text))


def _clean_marked(text: str) -> str:
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = text.translate(_QUOTES).translate(_DASHES).replace("...", "…")
    text = _INVISIBLE.sub("", text)
    kept = "".join(_keep(character) for character in text)
    cleaned = [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", kept)]
    return "\n\n".join(paragraph for paragraph in cleaned if paragraph)


def tokens(text: str) -> list[Token]:
    """Written words in order, each with what is said for it. Joining the spoken parts with spaces gives `normalise(text)`."""
    return [token for paragraph in paragraphs(text) for token in tokens_of(paragraph)]


def tokens_of(marked: str) -> list[Token]:
    """`tokens` of a paragraph or a part of it that came from `paragraphs` or `sentences_of`, whose hints are marked already."""
    parts = [hints.parts_of(word) for word in marked.split()]
    words = [part.shown for part in parts if part.pause is None]
    out: list[Token] = []
    index = 0
    for part in parts:
        if part.pause is not None:
            out.append(Token("", "", pause=part.pause))
            continue
        out.append(_token(part, Context(words, index)))
        index += 1
    return out


def _token(part: hints.Parts, context: Context) -> Token:
    if not part.label:
        return Token(part.shown, read(context), strong=part.strong)
    before, after = _attached(part.before), _attached(part.after)
    if part.respelling:
        return Token(part.shown, speakable(f"{before}{part.respelling}{after}"), strong=part.strong)
    ending = re.match(r"['’]s\b", part.after)
    if ending:
        after = after.removeprefix(ending[0])
    sounds = part.sounds + (_genitive(part.sounds) if ending else "")
    opening = speakable(before) + (" " if before[-1:].isspace() else "")
    closing = (" " if after[:1].isspace() else "") + speakable(after)
    return Token(part.shown, read(context), sounds, opening, closing, part.strong)


def _attached(text: str) -> str:
    """What stands right beside a hinted part: punctuation, or "-based"."""
    spaced = re.sub(r"[-–/]+", " ", text)
    return re.sub(r"\w*\d\w*", lambda match: read(Context([match[0]], 0)), spaced)


def _genitive(sounds: str) -> str:
    """The sound of 's after misaki `sounds`."""
    if sounds[-1] in "szʃʒʧʤ":
        return "ᵻz"
    return "s" if sounds[-1] in "ptkfθ" else "z"


def normalise(text: str) -> str:
    """The spoken form: English words and punctuation only. Raises RetakeError for text that cannot be spoken (see `check`).

    >>> normalise("Dr. Smith paid $5.20 on 3/4/2025.")
    'doctor Smith paid five dollars and twenty cents on March fourth, twenty twenty-five.'
    """
    check(text)
    spoken = [" ".join(token.spoken for token in tokens_of(paragraph) if token.spoken) for paragraph in paragraphs(text)]
    return "\n\n".join(paragraph for paragraph in spoken if paragraph)


def paragraphs(text: str) -> list[str]:
    """Cleaned, still written text of each paragraph (separated by empty lines), its hints marked (`hints.mark`). Raises RetakeError (bad_hint)."""
    return [paragraph for paragraph in _clean_marked(hints.mark(text)).split("\n\n") if paragraph]


def sentences(text: str) -> list[str]:
    """Written sentences of a text in order, each short enough to be spoken in one go; paragraphs end sentences.

    Long sentences are cut at semicolons, colons, dashes and commas. Pieces without a word are joined to the one before. Hints stay marked.
    Raises RetakeError for text that cannot be spoken (see `check`).
    """
    check(text)
    return [sentence for paragraph in paragraphs(text) for sentence in sentences_of(paragraph)]


def sentences_of(paragraph: str) -> list[str]:
    """`sentences` of one of `paragraphs`."""
    out: list[str] = []
    for sentence in _split_sentences(paragraph):
        for piece in _shorten(sentence):
            if out and not any(c.isalnum() for c in hints.plain(piece)):
                out[-1] = f"{out[-1]} {piece}"
            else:
                out.append(piece)
    return out


def _split_sentences(paragraph: str) -> list[str]:
    pieces: list[str] = []
    start = 0
    for match in _SENTENCE_END.finditer(paragraph):
        before = paragraph[start : match.start()].split()
        last = before[-1] if before else ""
        following = hints.bare(paragraph[match.end() : match.end() + 8]).lstrip("\"'([")
        if following[:1].islower():
            continue
        if last.endswith(".") and not last.endswith(".."):
            word = hints.bare(last[:-1]).lstrip("\"'(")
            if word.lower() in _TITLES or (len(word) == 1 and word.isupper() and word != "I"):
                continue
        pieces.append(paragraph[start : match.end()].strip())
        start = match.end()
    pieces.append(paragraph[start:].strip())
    return [piece for piece in pieces if piece]


def _shorten(sentence: str) -> list[str]:
    if len(sentence) <= _LONG_SENTENCE:
        return [sentence]
    pieces: list[str] = []
    rest = sentence
    while len(rest) > _LONG_SENTENCE:
        window = rest[:_LONG_SENTENCE]
        cut = -1
        for marks in (r"[;:—]\s", r",\s", r"\s(?=and |or |but |which |that |because )", r"\s"):
            ends = [match.end() for match in re.finditer(marks, window) if match.end() > _LONG_SENTENCE // 4]
            if ends:
                cut = ends[-1]
                break
        if cut < 0:
            cut = _LONG_SENTENCE
        pieces.append(rest[:cut].strip())
        rest = rest[cut:].strip()
    return [*pieces, rest] if rest else pieces
