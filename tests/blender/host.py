"""Scripts in a real Blender, from a test: a process of its own, user resources in a folder of the test's, a hard time limit."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPTS = Path(__file__).resolve().parent / "scripts"
INSIDE = Path(__file__).resolve().parent / "inside.py"


def tool(name: str) -> ModuleType:
    """A module of plugins/blender, which is no package: "build" or "environments"."""
    path = ROOT / "plugins" / "blender" / f"{name}.py"
    known = sys.modules.get(f"blender_{name}")
    if known is not None:
        return known
    spec = importlib.util.spec_from_file_location(f"blender_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class ScriptFailed(AssertionError):
    """What went wrong within Blender: its traceback and what it printed."""


@dataclass(frozen=True)
class Blender:
    """One version of Blender, with a folder for what it would keep of its user: preferences and extensions.

    version: "4.5".
    resources: BLENDER_USER_RESOURCES, set before bpy is imported.
    environment: more variables, for instance RETAKE_HOME.
    """

    version: str
    resources: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, script: str, *, seconds: float = 60.0, **arguments: Any) -> Any:
        """``main(arguments)`` of `scripts/SCRIPT.py` within Blender; returns its result (JSON). Raises ScriptFailed, also after `seconds`."""
        with tempfile.TemporaryDirectory(prefix="retake-blender-") as temporary:
            folder = Path(temporary)
            job, result, output = folder / "job.json", folder / "result.json", folder / "output.txt"
            content = {"script": str(SCRIPTS / f"{script}.py"), "arguments": arguments, "result": str(result), "seconds": seconds}
            job.write_text(json.dumps(content), encoding="utf-8")
            code = self._wait([str(tool("environments").python_of(self.version)), str(INSIDE), str(job)], output, seconds)
            printed = output.read_text(encoding="utf-8", errors="replace")[-6000:]
            if not result.exists():
                ended = f"was ended after {seconds:.0f} s" if code is None else f"ended with {code}"
                raise ScriptFailed(f"Blender {self.version}, {script}: {ended} without a result. It printed:\n{printed}")
            answer = json.loads(result.read_text(encoding="utf-8"))
        if "error" in answer:
            raise ScriptFailed(f"Blender {self.version}, {script}:\n{answer['error']}\nIt printed:\n{printed}")
        return answer["value"]

    def _wait(self, command: list[str], output: Path, seconds: float) -> int | None:
        """The exit code; None where it had to be ended. Whatever it started goes with it."""
        self.resources.mkdir(parents=True, exist_ok=True)
        own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "BLENDER"))}
        own |= {"BLENDER_USER_RESOURCES": str(self.resources), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8", **self.environment}
        with output.open("wb") as file:
            process = subprocess.Popen(
                command, env=own, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=os.name != "nt"
            )
            try:
                return process.wait(seconds)
            except subprocess.TimeoutExpired:
                return None
            finally:
                if process.poll() is None:
                    if os.name == "nt":
                        process.kill()
                    else:
                        os.killpg(process.pid, signal.SIGKILL)
                    process.wait(600)
