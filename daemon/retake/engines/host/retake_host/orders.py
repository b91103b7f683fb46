"""What an adapter is given: the set-up it loads with, and the order that it fulfils. It imports neither; they come as arguments."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .cutting import cut
from .wire import Array

Told = Callable[[float, str], None]


class Refused(Exception):
    """The engine cannot do what was asked; the user is told why and what to do."""

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.remedy = remedy


class Stopped(Exception):
    """The order was cancelled."""


class Setup:
    """What an engine loads with.

    Attributes:
        weights: folder of the files that the manifest lists, at the paths it gives.
        cache: folder that the engine may write to; it goes with the engine.
        device: "cpu" or "cuda".
        threads: how many to compute with; 0: as the library likes.
    """

    def __init__(self, fields: dict[str, Any], told: Told) -> None:
        self.weights = Path(str(fields["weights"]))
        self.cache = Path(str(fields["cache"]))
        self.device = str(fields["device"])
        self.threads = int(fields["threads"])
        self._told = told

    def report(self, fraction: float, detail: str = "") -> None:
        """Tell how much is loaded, 0..1."""
        self._told(fraction, detail)

    def refuse(self, cause: str, remedy: str) -> Refused:
        """An error to raise where the engine cannot work here."""
        return Refused(cause, remedy)


class Order:
    """One call of an engine. What it holds depends on the stage; docs/engines.md lists it.

    Attributes of a voice's order:
        text: what to say, spelt out where the language is English. sentences: the same in pieces of at most 300 characters.
        language: BCP 47. reference: Path of a mono 16 bit wave file of the person. reference_text: what is said in it, may be empty.
        voice_key: names the content of the reference; keep by it what was learnt. seed: the same seed gives the same reading.
        pace: 1 is the speaker's own; always 1 for an engine that does not say that it `paces`. smaller: take less, for memory ran out.
    """

    def __init__(self, fields: dict[str, Any], arrays: dict[str, Array], told: Told) -> None:
        self.fields = fields
        self.arrays = arrays
        self.seed = int(fields.get("seed", 0))
        self.smaller = bool(fields.get("smaller", False))
        self._told = told
        self._stop = threading.Event()

    @property
    def text(self) -> str:
        return str(self.fields["text"])

    @property
    def sentences(self) -> list[str]:
        return [str(part) for part in self.fields.get("sentences") or [self.text]]

    @property
    def language(self) -> str:
        return str(self.fields["language"])

    @property
    def reference(self) -> Path:
        return Path(str(self.fields["reference"]))

    @property
    def reference_text(self) -> str:
        return str(self.fields.get("reference_text", ""))

    @property
    def voice_key(self) -> str:
        return str(self.fields["voice_key"])

    @property
    def pace(self) -> float:
        return float(self.fields.get("pace", 1.0))

    def pieces(self, longest: int, *, fits: Callable[[str], bool] | None = None) -> list[str]:
        """The sentences in parts of at most `longest` characters, each with a letter or digit; those that do not fit are cut further.

        Args:
            fits: whether the engine can take a part, for one whose limit is not one of characters.
        """
        parts = [part for sentence in self.sentences for part in cut(sentence, longest)]
        out: list[str] = []
        while parts:
            part = parts.pop(0)
            if fits is not None and len(part) > 1 and not fits(part):
                parts = cut(part, (len(part) + 1) // 2) + parts
            else:
                out.append(part)
        return [part for part in out if any(character.isalnum() for character in part)]

    def report(self, fraction: float, detail: str = "") -> None:
        """Tell how much of the order is done, 0..1. Also a safe point to stop; call it every few seconds."""
        self.check()
        self._told(fraction, detail)

    def check(self) -> None:
        """Raise if the order was cancelled. Let that exception through."""
        if self._stop.is_set():
            raise Stopped

    def refuse(self, cause: str, remedy: str) -> Refused:
        """An error to raise for an order that the engine cannot fulfil."""
        return Refused(cause, remedy)

    def cancel(self) -> None:
        """For the host: ask the engine to stop."""
        self._stop.set()
