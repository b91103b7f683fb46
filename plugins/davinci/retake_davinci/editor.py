"""The project and the timeline that are worked on, held fast: the user may look at another timeline while takes are rendered."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .bridge import Host
from .errors import EditorError
from .rates import TimelineRate, timeline_rate
from .surface import identity, whole

if TYPE_CHECKING:
    from fusionscript import MediaPool, Project, Timeline


class Editor:
    """One timeline of one project.

    timeline: as it was current when this was made.
    rate: its frame rate and kind of timecode.
    """

    def __init__(self, host: Host, project: Project, timeline: Timeline) -> None:
        self.host = host
        self.project = project
        self.timeline = timeline
        self.timeline_id = identity(timeline)
        self.project_id = identity(project)
        self.rate = _rate_of(timeline)

    @classmethod
    def of_current(cls, host: Host) -> Editor:
        """The open project and its current timeline. Raises EditorError: no_project, no_timeline, bad_rate."""
        project = _open_project(host)
        if project is None:
            raise EditorError("No project is open.", "Open the project that you edit.", "no_project")
        timeline = project.GetCurrentTimeline()
        if timeline is None:
            raise EditorError("No timeline is open.", "Open the timeline that the lines belong to.", "no_timeline")
        return cls(host, project, timeline)

    @property
    def pool(self) -> MediaPool:
        return self.project.GetMediaPool()

    @property
    def start(self) -> int:
        """The timeline's first frame: 86400 for 01:00:00:00 at 24."""
        return whole(self.timeline.GetStartFrame(), "the timeline's first frame")

    @property
    def end(self) -> int:
        return whole(self.timeline.GetEndFrame(), "the timeline's last frame")

    def playhead(self) -> int:
        """The frame under the playhead, counted as items are. Raises EditorError (no_playhead) on pages that have none."""
        now, first = self.timeline.GetCurrentTimecode(), self.timeline.GetStartTimecode()
        if not now or not first:
            raise EditorError("Resolve does not say where the playhead is.", "Go to the Edit page and try again.", "no_playhead")
        # By the difference, since a timeline whose timecode was changed may count its frames from elsewhere.
        # Timecode by the time of day may pass midnight.
        return self.start + (self.rate.frames_of(now) - self.rate.frames_of(first)) % self.rate.day

    def timecode(self, frame: int) -> str:
        """What Resolve shows at a frame that is counted as items are."""
        first = self.timeline.GetStartTimecode()
        if not first:
            return self.rate.timecode_of(frame)
        return self.rate.timecode_of(self.rate.frames_of(first) + frame - self.start)

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Have our timeline current, as appending needs, and afterwards the one that the user was looking at.

        Raises EditorError: other_project if another project has been opened, timeline_gone.
        """
        self.check_open()
        shown = self.project.GetCurrentTimeline()
        if shown is not None and identity(shown) == self.timeline_id:
            yield
            return
        self.make_current()
        try:
            yield
        finally:
            if shown is not None:
                self.project.SetCurrentTimeline(shown)

    def check_open(self) -> None:
        """Raise EditorError (not_running, other_project) if our project is not the open one any more."""
        open_project = _open_project(self.host)
        if open_project is None or identity(open_project) != self.project_id:
            raise EditorError(
                "Another project has been opened.",
                "Open the project again and start the script anew: finished takes are found again.",
                "other_project",
            )

    def make_current(self) -> None:
        """Raise EditorError (timeline_gone) if our timeline cannot be shown."""
        self.project.SetCurrentTimeline(self.timeline)
        current = self.project.GetCurrentTimeline()
        if current is None or identity(current) != self.timeline_id:
            raise EditorError(
                "The timeline that the lines belong to cannot be opened any more.",
                "Open it, or a copy of it, and start the script anew.",
                "timeline_gone",
            )


def _open_project(host: Host) -> Project | None:
    """Raises EditorError (not_running) for a Resolve that has ended: its objects know no names any more."""
    try:
        manager = host.resolve.GetProjectManager()
        return manager.GetCurrentProject() if manager is not None else None
    except (AttributeError, TypeError) as error:
        raise EditorError(
            "DaVinci Resolve does not answer any more.", "Start it, open the project, and start the script again.", "not_running"
        ) from error


def _rate_of(timeline: Timeline) -> TimelineRate:
    return timeline_rate(
        timeline.GetSetting("timelineFrameRate"),
        timeline.GetSetting("timelineDropFrameTimecode"),
        timeline.GetStartTimecode() or "",
    )
