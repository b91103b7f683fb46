"""Figures about a planned path, for the take's report and for judging the planner."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict

from retake.domain.motion import MotionPath
from retake.domain.rate import FrameRate

from .graph import MotionGraph
from .plan import Planned


class PathStats(BaseModel):
    """What a viewer could notice of a path. Distances: percent of the inter-ocular distance and RMS grey levels.

    Seams are the mean distance of the two sides of a transition, to be compared with the natural change from one frame to the next
    (median and 99th percentile of the reference).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    jumps: int
    jumps_a_minute: float
    largest_seam_pose: float
    median_seam_pose: float
    natural_step_pose: tuple[float, float]
    largest_seam_grey: float
    median_seam_grey: float
    natural_step_grey: tuple[float, float]
    repetition: float  # largest share of the take that shows the same as a fixed time (of more than 1 s) before
    repetition_seconds: float  # that time
    blinks_a_minute: float
    natural_blinks_a_minute: float


def path_stats(graph: MotionGraph, planned: Planned, rate: FrameRate) -> PathStats:
    """Figures of a path of `graph` at `rate`."""
    path, jumps = planned.path, planned.jumps
    pose = graph.jumps.pose[jumps] if len(jumps) else np.zeros(1, np.float32)
    grey = graph.jumps.grey[jumps] if len(jumps) else np.zeros(1, np.float32)
    share, lag = repetition(path, rate)
    minutes = rate.seconds(len(path)) / 60
    usable = max(1, int((graph.run >= 0).sum()))
    return PathStats(
        jumps=len(jumps),
        jumps_a_minute=len(jumps) / minutes,
        largest_seam_pose=float(pose.max()),
        median_seam_pose=float(np.median(pose)),
        natural_step_pose=(float(graph.step_pose[0]), float(graph.step_pose[2])),
        largest_seam_grey=float(grey.max()),
        median_seam_grey=float(np.median(grey)),
        natural_step_grey=(float(graph.step_grey[0]), float(graph.step_grey[2])),
        repetition=share,
        repetition_seconds=lag,
        blinks_a_minute=_blinks(graph, path) / minutes,
        natural_blinks_a_minute=len(graph.blinks) / (usable / float(graph.rate) / 60),
    )


def repetition(path: MotionPath, rate: FrameRate) -> tuple[float, float]:
    """Largest share of frames that show (within a frame) what was shown a fixed time before, and that time in seconds; from 1 s to half the take."""
    source = path.source
    best, at = 0.0, 0
    for lag in range(max(1, round(float(rate))), len(source) // 2):
        share = float((np.abs(source[lag:] - source[:-lag]) <= 1).mean())
        if share > best:
            best, at = share, lag
    return best, rate.seconds(at)


def _blinks(graph: MotionGraph, path: MotionPath) -> int:
    """Blinks that are seen: times at which the path comes to or past the peak of one."""
    peaks = np.zeros(len(graph), bool)
    peaks[graph.blinks] = True
    shown = peaks[np.minimum(path.source // graph.stride, len(graph) - 1)]
    return int((shown & ~np.r_[False, shown[:-1]]).sum())
