"""The rules of docs/architecture.md: who may import whom, and what no file of ours does."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DAEMON = ROOT / "daemon" / "retake"
ADAPTERS = ROOT / "otio_adapters" / "retake_otio"
CLIENT = ROOT / "plugins" / "client" / "retake_client"
DAVINCI = ROOT / "plugins" / "davinci" / "retake_davinci"
BLENDER = ROOT / "plugins" / "blender" / "extension"

# What each package or module of `retake` may import from `retake`, besides itself. Modules at the top are named alone.
STAGES = frozenset({"speech", "motion", "face", "script"})
BASE = frozenset({"domain", "media", "engines", "settings"})
RENDERING = BASE | STAGES | {"takes", "speakers", "pipeline", "fill", "fill_requests"}
MAY_IMPORT: dict[str, frozenset[str]] = {
    "domain": frozenset(),
    "settings": frozenset({"domain", "media"}),
    "media": frozenset({"domain"}),
    "engines": frozenset({"domain", "media", "settings"}),
    "speech": BASE,
    "motion": BASE,
    "script": BASE,
    "face": BASE,
    "takes": BASE | {"speech", "face"},
    "speakers": BASE | STAGES | {"takes"},
    "pipeline": BASE | STAGES | {"takes", "speakers"},
    "fill_requests": BASE | STAGES | {"takes", "speakers", "pipeline"},
    "fill": BASE | STAGES | {"takes", "speakers", "pipeline", "fill_requests"},
    "chapters": frozenset({"domain", "speech", "script", "fill"}),
    "pace": BASE,
    "jobs": RENDERING | {"pace"},
    "api": RENDERING | {"jobs"},
    "watch": RENDERING | {"jobs"},
}
COMMANDS = frozenset({"cli", "console", "demo", "doctor", "__main__"})
DAEMON_PROCESS = frozenset({"serve", "http_server", "daemon_log", "connection", "stopping", "service"})
TOP = COMMANDS | DAEMON_PROCESS  # may import everything
# Points of a mouth shape and the space they live in are geometry that motion shares with face.
SHARED = frozenset({"retake.face.canonical"})
LONGEST_FILE = 400

PACKAGES = (DAEMON, ADAPTERS, CLIENT, DAVINCI, BLENDER)

SOURCES = sorted(path for package in PACKAGES for path in package.rglob("*.py"))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imported(path: Path) -> Iterator[str]:
    """Dotted names of all modules that `path` imports, wherever in the file; ``from a import b`` counts as a.b and relative imports are resolved."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = next(root for root in (DAEMON, *PACKAGES) if path.is_relative_to(root))
                parts = (package.name, *path.relative_to(package).parent.parts)
                base = ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def unit(path: Path) -> str:
    """Package or module of `retake` that a file belongs to: "speech", "cli", "" for the package's own __init__."""
    first = path.relative_to(DAEMON).parts[0]
    return first if not first.endswith(".py") else "" if first == "__init__.py" else first[:-3]


def problems_of(path: Path) -> list[str]:
    here = unit(path)
    if here in TOP or here.startswith("cli_"):
        return []
    if here == "":
        return [f"{path.name} imports {name}" for name in imported(path) if name.startswith("retake.")]
    assert here in MAY_IMPORT, f"{path.relative_to(ROOT)}: say in MAY_IMPORT which layer it belongs to"
    out: list[str] = []
    for name in imported(path):
        if not name.startswith("retake."):
            continue
        target = name.split(".")[1]
        if target in {here, "__version__"} or target in MAY_IMPORT[here] or any(name == shared or name.startswith(f"{shared}.") for shared in SHARED):
            continue
        out.append(f"{path.relative_to(ROOT)} imports {name}")
    return out


@pytest.mark.parametrize("path", sorted(DAEMON.rglob("*.py")), ids=lambda path: str(path.relative_to(DAEMON)))
def test_imports_point_to_the_right(path: Path) -> None:
    assert problems_of(path) == []


def test_the_rule_sees_a_violation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = tmp_path / "retake" / "media" / "bad.py"
    bad.parent.mkdir(parents=True)
    bad.write_text("def f():\n    from retake.speech import text\n    from ..takes import store\n", encoding="utf-8")
    monkeypatch.setattr(sys.modules[__name__], "DAEMON", tmp_path / "retake")
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert len(problems_of(bad)) == 2


def test_domain_is_pure() -> None:
    allowed = {"numpy", "pydantic", "retake", "__future__", *sys.stdlib_module_names} - {"os", "subprocess", "socket", "tempfile", "shutil"}
    for path in (DAEMON / "domain").glob("*.py"):
        strangers = {name.split(".")[0] for name in imported(path)} - allowed
        assert not strangers, f"{path.name} imports {strangers}"
        opened = [node.lineno for node in ast.walk(tree(path)) if isinstance(node, ast.Call) and called(node) in {"open", "print"}]
        assert not opened, f"{path.name} reads, writes or prints in lines {opened}"


def test_adapters_import_only_opentimelineio_and_the_client() -> None:
    """The client needs nothing but Python: it reads script text, and the media linker asks the daemon by it."""
    for path in ADAPTERS.rglob("*.py"):
        allowed = {"opentimelineio", "retake_client", "retake_otio", *sys.stdlib_module_names}
        strangers = {name.split(".")[0] for name in imported(path)} - allowed
        assert not strangers, f"{path.name} imports {strangers}"


def test_resolve_is_spoken_to_in_one_place() -> None:
    for path in DAVINCI.rglob("*.py"):
        # fusionscript is a description for type checkers: there is no such module at run time.
        allowed = {"retake_client", "retake_davinci", "fusionscript", *sys.stdlib_module_names} | (
            {"DaVinciResolveScript"} if path.name == "bridge.py" else set()
        )
        strangers = {name.split(".")[0] for name in imported(path)} - allowed
        assert not strangers, f"{path.name} imports {strangers}"


def test_the_extension_brings_what_it_imports() -> None:
    """Blender has bpy and Python; the rest comes in the zip. Never retake itself, which runs elsewhere."""
    bundled = {"retake_client", "retake_otio", "opentimelineio"}
    for path in BLENDER.rglob("*.py"):
        strangers = {name.split(".")[0] for name in imported(path)} - {"bpy", "extension", *bundled, *sys.stdlib_module_names}
        assert not strangers, f"{path.name} imports {strangers}"


def test_the_client_needs_nothing_but_python() -> None:
    for path in CLIENT.rglob("*.py"):
        strangers = {name.split(".")[0] for name in imported(path)} - {"retake_client", *sys.stdlib_module_names}
        assert not strangers, f"{path.name} imports {strangers}"


def test_only_media_opens_media() -> None:
    for path in SOURCES:
        if DAEMON / "media" in path.parents:
            continue
        found = {name for name in imported(path) if name.split(".")[0] in {"av", "soundfile", "imageio", "moviepy", "audioread"}}
        assert not found, f"{path.relative_to(ROOT)} imports {found}"


def called(node: ast.Call) -> str:
    """``a.b.c(...)`` -> "a.b.c"."""
    parts: list[str] = []
    target: ast.expr = node.func
    while isinstance(target, ast.Attribute):
        parts.append(target.attr)
        target = target.value
    if isinstance(target, ast.Name):
        parts.append(target.id)
    return ".".join(reversed(parts))


def keyword(node: ast.Call, name: str) -> object:
    for argument in node.keywords:
        if argument.arg == name and isinstance(argument.value, ast.Constant):
            return argument.value.value
    return None


@pytest.mark.parametrize("path", [*SOURCES, ROOT / "bootstrap.py"], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_unsafe_calls(path: Path) -> None:
    """No shell, no pickles (also not through torch and numpy), no code from strings, no swallowed errors."""
    found: list[str] = []
    lines = path.read_text(encoding="utf-8").splitlines()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            name = called(node)
            if keyword(node, "shell") is True or name in {"os.system", "os.popen", "eval", "exec"}:
                found.append(f"line {node.lineno}: {name} runs a string")
            if name == "torch.load" and keyword(node, "weights_only") is not True:
                found.append(f"line {node.lineno}: torch.load without weights_only=True")
            if keyword(node, "allow_pickle") is True:
                found.append(f"line {node.lineno}: {name} allows pickles")
        elif isinstance(node, ast.ExceptHandler):
            names = [part.id for part in ast.walk(node.type) if isinstance(part, ast.Name)] if node.type else [""]
            # Handing an error to another thread needs a broad except; it says so where the linter's rule is lifted.
            if {"", "BaseException", "Exception"} & set(names) and "# noqa: BLE001 - " not in lines[node.lineno - 1]:
                found.append(f"line {node.lineno}: broad except")
    found += [f"imports {name}" for name in imported(path) if name.split(".")[0] in {"pickle", "dill", "cloudpickle", "shelve", "joblib", "marshal"}]
    assert not found


@pytest.mark.parametrize("path", [*SOURCES, ROOT / "bootstrap.py"], ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_readable(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_FILE, f"{lines} lines: split it by concept"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_heavy_is_imported_by_the_command_line(path: Path) -> None:
    """Modules that `retake --help` loads import heavy packages inside functions."""
    here = path.relative_to(ROOT)
    light = path.parent == DAEMON or DAEMON / "domain" in path.parents or path.name == "store.py"
    if not light or path.name == "pipeline.py":
        return
    heavy = {"torch", "cv2", "mediapipe", "scipy", "onnxruntime", "matplotlib", "av", "opentimelineio", "librosa", "jinja2"}
    top = [node for node in tree(path).body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name.split(".")[0] for node in top if isinstance(node, ast.Import) for alias in node.names}
    names |= {(node.module or "").split(".")[0] for node in top if isinstance(node, ast.ImportFrom)}
    assert not names & heavy, f"{here} imports {names & heavy} at the top"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not text.strip() or ast.get_docstring(tree(path)), "a module without a docstring"


def test_every_error_code_has_one_meaning() -> None:
    """The same code must not stand for two kinds of failure, since programs react to it."""
    kinds: dict[str, set[str]] = {}
    for path in SOURCES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and called(node).split(".")[-1] == "RetakeError":
                code = keyword(node, "code")
                kind = next((part.value for part in node.keywords if part.arg == "kind"), None)
                if isinstance(code, str):
                    kinds.setdefault(code, set()).add(ast.unparse(kind).split(".")[-1] if kind is not None else "BAD_INPUT")
    ambiguous = {code: found for code, found in kinds.items() if len(found) > 1}
    assert not ambiguous
    assert len(kinds) > 10
