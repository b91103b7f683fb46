"""What the user sets once for all files: where the daemon is, where takes go, and how new scenes begin.

Kept by Blender in its own preferences, never in a .blend: a token that is typed here does not travel with the work.
"""

import ipaddress
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import bpy

from . import engine, state, takes

SOURCES = (
    ("LOCAL", "This Computer", "The daemon that runs for you on this computer; nothing needs to be set"),
    ("ADDRESS", "An Address", "A daemon on another computer"),
)
TOKENS = (
    ("FILE", "File", "The first line of a file, for instance 'token' in Retake's folder on a shared disk"),
    ("ENVIRONMENT", "Environment", "The environment variable RETAKE_TOKEN, as studios set it"),
    ("TYPED", "Typed", "Kept in Blender's preferences on this computer"),
)
TOKEN_VARIABLE = "RETAKE_TOKEN"
LONGEST_TOKEN = 500
FOLDERS = (
    ("BESIDE", "Beside the .blend", "A folder 'retake' beside each .blend file"),
    ("CHOSEN", "One Folder", "The same folder for all files"),
    ("STORE", "Stay Where They Are", "Takes of this computer's daemon are used from its own folder; what is deleted there is missing here"),
)


def _changed(self: Any, _context: Any) -> None:
    """The connection is made anew with what is set now; what is under way goes on."""
    engine.restart()


class RetakePreferences(bpy.types.AddonPreferences):
    bl_idname = __package__

    source: bpy.props.EnumProperty(items=SOURCES, name="Daemon", default="LOCAL", update=_changed)
    address: bpy.props.StringProperty(name="Address", description="For example http://render-box:7420", update=_changed)
    token_source: bpy.props.EnumProperty(items=TOKENS, name="Token", default="FILE", update=_changed)
    token_file: bpy.props.StringProperty(name="Token File", subtype="FILE_PATH", update=_changed)
    token: bpy.props.StringProperty(name="Token", subtype="PASSWORD", description="Kept in Blender's preferences, never in a .blend", update=_changed)
    path_map: bpy.props.StringProperty(
        name="Path Map",
        description=r"Folders that have other names on the daemon's machine: there=here, for example /mnt/takes=R:\takes; more after a ';'",
        update=_changed,
    )
    may_start: bpy.props.BoolProperty(
        name="Start Retake When Needed", description="Start 'retake serve' on this computer when it is not running", default=False, update=_changed
    )
    folder: bpy.props.EnumProperty(items=FOLDERS, name="Takes Go", default="BESIDE", update=_changed)
    takes_folder: bpy.props.StringProperty(name="Folder", subtype="DIR_PATH", update=_changed)
    conform: bpy.props.EnumProperty(items=state.CONFORM, name="Conform", default="FIT")
    size: bpy.props.EnumProperty(items=state.SIZES, name="Size", default="SCENE")
    handles: bpy.props.IntProperty(
        name="Handles", description="Frames of quiet picture before and behind each take", min=0, max=state.LONGEST_HANDLES
    )

    def draw(self, _context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "source")
        if self.source == "ADDRESS":
            layout.prop(self, "address")
            layout.prop(self, "token_source")
            if self.token_source == "FILE":
                layout.prop(self, "token_file")
            elif self.token_source == "TYPED":
                layout.prop(self, "token")
            if not bpy.app.online_access and not is_loopback(self.address):
                layout.label(text="Turn on Allow Online Access in Preferences > System.", icon="ERROR")
            layout.prop(self, "path_map")
            problem = path_map_problem(self.path_map)
            if problem:
                layout.label(text=problem, icon="ERROR")
        else:
            layout.prop(self, "may_start")
        layout.separator()
        layout.prop(self, "folder")
        if self.folder == "CHOSEN":
            layout.prop(self, "takes_folder")
        layout.separator()
        layout.label(text="New scenes begin with")
        layout.prop(self, "conform")
        layout.prop(self, "size")
        layout.prop(self, "handles")


def of_user() -> Any:
    """The preferences, or None while the extension is not enabled (for instance when its modules are used by a script)."""
    addon = bpy.context.preferences.addons.get(__package__)
    return None if addon is None else addon.preferences


def session_settings() -> Any:
    """What `retake_client.session.Session` is begun with."""
    from retake_client.paths import PathMap
    from retake_client.session import SessionSettings

    own = of_user()
    folder = takes.takes_folder()
    if own is None or own.source == "LOCAL" or hindrance() is not None:
        may_start = own is not None and own.source == "LOCAL" and own.may_start
        return SessionSettings(folder=folder, copy=own is None or own.folder != "STORE", may_start=may_start, name="blender")
    paths = PathMap.parse(own.path_map) if own.path_map and not path_map_problem(own.path_map) else None
    return SessionSettings(address=own.address.strip(), token=token_of(own), paths=paths, folder=folder, may_start=False, name="blender")


def hindrance() -> tuple[str, str] | None:
    """(sentence, remedy) why the daemon that is set cannot even be asked, or None."""
    own = of_user()
    if own is None or own.source == "LOCAL":
        return None
    if not own.address.strip():
        return "No address is set.", "Open the preferences and name the daemon's address."
    if not bpy.app.online_access and not is_loopback(own.address):
        return "Blender may not go online.", "Turn on Allow Online Access in Preferences > System."
    return None


def token_of(own: Any) -> str:
    """The token from where the user keeps it; empty if there is none, which the daemon then says."""
    if own.token_source == "TYPED":
        return own.token.strip()
    if own.token_source == "ENVIRONMENT":
        return os.environ.get(TOKEN_VARIABLE, "").strip()
    try:
        with Path(bpy.path.abspath(own.token_file)).open(encoding="utf-8") as file:
            return file.readline(LONGEST_TOKEN).strip()
    except (OSError, UnicodeDecodeError):
        return ""


def path_map_problem(text: str) -> str:
    """What is wrong with a path map, in a few words; empty if nothing is."""
    from retake_client import ClientError
    from retake_client.paths import PathMap

    if not text.strip():
        return ""
    try:
        PathMap.parse(text)
    except (ClientError, ValueError):
        return "The path map is not of the form there=here."
    return ""


def is_loopback(address: str) -> bool:
    """Whether an address is of this computer, so that asking it is not going online."""
    try:
        host = urlsplit(address.strip()).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def chosen_folder() -> str:
    """The folder that the user has set for all takes, absolute; empty: beside the .blend."""
    own = of_user()
    if own is None or own.folder != "CHOSEN" or not own.takes_folder.strip():
        return ""
    return str(Path(bpy.path.abspath(own.takes_folder)).absolute())


def begin_scene(scene: bpy.types.Scene) -> None:
    """Give a scene that Retake has not seen yet the user's own defaults."""
    own = of_user()
    if own is not None:
        scene.retake.conform, scene.retake.size, scene.retake.handles = own.conform, own.size, own.handles


def register() -> None:
    bpy.utils.register_class(RetakePreferences)
    takes.configure_folder(chosen_folder)
    state.configure_defaults(begin_scene)
    engine.configure(session_settings)


def unregister() -> None:
    engine.configure(None)
    state.configure_defaults(None)
    takes.configure_folder(None)
    bpy.utils.unregister_class(RetakePreferences)
