"""What enrolment learnt of a voice, and where it is kept: `voice.json` and `voice.safetensors` in the speaker's voice folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.speaker import Finding
from retake.media.files import atomic_bytes, atomic_text

from .hibari_net import BINS, VoiceNet, load_base
from .pitch_map import PitchMap

ENGINE, ENGINE_VERSION = "embedded", "3"  # the version says whether takes and voices made before are as they would be made now
FOLDER = "voice"
RECORD, WEIGHTS = "voice.json", "voice.safetensors"
ADAPTED_PARTS = ("dec_in", "dec", "dec_norm", "head")
ROOM = "room"  # log magnitudes of the reference's own silence


class VoiceProfile(BaseModel):
    """A learnt voice. Pitches are natural logarithms of hertz."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = 1
    engine: str
    engine_version: str
    language: str = "en"
    seconds: float = Field(gt=0)  # of reference
    transcript: str  # "given" or "recognised"
    pitch_base: float
    pitch_person: float
    pitch_spread: float
    pace: float  # of the person, relative to the base voice
    base: str = "heart"  # voice or mixture that learning started from (bases.py)
    pause: float  # seconds between sentences
    warp: float  # of the frequency axis
    alignment_cost: float
    steps: int
    first_loss: float
    last_loss: float
    loudness_lufs: float | None  # of the reference; None where it was too short or too quiet to measure
    bandwidth_hz: float
    noise_db: float  # of the pauses, relative to the speech
    warnings: tuple[Finding, ...] = ()
    weights_sha256: str

    @property
    def pitch_map(self) -> PitchMap:
        return PitchMap(self.pitch_base, self.pitch_person, self.pitch_spread)


@dataclass(frozen=True)
class Voice:
    """A profile with its weights in memory. `room` is (BINS,) log magnitudes of the person's silence, at the network's level."""

    profile: VoiceProfile
    net: VoiceNet
    room: torch.Tensor


def pack(net: VoiceNet, room: torch.Tensor) -> bytes:
    """The adapted parts and the room as safetensors. Half precision: 8 MB; the loss changes in the fourth digit."""
    kept = {name: value.to(torch.float16).contiguous() for name, value in net.state_dict().items() if name.startswith(ADAPTED_PARTS)}
    return save_tensors({**kept, ROOM: room.to(torch.float16)})


def save_voice(folder: Path, profile: VoiceProfile, weights: bytes) -> None:
    """Write both files into `folder`/voice; the record last, so that a record always has its weights."""
    place = folder / FOLDER
    place.mkdir(parents=True, exist_ok=True)
    atomic_bytes(place / WEIGHTS, weights)
    atomic_text(place / RECORD, profile.model_dump_json(indent=1) + "\n")


def load_profile(folder: Path) -> VoiceProfile:
    """Read the record of a speaker's voice; raises RetakeError where there is none or it cannot be used."""
    try:
        return VoiceProfile.model_validate_json((folder / FOLDER / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        cause = f"{folder.name} has no embedded voice."
        raise RetakeError(cause, "Enrol the speaker again from a reference with sound.", kind=ErrorKind.NOT_FOUND, code="no_voice") from None
    except (ValidationError, UnicodeDecodeError):
        raise _damaged(folder) from None


def load_voice(folder: Path) -> Voice:
    """Read a speaker's voice. Raises RetakeError where it is missing or damaged."""
    profile = load_profile(folder)
    try:
        data = (folder / FOLDER / WEIGHTS).read_bytes()
        if hashlib.sha256(data).hexdigest() != profile.weights_sha256:
            raise _damaged(folder)
        stored = {name: value.float() for name, value in load_tensors(data).items()}
    except (FileNotFoundError, SafetensorError):
        raise _damaged(folder) from None
    room = stored.pop(ROOM, torch.zeros(0))
    net = load_base().voice
    missing = {name for name in net.state_dict() if name.startswith(ADAPTED_PARTS)} ^ set(stored)
    if missing or room.shape != (BINS,):
        raise _damaged(folder)
    net.load_state_dict(stored, strict=False)
    return Voice(profile, net.eval().requires_grad_(False), room)


def _damaged(folder: Path) -> RetakeError:
    return RetakeError(f"The stored voice of {folder.name} is damaged.", "Enrol the speaker again.", kind=ErrorKind.ENVIRONMENT, code="voice_damaged")
