"""How good a reference is: what was measured, what could be better and how, and what cannot work at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.ndimage import laplace

from retake.domain.errors import RetakeError
from retake.domain.phones import VISEME_OF, VISEMES
from retake.domain.rate import FrameRate
from retake.domain.speaker import Finding
from retake.domain.timing import Timing
from retake.domain.track import FaceTrack
from retake.face.canonical import LIPS
from retake.speech.hygiene_record import HygieneRecord

# Limits, each with where it comes from.
# Seconds. Below 5 s nothing useful is learnt, below 15 s mouth shapes of many sounds are missing, beyond 60 s nothing improves.
SHORTEST, SHORT, LONGEST = 5.0, 15.0, 60.0
TURNED_AWAY, TURNED = 30.0, 12.0  # degrees; one corner of the mouth is hidden beyond 30, and the picture of the mouth suffers from about 10 on
NODDED = 22.0  # degrees up or down
SMALL_FACE, SMALL_MOUTH = 120, 34  # pixels; GRID (131 and 37) is about the least that still looks right at its own size
SOFT = 0.03  # Laplacian over plain variance of the face at 256 px: a blur of one pixel at that size halves it to about 0.02-0.08
DARK, BRIGHT = 60.0, 215.0  # mean grey level of the face
BLOWN = 0.02  # share of the face at the ends of the scale
NOISY, VERY_NOISY = 20.0, 10.0  # dB between speech and pauses
LOUD_ROOM = -50.0  # dBFS in pauses
CLIPPED = 0.0005  # share of samples
LAG_CONFIDENT = 0.35  # below, the estimate of the lag is a guess, and moving the sound would do harm as often as good
LAG_SEEN = 0.045  # seconds; television tolerates 45 ms of early sound (ITU-R BT.1359), and the estimate itself is no better than 30 ms
UNLIKE = 0.70  # cosine of a speaker encoder
MISSING_FACE = 0.02
LIVELY = 3.0  # times the usual limits of the motion graph
FACE_SIDE = 256

# Left and right of the face at one height; the depth between them tells the turn of the head.
_SIDES = ((33, 263), (133, 362), (234, 454), (127, 356), (61, 291))
_FOREHEAD, _CHIN = 10, 152
_UPRIGHT = 6.0  # degrees by which the chin lies behind the forehead when somebody looks straight ahead (measured on frontal clips)


class Spread(BaseModel):
    """A distribution in three numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: float  # 5th percentile
    median: float
    high: float  # 95th percentile


class QualityReport(BaseModel):
    """What was measured on a reference. Angles in degrees, lengths in pixels of the reference, levels in dB; None: could not be measured."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = 1
    seconds: float
    source_seconds: float  # of the file given, of which at most 60 s are used
    frames: int
    rate: str
    width: int
    height: int
    faces_found: float  # share of frames
    company: float  # share of frames with another face
    yaw: Spread  # positive: towards the picture's right
    pitch: Spread  # positive: down
    face_height: float
    mouth_width: float
    sharpness: float
    exposure: float  # mean grey level of the face, 0..255
    blown: float  # share of the face that is pure white or black
    snr_db: float | None
    noise_floor_db: float | None
    clipped: float | None
    loudness_lufs: float | None
    lag_seconds: float
    lag_confidence: float
    visemes: dict[str, int]  # how often each is seen; empty without a timing
    missing_visemes: tuple[str, ...]
    widened: float | None  # of the motion graph's limits; None: as far as they go
    cuts: tuple[int, ...]  # frames at which a new shot begins
    voice_similarity: float | None
    hygiene: HygieneRecord | None = None  # what was found in the sound, what was done about it and what was left out of the learning
    warnings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class PictureMeasures:
    """Of k sampled frames: their numbers, sharpness, mean grey level and share of blown pixels of the face."""

    frames: NDArray[np.int64]
    sharpness: NDArray[np.float64]
    exposure: NDArray[np.float64]
    blown: NDArray[np.float64]


def sample_frames(track: FaceTrack, most: int = 60) -> NDArray[np.int64]:
    """At most `most` frames with a face, evenly spread, for `measure_pictures`."""
    found = np.flatnonzero(track.found)
    return found[np.unique(np.linspace(0, len(found) - 1, min(most, len(found))).round().astype(int))] if len(found) else found


def measure_pictures(track: FaceTrack, indices: Sequence[int] | NDArray[np.integer], pictures: Iterable[NDArray[np.uint8]]) -> PictureMeasures:
    """Look at the face in the RGB `pictures` of the frames `indices` (in the same order)."""
    from PIL import Image

    rows: list[tuple[int, float, float, float]] = []
    for index, picture in zip(indices, pictures, strict=True):
        box = face_box(track, int(index), picture.shape[1], picture.shape[0])
        if box is None:
            continue
        left, top, right, bottom = box
        face = Image.fromarray(picture[top:bottom, left:right]).convert("L")
        if face.height > FACE_SIDE:
            face = face.resize((max(1, round(face.width * FACE_SIDE / face.height)), FACE_SIDE), Image.Resampling.BOX)
        grey = np.asarray(face, np.float64)
        sharpness = float(laplace(grey).var() / max(float(grey.var()), 1e-6))
        rows.append((int(index), sharpness, float(grey.mean()), float(((grey >= 252) | (grey <= 3)).mean())))
    columns = np.array(rows, np.float64).reshape(-1, 4).T
    return PictureMeasures(columns[0].astype(np.int64), columns[1], columns[2], columns[3])


def face_box(track: FaceTrack, frame: int, width: int, height: int, margin: float = 0.0) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of the face in a picture of the given size, grown by `margin` of its height; None where there is none."""
    points = track.landmarks[frame, :, :2]
    if np.isnan(points[0, 0]):
        return None
    points = points * (width / track.width, height / track.height)
    low, high = points.min(0), points.max(0)
    grow = margin * float(high[1] - low[1])
    left, top = max(0, int(low[0] - grow)), max(0, int(low[1] - grow))
    right, bottom = min(width, int(np.ceil(high[0] + grow))), min(height, int(np.ceil(high[1] + grow)))
    return (left, top, right, bottom) if right - left >= 2 and bottom - top >= 2 else None


def head_angles(track: FaceTrack) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) yaw and (n,) pitch of the head in degrees, NaN without a face."""
    points = track.landmarks.astype(np.float64)
    turns = [np.arctan2(points[:, b, 2] - points[:, a, 2], points[:, b, 0] - points[:, a, 0]) for a, b in _SIDES]
    down = points[:, _CHIN] - points[:, _FOREHEAD]
    return np.degrees(np.mean(turns, axis=0)), np.degrees(np.arctan2(down[:, 2], down[:, 1])) - _UPRIGHT


def refuse_short(seconds: float, name: str) -> None:
    """Raise RetakeError for a reference that is too short to learn from."""
    if seconds < SHORTEST:
        raise RetakeError(
            f"{name} lasts {seconds:.1f} s; at least {SHORTEST:.0f} s are needed.", "Use about 20 s of one person talking.", code="too_short"
        )


def refuse_turned(track: FaceTrack, name: str) -> None:
    """Raise RetakeError for a reference whose face is turned away. Cheap: ask before learning from it."""
    yaw = float(np.nanmedian(np.abs(head_angles(track)[0])))
    if yaw > TURNED_AWAY:
        raise RetakeError(
            f"The face in {name} is turned away by {yaw:.0f} degrees most of the time.",
            f"Use a clip in which the person looks towards the camera (within {TURNED:.0f} degrees).",
            code="turned_away",
        )


def assess(
    track: FaceTrack,
    pictures: PictureMeasures,
    sound: Mapping[str, float | None],
    timing: Timing | None,
    *,
    lag_seconds: float = 0.0,
    lag_confidence: float = 0.0,
    cuts: Sequence[int] | NDArray[np.integer] = (),
    voice_similarity: float | None = None,
    source_seconds: float | None = None,
    widened: float = 1.0,
    hygiene: HygieneRecord | None = None,
) -> QualityReport:
    """Judge a reference that can be used (see `refuse_short`, `refuse_turned`).

    Args:
        sound: `snr_db`, `noise_floor_db` (dBFS), `clipped` (share of samples) and `loudness_lufs`, each None or absent where unknown.
        timing: of the reference's words; None when they are not known.
        lag_seconds: by how much the picture came late before it was corrected.
        cuts: frames that begin a new shot.
        source_seconds: length of the file given, when longer than what is used.
        hygiene: what was done to the sound before the voice was learnt.
        widened: by how much the limits of the motion graph had to be widened (`MotionGraph.relax`).
    """
    found = track.found
    yaw, pitch = head_angles(track)
    points = track.landmarks[found]
    lips = points[:, list(LIPS), :2]
    counts = count_visemes(timing)
    seconds = track.rate.seconds(len(track))
    report = QualityReport(
        seconds=seconds,
        source_seconds=max(seconds, source_seconds or 0.0),
        frames=len(track),
        rate=str(track.rate),
        width=track.width,
        height=track.height,
        faces_found=float(found.mean()),
        company=float((track.faces > 1).mean()),
        yaw=_spread(yaw[found]),
        pitch=_spread(pitch[found]),
        face_height=float(np.median(np.ptp(points[:, :, 1], axis=1))),
        mouth_width=float(np.median(np.ptp(lips[:, :, 0], axis=1))),
        sharpness=float(np.median(pictures.sharpness)),
        exposure=float(np.median(pictures.exposure)),
        blown=float(np.median(pictures.blown)),
        snr_db=sound.get("snr_db"),
        noise_floor_db=sound.get("noise_floor_db"),
        clipped=sound.get("clipped"),
        loudness_lufs=sound.get("loudness_lufs"),
        lag_seconds=lag_seconds,
        lag_confidence=lag_confidence,
        visemes=counts,
        missing_visemes=tuple(name for name, count in counts.items() if not count and name != "sil"),
        widened=widened if np.isfinite(widened) else None,
        cuts=tuple(int(cut) for cut in cuts),
        voice_similarity=voice_similarity,
        # The voice's embedding stays where the voice is: reports are shown around.
        hygiene=None if hygiene is None else hygiene.model_copy(update={"voice": ()}),
    )
    return report.model_copy(update={"warnings": tuple(_findings(report, pictures))})


def count_visemes(timing: Timing | None) -> dict[str, int]:
    """How often each viseme occurs; empty without a timing."""
    if timing is None or not timing.phones:
        return {}
    counts = dict.fromkeys(VISEMES, 0)
    for phone in timing.phones:
        if phone.symbol in VISEME_OF:
            counts[VISEME_OF[phone.symbol]] += 1
    return counts


def _spread(values: NDArray[np.float64]) -> Spread:
    low, median, high = (float(v) for v in np.percentile(values, (5, 50, 95)))
    return Spread(low=low, median=median, high=high)


def _findings(report: QualityReport, pictures: PictureMeasures) -> Iterable[Finding]:
    yield from _of_length(report)
    yield from _of_face(report)
    yield from _of_light(report, pictures)
    yield from _of_sound(report)
    yield from _of_words(report)


def _of_length(r: QualityReport) -> Iterable[Finding]:
    if r.seconds < SHORT:
        yield Finding(
            code="short", message=f"The reference lasts only {r.seconds:.1f} s.", remedy="20 s or more let the mouth and the voice be learnt better."
        )
    if r.source_seconds > LONGEST + 0.5:
        yield Finding(
            code="long",
            message=f"Only the first {r.seconds:.0f} s of {r.source_seconds:.0f} s are used.",
            remedy="Cut the best stretch out yourself if it lies elsewhere.",
        )
    if r.cuts:
        times = ", ".join(f"{cut / float(FrameRate.parse(r.rate)):.1f} s" for cut in r.cuts[:6]) + (" ..." if len(r.cuts) > 6 else "")
        yield Finding(
            code="cuts", message=f"The reference holds {len(r.cuts)} cuts ({times}).", remedy="One unbroken shot gives calmer and longer movement."
        )
    elif r.widened is None or r.widened >= LIVELY:
        yield Finding(
            code="lively",
            message="The head moves so much that few places of the reference can be joined unseen.",
            remedy="Long takes look calmer from a reference of 20 s or more in which the person sits still.",
        )


def _of_face(r: QualityReport) -> Iterable[Finding]:
    if r.faces_found < 1 - MISSING_FACE:
        yield Finding(
            code="face_missing",
            message=f"No face was found in {1 - r.faces_found:.0%} of the frames.",
            remedy="Keep hands and microphones away from the face, and the face in the picture.",
        )
    if r.company > MISSING_FACE:
        yield Finding(
            code="other_face",
            message=f"Another face is seen in {r.company:.0%} of the frames.",
            remedy="The largest one is followed; crop the video if that is the wrong one.",
        )
    if abs(r.yaw.median) > TURNED or max(-r.yaw.low, r.yaw.high) > 2 * TURNED:
        most = max(-r.yaw.low, r.yaw.high)
        yield Finding(
            code="turned",
            message=f"The head is turned by {abs(r.yaw.median):.0f} degrees (up to {most:.0f}).",
            remedy=f"Mouths look best within {TURNED:.0f} degrees: look into the camera.",
        )
    if abs(r.pitch.median) > NODDED:
        way = "down" if r.pitch.median > 0 else "up"
        yield Finding(
            code="nodded", message=f"The head looks {way} by {abs(r.pitch.median):.0f} degrees.", remedy="Put the camera at the height of the eyes."
        )
    if r.face_height < SMALL_FACE or r.mouth_width < SMALL_MOUTH:
        yield Finding(
            code="small_face",
            message=f"The face is small: {r.face_height:.0f} px high, the mouth {r.mouth_width:.0f} px wide.",
            remedy="Film closer or at a higher resolution.",
        )


def _of_light(r: QualityReport, pictures: PictureMeasures) -> Iterable[Finding]:
    if r.sharpness < SOFT:
        yield Finding(
            code="soft", message="The face is out of focus or strongly compressed.", remedy="Focus on the eyes, and use the camera's own file."
        )
    if r.exposure < DARK or r.exposure > BRIGHT:
        word, remedy = (
            ("dark", "Use more light from the front.") if r.exposure < DARK else ("bright", "Lower the exposure until skin shows its texture.")
        )
        yield Finding(code=f"too_{word}", message=f"The face is too {word} (grey level {r.exposure:.0f} of 255).", remedy=remedy)
    if r.blown > BLOWN:
        yield Finding(
            code="blown",
            message=f"{r.blown:.0%} of the face is pure white or black.",
            remedy="Soften the light, or lower the exposure by half a stop.",
        )
    if len(pictures.exposure) > 4 and float(np.ptp(np.percentile(pictures.exposure, (5, 95)))) > 40:
        yield Finding(code="light_changes", message="The light on the face changes a lot.", remedy="Lock the exposure and use steady light.")


def _of_sound(r: QualityReport) -> Iterable[Finding]:
    if r.snr_db is not None and r.snr_db < NOISY:
        much = "Very much" if r.snr_db < VERY_NOISY else "Much"
        yield Finding(
            code="noisy",
            message=f"{much} noise: speech is only {r.snr_db:.0f} dB above it.",
            remedy="Record in a quiet, furnished room with the microphone close.",
        )
    elif r.noise_floor_db is not None and r.noise_floor_db > LOUD_ROOM:
        yield Finding(
            code="room",
            message=f"The room is heard in pauses ({r.noise_floor_db:.0f} dBFS).",
            remedy="Switch fans off and come closer to the microphone.",
        )
    if r.clipped is not None and r.clipped > CLIPPED:
        yield Finding(code="clipped", message=f"The sound is overdriven ({r.clipped:.2%} of the samples).", remedy="Lower the recording level.")
    if r.lag_confidence < LAG_CONFIDENT:
        yield Finding(
            code="lag_unknown",
            message="Whether sound and picture are in time could not be told.",
            remedy="Check in a player that the lips fit the sound.",
        )
    elif abs(r.lag_seconds) > LAG_SEEN:
        late = "late" if r.lag_seconds > 0 else "early"
        yield Finding(
            code="lag",
            message=f"The picture was {abs(r.lag_seconds) * 1000:.0f} ms {late} against the sound; this was corrected.",
            remedy="Check the camera's or the conference program's sound delay.",
        )
    if r.voice_similarity is not None and r.voice_similarity < UNLIKE:
        yield Finding(
            code="unlike",
            message=f"The learnt voice resembles the reference only by {r.voice_similarity:.2f}.",
            remedy="Use a longer and cleaner recording, or another voice engine.",
        )


def _of_words(r: QualityReport) -> Iterable[Finding]:
    if not r.visemes:
        yield Finding(
            code="no_words",
            message="What is said in the reference is not known.",
            remedy="Give its transcript: mouths follow known words much better.",
        )
    elif r.missing_visemes:
        named = ", ".join(f"{name} (as in {EXAMPLES[name]})" for name in r.missing_visemes)
        yield Finding(
            code="visemes", message=f"Mouth shapes never seen: {named}.", remedy="Add a sentence with such sounds; they are guessed until then."
        )


EXAMPLES: dict[str, str] = {
    "sil": "a pause", "PBM": "'map'", "FV": "'five'", "TH": "'this'", "TDNL": "'ten'", "SZ": "'see'", "SHCH": "'shut'", "KG": "'go'",
    "R": "'red'", "W": "'we'", "UW": "'two'", "OW": "'go'", "AA": "'cut'", "AE": "'bed'", "IY": "'see'",
}  # fmt: skip
