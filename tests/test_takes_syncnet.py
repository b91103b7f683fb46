"""LSE-D and LSE-C: the shift that is found is the one that was put in; coefficients by their definition; files; a clip from end to end."""

from __future__ import annotations

import math
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from test_face_render import face, picture

from retake.domain.errors import RetakeError
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.domain.track import FaceTrack
from retake.takes import syncnet
from retake.takes.syncnet import REACH, distances, face_crop, measure, score
from retake.takes.syncnet_net import SyncNet, load
from retake.takes.syncnet_sound import RATE, mfcc

# Scores


def rows(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (count, 64)).astype(np.float32)


@pytest.mark.parametrize("late", [-15, -7, -1, 0, 1, 4, 15])
def test_the_shift_that_is_found_is_the_one_put_in(late: int) -> None:
    """Sound is what lips showed `late` frames later: the picture is late by so much."""
    both = rows(200 + 2 * REACH)
    lips = both[REACH : REACH + 200] + 0.1 * rows(200, 1)
    sound = both[REACH + late : REACH + late + 200]
    found = score(lips, sound)
    assert found.offset == late and found.windows == 200
    assert found.lse_d == pytest.approx(float(distances(lips, sound)[REACH - late].mean()))
    assert found.lse_c > 5 and found.lse_d < 4


def test_lips_and_sound_that_have_nothing_to_do_with_each_other_score_nothing() -> None:
    found = score(rows(300), rows(300, 1))
    assert 0 <= found.lse_c < 0.4 and found.lse_d > 8


def test_distances_by_hand() -> None:
    lips, sound = rows(5), rows(5, 1)
    found = distances(lips, sound, reach=2)
    assert found.shape == (5, 5)
    for shift in range(-2, 3):
        for window in range(5):
            other = sound[window + shift] if 0 <= window + shift < 5 else np.zeros(64)
            expected = math.sqrt(sum((float(a) - float(b) + 1e-6) ** 2 for a, b in zip(lips[window], other, strict=True)))
            assert found[shift + 2, window] == pytest.approx(expected, rel=1e-5)


# Coefficients


def defined(samples: np.ndarray, frame: int) -> np.ndarray:
    """One frame of coefficients, number by number."""
    whole = [round(float(value) * 32767) for value in samples]
    sharp = [whole[0]] + [whole[i] - 0.97 * whole[i - 1] for i in range(1, len(whole))]
    part = np.array([(sharp[i] if i < len(sharp) else 0.0) for i in range(160 * frame, 160 * frame + 400)])
    power = [abs(np.sum(part * np.exp(-2j * np.pi * k * np.arange(400) / 512))) ** 2 / 512 for k in range(257)]
    highest = 2595 * math.log10(1 + 8000 / 700)
    corners = [math.floor(513 * 700 * (10 ** (highest * i / 27 / 2595) - 1) / 16000) for i in range(28)]
    levels = []
    for a, b, c in zip(corners[:-2], corners[1:-1], corners[2:], strict=True):
        levels.append(math.log(sum(power[k] * (k - a) / (b - a) for k in range(a, b)) + sum(power[k] * (c - k) / (c - b) for k in range(b, c))))
    out = []
    for n in range(13):
        scale = math.sqrt((1 if n == 0 else 2) / 26)
        out.append(
            scale * sum(level * math.cos(math.pi * n * (2 * i + 1) / 52) for i, level in enumerate(levels)) * (1 + 11 * math.sin(math.pi * n / 22))
        )
    out[0] = math.log(sum(power))
    return np.array(out)


@pytest.mark.parametrize("frame", [0, 3, 98])
def test_coefficients_are_those_that_are_defined(frame: int) -> None:
    t = np.arange(RATE) / RATE
    sound = 0.3 * np.sin(2 * np.pi * 220 * t) * t + np.random.default_rng(0).normal(0, 0.02, RATE)
    found = mfcc(sound.astype(np.float32))
    assert found.shape == (13, 99)
    np.testing.assert_allclose(found[:, frame], defined(sound.astype(np.float32), frame), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("count", [0, 1, 400, 401, 16000])
def test_silence_and_short_sounds_give_numbers(count: int) -> None:
    found = mfcc(np.zeros(count, np.float32))
    assert found.shape == (13, 1 + max(0, math.ceil((count - 400) / 160))) and np.isfinite(found).all()


# The network


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A twin with an eighth of the channels, in the format of the published file: PyTorch's old one, without counters of batches."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "syncnet_v2.model"
    state = {name: tensor for name, tensor in SyncNet(12).state_dict().items() if not name.endswith("num_batches_tracked")}
    torch.save(state, path, _use_new_zipfile_serialization=False)
    return path


def test_the_network_has_the_published_shapes() -> None:
    network = SyncNet().eval()
    state = network.state_dict()
    assert state["netcnnlip.18.weight"].shape == (512, 256, 1, 6, 6) and state["netcnnaud.18.weight"].shape == (512, 256, 5, 4)
    assert state["netfclip.3.weight"].shape == (1024, 512) and state["netfcaud.1.running_mean"].shape == (512,)
    assert len([name for name in state if name.endswith("weight")]) == 30
    with torch.inference_mode():
        assert network.sound(torch.zeros(2, 1, 13, 20)).shape == (2, 1024)
        assert network.lips(torch.zeros(1, 3, 5, 224, 224)).shape == (1, 1024)


def test_files_that_are_something_else(tmp_path: Path, weights: Path) -> None:
    path = tmp_path / "other.model"
    path.write_bytes(b"<html>")
    with pytest.raises(RetakeError, match="no table of tensors") as caught:
        load(path)
    assert caught.value.code == "bad_syncnet"
    state = torch.load(weights, weights_only=True)
    for change, words in (
        ({"netcnnlip.0.weight": torch.zeros(3)}, r"netcnnlip.0.weight' is of shape \(3,\)"),
        ({"netfcaud.0.weight": torch.zeros(3)}, r"netfcaud.0.weight' is of shape \(3,\)"),
        ({"something": torch.zeros(3)}, "also holds 'something'"),
    ):
        torch.save(state | change, path)
        with pytest.raises(RetakeError, match=words):
            load(path)
    torch.save({name: tensor for name, tensor in state.items() if name != "netfclip.0.bias"}, path)
    with pytest.raises(RetakeError, match=r"'netfclip.0.bias' is missing"):
        load(path)


# A clip


def write_clip(path: Path, seconds: float, rate: FrameRate, sound: bool = True) -> FaceTrack:
    """A drawn face that opens its mouth as loud as it speaks."""
    count = rate.frames(seconds)
    loud = 0.5 + 0.5 * np.sin(2 * np.pi * 1.7 * np.arange(count) / float(rate))
    landmarks = np.stack([face(0.1 * float(level), (i / 9, 0)) for i, level in enumerate(loud)])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate.fraction, options={"crf": "12"})
        stream.width = stream.height = 256
        stream.pix_fmt = "yuv420p"
        voice = container.add_stream("aac", rate=48000, layout="mono") if sound else None
        for points in landmarks:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(points), format="rgb24")))
        container.mux(stream.encode(None))
        if voice is not None:
            t = np.arange(round(48000 * seconds)) / 48000
            wave = (0.3 * np.sin(2 * np.pi * 200 * t) * (0.5 + 0.5 * np.sin(2 * np.pi * 1.7 * t))).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
            frame.sample_rate = 48000
            container.mux(voice.encode(frame))
            container.mux(voice.encode(None))
    return FaceTrack(landmarks, np.zeros((count, 52), np.float32), np.ones(count, np.uint8), rate, 256, 256)


@pytest.mark.parametrize("rate", [FrameRate(25), FrameRate(30000, 1001)])
def test_a_clip_of_any_rate(tmp_path: Path, weights: Path, rate: FrameRate) -> None:
    network = load(weights)
    track = write_clip(tmp_path / "clip.mp4", 2.0, rate)
    found = measure(tmp_path / "clip.mp4", track, network, Progress())
    assert 43 <= found.windows <= 45 and -REACH <= found.offset <= REACH
    assert math.isfinite(found.lse_d) and found.lse_d > 0 and found.lse_c >= 0
    assert found == measure(tmp_path / "clip.mp4", track, network, Progress())


def test_pictures_come_in_order_and_only_where_the_face_is(tmp_path: Path) -> None:
    rate = FrameRate(25)
    track = write_clip(tmp_path / "clip.mp4", 2.4, rate)
    track.landmarks[:10] = np.nan
    boxes, first = syncnet._boxes(track)
    assert first == 10 and len(boxes) == 50
    windows = np.concatenate(list(syncnet._batches(tmp_path / "clip.mp4", boxes, first, 46)))
    assert windows.shape == (46, 3, 5, 224, 224)
    np.testing.assert_array_equal(windows[7, :, 3], windows[8, :, 2])
    points = track.landmarks[12]
    mouth = points[[13, 14], :2].mean(0)
    x, y, half = boxes[2]
    place = (mouth - (x - 1.4 * half, y - half)) / (2.8 * half)  # of the mouth within the crop
    assert 0.4 < place[0] < 0.6 and 0.3 < place[1] < 0.8
    middle = windows[0, :, 2, int(place[1] * 224), int(place[0] * 224)]
    assert middle.shape == (3,)


def test_outside_the_picture_is_grey() -> None:
    out = face_crop(np.zeros((100, 100, 3), np.uint8), np.array([0.0, 0.0, 40.0]))
    assert out.shape == (224, 224, 3) and (out[:70] == 110).all() and out[150, 200].max() == 0


def test_clips_that_cannot_be_measured(tmp_path: Path, weights: Path) -> None:
    network = load(weights)
    track = write_clip(tmp_path / "short.mp4", 1.2, FrameRate(25))
    with pytest.raises(RetakeError, match="too short") as caught:
        measure(tmp_path / "short.mp4", track, network, Progress())
    assert caught.value.code == "syncnet_too_short"
    nobody = FaceTrack(np.full_like(track.landmarks, np.nan), track.blendshapes, track.faces, track.rate, 256, 256)
    with pytest.raises(RetakeError, match="No face"):
        measure(tmp_path / "short.mp4", nobody, network, Progress())
    quiet = write_clip(tmp_path / "silent.mp4", 1.2, FrameRate(25), sound=False)
    with pytest.raises(RetakeError, match="no sound"):
        measure(tmp_path / "silent.mp4", quiet, network, Progress())
