"""Paths through the motion graph."""

from __future__ import annotations

import itertools
import time
import tracemalloc

import numpy as np
import pytest
from motion_samples import reference, speech

from retake.domain.motion import MotionPath
from retake.domain.rate import FrameRate
from retake.motion import graph as motion
from retake.motion.graph import MotionGraph
from retake.motion.plan import plan, plan_in_detail
from retake.motion.stats import path_stats, repetition

PAL, NTSC = FrameRate(25), FrameRate(30000, 1001)


@pytest.fixture(scope="module")
def graph() -> MotionGraph:
    return motion.build(*reference(20))


@pytest.fixture(scope="module")
def cut_graph() -> MotionGraph:
    return motion.build(*reference(16, cuts=(90, 200, 310)))


def steps(path: MotionPath) -> np.ndarray:
    """Steps of the source, without those at which a jump changes sides."""
    out = np.diff(path.source.astype(int))
    return out[path.other[1:] < 0]


def check(graph: MotionGraph, path: MotionPath, frames: int) -> None:
    assert len(path) == frames
    assert path.source.min() >= 0 and path.source.max() < len(graph)
    assert (graph.run[path.source] >= 0).all()
    mixed = path.other >= 0
    assert ((path.weight > 0) == mixed).all() and (path.weight <= 0.5 + 1e-6).all()
    assert (graph.run[path.other[mixed]] >= 0).all()
    # Outside of transitions the same stretch goes on.
    same = graph.run[path.source[1:]] == graph.run[path.source[:-1]]
    assert same[~(mixed[1:] | mixed[:-1])].all()


@pytest.mark.parametrize("frames", [1, 2, 7, 30, 100, 333, 1500])
def test_any_length_forwards_at_natural_speed(graph: MotionGraph, frames: int) -> None:
    path = plan(graph, None, frames, PAL, 5)
    check(graph, path, frames)
    moved = steps(path)
    leaps = moved != 1
    assert leaps.sum() <= len(path.seams)


def test_cuts_of_the_reference_are_never_played_through(cut_graph: MotionGraph) -> None:
    for seed in range(4):
        path = plan(cut_graph, speech(40, ((5, 6), (20, 21.5))), 1000, PAL, seed)
        check(cut_graph, path, 1000)
        for cut in cut_graph.cuts:
            played = (path.source[:-1] == cut - 1) & (path.source[1:] == cut)
            assert not played.any()


@pytest.mark.parametrize(("rate", "frames"), [(NTSC, 900), (FrameRate(24000, 1001), 700), (FrameRate(50), 1500), (FrameRate(12), 360)])
def test_other_rates_keep_the_natural_speed(graph: MotionGraph, rate: FrameRate, frames: int) -> None:
    path = plan(graph, None, frames, rate, 1)
    check(graph, path, frames)
    ratio = 25 / float(rate)
    clear = np.flatnonzero(path.other >= 0)
    edges = [0, *clear.tolist(), frames]
    for begin, end in itertools.pairwise(edges):
        stretch = path.source[begin + 1 : end].astype(int)
        if len(stretch) > 20:
            assert abs((stretch[-1] - stretch[0]) - (len(stretch) - 1) * ratio) <= 1.01
            assert set(np.diff(stretch)) <= {int(np.floor(ratio)), int(np.ceil(ratio))}


@pytest.mark.parametrize(("fast", "rate"), [(FrameRate(60000, 1001), NTSC), (FrameRate(50), PAL), (FrameRate(60), FrameRate(60))])
def test_fast_references_keep_the_natural_speed(fast: FrameRate, rate: FrameRate) -> None:
    track, small = reference(10, rate=fast, cuts=(231,))
    graph = motion.build(track, small)
    assert graph.stride == 2 and list(graph.cuts) == [231]
    frames = rate.frames(30.0)
    path = plan(graph, None, frames, rate, 1)
    assert len(path) == frames and path.source.max() < len(track)
    ratio = float(fast) / float(rate)
    moved = steps(path)
    assert np.isin(moved, (int(np.floor(ratio)), int(np.ceil(ratio)))).mean() > 0.98
    assert not ((path.source[:-1] < 231) & (path.source[1:] >= 231) & (path.other[1:] < 0) & (path.other[:-1] < 0)).any()


def test_the_same_seed_gives_the_same_path_and_another_seed_another(graph: MotionGraph) -> None:
    said = speech(30, ((4, 5), (12, 13)))
    one, two = plan(graph, said, 750, PAL, 7), plan(graph, said, 750, PAL, 7)
    assert (one.source == two.source).all() and (one.weight == two.weight).all() and one.seams == two.seams
    starts = {int(plan(graph, said, 750, PAL, seed).source[0]) for seed in range(8)}
    assert len(starts) >= 3


def test_transitions_go_smoothly_from_one_side_to_the_other(graph: MotionGraph) -> None:
    planned = plan_in_detail(graph, None, 2000, PAL, 2)
    path = planned.path
    assert len(path.seams) == len(planned.jumps) > 0
    for seam, jump in zip(path.seams, planned.jumps, strict=True):
        old, new = int(graph.jumps.source[jump]), int(graph.jumps.target[jump])
        length = int(graph.jumps.length[jump])
        shares: list[float] = []
        for k in range(length):
            pair = {int(path.source[seam + k]), int(path.other[seam + k])}
            assert pair == {old + 1 + k, new + k}
            share = float(path.weight[seam + k])
            shares.append(share if int(path.other[seam + k]) == new + k else 1 - share)
        assert all(a < b for a, b in itertools.pairwise(shares))
        assert path.source[seam + length] == new + length and path.other[seam + length] == -1
        assert path.source[seam - 1] == old


def test_seams_are_no_larger_than_natural_movement_allows(graph: MotionGraph) -> None:
    stats = path_stats(graph, plan_in_detail(graph, None, 3000, PAL, 3), PAL)
    assert stats.jumps > 0
    assert stats.largest_seam_pose < 4.0 and stats.largest_seam_grey < 9.0  # the absolute limits


def test_jumps_are_few_and_far_between(graph: MotionGraph) -> None:
    path = plan(graph, None, 3000, PAL, 4)
    assert np.diff(path.seams).min() >= graph.least_run
    assert len(path.seams) <= 3000 / 25 / 60 * 20


def test_no_visible_loop(graph: MotionGraph) -> None:
    path = plan(graph, None, 6000, PAL, 1)
    share, _ = repetition(path, PAL)
    assert share < 0.8
    for begin in range(0, 5700, 300):  # nothing comes again within two seconds
        window = path.source[begin : begin + 50]
        assert len(np.unique(window)) > 40


def test_no_take_stays_in_a_short_stretch(cut_graph: MotionGraph) -> None:
    for seed in range(3):
        path = plan(cut_graph, None, 1500, PAL, seed)
        counts = np.bincount(cut_graph.run[path.source], minlength=4)
        assert (counts > 0).sum() >= 2 and counts.max() < 0.85 * len(path)


def test_pauses_are_quieter_than_speech() -> None:
    track, small = reference(24, movement=1.0)
    lively = track.landmarks.copy()
    for begin in range(0, 600, 120):  # the head nods in every other stretch
        lively[begin : begin + 60, :, 1] += (4 * np.sin(np.arange(60) / 60 * 4 * np.pi))[:, None]
    graph = motion.build(type(track)(lively, track.blendshapes, track.faces, track.rate, 256, 256), small)
    pauses = tuple((at, at + 2.0) for at in np.arange(4.0, 58.0, 6.0))
    loud, quiet = [], []
    for seed in range(3):
        energy = graph.energy[plan(graph, speech(60, pauses), 1500, PAL, seed).source]
        inside = np.zeros(1500, bool)
        for begin, end in pauses:
            inside[int(begin * 25) : int(end * 25)] = True
        quiet.append(energy[inside].mean())
        loud.append(energy[~inside].mean())
    assert np.mean(quiet) < np.mean(loud) - 0.05


def test_a_take_begins_and_ends_with_open_eyes(graph: MotionGraph) -> None:
    for seed in range(6):
        path = plan(graph, speech(8), 200, PAL, seed)
        assert graph.lids[path.source[0]] < 0.2 and graph.lids[path.source[-1]] < 0.2


def test_blinks_stay_natural(graph: MotionGraph) -> None:
    stats = path_stats(graph, plan_in_detail(graph, None, 9000, PAL, 1), PAL)
    assert 0.6 * stats.natural_blinks_a_minute < stats.blinks_a_minute < 1.5 * stats.natural_blinks_a_minute


def test_ten_minutes_take_seconds_and_little_memory(graph: MotionGraph) -> None:
    plan(graph, None, 250, PAL, 0)
    tracemalloc.start()
    began = time.process_time()
    path = plan(graph, speech(600, tuple((at, at + 0.7) for at in np.arange(3.0, 595.0, 5.0))), 15000, PAL, 1)
    took = time.process_time() - began
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    check(graph, path, 15000)
    assert took < 15  # about 1 s without the memory being watched
    assert peak < 60e6


def test_the_shortest_reference_goes_on_for_ever() -> None:
    graph = motion.build(*reference(2.0, movement=1.0))
    path = plan(graph, None, 1000, PAL, 0)
    check(graph, path, 1000)


def test_a_lively_reference_works_and_says_how_large_its_seams_are() -> None:
    graph = motion.build(*reference(10, movement=60.0, seed=3))
    planned = plan_in_detail(graph, speech(60), 1500, PAL, 0)
    check(graph, planned.path, 1500)
    stats = path_stats(graph, planned, PAL)
    assert stats.largest_seam_pose > 0 and stats.jumps == len(planned.jumps)


def test_no_frames_is_a_mistake(graph: MotionGraph) -> None:
    with pytest.raises(ValueError, match="at least one"):
        plan(graph, None, 0, PAL)
