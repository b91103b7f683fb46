"""Enrolling and speaking with the embedded voice, on a reference that the base voice made, warped to be somebody else."""

from __future__ import annotations

import copy
import itertools
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import soxr
import torch

from retake.domain.errors import Cancelled, RetakeError
from retake.domain.phones import PHONES, SILENCE
from retake.domain.progress import Progress
from retake.domain.speech import Speech
from retake.speech import embedded, features, learn
from retake.speech.adapt import Adapted, Settings, adapt
from retake.speech.embedded import EmbeddedVoice
from retake.speech.hibari_net import RATE
from retake.speech.hygiene_record import FILE as HYGIENE
from retake.speech.learn import enrol
from retake.speech.losses import spectral_loss
from retake.speech.loudness import CEILING, loudness, true_peak
from retake.speech.material import Material, prepare
from retake.speech.plan import plan
from retake.speech.style import STYLES
from retake.speech.synthesis import Synthesiser, render
from retake.speech.voice_store import FOLDER, RECORD, WEIGHTS, load_profile, load_voice

TEXT = "The boy was there when the sun rose. A pot of tea helps to pass the evening."
LINE = "It costs $9.99 — Dr. Smith said so.\n\nReally? Then we went home."
QUICK = Settings(steps=4, crop=24, crops=2, rehearsed=1)


@dataclass(frozen=True)
class Reference:
    samples: np.ndarray
    rate: int


@pytest.fixture(scope="module")
def reference() -> Reference:
    """Some 5 s: the base voice lowered by a tenth (formants and pitch alike), quieter, with a noise floor."""
    base = Synthesiser()
    sound = np.concatenate([base.speak_phonemes(utterance.phonemes, pace=1.1)[0] for utterance in plan(TEXT)])
    lowered = soxr.resample(sound, RATE, RATE * 1.1)
    noise = np.random.default_rng(0).standard_normal(len(lowered)) * 2e-4
    return Reference((lowered * 0.5 + noise).astype(np.float32), RATE)


@pytest.fixture(scope="module")
def speaker(reference: Reference, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("speakers") / "anna k"
    folder.mkdir()
    enrol(folder, reference.samples, reference.rate, TEXT, Progress(), settings=QUICK)
    return folder


@pytest.fixture(scope="module")
def engine() -> EmbeddedVoice:
    return EmbeddedVoice()


@pytest.fixture(scope="module")
def speech(speaker: Path, engine: EmbeddedVoice) -> Speech:
    return engine.speak(speaker, LINE, seed=0, pace=1.0, progress=Progress())


def test_profile_describes_the_reference(speaker: Path, reference: Reference) -> None:
    profile = load_profile(speaker)
    assert profile.transcript == "given"
    assert profile.seconds == pytest.approx(len(reference.samples) / RATE)
    assert profile.pitch_person - profile.pitch_base == pytest.approx(np.log(1 / 1.1), abs=0.03)
    assert profile.warp > 1.0  # formants lie lower than the base voice's
    assert profile.loudness_lufs == pytest.approx(loudness(reference.samples, RATE), abs=0.3)
    assert profile.noise_db < -35
    assert not [finding for finding in profile.warnings if finding.code == "voice_no_transcript"]


def test_phones_tile_the_samples(speech: Speech) -> None:
    phones = speech.timing.phones
    assert speech.rate == RATE and speech.samples.dtype == np.float32
    assert phones[0].start == 0.0
    assert phones[-1].end == pytest.approx(speech.duration, abs=1e-9)
    assert all(a.end == b.start for a, b in itertools.pairwise(phones))
    assert all(phone.symbol in PHONES and phone.end > phone.start for phone in phones)
    assert speech.timing.exact
    assert any(phone.stress == 1 for phone in phones)


def test_caption_words_are_as_written(speech: Speech) -> None:
    words = speech.timing.words
    assert [word.text for word in words] == ["It", "costs", "$9.99 —", "Dr.", "Smith", "said", "so.", "Really?", "Then", "we", "went", "home."]
    assert all(word.start < word.end for word in words)
    assert all(a.end <= b.start + 1e-9 for a, b in itertools.pairwise(words))
    price = words[2]
    assert price.end - price.start > 1.0  # nine dollars and ninety-nine cents
    spoken = [phone.symbol for phone in speech.timing.phones if price.start - 1e-6 <= phone.start < price.end - 1e-6 and phone.symbol != SILENCE]
    assert spoken[:5] == ["N", "AY", "N", "D", "AA"]


def test_pauses_are_quiet_and_words_are_not(speech: Speech) -> None:
    level = np.sqrt(np.convolve(speech.samples**2, np.ones(240) / 240, "same"))
    pauses = speech.timing.pauses(0.2)
    assert len(pauses) >= 2
    for start, end in pauses:
        inside = level[round((start + 0.04) * RATE) : round((end - 0.04) * RATE)]
        assert inside.max() < 0.15 * level.max()
    for word in speech.timing.words:
        assert level[round(word.start * RATE) : round(word.end * RATE)].max() > 0.1 * level.max()
    longest = max(pauses, key=np.ptp)
    assert speech.timing.words[6].end <= longest[0] + 0.02 and longest[1] <= speech.timing.words[7].start + 0.02  # the paragraph's


def test_loudness_matches_the_reference(speech: Speech, reference: Reference) -> None:
    wanted, measured = loudness(reference.samples, RATE), loudness(speech.samples, RATE)
    assert abs(wanted - measured) <= 0.5
    assert true_peak(speech.samples) <= CEILING + 0.01


def test_seeds(speaker: Path, engine: EmbeddedVoice, speech: Speech) -> None:
    again = EmbeddedVoice().speak(speaker, LINE, seed=0, pace=1.0, progress=Progress())
    assert np.array_equal(again.samples, speech.samples) and again.timing == speech.timing
    other, same = (engine.speak(speaker, LINE, seed=7, pace=1.0, progress=Progress()) for _ in range(2))
    assert np.array_equal(other.samples, same.samples)
    assert [word.text for word in other.timing.words] == [word.text for word in speech.timing.words]
    assert other.timing.phones != speech.timing.phones
    assert 0.85 < other.duration / speech.duration < 1.18


def test_pace(speaker: Path, engine: EmbeddedVoice, speech: Speech) -> None:
    quick = engine.speak(speaker, LINE, seed=0, pace=1.12, progress=Progress())
    assert 0.82 < quick.duration / speech.duration < 0.96
    with pytest.raises(RetakeError, match="pace"):
        engine.speak(speaker, LINE, seed=0, pace=0.0, progress=Progress())


def test_long_text_keeps_every_word(speaker: Path, engine: EmbeddedVoice) -> None:
    text = "\n\n".join(["The news comes first, then the weather; after that there are good books to talk about. " * 3] * 4)
    fractions: list[float] = []
    speech = engine.speak(speaker, text, seed=1, pace=1.0, progress=Progress(lambda _, fraction, __: fractions.append(fraction)))
    assert [word.text for word in speech.timing.words] == text.split()
    assert speech.timing.phones[-1].end == pytest.approx(speech.duration, abs=1e-9)
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert np.isfinite(speech.samples).all()


def test_one_word(speaker: Path, engine: EmbeddedVoice) -> None:
    speech = engine.speak(speaker, "Yes!", seed=0, pace=1.0, progress=Progress())
    assert [word.text for word in speech.timing.words] == ["Yes!"]
    assert [phone.symbol for phone in speech.timing.phones if phone.symbol != SILENCE] == ["Y", "EH", "S"]
    assert 0.2 < speech.duration < 1.5


def loss_on(material: Material, adapted: Adapted) -> float:
    """Of the whole reference spoken by the adapted decoder at its own times."""
    content = material.script.content[:, torch.from_numpy(material.index)]
    told = torch.from_numpy(adapted.pitch.to_base(material.pitch))
    with torch.no_grad():
        spectra = adapted.net.decode(content[None], told[None], torch.from_numpy(material.energy)[None])
        sound = render(spectra, material.pulses[None], torch.Generator().manual_seed(0))
        return spectral_loss(sound, torch.from_numpy(material.samples)[None]).item()


def test_training_lowers_the_loss_and_is_deterministic(reference: Reference) -> None:
    base = Synthesiser()
    before = {name: value.clone() for name, value in base.net.state_dict().items()}
    material = prepare(base, reference.samples, [utterance.phonemes for utterance in plan(TEXT)])
    short = Settings(crop=24, crops=1, rehearsed=1)
    untrained, first, second = (
        adapt(base, copy.deepcopy(material), learn._phonemise, replace(short, steps=steps), Progress()) for steps in (0, 12, 12)
    )
    assert loss_on(material, first) < 0.95 * loss_on(material, untrained)
    assert first.last_loss == second.last_loss
    assert all(torch.equal(value, second.net.state_dict()[name]) for name, value in first.net.state_dict().items())
    assert all(torch.equal(before[name], value) for name, value in base.net.state_dict().items())


def test_spectral_loss_is_zero_for_the_same_sound() -> None:
    sound = torch.randn(1, 6000, generator=torch.Generator().manual_seed(0)) * 0.05
    assert spectral_loss(sound, sound).item() == pytest.approx(0.0, abs=1e-6)
    assert spectral_loss(sound * 2, sound).item() > 0.5


def test_cancelling_leaves_nothing(reference: Reference, tmp_path: Path) -> None:
    reports = 0

    def listener(stage: str, fraction: float, detail: str) -> None:
        nonlocal reports
        reports += 1
        if reports == 3:
            progress.cancel()

    progress = Progress(listener)
    with pytest.raises(Cancelled):
        enrol(tmp_path, reference.samples, reference.rate, TEXT, progress, settings=QUICK)
    assert list(tmp_path.rglob("*")) == []


def test_without_a_transcript(reference: Reference, tmp_path: Path) -> None:
    profile = enrol(tmp_path, reference.samples, reference.rate, None, Progress(), settings=replace(QUICK, steps=1))
    assert profile.transcript == "recognised"
    assert "voice_no_transcript" in [finding.code for finding in profile.warnings]


def test_shortcomings_are_reported_with_remedies(speaker: Path) -> None:
    profile = load_profile(speaker)
    worse = {"voice_narrow_band": {"bandwidth_hz": 3400.0}, "voice_noisy": {"noise_db": -15.0}, "voice_transcript_mismatch": {"alignment_cost": 9.0}}
    for code, change in worse.items():
        (finding,) = learn._findings(profile.model_copy(update=change))
        assert finding.code == code and finding.remedy
    assert learn._findings(profile) == []


@pytest.mark.parametrize(
    ("samples", "code"),
    [(np.zeros(10 * RATE, np.float32), "no_speech"), (np.ones(100, np.float32), "no_speech"), (np.zeros(130 * RATE, np.float32), "too_long")],
)
def test_unusable_references_are_refused(samples: np.ndarray, code: str, tmp_path: Path) -> None:
    with pytest.raises(RetakeError) as caught:
        enrol(tmp_path, samples, RATE, TEXT, Progress(), settings=QUICK)
    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_missing_and_damaged_voices(speaker: Path, tmp_path: Path, engine: EmbeddedVoice) -> None:
    with pytest.raises(RetakeError) as caught:
        engine.speak(tmp_path, "Hello.", seed=0, pace=1.0, progress=Progress())
    assert caught.value.code == "no_voice"
    other = tmp_path / "copy"
    shutil.copytree(speaker, other)
    weights = other / FOLDER / WEIGHTS
    data = bytearray(weights.read_bytes())
    data[-100] ^= 0xFF
    weights.write_bytes(bytes(data))
    with pytest.raises(RetakeError) as caught:
        load_voice(other)
    assert caught.value.code == "voice_damaged"
    (other / FOLDER / RECORD).write_text("{}", encoding="utf-8")
    with pytest.raises(RetakeError) as caught:
        load_voice(other)
    assert caught.value.code == "voice_damaged"


def test_stored_voice_is_small_and_survives(speaker: Path) -> None:
    voice = load_voice(speaker)
    assert (speaker / FOLDER / WEIGHTS).stat().st_size < 10_000_000
    assert sorted(path.name for path in (speaker / FOLDER).iterdir()) == sorted([RECORD, WEIGHTS, HYGIENE])
    assert all(torch.isfinite(value).all() for value in voice.net.state_dict().values())


def test_few_voices_stay_in_memory(speaker: Path, tmp_path: Path) -> None:
    engine = EmbeddedVoice()
    for number in range(embedded._KEPT + 2):
        other = tmp_path / str(number)
        shutil.copytree(speaker, other)
        engine.speak(other, "Yes.", seed=0, pace=1.0, progress=Progress())
    assert len(engine._voices) == embedded._KEPT


def test_cancel_while_speaking(speaker: Path, engine: EmbeddedVoice) -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        engine.speak(speaker, LINE, seed=0, pace=1.0, progress=progress)


def test_pauses_last_as_long_as_they_say(speaker: Path, engine: EmbeddedVoice) -> None:
    plain = engine.speak(speaker, "We ship on Friday. Or not at all.")
    text = "[pause 0.5] We ship [pause 0.8] on Friday. [pause 1.5] Or not at all. [pause 0.7]"
    said = engine.speak(speaker, text)
    assert [word.text for word in said.timing.words] == [word.text for word in plain.timing.words]
    long = [round(end - start, 2) for start, end in said.timing.pauses(0.4)]
    assert long == [0.5, 0.8, 1.5, 0.7]
    assert said.timing.phones[-1].end == pytest.approx(said.duration)
    quicker = engine.speak(speaker, text, pace=1.2)
    assert [round(end - start, 2) for start, end in quicker.timing.pauses(0.4)] == long


def test_a_stressed_word_is_longer_and_higher(speaker: Path, engine: EmbeddedVoice) -> None:
    plain = engine.speak(speaker, "The second room is larger than this one.")
    strong = engine.speak(speaker, "The *second* room is larger than this one.")
    lengths, tops = [], []
    for said in (plain, strong):
        (word,) = [word for word in said.timing.words if word.text == "second"]
        heard = features.pitch(said.samples)[round(word.start * 80) : round(word.end * 80)]
        lengths.append(word.end - word.start)
        tops.append(float(np.percentile(heard[heard > 50], 90)))
    assert lengths[1] > 1.1 * lengths[0]
    assert tops[1] > 1.02 * tops[0]
    assert [word.text for word in plain.timing.words] == [word.text for word in strong.timing.words]


def test_styles_are_slower_or_quicker_and_others_are_refused(speaker: Path, engine: EmbeddedVoice) -> None:
    text = "We ship on Friday. Nobody waits for us."
    seconds = {style: engine.speak(speaker, text, style=style).duration for style in STYLES}
    assert seconds["brisk"] < seconds["neutral"] < seconds["emphatic"]
    assert np.array_equal(engine.speak(speaker, text, style="neutral").samples, engine.speak(speaker, text).samples)
    with pytest.raises(RetakeError, match="no style 'shouted'") as caught:
        engine.speak(speaker, text, style="shouted")
    assert "neutral, warm, brisk, emphatic" in caught.value.remedy
