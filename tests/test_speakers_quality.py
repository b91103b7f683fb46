"""The quality of a reference: what is refused, what is warned about, and the report."""

from __future__ import annotations

import html.parser
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

import retake
from retake.domain.errors import RetakeError
from retake.domain.phones import VISEMES
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.domain.timing import Phone, Timing, Word
from retake.domain.track import FaceTrack
from retake.engines.landmarks import Detection, FaceDetector
from retake.media.reader import read_frames
from retake.speakers.quality import (
    SHORTEST,
    PictureMeasures,
    QualityReport,
    assess,
    head_angles,
    measure_pictures,
    refuse_short,
    refuse_turned,
    sample_frames,
)
from retake.speakers.report import FILE, console_lines, write_report
from retake.speakers.track import follow

PRESENTER = Path(retake.__file__).parent / "assets" / "presenter" / "presenter.mp4"
RATE = FrameRate(25)
GOOD_SOUND = {"snr_db": 35.0, "noise_floor_db": -65.0, "clipped": 0.0, "loudness_lufs": -20.0}
EVERY_SOUND = Timing(
    tuple(Phone(sorted(phones)[0], i * 0.2, i * 0.2 + 0.2) for i, phones in enumerate(VISEMES.values())), (Word("Hello.", 0.2, 0.6),)
)


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return list(read_frames(PRESENTER, seconds=3.2))


@pytest.fixture(scope="module")
def short_track(pictures: list[np.ndarray]) -> FaceTrack:
    detections: list[Detection] = []
    with FaceDetector() as detector:
        for number, picture in enumerate(pictures):
            detections.append(detector.detect(picture, number * 40))
    return follow(detections, RATE, 512, 512)


@pytest.fixture(scope="module")
def track(short_track: FaceTrack) -> FaceTrack:
    """20 s: the 3 s of real landmarks over and over."""
    order = np.arange(500) % len(short_track)
    return FaceTrack(short_track.landmarks[order], short_track.blendshapes[order], short_track.faces[order], RATE, 512, 512)


@pytest.fixture(scope="module")
def measures(short_track: FaceTrack, pictures: list[np.ndarray]) -> PictureMeasures:
    indices = sample_frames(short_track, 12)
    return measure_pictures(short_track, indices, (pictures[i] for i in indices))


def turned(track: FaceTrack, degrees: float, axis: int = 1) -> FaceTrack:
    """The head turned about the vertical (1) or the horizontal (0) axis."""
    a = np.radians(degrees)
    turn = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    if axis == 0:
        turn = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    middle = track.landmarks.mean(1, keepdims=True)
    landmarks = ((track.landmarks - middle) @ turn.T + middle).astype(np.float32)
    return FaceTrack(landmarks, track.blendshapes, track.faces, track.rate, track.width, track.height)


def codes(report: QualityReport) -> set[str]:
    return {finding.code for finding in report.warnings}


def test_a_good_reference_has_nothing_to_improve(track: FaceTrack, measures: PictureMeasures) -> None:
    report = assess(track, measures, GOOD_SOUND, EVERY_SOUND, lag_confidence=0.9, voice_similarity=0.9)
    assert report.warnings == ()
    assert report.seconds == 20 and report.faces_found == 1 and report.missing_visemes == ()
    assert abs(report.yaw.median) < 5 and abs(report.pitch.median) < 8
    assert 150 < report.face_height < 260 and 40 < report.mouth_width < 120


@pytest.mark.parametrize("degrees", [-40, -20, 0, 20, 40])
def test_the_turn_of_the_head_is_measured(track: FaceTrack, degrees: float) -> None:
    straight, turn = (np.nanmedian(head_angles(t)[0]) for t in (track, turned(track, degrees)))
    assert abs(turn - straight - degrees) < 6
    nod = np.nanmedian(head_angles(turned(track, degrees, axis=0))[1]) - np.nanmedian(head_angles(track)[1])
    assert abs(nod - degrees) < 6


def test_what_cannot_work_is_refused(track: FaceTrack) -> None:
    refuse_short(SHORTEST, "talk.mp4")
    refuse_turned(track, "talk.mp4")
    with pytest.raises(RetakeError, match="are needed") as caught:
        refuse_short(SHORTEST - 0.1, "talk.mp4")
    assert caught.value.code == "too_short"
    with pytest.raises(RetakeError, match="turned away") as caught:
        refuse_turned(turned(track, 45), "talk.mp4")
    assert caught.value.code == "turned_away"
    refuse_turned(turned(track, 20), "talk.mp4")


def test_a_face_that_could_be_seen_better_is_warned_about(track: FaceTrack, measures: PictureMeasures) -> None:
    assert "turned" in codes(assess(turned(track, 18), measures, GOOD_SOUND, EVERY_SOUND, lag_confidence=0.9))
    assert "nodded" in codes(assess(turned(track, 30, axis=0), measures, GOOD_SOUND, EVERY_SOUND, lag_confidence=0.9))
    small = FaceTrack(track.landmarks / 4, track.blendshapes, track.faces, RATE, 128, 128)
    assert "small_face" in codes(assess(small, measures, GOOD_SOUND, EVERY_SOUND, lag_confidence=0.9))
    gaps = track.landmarks.copy()
    gaps[100:150] = np.nan
    company = track.faces.copy()
    company[:50] = 2
    report = assess(FaceTrack(gaps, track.blendshapes, company, RATE, 512, 512), measures, GOOD_SOUND, EVERY_SOUND, lag_confidence=0.9)
    assert codes(report) == {"face_missing", "other_face"} and report.faces_found == 0.9 and report.company == 0.1


def altered(pictures: list[np.ndarray], track: FaceTrack, change: str) -> PictureMeasures:
    indices = sample_frames(track, 8)
    out: list[np.ndarray] = []
    for i in indices:
        picture = pictures[i]
        if change == "blurred":
            picture = np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(2.5)))
        elif change == "dark":
            picture = (picture * 0.25).astype(np.uint8)
        elif change == "bright":
            picture = np.clip(picture.astype(int) * 1.7 + 40, 0, 255).astype(np.uint8)
        out.append(picture)
    return measure_pictures(track, indices, out)


@pytest.mark.parametrize(("change", "expected"), [("blurred", {"soft"}), ("dark", {"too_dark"}), ("bright", {"too_bright", "blown"})])
def test_bad_pictures_are_noticed(track: FaceTrack, short_track: FaceTrack, pictures: list[np.ndarray], change: str, expected: set[str]) -> None:
    report = assess(track, altered(pictures, short_track, change), GOOD_SOUND, EVERY_SOUND, lag_confidence=0.9)
    assert codes(report) == expected


@pytest.mark.parametrize(
    ("sound", "more", "expected"),
    [
        ({"snr_db": 15.0}, {}, {"noisy"}),
        ({"noise_floor_db": -40.0}, {}, {"room"}),
        ({"clipped": 0.01}, {}, {"clipped"}),
        ({}, {"lag_confidence": 0.1}, {"lag_unknown"}),
        ({}, {"lag_seconds": 0.12}, {"lag"}),
        ({}, {"voice_similarity": 0.5}, {"unlike"}),
        ({}, {"cuts": (50, 100)}, {"cuts"}),
        ({}, {"cuts": (50, 100), "widened": 4.5}, {"cuts"}),
        ({}, {"widened": 4.5}, {"lively"}),
        ({}, {"widened": float("inf")}, {"lively"}),
        ({}, {"widened": 1.4}, set()),
        ({}, {"source_seconds": 95.0}, {"long"}),
        ({"snr_db": None, "noise_floor_db": None, "clipped": None, "loudness_lufs": None}, {}, set()),
    ],
)
def test_bad_sound_and_the_rest_are_noticed(track: FaceTrack, measures: PictureMeasures, sound: dict, more: dict, expected: set[str]) -> None:
    report = assess(track, measures, GOOD_SOUND | sound, EVERY_SOUND, **({"lag_confidence": 0.9} | more))
    assert codes(report) == expected
    assert all(finding.message and finding.remedy for finding in report.warnings)


def test_missing_mouth_shapes_are_named(track: FaceTrack, measures: PictureMeasures) -> None:
    without = Timing(tuple(p for p in EVERY_SOUND.phones if p.symbol not in VISEMES["FV"]), ())
    report = assess(track, measures, GOOD_SOUND, without, lag_confidence=0.9)
    assert report.missing_visemes == ("FV",) and codes(report) == {"visemes"}
    assert "'five'" in report.warnings[0].message
    assert codes(assess(track, measures, GOOD_SOUND, None, lag_confidence=0.9)) == {"no_words"}


def test_a_short_reference_is_warned_about(short_track: FaceTrack, measures: PictureMeasures) -> None:
    assert "short" in codes(assess(short_track, measures, GOOD_SOUND, EVERY_SOUND, lag_confidence=0.9))


class Page(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "src":
                self.sources.append(value or "")
            if name == "href":
                self.links.append(value or "")


def test_the_report_page_needs_nothing_else(short_track: FaceTrack, measures: PictureMeasures, tmp_path: Path) -> None:
    folder = tmp_path / "anna & co"
    folder.mkdir()
    shutil.copy(PRESENTER, folder / "reference.mp4")
    report = assess(short_track, measures, GOOD_SOUND, EVERY_SOUND, lag_confidence=0.2, cuts=(40,))
    sound = np.sin(np.arange(48000 * 3) / 20).astype(np.float32) * 0.1
    path = write_report(
        folder, report, short_track, samples=sound, sample_rate=48000, timing=EVERY_SOUND, pictures=measures, progress=Progress(), name="<b>anna</b>"
    )
    assert path == folder / FILE
    text = path.read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert len(page.sources) == 3 + 5 + len(VISEMES) and not page.links
    assert all(source.startswith("data:image/") for source in page.sources)
    assert "http://" not in text and "https://" not in text and "<script" not in text
    assert "&lt;b&gt;anna" in text and "<b>anna" not in text
    assert "prefers-color-scheme: dark" in text and "width=device-width" in text
    for finding in report.warnings:
        assert finding.remedy.replace("'", "&#39;") in text
    assert len(text) < 2_000_000


def test_the_console_shows_the_same(track: FaceTrack, measures: PictureMeasures) -> None:
    report = assess(track, measures, GOOD_SOUND | {"snr_db": 12.0}, EVERY_SOUND, lag_confidence=0.9)
    lines = console_lines(report)
    assert any("35" not in line and "12 dB" in line for line in lines)
    assert lines[-1].startswith("! Much noise") and "quiet" in lines[-1]
    assert console_lines(assess(track, measures, GOOD_SOUND, EVERY_SOUND, lag_confidence=0.9))[-1] == "Nothing to improve was found."


def test_the_report_can_be_stored_and_read_again(track: FaceTrack, measures: PictureMeasures) -> None:
    report = assess(track, measures, GOOD_SOUND, EVERY_SOUND, lag_confidence=0.2)
    assert QualityReport.model_validate_json(report.model_dump_json()) == report
