"""Voices of engines in their own process: a toy one that plays what somebody really said, checked, timed and mastered like any other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from speaker_samples import speaker_record
from toy_engine import misbehaving

from retake.domain.errors import RetakeError
from retake.domain.progress import Progress
from retake.engines import registry
from retake.engines.hosts import Hosts
from retake.engines.install import install
from retake.media.audio import read_audio, write_wav
from retake.speech.embedded import EmbeddedVoice
from retake.speech.engines import voice_engine
from retake.speech.hosted import HostedVoice
from retake.speech.loudness import loudness
from retake.speech.retry import ATTEMPTS, Checked
from retake.speech.spoken_line import SpokenLine
from retake.speech.stretch import stretch
from retake.speech.take_check import Voice

ROOT = Path(__file__).resolve().parent.parent
PRESENTER = ROOT / "daemon" / "retake" / "assets" / "presenter"
RATE = 24000
PLAY = "data = array('f')\ndata.frombytes(self.weights)\nsilence = array('f', bytes(4 * 12000))\n"


@pytest.fixture(scope="module")
def said() -> tuple[str, np.ndarray]:
    """What the presenter says, and the sound of it."""
    return (PRESENTER / "presenter.txt").read_text(encoding="utf-8").strip(), read_audio(PRESENTER / "presenter.mp4", RATE)


@pytest.fixture
def speaker(tmp_path: Path, said: tuple[str, np.ndarray]) -> Path:
    folder = tmp_path / "speakers" / "anna"
    folder.mkdir(parents=True)
    (folder / "speaker.json").write_text(speaker_record("anna", transcript=said[0], loudness_lufs=-20.0).model_dump_json(), encoding="utf-8")
    write_wav(folder / "reference.wav", said[1], RATE)
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def pool(home: Path) -> Iterator[Hosts]:
    made = Hosts(home)
    yield made
    made.close()


def player(home: Path, tmp_path: Path, sound: np.ndarray, speak: str, *, languages: str = '["en"]') -> None:
    """Install a toy whose weights are a sound."""
    toy = misbehaving(tmp_path / "toy", PLAY + speak)
    toy.rewrite("toy.py", "        self.pitch = ", "        self.weights = weights\n        self.pitch = ")
    toy.rewrite("toy.toml", 'languages = ["en"]', f"languages = {languages}")
    data = np.ascontiguousarray(sound, np.float32).tobytes()
    (toy.folder / "formants.bin").write_bytes(data)
    manifest = (toy.folder / "toy.toml").read_text(encoding="utf-8")
    old = next(line for line in manifest.splitlines() if line.startswith("sha256"))
    toy.rewrite("toy.toml", old, f'sha256 = "{hashlib.sha256(data).hexdigest()}"')
    toy.rewrite("toy.toml", "size = 1280", f"size = {len(data)}")
    install(home, "toy", source=toy.folder, progress=Progress())


def test_words_are_timed_with_a_confidence_and_brought_to_the_speakers_loudness(
    home: Path, tmp_path: Path, pool: Hosts, speaker: Path, said: tuple[str, np.ndarray]
) -> None:
    text, sound = said
    lines = "print('ORDER', order.language, order.reference, order.sentences, order.reference_text, len(order.voice_key), order.pace, flush=True)\n"
    player(home, tmp_path, sound, lines + "yield silence, RATE\nyield data, RATE\nyield silence, RATE\nreturn")
    voice = HostedVoice(home, "toy", pool=pool)
    assert (voice.name, voice.languages) == ("toy", ("en",)) and voice.version.startswith("1-")
    speech = voice.speak(speaker, text, seed=3, pace=1.0, progress=Progress())
    assert speech.rate == RATE and speech.engine == f"toy {voice.version}" and not speech.timing.exact
    assert speech.timing.confidence > 0.7
    assert [word.text for word in speech.timing.words] == text.split()
    assert speech.timing.phones[0].start == 0.0 and speech.timing.phones[-1].end == pytest.approx(speech.duration, abs=0.02)
    assert speech.duration < len(sound) / RATE + 0.1  # the second of silence around it is gone
    assert loudness(speech.samples, RATE) == pytest.approx(-20.0, abs=0.5)
    order = (home / "logs" / "engines" / "toy.log").read_text(encoding="utf-8")
    assert f"ORDER en {speaker.resolve() / 'reference.wav'}" in order and " 64 1.0" in order


def test_another_pace(home: Path, tmp_path: Path, pool: Hosts, speaker: Path, said: tuple[str, np.ndarray]) -> None:
    player(home, tmp_path, said[1], "yield data, RATE\nreturn")
    voice = HostedVoice(home, "toy", pool=pool)
    normal = voice.speak(speaker, said[0], pace=1.0)
    faster = voice.speak(speaker, said[0], pace=1.12)
    assert faster.duration == pytest.approx(normal.duration / 1.12, abs=0.15) and faster.timing.confidence > 0.6


def line(voice: HostedVoice, speaker: Path, text: str, seed: int) -> Checked:
    return SpokenLine(voice, speaker, text, seed, "neutral", 1.0).speak(Voice(), Progress())


def test_a_reading_with_other_words_is_made_again(home: Path, tmp_path: Path, pool: Hosts, speaker: Path, said: tuple[str, np.ndarray]) -> None:
    lines = "print('SEED', order.seed, flush=True)\nif order.seed == 3:\n    yield data[: len(data) // 9], RATE\nelse:\n    yield data, RATE\nreturn"
    player(home, tmp_path, said[1], lines)
    checked = line(HostedVoice(home, "toy", pool=pool), speaker, said[0], 3)
    assert checked.speech.timing.confidence > 0.7
    assert (home / "logs" / "engines" / "toy.log").read_text().count("SEED") == 2
    assert checked.kept == 1 and checked.attempts[0].problems[0].code == "wrong_words"


def test_an_engine_that_never_says_the_words(home: Path, tmp_path: Path, pool: Hosts, speaker: Path, said: tuple[str, np.ndarray]) -> None:
    player(home, tmp_path, said[1], "print('SEED', order.seed, flush=True)\nyield silence, RATE\nreturn")
    with pytest.raises(RetakeError) as caught:
        line(HostedVoice(home, "toy", pool=pool), speaker, "Nobody says this.", 0)
    assert caught.value.code == "engine_wrong_words"
    assert (home / "logs" / "engines" / "toy.log").read_text().count("SEED") == ATTEMPTS


def test_memory_runs_out_once_and_for_good(home: Path, tmp_path: Path, pool: Hosts, speaker: Path, said: tuple[str, np.ndarray]) -> None:
    player(home, tmp_path, said[1], "if not order.smaller or order.seed == 5:\n    raise MemoryError\nyield data, RATE\nreturn")
    voice = HostedVoice(home, "toy", pool=pool)
    assert voice.speak(speaker, said[0], seed=3).timing.confidence > 0.7
    with pytest.raises(RetakeError) as caught:
        voice.speak(speaker, said[0], seed=5)
    assert caught.value.code == "engine_out_of_memory"


@pytest.mark.parametrize("lines", ["return\nyield", "yield data, 100\nreturn", "yield array('f', [float('nan')] * 9), RATE\nreturn"])
def test_what_is_no_sound_is_refused(home: Path, tmp_path: Path, pool: Hosts, speaker: Path, lines: str) -> None:
    player(home, tmp_path, np.zeros(9, np.float32), lines)
    with pytest.raises(RetakeError) as caught:
        HostedVoice(home, "toy", pool=pool).speak(speaker, "Hello.")
    assert caught.value.code == "engine_bad_sound"


def test_other_languages_name_the_engines_that_speak_them(home: Path, tmp_path: Path, pool: Hosts, speaker: Path) -> None:
    player(home, tmp_path, np.zeros(9, np.float32), "yield silence, RATE", languages='["fi"]')
    with pytest.raises(RetakeError) as caught:
        HostedVoice(home, "toy", pool=pool).speak(speaker, "Hello.")
    assert caught.value.code == "engine_language" and "xtts" in caught.value.remedy and "toy" not in caught.value.remedy


def test_engines_by_name(home: Path, tmp_path: Path) -> None:
    assert isinstance(voice_engine("embedded"), EmbeddedVoice)
    assert voice_engine("embedded") is voice_engine("embedded")
    for name, code in (("xtts", "engine_not_installed"), ("nothing", "unknown_engine")):
        with pytest.raises(RetakeError) as caught:
            voice_engine(name, folder=home)
        assert caught.value.code == code
    player(home, tmp_path, np.zeros(9, np.float32), "yield silence, RATE")
    voice = voice_engine("toy", folder=home)
    before = voice.version
    adapter = registry.user_manifests(home) / "toy.py"
    adapter.write_text(adapter.read_text() + "\n# another sound\n")
    assert voice.version != before  # what was spoken before is not taken for what it would say now


@pytest.mark.parametrize("pace", [0.7, 0.88, 1.0, 1.12, 1.5])
def test_stretched_speech_keeps_its_pitch(pace: float) -> None:
    time = np.arange(2 * RATE) / RATE
    tone = (0.3 * np.sin(2 * np.pi * 150 * time)).astype(np.float32)
    out = stretch(tone, RATE, pace)
    assert len(out) == round(len(tone) / pace)
    middle = out[RATE // 4 : RATE // 4 + RATE // 2]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.fft.rfftfreq(len(middle), 1 / RATE)[int(spectrum.argmax())] == pytest.approx(150, abs=2)
    assert np.abs(middle).max() == pytest.approx(0.3, abs=0.03)


def test_stretching_leaves_short_sounds_alone() -> None:
    assert len(stretch(np.ones(10, np.float32), RATE, 1.3)) == 10
