"""What the takes of one speaker are measured by: figures of the reference that are worked out once and serve many takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retake.domain.timing import Timing
from retake.domain.track import FaceTrack
from retake.face.canonical import MOUTH, make_template, to_canonical
from retake.media.audio import read_audio
from retake.media.reference import SOUND_NAME
from retake.speech.voiceprint import embed

from .mouth import measure_mouth

# What voices are compared at; more bandwidth says nothing more about who speaks.
VOICE_RATE = 16000


@dataclass(frozen=True)
class OwnMouth:
    """The speaker's face at rest, (478, 3) canonical, and how wide the mouth opens in the reference."""

    template: NDArray[np.float32]
    open_gap: float

    @classmethod
    def of(cls, track: FaceTrack, timing: Timing) -> OwnMouth:
        """From the track of a reference and the timing of its words."""
        template = make_template(track.landmarks)
        own, _ = to_canonical(track.landmarks, template)
        return cls(template, measure_mouth(own[:, list(MOUTH)], track.rate, timing).open_gap)


@dataclass(frozen=True)
class Standard:
    """`voice` is the speaker embedding of the reference's sound, None where it holds too little speech."""

    mouth: OwnMouth
    voice: NDArray[np.float32] | None

    @classmethod
    def of(cls, folder: Path, track: FaceTrack, timing: Timing) -> Standard:
        """Work out what the speaker's `folder` says."""
        try:
            voice = embed(read_audio(folder / SOUND_NAME, VOICE_RATE), VOICE_RATE)
        except ValueError:
            voice = None
        return cls(OwnMouth.of(track, timing), voice)
