"""Written words -> phones, through hibari's pronouncing dictionary, keeping track of which phones belong to which written word."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from retake.domain.phones import FROM_MISAKI, VOWELS

from .text import Token, tokens_of

if TYPE_CHECKING:
    from hibari.g2p import G2P

_STRESS = {"ˈ": 1, "ˌ": 2}
_STAND_IN = "word"  # what a word whose sounds are given is called while its neighbours are looked up


@dataclass(frozen=True)
class Pronounced:
    """A written word and how it is said.

    written: as in the text, with punctuation.
    misaki: its part of the string that hibari speaks: phonemes, stress marks, punctuation and spaces between spoken words. May be empty.
    strong: the word is stressed. pause: this is no word but a silence of so many seconds, 0 for the speaker's own.
    """

    written: str
    misaki: str
    strong: bool = False
    pause: float | None = None

    @property
    def phones(self) -> tuple[tuple[str, int], ...]:
        """ARPAbet symbols with their stress (0 none, 1 primary, 2 secondary; vowels only)."""
        return to_arpabet(self.misaki)


@lru_cache(maxsize=1)
def dictionary() -> G2P:
    """hibari's grapheme-to-phoneme converter (half a second to load, kept)."""
    from hibari.g2p import G2P

    return G2P()


def to_arpabet(misaki: str) -> tuple[tuple[str, int], ...]:
    """Misaki phonemes -> ARPAbet symbols with stress; punctuation, spaces and symbols without a sound are left out."""
    out: list[tuple[str, int]] = []
    stress = 0
    for character in misaki:
        if character in _STRESS:
            stress = _STRESS[character]
            continue
        for symbol in FROM_MISAKI.get(character, ()):
            if symbol in VOWELS:
                out.append((symbol, stress))
                stress = 0
            else:
                out.append((symbol, 0))
    return tuple(out)


def pronounce(sentence: str) -> list[Pronounced]:
    """Written words of one sentence (of `text.sentences`) in order. Joining their `misaki` with spaces gives what hibari speaks for all of it.

    Words that are not spoken ("—") keep their place with the punctuation that they mean, or nothing; so do pauses.
    """
    written = tokens_of(sentence)
    if not written:
        return []
    g2p = dictionary()
    spoken = " ".join(_asked(token, plain=True) for token in written)
    asked = " ".join(_asked(token, plain=False) for token in written)
    owner: list[int] = []  # which written word every character of `spoken` belongs to; the space after a word is the word's
    for index, token in enumerate(written):
        owner += [index] * (len(_asked(token, plain=True)) + 1)
    said = [""] * len(written)
    place = 0
    for token in g2p.phonemize_tokens(g2p.tokenize(asked)):
        found = spoken.find(token.text, place)
        if found >= 0:
            place = found
        word = owner[min(place, len(owner) - 1)]
        said[word] += (token.phonemes or "") + (" " if token.whitespace else "")
        place += len(token.text) + len(token.whitespace)
    return [Pronounced(token.written, misaki.strip(), token.strong, token.pause) for token, misaki in zip(written, said, strict=True)]


def _asked(token: Token, *, plain: bool) -> str:
    """What hibari is asked to say for a word. Given sounds stand in its own notation, [word](/sounds/), `plain` without them."""
    if not token.sounds:
        return token.spoken
    return f"{token.opening}{_STAND_IN}{token.closing}" if plain else f"{token.opening}[{_STAND_IN}](/{token.sounds}/){token.closing}"
