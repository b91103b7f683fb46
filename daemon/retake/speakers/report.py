"""The quality report of a reference: one HTML page that needs nothing else, and the same in a few lines for a console."""

from __future__ import annotations

import base64
import importlib.resources
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retake.domain.phones import VISEMES
from retake.domain.progress import Progress
from retake.domain.timing import Phone, Timing
from retake.domain.track import FaceTrack
from retake.face.canonical import LIPS
from retake.speech.hygiene import ECHOING
from retake.speech.hygiene_record import REASONS

from . import plots, quality
from .quality import EXAMPLES, PictureMeasures, QualityReport

if TYPE_CHECKING:
    from PIL.Image import Image

FILE = "report.html"
_TEMPLATE = "quality_report.html"
_SOUND_USED = (
    "What the voice was learnt from, what was left out and why; below, by how much speech stands above the noise (good above the dashed line)"
)
_DRAWN = "#39d98a"  # colour of landmarks, seen on skin and on dark clothes


@dataclass(frozen=True)
class Figure:
    """One measured value as shown."""

    label: str
    value: str
    note: str = ""
    warn: bool = False


@dataclass(frozen=True)
class Group:
    title: str
    figures: list[Figure]


@dataclass(frozen=True)
class Picture:
    source: str  # data URI
    alt: str


def write_report(
    folder: Path,
    report: QualityReport,
    track: FaceTrack,
    *,
    samples: NDArray[np.float32],
    sample_rate: int,
    timing: Timing | None,
    pictures: PictureMeasures,
    progress: Progress,
    name: str = "",
) -> Path:
    """Write `report.html` into a speaker's folder, reading pictures from its `reference.mp4`; returns the page's path.

    Args:
        samples: the reference's sound, mono, with time zero at the first picture.
        pictures: what `quality.measure_pictures` found, which chooses the frames shown.
        name: of the speaker, for the title; the folder's name if empty.
    """
    from jinja2 import Environment, StrictUndefined

    from retake.media.files import atomic_text

    progress.check()
    frames, visemes = _pictures(folder / "reference.mp4", track, timing, pictures, report)
    progress.check()
    template = importlib.resources.files("retake").joinpath("assets", _TEMPLATE).read_text(encoding="utf-8")
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(template)
    drawn = [
        *_drawn(progress, plots.waveform(samples, sample_rate, timing), "Sound and words"),
        *(_drawn(progress, plots.sound_used(samples, sample_rate, report.hygiene), _SOUND_USED) if report.hygiene is not None else ()),
        *_drawn(progress, plots.mouth_and_sound(track, samples, sample_rate), "Opening of the mouth against the energy of the sound"),
        *_drawn(progress, plots.head_turn(track, report.cuts), "Turn of the head in degrees; the band is where mouths look best"),
    ]
    text = page.render(
        title=f"Reference of {name or folder.name}",
        subtitle=f"{report.seconds:.1f} s, {report.width}x{report.height} at {report.rate} frames a second",
        report=report,
        groups=_groups(report),
        plots=drawn,
        frames=frames,
        visemes=visemes,
    )
    path = folder / FILE
    atomic_text(path, text)
    return path


def _drawn(progress: Progress, plot: bytes, alt: str) -> Iterator[Picture]:
    """A plot as picture; in between two of them the work can be stopped."""
    progress.check()
    yield Picture(_uri(plot, "png"), alt)


def console_lines(report: QualityReport) -> list[str]:
    """The report in plain lines: measured values, then what could be better."""
    lines: list[str] = []
    for group in _groups(report):
        lines.append(f"{group.title}: " + "; ".join(f"{figure.label.lower()} {figure.value}" for figure in group.figures))
    if not report.warnings:
        lines.append("Nothing to improve was found.")
    lines += [f"! {finding.message} {finding.remedy}" for finding in report.warnings]
    return lines


def _groups(r: QualityReport) -> list[Group]:
    warned = {finding.code for finding in r.warnings}
    face = [
        Figure("Face found", f"{r.faces_found:.1%}", "of the frames", "face_missing" in warned),
        Figure("Head turned", f"{r.yaw.median:+.0f}°", f"{r.yaw.low:+.0f}° to {r.yaw.high:+.0f}°", "turned" in warned),
        Figure("Head nodded", f"{r.pitch.median:+.0f}°", f"{r.pitch.low:+.0f}° to {r.pitch.high:+.0f}°", "nodded" in warned),
        Figure("Face height", f"{r.face_height:.0f} px", f"mouth {r.mouth_width:.0f} px wide", "small_face" in warned),
    ]
    light = [
        Figure("Sharpness", f"{r.sharpness:.3f}", f"blurred below {quality.SOFT}", "soft" in warned),
        Figure("Brightness of the face", f"{r.exposure:.0f}", "of 255", bool(warned & {"too_dark", "too_bright"})),
        Figure("White or black skin", f"{r.blown:.1%}", "of the face", "blown" in warned),
        Figure("Cuts", str(len(r.cuts)), "", "cuts" in warned),
    ]
    sound = [
        Figure("Speech above noise", _decibel(r.snr_db), f"good from {quality.NOISY:.0f} dB", "noisy" in warned),
        Figure("Noise in pauses", _decibel(r.noise_floor_db, "dBFS"), "", bool(warned & {"room", "noisy"})),
        Figure("Overdriven", "unknown" if r.clipped is None else f"{r.clipped:.3%}", "of the samples", "clipped" in warned),
        Figure("Loudness", _decibel(r.loudness_lufs, "LUFS")),
        Figure("Picture late by", f"{r.lag_seconds * 1000:+.0f} ms", f"confidence {r.lag_confidence:.2f}", bool(warned & {"lag", "lag_unknown"})),
    ]
    known = len([name for name, count in r.visemes.items() if count])
    learnt = [
        Figure("Mouth shapes seen", f"{known} of {len(VISEMES)}" if r.visemes else "unknown", "", bool(warned & {"visemes", "no_words"})),
        Figure(
            "Likeness of the voice", "unknown" if r.voice_similarity is None else f"{r.voice_similarity:.2f}", "1 is the same", "unlike" in warned
        ),
    ]
    return [Group("Face", face), Group("Picture", light), Group("Sound", [*sound, *_hygiene(r)]), Group("Learnt", learnt)]


def _hygiene(r: QualityReport) -> list[Figure]:
    """What was done to the sound before the voice was learnt."""
    if r.hygiene is None:
        return []
    measures, reasons = r.hygiene.measures, [name for key, name in REASONS.items() if any(part.reason == key for part in r.hygiene.left_out)]
    return [
        Figure(
            "Speech learnt from",
            f"{measures.used:.1f} s",
            f"of {measures.speech:.1f} s" + (f"; not: {', '.join(reasons)}" if reasons else ""),
            bool(reasons),
        ),
        Figure(
            "Echo of the room",
            "unknown" if measures.decay is None else f"{measures.decay:.2f} s",
            "dry speech 0.1 to 0.25",
            measures.decay is not None and measures.decay > ECHOING,
        ),
        Figure("Repaired", "; ".join(r.hygiene.repairs) or "nothing", "before learning"),
    ]


def _decibel(value: float | None, unit: str = "dB") -> str:
    return "unknown" if value is None else f"{value:.0f} {unit}"


def _pictures(
    reference: Path, track: FaceTrack, timing: Timing | None, measures: PictureMeasures, report: QualityReport
) -> tuple[list[Picture], list[Picture]]:
    """Best and worst frames with their landmarks, and an example of each viseme."""
    from retake.media.reference import ReferenceFrames

    order = np.argsort(measures.sharpness)
    chosen: list[tuple[int, str]] = []
    if len(order):
        chosen.append((int(measures.frames[order[-1]]), "sharpest"))
        chosen.append((int(measures.frames[order[0]]), "softest"))
    yaw = quality.head_angles(track)[0]
    chosen += [(int(np.nanargmin(yaw)), "turned furthest to one side"), (int(np.nanargmax(yaw)), "and to the other")]
    chosen.append((int(np.nanargmin(np.abs(yaw))), "straightest"))
    shapes = list(_viseme_frames(track, timing))
    wanted = _unique(chosen, shapes)
    with ReferenceFrames(reference) as source:
        read = dict(zip(wanted, source.read(wanted), strict=True))
    seconds = 1 / float(track.rate)
    frames = [Picture(_thumbnail(read[index], track, index), f"{label}, {index * seconds:.1f} s") for index, label in chosen]
    mouths = [Picture(_mouth(read[index], track, index), f"{name}, as in {EXAMPLES[name]}: {report.visemes.get(name, 0)}") for index, name in shapes]
    return frames, mouths


def _unique(*parts: list[tuple[int, str]]) -> list[int]:
    return sorted({index for part in parts for index, _ in part})


def _viseme_frames(track: FaceTrack, timing: Timing | None) -> Iterator[tuple[int, str]]:
    """(frame, viseme) in the middle of the longest phone of each viseme that is seen."""
    if timing is None:
        return
    found = track.found
    for name, members in VISEMES.items():
        best: Phone | None = None
        for phone in timing.phones:
            frame = _middle(phone, track)
            if (
                phone.symbol in members
                and 0 <= frame < len(track)
                and found[frame]
                and (best is None or phone.end - phone.start > best.end - best.start)
            ):
                best = phone
        if best is not None:
            yield _middle(best, track), name


def _middle(phone: Phone, track: FaceTrack) -> int:
    return int((phone.start + phone.end) / 2 * float(track.rate))


def _thumbnail(picture: NDArray[np.uint8], track: FaceTrack, index: int, side: int = 220) -> str:
    """The head with its landmarks."""
    from PIL import Image, ImageDraw

    height, width = picture.shape[:2]
    box = quality.face_box(track, index, width, height, 0.35) or (0, 0, width, height)
    image = Image.fromarray(picture).crop(box)
    ratio = side / max(image.size)
    image = image.resize((max(1, round(image.width * ratio)), max(1, round(image.height * ratio))), Image.Resampling.LANCZOS)
    points = (track.landmarks[index, :, :2] * (width / track.width, height / track.height) - box[:2]) * ratio
    draw = ImageDraw.Draw(image)
    for x, y in points[~np.isnan(points[:, 0])]:
        draw.ellipse((x - 0.6, y - 0.6, x + 0.6, y + 0.6), fill=_DRAWN)
    return _jpeg(image)


def _mouth(picture: NDArray[np.uint8], track: FaceTrack, index: int, width: int = 180) -> str:
    from PIL import Image

    lips = track.landmarks[index][list(LIPS), :2] * (picture.shape[1] / track.width, picture.shape[0] / track.height)
    centre, reach = lips.mean(0), float(np.ptp(lips[:, 0])) * 0.85
    left, top = int(centre[0] - reach), int(centre[1] - reach * 0.75)
    box = (left, top, left + int(2 * reach), top + int(1.5 * reach))
    return _jpeg(Image.fromarray(picture).crop(box).resize((width, round(width * 0.75)), Image.Resampling.LANCZOS))


def _jpeg(image: Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=82)
    return _uri(buffer.getvalue(), "jpeg")


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
