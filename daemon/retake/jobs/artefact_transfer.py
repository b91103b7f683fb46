"""How things get to a place of shared artefacts and back: files first, their manifest last; every size and hash checked on the way back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from retake.jobs import artefact_manifest as manifests
from retake.jobs.artefact_manifest import Entry, Manifest, Tombstone
from retake.jobs.artefact_store import Store, patiently
from retake.media.files import check_space, explain_os_error

T = TypeVar("T", Manifest, Tombstone)

# How often something that is being replaced by another machine just now is begun again.
_ATTEMPTS = 3


class Transfer:
    """Pushes and fetches things such as "speakers/anna" between a home folder and a store."""

    def __init__(self, store: Store, home: Path) -> None:
        self.store = store
        self.home = home

    def manifest(self, thing: str) -> Manifest | None:
        """The files of a thing; None if it is not shared."""
        return self._parsed(Manifest, f"{thing}/manifest.json", thing)

    def tombstone(self, thing: str) -> Tombstone | None:
        """When a thing was deleted; None if it was not, or was made anew since."""
        return self._parsed(Tombstone, f"deleted/{thing}.json", thing)

    def push(
        self,
        thing: str,
        folder: Path,
        *,
        created_at: datetime,
        documents: bool = False,
        fingerprint: str = "",
        earlier: tuple[str, ...] = (),
    ) -> None:
        """Share the files of `folder`; what was shared as `thing` before is replaced once they are all there.

        Args:
            documents: paths of this home folder in JSON documents are written so that other machines can put theirs.
        """
        before = self.manifest(thing)
        contents = {name: self._document(path) if documents else None for name, path in manifests.files_in(folder)}
        entries = tuple(entry_of(name, folder / name, data) for name, data in contents.items())
        if before is None or set(before.entries) != set(entries):
            version = manifests.new_version()
            for name, data in contents.items():
                key = f"{thing}/{version}/{name}"
                if data is None:
                    patiently(lambda key=key, name=name: self.store.put(key, folder / name))
                else:
                    patiently(lambda key=key, data=data: self.store.write(key, data))
            fresh = Manifest(version=version, created_at=created_at, fingerprint=fingerprint, earlier=earlier, entries=entries)
            content = (fresh.model_dump_json(indent=1) + "\n").encode()
            patiently(lambda: self.store.write(f"{thing}/manifest.json", content))
            if before is not None:
                self.store.remove(f"{thing}/{before.version}")
        self.store.remove(f"deleted/{thing}.json")

    def fetch(self, thing: str, what: str, fill: Callable[[Manifest], None]) -> bool:
        """Call `fill` with the thing's manifest, again if the thing was replaced meanwhile. False if it is not shared."""
        for attempt in range(_ATTEMPTS):
            manifest = self.manifest(thing)
            if manifest is None:
                return False
            try:
                fill(manifest)
            except FileNotFoundError as error:
                if attempt == _ATTEMPTS - 1:
                    raise manifests.damaged(what, "one of its files is missing") from error
            else:
                return True
        return False

    def download_all(self, thing: str, manifest: Manifest, folder: Path, what: str) -> None:
        """Write the files of a thing into an empty folder. Raises FileNotFoundError for one that is gone, RetakeError (bad_artefact, disk_full)."""
        check_space(folder, manifest.size)
        for entry in manifest.entries:
            target = folder.joinpath(*entry.name.split("/"))
            target.parent.mkdir(parents=True, exist_ok=True)
            self.download(f"{thing}/{manifest.version}/{entry.name}", target, entry, what)

    def place_documents(self, folder: Path) -> None:
        """Put this home folder into the fetched documents that name files of it."""
        for _, path in manifests.files_in(folder):
            data = self._document(path, manifests.at_home)
            if data is not None:
                path.write_bytes(data)

    def download(self, key: str, target: Path, entry: Entry, what: str) -> None:
        """Write one file. What does not have the size and hash it should have is fetched once more, then refused (bad_artefact)."""
        for _ in range(2):
            if patiently(lambda: self._downloaded(key, target, entry)):
                return
        raise manifests.damaged(what, f"{entry.name} is not what was shared")

    def bury(self, thing: str, fingerprints: tuple[str, ...]) -> None:
        """Remove a thing, and leave word for machines that have a copy."""
        gone = Tombstone(deleted_at=datetime.now(UTC), fingerprints=fingerprints)
        patiently(lambda: self.store.write(f"deleted/{thing}.json", gone.model_dump_json().encode()))
        patiently(lambda: self.store.remove(f"{thing}/manifest.json"))  # first, so that nobody begins to fetch it
        patiently(lambda: self.store.remove(thing))

    def _downloaded(self, key: str, target: Path, entry: Entry) -> bool:
        digest, size = hashlib.sha256(), 0
        try:
            with target.open("wb") as file:
                for piece in self.store.pieces(key):
                    size += len(piece)
                    if size > entry.size:  # a store that lies must not fill the disk
                        return False
                    digest.update(piece)
                    file.write(piece)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise explain_os_error(error, target) from error
        return size == entry.size and digest.hexdigest() == entry.sha256

    def _document(self, path: Path, rewrite: Callable[[bytes, Path], bytes] = manifests.portable) -> bytes | None:
        """Content of a document that names files of a home folder, rewritten; None for every other file."""
        if path.suffix.lower() not in manifests.DOCUMENTS or path.stat().st_size > manifests.LARGEST:
            return None
        data = path.read_bytes()
        changed = rewrite(data, self.home)
        return None if changed is data else changed

    def _parsed(self, model: type[T], key: str, thing: str) -> T | None:
        data = patiently(lambda: self.store.read(key, manifests.LARGEST))
        return None if data is None else manifests.parse(model, data, thing)


def entry_of(name: str, path: Path, data: bytes | None = None) -> Entry:
    """The entry of a file, or of what is shared in its place."""
    try:
        return manifests.entry_of(name, path) if data is None else Entry(name=name, size=len(data), sha256=hashlib.sha256(data).hexdigest())
    except OSError as error:
        raise explain_os_error(error, path) from error


def check_listed(manifest: Manifest, names: set[str], what: str) -> None:
    """Raise RetakeError (bad_artefact) unless all these files are part of it."""
    missing = sorted(name for name in names if manifest.hash_of(name) is None)
    if missing:
        raise manifests.damaged(what, f"{missing[0]} is missing")
