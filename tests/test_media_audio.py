"""Sound of every layout and rate, in time with the picture."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from media_samples import has_encoder, heard_at, make_sound, make_video, tone

from retake.domain.errors import RetakeError
from retake.media.audio import NoSound, fit_length, read_audio, resample, write_wav


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000, 96000])
def test_any_rate(tmp_path: Path, rate: int) -> None:
    path = make_sound(tmp_path / "a b ü.wav", tone(1.0, rate, click_at=0.5), rate)
    samples = read_audio(path, 16000)
    assert samples.dtype == np.float32
    assert samples.shape == (16000,)
    # The chirp's own band depends on the rate it was made at; where its energy lies does not.
    energy = np.convolve(samples**2, np.ones(400), mode="same")
    assert energy.argmax() / 16000 == pytest.approx(0.525, abs=0.004)


@pytest.mark.parametrize(
    ("codec", "name"),
    [("aac", "a.m4a"), ("libmp3lame", "a.mp3"), ("flac", "a.flac"), ("libopus", "a.ogg"), ("pcm_s24le", "a.wav"), ("pcm_f32le", "a.wav")],
)
def test_codecs_start_on_time(tmp_path: Path, codec: str, name: str) -> None:
    if not has_encoder(codec):
        pytest.skip(f"this build of PyAV cannot write {codec}")
    path = make_sound(tmp_path / name, tone(1.0, 48000, click_at=0.3), 48000, codec=codec)
    samples = read_audio(path, 48000)
    assert heard_at(samples, 48000) == pytest.approx(0.3, abs=0.002)
    assert len(samples) == pytest.approx(48000, abs=2400)


def test_levels_are_kept(tmp_path: Path) -> None:
    samples = read_audio(make_sound(tmp_path / "a.wav", tone(1.0, 44100), 44100), 48000)
    assert np.sqrt((samples[4800:-4800] ** 2).mean()) == pytest.approx(0.3 / np.sqrt(2), rel=0.005)


def test_stereo_is_averaged(tmp_path: Path) -> None:
    sound = np.stack([tone(0.5, 48000), np.zeros(24000, np.float32)], 1)
    samples = read_audio(make_sound(tmp_path / "a.wav", sound, 48000, layout="stereo"), 48000)
    assert np.sqrt((samples**2).mean()) == pytest.approx(0.15 / np.sqrt(2), rel=0.01)


def test_opposite_channels_do_not_cancel(tmp_path: Path) -> None:
    sound = np.stack([tone(0.5, 48000), -tone(0.5, 48000)], 1)
    samples = read_audio(make_sound(tmp_path / "a.wav", sound, 48000, layout="stereo"), 48000)
    assert np.sqrt((samples**2).mean()) == pytest.approx(0.3 / np.sqrt(2), rel=0.01)


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le"])
@pytest.mark.parametrize("layout", ["mono", "stereo"])
def test_sample_formats(tmp_path: Path, codec: str, layout: str) -> None:
    sound = tone(0.5, 48000) if layout == "mono" else np.stack([tone(0.5, 48000)] * 2, 1)
    samples = read_audio(make_sound(tmp_path / "a.wav", sound, 48000, codec=codec, layout=layout), 48000)
    assert np.abs(samples - tone(0.5, 48000)).max() < (0.01 if codec == "pcm_u8" else 1e-4)


def test_channels_without_names(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:  # four channels; the plain header does not say which is which
        file.setnchannels(4)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes((np.repeat(tone(0.5, 48000)[:, None], 4, 1) * 32767).astype("<i2").tobytes())
    samples = read_audio(path, 48000)
    assert np.corrcoef(samples, tone(0.5, 48000))[0, 1] > 0.999


def test_loud_surround_does_not_clip(tmp_path: Path) -> None:
    sound = np.repeat(3 * tone(0.5, 48000)[:, None], 6, 1)
    samples = read_audio(make_sound(tmp_path / "a.wav", sound, 48000, layout="5.1"), 48000)
    assert np.abs(samples).max() == pytest.approx(1.0, abs=0.01)
    assert np.corrcoef(samples, tone(0.5, 48000))[0, 1] > 0.999


def test_layout_changes_inside_a_stream(tmp_path: Path) -> None:
    """Two transport streams, mono and 5.1, joined as a recorder does."""
    mono = make_sound(tmp_path / "a.ts", tone(0.5, 48000), 48000, codec="aac")
    surround = make_sound(tmp_path / "b.ts", np.repeat(tone(0.5, 48000)[:, None], 6, 1), 48000, codec="aac", layout="5.1")
    joined = tmp_path / "c.ts"
    joined.write_bytes(mono.read_bytes() + surround.read_bytes())
    assert len(read_audio(joined, 16000)) >= 7500


def test_surround_keeps_the_voice_in_the_centre(tmp_path: Path) -> None:
    sound = np.zeros((24000, 6), np.float32)
    sound[:, 2] = tone(0.5, 48000)
    sound[:, 3] = tone(0.5, 48000, frequency=60.0)  # the low-frequency channel is no part of a mono mix
    samples = read_audio(make_sound(tmp_path / "a.wav", sound, 48000, layout="5.1"), 48000)
    spectrum = np.abs(np.fft.rfft(samples))
    assert spectrum[220] > 0.05 * len(samples)  # 440 Hz
    assert spectrum[30] < 0.01 * spectrum[220]  # 60 Hz


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "ts"])
@pytest.mark.parametrize(("start", "sound_start"), [(0.0, 0.0), (0.0, 0.2), (3.0, 0.0)])
def test_zero_is_the_first_picture(tmp_path: Path, suffix: str, start: float, sound_start: float) -> None:
    path = make_video(tmp_path / f"a.{suffix}", frames=40, sound=tone(1.5, 48000, click_at=0.5), start=start, sound_start=sound_start)
    assert heard_at(read_audio(path, 48000), 48000) == pytest.approx(0.5 + sound_start, abs=0.003)


def test_sound_before_the_first_picture_is_cut(tmp_path: Path) -> None:
    times = [0.3 + i / 25 for i in range(30)]
    path = make_video(tmp_path / "a.mkv", frames=30, times=times, sound=tone(1.5, 48000, click_at=0.5))
    assert heard_at(read_audio(path, 48000), 48000) == pytest.approx(0.2, abs=0.003)


def test_stretch(tmp_path: Path) -> None:
    path = make_sound(tmp_path / "a.wav", tone(2.0, 44100, click_at=1.0), 44100)
    samples = read_audio(path, 44100, start=0.8, seconds=0.5)
    assert len(samples) == 22050
    assert heard_at(samples, 44100) == pytest.approx(0.2, abs=0.001)


def test_no_sound(tmp_path: Path) -> None:
    with pytest.raises(NoSound) as caught:
        read_audio(make_video(tmp_path / "a.mp4", frames=5), 16000)
    assert caught.value.code == "no_sound"


def test_damaged_sound(tmp_path: Path) -> None:
    path = make_sound(tmp_path / "a.flac", tone(1.0, 48000), 48000, codec="flac")
    data = bytearray(path.read_bytes())
    data[200:] = np.random.default_rng(0).integers(0, 256, len(data) - 200).astype(np.uint8).tobytes()
    path.write_bytes(data)
    with pytest.raises(RetakeError) as caught:
        read_audio(path, 16000)
    assert caught.value.code == "corrupt"


def test_wav_round_trip(tmp_path: Path) -> None:
    samples = np.array([0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0, np.nan], np.float32)
    write_wav(tmp_path / "a.wav", samples, 48000)
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 48000)
        coded = np.frombuffer(file.readframes(100), "<i2")
    assert coded.tolist() == [0, 16384, -16384, 32767, -32768, 32767, -32768, 0]
    assert np.allclose(read_audio(tmp_path / "a.wav", 48000), coded / 32768)


def test_wav_is_mono(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mono"):
        write_wav(tmp_path / "a.wav", np.zeros((10, 2)), 48000)


@pytest.mark.parametrize(("rate", "to"), [(24000, 48000), (44100, 48000), (48000, 16000)])
def test_resampling_keeps_time_and_length(rate: int, to: int) -> None:
    samples = np.zeros(rate, np.float32)
    samples[rate // 2] = 1.0
    out = resample(samples, rate, to)
    assert len(out) == to
    assert abs(int(np.abs(out).argmax()) - to // 2) <= 1


def test_fit_length() -> None:
    assert fit_length(np.ones(3, np.float32), 5).tolist() == [1, 1, 1, 0, 0]
    assert fit_length(np.ones(3, np.float32), 2).tolist() == [1, 1]
