"""What the takes of one speaker are measured by: figures of the reference that are worked out once and serve many takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retake.domain.progress import Progress
from retake.domain.speech import Speech
from retake.domain.timing import Timing
from retake.domain.track import FaceTrack
from retake.face.canonical import MOUTH, make_template, to_canonical
from retake.media.audio import read_audio, resample
from retake.media.reference import SOUND_NAME
from retake.speech.hygiene_record import clean_voice, kept_sound
from retake.speech.room import RATE as ROOM_RATE
from retake.speech.room import Room, lay_room, room_of
from retake.speech.take_check import Voice, reference_voice
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
class OwnSound:
    """Whom takes must sound like, and the room that lies under them (None: none is heard)."""

    voice: Voice
    room: Room | None

    @classmethod
    def of(cls, folder: Path) -> OwnSound:
        """From the reference in a speaker's folder. Without its sound, takes are judged by their words and their own sound alone."""
        if not (folder / SOUND_NAME).is_file():
            return cls(Voice(), None)
        sound = read_audio(folder / SOUND_NAME, ROOM_RATE)
        low = kept_sound(folder, resample(sound, ROOM_RATE, VOICE_RATE), VOICE_RATE)
        embedding = clean_voice(folder)
        try:
            embedding = embed(low, VOICE_RATE) if embedding is None else embedding
        except ValueError:
            embedding = None
        return cls(reference_voice(low, VOICE_RATE, embedding), room_of(sound, ROOM_RATE))

    def under(self, speech: Speech, seed: int, progress: Progress) -> Speech:
        """`speech` in the room."""
        if self.room is None:
            return speech
        return replace(speech, samples=lay_room(speech.samples, speech.rate, self.room, seed, progress))
