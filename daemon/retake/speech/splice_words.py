"""Which words of a recording a new text changes, and which it keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from retake.domain.errors import RetakeError
from retake.domain.speech import Speech
from retake.domain.timing import Word

from .align import MISMATCH
from .word_diff import Change, WrittenWord, words_of

SHORTEST_KEPT = 0.2  # s of kept words between two changes; shorter ones are said anew with them


def old_words(original: Speech, old_text: str | None) -> list[WrittenWord]:
    """The recording's words in the form that is compared. Raises RetakeError where they are not known well enough."""
    timing = original.timing
    if not timing.words:
        raise RetakeError("The words of the recording are not known.", "Give its transcript.", code="splice_no_words")
    if not timing.exact and timing.confidence < MISMATCH:
        raise RetakeError(
            "The words of the recording are not where its transcript says.", "Correct the transcript of the recording.", code="transcript_mismatch"
        )
    heard = [(words_of(word.text) or [WrittenWord(word.text, word.text, word.text)])[0] for word in timing.words]
    heard = [replace(word, written=whole.text) for word, whole in zip(heard, timing.words, strict=True)]
    if old_text is None:
        return heard
    asked = words_of(old_text)
    plain = [word.key.partition("\0")[0] for word in asked]
    for place in range(max(len(plain), len(heard))):
        if place >= len(plain) or place >= len(heard) or plain[place] != heard[place].key:
            name = asked[place].written if place < len(asked) else heard[place].written
            raise RetakeError(
                f"'{name}' (word {place + 1}) is not where the old text and the recording's times have the same word.",
                "Give the text that the recording says, or leave it out.",
                code="splice_words_differ",
            )
    return asked


def merged(found: Sequence[Change], words: Sequence[Word]) -> tuple[list[Change], list[tuple[str, ...]]]:
    """Changes with hardly anything between them as one, and for each why it is larger than what changed."""
    out: list[Change] = []
    reasons: list[tuple[str, ...]] = []
    for change in found:
        if out:
            last = out[-1]
            between = words[last.old_end : change.old_start]
            seconds = between[-1].end - between[0].start
            if seconds < SHORTEST_KEPT:
                out[-1] = Change(last.old_start, change.old_end, last.new_start, change.new_end)
                kept = " ".join(word.text for word in between)
                reasons[-1] = (*reasons[-1], f"'{kept}' between two changes lasts {seconds:.2f} s only and is said anew with them.")
                continue
        out.append(change)
        reasons.append(())
    return out, reasons


def kept_words(found: Sequence[Change], count: int) -> dict[int, int]:
    """Number of every kept old word -> its number in the new text."""
    out: dict[int, int] = {}
    place, shift = 0, 0
    for change in [*found, Change(count, count, 0, 0)]:
        out |= {old: old + shift for old in range(place, change.old_start)}
        place, shift = change.old_end, change.new_end - change.old_end
    return out
