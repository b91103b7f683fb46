"""Everything that lies beside a finished clip (timeline, captions, report, poster), and its delivery to the user's folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.rate import FrameRate
from retake.domain.speaker import Speaker
from retake.domain.speech import Speech
from retake.domain.take import Take, TakeFiles, TakeRequest
from retake.media.files import atomic, atomic_json
from retake.takes.captions import write_srt

Image = NDArray[np.uint8]

SYNTHETIC = "Synthetic media: the speech and the mouth were generated with Retake, with the recorded consent of the speaker."
SYNTHETIC_VOICE_OVER = "Synthetic media: the mouth was generated with Retake over a recorded voice, with the recorded consent of the speaker."
_SUFFIXES = {"clip": ".mp4", "timeline": ".otio", "captions": ".srt", "report": ".json", "poster": ".png"}


class PosterTap:
    """Lets frames through and keeps a copy of the one at `index`."""

    def __init__(self, index: int) -> None:
        self._index = index
        self.image: Image | None = None

    def through(self, frames: Iterator[Image]) -> Iterator[Image]:
        for i, frame in enumerate(frames):
            if i == self._index:
                self.image = frame.copy()
            yield frame

    def write(self, target: Path) -> None:
        """Write the kept frame as PNG."""
        from retake.media.writer import write_poster

        if self.image is not None:
            write_poster(target, self.image)


def statement(request: TakeRequest) -> str:
    """What is synthetic about a take, in one sentence."""
    return SYNTHETIC if request.audio is None else SYNTHETIC_VOICE_OVER


def clip_metadata(request: TakeRequest, speaker: Speaker, take: str, version: str) -> dict[str, str]:
    """Container metadata that tells anybody who opens the clip that it is synthetic, of whom, and on whose word."""
    agreed = f"{speaker.consent.recorded_at:%Y-%m-%d} by {speaker.consent.recorded_by}"
    title = " ".join(request.text.split())[:80] or "Lip-synced voice-over"
    return {
        "title": title,
        "comment": f"{statement(request)} Speaker: {speaker.name}. Consent recorded {agreed}. Take {take}.",
        "synthetic": "true",
        "retake_take": take,
        "retake_speaker": speaker.name,
        "retake_version": version,
    }


def files_in(folder: Path, stem: str = "take") -> TakeFiles:
    """Paths of a take's files in `folder`, absolute."""
    base = folder.absolute()
    return TakeFiles(**{name: str(base / f"{stem}{suffix}") for name, suffix in _SUFFIXES.items()})


@dataclass(frozen=True)
class Making:
    """How a take was made: seconds by stage, and the versions of what made it."""

    seconds: dict[str, float]
    engines: dict[str, str]


def write_sidecars(files: TakeFiles, take: Take, speaker: Speaker, speech: Speech, making: Making) -> None:
    """Write timeline, captions and report to `files`. The timeline points to where the clip of `take` will finally lie."""
    write_timeline(Path(files.timeline), take)
    write_srt(Path(files.captions), speech.timing.words, duration=FrameRate.parse(take.rate).seconds(take.frames))
    atomic_json(Path(files.report), report(take, speaker, speech, making))


def report(take: Take, speaker: Speaker, speech: Speech, making: Making) -> dict[str, Any]:
    """Everything about a take: the whole request, who agreed, what was measured, when each sound is heard, what made it."""
    from retake.speech.cache import timing_to_json

    consent = speaker.consent.model_dump(mode="json")
    return {
        "format": 1,
        "take": take.id,
        "synthetic": True,
        "statement": statement(take.request),
        "request": take.request.model_dump(mode="json"),
        "speaker": {"name": speaker.name, "fingerprint": speaker.fingerprint, "consent": consent},
        "clip": {"frames": take.frames, "rate": take.rate, "width": take.width, "height": take.height, "sha256": take.sha256},
        "measured": take.measured,
        "render_seconds": making.seconds,
        "engines": making.engines,
        "timing": timing_to_json(speech.timing),
    }


def write_timeline(target: Path, take: Take) -> None:
    """One clip holding the request (GeneratorReference) and the take (ExternalReference)."""
    _write(target, [take], " ".join(take.request.text.split())[:60] or take.id)


def write_script_timeline(folder: Path, title: str, takes: list[Take]) -> Path:
    """A timeline of all `takes` one after another, written into `folder`; returns its path."""
    target = folder / "script.otio"
    _write(target, takes, title or "Script")
    return target


def _write(target: Path, takes: list[Take], name: str) -> None:
    from retake_otio.timeline import TakeMedia, build_timeline, line_clip, write_timeline

    clips: list[Any] = []
    for take in takes:
        request = take.request
        media = TakeMedia(take.id, Path(take.files.clip), take.frames, FrameRate.parse(take.rate).fraction, {"synthetic": True})
        label = " ".join(request.text.split())[:60] or Path(take.files.clip).stem
        parameters = request.model_dump(mode="json", exclude={"line_id"})
        clips.append(line_clip(line_id=request.line_id, name=label, parameters=parameters, takes=[media]))
    with atomic(target) as part:
        write_timeline(part, build_timeline(name, clips, {"synthetic": True}))


def deliver(take: Take, output: Path) -> Take:
    """Copy a stored take to `output` (the clip) and beside it; the copy's timeline points to the copy. Returns the take as delivered."""
    target = output.absolute()
    files = files_in(target.parent, target.stem).model_copy(update={"clip": str(target)})
    moved = take.model_copy(update={"files": files})
    for name in ("captions", "poster", "report", "clip"):
        with atomic(Path(getattr(files, name))) as part:
            shutil.copyfile(getattr(take.files, name), part)
    write_timeline(Path(files.timeline), moved)
    return moved


def check_target(output: Path) -> None:
    """Raise RetakeError, before any work is done, unless a clip can be written to `output`."""
    if output.suffix.lower() != ".mp4":
        raise RetakeError(f"'{output.name}' is not an .mp4 file.", "Give the clip a name ending in .mp4.", code="bad_output")
    folder = output.absolute().parent
    if not folder.is_dir():
        raise RetakeError(
            f"There is no folder {folder}.", "Create it, or choose another place for the clip.", kind=ErrorKind.ENVIRONMENT, code="no_folder"
        )
    if not os.access(folder, os.W_OK):
        raise RetakeError(f"{folder} is not writable.", "Choose another place for the clip.", kind=ErrorKind.ENVIRONMENT, code="not_writable")


def prepare_folder(folder: Path) -> None:
    """Create the folder for a script's takes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RetakeError(
            f"The folder {folder} cannot be made ({error.strerror or error}).",
            "Choose another folder.",
            kind=ErrorKind.ENVIRONMENT,
            code="not_writable",
        ) from error
    check_target(folder / "001.mp4")


def _clip(take: Take) -> Any:
    rate = FrameRate.parse(take.rate)
    return {"take": take.model_dump(mode="json"), "rate": (rate.numerator, rate.denominator)}
