"""A generated speech looked at before anybody hears it: are its words there, is it the right voice, is the sound whole? docs/take-checks.md.

Every limit was measured on real speech, which must pass, and on faults that were made, which must not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retake.domain.errors import RetakeError
from retake.domain.progress import Progress
from retake.domain.speech import Speech

from . import activity
from .measure import similarity_to
from .phone_network import RATE, posteriors
from .signal_check import SignalFigures, signal_figures, silences_within
from .text import paragraphs, tokens_of
from .word_check import WordCheck, check_words

LANGUAGES = ("en",)  # whose words can be checked
LISTEN = 60.0  # s that a voice is judged by: more changes nothing but the time it takes
LONGEST_PAUSE = 2.0  # s of silence that nobody asked for, at the speaker's own pace
SLACK = 0.6  # s that a pause that was asked for may be longer
SLOWEST, QUICKEST = 3.0, 32.0  # phones a second of sound (pace 1); people are at 8-18
SHORT = 0.8  # s that the slowest may take longer: "Yes." is said in half a second
UNLIKE = 0.35  # similarity below which somebody else speaks: different people have 0.31 on average, embedded voices of men 0.41 at the least
UNLIKE_LEAST = 1.5  # s of sound from which a voice can be told
WORDS_WRONG = 0.65  # phone error rate from which other words than those asked for are said; quick mumbling reaches 0.6
WORDS_LEAST = 6  # phones from which the rate says something
CLIPPED, OFFSET = 0.0005, 0.02
NOISY, MORE_NOISE = 15.0, 12.0  # dB of speech above noise below which it is noisy, and by which it must be worse than the reference
# What weighs most where all attempts are bad (retry).
WEIGHTS = {
    "no_sound": 100.0, "no_speech": 50.0, "wrong_words": 20.0, "other_voice": 8.0, "word_missing": 4.0, "extra_words": 4.0, "word_repeated": 4.0,
    "too_long": 4.0, "too_short": 4.0, "cut_off": 3.0, "silence": 2.0, "clicks": 2.0, "clipped": 2.0, "noise": 2.0, "offset": 1.0,
    "word_unclear": 1.0,
}  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """code: a key of WEIGHTS. message: one plain sentence. where: s from the first sample, None where it concerns all of it."""

    code: str
    message: str
    where: float | None = None


@dataclass(frozen=True)
class Voice:
    """Whom the speech should sound like. embedding: `voiceprint.embed` of the reference, None: unknown. snr: its speech above noise, dB."""

    embedding: NDArray[np.float32] | None = None
    snr: float | None = None


@dataclass(frozen=True)
class SpeechCheck:
    """What was found. Figures that could not be measured are None; `words_checked` is False where the words' language cannot be checked.

    similarity: cosine with the reference's voice. longest_silence: s, inside. cut_off: it begins or ends at full voice.
    """

    problems: tuple[Problem, ...] = ()
    words_checked: bool = False
    phone_error_rate: float | None = None
    words_missing: tuple[str, ...] = ()
    words_unclear: tuple[str, ...] = ()
    words_repeated: tuple[str, ...] = ()
    words_inserted: int = 0
    similarity: float | None = None
    clicks: int = 0
    clipped: float = 0.0
    longest_silence: float = 0.0
    cut_off: bool = False
    snr: float | None = None

    @property
    def ok(self) -> bool:
        return not self.problems

    @property
    def badness(self) -> float:
        """The problems' weights added up; 0 where all is well."""
        return sum(WEIGHTS[problem.code] for problem in self.problems)

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"problems": [asdict(problem) for problem in self.problems]}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> SpeechCheck:
        """Inverse of `as_json`; raises TypeError or KeyError for anything else."""
        words = {name: tuple(record[name]) for name in ("words_missing", "words_unclear", "words_repeated")}
        found = tuple(Problem(str(p["code"]), str(p["message"]), p["where"]) for p in record["problems"])
        if any(problem.code not in WEIGHTS for problem in found):
            raise KeyError("problem")
        return cls(**{**record, **words, "problems": found})


def check_speech(
    speech: Speech, text: str, voice: Voice | None = None, *, language: str = "en", pace: float = 1.0, progress: Progress | None = None
) -> SpeechCheck:
    """Look at what an engine made of `text`.

    Args:
        text: as the engine was given it, with hints; `[pause]` allows silence.
        voice: of the speaker's reference.
        language: BCP 47 tag of the text. Words of other languages than LANGUAGES are not checked, the sound is.
        pace: that was asked for; 1 is the speaker's own.
    """
    progress = progress or Progress()
    voice = voice or Voice()
    figures = signal_figures(speech.samples, speech.rate)
    if not figures.finite:
        return SpeechCheck((Problem("no_sound", "The sound holds numbers that are none, or nothing at all."),))
    if figures.spoken < 0.06:
        return SpeechCheck((Problem("no_speech", "Nothing is heard."),))
    progress.check()
    low = _resampled(speech)
    similarity = similarity_to(voice.embedding, low[: round(LISTEN * RATE)], RATE, progress)
    words: WordCheck | None = None
    if language.split("-", maxsplit=1)[0].lower() in LANGUAGES:
        try:
            words = check_words(posteriors(low, RATE, progress), text, progress)
        except RetakeError as error:
            if error.code != "text_language":
                raise
    problems = [*_words(words, figures, pace), *_sound(figures, voice), *_pauses(speech, figures, text, pace)]
    if similarity is not None and similarity < UNLIKE and figures.spoken >= UNLIKE_LEAST:
        problems.append(Problem("other_voice", f"The voice is unlike the speaker's ({similarity:.2f})."))
    snr = figures.level - figures.noise
    return SpeechCheck(
        problems=tuple(problems),
        words_checked=words is not None,
        phone_error_rate=None if words is None else round(words.error_rate, 4),
        words_missing=() if words is None else tuple(problem.word for problem in words.missing),
        words_unclear=() if words is None else tuple(problem.word for problem in words.unclear),
        words_repeated=() if words is None else tuple(problem.word for problem in words.repeated),
        words_inserted=0 if words is None else len(words.extra),
        similarity=None if similarity is None else round(similarity, 4),
        clicks=len(figures.clicks),
        clipped=round(figures.clipped, 6),
        longest_silence=round(max((b - a for a, b in figures.silences), default=0.0), 2),
        cut_off=figures.cut_start or figures.cut_end,
        snr=round(snr, 1),
    )


def _resampled(speech: Speech) -> NDArray[np.float32]:
    import soxr

    sound = np.asarray(speech.samples, np.float32)
    return sound if speech.rate == RATE else soxr.resample(sound, speech.rate, RATE).astype(np.float32)


def _words(words: WordCheck | None, figures: SignalFigures, pace: float) -> list[Problem]:
    if words is None:
        return []
    out: list[Problem] = []
    if words.phones >= WORDS_LEAST and words.error_rate > WORDS_WRONG:
        out.append(Problem("wrong_words", f"What is said is not what was asked for ({words.error_rate:.0%} of the sounds differ)."))
    out += [Problem("word_missing", f"The word '{one.word}' is not heard.", one.where) for one in words.missing]
    out += [Problem("word_unclear", f"The word '{one.word}' may not be understood.", one.where) for one in words.unclear]
    out += [Problem("word_repeated", f"The word '{one.word}' is said again.", one.where) for one in words.repeated]
    out += [Problem("extra_words", f"Something is said beside '{one.word}' that nobody asked for.", one.where) for one in words.extra]
    longest = words.phones / (SLOWEST * pace) + SHORT
    if figures.spoken > longest:
        out.append(Problem("too_long", f"{figures.spoken:.1f} s are spoken, and {longest:.1f} s are the most that these words take."))
    if figures.spoken < words.phones / (QUICKEST * pace):
        out.append(Problem("too_short", f"{figures.spoken:.1f} s are too short for these words."))
    return out


def _sound(figures: SignalFigures, voice: Voice) -> list[Problem]:
    out: list[Problem] = []
    if figures.clicks:
        times = ", ".join(f"{at:.2f} s" for at in figures.clicks[:3])
        out.append(Problem("clicks", f"The sound clicks at {times}.", figures.clicks[0]))
    if figures.clipped > CLIPPED:
        out.append(Problem("clipped", f"The sound is overdriven ({figures.clipped:.1%} of it)."))
    if abs(figures.offset) > OFFSET:
        out.append(Problem("offset", f"The sound has a constant offset ({figures.offset:+.3f})."))
    if figures.cut_start or figures.cut_end:
        out.append(Problem("cut_off", f"The {'end' if figures.cut_end else 'beginning'} is cut off."))
    snr = figures.level - figures.noise
    if figures.noise > -120.0 and snr < NOISY and (voice.snr is None or snr < voice.snr - MORE_NOISE):
        out.append(Problem("noise", f"The speech is only {snr:.0f} dB above its noise."))
    return out


def _pauses(speech: Speech, figures: SignalFigures, text: str, pace: float) -> list[Problem]:
    """Silences that are longer than anybody asked for, and silences within words."""
    usual = LONGEST_PAUSE / min(1.0, pace)
    long = sorted(((b - a, a) for a, b in figures.silences if b - a > usual), reverse=True)
    asked = sorted(_asked(text, usual), reverse=True)
    out: list[Problem] = []
    for place, (length, start) in enumerate(long):
        if length > (asked[place] if place < len(asked) else 0.0) + SLACK and length > usual:
            out.append(Problem("silence", f"It is silent for {length:.1f} s.", round(start, 2)))
    broken = silences_within(figures.silences, speech.timing.words) if pace >= 0.5 else []
    return [*out, *(Problem("silence", f"The word '{word}' is broken by silence.", round(start, 2)) for start, word in broken)]


def _asked(text: str, usual: float) -> list[float]:
    """Seconds of silence that hints ask for; hints without a word between them add up."""
    out: list[float] = []
    together = 0.0
    for paragraph in paragraphs(text):
        for token in tokens_of(paragraph):
            if token.pause is None:
                if together:
                    out.append(together)
                together = 0.0
            else:
                together += token.pause or usual / 2
    return [*out, together] if together else out


def reference_voice(samples: NDArray[np.float32], rate: int, embedding: NDArray[np.float32] | None) -> Voice:
    """What speech in the voice of a reference is checked by."""
    level = activity.levels(samples, rate)
    loud = activity.active(samples, rate)
    quiet = np.sort(level[~loud])
    if not loud.any() or len(quiet) < 20:
        return Voice(embedding)
    noise = 10 * np.log10(np.mean(10 ** (quiet[: max(1, len(quiet) * 3 // 4)] / 10)))
    return Voice(embedding, float(10 * np.log10(np.mean(10 ** (level[loud] / 10))) - noise))


def worst(problems: Sequence[Problem]) -> list[Problem]:
    """Problems, the worst first."""
    return sorted(problems, key=lambda problem: -WEIGHTS[problem.code])
