"""Everything that lies beside a finished clip: timeline, captions, report, poster."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from retake.domain.hints import shown
from retake.domain.rate import FrameRate
from retake.domain.speaker import Speaker
from retake.domain.speech import Speech
from retake.domain.take import Take, TakeFiles, TakeRequest
from retake.media.files import atomic, atomic_json
from retake.media.prefetch import close_source
from retake.takes.captions import write_srt

if TYPE_CHECKING:
    from retake_otio.timeline import TakeMedia

Image = NDArray[np.uint8]

CLIP_TAG = "retake_take"  # key of a clip's metadata that holds the take's id
SYNTHETIC = "Synthetic media: the speech and the mouth were generated with Retake, with the recorded consent of the speaker."
SYNTHETIC_VOICE_OVER = "Synthetic media: the mouth was generated with Retake over a recorded voice, with the recorded consent of the speaker."
_SUFFIXES = {"clip": ".mp4", "timeline": ".otio", "captions": ".srt", "report": ".json", "poster": ".png"}


class PosterTap:
    """Lets frames through and keeps a copy of the one at `index`."""

    def __init__(self, index: int) -> None:
        self._index = index
        self.image: Image | None = None

    def through(self, frames: Iterator[Image]) -> Generator[Image, None, None]:
        """The frames as they come. Closing this closes their source, and with it files and threads behind it."""
        try:
            for i, frame in enumerate(frames):
                if i == self._index:
                    self.image = frame.copy()
                yield frame
        finally:
            close_source(frames)

    def write(self, target: Path, width: int, height: int) -> None:
        """Write the kept frame as PNG of the clip's size."""
        from retake.media.writer import write_poster

        if self.image is not None:
            write_poster(target, self.image, width=width, height=height)


def statement(request: TakeRequest) -> str:
    """What is synthetic about a take, in one sentence."""
    return SYNTHETIC if request.audio is None else SYNTHETIC_VOICE_OVER


def clip_metadata(request: TakeRequest, speaker: Speaker, take: str, version: str) -> dict[str, str]:
    """Container metadata that tells anybody who opens the clip that it is synthetic, of whom, and on whose word."""
    agreed = f"{speaker.consent.recorded_at:%Y-%m-%d} by {speaker.consent.recorded_by}"
    title = " ".join(shown(request.text).split())[:80] or "Lip-synced voice-over"
    return {
        "title": title,
        "comment": f"{statement(request)} Speaker: {speaker.name}. Consent recorded {agreed}. Take {take}.",
        "synthetic": "true",
        CLIP_TAG: take,
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
    _write(target, [take], " ".join(shown(take.request.text).split())[:60] or take.id)


def write_script_timeline(target: Path, title: str, takes: list[Take]) -> None:
    """A timeline of all `takes` one after another."""
    _write(target, takes, title or "Script")


def timeline_is_ours(path: Path) -> bool:
    """Whether the file at `path` is a timeline that Retake wrote."""
    from retake_otio import METADATA, read_timeline

    try:
        timeline = read_timeline(path)  # held on to: its metadata dies with it
    except (OSError, ValueError):  # whatever cannot be read as a timeline was not written by us
        return False
    return METADATA in timeline.metadata


def take_media(take: Take) -> TakeMedia:
    """The take as timelines hold it."""
    from retake_otio.timeline import TakeMedia

    said: dict[str, Any] = {"synthetic": True, "seed": take.request.seed, "text": take.request.text}
    return TakeMedia(take.id, Path(take.files.clip), take.frames, FrameRate.parse(take.rate).fraction, said, take.handles)


def _write(target: Path, takes: list[Take], name: str) -> None:
    from retake_otio.timeline import build_timeline, line_clip, write_timeline

    clips: list[Any] = []
    for take in takes:
        request = take.request
        media = take_media(take)
        label = " ".join(shown(request.text).split())[:60] or Path(take.files.clip).stem
        parameters = request.model_dump(mode="json", exclude={"line_id"})
        clips.append(line_clip(line_id=request.line_id, name=label, parameters=parameters, takes=[media]))
    with atomic(target) as part:
        write_timeline(part, build_timeline(name, clips, {"synthetic": True}))
