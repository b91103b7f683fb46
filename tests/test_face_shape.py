"""The mouth shape model: silence, contacts, rates, robustness, and that it follows words a person has not said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from retake.domain.errors import RetakeError
from retake.domain.phones import FROM_MISAKI, SILENCE
from retake.domain.rate import FrameRate
from retake.domain.timing import Phone, Timing
from retake.face.canonical import INDEX, LIPS, MOUTH, RIGID, lip_gap
from retake.face.features import phone_features
from retake.face.prior import load_prior
from retake.face.shape import ShapeModel

RATE = FrameRate(25)
PRESENTER = Path(__file__).resolve().parent.parent / "daemon/retake/assets/presenter"


def timing_of(*sounds: tuple[str, float]) -> Timing:
    """Phones of the given lengths one after the other."""
    phones, at = [], 0.0
    for symbol, length in sounds:
        phones.append(Phone(symbol, at, at + length))
        at += length
    return Timing(tuple(phones), ())


def presenter_timing() -> Timing:
    phones = []
    for entry in json.loads((PRESENTER / "phones.json").read_text("utf-8"))["phones"]:
        symbols = FROM_MISAKI.get(entry["phone"], (SILENCE,))
        edges = np.linspace(entry["start"], entry["end"], len(symbols) + 1)
        phones += [Phone(s, float(a), float(b)) for s, a, b in zip(symbols, edges[:-1], edges[1:], strict=True)]
    return Timing(tuple(phones), ())


def made_person(timing: Timing, frames: int, *, gain: float = 1.0, seed: int = 3) -> np.ndarray:
    """(frames, 478, 3) canonical landmarks of somebody who moves like the prior times `gain`, with a mouth and measurement noise of their own."""
    prior = load_prior()
    random = np.random.default_rng(seed)
    face = random.normal(0, 0.05, (478, 3)).astype(np.float32)
    face[list(RIGID)] = prior.rigid
    for point in MOUTH:
        face[point] = (0, 0.75, -0.1)
    angle = np.linspace(0, 2 * np.pi, 20, endpoint=False) + np.pi
    outer, inner = LIPS[:20], LIPS[20:]
    for k in range(20):
        # the rings run from the left corner along the lower lip to the right one and back
        direction = np.array([np.cos(angle[k]), -np.sin(angle[k])])
        face[outer[k], :2] = (0, 0.75) + direction * (0.27, 0.11)
        face[inner[k], :2] = (0, 0.75) + direction * (0.2, 0.025)
    moving = np.repeat(face[None], frames, 0)
    offsets = prior.offsets(timing, 0.02, 4 * frames)[::4][:frames]
    moving[:, list(MOUTH)] += gain * offsets
    return (moving + random.normal(0, 0.001, moving.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def person() -> ShapeModel:
    timing = presenter_timing()
    return ShapeModel.fit(made_person(timing, 315), RATE, timing)


@pytest.mark.parametrize("rate", [FrameRate(24), FrameRate(25), FrameRate(30000, 1001), FrameRate(50), FrameRate(60)])
def test_every_rate_gives_the_same_movement(person: ShapeModel, rate: FrameRate) -> None:
    timing = timing_of((SILENCE, 0.5), ("AA", 0.3), ("S", 0.2), ("UW", 0.3), (SILENCE, 0.5))
    frames = rate.frames(1.8)
    shapes = person.predict(timing, frames, rate)
    assert shapes.shape == (frames, len(MOUTH), 3)
    assert shapes.dtype == np.float32
    fine = person.predict(timing, 180, FrameRate(100))
    at = (np.arange(frames) + 0.5) / float(rate)
    expected = np.interp(at, (np.arange(180) + 0.5) / 100, lip_gap(fine))
    assert np.abs(lip_gap(shapes) - expected).max() < 0.004


def test_lips_are_still_in_silence(person: ShapeModel) -> None:
    timing = timing_of((SILENCE, 0.3), ("AA", 0.3), (SILENCE, 2.0), ("AA", 0.3), (SILENCE, 0.3))
    shapes = person.predict(timing, 80, RATE)
    pause = shapes[int(1.1 * 25) : int(2.1 * 25)]
    assert np.abs(np.diff(pause, axis=0)).max() < 0.002
    assert lip_gap(pause).max() < 0.35 * lip_gap(shapes).max()


@pytest.mark.parametrize("symbol", ["P", "B", "M"])
@pytest.mark.parametrize("rate", [FrameRate(24), FrameRate(25), FrameRate(60)])
def test_bilabials_close(person: ShapeModel, symbol: str, rate: FrameRate) -> None:
    timing = timing_of(
        (SILENCE, 0.4), ("AA", 0.15), (symbol, 0.05), ("AE", 0.15), ("N", 0.06), ("AA", 0.1), (symbol, 0.07), ("AE", 0.2), (SILENCE, 0.4)
    )
    gap = lip_gap(person.predict(timing, rate.frames(1.6), rate))
    at = (np.arange(len(gap)) + 0.5) / float(rate)
    for phone in timing.phones:
        if phone.symbol == symbol:
            hold = (at > phone.start - 0.06) & (at < phone.end + 0.02)
            assert gap[hold].min() < 0.15 * person.open_gap


def test_lips_do_not_cross(person: ShapeModel) -> None:
    shapes = person.predict(presenter_timing(), 571, RATE)
    for up, low in ((82, 87), (13, 14), (312, 317)):
        assert (shapes[:, INDEX[low], 1] - shapes[:, INDEX[up], 1]).min() > -1e-4


def test_vowels_open_and_rounding_narrows(person: ShapeModel) -> None:
    def middle(symbol: str) -> np.ndarray:
        return person.predict(timing_of((SILENCE, 0.4), ("T", 0.06), (symbol, 0.3), ("T", 0.06), (SILENCE, 0.4)), 30, RATE)[15:16]

    def width(shape: np.ndarray) -> float:
        return float(np.linalg.norm(shape[0, INDEX[61], :2] - shape[0, INDEX[291], :2]))

    assert lip_gap(middle("AE"))[0] > 1.3 * lip_gap(middle("UW"))[0]
    assert width(middle("UW")) < width(middle("IY")) - 0.01


def test_teeth_meet_the_lower_lip(person: ShapeModel) -> None:
    timing = timing_of((SILENCE, 0.3), ("AA", 0.2), ("F", 0.1), ("AA", 0.2), (SILENCE, 0.3))
    shapes = person.predict(timing, 27, RATE)
    assert lip_gap(shapes)[12:16].min() < 0.35 * person.open_gap


def test_a_person_is_learnt_not_only_their_mean() -> None:
    """Somebody who opens much wider than the prior is predicted wider, on words outside the reference."""
    timing = presenter_timing()
    canonical = made_person(timing, 571, gain=1.8)
    model = ShapeModel.fit(canonical[:400], RATE, timing)
    truth = canonical[400:, list(MOUTH)]
    shifted = timing.shifted(-400 / 25)
    guess = model.predict(shifted, 171, RATE)
    frozen = np.linalg.norm(truth - canonical[:400, list(MOUTH)].mean(0), axis=2).mean()
    assert np.linalg.norm(truth - guess, axis=2).mean() < 0.6 * frozen
    assert lip_gap(guess).std() > 0.7 * lip_gap(truth).std()


def test_missing_faces_and_strange_phones_do_no_harm() -> None:
    timing = presenter_timing()
    canonical = made_person(timing, 315)
    canonical[40:60] = np.nan
    odd = Timing((*timing.phones[:20], Phone("??", 30.0, 30.2), Phone("AA", 40.0, 40.0)), ())
    model = ShapeModel.fit(canonical, RATE, odd, np.arange(315) < 300)
    assert np.isfinite(model.predict(odd, 100, RATE)).all()
    assert np.isfinite(model.predict(Timing((), ()), 3, RATE)).all()


def test_short_references_only_give_the_mean() -> None:
    timing = presenter_timing()
    model = ShapeModel.fit(made_person(timing, 80), RATE, timing)
    assert not model.residual.context.any()


def test_no_face_is_a_clear_error() -> None:
    with pytest.raises(RetakeError) as caught:
        ShapeModel.fit(np.full((50, 478, 3), np.nan, np.float32), RATE, presenter_timing())
    assert caught.value.code == "no_face"


def test_saved_and_loaded_models_agree(person: ShapeModel, tmp_path: Path) -> None:
    person.save(tmp_path / "face")
    again = ShapeModel.load(tmp_path / "face")
    timing = presenter_timing()
    np.testing.assert_allclose(again.predict(timing, 200, RATE), person.predict(timing, 200, RATE), atol=1e-5)
    with pytest.raises(RetakeError):
        ShapeModel.load(tmp_path / "nobody")


def test_features_average_exactly() -> None:
    timing = timing_of((SILENCE, 0.1), ("P", 0.02), ("AA", 0.1))
    codes = phone_features(timing, np.array([0.11, 0.115, 5.0]))
    np.testing.assert_allclose(
        codes[0],
        phone_features(timing, np.array([0.05]))[0] * 0.25 + phone_features(timing, np.array([0.17]))[0] * 0.25 + codes_of("P") * 0.5,
        atol=1e-6,
    )
    assert codes[2, 0] == pytest.approx(1.0)


def codes_of(symbol: str) -> np.ndarray:
    return phone_features(timing_of((symbol, 1.0)), np.array([0.5]))[0]


def test_the_prior_is_small_and_names_its_sources() -> None:
    assets = PRESENTER.parent
    assert (assets / "shape_prior.safetensors").stat().st_size < 2_000_000
    record = json.loads((assets / "shape_prior.json").read_text("utf-8"))
    assert "CC BY 4.0" in {source["licence"] for source in record["sources"]}
    used = {name for source in record["sources"] if isinstance(source["used"], dict) for names in source["used"].values() for name in names}
    held = set(record["held_out"]["grid speaker 1"])
    assert len(held) >= 40
    assert not used & held


@pytest.mark.parametrize("damaged", ["shape.json", "shape.safetensors"])
def test_a_damaged_model_asks_for_another_enrolment(tmp_path: Path, damaged: str) -> None:
    prior = load_prior()
    canonical = np.repeat(np.zeros((1, 478, 3), np.float32), 30, 0)
    canonical[:, list(MOUTH)] = np.random.default_rng(0).normal(0, 0.1, (1, len(MOUTH), 3))
    canonical[:, list(RIGID)] = prior.rigid
    ShapeModel.fit(canonical, FrameRate(25), Timing((), ())).save(tmp_path)
    whole = (tmp_path / damaged).read_bytes()
    (tmp_path / damaged).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RetakeError) as error:
        ShapeModel.load(tmp_path)
    assert error.value.code == "speaker_damaged"
