"""A text laid out for the synthesiser: utterances of one breath each, with the ids to speak and the written word behind each id."""

from __future__ import annotations

from dataclasses import dataclass, replace

from retake.domain.errors import RetakeError

from .hibari_net import PAD, vocabulary
from .pronounce import Pronounced, pronounce
from .text import check, paragraphs, sentences_of

MAX_PHONEMES = 380  # the base voice was trained on sentences of up to about 400
BETWEEN_PIECES, BETWEEN_SENTENCES, BETWEEN_PARAGRAPHS = "piece", "sentence", "paragraph"
OWN_PAUSE = 0.0  # seconds of a pause that is as long as the speaker's own between sentences
_NO_WORD = -1
_ENDS_PHRASE = frozenset(",.;:!?—…")


@dataclass(frozen=True)
class Utterance:
    """What is spoken in one go.

    phonemes: misaki characters that the network knows. owner: for each of them the word it belongs to, -1 for none.
    words: as written. after: the kind of pause that follows.
    strong: numbers of the words that are stressed.
    breaks: pauses that were asked for, (place in `phonemes` before which it lies, seconds or OWN_PAUSE), in order; one at the very end
    takes the place of the pause that follows, one at the start that of the pause before.
    """

    phonemes: str
    owner: tuple[int, ...]
    words: tuple[str, ...]
    after: str
    strong: frozenset[int] = frozenset()
    breaks: tuple[tuple[int, float], ...] = ()

    @property
    def ids(self) -> list[int]:
        known = vocabulary()
        return [PAD, *[known[symbol] for symbol in self.phonemes], PAD]


def plan(text: str) -> list[Utterance]:
    """Utterances of a written text in order. Raises RetakeError for text that cannot be spoken."""
    check(text)
    out: list[Utterance] = []
    waiting: list[tuple[int, float]] = []  # pauses before the first word
    for paragraph in paragraphs(text):
        for sentence in sentences_of(paragraph):
            before = len(out)
            for piece in _pieces(pronounce(sentence)):
                if piece.phonemes:
                    out.append(piece)
                else:
                    waiting += _rest(out, piece)
                if waiting and piece.phonemes:
                    out[-1] = replace(piece, breaks=(*waiting, *piece.breaks))
                    waiting = []
            _end(out, BETWEEN_SENTENCES, len(out) > before)
        _end(out, BETWEEN_PARAGRAPHS, bool(out))
    if not any(word for utterance in out for word in utterance.owner if word != _NO_WORD) and not any(o.words for o in out):
        raise RetakeError("Nothing in the text can be spoken.", "Give the words that shall be said.", code="text_empty")
    return out


def _rest(out: list[Utterance], piece: Utterance) -> list[tuple[int, float]]:
    """Give the pauses of a piece without words to the utterance before it; those that have none before them are returned."""
    if not out:
        return [(0, seconds) for _, seconds in piece.breaks]
    last = out[-1]
    out[-1] = replace(last, breaks=(*last.breaks, *((len(last.phonemes), seconds) for _, seconds in piece.breaks)))
    return []


def _end(out: list[Utterance], pause: str, there: bool) -> None:
    if there and out:
        last = out[-1]
        out[-1] = replace(last, after=pause)


def _pieces(words: list[Pronounced]) -> list[Utterance]:
    """Cut a sentence that is too long for the network, after punctuation where there is some, else between words."""
    out: list[Utterance] = []
    rest = words
    while rest:
        total, cut, best = 0, len(rest), 0
        for place, word in enumerate(rest):
            total += len(word.misaki) + 1
            if total > MAX_PHONEMES and place > 0:
                cut = best if best > 0 else place
                break
            if word.misaki and word.misaki[-1] in ",;:—…" and total > MAX_PHONEMES // 4:
                best = place + 1
        out.append(_utterance(rest[:cut]))
        rest = rest[cut:]
    return out


def _utterance(words: list[Pronounced]) -> Utterance:
    """Join words; those without a sound are written with the word before them (or after, at the start)."""
    known = vocabulary()
    phonemes, owner, captions = "", [], []
    strong: set[int] = set()
    breaks: list[tuple[int, float]] = []
    waiting = ""
    for word in words:
        if word.pause is not None:
            if captions and phonemes[-1] not in _ENDS_PHRASE:
                phonemes += ","  # the melody comes to rest before a silence
                owner.append(_NO_WORD)
            breaks.append((_break_at(phonemes, breaks), word.pause))
            continue
        sound = "".join(symbol for symbol in word.misaki if symbol in known)
        if phonemes and sound:
            phonemes += " "
            owner.append(_NO_WORD)
        phonemes += sound
        if any(symbol.isalpha() for symbol in sound):
            captions.append(f"{waiting} {word.written}".strip())
            waiting = ""
            if word.strong:
                strong.add(len(captions) - 1)
        elif captions:
            captions[-1] = f"{captions[-1]} {word.written}".strip()
        else:
            waiting = f"{waiting} {word.written}".strip()
        owner += [len(captions) - 1] * len(sound)
    at_end = [len(phonemes) if not _has_sound(phonemes[place:]) and place else place for place, _ in breaks]
    placed = tuple((place, seconds) for place, (_, seconds) in zip(at_end, breaks, strict=True))
    return Utterance(phonemes, tuple(owner), tuple(captions), BETWEEN_PIECES, frozenset(strong), placed)


def _has_sound(phonemes: str) -> bool:
    return any(symbol.isalpha() and symbol not in "ˈˌ" for symbol in phonemes)


def _break_at(phonemes: str, breaks: list[tuple[int, float]]) -> int:
    """Where a pause goes: punctuation alone parts no two pauses, and nothing that is heard comes before it."""
    if not _has_sound(phonemes):
        return 0
    return breaks[-1][0] if breaks and not _has_sound(phonemes[breaks[-1][0] :]) else len(phonemes)
