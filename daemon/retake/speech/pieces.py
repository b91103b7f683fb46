"""Text of any language -> sentences, for engines that have a limit for what they say in one go. English has its own way (`text.sentences`)."""

from __future__ import annotations

import re

from retake.engines.host.retake_host.cutting import cut

LONGEST = 300  # characters; an adapter cuts further where its engine can take less
# Full stops that need a space behind them, and those of scripts without spaces (and the Devanagari danda), which do not.
_END = re.compile(r"(?<=[.!?…؟])[\"'»”’)\]]*\s+(?=\S)|(?<=[。！？｡।])[」』”）]*\s*(?=\S)")
_NO_END = re.compile(r"(?:^|\s)(?:\w|\d{1,3}|Dr|Mr|Hr|Fr|St|Sr|Sra|Dra|Mme|Prof|bzw|usw|z\.\s?B|d\.\s?h|p\.\s?ex|etc)\.$", re.IGNORECASE)


def pieces_of(text: str, longest: int = LONGEST) -> list[str]:
    """Sentences in order, none longer than `longest` characters, each with a letter or digit; spaces single, line breaks end sentences.

    >>> pieces_of("Guten Tag. Dr. Weber ist am 3. Mai da!  Und Sie?")
    ['Guten Tag.', 'Dr. Weber ist am 3. Mai da!', 'Und Sie?']
    """
    out: list[str] = []
    for paragraph in text.splitlines():
        for sentence in _sentences(" ".join(paragraph.split())):
            out += cut(sentence, longest)
    return [piece for piece in out if any(character.isalnum() for character in piece)]


def _sentences(paragraph: str) -> list[str]:
    out: list[str] = []
    start = 0
    for match in _END.finditer(paragraph):
        if _NO_END.search(paragraph[start : match.start()]):
            continue
        out.append(paragraph[start : match.end()].strip())
        start = match.end()
    return [sentence for sentence in (*out, paragraph[start:].strip()) if sentence]
