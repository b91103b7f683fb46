"""The motion graph: which jumps it holds, no dead ends, and that it is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from motion_samples import reference

from retake.domain.errors import RetakeError
from retake.motion import graph as motion
from retake.motion.graph import MotionGraph


def edges(graph: MotionGraph) -> dict[int, set[int]]:
    """Where a path can be free to choose again after each open frame."""
    out: dict[int, set[int]] = {int(i): set() for i in np.flatnonzero(graph.open)}
    for frame, following in out.items():
        if frame + 1 < len(graph) and graph.open[frame + 1] and graph.run[frame + 1] == graph.run[frame]:
            following.add(frame + 1)
    for source, target in zip(graph.jumps.source, graph.jumps.target, strict=True):
        out[int(source)].add(int(target) + graph.least_run - 1)
    return out


def reached(start: int, forward: dict[int, set[int]]) -> set[int]:
    seen, todo = {start}, [start]
    while todo:
        for frame in forward[todo.pop()] - seen:
            seen.add(frame)
            todo.append(frame)
    return seen


@pytest.mark.parametrize("cuts", [(), (90, 200, 310)])
def test_there_are_no_dead_ends(cuts: tuple[int, ...]) -> None:
    graph = motion.build(*reference(16, cuts=cuts))
    forward = edges(graph)
    assert all(forward.values())
    for start in list(forward)[:: max(1, len(forward) // 8)]:
        assert reached(start, forward) == set(forward)


def test_jumps_keep_clear_of_cuts_and_ends() -> None:
    graph = motion.build(*reference(16, cuts=(90, 200, 310)))
    jumps = graph.jumps
    for k in range(1, 7):  # the old side goes on during the transition
        inside = k <= jumps.length
        assert (graph.run[jumps.source + k] == graph.run[jumps.source])[inside].all()
    for k in range(graph.least_run):
        assert (graph.run[jumps.target + k] == graph.run[jumps.target]).all()
    assert (jumps.length <= graph.least_run).all() and (jumps.length >= 1).all()


def test_frames_without_a_face_are_left_out() -> None:
    graph = motion.build(*reference(16, faceless=((150, 170),)))
    assert not graph.open[150:170].any()
    assert (graph.run[graph.jumps.source] >= 0).all() and (graph.run[graph.jumps.target] >= 0).all()


def test_a_still_person_needs_no_wider_limits_and_jumps_are_invisible() -> None:
    graph = motion.build(*reference(20, movement=2.0))
    assert graph.relax == 1.0
    assert graph.open.mean() > 0.7
    assert graph.jumps.pose.max() < 4.0 and graph.jumps.cost.max() <= 1.0


def test_a_lively_person_still_gets_a_graph() -> None:
    graph = motion.build(*reference(10, movement=60.0, seed=3))
    assert graph.relax > 1.0
    assert len(graph.jumps) and graph.open.sum() > 50


def test_jumps_do_not_cut_into_blinks() -> None:
    track, small = reference(20, movement=1.0)
    graph = motion.build(track, small)
    lids = track.blendshapes[:, 9]
    for source, target in zip(graph.jumps.source, graph.jumps.target, strict=True):
        before, after = lids[source + 1 : source + 7], lids[target : target + 7][: len(lids[source + 1 : source + 7])]
        assert np.abs(before - after).mean() < 0.2


def test_the_graph_is_kept(tmp_path: Path) -> None:
    graph = motion.build(*reference(12))
    path = graph.save(tmp_path)
    assert path == tmp_path / "motion" / "graph.safetensors" and path.is_file()
    again = motion.load(tmp_path)
    assert again.rate == graph.rate and again.least_run == graph.least_run and again.relax == graph.relax
    assert (again.open == graph.open).all() and (again.jumps.cost == graph.jumps.cost).all() and (again.energy == graph.energy).all()


def test_missing_and_damaged_graphs_are_explained(tmp_path: Path) -> None:
    with pytest.raises(RetakeError, match="Enrol the speaker again"):
        motion.load(tmp_path)
    (tmp_path / "motion").mkdir()
    (tmp_path / "motion" / "graph.safetensors").write_bytes(b"\x00" * 40)
    with pytest.raises(RetakeError, match="Enrol the speaker again"):
        motion.load(tmp_path)


def test_a_reference_of_snippets_is_refused() -> None:
    with pytest.raises(RetakeError, match="longest unbroken stretch") as caught:
        motion.build(*reference(8, faceless=tuple((at, at + 5) for at in range(15, 200, 20))))
    assert caught.value.code == "reference_too_broken"


def test_building_is_repeatable() -> None:
    one, two = motion.build(*reference(12)), motion.build(*reference(12))
    assert (one.jumps.source == two.jumps.source).all() and (one.jumps.cost == two.jumps.cost).all()
