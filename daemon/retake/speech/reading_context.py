"""A written word among its neighbours, and the punctuation around it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_OPENING = "([{\"“‘«'¿¡"
_CLOSING = ")]}\"”’»',;:!?…."
_SPLIT = re.compile(rf"^(?P<open>[{re.escape(_OPENING)}]*)(?P<core>.*?)(?P<close>[{re.escape(_CLOSING)}]*)$", re.DOTALL)


@dataclass(frozen=True)
class Context:
    """The written words of a text and which of them is being read."""

    words: Sequence[str]
    index: int

    def core(self, offset: int) -> str:
        """The word `offset` places away without its punctuation, "" beyond the ends."""
        place = self.index + offset
        return split(self.words[place])[1] if 0 <= place < len(self.words) else ""

    def ends_clause(self, offset: int) -> bool:
        """True when the word `offset` places away closes with punctuation (or does not exist)."""
        place = self.index + offset
        return not 0 <= place < len(self.words) or bool(split(self.words[place])[2])


def split(word: str) -> tuple[str, str, str]:
    """Opening punctuation, core, closing punctuation. An apostrophe that belongs to the word ("dogs'") counts as closing."""
    match = _SPLIT.match(word)
    if match is None:
        return "", word, ""
    return match["open"], match["core"], match["close"]
