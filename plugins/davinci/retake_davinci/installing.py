"""Puts the scripts where Resolve lists them, and the modules they need where it does not; and takes away exactly that again.

    Fusion/Scripts/Utility/Retake.py ...          a few lines each, which find the modules and call `main`
    Fusion/Modules/Retake/0.1.0-HASH/             retake_client and retake_davinci; a new version gets a folder of its own
    Fusion/Modules/Retake/installed.json          what was written, with hashes: what somebody changed since is left alone

Everything appears complete: modules first, then each script by a rename, so that a Resolve that runs meanwhile finds the old or the new version.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import __version__
from .errors import EditorError

SCRIPTS = {
    "Retake.py": "window",
    "Retake - fill placeholders.py": "fill",
    "Retake - generate at marker.py": "generate",
    "Retake - revise line.py": "revise",
}
PACKAGES = ("retake_client", "retake_davinci")
MANIFEST = "installed.json"
_SIGN = "# Written by 'retake install davinci'; 'retake install davinci --uninstall' removes it."
_VERSION_FOLDER = re.compile(r"[0-9A-Za-z.]{1,30}-[0-9a-f]{12}")

_SCRIPT = '''\
{sign}
"""Retake in DaVinci Resolve's menu: {title}."""

import sys
from pathlib import Path

sys.dont_write_bytecode = True  # nothing but what was installed lies in the folder
sys.path.insert(0, {folder!r} if Path({folder!r}).is_dir() else str(Path(globals().get("__file__", ".")).resolve().parents[2] / {relative!r}))

if sys.version_info[:2] < (3, 9):
    print("Retake needs Python 3.9 or newer, and Resolve runs " + sys.version.split()[0] + ".")
    print("-> Install a newer Python from python.org and restart Resolve.")
else:
    from retake_davinci.main import main

    code = main({task!r}, globals())
    if __name__ == "__main__" and "resolve" not in globals():
        sys.exit(code)
'''


@dataclass
class Plan:
    """What an installation writes and removes: paths, in order. `fusion` is Resolve's folder of that name."""

    fusion: Path
    written: list[Path] = field(default_factory=list)
    removed: list[Path] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)  # sentences about what was left alone


def default_folder(platform: str | None = None, environment: Mapping[str, str] | None = None) -> Path:
    """The user's Fusion folder of Resolve; it may not exist yet."""
    system = sys.platform if platform is None else platform
    given = os.environ if environment is None else environment
    if system == "win32":
        base = given.get("APPDATA", "").strip()
        data = Path(base) if base else Path.home() / "AppData" / "Roaming"
        return data / "Blackmagic Design" / "DaVinci Resolve" / "Support" / "Fusion"
    if system == "darwin":
        return Path.home() / "Library" / "Application Support" / "Blackmagic Design" / "DaVinci Resolve" / "Fusion"
    share = given.get("XDG_DATA_HOME", "").strip()
    return (Path(share) if share else Path.home() / ".local" / "share") / "DaVinciResolve" / "Fusion"


def install(fusion: Path, sources: Mapping[str, Path], *, dry_run: bool = False) -> Plan:
    """Install, or replace an earlier installation.

    Args:
        sources: the folders of `PACKAGES`, by name.
        dry_run: write nothing; the plan says what would be written.

    Raises EditorError: would_overwrite (somebody else's file has the name of one of ours), not_writable.
    """
    fusion = fusion.expanduser().absolute()
    utility, modules = _places(fusion)
    files = _package_files(sources)
    earlier = _manifest(modules)
    known = {str(entry) for entry in earlier.get("files", {})}
    for name in SCRIPTS:
        target = utility / name
        if target.exists() and str(target.relative_to(fusion).as_posix()) not in known and not _is_ours(target):
            raise EditorError(f"{target} is not Retake's.", "Move it away or give it another name.", "would_overwrite")
    folder = modules / f"{__version__}-{_digest_of(files)[:12]}"
    plan = Plan(fusion, written=[folder / relative for relative in files] + [utility / name for name in SCRIPTS])
    plan.removed = _superseded(fusion, modules, earlier, folder, plan)
    if dry_run:
        return plan
    try:
        plan.kept += _put_aside(utility, earlier, folder)
        hashes = _write(fusion, utility, modules, folder, files)
        _atomic(modules / MANIFEST, json.dumps({"format": 1, "version": __version__, "files": hashes}, indent=2, sort_keys=True).encode() + b"\n")
        _remove(plan.removed, stop_at=modules)
    except OSError as error:
        raise EditorError(
            f"{error.filename or fusion} cannot be written ({error.strerror or error}).",
            "Check its permissions, or name another folder.",
            "not_writable",
        ) from error
    return plan


def uninstall(fusion: Path, *, dry_run: bool = False) -> Plan:
    """Remove exactly what `install` wrote, and folders of ours that are empty then. What was changed since stays, and the plan says so.

    Raises EditorError: not_installed, not_writable.
    """
    fusion = fusion.expanduser().absolute()
    _, modules = _places(fusion)
    earlier = _manifest(modules)
    if not earlier:
        raise EditorError(f"Retake is not installed in {fusion}.", "Name the folder with --folder if it is elsewhere.", "not_installed")
    plan = Plan(fusion)
    plan.removed = _unchanged(fusion, earlier, plan)
    plan.removed.append(modules / MANIFEST)
    if dry_run:
        return plan
    try:
        _remove(plan.removed, stop_at=fusion)
    except OSError as error:
        raise EditorError(
            f"{error.filename} cannot be removed ({error.strerror or error}).", "Close Resolve and try again.", "not_writable"
        ) from error
    return plan


def installed_version(fusion: Path) -> str:
    """What is installed there, "" if nothing is."""
    return str(_manifest(_places(fusion.expanduser().absolute())[1]).get("version", ""))


def damage(fusion: Path) -> tuple[int, int]:
    """Of what was installed there: how many files are missing, and how many are not as they were written."""
    fusion = fusion.expanduser().absolute()
    utility, modules = _places(fusion)
    missing = changed = 0
    for name, digest in _manifest(modules).get("files", {}).items():
        path = fusion / str(name)
        if not _may_be_ours(path, utility, modules):
            continue
        try:
            changed += hashlib.sha256(path.read_bytes()).hexdigest() != digest
        except OSError:
            missing += 1
    return missing, changed


def script_text(task: str, folder: Path) -> str:
    """A script for the menu."""
    title = next(name[:-3] for name, known in SCRIPTS.items() if known == task)
    relative = Path("Modules") / folder.parent.name / folder.name
    return _SCRIPT.format(sign=_SIGN, title=title, folder=str(folder), relative=relative.as_posix(), task=task)


def _places(fusion: Path) -> tuple[Path, Path]:
    return fusion / "Scripts" / "Utility", fusion / "Modules" / "Retake"


def _package_files(sources: Mapping[str, Path]) -> dict[str, bytes]:
    out: dict[str, bytes] = {}
    for name in PACKAGES:
        for path in sorted(sources[name].rglob("*.py")):
            out[f"{name}/{path.relative_to(sources[name]).as_posix()}"] = path.read_bytes()
    return out


def _digest_of(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _write(fusion: Path, utility: Path, modules: Path, folder: Path, files: Mapping[str, bytes]) -> dict[str, str]:
    """Write modules and scripts; returns the hash of each by its path below `fusion`."""
    hashes: dict[str, str] = {}
    utility.mkdir(parents=True, exist_ok=True)
    modules.mkdir(parents=True, exist_ok=True)
    if not _complete(folder, files):
        part = modules / f".{folder.name}.{secrets.token_hex(4)}"
        try:
            for name, content in files.items():
                target = part / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            if folder.exists():
                shutil.rmtree(folder)  # ours, and damaged: its name says what should be in it
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    for name, content in files.items():
        hashes[(folder / name).relative_to(fusion).as_posix()] = hashlib.sha256(content).hexdigest()
    for name, task in SCRIPTS.items():
        content = script_text(task, folder).encode("utf-8")
        _atomic(utility / name, content)
        hashes[(utility / name).relative_to(fusion).as_posix()] = hashlib.sha256(content).hexdigest()
    return hashes


def _put_aside(utility: Path, earlier: Mapping[str, Any], folder: Path) -> list[str]:
    """Keep scripts that the user has changed, under a name that Resolve does not list; returns what to say about them."""
    said: list[str] = []
    for name, task in SCRIPTS.items():
        path, digest = utility / name, earlier.get("files", {}).get(f"Scripts/Utility/{name}")
        if digest is None or not path.is_file():
            continue
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != digest and content != script_text(task, folder).encode("utf-8"):
            kept = next(free for number in range(1, 1000) if not (free := path.with_name(f"{name}.changed{number if number > 1 else ''}")).exists())
            path.replace(kept)
            said.append(f"{path} was changed since it was installed: the changed one is kept as {kept.name}.")
    return said


def _complete(folder: Path, files: Mapping[str, bytes]) -> bool:
    return all((folder / name).is_file() and (folder / name).read_bytes() == content for name, content in files.items())


def _superseded(fusion: Path, modules: Path, earlier: Mapping[str, Any], folder: Path, plan: Plan) -> list[Path]:
    """Files of an earlier version that the new one does not have."""
    own = dict(earlier.get("files", {}))
    old = {name: digest for name, digest in own.items() if modules in (fusion / name).parents and folder not in (fusion / name).parents}
    return _unchanged(fusion, {"files": old}, plan)


def _unchanged(fusion: Path, earlier: Mapping[str, Any], plan: Plan) -> list[Path]:
    """Files that an installation wrote and nobody changed."""
    utility, modules = _places(fusion)
    out: list[Path] = []
    for name, digest in dict(earlier.get("files", {})).items():
        path = fusion / str(name)
        if not _may_be_ours(path, utility, modules) or not path.is_file():
            continue
        if hashlib.sha256(path.read_bytes()).hexdigest() == digest:
            out.append(path)
        else:
            plan.kept.append(f"{path} was changed since it was installed, so it stays.")
    return out


def _may_be_ours(path: Path, utility: Path, modules: Path) -> bool:
    """The list of files lies where others may write: nothing outside of our places is ever removed because of it."""
    if ".." in path.parts:
        return False
    if path.parent == utility:
        return path.name in SCRIPTS
    below = path.relative_to(modules).parts if modules in path.parents else ()
    return len(below) > 2 and bool(_VERSION_FOLDER.fullmatch(below[0])) and below[1] in PACKAGES


def _remove(paths: list[Path], *, stop_at: Path) -> None:
    folders: set[Path] = set()
    for path in paths:
        path.unlink()
        folders |= {parent for parent in path.parents if stop_at in parent.parents}
    for folder in sorted(folders, key=lambda one: len(one.parts), reverse=True):
        if folder.name in {"Utility", "Scripts", "Modules"}:
            continue  # Resolve's own
        shutil.rmtree(folder / "__pycache__", ignore_errors=True)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _is_ours(path: Path) -> bool:
    try:
        with path.open("r", encoding="utf-8") as file:
            return file.readline().strip() == _SIGN
    except (OSError, UnicodeDecodeError):
        return False


def _manifest(modules: Path) -> dict[str, Any]:
    try:
        found = json.loads((modules / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("files"), dict) else {}


def _atomic(target: Path, content: bytes) -> None:
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        part.write_bytes(content)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
