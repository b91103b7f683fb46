"""Install the zip as a user does, and say what became of it."""

from __future__ import annotations

import addon_utils
import bpy

MODULE = "bl_ext.user_default.retake"


def main(arguments: dict) -> dict:
    done = bpy.ops.extensions.package_install_files(filepath=arguments["zip"], repo="user_default", enable_on_install=True)
    default, enabled = addon_utils.check(MODULE)
    bpy.ops.wm.save_userpref()
    return {"operator": sorted(done), "default": default, "enabled": enabled, "addons": [addon.module for addon in bpy.context.preferences.addons]}
