"""Installing and removing engines: terms accepted, environment made, weights fetched and checked, and the record of it written last."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.progress import Progress
from retake.media.files import atomic_json, check_space, explain_os_error, sha256
from retake.media.folders import remove_folder

from . import download, environment, registry
from .download import MARGIN, Wanted, mismatch
from .manifest import WeightFile, read_manifest
from .registry import Engine, Installed, StoredWeight


def install(home: Path, name: str, *, source: Path | None = None, accept: bool = False, account: str = "", progress: Progress) -> Installed:
    """Install an engine, or complete or renew an installation. Can be stopped and run again at any moment; it goes on from there.

    Args:
        source: a folder to take weights from instead of fetching them (by their path in the manifest, or by their bare name), packages from its
            sub-folder ``wheels`` if there is one, and the engine itself (NAME.toml and its adapter) if Retake does not know it.
        accept: the user agrees to the engine's licence; asked of them before, and recorded.
        account: who agrees; empty: the account of the operating system.

    Raises:
        RetakeError: unknown_engine, bad_manifest, licence_not_accepted (REFUSED), disk_full, engine_environment, download_failed,
            download_mismatch, weights_missing, engine_busy.
    """
    if source is not None:
        source = source.expanduser().resolve()
        if not source.is_dir():
            raise RetakeError(f"There is no folder {source}.", "Give the folder that holds the files.", kind=ErrorKind.NOT_FOUND, code="no_source")
        _adopt(home, name, source)
    engine = registry.engine(home, name)
    agreed = _agreed(engine, accept, account)
    with _alone(engine):
        wheels = source / "wheels" if source is not None and (source / "wheels").is_dir() else None
        missing = [file for file in engine.manifest.weights if not (engine.weights / file.path).is_file()]
        check_space(engine.folder, sum(file.size for file in missing) + MARGIN)
        made = environment.make(engine.manifest, engine.folder, progress, wheels=wheels)
        weights = tuple(_weight(engine, file, source, progress) for file in engine.manifest.weights)
        record = Installed(
            name=name,
            version=engine.manifest.version,
            installed_at=datetime.now(UTC),
            licence=engine.manifest.licence.name,
            accepted_at=agreed[0],
            accepted_by=agreed[1],
            python=made.python,
            environment_key=engine.manifest.environment_key,
            packages=made.packages,
            weights=weights,
        )
        atomic_json(engine.folder / registry.RECORD, record.model_dump(mode="json"))
    return record


def remove(home: Path, name: str) -> int:
    """Remove an engine with everything that was fetched for it, and the manifest if a user added it; returns the bytes that became free.

    Raises RetakeError: unknown_engine, engine_not_installed, engine_busy.
    """
    known = registry.manifests(home)
    folder = registry.engines_folder(home) / name
    if name not in known and not (name.isidentifier() and folder.is_dir()):
        registry.engine(home, name)  # names the ones there are
    added = name in known and known[name].parent == registry.user_manifests(home)
    if not folder.is_dir() and not added:
        raise RetakeError(
            f"The engine '{name}' is not installed.", "See 'retake engines list'.", kind=ErrorKind.NOT_FOUND, code="engine_not_installed"
        )
    size = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) if folder.is_dir() else 0
    if folder.is_dir():
        with _lock(registry.engines_folder(home), name):
            remove_folder(folder)
    if added:
        with contextlib.suppress(RetakeError):  # a manifest that cannot be read names no adapter
            (known[name].parent / read_manifest(known[name]).adapter).unlink(missing_ok=True)
        known[name].unlink(missing_ok=True)
    return size


def verify(engine: Engine, progress: Progress) -> None:
    """Read all weights of an installed engine and compare them with its record. Raises RetakeError (weights_damaged) for the first that differs."""
    assert engine.installed is not None
    progress.stage("Checking weights")
    for number, weight in enumerate(engine.installed.weights):
        progress.report(number / len(engine.installed.weights), weight.path)
        if sha256(engine.weights / weight.path) != weight.sha256:
            raise RetakeError(
                f"The file {weight.path} of the engine '{engine.name}' was changed or damaged since it was installed.",
                f"Remove {engine.weights / weight.path} and run 'retake engines install {engine.name}'.",
                kind=ErrorKind.ENVIRONMENT,
                code="weights_damaged",
            )


def _adopt(home: Path, name: str, source: Path) -> None:
    """Take over an engine that somebody wrote: its manifest and adapter are copied, and used from the copy. Not where Retake has one of that name."""
    offered = source / f"{name}.toml"
    known = registry.manifests(home).get(name)
    if not offered.is_file() or (known is not None and known.parent == registry.SHIPPED):
        return
    manifest = read_manifest(offered)
    target = registry.user_manifests(home)
    try:
        target.mkdir(parents=True, exist_ok=True)
        for file in (manifest.adapter, offered.name):  # the manifest last: it makes the engine known
            shutil.copyfile(source / file, target / file)
    except OSError as error:
        raise explain_os_error(error, target / offered.name) from error


def _agreed(engine: Engine, accept: bool, account: str) -> tuple[datetime | None, str]:
    """When and by whom the licence was accepted; an earlier acceptance of the same licence holds."""
    licence = engine.manifest.licence
    if not licence.accept:
        return None, ""
    earlier = engine.installed
    if earlier is not None and earlier.licence == licence.name and earlier.accepted_at is not None:
        return earlier.accepted_at, earlier.accepted_by
    if not accept:
        raise RetakeError(
            f"'{engine.name}' comes under {licence.name}: {licence.summary} {licence.url}".strip(),
            f"If you agree, run 'retake engines install {engine.name} --accept-licence'.",
            kind=ErrorKind.REFUSED,
            code="licence_not_accepted",
        )
    return datetime.now(UTC), account or getpass.getuser()


@contextlib.contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    with _lock(engine.folder.parent, engine.name):
        try:
            engine.folder.mkdir(parents=True, exist_ok=True)
            (engine.folder / "cache").mkdir(exist_ok=True)
            yield
        except OSError as error:
            raise explain_os_error(error, engine.folder / "file") from error


@contextlib.contextmanager
def _lock(folder: Path, name: str) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explain_os_error(error, folder / name) from error
    try:
        with FileLock(folder / f".{name}.lock", timeout=0):
            yield
    except Timeout as error:
        raise RetakeError(
            f"The engine '{name}' is being installed or removed by another command.",
            "Wait until that has ended.",
            kind=ErrorKind.ENVIRONMENT,
            code="engine_busy",
        ) from error


def _weight(engine: Engine, file: WeightFile, source: Path | None, progress: Progress) -> StoredWeight:
    """One file of weights in its place: found there and right, copied, or fetched."""
    target = engine.weights / file.path
    progress.stage(f"Weights {file.path}")
    stored = {weight.path: weight for weight in engine.installed.weights} if engine.installed is not None else {}
    if target.is_file():
        found = sha256(target)
        expected = file.sha256 or (stored[file.path].sha256 if file.path in stored else found)
        if found == expected:
            return StoredWeight(path=file.path, size=target.stat().st_size, sha256=found, known=bool(file.sha256))
        target.unlink()
    if source is not None:
        fetched = _copied(engine, file, source, target, progress)
    else:
        fetched = download.fetch(Wanted(file.url, file.size, file.sha256), target, progress)
    return StoredWeight(path=file.path, size=fetched.size, sha256=fetched.sha256, known=bool(file.sha256))


def _copied(engine: Engine, file: WeightFile, source: Path, target: Path, progress: Progress) -> download.Fetched:
    offered = next((path for path in (source / file.path, source / Path(file.path).name) if path.is_file()), None)
    if offered is None:
        raise RetakeError(
            f"{source} does not hold {file.path}, which '{engine.name}' needs.",
            f"Get it from {file.url} (revision {file.revision}) and put it there.",
            kind=ErrorKind.NOT_FOUND,
            code="weights_missing",
        )
    size = offered.stat().st_size
    target.parent.mkdir(parents=True, exist_ok=True)
    check_space(target.parent, size + MARGIN)
    if file.size and size != file.size:
        cause = f"{offered} has {size:,} bytes, and {file.size:,} are expected."
        raise RetakeError(cause, "Copy it again from its source.", kind=ErrorKind.ENVIRONMENT, code="download_mismatch")
    part = target.with_name(target.name + ".copy.part")
    try:
        found = _copy(offered, part, size, progress)
        if file.sha256 and found != file.sha256:
            raise mismatch(offered.name, file.sha256, found)
        part.replace(target)
    except OSError as error:
        raise explain_os_error(error, target) from error
    finally:
        part.unlink(missing_ok=True)
    return download.Fetched(size, found)


def _copy(offered: Path, part: Path, size: int, progress: Progress) -> str:
    digest = hashlib.sha256()
    done = 0
    with offered.open("rb") as reader, part.open("wb") as writer:
        while piece := reader.read(1 << 20):
            writer.write(piece)
            digest.update(piece)
            done += len(piece)
            progress.report(done / max(size, 1), f"{done / 1e6:.1f} of {size / 1e6:.1f} MB")
    return digest.hexdigest()
