"""A text laid out for the synthesiser: utterances of one breath each, with the ids to speak and the written word behind each id."""

from __future__ import annotations

from dataclasses import dataclass

from retake.domain.errors import RetakeError

from .hibari_net import PAD, vocabulary
from .pronounce import Pronounced, pronounce
from .text import check, paragraphs, sentences

MAX_PHONEMES = 380  # the base voice was trained on sentences of up to about 400
BETWEEN_PIECES, BETWEEN_SENTENCES, BETWEEN_PARAGRAPHS = "piece", "sentence", "paragraph"
_NO_WORD = -1


@dataclass(frozen=True)
class Utterance:
    """What is spoken in one go.

    phonemes: misaki characters that the network knows. owner: for each of them the word it belongs to, -1 for none.
    words: as written. after: the kind of pause that follows.
    """

    phonemes: str
    owner: tuple[int, ...]
    words: tuple[str, ...]
    after: str

    @property
    def ids(self) -> list[int]:
        known = vocabulary()
        return [PAD, *[known[symbol] for symbol in self.phonemes], PAD]


def plan(text: str) -> list[Utterance]:
    """Utterances of a written text in order. Raises RetakeError for text that cannot be spoken."""
    check(text)
    out: list[Utterance] = []
    for paragraph in paragraphs(text):
        if not any(character.isalnum() for character in paragraph) and not any(word.misaki for word in pronounce(paragraph)):
            continue
        for sentence in sentences(paragraph):
            pieces = [piece for piece in _pieces(pronounce(sentence)) if piece.phonemes]
            out += pieces
            _end(out, BETWEEN_SENTENCES, bool(pieces))
        _end(out, BETWEEN_PARAGRAPHS, bool(out))
    if not any(word for utterance in out for word in utterance.owner if word != _NO_WORD) and not any(o.words for o in out):
        raise RetakeError("Nothing in the text can be spoken.", "Give the words that shall be said.", code="text_empty")
    return out


def _end(out: list[Utterance], pause: str, there: bool) -> None:
    if there and out:
        last = out[-1]
        out[-1] = Utterance(last.phonemes, last.owner, last.words, pause)


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
    waiting = ""
    for word in words:
        sound = "".join(symbol for symbol in word.misaki if symbol in known)
        if phonemes and sound:
            phonemes += " "
            owner.append(_NO_WORD)
        phonemes += sound
        if any(symbol.isalpha() for symbol in sound):
            captions.append(f"{waiting} {word.written}".strip())
            waiting = ""
        elif captions:
            captions[-1] = f"{captions[-1]} {word.written}"
        else:
            waiting = f"{waiting} {word.written}".strip()
        owner += [len(captions) - 1] * len(sound)
    return Utterance(phonemes, tuple(owner), tuple(captions), BETWEEN_PIECES)
