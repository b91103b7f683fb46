"""The International Phonetic Alphabet -> misaki, the alphabet that the embedded voice speaks (American English)."""

from __future__ import annotations

import unicodedata

from retake.domain.errors import RetakeError
from retake.domain.phones import FROM_MISAKI

# Longest first. British and narrow signs go to the nearest American sound.
_SOUNDS = {
    "tʃ": "ʧ", "dʒ": "ʤ", "t͡ʃ": "ʧ", "d͡ʒ": "ʤ", "ts": "ts",
    "eɪ": "A", "aɪ": "I", "aʊ": "W", "oʊ": "O", "əʊ": "O", "ɔɪ": "Y", "ej": "A", "aj": "I", "aw": "W", "ow": "O", "ɔj": "Y",
    "ɪə": "ɪɹ", "eə": "ɛɹ", "ʊə": "ʊɹ", "ɜːr": "ɜɹ", "ɜr": "ɜɹ", "ɜɹ": "ɜɹ", "ɜː": "ɜɹ", "ɜ": "ɜɹ", "ɝ": "ɜɹ", "ɚ": "əɹ", "ɛː": "ɛɹ",
    "i": "i", "ɪ": "ɪ", "e": "ɛ", "ɛ": "ɛ", "æ": "æ", "a": "æ", "ɑ": "ɑ", "ɒ": "ɑ", "ɔ": "ɔ", "o": "O", "ʊ": "ʊ", "u": "u", "ʌ": "ʌ",
    "ə": "ə", "ɐ": "ə", "ɨ": "ɪ", "ʉ": "u", "y": "u", "ø": "ɜɹ", "œ": "ɜɹ", "ᵻ": "ᵻ",
    "p": "p", "b": "b", "t": "t", "d": "d", "k": "k", "g": "ɡ", "ɡ": "ɡ", "f": "f", "v": "v", "θ": "θ", "ð": "ð", "s": "s", "z": "z",
    "ʃ": "ʃ", "ʒ": "ʒ", "h": "h", "x": "k", "ç": "h", "m": "m", "n": "n", "ŋ": "ŋ", "ɲ": "nj", "l": "l", "ɫ": "l", "r": "ɹ", "ɹ": "ɹ",
    "ɾ": "T", "ʁ": "ɹ", "ʔ": "t", "j": "j", "w": "w", "ʍ": "w", "ʧ": "ʧ", "ʤ": "ʤ",
}  # fmt: skip
_LONGEST = max(len(sound) for sound in _SOUNDS)
_STRESS = {"ˈ": "ˈ", "'": "ˈ", "’": "ˈ", "ˌ": "ˌ", ",": "ˌ"}
_SILENT = frozenset("ːˑ:.-‿\u0361\u035c\u032f\u0329\u0303ʰʲʷ ̩")
VOWELS = frozenset("AIOWYiɪɛæɑɔʊuʌəɜᵻ")


def to_misaki(ipa: str) -> str:
    """As in "ˈsiːkwəl" -> "sˈikwəl". Stress goes before its vowel; a word without any gets it on the first full vowel.

    Raises RetakeError (bad_hint) naming a sign that is no sound of English, or when there is no vowel.
    """
    words = [_word(word) for word in ipa.split()]
    if not words:
        raise RetakeError("There is no sound between the slashes.", "Write sounds between slashes: /ˈsiːkwəl/.", code="bad_hint")
    return " ".join(words)


def _word(ipa: str) -> str:
    text = unicodedata.normalize("NFC", ipa)
    out: list[str] = []
    pending = ""
    place = 0
    while place < len(text):
        sign = text[place]
        found = next((text[place : place + size] for size in range(_LONGEST, 0, -1) if text[place : place + size] in _SOUNDS), None)
        if found is not None:
            sounds = _SOUNDS[found]
            for sound in sounds:
                if pending and sound in VOWELS:
                    out.append(pending)
                    pending = ""
                out.append(sound)
            place += len(found)
        elif sign in _STRESS:
            pending = _STRESS[sign]
            place += 1
        elif sign in _SILENT:
            place += 1
        else:
            name = unicodedata.name(sign, "a sign without a name").lower()
            raise RetakeError(
                f"'{sign}' in /{ipa}/ ({name}) is no sound that the voice knows.",
                f"Sounds: {' '.join(sorted({s for s in _SOUNDS if len(s) == 1}))}.",
                code="bad_hint",
            )
    return _stressed(out, ipa)


def _stressed(sounds: list[str], ipa: str) -> str:
    vowels = [place for place, sound in enumerate(sounds) if sound in VOWELS]
    if not vowels or not any(sound in FROM_MISAKI for sound in sounds):
        raise RetakeError(f"/{ipa}/ has no vowel.", "Write all of its sounds: /ˈsiːkwəl/.", code="bad_hint")
    if "ˈ" not in sounds:
        first = next((place for place in vowels if sounds[place] not in "əᵻ"), vowels[0])
        if first and sounds[first - 1] == "ˌ":
            sounds[first - 1] = "ˈ"
        else:
            sounds.insert(first, "ˈ")
    return "".join(sounds)
