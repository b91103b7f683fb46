"""SyncNet (Chung & Zisserman 2016): five pictures of a mouth and 0.2 s of sound, each as a row of numbers that are alike where both belong together.

Written after the paper and the layout of the published weights, `syncnet_v2.model`. A network of the same shape with fewer channels works too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from retake.domain.errors import RetakeError

WIDE = 96  # channels of the first layer that sees; all others follow from it
_FIRST = "netcnnlip.0.weight"
# Layers that hear and see: (channels, kernel, stride, padding, pool behind it as kernel, stride, padding).
_HEARS = (
    (64, (3, 3), 1, 1, ((1, 1), (1, 1), 0)),
    (192, (3, 3), 1, 1, ((3, 3), (1, 2), 0)),
    (384, (3, 3), 1, 1, None),
    (256, (3, 3), 1, 1, None),
    (256, (3, 3), 1, 1, ((3, 3), (2, 2), 0)),
    (512, (5, 4), 1, 0, None),
)
_SEES = (
    (96, (5, 7, 7), (1, 2, 2), 0, ((1, 3, 3), (1, 2, 2), 0)),
    (256, (1, 5, 5), (1, 2, 2), (0, 1, 1), ((1, 3, 3), (1, 2, 2), (0, 1, 1))),
    (256, (1, 3, 3), 1, (0, 1, 1), None),
    (256, (1, 3, 3), 1, (0, 1, 1), None),
    (256, (1, 3, 3), 1, (0, 1, 1), ((1, 3, 3), (1, 2, 2), 0)),
    (512, (1, 6, 6), 1, 0, None),
)


class SyncNet(nn.Module):
    """Both halves of the network.

    Args:
        wide: channels of the first layer that sees (96 in the published weights).
    """

    def __init__(self, wide: int = WIDE) -> None:
        super().__init__()

        def channels(count: int) -> int:
            return max(1, count * wide // WIDE)

        heard: list[nn.Module] = []
        before = 1
        for count, kernel, stride, padding, pool in _HEARS:
            heard += [nn.Conv2d(before, channels(count), kernel, stride, padding), nn.BatchNorm2d(channels(count)), nn.ReLU()]
            heard += [nn.MaxPool2d(*pool)] if pool is not None else []
            before = channels(count)
        seen: list[nn.Module] = []
        before = 3
        for count, kernel, stride, padding, pool in _SEES:
            seen += [nn.Conv3d(before, channels(count), kernel, stride, padding), nn.BatchNorm3d(channels(count)), nn.ReLU()]
            seen += [nn.MaxPool3d(*pool)] if pool is not None else []
            before = channels(count)
        self.netcnnaud, self.netcnnlip = nn.Sequential(*heard), nn.Sequential(*seen)
        self.netfcaud, self.netfclip = _last(channels(512), channels(1024)), _last(channels(512), channels(1024))

    def sound(self, mfcc: torch.Tensor) -> torch.Tensor:
        """(n, 1, 13, 20) coefficients -> (n, 1024)."""
        return self.netfcaud(self.netcnnaud(mfcc).flatten(1))

    def lips(self, pictures: torch.Tensor) -> torch.Tensor:
        """(n, 3, 5, 224, 224) in 0..255, blue first -> (n, 1024)."""
        return self.netfclip(self.netcnnlip(pictures).flatten(1))


def _last(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inside, inside), nn.BatchNorm1d(inside), nn.ReLU(), nn.Linear(inside, outside))


def load(path: Path) -> SyncNet:
    """The network in a file of weights (a table of tensors by name, as `torch.save` writes it).

    Raises RetakeError (bad_syncnet) for a file that is something else, naming the first tensor that does not fit.
    """
    loaded, failed = None, None
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - a file that is no checkpoint fails in many ways
        failed = error
    if failed is not None or not isinstance(loaded, Mapping):
        raise _bad(path, f"it is no table of tensors ({type(failed or loaded).__name__})")
    state = {str(name).removeprefix("module."): value for name, value in loaded.items() if isinstance(value, torch.Tensor)}
    first = state.get(_FIRST)
    if first is None or first.ndim != 5 or tuple(first.shape[1:]) != (3, 5, 7, 7) or not 1 <= first.shape[0] <= WIDE:
        raise _bad(path, f"'{_FIRST}' is {'missing' if first is None else f'of shape {tuple(first.shape)}'}")
    network = SyncNet(first.shape[0])
    wanted = network.state_dict()
    for name, tensor in wanted.items():
        if name not in state:
            if name.endswith("num_batches_tracked"):  # files from before PyTorch 0.4.1 have none, and nothing here needs it
                state[name] = tensor
                continue
            raise _bad(path, f"'{name}' is missing")
        if state[name].shape != tensor.shape:
            raise _bad(path, f"'{name}' is of shape {tuple(state[name].shape)} and should be {tuple(tensor.shape)}")
    unknown = sorted(set(state) - set(wanted))
    if unknown:
        raise _bad(path, f"it also holds '{unknown[0]}'")
    network.load_state_dict(state)
    return network.train(False)


def _bad(path: Path, why: Any) -> RetakeError:
    return RetakeError(f"{path.name} does not hold SyncNet's weights: {why}.", "Give the file syncnet_v2.model of its authors.", code="bad_syncnet")
