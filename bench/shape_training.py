"""Training of the mouth shape prior: the network of `retake.face.prior` in torch.

One batch is windows of random clips, clips of speakers with little material drawn more often. The loss is the squared error of the
scaled components and of their change from frame to frame, so that timing counts as much as position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import block_diag
from shape_data import Clip
from torch import nn

from retake.domain.timing import Timing
from retake.face.canonical import INDEX, INNER_LIPS, LIPS, MOUTH, RIGID, similarity
from retake.face.features import FEATURES, TAP_STEP, TAPS
from retake.face.prior import HIDDEN_TAPS, LAYERS, MARGIN, ShapePrior, grid_features

Array = NDArray[np.float32]
COMPONENTS = 16
DEPTH_WEIGHT = 0.5  # MediaPipe's depth is a guess: it shall not decide which components there are


@dataclass
class Example:
    """One clip for training: features at 100 Hz beginning MARGIN steps before it, and mouth offsets (n, points, 3) at 25 fps."""

    speaker: str
    timing: Timing
    offsets: Array
    weight: float = 1.0


# Points that change places in a mirror; the others of MOUTH lie on the middle line.
_MIRRORED = (
    (61, 291), (146, 375), (91, 321), (181, 405), (84, 314), (37, 267), (39, 269), (40, 270), (185, 409), (78, 308), (95, 324), (88, 318),
    (178, 402), (87, 317), (82, 312), (81, 311), (80, 310), (191, 415), (148, 377), (176, 400), (149, 378), (150, 379), (136, 365),
    (172, 397), (83, 313), (182, 406), (201, 421), (208, 428), (171, 396), (169, 394), (170, 395), (140, 369), (32, 262), (194, 418),
    (43, 273), (57, 287), (186, 410), (92, 322), (165, 391), (167, 393), (206, 426), (212, 432), (214, 434), (202, 422), (204, 424),
    (210, 430), (211, 431), (106, 335),
)  # fmt: skip


def symmetric(offsets: Array) -> Array:
    """(n, points, 3) mean of mouth offsets and their mirror image: what is lopsided belongs to one person and is left to that person's own part."""
    partner = {**dict(_MIRRORED), **{b: a for a, b in _MIRRORED}}
    rows = [INDEX[partner.get(point, point)] for point in MOUTH]
    return ((offsets + offsets[:, rows] * np.array([-1, 1, 1])) / 2).astype(np.float32)


def point_weights() -> Array:
    """(points * 3,) how much an error of each coordinate counts: lips more than jaw, the inner rim most, depth least."""
    weights = np.full((len(MOUTH), 3), 0.6, np.float32)
    for point in LIPS:
        weights[INDEX[point]] = 1.0
    for point in INNER_LIPS:
        weights[INDEX[point]] = 1.3
    weights[:, 2] *= DEPTH_WEIGHT
    return weights.reshape(-1)


def common_space(templates: Sequence[Array]) -> Array:
    """(len(RIGID), 3) mean stable points of the speakers' templates, turned to face the camera."""
    rigid: list[int] = list(RIGID)
    mean = templates[0][rigid]
    for _ in range(4):
        moved = []
        for template in templates:
            scale, rotation, shift = similarity(template[rigid], mean)
            moved.append(scale * template[rigid] @ rotation.T + shift)
        mean = np.mean(moved, 0)
    # Reflecting left to right and averaging takes out what is left of roll and yaw.
    partner = {33: 263, 133: 362, 122: 351, 196: 419, 127: 356, 234: 454}
    swap = [rigid.index({**partner, **{b: a for a, b in partner.items()}}.get(point, point)) for point in rigid]
    mirrored = (mean * np.array([-1, 1, 1], np.float32))[swap]
    scale, rotation, shift = similarity(mirrored, mean)
    # Half-way between a face and its mirror image is a symmetric face; turn it so that its mirror plane is x = 0.
    symmetric = (mean + scale * mirrored @ rotation.T + shift) / 2
    left, right = rigid.index(33), rigid.index(263)
    x = symmetric[right] - symmetric[left]
    x /= np.linalg.norm(x)
    y = symmetric[rigid.index(9)] - symmetric[rigid.index(4)]
    y = -(y - (y @ x) * x)
    tilt = np.arctan2(y[2], y[1])  # keep the nod of the mean face: only roll and yaw are taken out
    y_axis = y / np.linalg.norm(y)
    frame = np.stack([x, y_axis, np.cross(x, y_axis)])
    nod = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    centred = (symmetric - symmetric.mean(0)) @ frame.T @ nod.T
    return (centred / np.linalg.norm(centred[right] - centred[left])).astype(np.float32)


class Network(nn.Module):
    """The network of `retake.face.prior`; windows come in at 25 fps with taps as a 13-wide first convolution."""

    def __init__(self, hidden: int, components: int, drop: float) -> None:
        super().__init__()
        self.enter = nn.Conv1d(len(FEATURES), hidden, TAPS)
        self.layers = nn.ModuleList([nn.Conv1d(hidden, hidden, HIDDEN_TAPS) for _ in range(LAYERS)])
        self.leave = nn.Linear(hidden, components)
        self.drop_in, self.drop = nn.Dropout(0.1), nn.Dropout(drop)
        self.gelu = nn.GELU(approximate="tanh")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, frames + margins, features) -> (batch, frames, components)."""
        h = self.gelu(self.enter(self.drop_in(x).transpose(1, 2)))
        edge = HIDDEN_TAPS // 2
        for layer in self.layers:
            h = h[:, :, edge:-edge] + self.gelu(layer(self.drop(h)))
        return self.leave(self.drop(h).transpose(1, 2))


def train(
    examples: Sequence[Example],
    rigid: Array,
    *,
    seed: int,
    steps: int = 500,
    hidden: int = 64,
    batch: int = 16,
    window: int = 64,
    drop: float = 0.35,
    nets: int = 3,
) -> ShapePrior:
    """Train `nets` networks on the same components, one seed each, and join them into one that answers with their mean."""
    weights = point_weights()
    flat = [e.offsets.reshape(len(e.offsets), -1) for e in examples]
    share = [np.sqrt(e.weight) for e in examples]
    stacked = np.concatenate([s * f[~np.isnan(f[:, 0])] for s, f in zip(share, flat, strict=True)]) * weights
    _, singular, rows = np.linalg.svd(stacked, full_matrices=False)
    spread = singular[:COMPONENTS] / np.sqrt(sum(w.weight * len(f) for w, f in zip(examples, flat, strict=True)))
    basis = rows[:COMPONENTS]
    scale = np.sqrt(spread[0] * spread)
    targets = [torch.tensor((f * weights) @ basis.T / scale) for f in flat]
    margin = MARGIN // TAP_STEP
    inputs = []
    for example in examples:
        start = 0.5 / 25
        n = len(example.offsets)
        grid = grid_features(example.timing, start, (n - 1) * TAP_STEP + 1)
        inputs.append(torch.tensor(grid))  # 100 Hz: a window may start at any of the grid's four phases
    chance = np.array([e.weight * len(e.offsets) for e in examples], float)
    chance /= chance.sum()
    out = []
    for number in range(nets):
        torch.manual_seed(seed + number)
        random = np.random.default_rng(seed + number)
        net = Network(hidden, COMPONENTS, drop)
        optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        net.train()
        for _ in range(steps):
            x, y = [], []
            for i in random.choice(len(examples), batch, p=chance):
                wide = min(window, len(targets[i]))
                q = int(random.integers(0, len(targets[i]) - wide + 1))
                jitter = int(random.integers(-1, 2)) if random.random() < 0.5 else 0  # alignments are a few ms off
                at = np.clip((np.arange(wide + 2 * margin) + q) * TAP_STEP + jitter, 0, len(inputs[i]) - 1)
                a, b = inputs[i][at], targets[i][q : q + wide]
                if wide < window:
                    a = torch.cat([a, a[-1:].expand(window - wide, -1)])
                    b = torch.cat([b, torch.full((window - wide, b.shape[1]), torch.nan)])
                x.append(a)
                y.append(b)
            goal = torch.stack(y)
            guess = net(torch.stack(x))
            known = ~torch.isnan(goal)
            error = torch.where(known, guess - torch.nan_to_num(goal), 0.0)
            both = known[:, 1:] & known[:, :-1]
            change = torch.where(both, error.diff(dim=1), 0.0)
            loss = error.square().sum() / known.sum() + change.square().sum() / both.sum()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
        net.eval()
        out.append(ShapePrior.from_tensors(tensors(net, scale, (basis / weights).astype(np.float32), rigid)))
    return joined(out)


def joined(priors: Sequence[ShapePrior]) -> ShapePrior:
    """One network that answers with the mean of several: side by side, without connections between them."""
    first = priors[0]
    layers = []
    for i in range(LAYERS):
        blocks = [p.layers[i][0] for p in priors]
        weight = np.stack([np.asarray(block_diag(*(block[tap] for block in blocks))) for tap in range(HIDDEN_TAPS)]).astype(np.float32)
        layers.append((weight, np.concatenate([p.layers[i][1] for p in priors])))
    return ShapePrior(
        np.concatenate([p.inputs for p in priors], 2),
        np.concatenate([p.input_bias for p in priors]),
        tuple(layers),
        (np.concatenate([p.outputs for p in priors]) / len(priors)).astype(np.float32),
        np.mean([p.output_bias for p in priors], 0),
        first.basis,
        first.rigid,
    )


def tensors(net: Network, scale: Array, basis: Array, rigid: Array) -> dict[str, Array]:
    """The network's weights as `ShapePrior.from_tensors` reads them."""
    out = {"inputs": _array(net.enter.weight).transpose(2, 1, 0), "input_bias": _array(net.enter.bias)}
    for i, layer in enumerate(net.layers):
        out[f"layer{i}.weight"] = _array(layer.weight).transpose(2, 1, 0)
        out[f"layer{i}.bias"] = _array(layer.bias)
    out["outputs"] = _array(net.leave.weight).T * scale
    out["output_bias"] = _array(net.leave.bias) * scale
    out["basis"], out["rigid"] = basis.astype(np.float32), rigid
    return {name: np.ascontiguousarray(value) for name, value in out.items()}


def tensors_of(prior: ShapePrior) -> dict[str, Array]:
    """The inverse of `ShapePrior.from_tensors`."""
    out = {name: getattr(prior, name) for name in ("inputs", "input_bias", "outputs", "output_bias", "basis", "rigid")}
    for i, (weight, bias) in enumerate(prior.layers):
        out[f"layer{i}.weight"], out[f"layer{i}.bias"] = weight, bias
    return out


def _array(value: object) -> Array:
    assert isinstance(value, torch.Tensor)
    return value.detach().numpy().astype(np.float32)


def average_template(clips: Sequence[Clip]) -> Array:
    """(478, 3) mean canonical landmarks of one speaker."""
    return np.nanmean(np.concatenate([clip.canonical for clip in clips if clip.canonical is not None]), 0)
