"""Which colours a picture's numbers stand for: matrix, range, primaries and transfer, with sensible guesses where a file does not say.

Numbers are those of ITU-T H.273, which all codecs share.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# H.273 matrix coefficients -> names of the scaler.
_MATRICES = {1: "bt709", 4: "fcc", 5: "bt470", 6: "smpte170m", 7: "smpte240m", 9: "bt2020", 10: "bt2020"}
_FULL_RANGE = 2  # as libavutil numbers ranges: 0 unknown, 1 limited, 2 full
_TRANSFERS = {16: "pq", 18: "hlg"}
_PRIMARIES = {9: "bt2020", 11: "dci_p3", 12: "display_p3"}

# Chromaticities (ITU-R BT.709-6, BT.2020-2, SMPTE RP 431-2 with the D65 white of Display P3): x, y of red, green, blue, white.
_D65 = (0.3127, 0.3290)
_CHROMATICITIES = {
    "bt709": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65),
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    "display_p3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
    "dci_p3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
}

_REFERENCE_WHITE_NITS = 203.0  # ITU-R BT.2408: HDR reference white, which becomes the white of the standard picture
_HDR_PEAK_NITS = 1000.0
_KNEE = 0.75  # below this share of white, where faces lie, tone mapping changes nothing
_SDR_GAMMA = 2.4  # ITU-R BT.1886


@dataclass(frozen=True)
class Colour:
    """How to read a picture's numbers. `guessed` tells that the file did not name its matrix."""

    matrix: str  # "bt709", "smpte170m", "bt470", "bt2020", "fcc", "smpte240m" or "rgb"
    full_range: bool
    primaries: str  # "bt709" (also for BT.601's, which differ too little to show), "bt2020", "display_p3", "dci_p3"
    transfer: str  # "sdr", "pq" or "hlg"
    guessed: bool = False

    @property
    def high_dynamic_range(self) -> bool:
        return self.transfer != "sdr"

    @property
    def standard(self) -> bool:
        """True when the colours are those of BT.709 up to matrix and range, so that no gamut or tone mapping is needed."""
        return self.transfer == "sdr" and self.primaries == "bt709"


def interpret(*, pixel_format: str, is_rgb: bool, matrix: int, colour_range: int, primaries: int, transfer: int, width: int, height: int) -> Colour:
    """Decide what the H.273 numbers of a stream or frame mean; untagged pictures up to 576 lines are BT.601, larger ones BT.709, as
    players guess too."""
    if is_rgb:
        name, guessed = "rgb", False
    else:
        name = _MATRICES.get(matrix)
        guessed = name is None
        if name is None:
            small = min(width, height) <= 576 and max(width, height) <= 1024
            name = "bt2020" if primaries == 9 or transfer in _TRANSFERS else "smpte170m" if small else "bt709"
    full = is_rgb or colour_range == _FULL_RANGE or pixel_format.startswith("yuvj")
    return Colour(name, full, _PRIMARIES.get(primaries, "bt709"), _TRANSFERS.get(transfer, "sdr"), guessed)


def mapping_cube(colour: Colour, size: int = 33) -> NDArray[np.float64]:
    """Table that maps coded R'G'B' of `colour` to coded BT.709 R'G'B' of a standard display; shape (size, size, size, 3), first axis red, in [0, 1].

    Light is taken to what a display emits (PQ: SMPTE ST 2084; HLG: BT.2100 with the system gamma 1.2 of a 1000 nit display), reference white
    becomes white, highlights above a knee are rolled off smoothly to the peak, the gamut is converted linearly and clipped.
    """
    axis = np.linspace(0.0, 1.0, size)
    coded = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    light = _display_light(coded, colour.transfer)
    if colour.high_dynamic_range:
        brightest = np.maximum(light.max(axis=-1, keepdims=True), 1e-9)
        light = light * (_roll_off(brightest) / brightest)  # one factor for all three: hue and saturation stay
    light = light @ conversion(colour.primaries, "bt709").T
    return np.clip(light, 0.0, 1.0) ** (1.0 / _SDR_GAMMA)


def conversion(source: str, target: str) -> NDArray[np.float64]:
    """(3, 3) matrix that takes linear RGB of one set of primaries to another (white is kept)."""
    return np.linalg.inv(_to_xyz(target)) @ _to_xyz(source)


def _to_xyz(name: str) -> NDArray[np.float64]:
    *primaries, white = _CHROMATICITIES[name]
    columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in primaries]).T
    # All whites become D65: what is white in the source is to look white in the result.
    x, y = _D65 if name == "dci_p3" else white
    scale = np.linalg.solve(columns, np.array([x / y, 1.0, (1 - x - y) / y]))
    return columns * scale


def _display_light(coded: NDArray[np.float64], transfer: str) -> NDArray[np.float64]:
    """Light of a display, 1 = (reference) white."""
    if transfer == "pq":
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 4096 * 128, 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
        power = coded ** (1 / m2)
        return 10000.0 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1) / _REFERENCE_WHITE_NITS
    if transfer == "hlg":
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(coded <= 0.5, coded**2 / 3, (np.exp((coded - c) / a) + b) / 12)
        luminance = scene @ np.array([0.2627, 0.6780, 0.0593])
        return _HDR_PEAK_NITS * scene * np.maximum(luminance, 1e-9)[..., None] ** 0.2 / _REFERENCE_WHITE_NITS
    return coded**_SDR_GAMMA


def _roll_off(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Identity below the knee, then a hyperbola that leaves it with slope 1 and reaches 1 at the peak."""
    peak = _HDR_PEAK_NITS / _REFERENCE_WHITE_NITS
    share = np.clip((light - _KNEE) / (peak - _KNEE), 0.0, 1.0)
    bend = (peak - _KNEE) / (1 - _KNEE) - 1
    return np.where(light <= _KNEE, light, _KNEE + (1 - _KNEE) * share * (1 + bend) / (1 + bend * share))
