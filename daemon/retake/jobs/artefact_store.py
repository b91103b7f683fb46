"""Where several machines keep what they share: a folder that all of them see, or any address that fsspec knows (S3 by installing s3fs).

A store holds files under keys such as `takes/ID/manifest.json`. A key appears with its whole content or not at all.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from retake.domain.errors import ErrorKind, RetakeError

T = TypeVar("T")

# Protocols whose files appear when they are complete. With others a file is written beside its place and renamed.
OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oci", "oss", "memory"})
PIECE = 8 * 1024 * 1024  # bytes read at once
# Seconds to wait before trying again when a store does not answer: networks have hiccups, and minutes of rendering are at stake.
PATIENCE = (0.5, 2.0)
UNREACHABLE = "artefacts_unreachable"


class Store(Protocol):
    """What is needed of a place for artefacts. All raise RetakeError (artefacts_unreachable, artefacts_denied) for a place that does not answer."""

    def read(self, key: str, limit: int) -> bytes | None:
        """Content of a small file; None where there is none, or it has more than `limit` bytes."""
        ...

    def write(self, key: str, data: bytes) -> None: ...

    def put(self, key: str, path: Path) -> None:
        """Store the file at `path`."""
        ...

    def pieces(self, key: str) -> Iterator[bytes]:
        """Content of a file, piece by piece; raises FileNotFoundError."""
        ...

    def size(self, key: str) -> int | None:
        """Bytes of a file, None where there is none."""
        ...

    def age(self, key: str) -> float | None:
        """Seconds since the file was written; None where there is none, or nobody knows."""
        ...

    def names(self, folder: str) -> list[str]:
        """Names of what lies directly in a folder, sorted; empty where there is none."""
        ...

    def remove(self, key: str) -> None:
        """Remove a file or a folder with all that is in it, if it is there."""
        ...


def open_store(url: str) -> Store:
    """The store at a folder's absolute path or an fsspec address; nothing is looked at yet. Raises RetakeError (bad_artefacts)."""
    url = url.strip()
    if url.startswith(("file://", "local://")):
        url = unquote(urlsplit(url).path) if os.name != "nt" else unquote(urlsplit(url).path).lstrip("/")
    if "://" not in url:
        folder = Path(url).expanduser()
        if not folder.is_absolute():
            raise RetakeError("The place for shared artefacts is no absolute path.", "Name the folder from its root on.", code="bad_artefacts")
        return FolderStore(folder)
    if "::" in url:
        raise RetakeError("Addresses in several parts (::) cannot hold artefacts.", "Give the store's own address.", code="bad_artefacts")
    return FsspecStore(url)


def hidden(url: str) -> str:
    """The address without user, password and query, for messages and logs."""
    parts = urlsplit(url)
    if not parts.scheme or "://" not in url:
        return url
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def patiently(work: Callable[[], T]) -> T:
    """Do `work`, which may be done twice, again if the store did not answer."""
    for pause in PATIENCE:
        try:
            return work()
        except RetakeError as error:
            if error.code != UNREACHABLE:
                raise
            time.sleep(pause)
    return work()


class FolderStore:
    """A folder that all machines see under some path. It must exist: a share that is not mounted is noticed, not written beside."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, key: str, limit: int) -> bytes | None:
        with self._talking():
            try:
                with self._open(key) as file:
                    data = file.read(limit + 1)
            except FileNotFoundError:
                return None
            return data if len(data) <= limit else None

    def write(self, key: str, data: bytes) -> None:
        with self._talking():
            self._whole(key, lambda part: part.write_bytes(data))

    def put(self, key: str, path: Path) -> None:
        with self._talking():
            self._whole(key, lambda part: shutil.copyfile(path, part))

    def pieces(self, key: str) -> Iterator[bytes]:
        with self._talking(), self._open(key) as file:
            while piece := file.read(PIECE):
                yield piece

    def size(self, key: str) -> int | None:
        found = self._stat(key)
        return None if found is None else found.st_size

    def age(self, key: str) -> float | None:
        found = self._stat(key)
        return None if found is None else max(0.0, time.time() - found.st_mtime)

    def names(self, folder: str) -> list[str]:
        with self._talking():
            try:
                return sorted(entry.name for entry in os.scandir(self._path(folder)) if not entry.name.startswith("."))
            except (FileNotFoundError, NotADirectoryError):
                return []

    def remove(self, key: str) -> None:
        path = self._path(key)
        with self._talking():
            try:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
            except FileNotFoundError:
                return  # another machine was quicker

    def _whole(self, key: str, write: Callable[[Path], object]) -> None:
        from retake.media.files import atomic

        target = self._path(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic(target) as part:
            write(part)

    def _stat(self, key: str) -> os.stat_result | None:
        with self._talking():
            try:
                found = self._path(key).stat(follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                return None
            return found if stat.S_ISREG(found.st_mode) else None

    def _open(self, key: str) -> BinaryIO:
        path = self._path(key)
        if path.is_symlink():  # whoever may write to the share could otherwise have other files of this machine copied into it
            raise FileNotFoundError(key)
        return path.open("rb")

    def _path(self, key: str) -> Path:
        if not self._root.is_dir():
            raise RetakeError(
                f"The folder of shared artefacts {self._root} does not exist.",
                "Mount it, create it, or correct 'artefacts' in the settings.",
                kind=ErrorKind.ENVIRONMENT,
                code=UNREACHABLE,
            )
        return self._root.joinpath(*key.split("/"))

    @contextlib.contextmanager
    def _talking(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise _failed(str(self._root), error, error.strerror or str(error)) from error


class FsspecStore:
    """A place that fsspec reaches. Credentials come from the address, from fsspec's own configuration or from the environment."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._protocol = urlsplit(url).scheme
        self._fs, self._root = self._connect()

    def read(self, key: str, limit: int) -> bytes | None:
        with self._talking():
            try:
                with self._fs.open(self._path(key), "rb", block_size=limit + 1) as file:
                    data = file.read(limit + 1)
            except FileNotFoundError:
                return None
            return data if len(data) <= limit else None

    def write(self, key: str, data: bytes) -> None:
        with self._talking():
            self._whole(key, lambda path: self._fs.pipe_file(path, data))

    def put(self, key: str, path: Path) -> None:
        with self._talking():
            self._whole(key, lambda target: self._fs.put_file(str(path), target))

    def pieces(self, key: str) -> Iterator[bytes]:
        with self._talking(), self._fs.open(self._path(key), "rb", block_size=PIECE) as file:
            while piece := file.read(PIECE):
                yield piece

    def size(self, key: str) -> int | None:
        with self._talking():
            self._fs.invalidate_cache()
            try:
                found = self._fs.info(self._path(key))
            except FileNotFoundError:
                return None
            return int(found["size"]) if found.get("type") == "file" else None

    def age(self, key: str) -> float | None:
        with self._talking():
            try:
                return max(0.0, time.time() - self._fs.modified(self._path(key)).timestamp())
            except (FileNotFoundError, NotImplementedError):
                return None

    def names(self, folder: str) -> list[str]:
        with self._talking():
            self._fs.invalidate_cache()
            try:
                found = self._fs.ls(self._path(folder), detail=False)
            except (FileNotFoundError, NotADirectoryError):
                return []
            return sorted({name for path in found if (name := str(path).rstrip("/").rsplit("/", 1)[-1]) and not name.startswith(".")})

    def remove(self, key: str) -> None:
        with self._talking():
            self._fs.invalidate_cache()
            with contextlib.suppress(FileNotFoundError):
                self._fs.rm(self._path(key), recursive=True)

    def _whole(self, key: str, write: Callable[[str], object]) -> None:
        path = self._path(key)
        if self._protocol in OBJECT_STORES:
            write(path)
            return
        folder, _, name = path.rpartition("/")
        part = f"{folder}/.{name}.{secrets.token_hex(4)}.part"
        self._fs.makedirs(folder, exist_ok=True)
        try:
            write(part)
            self._fs.mv(part, path)
        finally:
            with contextlib.suppress(OSError):  # where it was moved, it is gone
                self._fs.rm(part)

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    def _connect(self) -> tuple[Any, str]:
        """The file system and the path in it. It keeps no listings: other machines write there too."""
        from fsspec.core import url_to_fs

        try:
            system, path = url_to_fs(self._url, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            missing = isinstance(error, ImportError)
            raise RetakeError(
                f"'{self._protocol}://' cannot be used for shared artefacts: {self._clean(str(error))}",
                "Install what it names into Retake's environment (for S3: s3fs)." if missing else "Give a folder, or an address that fsspec knows.",
                kind=ErrorKind.ENVIRONMENT,
                code="artefacts_unsupported",
            ) from None
        return system, str(path).rstrip("/")

    @contextlib.contextmanager
    def _talking(self) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, RetakeError, GeneratorExit):
            raise
        except Exception as error:  # noqa: BLE001 - every backend raises exceptions of its own
            # "from None": what lies behind may name the credentials, and would be shown in a log.
            raise _failed(hidden(self._url), error, self._clean(str(error)) or type(error).__name__) from None

    def _clean(self, text: str) -> str:
        """A backend's message without the secrets of the address."""
        parts = urlsplit(self._url)
        secret = {parts.username, parts.password, parts.netloc.rpartition("@")[0], parts.query, *(value for _, value in parse_qsl(parts.query))}
        text = text.replace(self._url, hidden(self._url))
        for part in sorted(filter(None, secret), key=len, reverse=True):
            text = text.replace(part, "***").replace(unquote(part), "***")
        return " ".join(re.sub(r"[\x00-\x1f]", " ", text).split())[:300]


def _failed(place: str, error: Exception, why: str) -> RetakeError:
    denied = isinstance(error, PermissionError)
    return RetakeError(
        f"The shared artefacts at {place} cannot be used ({why.rstrip('.')}).",
        "Check the rights that this machine has there." if denied else "Check the address, the network and the space there, then try again.",
        kind=ErrorKind.ENVIRONMENT,
        code="artefacts_denied" if denied else UNREACHABLE,
    )
