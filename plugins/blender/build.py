#!/usr/bin/env python3
"""Build the Blender extension: `retake-blender-VERSION.zip`, which Blender installs by *Install from Disk* and which needs nothing else.

    python3 plugins/blender/build.py [--platform this|all] [--output FOLDER]

The zip holds the folder `extension`, and as wheels what it imports: retake_client and retake_otio of this working tree, and OpenTimelineIO as
`wheels.lock` pins it. The same input gives the same bytes. Where an environment with Blender is (`bootstrap.py test --blender` makes it),
Blender's own tool builds and validates it as well. Only the standard library is used; pip fetches OpenTimelineIO.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import importlib.util
import io
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
EXTENSION = HERE / "extension"
WHEELS_LOCK = HERE / "wheels.lock"
CACHE = ROOT / "build" / "blender-wheels"
OUTPUT = ROOT / "dist"
VERSION_FILE = ROOT / "daemon" / "retake" / "__init__.py"
PYTHON_TAG = "cp311"  # of the Python in Blender 4.2 to 5.0

# Blender's name of a platform: pip's names of it, and how the wheel's own name may end.
PLATFORMS: dict[str, tuple[str, ...]] = {
    "linux-x64": ("manylinux2014_x86_64", "manylinux_2_17_x86_64"),
    "windows-x64": ("win_amd64",),
    "macos-arm64": ("macosx_11_0_arm64",),
}
LONGEST_AGO = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can tell: files carry no date of the machine that built them
NOT_SHIPPED = {"__pycache__", ".DS_Store", "wheels"}


class BuildError(Exception):
    """Cause and remedy."""


@dataclass(frozen=True)
class Built:
    """The zip, and what Blender's own tool said of it (None: there was no Blender to ask)."""

    path: Path
    version: str
    platforms: tuple[str, ...]
    sha256: str
    checked_by: str | None


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Build Retake's extension for Blender.")
    parser.add_argument("--platform", choices=("this", "all"), default="all", help="whose wheels go in: this machine's, or all three")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder for the zip (default: dist)")
    options = parser.parse_args(arguments)
    try:
        built = build(options.output, tuple(PLATFORMS) if options.platform == "all" else (this_platform(),))
    except BuildError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    checked = (
        f"Accepted by the tool of Blender {built.checked_by}."
        if built.checked_by
        else "Not checked: there is no Blender here ('bootstrap.py test --blender' brings one)."
    )
    print(f"{built.path}\n{built.path.stat().st_size / 1e6:.1f} MB for {', '.join(built.platforms)}; sha256 {built.sha256}\n{checked}")
    return 0


def build(output: Path, platforms: tuple[str, ...], *, cache: Path = CACHE) -> Built:
    """Build the zip into the folder `output`; it appears there when it is complete and, where there is a Blender, accepted by it."""
    version = retake_version()
    output.mkdir(parents=True, exist_ok=True)
    name = f"retake-blender-{version}.zip" if set(platforms) == set(PLATFORMS) else f"retake-blender-{version}-{'-'.join(platforms)}.zip"
    wheels = dict(own_wheels(version))
    for path in sorted(fetch_wheels(platforms, cache), key=lambda path: path.name):
        wheels[path.name] = path.read_bytes()
    files = extension_files(version, platforms, wheels)
    content = zip_bytes(files)
    with tempfile.TemporaryDirectory(prefix="retake-blender-") as temporary:
        candidate = Path(temporary) / name
        candidate.write_bytes(content)
        checked = check_with_blender(candidate, files, Path(temporary))
        part = output / f".{name}.part"
        shutil.copyfile(candidate, part)
        part.replace(output / name)
    return Built(output / name, version, platforms, hashlib.sha256(content).hexdigest(), checked)


def retake_version() -> str:
    found = re.search(r'^__version__ = "([0-9]+\.[0-9]+\.[0-9]+[^"]*)"$', VERSION_FILE.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise BuildError(f"{VERSION_FILE} says no version. Put back its line __version__ = ...")
    return found.group(1)


def this_platform() -> str:
    system = {"Linux": "linux", "Windows": "windows", "Darwin": "macos"}.get(platform.system(), platform.system().lower())
    machine = {"x86_64": "x64", "amd64": "x64", "arm64": "arm64", "aarch64": "arm64"}.get(platform.machine().lower(), platform.machine())
    name = f"{system}-{machine}"
    if name not in PLATFORMS:
        raise BuildError(f"There is no OpenTimelineIO wheel for {name}. Build on or for {', '.join(PLATFORMS)}.")
    return name


def extension_files(version: str, platforms: Iterable[str], wheels: Mapping[str, bytes]) -> dict[str, bytes]:
    """What the zip holds, by path: the extension with its manifest completed, and the wheels."""
    files: dict[str, bytes] = {}
    for path in sorted(EXTENSION.rglob("*")):
        inside = path.relative_to(EXTENSION)
        if path.is_file() and not NOT_SHIPPED & set(inside.parts) and path.suffix != ".pyc":
            files[inside.as_posix()] = path.read_bytes()
    manifest = files["blender_manifest.toml"].decode("utf-8")
    files["blender_manifest.toml"] = completed(manifest, version, platforms, sorted(wheels)).encode("utf-8")
    files.update({f"wheels/{name}": content for name, content in wheels.items()})
    return files


def completed(manifest: str, version: str, platforms: Iterable[str], wheels: Iterable[str]) -> str:
    """The manifest with what only the build knows. Lists stand before the first table, where TOML wants them."""
    lines = [f'version = "{version}"' if line.startswith("version = ") else line for line in manifest.splitlines()]
    first_table = next((number for number, line in enumerate(lines) if line.startswith("[")), len(lines))
    added = ["platforms = [" + ", ".join(f'"{name}"' for name in platforms) + "]", "wheels = ["]
    added += [f'  "./wheels/{name}",' for name in wheels] + ["]", ""]
    return "\n".join([*lines[:first_table], *added, *lines[first_table:]]) + "\n"


def own_wheels(version: str) -> Iterable[tuple[str, bytes]]:
    """retake_client and retake_otio as wheels: (file name, content)."""
    licence = (ROOT / "LICENSE").read_bytes()
    client = ROOT / "plugins" / "client" / "retake_client"
    adapters = ROOT / "otio_adapters" / "retake_otio"
    yield pure_wheel("retake_client", version, client, summary="HTTP client of Retake's daemon", needs=[], more={}, licence=licence)
    needs = ["opentimelineio>=0.17", "retake_client"]
    entry_points = {"entry_points.txt": b"[opentimelineio.plugins]\nretake = retake_otio\n"}
    yield pure_wheel("retake_otio", version, adapters, summary="OpenTimelineIO for Retake", needs=needs, more=entry_points, licence=licence)


def pure_wheel(
    name: str, version: str, package: Path, *, summary: str, needs: Iterable[str], more: Mapping[str, bytes], licence: bytes
) -> tuple[str, bytes]:
    """A wheel of a package without compiled parts, as the packaging specification describes it (PEP 427)."""
    info = f"{name}-{version}.dist-info"
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", f"Summary: {summary}", "License: MIT", "Requires-Python: >=3.9"]
    metadata += [f"Requires-Dist: {need}" for need in needs]
    files = {
        f"{name}/{path.relative_to(package).as_posix()}": path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file() and not NOT_SHIPPED & set(path.parts) and path.suffix != ".pyc"
    }
    files[f"{info}/METADATA"] = ("\n".join(metadata) + "\n").encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: retake\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/LICENSE"] = licence
    files.update({f"{info}/{file_name}": content for file_name, content in more.items()})
    files[f"{info}/RECORD"] = record(files, f"{info}/RECORD")
    return f"{name}-{version}-py3-none-any.whl", zip_bytes(files)


def record(files: Mapping[str, bytes], own_name: str) -> bytes:
    lines: list[str] = []
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}")
    return ("\n".join([*lines, f"{own_name},,"]) + "\n").encode()


def zip_bytes(files: Mapping[str, bytes]) -> bytes:
    """A zip whose bytes depend on names and contents alone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, LONGEST_AGO)
            entry.create_system = 3  # the same on Windows
            entry.external_attr = 0o100644 << 16
            # Stored, for compressors differ between machines; a wheel is compressed already, and the code is small.
            entry.compress_type = zipfile.ZIP_STORED
            archive.writestr(entry, files[name])
    return buffer.getvalue()


def fetch_wheels(platforms: Iterable[str], cache: Path) -> list[Path]:
    """OpenTimelineIO's wheel for each platform, as `wheels.lock` names it; from `cache` where a file with the right hash is there."""
    lock = WHEELS_LOCK.read_text(encoding="utf-8")
    allowed = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", lock))
    cache.mkdir(parents=True, exist_ok=True)
    found: list[Path] = []
    for name in platforms:
        path = cached(cache, name, allowed)
        if path is None:
            download(name, cache)
            path = cached(cache, name, allowed)
        if path is None:
            raise BuildError(f"The wheel for {name} is not one that {WHEELS_LOCK.name} names. Correct the lock file.")
        found.append(path)
    return found


def cached(cache: Path, name: str, allowed: set[str]) -> Path | None:
    for path in sorted(cache.glob(f"*-{PYTHON_TAG}-*.whl")):
        of_platform = any(path.name[:-4].endswith(tag) for tag in PLATFORMS[name])
        if of_platform and hashlib.sha256(path.read_bytes()).hexdigest() in allowed:
            return path
    return None


def download(name: str, cache: Path) -> None:
    if importlib.util.find_spec("pip") is None:
        raise BuildError("This Python has no pip to fetch OpenTimelineIO with. Run it with another one, for example .venv/bin/python.")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--require-hashes"]
    command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", "3.11", "--abi", PYTHON_TAG, "--dest", str(cache)]
    for tag in PLATFORMS[name]:
        command += ["--platform", tag]
    done = subprocess.run([*command, "--requirement", str(WHEELS_LOCK)], capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        reason = next((line for line in done.stderr.splitlines() if line.startswith("ERROR")), done.stderr.strip()[-300:])
        raise BuildError(f"OpenTimelineIO for {name} could not be fetched: {reason} Check the connection and run it again.")


def blender_tools() -> list[tuple[str, Path, Path]]:
    """(version, interpreter, blender_ext.py) of every Blender in `.blender`."""
    found: list[tuple[str, Path, Path]] = []
    for place in sorted((ROOT / ".blender").glob("*")):
        python = next((path for path in (place / "bin" / "python", place / "Scripts" / "python.exe") if path.is_file()), None)
        tool = next(place.glob("[Ll]ib/**/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py"), None)
        if python is not None and tool is not None:
            found.append((place.name, python, tool))
    return found


def check_with_blender(candidate: Path, files: Mapping[str, bytes], temporary: Path) -> str | None:
    """Have the zip validated by every Blender there is, and built by it from the same files: it must come to the same content."""
    tools = blender_tools()
    for version, python, tool in tools:
        _ask_blender([str(python), "-I", str(tool), "validate", str(candidate)], version, "does not accept the extension")
        source = temporary / f"source-{version}"
        for name, content in files.items():
            path = source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        theirs = temporary / f"{version}.zip"
        command = [str(python), "-I", str(tool), "build", "--source-dir", str(source), "--output-filepath", str(theirs)]
        _ask_blender(command, version, "cannot build the extension")
        with zipfile.ZipFile(theirs) as archive:
            built = {entry.filename: archive.read(entry) for entry in archive.infolist() if not entry.is_dir()}
        if built != dict(files):
            different = sorted(name for name in {*built, *files} if built.get(name) != files.get(name))
            raise BuildError(f"Blender {version} builds another zip; these files differ: {', '.join(different)[:500]}.")
    return " and ".join(version for version, _, _ in tools) or None


def _ask_blender(command: list[str], version: str, failure: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise BuildError(f"Blender {version} {failure}: {(done.stdout + done.stderr).strip()[-1000:]}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
