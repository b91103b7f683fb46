"""What a user should know of a spliced recording: a transcript that is wrong here, sounds without words, music, somebody else's voice."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np
from scipy.ndimage import median_filter

from retake.domain.errors import RetakeError
from retake.domain.progress import Progress

from . import activity
from .measure import voice_similarity
from .phone_network import decode, expected_phones, posteriors
from .splice_context import Reading
from .splice_fit import Recording
from .text import tokens
from .word_diff import Change

_NEAR = 6  # words on each side of a change that are listened to
_WRONG = 0.65  # share of phones not heard from which a transcript is one of something else; 0.35 at most for noisy recordings of the right words
_LOST = 0.3  # share of a word's phones that are heard, below which it is named
_LONG = 4  # phones from which a word is long enough for that
_STRANGER = 0.55  # similarity of voices below which a warning is given; different people have 0.31 on average (speech.measure)
_COMPARED = 1.0  # s of a reading from which voices are compared
_QUIET = 15.0  # dB that pauses lie below speech in a recording whose joins are heard
_SILENT = 45.0  # dB below speech from which nothing under it is heard
_BIN = 22.0  # Hz
_TONE = 14.0  # dB that a tone stands out from what is beside it
_SOUND = 0.12  # s of sound in a pause that is more than a breath


def unheard(recording: Recording, change: Change, shift: float, progress: Progress) -> list[str]:
    """Words beside a change that are not heard where the transcript has them.

    Args:
        shift: s of the whole recording at which `recording` begins.

    Raises:
        RetakeError: transcript_mismatch where nearly all of them are not.
    """
    words = [
        word
        for word in recording.words[max(0, change.old_start - _NEAR) : change.old_end + _NEAR]
        if word.start >= 0 and word.end <= recording.duration and word.text.strip()
    ]
    if not words:
        return []
    rate = recording.rate
    silence = np.zeros(round(0.3 * rate), np.float32)
    begin, end = max(0, round((words[0].start - 0.05) * rate)), round((words[-1].end + 0.05) * rate)
    groups, _ = decode(posteriors(np.concatenate([silence, recording.samples[begin:end], silence]), rate, progress))
    heard = [phone for group in groups for phone in group]
    expected: list[str] = []
    owner: list[int] = []
    for number, word in enumerate(words):
        phones = [phone for token in tokens(word.text) for phone in expected_phones(token.spoken, progress)]
        expected += phones
        owner += [number] * len(phones)
    counts, found = np.bincount(owner, minlength=len(words)), np.zeros(len(words))
    for block in SequenceMatcher(None, expected, heard, autojunk=False).get_matching_blocks():
        for place in range(block.a, block.a + block.size):
            found[owner[place]] += 1
    lost = [word.text for word, count, hits in zip(words, counts, found, strict=True) if count >= _LONG and hits < _LOST * count]
    if counts.sum() >= 3 * _LONG and found.sum() < (1 - _WRONG) * counts.sum():
        names = ", ".join(f"'{word}'" for word in (lost or [word.text for word in words])[:4])
        raise RetakeError(
            f"The recording does not say {names} where its transcript has it ({words[0].start + shift:.1f} to {words[-1].end + shift:.1f} s).",
            "Correct the transcript of the recording, or the times of its words.",
            code="transcript_mismatch",
        )
    return lost


def sound_notes(recording: Recording, change: Change, lost: Sequence[str]) -> list[str]:
    """Notes on the recording around a change."""
    out = [f"'{word}' is hard to hear in the recording; check the transcript there." for word in lost]
    level = activity.levels(recording.samples, recording.rate)
    floor, speech = activity.noise_and_speech(level)
    if speech - floor < _QUIET:
        out.append("The recording is noisy; only the even part of its noise goes on under the new words, so joins may be heard.")
    if speech - floor < _SILENT and _tonal(recording):
        out.append("There seems to be music or a hum under the words: it breaks off at the joins, and that will be heard.")
        return out
    for left in (change.old_start - 1, change.old_end - 1):
        if not 0 <= left < len(recording.words) - 1:
            continue
        a, b = recording.words[left], recording.words[left + 1]
        inside = level[max(0, round((a.end + 0.04) / activity.STEP)) : max(0, round((b.start - 0.04) / activity.STEP))]
        if (inside > speech - 18.0).sum() * activity.STEP > _SOUND:
            out.append(f"Between '{a.text}' and '{b.text}' something is heard that the transcript does not have; it may be cut.")
    return out


def _tonal(recording: Recording) -> bool:
    """Whether tones stand out of what is heard in the pauses."""
    if recording.noise is None:
        return False
    # At low rates single harmonics of a voice that dies away would stand out.
    width = max(1, round(_BIN * 2 * (len(recording.noise) - 1) / recording.rate))
    power = recording.noise[: len(recording.noise) // width * width].reshape(-1, width).mean(1)
    level = 10 * np.log10(power + 1e-12)
    frequency = np.linspace(0, recording.rate / 2, len(level))
    above = level - median_filter(level, size=31, mode="nearest")
    return bool((above[(frequency > 160) & (frequency < 4000)] > _TONE).any())


def voice_note(recording: Recording, reading: Reading, progress: Progress) -> list[str]:
    """A warning where the reading is in another voice than the recording."""
    import soxr

    if reading.duration < _COMPARED:
        return []
    inside = [word for word in recording.words if word.start >= 0 and word.end <= recording.duration]
    if not inside:
        return []
    own = recording.samples[round(inside[0].start * recording.rate) : round(inside[-1].end * recording.rate)]
    heard = reading.samples if reading.rate == recording.rate else soxr.resample(reading.samples, reading.rate, recording.rate)
    alike = voice_similarity(np.asarray(heard, np.float32), own, recording.rate, progress)
    if alike is None or alike >= _STRANGER:
        return []
    return [f"The new words are in another voice than the recording (similarity {alike:.2f}): choose the speaker who is heard in it."]
