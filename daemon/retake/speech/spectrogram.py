"""Sound <-> overlapping spectra, such that unchanged spectra give the same sound again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft

Spectra = NDArray[np.complex64]
_BLOCK = 512  # spectra at a time


@dataclass(frozen=True)
class Overlap:
    """Windows of `length` samples, each a quarter of it after the last; square roots of Hann windows, once on the way in and once on the way out."""

    length: int

    @property
    def hop(self) -> int:
        return self.length // 4

    @property
    def _window(self) -> NDArray[np.float32]:
        return np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(self.length) + 0.5) / self.length)).astype(np.float32)

    def split(self, samples: NDArray[np.float32]) -> Spectra:
        """(frames, length // 2 + 1); three hops of silence lie before the first sample (see `centres`)."""
        count = int(np.ceil(len(samples) / self.hop)) + 3
        padded = np.zeros((count + 3) * self.hop, np.float32)
        padded[3 * self.hop : 3 * self.hop + len(samples)] = samples
        views = np.lib.stride_tricks.sliding_window_view(padded, self.length)[:: self.hop]
        out = np.empty((count, self.length // 2 + 1), np.complex64)
        for low in range(0, count, _BLOCK):
            out[low : low + _BLOCK] = np.asarray(rfft(views[low : low + _BLOCK] * self._window, axis=1))
        return out

    def join(self, spectra: Spectra, samples: int) -> NDArray[np.float32]:
        """(samples,) float32."""
        out = np.zeros((len(spectra) + 3) * self.hop, np.float32)
        for low in range(0, len(spectra), _BLOCK):
            pieces = np.asarray(irfft(spectra[low : low + _BLOCK], self.length, axis=1), np.float32) * self._window
            for number, piece in enumerate(pieces, low):
                out[number * self.hop : number * self.hop + self.length] += piece
        return out[3 * self.hop : 3 * self.hop + samples] * np.float32(0.5)

    def centres(self, frames: int, rate: int) -> NDArray[np.float64]:
        """(frames,) seconds of the middle of each window."""
        return (np.arange(frames) * self.hop - 3 * self.hop + self.length / 2) / rate
