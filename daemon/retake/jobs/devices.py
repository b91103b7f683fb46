"""What this machine renders with: one worker for each GPU, or one for the processor."""

from __future__ import annotations

import os
import shutil
import subprocess

from retake.settings import THREAD_VARIABLES

_ASK_SECONDS = 5.0


def devices(wanted: int = 0) -> list[str]:
    """Names of the devices, one for each worker: "cuda:0", "cuda:1", ... or "cpu".

    Args:
        wanted: number of workers; 0 = one for each GPU, or one. More than there are GPUs share them in turn.
    """
    found = [f"cuda:{number}" for number in range(gpus())] or ["cpu"]
    return [found[number % len(found)] for number in range(wanted or len(found))]


def gpus() -> int:
    """How many NVIDIA GPUs a process of ours may use. Asks the driver's own tool: loading PyTorch for it would take seconds."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip() not in {"", "-1"}])
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return 0
    try:
        answer = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=_ASK_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in answer.stdout.splitlines()) if answer.returncode == 0 else 0


def environment(device: str, threads: int = 0) -> dict[str, str]:
    """Variables that bind a process to `device`, and to so many threads (0: as it inherits)."""
    out = {name: str(threads) for name in THREAD_VARIABLES} if threads else {}
    if device.startswith("cuda:"):
        visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
        number = int(device.split(":")[1])
        out["CUDA_VISIBLE_DEVICES"] = visible[number] if number < len(visible) else str(number)
    return out
