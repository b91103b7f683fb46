"""Scripts written or rewritten by the language model: they fit the time, keep their lines, and can be spoken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.progress import Progress
from retake.domain.script import Line

from .answers import Chapters, KeptLines, Variants, WrittenScript, speakable
from .language_model import LanguageModel, Prompt, Usage

LATE, EARLY = 0.10, 0.20  # how far a script may miss its time before the model is asked again
LONGEST_MATERIAL = 60_000  # characters

Seconds = Callable[[Sequence[str]], float]  # how long lines take, in this speaker's voice
Heard = Callable[[str], None] | None


@dataclass(frozen=True)
class Draft:
    """Lines that can be spoken, and how long they take (None where that was not asked for)."""

    title: str
    lines: tuple[Line, ...]
    seconds: float | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Written:
    """What came out: one draft, or several to choose from."""

    drafts: tuple[Draft, ...]
    usage: Usage


def check_material(text: str, what: str) -> str:
    """The text, stripped; raises RetakeError for an empty or an endless one."""
    text = text.strip()
    if not text:
        raise RetakeError(f"The {what} is empty.", "Say in a sentence or two what is wanted.", code="empty_brief")
    if len(text) > LONGEST_MATERIAL:
        raise RetakeError(f"The {what} has {len(text)} characters.", f"Give at most {LONGEST_MATERIAL}, or do it in parts.", code="brief_too_long")
    return text


def write(
    model: LanguageModel, prompt: Prompt, *, speaker: str, wanted: float | None, seconds: Seconds | None, progress: Progress, heard: Heard = None
) -> Written:
    """A new script. `wanted` seconds are aimed at: a script that misses them is asked for once more, and what it still misses is said."""

    def check(answer: WrittenScript) -> str | None:
        return _misses(_said(answer, speaker), wanted, seconds) or None

    answered = model.ask(prompt, WrittenScript, progress, check=check, heard=heard)
    return Written((_draft(answered.value, speaker, wanted, seconds),), answered.usage)


def vary(
    model: LanguageModel, prompt: Prompt, *, speaker: str, count: int, seconds: Seconds | None, progress: Progress, heard: Heard = None
) -> Written:
    """Several versions of a script."""

    def check(answer: Variants) -> str | None:
        return None if len(answer.variants) == count else f"it has {len(answer.variants)} versions instead of {count}."

    answered = model.ask(prompt, Variants, progress, check=check, heard=heard)
    drafts = tuple(_draft(variant, speaker, None, seconds) for variant in answered.value.variants[:count])
    if len(drafts) < count:
        drafts = (replace(drafts[0], notes=(*drafts[0].notes, f"The language model gave {len(drafts)} of {count} versions.")), *drafts[1:])
    return Written(drafts, answered.usage)


def rewrite(
    model: LanguageModel,
    prompt: Prompt,
    lines: Sequence[Line],
    *,
    title: str,
    may_cut: bool,
    wanted: float | None,
    seconds: Seconds | None,
    progress: Progress,
    heard: Heard = None,
) -> Written:
    """A given script in other words. Every line keeps its speaker; only where `may_cut` may lines go.

    Raises RetakeError (model_answer) where lines are missing, doubled or out of order, twice.
    """

    def numbers(answer: KeptLines) -> str | None:
        found = [line.number for line in answer.lines]
        if found != sorted(set(found)) or found[-1] > len(lines):
            return f"lines have to be numbered from 1 to {len(lines)}, each at most once, in order."
        return None if may_cut or len(found) == len(lines) else f"it has {len(found)} lines instead of {len(lines)}."

    def check(answer: KeptLines) -> str | None:
        return numbers(answer) or _misses(_kept(answer, lines), wanted, seconds) or None

    answered = model.ask(prompt, KeptLines, progress, check=check, heard=heard)
    wrong = numbers(answered.value)
    if wrong:
        raise RetakeError(
            f"The language model's answer does not belong to this script: {wrong}", "Try again, or rewrite fewer lines at once.",
            kind=ErrorKind.ENVIRONMENT, code="model_answer",
        )  # fmt: skip
    kept = _kept(answered.value, lines)
    if not kept:
        raise _nothing()
    return Written(
        (Draft(title, kept, None if seconds is None else seconds([line.text for line in kept]), _notes(kept, wanted, seconds)),), answered.usage
    )


def chapters(model: LanguageModel, prompt: Prompt, sentences: int, *, progress: Progress, heard: Heard = None) -> tuple[Chapters, Usage]:
    """The chapters of a transcript of so many sentences, in order; the first begins with the first sentence."""

    def check(answer: Chapters) -> str | None:
        first = [chapter.first for chapter in answer.chapters]
        if first[0] != 1 or first != sorted(set(first)) or first[-1] > sentences:
            return f"chapters have to begin with sentence 1 and go on in order, up to sentence {sentences} at most."
        return None

    answered = model.ask(prompt, Chapters, progress, check=check, heard=heard)
    wrong = check(answered.value)
    if wrong:
        raise RetakeError(f"The language model's chapters cannot be used: {wrong}", "Try again.", kind=ErrorKind.ENVIRONMENT, code="model_answer")
    return answered.value, answered.usage


def as_markdown(draft: Draft) -> str:
    """The draft as a prompt file that `retake say --script` reads back line for line."""
    out = [f"# {_plain_title(draft.title)}"] if _plain_title(draft.title) else []
    out += [f"@{line.speaker}: {line.text}" if line.speaker else line.text for line in draft.lines]
    return "\n\n".join(out) + "\n"


def _plain_title(title: str) -> str:
    return speakable(title).strip("# ")


def _said(script: WrittenScript, speaker: str) -> tuple[Line, ...]:
    texts = [speakable(line.text, speaker=speaker) for line in script.lines]
    return tuple(Line(str(number), text, speaker or None) for number, text in enumerate(texts, 1) if _has_words(text))


def _kept(answer: KeptLines, lines: Sequence[Line]) -> tuple[Line, ...]:
    known = [(lines[line.number - 1], line.text) for line in answer.lines if 1 <= line.number <= len(lines)]
    said = [replace(line, text=speakable(text, speaker=line.speaker or "")) for line, text in known]
    return tuple(line for line in said if _has_words(line.text))


def _has_words(text: str) -> bool:
    return any(sign.isalnum() for sign in text)


def _draft(script: WrittenScript, speaker: str, wanted: float | None, seconds: Seconds | None) -> Draft:
    lines = _said(script, speaker)
    if not lines:
        raise _nothing()
    return Draft(script.title, lines, None if seconds is None else seconds([line.text for line in lines]), _notes(lines, wanted, seconds))


def _nothing() -> RetakeError:
    return RetakeError(
        "The language model wrote nothing that can be said.", "Word the brief in another way.", kind=ErrorKind.ENVIRONMENT, code="model_answer"
    )


def _misses(lines: Sequence[Line], wanted: float | None, seconds: Seconds | None) -> str:
    """What the model is told about a script that takes too long or too short, or ""."""
    if not lines:
        return "it has no words to say."
    if wanted is None or seconds is None:
        return ""
    texts = [line.text for line in lines]
    takes = seconds(texts)
    if wanted * (1 - EARLY) <= takes <= wanted * (1 + LATE):
        return ""
    words = sum(len(text.split()) for text in texts)
    better = max(3, round(words * wanted / takes))
    return f"it takes {takes:.0f} seconds to say and has to take {wanted:.0f}: use about {better} words instead of {words}."


def _notes(lines: Sequence[Line], wanted: float | None, seconds: Seconds | None) -> tuple[str, ...]:
    return () if not _misses(lines, wanted, seconds) else (f"It does not fit: {_misses(lines, wanted, seconds).split(':')[0]}.",)
