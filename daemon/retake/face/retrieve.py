"""Which real mouth stands in for each frame of a take: the best sequence through the bank.

A Viterbi search weighs how near a mouth is to the one wanted (inner lips count double), how alike the head is turned, and
how visible a change of mouth would be. Only the nearest mouths of each frame, and those that continue a neighbour's, take
part: the work grows with the take and not with the square of the bank.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retake.domain.progress import Progress

from .bank import MouthBank
from .canonical import INDEX, INNER_LIPS, JAW, LIPS, lip_gap

Array = NDArray[np.float32]

CANDIDATES = 32
# Costs are mean squared distances of lip points in IOD^2; 1e-4 is a shape that is off by 1 % of IOD.
POSE = 0.006  # of a squared Frobenius distance of rotations: five degrees cost as much as 1 % of shape
GAP = 2.0  # of the squared difference in opening, on top of the shape's own
CLOSED = 0.012  # below this opening (IOD) lips are seen as closed
WRONG = 0.004  # an open mouth for closed lips, or the reverse: as bad as 6 % of shape
CHANGE = 3.0e-4  # any change of mouth that is not the next frame of the reference
LOOK = 1.0e-5  # of a squared rms difference in grey levels: a change by 10 levels costs 1e-3, as much as 3 % of shape


def _features(shapes: Array) -> Array:
    """(n, len(MOUTH), >= 2) -> (n, d) whose squared distance is the shape's cost."""
    inner = shapes[:, [INDEX[p] for p in INNER_LIPS], :2].reshape(len(shapes), -1)
    outer = shapes[:, [INDEX[p] for p in LIPS if p not in INNER_LIPS], :2].reshape(len(shapes), -1)
    jaw = shapes[:, [INDEX[p] for p in JAW], :2].reshape(len(shapes), -1)
    gap = lip_gap(shapes)[:, None]
    parts = [
        inner * np.sqrt(2 / len(INNER_LIPS)),
        outer * np.sqrt(1 / len(INNER_LIPS)),
        jaw * np.sqrt(0.3 / len(JAW)),
        gap * np.sqrt(GAP),
    ]
    return np.concatenate(parts, 1).astype(np.float32)


def _squared(a: Array, b: Array) -> Array:
    """Squared distances between rows: (n, d), (m, d) -> (n, m)."""
    return np.maximum((a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T, 0)


class Retriever:
    """Chooses mouths of one bank."""

    def __init__(self, bank: MouthBank) -> None:
        self.bank = bank
        self._middle = bank.shapes.mean(0)
        self._features = _features(bank.shapes - self._middle)
        self._gap = lip_gap(bank.shapes)
        self._rotation = bank.rotations.reshape(len(bank), 9)
        self._looks = bank.looks
        following = np.minimum(np.arange(len(bank)) + 1, len(bank) - 1)
        near = bank.frames[following] - bank.frames <= 1
        self._next = np.where(near, following, np.arange(len(bank))).astype(np.int32)

    def fit(self, shapes: Array, rotations: Array) -> Array:
        """Cost of every mouth for every frame: (n, m)."""
        features = _features(shapes - self._middle)
        # The opening is not linear in the shape, so it is compared as such.
        gap = lip_gap(shapes)
        features[:, -1] = gap * np.sqrt(GAP)
        own = self._features.copy()
        own[:, -1] = self._gap * np.sqrt(GAP)
        cost = _squared(features, own) + POSE * _squared(rotations.reshape(len(rotations), 9), self._rotation)
        closed, shut = gap < CLOSED, self._gap < CLOSED
        cost += WRONG * (closed[:, None] & (self._gap > 2 * CLOSED)[None])
        cost += WRONG * ((gap > 2 * CLOSED)[:, None] & shut[None])
        return cost.astype(np.float32)

    def change(self, before: NDArray[np.integer], after: NDArray[np.integer]) -> Array:
        """Cost of showing mouth `after` (b,) when `before` (a,) was shown: (a, b)."""
        following = self._next[before]
        new = self._looks[after][None]
        look = np.minimum(((self._looks[before][:, None] - new) ** 2).sum(2), ((self._looks[following][:, None] - new) ** 2).sum(2))
        cost = CHANGE + LOOK * look
        same = (after[None] == before[:, None]) | (after[None] == following[:, None])
        return np.where(same, 0, cost).astype(np.float32)

    def choose(self, shapes: Array, rotations: Array, wanted: NDArray[np.bool_] | None = None, progress: Progress | None = None) -> NDArray[np.int32]:
        """Best sequence of mouths.

        Args:
            shapes: (n, len(MOUTH), 3) canonical target shapes.
            rotations: (n, 3, 3) of the head in the background.
            wanted: (n,) False where there is no face; those frames get -1.
            progress: only asked whether to stop; searching takes a small part of the time of drawing.

        Returns:
            (n,) index into the bank.
        """
        n = len(shapes)
        out = np.full(n, -1, np.int32)
        if wanted is None:
            wanted = np.ones(n, bool)
        edges = np.flatnonzero(np.diff(np.r_[False, wanted, False].astype(np.int8)))
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            out[start:end] = self._search(shapes[start:end], rotations[start:end], progress or Progress())
        return out

    def _search(self, shapes: Array, rotations: Array, progress: Progress) -> NDArray[np.int32]:
        n, m = len(shapes), len(self.bank)
        count = min(CANDIDATES, m)
        # Small integers: these lists are all that grows with the length of a take.
        nearest: list[NDArray[np.int32]] = []
        rows: list[NDArray[np.int32]] = []
        costs: list[Array] = []
        for start in range(0, n, 256):
            progress.check()
            block = self.fit(shapes[start : start + 256], rotations[start : start + 256])
            best = np.argpartition(block, count - 1, axis=1)[:, :count].astype(np.int32)
            nearest.extend(best)
            for i, row in enumerate(block):
                at = start + i
                # What the frame before may go on with, and what the frame after could already have shown.
                before = nearest[at - 1] if at else best[i]
                after = best[min(i + 1, len(best) - 1)]
                pool = np.unique(np.concatenate([best[i], before, self._next[before], after]))
                rows.append(pool)
                costs.append(row[pool])
        total = costs[0]
        back: list[NDArray[np.int16]] = []
        for i in range(1, n):
            progress.check()
            step = total[:, None] + self.change(rows[i - 1], rows[i])
            chosen = step.argmin(0)
            back.append(chosen.astype(np.int16))
            total = step[chosen, np.arange(len(chosen))] + costs[i]
        at = int(total.argmin())
        path = [int(rows[-1][at])]
        for i in range(n - 2, -1, -1):
            at = int(back[i][at])
            path.append(int(rows[i][at]))
        return np.array(path[::-1], np.int32)
