"""The doctor's button, with no daemon there: findings in the panel, and the interface goes on meanwhile."""

from __future__ import annotations

import time

import bpy
import recording
import story


def main(_arguments: dict) -> dict:
    answer = bpy.ops.retake.doctor()
    running = recording.draw_all()
    deadline = time.monotonic() + 40
    window = story.module("window").of_window()
    while not window.findings and time.monotonic() < deadline:
        story.module("watch").look()
        time.sleep(0.05)
    said = [notice.text for notice in story.module("engine").notices()]
    return {
        "operator": sorted(answer),
        "running": running,
        "findings": [(row.name, row.mark, row.sentence, row.remedy) for row in window.findings],
        "drawn": recording.draw_all(),
        "said": said,
    }
