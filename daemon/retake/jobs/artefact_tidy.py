"""Removing what nobody needs from a place of shared artefacts, and here what was deleted elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime

from retake.domain.errors import RetakeError
from retake.domain.speaker import NAME
from retake.jobs import artefact_manifest as manifests
from retake.jobs.artefacts import REFERENCE, Artefacts
from retake.takes import store as takes

DAY = 86400.0
# Folders of files that no manifest names are of pushes that were interrupted, or of two machines that shared the same take at once.
STRAY_DAYS = 1.0
# A machine that was away for longer keeps what was deleted meanwhile.
TOMBSTONE_DAYS = 60.0


def drop_deleted(artefacts: Artefacts) -> list[str]:
    """Delete in this home folder what was deleted on another machine; returns names ("speakers/anna")."""
    transfer, out = artefacts.transfer, []
    if transfer is None:
        return []
    for file in transfer.store.names("deleted/speakers"):
        name = file.removesuffix(".json")
        if NAME.fullmatch(name) and artefacts.drop_speaker(name):
            out.append(f"speakers/{name}")
    here = {stored.take.id: stored.created_at for stored in takes.history(artefacts.home)}
    for file in transfer.store.names("deleted/takes"):
        identifier = file.removesuffix(".json")
        thing = f"takes/{identifier}"
        gone = transfer.tombstone(thing) if identifier in here and transfer.manifest(thing) is None else None
        if gone is not None and here[identifier] <= gone.deleted_at:
            takes.delete(artefacts.home, identifier)
            out.append(f"takes/{identifier}")
    return out


def sweep(artefacts: Artefacts, *, inputs_days: float, named: str, takes_days: float = 0.0, dry_run: bool = False) -> list[str]:
    """Remove from the shared place what nobody needs; returns keys. For one machine to do now and then: the one that serves.

    Args:
        inputs_days: inputs that were not needed for so long are removed; 0: none.
        named: text in which inputs (`Artefacts.push_input`) are named that must stay: the specs of waiting and running jobs.
        takes_days: takes that this machine has no copy of are removed when they are older, here and elsewhere; 0: none.
        dry_run: only say what would be removed.
    """
    if artefacts.transfer is None:
        return []
    store = artefacts.transfer.store
    out: list[str] = []
    for kind in ("speakers", "takes", "results"):
        for name in store.names(kind):
            out += [f"{kind}/{name}/{version}" for version in _strays(artefacts, f"{kind}/{name}")]
    if inputs_days:
        unneeded = [name for name in store.names("inputs") if f"{REFERENCE}{name}" not in named]
        out += [f"inputs/{name}" for name in unneeded if (store.age(f"inputs/{name}") or 0.0) > inputs_days * DAY]
    for kind in ("speakers", "takes"):
        folder = f"deleted/{kind}"
        out += [f"{folder}/{name}" for name in store.names(folder) if (store.age(f"{folder}/{name}") or 0.0) > TOMBSTONE_DAYS * DAY]
    if not dry_run:
        for key in out:
            store.remove(key)
    return out + (_old_takes(artefacts, takes_days, dry_run) if takes_days else [])


def _old_takes(artefacts: Artefacts, days: float, dry_run: bool) -> list[str]:
    """Takes that were rendered elsewhere and never fetched; those of this home folder are looked after in `jobs.retention`."""
    assert artefacts.transfer is not None
    store, out = artefacts.transfer.store, []
    for identifier in artefacts.known_takes():
        try:
            here = takes.take_folder(artefacts.home, identifier).is_dir()
        except RetakeError:
            continue  # no take of ours
        if not here and (store.age(f"takes/{identifier}/manifest.json") or 0.0) > days * DAY:
            out.append(f"takes/{identifier}")
            if not dry_run:
                artefacts.delete_take(identifier)
    return out


def _strays(artefacts: Artefacts, thing: str) -> list[str]:
    """Versions of a thing that its manifest does not name, a day after they were begun."""
    assert artefacts.transfer is not None
    names = artefacts.transfer.store.names(thing)
    versions = {name: begun for name in names if (begun := manifests.version_time(name)) is not None}
    if len(versions) == 1 and "manifest.json" in names:
        return []  # as nearly always: the manifests of thousands of takes need not be read
    current = artefacts.transfer.manifest(thing)
    named = None if current is None else current.version
    now = datetime.now(UTC)
    return [name for name, begun in versions.items() if name != named and (now - begun).total_seconds() > STRAY_DAYS * DAY]
