"""Mouth shapes of one person for known phones: a prior learnt from other people, fitted to the person's own reference.

The prior (`face.prior`) says how mouths move for phones in context. The person's reference adds their mean mouth, their mouth at
rest, what remains between the prior and their own movement (a ridge regression on the same phone context; Hoerl & Kennard 1970), and
how far they open. Contacts (`face.contact`) are made last, frame by frame. Figures: docs/lips.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy.ndimage import gaussian_filter1d
from scipy.stats import trim_mean

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.phones import CLOSED, OPEN_VOWELS
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.domain.timing import Timing
from retake.media.files import atomic

from .canonical import INDEX, LIPS, MOUTH, lip_gap
from .contact import keep_contacts
from .features import GRID_RATE, TAP_STEP, TAPS, context, dilated, phone_features
from .personal import Residual, fit_residual
from .prior import ShapePrior, load_prior
from .rest import at_rest, settle
from .space import MouthSpace

Array = NDArray[np.float32]

FORMAT = 1
ENOUGH_SECONDS = 4.0  # of valid frames for more than the mean to be the person's
# A regression moves less, and more smoothly, than people do. These give back what costs no correlation (jitter 0.69 -> 0.87 of real,
# amplitude 0.88 -> 0.95, landmark error + 1 %; see docs/lips.md).
GAIN = 1.04
CRISPNESS = 0.8  # of what is faster than BLUR
BLUR = 0.04  # seconds, standard deviation
TRIMMED = 0.25  # of the frames of silence at either end of each coordinate, left out of the rest
REST_WEIGHT = 5.0  # frames of silence that the reference must show to count as much as what the model expects of silence
REACH = (TAPS // 2) * TAP_STEP  # grid steps on either side of an instant that the ridge sees


@dataclass(frozen=True)
class ShapeModel:
    """What was learnt of one person's mouth. All lengths in IOD; mean and rest (points, 3) in the common space."""

    space: MouthSpace
    mean: Array
    rest: Array  # (points, 3) mouth of a person who says nothing
    residual: Residual
    open_gap: float
    closed_gap: float
    prior: ShapePrior

    @classmethod
    def fit(
        cls,
        canonical: Array,
        rate: FrameRate,
        timing: Timing,
        weight_ok: NDArray[np.bool_] | None = None,
        *,
        prior: ShapePrior | None = None,
        progress: Progress | None = None,
    ) -> ShapeModel:
        """Learn from a reference.

        Args:
            canonical: (n, 478, 3) canonical landmarks, one row a frame, NaN where no face was found.
            timing: phones of the reference in the same clock, lag corrected.
            weight_ok: (n,) False where a frame shall not count (turned away, sound unsure).
            prior: another prior than the one that ships (measurements).
            progress: only asked whether to stop.

        Raises RetakeError if fewer than five frames show a face.
        """
        prior = prior or load_prior()
        good = ~np.isnan(canonical[:, 0, 0])
        if good.sum() < 5:
            raise RetakeError("The reference hardly ever shows a face.", "Use a clip in which one face looks at the camera.", code="no_face")
        space = MouthSpace.of(canonical, prior.rigid)
        mouths = space.to_common(canonical)
        if weight_ok is not None and (good & weight_ok).sum() >= 5:
            good &= weight_ok
        components = _at_frames(prior.coefficients(timing, 0.0, _grid_length(len(canonical), rate)), len(canonical), rate)
        left = mouths - (components @ prior.basis).reshape(mouths.shape)
        mean = left[good].mean(0)
        residual = Residual.none(components.shape[1], mean.size)
        if rate.seconds(int(good.sum())) >= ENOUGH_SECONDS:
            seen = _context_at_frames(timing, len(canonical), rate)[good]
            rows = (left[good] - mean).reshape(len(seen), -1)
            residual = fit_residual(seen, components[good], rows, _importance(), float(rate), progress=progress)
        open_gap, closed_gap = _gaps(mouths, good, rate, timing)
        model = cls(space, mean, mean, residual, open_gap, closed_gap, prior)
        quiet = good & at_rest(timing, _centres(len(canonical), rate))
        expected = model._free(Timing((), ()), 1, rate)[0]
        # Without the extremes: a pause often holds a swallow, a breath or the end of a word that the alignment cut short.
        seen = trim_mean(mouths[quiet], TRIMMED, axis=0) if quiet.any() else expected
        rest = (quiet.sum() * seen + REST_WEIGHT * expected) / (quiet.sum() + REST_WEIGHT)
        return replace(model, rest=rest.astype(np.float32))

    def predict(self, timing: Timing, frames: int, rate: FrameRate) -> Array:
        """(frames, len(MOUTH), 3) mouth shapes in the person's canonical space; frame i is seen at (i + 0.5) / rate seconds."""
        at = _centres(frames, rate)
        mouths = settle(self._free(timing, frames, rate), timing, at, self.rest)
        mouths = keep_contacts(mouths, timing, at, min(self.closed_gap, 0.1 * self.open_gap), 0.3 * self.open_gap)
        return self.space.to_own(mouths)

    def _free(self, timing: Timing, frames: int, rate: FrameRate) -> Array:
        """(frames, points, 3) in the common space, before contacts."""
        count = _grid_length(frames, rate)
        components = self.prior.coefficients(timing, 0.0, count)
        rows = phone_features(timing, np.arange(-REACH, count + REACH) / GRID_RATE)
        offsets = components @ (self.prior.basis + self.residual.prior) + dilated(rows, self.residual.context, TAP_STEP) + self.residual.intercept
        offsets = GAIN * offsets + CRISPNESS * (offsets - gaussian_filter1d(offsets, BLUR * GRID_RATE, axis=0, mode="nearest"))
        return self.mean + _at_frames(offsets.reshape(count, *self.mean.shape), frames, rate)

    def save(self, folder: Path) -> None:
        """Write shape.safetensors and shape.json."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {
            "mean": self.mean, "rest": self.rest, "rotation": self.space.rotation, "shift": self.space.shift,
            "residual.context": self.residual.context, "residual.prior": self.residual.prior, "residual.intercept": self.residual.intercept,
        }  # fmt: skip
        penalty = self.residual.penalty if np.isfinite(self.residual.penalty) else None
        record = {"format": FORMAT, "scale": self.space.scale, "open_gap": self.open_gap, "closed_gap": self.closed_gap, "penalty": penalty}
        with atomic(folder / "shape.safetensors") as path:
            save_file({name: np.ascontiguousarray(value, np.float32) for name, value in tensors.items()}, path)
        with atomic(folder / "shape.json") as path:
            Path(path).write_text(json.dumps(record, indent=1), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> ShapeModel:
        """Read what `save` wrote. Raises RetakeError where it is missing, damaged or from another version."""
        try:
            record = json.loads((folder / "shape.json").read_text("utf-8"))
            tensors = load_file(folder / "shape.safetensors")
            if record["format"] != FORMAT or tensors["mean"].shape != (len(MOUTH), 3):
                raise ValueError("another version")
            return cls._of(record, tensors)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise RetakeError(
                f"The mouth shape model of '{folder.parent.name}' cannot be read ({error}).",
                "Enrol the speaker again.",
                kind=ErrorKind.ENVIRONMENT,
                code="speaker_damaged",
            ) from error

    @classmethod
    def _of(cls, record: dict[str, Any], tensors: dict[str, Array]) -> ShapeModel:
        space = MouthSpace(record["scale"], tensors["rotation"], tensors["shift"])
        penalty = float("inf") if record["penalty"] is None else record["penalty"]
        residual = Residual(tensors["residual.context"], tensors["residual.prior"], tensors["residual.intercept"], penalty)
        return cls(space, tensors["mean"], tensors["rest"], residual, record["open_gap"], record["closed_gap"], load_prior())


def _importance() -> Array:
    """(points * 3,) weights of the coordinates where models of a person are compared: the lips as they are seen from the front."""
    out = np.zeros((len(MOUTH), 3), np.float32)
    out[[INDEX[p] for p in LIPS], :2] = 1
    return out.reshape(-1)


def _centres(frames: int, rate: FrameRate) -> NDArray[np.float64]:
    """(frames,) seconds at the middle of each frame."""
    return (np.arange(frames, dtype=np.float64) + 0.5) / float(rate)


def _grid_length(frames: int, rate: FrameRate) -> int:
    """Grid steps that cover `frames` frames, one to spare for interpolation."""
    return int(np.ceil(rate.seconds(frames) * GRID_RATE)) + 2


def _at_frames(grid: NDArray[np.floating], frames: int, rate: FrameRate) -> Array:
    """(count, ...) on the grid -> (frames, ...) at the frames' centres, linear between grid points."""
    position = (_centres(frames, rate) * GRID_RATE).astype(np.float32)
    low = np.minimum(position.astype(int), len(grid) - 2)
    part = (position - low).astype(np.float32).reshape(-1, *([1] * (grid.ndim - 1)))
    return (grid[low] * (1 - part) + grid[low + 1] * part).astype(np.float32)


def _context_at_frames(timing: Timing, frames: int, rate: FrameRate) -> Array:
    count = _grid_length(frames, rate)
    rows = phone_features(timing, np.arange(-REACH, count + REACH) / GRID_RATE)
    return _at_frames(context(rows), frames, rate)


def _gaps(mouths: Array, good: NDArray[np.bool_], rate: FrameRate, timing: Timing) -> tuple[float, float]:
    """(median lip gap in open vowels, gap of the closed mouth) of a reference; percentiles stand in for phones it lacks."""
    gap = lip_gap(np.nan_to_num(mouths))
    wide: list[float] = []
    shut: list[float] = []
    for phone in timing.phones:
        if phone.symbol in OPEN_VOWELS:
            middle = int((phone.start + phone.end) / 2 * float(rate))
            if 0 <= middle < len(gap) and good[middle]:
                wide.append(float(gap[middle]))
        elif phone.symbol in CLOSED:
            first, last = int((phone.start - 0.06) * float(rate)), int((phone.end + 0.06) * float(rate)) + 1
            near = np.arange(max(0, first), min(len(gap), last))
            near = near[good[near]]
            if len(near):
                shut.append(float(gap[near].min()))
    high, low = np.percentile(gap[good], [80, 3])
    open_gap = float(np.median(wide)) if len(wide) >= 5 else float(high)
    # Frames seldom catch a short closure at its tightest; what the mouth does at its most closed is what a closure is.
    closed_gap = min(float(np.median(shut)), float(low)) if len(shut) >= 3 else float(low)
    return max(open_gap, 1e-3), closed_gap
