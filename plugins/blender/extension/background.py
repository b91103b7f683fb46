"""What takes a while and no part of Blender may wait for: run in a thread, its result handed over in the main thread.

Functions that run here must not touch bpy. `collect` is called by the timer of `watch`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from retake_client import ClientError

Then = Callable[[Any], None]
Failed = Callable[[str], None]


@dataclass
class _Task:
    thread: threading.Thread
    then: Then
    failed: Failed
    result: Any = None
    error: str = ""


_tasks: dict[str, _Task] = {}


def begin(name: str, function: Callable[[], Any], *, then: Then, failed: Failed) -> bool:
    """Run `function` in a thread, then call `then(result)` or `failed(sentence)` in the main thread; False if one of that name runs already."""
    if name in _tasks:
        return False

    def work() -> None:
        try:
            task.result = function()
        except ClientError as error:
            task.error = f"{error.cause} {error.remedy}"
        except Exception as error:  # noqa: BLE001 - a thread has nobody above it; the user is told
            task.error = f"It failed: {error or type(error).__name__}."

    task = _Task(threading.Thread(target=work, name=f"retake-{name}", daemon=True), then, failed)
    _tasks[name] = task
    task.thread.start()
    return True


def running(name: str) -> bool:
    """Whether it runs, or is done and not collected."""
    return name in _tasks


def collect() -> int:
    """Hand over what is done; returns how many were."""
    done = [name for name, task in _tasks.items() if not task.thread.is_alive()]
    for name in done:
        task = _tasks.pop(name)
        if task.error:
            task.failed(task.error)
        else:
            task.then(task.result)
    return len(done)


def forget() -> None:
    """Nobody wants the results any more."""
    _tasks.clear()
