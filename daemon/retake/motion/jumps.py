"""Finds the pairs of reference frames between which a take can jump without its being seen.

After the motion graph of TANGO (arXiv 2410.04221, section 3.3), which takes its thresholds from the neighbourhood of each frame. Here they also have
absolute limits: purely relative ones are too strict for people who sit still and too loose for lively ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .features import Array, Features

# How long a transition lasts, in seconds: short where the two sides hardly differ, longer where they do.
SHORT, LONG = 0.16, 0.40
# After a jump the reference runs on for at least this long: jumps in quick succession are seen, however good each is.
LEAST_RUN = 0.8
# Two frames of the same stretch closer together than this are neighbours, not a jump.
LEAST_LEAP = 0.5
_ROWS = 256  # frames compared with all others at a time, to bound memory
_NEIGHBOURS = 4  # frames either side that tell how much change is natural
_CELL_SECONDS = 0.12  # of jumps this close to each other in both frames only the best is kept
_PER_SOURCE = 12  # jumps kept from every four cells of the reference, besides the best one to each second of it


@dataclass(frozen=True)
class Jumps:
    """m possible jumps: after frame `source` comes `target`.

    cost: visibility, about 1 at the limit of what is seen. pose, grey: mean distance of the two sides over the transition, percent of the
    inter-ocular distance and grey levels. length: frames of the transition.
    """

    source: NDArray[np.int32]
    target: NDArray[np.int32]
    cost: Array
    pose: Array
    grey: Array
    length: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, key: NDArray[np.integer] | NDArray[np.bool_]) -> Jumps:
        return Jumps(self.source[key], self.target[key], self.cost[key], self.pose[key], self.grey[key], self.length[key])


def find_jumps(features: Features, rate: float, least_run: int, relax: float) -> Jumps:
    """Jumps whose every difference is within `relax` times its limit (infinity: the best there are, however bad).

    Args:
        rate: frames per second of the reference.
        least_run: frames that must follow the target without a break.
    """
    n = len(features.run)
    span = max(1, round(1.5 * SHORT * rate))  # frames over which two sides are compared
    last = _last_of_run(features.run)
    frames = np.arange(n)
    leaves = (features.run >= 0) & (last - frames >= span + 1)
    arrives = (features.run >= 0) & (last - frames >= least_run)
    groups = _groups(features)
    natural = [_natural(values, features.run, low, high) for values, low, high in groups]
    leap = max(span + 1, round(LEAST_LEAP * rate))
    found: list[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.floating], Array, Array]] = []
    for begin in range(0, n - span, _ROWS):
        rows = np.arange(begin, min(begin + _ROWS, n - span))
        if not leaves[rows].any():
            continue
        cost = np.zeros((len(rows), n), np.float32)
        worst = np.zeros((len(rows), n), np.float32)
        measured: list[Array] = []
        for (values, _, _), limit in zip(groups, natural, strict=True):
            distance = _seam(values, rows, span)
            ratio = distance / np.sqrt(limit[rows + 1][:, None] * limit[None])
            cost += ratio**2
            np.maximum(worst, ratio, out=worst)
            measured.append(distance)
        cost = np.sqrt(cost / len(groups)) * 0.5 + worst * 0.5
        same = features.run[rows][:, None] == features.run[None]
        near = same & (np.abs(rows[:, None] + 1 - frames[None]) < leap)
        allowed = leaves[rows][:, None] & arrives[None] & ~near & (worst <= relax)
        r, c = np.nonzero(allowed)
        found.append((rows[r], c, cost[r, c], measured[0][r, c], measured[1][r, c]))
    if not found:
        empty = np.zeros(0, np.int32)
        return Jumps(empty, empty, empty.astype(np.float32), empty.astype(np.float32), empty.astype(np.float32), empty)
    source, target, cost, pose, grey = (np.concatenate(part) for part in zip(*found, strict=True))
    keep = _thin(source, target, cost, n, rate)
    source, target, cost, pose, grey = source[keep], target[keep], cost[keep], pose[keep], grey[keep]
    wanted = np.round(rate * np.interp(cost, (0.5, 2.0), (SHORT, LONG))).astype(np.int32)
    length = np.clip(wanted, 1, np.minimum(last[source] - source, least_run))
    return Jumps(source.astype(np.int32), target.astype(np.int32), cost, pose, grey, length.astype(np.int32))


def _groups(features: Features) -> list[tuple[Array, float, float]]:
    """What is compared, with the smallest and largest limit of each (units: Features). Pose first, appearance second."""
    return [
        (features.pose, 1.2, 4.0),
        (features.grey, 2.5, 9.0),
        (features.velocity, 0.5, 2.0),
        (features.gaze, 1.2, 2.0),
        (features.lids, 0.10, 0.15),
    ]


def _natural(values: Array, run: NDArray[np.int32], low: float, high: float) -> Array:
    """(n,) mean distance of each frame to those within ±4 in its run, kept between `low` and `high`."""
    n = len(values)
    total, count = np.zeros(n), np.zeros(n)
    for step in range(1, _NEIGHBOURS + 1):
        if step >= n:
            break
        joined = (run[step:] == run[:-step]) & (run[step:] >= 0)
        distance = np.linalg.norm(values[step:] - values[:-step], axis=1) * joined
        total[step:] += distance
        total[:-step] += distance
        count[step:] += joined
        count[:-step] += joined
    return np.clip(total / np.maximum(count, 1), low, high).astype(np.float32)


def _seam(values: Array, rows: NDArray[np.intp], span: int) -> Array:
    """(len(rows), n) mean distance between the frames after `rows` and those from each target on, over a transition of `span` frames.

    Rows are consecutive. Targets too near the end of the reference for a whole transition are infinitely far; they are not allowed anyway.
    """
    n = len(values)
    begin, end = int(rows[0]) + 1, int(rows[-1]) + 1 + span
    old = values[begin:end]
    squares = (values**2).sum(1)
    distance = squares[begin:end, None] + squares[None] - 2 * (old @ values.T)
    distance = np.sqrt(np.maximum(distance, 0, out=distance), out=distance)
    total = np.full((len(rows), n), np.inf, np.float32)
    inner = n - span + 1
    total[:, :inner] = distance[: len(rows), :inner]
    for k in range(1, span):
        total[:, :inner] += distance[k : k + len(rows), k : k + inner]
    return total / np.float32(span)


def _thin(source: NDArray[np.intp], target: NDArray[np.intp], cost: Array, n: int, rate: float) -> NDArray[np.intp]:
    """Indices of the jumps worth keeping: of each small cell the best, of those the best few from every place and the best to every other."""
    order = np.argsort(cost, kind="stable")
    cell = max(1, round(_CELL_SECONDS * rate))
    order = order[_rank_in_group(source[order] // cell * (n + 1) + target[order] // cell) < 1]
    here, there = source[order] // (4 * cell), target[order] // (8 * cell)
    return order[(_rank_in_group(here) < _PER_SOURCE) | (_rank_in_group(here * (n + 1) + there) < 1)]


def _rank_in_group(group: NDArray[np.intp]) -> NDArray[np.intp]:
    """For each entry, how many earlier entries belong to the same group."""
    by_group = np.argsort(group, kind="stable")
    begins = np.r_[True, np.diff(group[by_group]) != 0] if len(group) else np.zeros(0, bool)
    place = np.arange(len(group))
    rank = np.empty(len(group), np.intp)
    rank[by_group] = place - np.maximum.accumulate(np.where(begins, place, 0))
    return rank


def _last_of_run(run: NDArray[np.int32]) -> NDArray[np.intp]:
    n = len(run)
    ends = np.flatnonzero(np.r_[run[1:] != run[:-1], True]) if n else np.zeros(0, np.intp)
    return ends[np.searchsorted(ends, np.arange(n))]
