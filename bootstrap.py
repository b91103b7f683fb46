#!/usr/bin/env python3
"""Set Retake up and use it, with nothing but Python installed.

    python3 bootstrap.py demo [--text "..."]     a clip of the built-in presenter saying a line
    python3 bootstrap.py test [pytest options]   linters, type checker and tests
    python3 bootstrap.py test --blender [...]    the same, with Blender 4.5 and 5.0 fetched for the extension's tests (about 2 GB)
    python3 bootstrap.py test --engines [...]    the same, with the environments of the heavy voice engines fetched for their tests (about 20 GB)
    python3 bootstrap.py setup                   only make the environment
    python3 bootstrap.py retake ...              any command of Retake, for example: retake say "..." --speaker presenter

Everything goes into `.venv` beside this file; a second run finds it there. Works from any folder. Only the standard library is used, and no shell.
"""

import sys

OLDEST, NEWEST = (3, 11), (3, 13)

if not OLDEST <= sys.version_info[:2] <= NEWEST:  # before anything that an older Python cannot read or import
    sys.stderr.write(
        f"Error: This is Python {sys.version_info[0]}.{sys.version_info[1]}, and Retake needs Python 3.{OLDEST[1]} to 3.{NEWEST[1]}. "
        f"Install one of these and run, for example, 'python3.{NEWEST[1]} bootstrap.py demo'.\n"
    )
    sys.exit(5)

import hashlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
DEV_LOCK = ROOT / "requirements-dev.lock"
STAMP = "retake-setup.txt"
NEEDED_BYTES = 4_000_000_000  # the packages and their download cache

NOTES = ROOT / ".retake-test"  # what is kept of a test run
MOST_UNSTEADY = 3  # tests that are looked at a second time; where more fail, it is not chance

ENVIRONMENT = 5  # exit code, as `retake` uses it
USAGE = 2


class SetupError(Exception):
    """Something a user can react to: cause and remedy."""


def main(arguments: list[str]) -> int:
    commands = {"setup": run_setup, "demo": run_demo, "test": run_test, "retake": run_retake}
    if not arguments or arguments[0] in {"-h", "--help"}:
        print(__doc__)
        return 0 if arguments else USAGE
    command = commands.get(arguments[0])
    if command is None:
        print(f"Error: There is no command '{arguments[0]}'. Commands are {', '.join(commands)}.", file=sys.stderr)
        return USAGE
    try:
        return command(arguments[1:])
    except SetupError as error:
        print(f"Error: {error}", file=sys.stderr)
        return ENVIRONMENT
    except KeyboardInterrupt:
        print("Stopped. The next run goes on from here.", file=sys.stderr)
        return 130


def run_setup(arguments: list[str]) -> int:
    set_up(dev="--dev" in arguments)
    print(f"Retake is ready in {VENV}")
    return 0


def run_demo(arguments: list[str]) -> int:
    set_up()
    return run([str(venv_python()), "-m", "retake", "demo", *arguments])


def run_retake(arguments: list[str]) -> int:
    set_up()
    return run([str(venv_python()), "-m", "retake", *arguments])


def run_test(arguments: list[str]) -> int:
    """Linters, type checker, tests; all of them run, and any failure fails the whole. With arguments only pytest runs, and gets them."""
    blender = "--blender" in arguments
    arguments = [argument for argument in arguments if argument != "--blender"]
    if "--engines" in arguments:
        os.environ["RETAKE_TEST_ENGINES"] = "1"
        arguments = [argument for argument in arguments if argument != "--engines"]
    set_up(dev=True)
    if blender:
        set_up_blender()
    python = str(venv_python())
    steps = {
        "ruff check": [python, "-m", "ruff", "check", "."],
        "ruff format": [python, "-m", "ruff", "format", "--check", "."],
        "pyright": [python, "-m", "pyright"],
        "pytest": [python, "-m", "pytest", *arguments],
    }
    if arguments:
        steps = {"pytest": steps["pytest"]}
    failed: list[str] = []
    for name, command in steps.items():
        print(f"== {name}", flush=True)
        started = time.monotonic()
        code = run_tests(command) if name == "pytest" else run(command, folder=ROOT)
        print(f"== {name}: {'passed' if code == 0 else f'FAILED ({code})'} after {time.monotonic() - started:.0f} s", flush=True)
        if code == 130:
            return code
        if code != 0:
            failed.append(name)
    if failed:
        print(f"FAILED: {', '.join(failed)}", file=sys.stderr)
        return 1
    print("All checks passed.")
    return 0


def run_tests(command: list[str]) -> int:
    """Run pytest, and at most three tests that failed once more, alone in a new process (docs/decisions/0009-a-second-look.md).

    Those that pass then are shown loudly, and what they said is kept; any that fails again, or more than three, fail the run.
    """
    first = NOTES / "outcomes.json"
    NOTES.mkdir(exist_ok=True)
    first.unlink(missing_ok=True)
    code = run(command, folder=ROOT, variables={"RETAKE_TEST_OUTCOMES": str(first)})
    found = outcomes(first)
    failed = found["failed"]
    if code != 1 or not found["complete"] or not 0 < len(failed) <= MOST_UNSTEADY:  # 1: tests failed, and nothing else is wrong
        return code
    print(f"== a second look at {', '.join(failed)}", flush=True)
    second = NOTES / "outcomes-second.json"
    second.unlink(missing_ok=True)
    again = run(command, folder=ROOT, variables={"RETAKE_TEST_OUTCOMES": str(second), "RETAKE_TEST_ONLY": str(first)})
    passed = set(outcomes(second)["passed"])
    unsteady = [test for test in failed if test in passed]
    for number, test in enumerate(unsteady, 1):
        note = NOTES / f"unsteady-{time.strftime('%Y%m%d-%H%M%S')}-{number}.txt"
        note.write_text(f"{test}\n\n{failed[test]}\n", encoding="utf-8")
        last = failed[test].strip().splitlines()[-1:]
        print("!" * 100, f"UNSTEADY: {test}", *last, f"It failed, and passed alone. Mend it. All it said: {note}", "!" * 100, sep="\n", flush=True)
    if unsteady:
        print(f"UNSTEADY: {len(unsteady)} of at most {MOST_UNSTEADY}", file=sys.stderr, flush=True)
    return 0 if again == 0 and len(unsteady) == len(failed) else code


def outcomes(path: Path) -> dict:
    """What tests/second_look.py wrote; nothing, if pytest did not get that far."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {"failed": {}, "passed": [], "complete": False}


def set_up(dev: bool = False) -> None:
    """Make `.venv` and install the tested set of packages; does nothing if that has been done for exactly these files."""
    locks = [LOCK, DEV_LOCK] if dev else [LOCK]
    wanted = fingerprint(locks)
    if is_done(wanted):
        return
    if sys.maxsize < 2**32:
        raise SetupError("This Python is a 32-bit program. Install a 64-bit Python and run bootstrap.py with it.")
    free = shutil.disk_usage(ROOT).free
    if free < NEEDED_BYTES:
        raise SetupError(f"{ROOT} has {free / 1e9:.1f} GB left; the packages need up to {NEEDED_BYTES / 1e9:.0f} GB. Free some space.")
    started = time.monotonic()
    make_venv()
    for lock in locks:
        pip(["-r", str(lock)], f"Installing {lock.name}", packages=len(pins(lock)))
    pip(["--no-deps", "--no-build-isolation", "-e", str(ROOT)], "Installing Retake", only_wheels=False)
    (VENV / STAMP).write_text(wanted + "\n", encoding="utf-8")
    print(f"Set up in {time.monotonic() - started:.0f} s.", flush=True)


def set_up_blender() -> None:
    """Make the environments with Blender as a Python module; from then on its absence fails tests instead of skipping them."""
    if run([sys.executable, str(ROOT / "plugins" / "blender" / "environments.py")]) != 0:
        raise SetupError("Blender could not be set up, see above.")
    os.environ["RETAKE_TEST_BLENDER"] = "1"


def fingerprint(locks: list[Path]) -> str:
    """Changes with the pinned set, the project file, the interpreter and the place: an environment cannot be moved."""
    digest = hashlib.sha256()
    for path in [*locks, ROOT / "pyproject.toml"]:
        digest.update(path.read_bytes())
    digest.update(f"{ROOT} {sys.version_info[:2]} {sys.platform}".encode())
    return digest.hexdigest()


def is_done(wanted: str) -> bool:
    if not venv_python().is_file():
        return False
    try:
        done = (VENV / STAMP).read_text(encoding="utf-8").strip()
    except OSError:
        return False
    # The developers' set holds everything of the plain one.
    return done == wanted or (wanted == fingerprint([LOCK]) and done == fingerprint([LOCK, DEV_LOCK]))


def venv_python() -> Path:
    return VENV / "Scripts" / "python.exe" if os.name == "nt" else VENV / "bin" / "python"


def make_venv() -> None:
    """Make the environment, or make it anew where it is another Python's or broken."""
    if venv_works():
        return
    print(f"Making {VENV}", flush=True)
    import venv

    try:
        venv.EnvBuilder(with_pip=True, clear=VENV.exists(), symlinks=os.name != "nt").create(VENV)
    except subprocess.CalledProcessError as error:
        remedy = "Install Python's 'venv' module and try again"
        if sys.platform == "linux":
            remedy += f" (on Debian and Ubuntu: sudo apt install python3.{sys.version_info[1]}-venv)"
        raise SetupError(f"The environment could not be made: pip is missing from this Python. {remedy}.") from error
    except OSError as error:
        raise SetupError(
            f"{VENV} could not be made ({error.strerror or error}). Check the folder's permissions and the space on the disk."
        ) from error


def venv_works() -> bool:
    if not venv_python().is_file():
        return False
    question = "import sys, pip; print(sys.version_info[:2], sys.prefix)"
    try:
        answer = subprocess.run([str(venv_python()), "-c", question], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and answer.stdout.startswith(str(sys.version_info[:2])) and answer.stdout.strip().endswith(str(VENV))


def pins(lock: Path) -> list[str]:
    lines = (line.strip() for line in lock.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def pip(arguments: list[str], title: str, *, packages: int = 0, only_wheels: bool = True) -> None:
    """Run ``pip install`` and show how far it is; raises SetupError with pip's own words if it fails."""
    command = [str(venv_python()), "-u", "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    if only_wheels:
        command.append("--only-binary=:all:")  # nothing is compiled, here or on a user's machine
    print(f"{title} ...", flush=True)
    started = shown = time.monotonic()
    seen = 0
    unpacking = False
    tail: list[str] = []
    with subprocess.Popen(command + arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as process:
        assert process.stdout is not None
        for line in process.stdout:
            line = line.strip()
            tail = [*tail, line][-40:]
            seen += line.startswith(("Collecting ", "Requirement already satisfied: "))
            if packages and not unpacking and (time.monotonic() - shown > 3 or line.startswith("Installing collected")):
                shown = time.monotonic()
                unpacking = line.startswith("Installing collected")
                state = "unpacking (a minute or so) ..." if unpacking else f"{min(seen, packages)} of {packages} packages"
                print(f"  {shown - started:4.0f} s  {state}", flush=True)
    if process.returncode != 0:
        errors = [line for line in tail if line.startswith("ERROR")] or tail[-3:]
        for line in tail:
            print(f"  {line}", file=sys.stderr)
        raise SetupError(f"The packages could not be installed: {' '.join(errors)} Check the connection and run it again; it goes on from here.")


def run(command: list[str], folder: Path | None = None, variables: dict[str, str] | None = None) -> int:
    """Run a command in the foreground. Ctrl-C reaches it directly, and it decides when to stop."""
    environment = {
        **os.environ,
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",  # pyright would ask the network for a newer version
        "RETAKE_CALLED_AS": subprocess.list2cmdline([Path(sys.executable).stem, sys.argv[0], "retake"]),
        **(variables or {}),
    }
    with subprocess.Popen(command, cwd=folder, env=environment) as process:
        while True:
            try:
                code = process.wait()
            except KeyboardInterrupt:
                continue
            return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
