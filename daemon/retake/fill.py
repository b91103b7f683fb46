"""Placeholders of a timeline become takes: OTIO in, OTIO out (the convention is in docs/timelines.md)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from retake import pipeline
from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.rate import FrameRate
from retake.domain.take import Take, TakeRequest
from retake.media.files import atomic
from retake.speakers import store as speakers
from retake.speech.text import check as check_text
from retake.takes import store as takes_store

if TYPE_CHECKING:
    from opentimelineio.schema import Timeline

    from retake_otio import Placeholder as Found

LONGEST = 3600.0  # seconds of one take


@dataclass(frozen=True)
class Placeholder:
    """A clip of a timeline that waits for a take.

    key: tells it from the others of its timeline, as long as that does not change.
    label: the clip, for messages.
    request: what the take must be; it lasts as many frames as the clip does in the edit.
    """

    key: str
    label: str
    request: TakeRequest


def placeholders(path: Path, *, speaker: str | None, seed: int, home: Path, roots: Sequence[Path] = ()) -> list[Placeholder]:
    """The placeholders of the timeline at `path`, with everything checked that can be checked before anything is rendered.

    Args:
        speaker: of placeholders that name none.
        seed: of placeholders that name none.
        roots: folders in which recordings may lie that placeholders name, besides the timeline's own folder.

    Raises RetakeError: a file that is no timeline (bad_timeline, timeline_too_large, newer_timeline), none or too many placeholders
    (no_placeholders, too_many_lines), mixed_rates, and for a placeholder whatever is wrong with it, naming its clip.
    """
    timeline, found = _read(path)
    checked: set[tuple[str, str, str]] = set()
    out: list[Placeholder] = []
    for placeholder in found:
        with _of_clip(placeholder):
            request = _request(placeholder, speaker, seed, _Recordings(path.absolute().parent, tuple(roots)))
            who = (request.speaker, request.voice_engine, request.lips_engine)
            if who not in checked:
                speakers.load(home, request.speaker)
                pipeline.voice_engine(request.voice_engine)
                pipeline.lips_engine(request.lips_engine)
                checked.add(who)
            if request.audio is None:
                check_text(request.text)
            out.append(Placeholder(placeholder.key, placeholder.label, _as_made_before(request, placeholder.frames, home)))
    del timeline  # what was found in it lives as long as it does
    return out


def fill(path: Path, takes: Mapping[str, Take], output: Path) -> Path:
    """Write the timeline at `path` to `output` with takes in the place of placeholders; the others stay.

    Args:
        takes: by the keys of `placeholders`, each as long as its placeholder.
        output: an .otio file; an earlier timeline there is replaced, anything else is not.

    Returns `output`, absolute. Raises RetakeError as `placeholders`, and take_does_not_match, bad_output, would_overwrite, not_writable;
    ValueError for a key of another timeline.
    """
    from retake_otio import TakeMedia, TimelineError, fill_placeholder, write_timeline

    output = output.absolute()
    check_output(output)
    timeline, found = _read(path)
    by_key = {placeholder.key: placeholder for placeholder in found}
    unknown = sorted(takes.keys() - by_key.keys())
    if unknown:
        raise ValueError(f"{path.name} has no placeholders {', '.join(unknown)}")
    for key, take in takes.items():
        media = TakeMedia(take.id, Path(take.files.clip), take.frames, FrameRate.parse(take.rate).fraction, {"synthetic": True})
        parameters = take.request.model_dump(mode="json", exclude={"line_id"})
        try:
            fill_placeholder(by_key[key], media, line=take.request.line_id, parameters=parameters)
        except TimelineError as error:
            raise RetakeError(error.cause, error.remedy, code=error.code) from error
    with atomic(output) as part:
        write_timeline(part, timeline)
    return output


def check_output(output: Path) -> None:
    """Raise RetakeError unless a filled timeline can be written to `output` without harming what is no timeline."""
    if output.suffix.lower() != ".otio":
        raise RetakeError(f"'{output.name}' does not end in .otio.", "Name a timeline, for example filled.otio.", code="bad_output")
    if not output.parent.is_dir():
        raise RetakeError(
            f"The folder {output.parent} does not exist.",
            "Make it first.",
            kind=ErrorKind.NOT_FOUND,
            code="no_output_folder",
        )
    if output.exists():
        try:
            _load(output)
        except RetakeError as error:
            raise RetakeError(
                f"{output} would be overwritten, and is no timeline.", "Choose another name, or move it away.", code="would_overwrite"
            ) from error


def _load(path: Path) -> Timeline:
    from retake_otio import TimelineError, read_timeline

    try:
        return read_timeline(path)
    except TimelineError as error:
        raise RetakeError(error.cause, error.remedy, code=error.code) from error
    except FileNotFoundError as error:
        raise RetakeError(f"{path} does not exist.", "Check the name and the folder.", kind=ErrorKind.NOT_FOUND, code="missing_file") from error
    except OSError as error:
        raise RetakeError(
            f"{path} cannot be read ({error.strerror or error}).",
            "Name a file that you may read.",
            kind=ErrorKind.ENVIRONMENT,
            code="not_readable",
        ) from error


def _read(path: Path) -> tuple[Timeline, list[Found]]:
    from retake_otio import TimelineError, find_placeholders

    timeline = _load(path)
    try:
        return timeline, find_placeholders(timeline)
    except TimelineError as error:
        raise RetakeError(f"{path.name}: {error.cause}", error.remedy, code=error.code) from error


@contextmanager
def _of_clip(placeholder: Found) -> Iterator[None]:
    """Errors about one placeholder say which."""
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "the line"
        raise RetakeError(
            f"{placeholder.label}: {name} cannot be used ({first['msg']}).", "Correct the placeholder in the editor.", code="bad_placeholder"
        ) from error
    except RetakeError as error:
        raise RetakeError(f"{placeholder.label}: {error.cause}", error.remedy, kind=error.kind, code=error.code) from error


@dataclass(frozen=True)
class _Recordings:
    """Where recordings that a timeline names may lie: whoever wrote it must not have any file of this machine read."""

    folder: Path  # the timeline's
    roots: tuple[Path, ...]

    def find(self, name: str) -> str:
        try:
            path = (self.folder / name).resolve()
        except (OSError, RuntimeError, ValueError):  # a zero character, links that go round in circles
            path = None
        if path is None or not any(path.is_relative_to(root.resolve()) for root in (self.folder, *self.roots)):
            raise RetakeError(
                f"The recording {name[:200]!r} does not lie beside the timeline.",
                "Put it into the timeline's folder, or into one that the settings name as a root.",
                kind=ErrorKind.REFUSED,
                code="outside_roots",
            )
        return str(path)


def _request(placeholder: Found, speaker: str | None, seed: int, recordings: _Recordings) -> TakeRequest:
    wants: dict[str, Any] = dict(placeholder.wants)
    wants.setdefault("seed", seed)
    wants["speaker"] = wants.get("speaker") or speaker
    if not wants["speaker"]:
        remedy = "Name a speaker in the placeholder, or one for the whole timeline."
        raise RetakeError("It is not said who speaks.", remedy, kind=ErrorKind.NOT_FOUND, code="no_speaker")
    if wants.get("audio"):
        wants["audio"] = recordings.find(wants["audio"])
    else:
        wants.pop("audio", None)
    rate = FrameRate.from_fraction(placeholder.rate)
    seconds = rate.seconds(placeholder.frames)
    if seconds > LONGEST:
        raise RetakeError(f"It lasts {seconds:.0f} s.", f"A take lasts at most {LONGEST:.0f} s: shorten the clip.", code="bad_placeholder")
    # Without an id of its own the line keeps that of its place, so that filling the timeline again finds the same lines.
    line = placeholder.line or hashlib.sha256(f"{placeholder.key} {placeholder.label}".encode()).hexdigest()[:12]
    return TakeRequest(**wants, fps=str(rate), fit=seconds, line_id=line)


def _as_made_before(request: TakeRequest, frames: int, home: Path) -> TakeRequest:
    """A line whose take is exactly as long without being told to, as those of a script's timeline are, stays that take."""
    natural = request.model_copy(update={"fit": None})
    take = takes_store.find(home, pipeline.take_key(natural, home=home))
    return natural if take is not None and take.frames == frames else request
