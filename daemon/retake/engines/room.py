"""How much memory is free, on this machine and on its GPU, and where an engine may be loaded."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import Literal, Protocol

from retake.domain.errors import ErrorKind, RetakeError

from .manifest import Manifest

Device = Literal["cpu", "cuda"]
_ASK_SECONDS = 5.0


@dataclass(frozen=True)
class Free:
    """Memory in MB (of a million bytes)."""

    free: int
    total: int


class Room(Protocol):
    """Tells how much memory there is."""

    def ram(self) -> Free: ...

    def gpu(self) -> Free | None:
        """Of the GPU that this process is to use; None where there is none."""
        ...


class Machine:
    """The memory of this machine. Asks the driver's own tool: loading PyTorch for it would take seconds and memory."""

    def ram(self) -> Free:
        import psutil

        memory = psutil.virtual_memory()
        return Free(memory.available // 1_000_000, memory.total // 1_000_000)

    def gpu(self) -> Free | None:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        names = [name.strip() for name in (visible or "").split(",") if name.strip() not in {"", "-1"}]
        tool = shutil.which("nvidia-smi")
        if tool is None or (visible is not None and not names):
            return None
        command = [tool, "--query-gpu=memory.free,memory.total", "--format=csv,noheader,nounits", f"--id={names[0] if names else 0}"]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_SECONDS, check=False)
            free, total = (int(float(part) * 1.048576) for part in answer.stdout.splitlines()[0].split(","))  # it counts in MiB
        except (OSError, subprocess.TimeoutExpired, ValueError, IndexError):
            return None
        return Free(free, total)


def device_for(manifest: Manifest, room: Room) -> Device:
    """Where the engine belongs: on the GPU if it can ever fit there, else on the processor. Raises RetakeError where it can be nowhere."""
    if "cuda" in manifest.devices:
        gpu = room.gpu()
        if gpu is not None and gpu.total >= manifest.memory.vram_mb:
            return "cuda"
        if "cpu" not in manifest.devices:
            has = "there is none" if gpu is None else f"this one has {gpu.total / 1000:.1f} GB"
            raise RetakeError(
                f"The engine '{manifest.name}' needs a GPU with {manifest.memory.vram_mb / 1000:.1f} GB of memory, and {has}.",
                "Use another engine ('retake engines list' tells what each needs).",
                kind=ErrorKind.ENVIRONMENT,
                code="engine_needs_gpu",
            )
    return "cpu"


def lacking(manifest: Manifest, device: Device, room: Room) -> RetakeError | None:
    """Why the engine does not fit just now, as an error to raise; None where it fits."""
    if device == "cuda":
        gpu = room.gpu()
        if gpu is not None and gpu.free < manifest.memory.vram_mb:
            return _no_memory(manifest.name, "the GPU", manifest.memory.vram_mb, gpu)
    ram = room.ram()
    if ram.free < manifest.memory.ram_mb:
        return _no_memory(manifest.name, "this machine", manifest.memory.ram_mb, ram)
    return None


def _no_memory(name: str, where: str, needed: int, found: Free) -> RetakeError:
    return RetakeError(
        f"The engine '{name}' needs {needed / 1000:.1f} GB of memory, and {where} has {found.free / 1000:.1f} of {found.total / 1000:.1f} GB free.",
        "Close other programs and try again, or use another engine.",
        kind=ErrorKind.ENVIRONMENT,
        code="engine_no_memory",
    )
