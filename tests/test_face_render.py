"""The embedded renderer on a drawn face: geometry, bank, retrieval, composition, files."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from retake.domain.errors import Cancelled, RetakeError
from retake.domain.motion import MotionPath
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.domain.track import FaceTrack
from retake.face import background, bank, embedded, geometry
from retake.face.canonical import INNER_LIPS, INNER_LOWER, INNER_UPPER, JAW, MOUTH, OUTER_LIPS, STABLE, lip_gap
from retake.face.compose import Compositor
from retake.face.geometry import PINS, RING
from retake.face.retrieve import CLOSED, Retriever

SIZE, IOD = 256, 64.0
SKIN, LIP, DARK = (205, 160, 140), (170, 70, 80), (20, 10, 15)


def face(opening: float, shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """(478, 3) landmarks in pixels of a face whose mouth is open by `opening` IOD."""
    random = np.random.default_rng(3)
    points = np.zeros((478, 3))
    points[:, :2] = random.uniform((-0.6, -0.5), (0.6, 0.3), (478, 2))
    fixed = list(dict.fromkeys([*STABLE, *PINS]))
    points[fixed, :2] = random.uniform((-0.55, -0.55), (0.55, 0.25), (len(fixed), 2))
    points[fixed, 2] = random.uniform(-0.2, 0.2, len(fixed))
    points[[33, 263]] = [(-0.5, 0, 0), (0.5, 0, 0)]
    jaw = np.arange(len(JAW))
    points[list(JAW), :2] = np.c_[
        np.cos(jaw * 2.4) * 0.42 * np.sqrt(jaw / len(JAW)), 0.75 + np.sin(jaw * 2.4) * 0.35 * np.sqrt(jaw / len(JAW)) + 0.5 * opening
    ]
    for ring, width, height in ((OUTER_LIPS, 0.28, 0.09), (INNER_LIPS, 0.22, 0.0)):
        angle = np.pi - np.arange(20) / 20 * 2 * np.pi
        points[list(ring), :2] = np.c_[np.cos(angle) * width, 0.7 + np.sin(angle) * (height + opening / 2)]
    points[:, :2] = points[:, :2] * IOD + (SIZE / 2 + shift[0], SIZE * 0.4 + shift[1])
    points[:, 2] *= IOD
    return points.astype(np.float32)


def picture(points: np.ndarray, tint: int = 0) -> np.ndarray:
    """A drawn face: skin with a soft texture, lips, and dark between them where they are open."""
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    texture = 6 * np.sin(x / 3) * np.sin(y / 4)
    image = np.clip(np.array(SKIN)[None, None] + texture[..., None] + tint, 0, 255).astype(np.uint8)
    for ring, colour in ((OUTER_LIPS, LIP), (INNER_LIPS, DARK)):
        outline = np.round(points[list(ring), :2] * 16).astype(np.int32)
        cv2.fillPoly(image, [outline], tuple(int(c) for c in colour), lineType=cv2.LINE_AA, shift=4)
    return image


OPENINGS = np.concatenate([np.full(6, 0.002), 0.15 * np.sin(np.linspace(0, 4 * np.pi, 48)) ** 2 + 0.002])


@pytest.fixture(scope="module")
def reference() -> tuple[list[np.ndarray], FaceTrack]:
    landmarks = np.stack([face(o, (2 * np.sin(i / 9), np.cos(i / 7))) for i, o in enumerate(OPENINGS)])
    pictures = [picture(p) for p in landmarks]
    track = FaceTrack(landmarks, np.zeros((len(landmarks), 52), np.float32), np.ones(len(landmarks), np.uint8), FrameRate(25), SIZE, SIZE)
    return pictures, track


@pytest.fixture(scope="module")
def learnt(reference: tuple[list[np.ndarray], FaceTrack]) -> tuple[geometry.Geometry, bank.MouthBank]:
    pictures, track = reference
    where = geometry.build(track)
    return where, bank.build(enumerate(pictures), where, Progress())


class Pictures:
    """A reference held in memory."""

    def __init__(self, pictures: list[np.ndarray]) -> None:
        self.pictures = pictures

    def read(self, indices):
        for index in indices:
            yield self.pictures[index].copy()


def path_of(*source: int, other: tuple[int, ...] | None = None, weight: float = 0.0) -> MotionPath:
    n = len(source)
    return MotionPath(np.array(source, np.int32), np.array(other or [-1] * n, np.int32), np.full(n, weight, np.float32))


def darkness(image: np.ndarray, points: np.ndarray) -> float:
    """Share of dark pixels within the lips."""
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(points[list(OUTER_LIPS), :2]).astype(np.int32)], 1)
    return float((image.mean(2)[mask > 0] < 60).mean())


# Geometry


def test_noise_of_the_whole_head_is_calmed_and_a_nod_is_followed():
    random = np.random.default_rng(4)
    n = 60
    nod = 12 * np.sin(np.arange(n) / 5)
    clean = np.stack([face(0.05, (0, d)) for d in nod])
    noisy = clean + np.r_[random.normal(0, 0.6, (n, 2)).T, np.zeros((1, n))].T[:, None].astype(np.float32)
    track = FaceTrack(noisy.astype(np.float32), np.zeros((n, 52), np.float32), np.ones(n, np.uint8), FrameRate(25), SIZE, SIZE)
    drawn = geometry.build(track).points(np.arange(n))[:, : len(MOUTH)]
    before = np.abs(noisy[:, list(MOUTH), :2] - clean[:, list(MOUTH), :2]).mean()
    after = np.abs(drawn - clean[:, list(MOUTH), :2]).mean()
    assert after < 0.85 * before


def test_smoothing_does_not_reach_across_cuts_and_gaps():
    landmarks = np.stack([face(0.05, (0 if i < 20 else 15, 0)) for i in range(40)])
    landmarks[30] = np.nan
    assert geometry.runs(landmarks) == [(0, 20), (20, 30), (31, 40)]
    steady = geometry.steady(landmarks[:, 33], geometry.runs(landmarks), 5)
    np.testing.assert_allclose(steady[19], landmarks[19, 33], atol=1e-3)
    assert np.isnan(steady[30]).all()


def test_the_jaw_follows_a_turning_head_and_the_lips_are_left_to_speech():
    """A detector whose chin slides sideways as the head turns: the slide is learnt, the opening that goes with the turn is not."""
    random = np.random.default_rng(5)
    n = 200
    yaw = 0.2 * np.sin(np.arange(n) / 9)
    opening = 0.08 + 0.05 * np.sin(np.arange(n) / 9) + random.normal(0, 0.01, n)
    landmarks = np.stack([face(float(o)) for o in opening])
    landmarks[:, list(JAW), 0] += (0.3 * yaw * IOD)[:, None]
    centre = landmarks[:, list(STABLE)].mean(1, keepdims=True)
    cosine, sine, zero, one = np.cos(yaw), np.sin(yaw), np.zeros(n), np.ones(n)
    turn = np.array([[cosine, zero, sine], [zero, one, zero], [-sine, zero, cosine]]).transpose(2, 0, 1)
    turned = np.einsum("nij,nkj->nki", turn, landmarks - centre) + centre
    where = geometry.build(FaceTrack(turned.astype(np.float32), np.zeros((n, 52), np.float32), np.ones(n, np.uint8), FrameRate(25), SIZE, SIZE))
    slide = where.turned(np.arange(n))
    lips, jaw = slide[:, : len(OUTER_LIPS) + len(INNER_LIPS)], slide[:, len(OUTER_LIPS) + len(INNER_LIPS) :]
    assert not lips.any()
    wanted = 0.3 * (yaw - yaw.mean())
    assert np.corrcoef(jaw[..., 0].mean(1), wanted)[0, 1] > 0.98
    assert np.abs(jaw[..., 0].mean(1) - jaw[..., 0].mean() - wanted).max() < 0.02
    assert np.abs(jaw[..., 1]).max() < 0.02


def test_no_face_at_all_is_refused():
    track = FaceTrack(
        np.full((5, 478, 3), np.nan, np.float32), np.full((5, 52), np.nan, np.float32), np.zeros(5, np.uint8), FrameRate(25), SIZE, SIZE
    )
    with pytest.raises(RetakeError) as failure:
        geometry.build(track)
    assert failure.value.code == "no_face"


# Bank


def test_bank_keeps_its_content_in_files(learnt, tmp_path: Path):
    where, mouths = learnt
    where.save(tmp_path)
    mouths.save(tmp_path)
    again, place = bank.MouthBank.load(tmp_path), geometry.Geometry.load(tmp_path)
    np.testing.assert_array_equal(again.frames, mouths.frames)
    np.testing.assert_array_equal(again.crop(3), mouths.crop(3))
    np.testing.assert_array_equal(place.points(np.arange(4)), where.points(np.arange(4)))
    assert not list(tmp_path.glob("*.part*"))


def test_bank_shows_what_the_reference_shows(learnt, reference):
    _, mouths = learnt
    index = len(mouths) // 2
    real = mouths.box(index).cut(reference[0][mouths.frames[index]])
    assert np.abs(mouths.crop(index).astype(int) - real).mean() < 2.5


def test_blurred_and_hidden_mouths_are_left_out(reference):
    pictures, track = reference
    spoilt = list(pictures)
    spoilt[20] = cv2.GaussianBlur(pictures[20], (0, 0), 6)
    spoilt[33] = np.full_like(pictures[33], (40, 90, 200))
    mouths = bank.build(enumerate(spoilt), geometry.build(track), Progress())
    assert 20 not in mouths.frames and 33 not in mouths.frames
    assert len(mouths) > 40


def test_bank_stays_within_its_size(learnt, reference, monkeypatch: pytest.MonkeyPatch):
    where, mouths = learnt
    total = sum(len(b) for b in mouths.blobs)
    monkeypatch.setattr(bank, "LIMIT", total // 2)
    assert sum(len(b) for b in bank.build(enumerate(reference[0]), where, Progress()).blobs) <= total * 0.55


def test_missing_files_name_a_remedy(tmp_path: Path):
    for load in (bank.MouthBank.load, geometry.Geometry.load):
        with pytest.raises(RetakeError, match="Enrol"):
            load(tmp_path)


def test_damaged_files_name_a_remedy(tmp_path: Path):
    (tmp_path / bank.FILE).write_bytes(b"not tensors")
    with pytest.raises(RetakeError, match="Enrol"):
        bank.MouthBank.load(tmp_path)


# Retrieval


def test_the_same_sequence_is_found_again(learnt):
    where, mouths = learnt
    chosen = Retriever(mouths).choose(where.mouth[10:30], where.pose.rotation[10:30])
    gap = np.abs(lip_gap(mouths.shapes[chosen]) - lip_gap(where.mouth[10:30]))
    assert gap.max() < 0.02


def test_a_still_mouth_stays_one_mouth(learnt):
    where, mouths = learnt
    chosen = Retriever(mouths).choose(np.repeat(where.mouth[2:3], 40, 0), where.pose.rotation[:40])
    assert np.count_nonzero(np.diff(mouths.frames[chosen])) <= 6  # going on to the next real frame of rest is allowed
    assert (lip_gap(mouths.shapes[chosen]) < 2 * CLOSED).all()


def test_closed_lips_never_borrow_an_open_mouth(learnt):
    where, mouths = learnt
    shapes = where.mouth[6:50]
    chosen = Retriever(mouths).choose(shapes, where.pose.rotation[6:50])
    closed = lip_gap(shapes) < CLOSED
    assert closed.any()
    assert (lip_gap(mouths.shapes[chosen])[closed] <= 2 * CLOSED).all()


def test_frames_without_a_face_get_no_mouth(learnt):
    where, mouths = learnt
    wanted = np.ones(20, bool)
    wanted[5:8] = False
    rotations = where.pose.rotation[:20].copy()
    rotations[5:8] = np.nan
    chosen = Retriever(mouths).choose(where.mouth[:20], rotations, wanted)
    assert (chosen[5:8] == -1).all() and (np.delete(chosen, [5, 6, 7]) >= 0).all()


# Composition


@pytest.mark.parametrize(("behind", "shown"), [(2, 18), (18, 2)])
def test_the_mouth_shown_is_the_mouth_wanted(learnt, reference, behind: int, shown: int):
    where, mouths = learnt
    shapes = where.mouth[shown : shown + 1]
    scene = next(background.backgrounds(path_of(behind), shapes, where, Pictures(reference[0])))
    chosen = Retriever(mouths).choose(shapes, where.pose.rotation[[behind]])
    assert scene.target is not None
    goal = np.zeros((478, 2))
    goal[list(MOUTH)] = scene.target
    out = Compositor(mouths).draw(scene, int(chosen[0]))
    assert darkness(out, goal) == pytest.approx(darkness(reference[0][shown], reference[1].landmarks[shown]), abs=0.06)


def test_outside_the_lower_face_not_a_bit_changes(learnt, reference):
    where, mouths = learnt
    scene = next(background.backgrounds(path_of(2), where.mouth[18:19], where, Pictures(reference[0])))
    points = scene.points
    assert points is not None
    out = Compositor(mouths).draw(scene, 5)
    changed = np.argwhere((out != reference[0][2]).any(2))
    assert len(changed) > 500
    ring = points[len(MOUTH) + len(PINS) :]
    assert changed[:, 1].min() >= ring[:, 0].min() - 2 and changed[:, 1].max() <= ring[:, 0].max() + 2
    assert changed[:, 0].max() <= ring[:, 1].max() + 2
    assert len(ring) == len(RING)


def test_the_seam_is_not_seen_when_light_changes(learnt, reference):
    """The reference's light changes by 20 levels: the mouth is brought to the light of the picture behind."""
    where, mouths = learnt
    bright = [picture(p, tint=20) for p in reference[1].landmarks]
    scene = next(background.backgrounds(path_of(30), where.mouth[30:31], where, Pictures(bright)))
    out = Compositor(mouths).draw(scene, int(np.flatnonzero(mouths.frames == 30)[0]))
    assert np.abs(out.astype(int) - bright[30]).mean(2)[140:230, 70:190].mean() < 4


def test_a_frame_without_a_face_passes_through(reference):
    pictures, track = reference
    landmarks = track.landmarks.copy()
    landmarks[12] = np.nan
    gone = FaceTrack(landmarks, track.blendshapes, track.faces, track.rate, SIZE, SIZE)
    where = geometry.build(gone)
    mouths = bank.build(enumerate(pictures), where, Progress())
    scene = next(background.backgrounds(path_of(12), where.mouth[18:19], where, Pictures(pictures)))
    np.testing.assert_array_equal(Compositor(mouths).draw(scene, -1), pictures[12])


@pytest.mark.parametrize("shift", [(0.0, 60.0), (-90.0, 0.0), (95.0, 70.0)])
def test_a_face_that_leaves_the_picture_is_drawn_as_far_as_it_is_seen(shift: tuple[float, float]):
    landmarks = np.stack([face(o, shift) for o in OPENINGS[:30]])
    pictures = [picture(p) for p in landmarks]
    track = FaceTrack(landmarks, np.zeros((30, 52), np.float32), np.ones(30, np.uint8), FrameRate(25), SIZE, SIZE)
    where = geometry.build(track)
    mouths = bank.build(enumerate(pictures), where, Progress())
    scene = next(background.backgrounds(path_of(2), where.mouth[18:19], where, Pictures(pictures)))
    out = Compositor(mouths).draw(scene, int(np.flatnonzero(mouths.frames == 18)[0]))
    assert out.shape == (SIZE, SIZE, 3)
    assert np.abs(out.astype(int) - pictures[18]).mean() < 3


def test_three_frames_are_enough_to_draw_with():
    landmarks = np.stack([face(o) for o in (0.002, 0.08, 0.002)])
    track = FaceTrack(landmarks, np.zeros((3, 52), np.float32), np.ones(3, np.uint8), FrameRate(25), SIZE, SIZE)
    where = geometry.build(track)
    mouths = bank.build(((i, picture(p)) for i, p in enumerate(landmarks)), where, Progress())
    chosen = Retriever(mouths).choose(where.mouth, where.pose.rotation)
    np.testing.assert_array_equal(chosen, [0, 1, 2])


def test_a_transition_shows_one_mouth_between_the_two_places(learnt, reference):
    where, mouths = learnt
    a, b = 8, 25
    scene = next(background.backgrounds(path_of(a, other=(b,), weight=0.5), where.mouth[18:19], where, Pictures(reference[0])))
    expected = (where.points(np.array([a]))[0] + where.points(np.array([b]))[0]) / 2
    assert scene.points is not None
    np.testing.assert_allclose(scene.points, expected, atol=1e-3)
    assert Compositor(mouths).draw(scene, 3).shape == (SIZE, SIZE, 3)


def test_a_path_beyond_the_reference_is_refused(learnt, reference):
    where, _ = learnt
    with pytest.raises(ValueError, match="leaves the reference"):
        next(background.backgrounds(path_of(500), where.mouth[:1], where, Pictures(reference[0])))


def test_inner_points_lie_opposite_each_other():
    points = face(0.1)
    gap = points[list(INNER_LOWER), 1] - points[list(INNER_UPPER), 1]
    assert (gap > 0).all()


# The whole engine


@pytest.fixture(scope="module")
def speaker(reference, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("speaker of the test")
    with av.open(str(folder / "reference.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "4", "g": "8"})
        stream.width = stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for image in reference[0]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    embedded.learn_pictures(folder, reference[1], Progress())
    return folder


def test_a_take_has_one_picture_for_each_frame_of_its_path(speaker: Path, learnt):
    where = geometry.Geometry.load(speaker / embedded.FOLDER)
    path = MotionPath(
        np.arange(5, 25, dtype=np.int32),
        np.array([-1] * 8 + list(range(40, 44)) + [-1] * 8, np.int32),
        np.array([0] * 8 + [0.2, 0.4, 0.6, 0.8] + [0] * 8, np.float32),
        (10,),
    )
    shapes = where.mouth[20:40]
    first = list(embedded.render_shapes(speaker, path, shapes, Progress()))
    assert [p.shape for p in first] == [(SIZE, SIZE, 3)] * 20
    again = list(embedded.render_shapes(speaker, path, shapes, Progress()))
    np.testing.assert_array_equal(np.stack(first), np.stack(again))


def test_shapes_and_path_have_to_agree(speaker: Path, learnt):
    with pytest.raises(ValueError, match="mouth shapes"):
        next(embedded.render_shapes(speaker, path_of(1, 2), learnt[0].mouth[:1], Progress()))


def test_a_render_can_be_stopped(speaker: Path, learnt):
    progress = Progress()
    frames = embedded.render_shapes(speaker, path_of(1, 2, 3), learnt[0].mouth[:3], progress)
    next(frames)
    progress.cancel()
    with pytest.raises(Cancelled):
        next(frames)
