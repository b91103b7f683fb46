"""Plans the background of a take: a path through the motion graph, forwards at natural speed, of any length.

Dynamic programming over (step of the take, frame of the reference), vectorised over frames. Every jump is followed by a run of fixed least length,
so an edge of the search leads from the jump's source straight to the end of that run. Costs along runs come from sums along the diagonals of the
(step, frame) plane. Long takes are planned in overlapping windows, each of which knows what the ones before it showed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retake.domain.motion import MotionPath
from retake.domain.rate import FrameRate
from retake.domain.speech import Speech

from .features import Array, speaking
from .graph import MotionGraph

VERSION = "1"  # part of cache keys: change it whenever paths change

# Seconds planned at a time, and how many of them are kept before planning on from there.
_WINDOW, _KEEP = 14.0, 7.0
# Costs. A second of something unwanted is compared with a jump that is at the limit of being seen (1 + 2).
_JUMP = 1.0
_VISIBLE = 2.0  # times the squared visibility of the jump
_PAUSE_ENERGY = 5.0  # a second of the liveliest frames in a pause of the speech
_PAUSE_TALK = 2.0  # a second of frames in which the person speaks, in a pause
_SPEECH_IDLE = 1.0  # a second of frames in which the person is silent, in speech
_EDGE_ENERGY = 8.0  # the same as _PAUSE_ENERGY, for the first and last half second
_EDGE_LIDS = 6.0  # closed eyes in the first and last picture
_AGAIN = 3.5  # a second of frames that were shown just before
_AGAIN_SECONDS = 12.0  # in which that is forgotten to a third
_REUSE, _REUSE_SECONDS = 3.0, 60.0  # the same jump again, forgotten likewise
_BLINK_AGAIN = 2.0  # a blink that was shown just before
_BLINK = 1.2  # a blink, for every blink that the take has too many
_NOISE_START, _NOISE_JUMP = 8.0, 1.0  # what the seed decides
_EDGE_SECONDS = 0.5


@dataclass
class _Search:
    """State of one plan between windows."""

    graph: MotionGraph
    steps: int
    active: Array  # (steps,) 1 where the take speaks
    noise: np.random.Generator
    entry: NDArray[np.intp]  # jumps sorted by the frame at which their run ends
    groups: NDArray[np.intp]  # where each such frame begins in `entry`
    ends: NDArray[np.intp]  # those frames
    shown: NDArray[np.float64]  # (n,) step at which each frame was last shown
    taken: NDArray[np.float64]  # (m,) step at which each jump was last taken
    blinks: int = 0


@dataclass(frozen=True)
class _Window:
    """What the search has found out about one window, (steps, frames) each (see `_window`)."""

    position: int
    value: Array
    sums: Array
    cost: Array


@dataclass(frozen=True)
class Planned:
    """A path, and the numbers of the graph's jumps that it takes, in their order."""

    path: MotionPath
    jumps: NDArray[np.int64]


def plan(graph: MotionGraph, speech: Speech | None, frames: int, rate: FrameRate, seed: int = 0) -> MotionPath:
    """The path of `frames` frames at `rate` behind `speech` (None: as if it were spoken throughout).

    The same arguments give the same path; another seed gives another start and other jumps. Time advances at its natural speed whatever
    the rates: a frame of the take shows the reference frame nearest in time.
    """
    return plan_in_detail(graph, speech, frames, rate, seed).path


def plan_in_detail(graph: MotionGraph, speech: Speech | None, frames: int, rate: FrameRate, seed: int = 0) -> Planned:
    """As `plan`, with what `stats.path_stats` needs besides the path."""
    if frames <= 0:
        raise ValueError(f"a take has at least one frame, not {frames}")
    ratio = graph.rate.fraction / rate.fraction
    steps = int((frames - 1) * ratio) + 2
    active = speaking(speech.timing, steps, graph.rate) if speech is not None else np.ones(steps, np.float32)
    search = _start(graph, steps, active, seed)
    shown = np.zeros(steps, np.int64)
    taken: list[tuple[int, int]] = []  # (step, jump)
    position, state = 0, None
    while position < steps - 1 or state is None:
        path, jumps = _window(search, position, state)
        shown[position : position + len(path)] = path
        taken += jumps
        _remember(search, position, path, jumps)
        position += len(path) - 1
        state = int(path[-1])
    return Planned(_to_rate(graph, shown, taken, frames, rate), np.array([jump for _, jump in taken], np.int64))


def _start(graph: MotionGraph, steps: int, active: Array, seed: int) -> _Search:
    arrival = graph.jumps.target + graph.least_run - 1
    entry = np.argsort(arrival, kind="stable")
    ends, groups = np.unique(arrival[entry], return_index=True)
    return _Search(
        graph=graph,
        steps=steps,
        active=active,
        noise=np.random.default_rng([seed, 0x6D6F74]),
        entry=entry,
        groups=groups,
        ends=ends.astype(np.intp),
        shown=np.full(len(graph), -np.inf),
        taken=np.full(len(graph.jumps), -np.inf),
    )


def _window(search: _Search, position: int, state: int | None) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
    """Frames for the steps from `position` on (the first is `state`), and the jumps among them as (step, jump)."""
    graph, rate = search.graph, float(search.graph.rate)
    least = graph.least_run
    length = min(search.steps - position, max(round(_WINDOW * rate), 4 * least))
    final = position + length == search.steps
    unary = _Unary(search, position)
    cost = _jump_costs(search, position)
    source, before = graph.jumps.source[search.entry], graph.jumps.target[search.entry] - 1
    n = len(graph)
    forward = graph.open[1:] & graph.open[:-1] & (graph.run[1:] == graph.run[:-1])
    # value: cheapest way to be free at a frame, less the sum of unary costs along its diagonal (so that running on is a shift).
    value = np.full((length, n), np.inf, np.float32)
    sums = np.zeros((length, n + 1), np.float32)  # sums[s, j + 1]: unary costs along the diagonal up to frame j at step s
    first = unary.at(0)
    sums[0, 1:] = first
    if state is None:
        field = np.repeat(search.noise.random(n // max(1, round(0.4 * rate)) + 1), max(1, round(0.4 * rate)))[:n]
        value[0, graph.open] = (_NOISE_START * field)[graph.open]
    else:
        value[0, state] = 0.0
    for step in range(1, length):
        sums[step, 1:] = sums[step - 1, :-1] + unary.at(step)
        row = value[step]
        row[1:][forward] = value[step - 1, :-1][forward]
        if step >= least:
            leave = step - least
            through = value[leave, source] + (sums[leave, source + 1] - sums[leave, before + 1]) + cost
            row[search.ends] = np.minimum(row[search.ends], np.minimum.reduceat(through, search.groups))
    total = value[-1] + sums[-1, 1:]
    frame = int(np.argmin(total))
    if not np.isfinite(total[frame]):
        raise ValueError("the motion graph has a dead end")
    return _trace(search, _Window(position, value, sums, cost), frame, final)


def _trace(search: _Search, window: _Window, frame: int, final: bool) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
    """Walk back from the cheapest end; keep the whole window if it is the last one, else up to the first free step after `_KEEP` seconds."""
    graph, least = search.graph, search.graph.least_run
    position, value, sums, cost = window.position, window.value, window.sums, window.cost
    step = len(value) - 1
    keep = step if final else min(step, round(_KEEP * float(graph.rate)))
    path = np.zeros(len(value), np.int64)
    jumps: list[tuple[int, int]] = []
    until = step
    path[step] = frame
    target, source = graph.jumps.target, graph.jumps.source
    while step > 0:
        if step >= keep:
            until = step
        if frame > 0 and graph.open[frame - 1] and graph.run[frame - 1] == graph.run[frame] and value[step, frame] == value[step - 1, frame - 1]:
            step, frame = step - 1, frame - 1
            path[step] = frame
            continue
        group = int(np.searchsorted(search.ends, frame))
        begin = search.groups[group]
        end = search.groups[group + 1] if group + 1 < len(search.groups) else len(search.entry)
        choices = search.entry[begin:end]
        leave = step - least
        through = value[leave, source[choices]] + (sums[leave, source[choices] + 1] - sums[leave, target[choices]]) + cost[begin:end]
        jump = int(choices[int(np.argmin(through))])
        path[leave + 1 : step + 1] = np.arange(target[jump], target[jump] + least)
        jumps.append((position + leave + 1, jump))
        step, frame = leave, int(source[jump])
        path[step] = frame
    return path[: until + 1], sorted(entry for entry in jumps if entry[0] <= position + until)


class _Unary:
    """Cost of showing each frame at each step of a window."""

    def __init__(self, search: _Search, position: int) -> None:
        graph, rate = search.graph, float(search.graph.rate)
        self._search, self._position = search, position
        self._pause = (_PAUSE_ENERGY * graph.energy + _PAUSE_TALK * graph.activity) / rate
        self._speech = _SPEECH_IDLE * (1 - graph.activity) / rate
        self._edge = np.maximum(1, round(_EDGE_SECONDS * rate))
        self._edge_energy = _EDGE_ENERGY * graph.energy / rate
        self._edge_lids = _EDGE_LIDS * np.clip(graph.lids - float(np.median(graph.lids)), 0, 1)
        age = (position - search.shown) / rate
        self._common = _AGAIN * np.exp(-np.maximum(age, 0) / _AGAIN_SECONDS) / rate
        if len(graph.blinks):
            per_step = len(graph.blinks) / max(1, int((graph.run >= 0).sum()))
            surplus = float(np.clip(search.blinks - per_step * position, -2, 2))
            self._common[graph.blinks] += _BLINK * surplus

    def at(self, step: int) -> Array:
        now = self._position + step
        active = self._search.active[now]
        out = self._common + active * self._speech + (1 - active) * self._pause
        if now < self._edge or now >= self._search.steps - self._edge:
            out = out + self._edge_energy
        if now == 0 or now >= self._search.steps - 2:
            out = out + self._edge_lids
        return out


def _jump_costs(search: _Search, position: int) -> Array:
    """(m,) cost of each jump in the order of `entry`: how visible it is, how soon it shows the same again, and a little of the seed."""
    jumps, rate = search.graph.jumps, float(search.graph.rate)
    back = (jumps.source + 1 - jumps.target) / rate
    blinks = np.zeros(len(search.graph) + 1)
    blinks[search.graph.blinks + 1] = 1
    counted = np.cumsum(blinks)
    blinks_again = counted[np.minimum(jumps.source, jumps.target + round(3 * rate))] - counted[jumps.target]
    again = _AGAIN * np.minimum(back, 3.0) + _BLINK_AGAIN * blinks_again
    again = np.where(back > 0, np.exp(-np.maximum(back, 0) / _AGAIN_SECONDS) * again, 0.0)
    # Quadratic while it can be hidden; beyond that it is seen anyway, and twice as far is not four times as bad.
    visible = np.where(jumps.cost < 1.5, jumps.cost**2, 3 * jumps.cost - 2.25)
    reused = _REUSE * np.exp(-(position - search.taken) / rate / _REUSE_SECONDS)
    cost = _JUMP + _VISIBLE * visible + again + reused + _NOISE_JUMP * search.noise.random(len(jumps))
    return cost[search.entry].astype(np.float32)


def _remember(search: _Search, position: int, path: NDArray[np.int64], jumps: list[tuple[int, int]]) -> None:
    for step, jump in jumps:
        search.taken[jump] = step
    search.shown[path] = position + np.arange(len(path))
    blink = np.zeros(len(search.graph), bool)
    blink[search.graph.blinks] = True
    search.blinks += int(blink[path[1:]].sum())


def _to_rate(graph: MotionGraph, shown: NDArray[np.int64], taken: list[tuple[int, int]], frames: int, rate: FrameRate) -> MotionPath:
    """From steps at the graph's rate to frames of the take: the nearest step, and the share of the other side during a transition."""
    other = np.full(len(shown), -1, np.int64)
    begin = np.full(len(shown), -1, np.int64)  # step at which the transition of each step began
    length = np.ones(len(shown), np.int64)
    for step, jump in taken:
        span = min(int(graph.jumps.length[jump]), len(shown) - step)
        other[step : step + span] = graph.jumps.source[jump] + 1 + np.arange(span)
        begin[step : step + span] = step
        length[step : step + span] = graph.jumps.length[jump]
    # Exact integers: a float would be a frame off after hours, and this also rounds halves the same way everywhere.
    ratio = graph.rate.fraction * graph.stride / rate.fraction
    numbers = np.arange(frames, dtype=np.int64)
    fine = (2 * numbers * ratio.numerator + ratio.denominator) // (2 * ratio.denominator)  # nearest frame at the reference's own rate
    nearest, within = fine // graph.stride, fine % graph.stride
    share = np.zeros(frames)
    mixed = other[nearest] >= 0
    phase = (numbers * float(ratio) / graph.stride - begin[nearest] + 1) / (length[nearest] + 1)
    phase = np.clip(phase, 0, 1)
    share[mixed] = (phase * phase * (3 - 2 * phase))[mixed]  # of the new side
    new, old = shown[nearest] * graph.stride + within, other[nearest] * graph.stride + within
    swap = mixed & (share < 0.5)
    source = np.where(swap, old, new)
    partner = np.where(mixed, np.where(swap, new, old), -1)
    weight = np.where(mixed, np.where(swap, share, 1 - share), 0.0)
    seams = tuple(sorted({int(np.searchsorted(nearest, step)) for step, _ in taken if step <= nearest[-1]}))
    return MotionPath(source.astype(np.int32), partner.astype(np.int32), weight.astype(np.float32), seams)
