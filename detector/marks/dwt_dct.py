"""Read the marks that the library ``invisible-watermark`` hides in pictures (its method ``dwtDct``).

Its source defines them: OpenCV's YUV, of the first chroma channel one level of the Haar wavelet, and of the
approximation blocks of 4 × 4. The coefficient of largest magnitude in a block, but for its first, holds one
bit: 9 or 27 modulo 36 stand for 0 and 1. Bits repeat from block to block, line by line. Programs pass it
pictures in four ways:

- as numbers of 8 bits, whose chroma is centred at 128, or as floats, whose chroma is centred at 0.5, so that
  magnitudes differ. Stable Diffusion XL, diffusers and FLUX do the latter;
- with blue first, as the library expects, or with red first, as diffusers did before version 0.25.

Coefficients here are sums of 2 × 2 pixels: twice the library's, and whole numbers. A block has 8 × 8 pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import comb
from typing import NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.media.frame import Image

BLOCK = 8  # pixels
LEAST_SIDE = 64  # pixels of a picture that is searched
MOST_CHANCE = 1e-5  # of an accidental match in one exhibit
_LEAST_SHARE = 0.875  # of the bits: 42 of 48
_PERIOD = 72  # twice the scale that the programs leave at its default
_FLOAT_CENTRE = 510  # by how much sums of 8 bits exceed those of floats: 4 · (128 - 0.5)
_HAAR = 0.7071067811865476  # as PyWavelets has it
# Pixels searched in the middle of larger pictures: generators make most of 1024 × 1024.
PHOTO_PIXELS, FRAME_PIXELS = 1 << 20, 1 << 18
_FOR_OFFSETS = 0.25  # of these
_LEAST_CONCENTRATION = 5.0  # standard deviations, of the remainders at one offset
_MOST_OFFSETS = 2  # searched in full


@dataclass(frozen=True, eq=False)
class Payload:
    """The bits (length,) that a program writes, the first first."""

    program: str
    bits: NDArray[np.bool_]


class PixelMark(NamedTuple):
    """A payload that was read from a picture."""

    program: str
    matched: int
    length: int
    chance: float
    """Of an accidental match in any trial with this picture, with bits like tosses of a coin."""
    shifted: bool
    """Whether blocks or bits do not begin at the corner of the picture, as after cropping."""


def _of_text(program: str, text: str) -> Payload:
    return Payload(program, np.unpackbits(np.frombuffer(text.encode(), np.uint8)).astype(np.bool_))


def _of_number(program: str, number: int) -> Payload:
    return Payload(program, np.array([digit == "1" for digit in f"{number:048b}"]))


PAYLOADS = (
    _of_number("Stable Diffusion XL", 0xB3EC907BB19E),
    _of_number("FLUX", 0x2AFE879CF52E),
    _of_text("Stable Diffusion 1", "StableDiffusionV1"),
    _of_text("Stable Diffusion 1", "StableDiffusionV1-Inpainting"),
    _of_text("Stable Diffusion 2", "SDV2"),
    _of_text("InvokeAI", "InvokeAI"),
)
_LENGTHS = tuple(dict.fromkeys(len(payload.bits) for payload in PAYLOADS))
_VARIANTS = 4  # orders of colours, numbers of 8 bits and floats


def find_pixel_mark(image: Image, pixels: int = PHOTO_PIXELS) -> PixelMark | None:
    """Return the most certain mark of a picture (height, width, 3), RGB, as stored; None without one.

    The picture's own corner is tried first. Then follow crops: of all offsets of 0 to 7 pixels those at which
    remainders modulo 36 gather as marks leave them, at these all widths of the original and all first bits.
    Of a larger picture about ``pixels`` in the middle are searched.
    """
    if min(image.shape[:2]) < LEAST_SIDE:
        return None
    height, width = image.shape[:2]
    rows = max(2 * BLOCK, pixels // width // BLOCK * BLOCK)
    first_row = max(0, (height - rows) // 2 // BLOCK)
    middle = image[first_row * BLOCK :][:rows]
    marks: list[PixelMark] = []
    offsets: list[_Offset] = []
    for order in (cv2.COLOR_RGB2YUV, cv2.COLOR_BGR2YUV):
        extremes = _extremes(_chroma(middle, order))
        for is_float in (True, False):
            coefficients = _Coefficients(*extremes, is_float)
            marks += _aligned_marks(coefficients.bits(0, 0).ravel(), first_row * (width // BLOCK))
            offsets += _likely_offsets(coefficients, int(_FOR_OFFSETS * pixels))
    for offset in sorted(offsets, key=lambda offset: -offset.concentration)[:_MOST_OFFSETS]:
        marks += _shifted_marks(offset)
    certain = (mark for mark in marks if mark.chance <= MOST_CHANCE)
    return min(certain, key=lambda mark: mark.chance, default=None)


def decode_as_library(image: Image, length: int) -> NDArray[np.bool_]:
    """Return the ``length`` bits that the library itself decodes from a picture (height, width, 3), RGB.

    Where a coefficient lies on the edge between two bits, the rounding of its floating-point numbers decides.
    Such blocks are computed again as the library does.
    """
    chroma = _chroma(image, cv2.COLOR_RGB2YUV)
    rows, columns = (side // BLOCK for side in chroma.shape)
    largest = _extremes(chroma)[0][: rows * BLOCK : BLOCK, : columns * BLOCK : BLOCK]
    bits = largest % _PERIOD > _PERIOD // 2
    on_edge = largest % (_PERIOD // 2) == 0
    blocks = chroma[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK).swapaxes(1, 2)
    pixels = blocks[on_edge].astype(np.float64)
    halves = _HAAR * pixels[:, ::2] + _HAAR * pixels[:, 1::2]
    coefficients = (_HAAR * halves[..., ::2] + _HAAR * halves[..., 1::2]).reshape(-1, 16)[:, 1:]
    bits[on_edge] = coefficients.max(axis=1, initial=0) % (_PERIOD / 2) > _PERIOD / 4
    return _shares(bits.ravel(), length) * 255 > 127


def _chroma(image: Image, order: int) -> NDArray[np.uint8]:
    return cast(NDArray[np.uint8], np.ascontiguousarray(cv2.cvtColor(image, order)[:, :, 1]))


# Positions of a block's coefficients but the first, of the block that begins at a pixel
_REACH = np.zeros((BLOCK - 1, BLOCK - 1), np.uint8)
_REACH[::2, ::2] = 1
_REACH[0, 0] = 0


def _extremes(chroma: NDArray[np.uint8]) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Return the largest and smallest coefficient of the block that begins at each pixel (height, width).

    Blocks that reach beyond the picture are meaningless.
    """
    edge = cv2.BORDER_REPLICATE
    sums = cv2.boxFilter(chroma, cv2.CV_16S, (2, 2), anchor=(0, 0), normalize=False, borderType=edge)
    largest = cv2.dilate(sums, _REACH, anchor=(0, 0), borderType=edge)
    smallest = cv2.erode(sums, _REACH, anchor=(0, 0), borderType=edge)
    return cast(NDArray[np.int16], largest), cast(NDArray[np.int16], smallest)


@dataclass(frozen=True, eq=False)
class _Coefficients:
    """Extremes (height, width) of the blocks that begin at each pixel, for either kind of numbers."""

    largest: NDArray[np.int16]
    smallest: NDArray[np.int16]
    is_float: bool

    def magnitudes(self, rows: slice, columns: slice) -> NDArray[np.int16]:
        largest = self.largest[rows, columns]
        if not self.is_float:
            return largest
        return np.maximum(largest - _FLOAT_CENTRE, _FLOAT_CENTRE - self.smallest[rows, columns])

    def bits(self, top: int, left: int) -> NDArray[np.bool_]:
        """Return the bits (rows, columns) of the whole blocks from an offset on."""
        height, width = self.largest.shape
        rows, columns = slice(top, height - BLOCK + 1, BLOCK), slice(left, width - BLOCK + 1, BLOCK)
        return self.magnitudes(rows, columns) % _PERIOD > _PERIOD // 2


def _shares(bits: NDArray[np.bool_], length: int) -> NDArray[np.float64]:
    """Return the share (length,) of ones among the blocks of each bit; ``bits`` has one value a block."""
    numbers = np.arange(len(bits)) % length
    return np.bincount(numbers, bits, length) / np.bincount(numbers, minlength=length)


def _aligned_marks(bits: NDArray[np.bool_], first_bit: int) -> Iterator[PixelMark]:
    """Match payloads with blocks from the picture's corner on; ``first_bit`` blocks precede ``bits``."""
    for length in _LENGTHS:
        if len(bits) < length:
            continue
        shares = np.roll(_shares(bits, length), first_bit % length)
        # Compression shifts all shares in one direction, so that the library's limit of one half loses marks.
        read = shares > shares.mean()
        for payload in PAYLOADS:
            if len(payload.bits) == length:
                matched = int(np.count_nonzero(read == payload.bits))
                yield _mark(payload, matched, trials=_VARIANTS, shifted=False)


class _Offset(NamedTuple):
    """An offset at which remainders gather, and the bits (rows, columns) of its blocks."""

    concentration: float
    bits: NDArray[np.bool_]


def _likely_offsets(coefficients: _Coefficients, pixels: int) -> Iterator[_Offset]:
    """Yield the offset at which the remainders gather most around 9 modulo 18, if they do.

    Content such as an even background gathers at all offsets alike, hence the comparison with their mean.
    """
    height, width = ((side - BLOCK) // BLOCK * BLOCK for side in coefficients.largest.shape)
    rows = min(height, max(BLOCK, pixels // width // BLOCK * BLOCK))
    near = _gathering()[coefficients.magnitudes(slice(rows), slice(width))]
    means = near.reshape(rows // BLOCK, BLOCK, width // BLOCK, BLOCK).mean(axis=(0, 2))
    deviations = (means - means.mean()) * (2 * rows * width) ** 0.5 / BLOCK
    top, left = np.unravel_index(int(deviations.argmax()), deviations.shape)
    concentration = float(deviations[top, left])
    if concentration >= _LEAST_CONCENTRATION:
        yield _Offset(concentration, coefficients.bits(int(top), int(left)))


@cache
def _gathering() -> NDArray[np.float32]:
    """Return for each magnitude the cosine of its distance from the values that marks leave."""
    return np.cos(np.arange(4 * 255 + 1) * (4 * np.pi / _PERIOD) - np.pi).astype(np.float32)


def _shifted_marks(offset: _Offset) -> Iterator[PixelMark]:
    """Match payloads with the blocks at an offset, for each width of the original and each first bit.

    Block (r, c) of an original ``n`` blocks wide holds bit r·n + c + f. Sums for all n come from one Fourier
    transform over rows and columns, folded to the length: a width is a slope in its plane.
    """
    rows, columns = offset.bits.shape
    centred = offset.bits - offset.bits.mean()
    for length in _LENGTHS:
        if offset.bits.size < length:
            continue
        folded = np.zeros((length, length))
        np.add.at(folded, np.ix_(np.arange(rows) % length, np.arange(columns) % length), centred)
        plane = np.fft.fft2(folded)
        slopes = np.arange(length)
        votes = np.fft.ifft(plane[np.outer(slopes, slopes) % length, slopes]).real
        read = np.where(votes > votes.mean(axis=1, keepdims=True), 1.0, -1.0)
        for payload in PAYLOADS:
            if len(payload.bits) == length:
                signs = np.where(payload.bits, 1.0, -1.0)
                starts = np.stack([np.roll(signs, -first) for first in range(length)], axis=1)
                matched = round(float((read @ starts).max() + length) / 2)
                yield _mark(payload, matched, _VARIANTS * BLOCK**2 * length**2, shifted=True)


def _mark(payload: Payload, matched: int, trials: int, shifted: bool) -> PixelMark:
    length = len(payload.bits)
    chance = min(1.0, len(PAYLOADS) * trials * _tail(length, matched))
    if matched < _LEAST_SHARE * length:
        chance = 1.0
    return PixelMark(payload.program, matched, length, chance, shifted)


@cache
def _tail(length: int, matched: int) -> float:
    """Return the probability that ``length`` tosses of a coin agree with a payload in ``matched`` or more."""
    return sum(comb(length, more) for more in range(matched, length + 1)) / 2**length
