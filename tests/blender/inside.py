"""Runs within Blender's Python (see host.py): imports bpy, calls a script's ``main(arguments)`` and writes what it returns, or how it failed.

The process ends by ``os._exit``: Blender 4.5 as a module hangs at its regular end while classes are registered.
"""

from __future__ import annotations

import faulthandler
import importlib.util
import json
import os
import sys
import traceback
from pathlib import Path


def run(script: Path, arguments: dict, result: Path) -> None:
    answer: dict = {}
    try:
        import bpy

        answer["blender"] = list(bpy.app.version)
        if (Path(os.environ["BLENDER_USER_RESOURCES"]) / "config" / "userpref.blend").exists():
            bpy.ops.wm.read_userpref()  # as a module, Blender begins with factory settings
        sys.path.insert(0, str(script.parent))
        spec = importlib.util.spec_from_file_location(script.stem, script)
        module = importlib.util.module_from_spec(spec)
        sys.modules[script.stem] = module
        spec.loader.exec_module(module)
        answer["value"] = module.main(arguments)
    except BaseException:  # noqa: BLE001 - whatever it is, the test is told
        answer["error"] = traceback.format_exc()
    part = result.with_suffix(".part")
    try:
        part.write_text(json.dumps(answer), encoding="utf-8")
    except (TypeError, ValueError):
        part.write_text(json.dumps({"error": "the script's result is no JSON:\n" + traceback.format_exc()}), encoding="utf-8")
    part.replace(result)


if __name__ == "__main__":
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    faulthandler.dump_traceback_later(max(1.0, job["seconds"] - 2.0), exit=False)  # where it hangs, just before it is ended
    run(Path(job["script"]), job["arguments"], Path(job["result"]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
