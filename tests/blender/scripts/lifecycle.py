"""Enable, disable and enable again; what is left over; classes and their operators; preferences over a restart."""

from __future__ import annotations

import threading

import addon_utils
import bpy

MODULE = "bl_ext.user_default.retake"


def main(arguments: dict) -> dict:
    return {"cycle": cycle, "preferences": preferences, "operators": operators}[arguments["what"]](arguments)


def everything() -> dict[str, list[str]]:
    """What an extension may leave behind."""
    handlers = bpy.app.handlers
    functions = {name: getattr(handlers, name) for name in dir(handlers) if isinstance(getattr(handlers, name), list)}
    return {
        "classes": sorted(name for name in dir(bpy.types) if "retake" in name.lower()),
        "operators": sorted(name for name in dir(bpy.ops.retake)) if "retake" in dir(bpy.ops) else [],
        "properties": sorted(
            f"{owner.__name__}.retake" for owner in (bpy.types.Scene, bpy.types.WindowManager, strip_type()) if hasattr(owner, "retake")
        ),
        "handlers": sorted(f"{name}:{one.__module__}" for name, listed in functions.items() for one in listed if "retake" in one.__module__),
        "threads": sorted(thread.name for thread in threading.enumerate() if "retake" in thread.name.lower()),
    }


def strip_type() -> type:
    return bpy.types.Strip if hasattr(bpy.types, "Strip") else bpy.types.Sequence


def cycle(_arguments: dict) -> dict:
    addon_utils.disable(MODULE, default_set=True)
    bare = everything()
    found = []
    for _ in range(3):
        addon_utils.enable(MODULE, default_set=True)
        enabled = everything()
        addon_utils.disable(MODULE, default_set=True)
        found.append({"enabled": enabled, "disabled": everything()})
    return {"bare": bare, "rounds": found}


def preferences(arguments: dict) -> dict:
    own = bpy.context.preferences.addons[MODULE].preferences
    before = {name: getattr(own, name) for name in arguments["values"]}
    if arguments["write"]:
        for name, value in arguments["values"].items():
            setattr(own, name, value)
        bpy.ops.wm.save_userpref()
        bpy.ops.wm.save_as_mainfile(filepath=arguments["blend"])
    return {"before": before, "module": own.bl_rna.identifier}


def operators(_arguments: dict) -> dict:
    out = {}
    for name in dir(bpy.types):
        cls = getattr(bpy.types, name)
        if name.startswith("RETAKE_OT_"):
            own = getattr(cls, "bl_options", set())
            out[cls.bl_idname] = {
                "label": cls.bl_label,
                "description": (cls.__doc__ or "").strip(),
                "options": sorted(own),
                "poll": hasattr(cls, "poll"),
                "invoke": hasattr(cls, "invoke"),
            }
    return out
