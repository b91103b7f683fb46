"""The way into Resolve: finds the module that speaks to it, and what it is that answers. The only file that imports that module."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from .errors import EditorError

if TYPE_CHECKING:
    from fusionscript import Resolve

MODULE = "DaVinciResolveScript"
API_VARIABLE = "RESOLVE_SCRIPT_API"
LIBRARY_VARIABLE = "RESOLVE_SCRIPT_LIB"
OLDEST = (18, 5)  # from this version on, clips can be placed at a frame of a track
PROBE_SECONDS = 20.0


@dataclass(frozen=True)
class Places:
    """Where Resolve keeps what scripts need: the folder of its Python module, and the library that the module loads."""

    modules: PurePath
    library: PurePath


@dataclass(frozen=True)
class Host:
    """A running Resolve. `version` is (major, minor, patch)."""

    resolve: Resolve
    product: str
    version: tuple[int, int, int]

    @property
    def studio(self) -> bool:
        return "studio" in self.product.lower()

    @property
    def name(self) -> str:
        return f"{self.product} {'.'.join(str(part) for part in self.version)}"


def places(platform: str | None = None, environment: Mapping[str, str] | None = None) -> Places:
    """Where the module and the library should be; what the environment names counts more than the usual places. Looks at no disk."""
    system = sys.platform if platform is None else platform
    given = os.environ if environment is None else environment
    pure: type[PurePath] = PureWindowsPath if system == "win32" else PurePosixPath
    if system == "win32":
        data = given.get("PROGRAMDATA") or r"C:\ProgramData"
        programs = given.get("PROGRAMFILES") or r"C:\Program Files"
        api = pure(data) / "Blackmagic Design" / "DaVinci Resolve" / "Support" / "Developer" / "Scripting"
        library = pure(programs) / "Blackmagic Design" / "DaVinci Resolve" / "fusionscript.dll"
    elif system == "darwin":
        api = pure("/Library/Application Support/Blackmagic Design/DaVinci Resolve/Developer/Scripting")
        library = pure("/Applications/DaVinci Resolve/DaVinci Resolve.app/Contents/Libraries/Fusion/fusionscript.so")
    else:
        api = pure("/opt/resolve/Developer/Scripting")
        library = pure("/opt/resolve/libs/Fusion/fusionscript.so")
    if given.get(API_VARIABLE, "").strip():
        api = pure(given[API_VARIABLE].strip())
    if given.get(LIBRARY_VARIABLE, "").strip():
        library = pure(given[LIBRARY_VARIABLE].strip())
    return Places(api / "Modules", library)


def missing(found: Places) -> list[str]:
    """Which of the two are not there."""
    return [str(path) for path in (found.modules / f"{MODULE}.py", found.library) if not Path(path).exists()]


def connect(given: Any = None, *, found: Places | None = None, careful: bool | None = None) -> Host:
    """The running Resolve.

    Args:
        given: its `resolve` object, which scripts that were started from its menu have already.
        careful: try the import in a process of its own first; by default on Windows, where a library that was built for another Python takes the
            whole program down.

    Raises EditorError: api_missing, wrong_python, not_running, old_version, free_edition. On the free edition nothing is asked but what it is
    called and its version: anything that needs Studio would open a dialog there.
    """
    resolve = given if given is not None else _import(found or places(), sys.platform == "win32" if careful is None else careful)
    host = identify(resolve)
    if not host.studio:
        raise EditorError(
            f"This is {host.name}, whose scripts cannot do what Retake needs.",
            "Use DaVinci Resolve Studio, or the way by files: see 'The free edition' in docs/davinci.md.",
            "free_edition",
        )
    if host.version[:2] < OLDEST:
        raise EditorError(
            f"This is {host.name}; Retake needs {OLDEST[0]}.{OLDEST[1]} or newer.", "Update Resolve, or use the way by files.", "old_version"
        )
    return host


def identify(resolve: Any) -> Host:
    """What answers, by the two questions that every edition answers. Raises EditorError (not_running)."""
    try:
        product, version = resolve.GetProductName(), resolve.GetVersion()
        numbers = [int(part) for part in list(version)[:3]]
    except (AttributeError, TypeError, ValueError) as error:  # None of a Resolve that is ending, or that does not let scripts in
        raise _not_running() from error
    if not isinstance(product, str) or not product:
        raise _not_running()
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return Host(resolve, product, (major, minor, patch))


def probe(found: Places, *, python: str | None = None, seconds: float = PROBE_SECONDS) -> str:
    """Try the import in a process of its own; returns what went wrong, "" if nothing did. A crash there harms nobody."""
    code = f"import sys; sys.path.insert(0, sys.argv[1]); import {MODULE}"
    environment = {**os.environ, LIBRARY_VARIABLE: str(found.library)}
    try:
        done = subprocess.run(
            [python or sys.executable, "-c", code, str(found.modules)], env=environment, capture_output=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return said[-1] if said else f"the process ended with {done.returncode}"


def _import(found: Places, careful: bool) -> Any:
    gone = missing(found)
    if gone:
        raise EditorError(
            f"Resolve's scripting interface is not where it should be ({gone[0]} is missing).",
            f"Install DaVinci Resolve on this machine, or say where it is with {API_VARIABLE} and {LIBRARY_VARIABLE}.",
            "api_missing",
        )
    trouble = probe(found) if careful else ""
    if trouble:
        raise _wrong_python(trouble)
    os.environ.setdefault(LIBRARY_VARIABLE, str(found.library))
    if str(found.modules) not in sys.path:
        sys.path.append(str(found.modules))
    try:
        module = importlib.import_module(MODULE)
    except (ImportError, SystemError, OSError) as error:
        raise _wrong_python(str(error)) from error
    resolve = module.scriptapp("Resolve")
    if resolve is None:
        raise _not_running()
    return resolve


def _not_running() -> EditorError:
    return EditorError(
        "DaVinci Resolve does not answer.",
        "Start it, open a project, and set Preferences > System > General > 'External scripting using' to Local.",
        "not_running",
    )


def _wrong_python(reason: str) -> EditorError:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return EditorError(
        f"Python {version} cannot load Resolve's scripting library ({reason[:200]}).",
        "Use a 64-bit Python that your version of Resolve names in its scripting documentation, from python.org.",
        "wrong_python",
    )
