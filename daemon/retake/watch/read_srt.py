"""Subtitles: one line a cue, fitted to the cue."""

from __future__ import annotations

from retake.domain.errors import RetakeError
from retake.watch.wish import MOST_CLIPS, Cue, Drop, Options, Wish, nothing_to_say, too_many

_SHORTEST = 0.2  # seconds; nothing can be said in less


def read_srt(text: str, name: str) -> Drop:
    """Cues in the order of their times. Cues without a word ("♪", "...") are left out.

    One person cannot say two lines at once: a cue that begins before the one before has ended cuts that one short.

    Raises RetakeError (bad_srt) naming the line of the file, and the cue where its times cannot be.
    """
    from retake_otio import TimelineError
    from retake_otio.cues import parse_cues

    try:
        cues = parse_cues(text)
    except TimelineError as error:
        raise RetakeError(error.cause, error.remedy, code="bad_srt") from error
    wishes: list[Wish] = []
    for position, cue in enumerate(cues):
        start = cue.start / 1000
        end = (min(cue.end, cues[position + 1].start) if position + 1 < len(cues) else cue.end) / 1000
        if end - start < _SHORTEST:
            raise RetakeError(
                f"{cue.label} lasts {max(0.0, end - start):.2f} s until its end or the next cue.",
                "Give it more time, or put both texts into one cue.",
                code="bad_srt",
            )
        label = cue.label[0].lower() + cue.label[1:]
        wishes.append(Wish(len(wishes) + 1, label, cue.text, Options(), Cue(start, end)))
    if not wishes:
        raise nothing_to_say(name, "Write a number, the times and the text of each cue.")
    if len(wishes) > MOST_CLIPS:
        raise too_many(name, len(wishes))
    return Drop(tuple(wishes), "", together=True)
