"""Where training starts: the base voice with its spectra warped to the person's vocal tract and matched to their long-term spectrum."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from . import features
from .hibari_net import BINS, FRAMES_PER_STEP, SYMBOLS, VoiceNet, vocabulary
from .material import Material
from .synthesis import render

# Phones that share what a person does to them, in misaki's characters.
PHONE_CLASSES = ("iɪeAYᵻ", "ɛæaI", "ɑɔɒʌəɐᵊɜWoOQ", "uʊ", "mnŋ", "bdɡgptkʔTɾʤʧ", "szʃʒfθhx", "vðwjlɹr")
RARE_PHONE, RARE_CLASS = 24, 12  # frames at which a phone's own mean counts half
WARPS = np.linspace(0.80, 1.20, 41)  # frequency axis of the person / of the base voice


@torch.no_grad()
def start_from_warped(net: VoiceNet, material: Material, told: Tensor, generator: torch.Generator) -> tuple[float, NDArray[np.float32]]:
    """Fold a vocal-tract warp and a long-term match into the decoder's last layer.

    The warp is the one under which smoothed spectra of the base voice, speaking the reference's words at its times, differ
    least from the reference's once their means are removed (Lee and Rose 1996 search the same way).

    Returns the warp, and what is still missing on average in each phone: (SYMBOLS, BINS) log gains.
    """
    index = torch.from_numpy(material.index)
    spectra = net.decode(material.script.content[:, index][None], told[None], torch.from_numpy(material.energy)[None])
    made = render(spectra, material.pulses[None], generator)[0].numpy()
    smooth = [gaussian_filter1d(np.log(features.magnitudes(x, 1200, 1200) + 1e-4), 6.0, axis=0)[:, : len(told)] for x in (made, material.samples)]
    loud = np.flatnonzero(~material.quiet)
    ours, theirs = (part[:, loud] for part in smooth)
    heard = slice(5, 250)  # 100 Hz to 5 kHz, where formants are
    errors = []
    for warp in WARPS:
        difference = _stretch(ours[:, ::3], float(warp))[heard] - theirs[heard, ::3]
        errors.append(float(np.abs(difference - difference.mean(1, keepdims=True)).mean()))
    warp = float(WARPS[int(np.argmin(errors))])
    residual = theirs - _stretch(ours, warp)
    match = gaussian_filter1d(residual.mean(1), 10.0).clip(-4.0, 4.0)
    matrix = torch.from_numpy(_stretch(np.eye(BINS), warp).astype(np.float32))
    weight, bias = net.head.weight, net.head.bias
    for part in range(4):  # the free phase is left alone: phases do not interpolate
        rows = slice(part * BINS, (part + 1) * BINS)
        weight[rows] = matrix @ weight[rows]
        bias[rows] = matrix @ bias[rows]
        if part != 1:
            bias[rows] += torch.from_numpy(match.astype(np.float32))
    sounding = material.script.sounding()[material.index].repeat(FRAMES_PER_STEP)[loud]
    return warp, _phone_offsets(residual - match[:, None], sounding)


def _phone_offsets(residual: NDArray[np.floating], sounding: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mean residual (BINS, frames) of each phone, drawn towards that of its class, and that towards none, the rarer it is."""
    known = vocabulary()
    out = np.zeros((SYMBOLS, BINS), np.float32)
    for group in PHONE_CLASSES:
        ids = [known[symbol] for symbol in group if symbol in known]
        frames = np.isin(sounding, ids)
        count = int(frames.sum())
        common = residual[:, frames].mean(1) * (count / (count + RARE_CLASS)) if count else np.zeros(BINS)
        for number in ids:
            own = sounding == number
            count = int(own.sum())
            mean = residual[:, own].mean(1) if count else common
            out[number] = gaussian_filter1d(common + (mean - common) * (count / (count + RARE_PHONE)), 5.0).clip(-2.5, 2.5)
    return out


def _stretch(spectra: NDArray[np.floating], warp: float) -> NDArray[np.floating]:
    """Row k of the result is row k * warp of `spectra` (BINS, n), linearly interpolated."""
    at = np.clip(np.arange(BINS) * warp, 0, BINS - 1)
    low = np.minimum(at.astype(np.int64), BINS - 2)
    share = (at - low)[:, None]
    return spectra[low] * (1 - share) + spectra[low + 1] * share
