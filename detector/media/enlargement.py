"""Recognise pictures that were enlarged before they were encoded, and from what size.

Enlarging adds pixels but no detail. So the spectra of the strongest edges are compared: in pictures at their
true size some edges are sharp to the pixel; in enlarged ones the spectrum of each falls off steeply at the
same frequency, in rows and in columns. A video that is blurred throughout looks the same; docs/faces.md has
the rates.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.media.frame import Frame

FRAMES = 8  # measured over the duration of a video
_LEAST_INTERVAL = 0.25  # seconds between them
_HALF = 16  # samples on either side of an edge, and bins of its spectrum
_WINDOW = np.hanning(2 * _HALF + 1)[:-1].astype(np.float32)
_ROWS = 180  # searched for edges across them, at least
_EDGES, _LEAST_EDGES, _LEAST_STEP = 900, 50, 24  # of a frame and direction; levels
_SHARPEST = 0.7, 0.97  # ranks of the edges that count: others are blurred, or noise
_PLAIN, _BESIDE = 3, 4  # levels within a line of a bar; px beside bars that are left out
_CUT_OFFS = range(4, 13)  # bins in which a cut-off is searched
_REACH = 2  # bins on either side of it
_LEAST_FALL, _LEAST_FALL_OF_EACH = 10.0, 8.0  # dB over these bins, of the mean and of each direction
_LARGEST_REST = -11.5  # dB beyond the cut-off
_HIGHEST_CUT_OFF = 8.0  # bins
_FACTOR = 13.3  # of pictures whose cut-off is the first bin
_STEP = 0.25  # of factors, which are known no better

Grey = NDArray[np.uint8]
Spectrum = NDArray[np.float64]


class EnlargementMeter:
    """Takes sampled frames of a video of about ``duration`` seconds and measures :data:`FRAMES` of them."""

    def __init__(self, duration: float) -> None:
        self._interval, self._next = max(duration / FRAMES, _LEAST_INTERVAL), 0.0
        self._spectra: tuple[list[Spectrum], list[Spectrum]] = ([], [])

    def process_frame(self, frame: Frame) -> None:
        """Measure the frame if it is due; a frame without strong edges leaves it to the next."""
        time = float(frame.time)
        if time < self._next:
            return
        measured = self.measure(cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY))
        self._next = time + (self._interval if measured else self._interval / 4)
        if len(self._spectra[0]) >= 2 * FRAMES:  # the file is longer than it says
            self._interval *= 2

    def measure(self, grey: Grey) -> bool:
        """Measure a frame; return whether it has strong edges in both directions."""
        grey = _without_bars(grey)
        spectra = [edge_spectrum(grey), edge_spectrum(grey.T)]
        for measured, spectrum in zip(self._spectra, spectra, strict=True):
            if spectrum is not None:
                measured.append(spectrum)
        return all(spectrum is not None for spectrum in spectra)

    @property
    def factor(self) -> float:
        """Times by which the pictures were enlarged; 1 if they were not, or nothing tells."""
        if not all(self._spectra):
            return 1.0
        decibels = np.array([10 * np.log10(np.mean(measured, axis=0)) for measured in self._spectra])
        mean = decibels.mean(axis=0)
        of_each = np.array([decibels[:, at - _REACH] - decibels[:, at + _REACH] for at in _CUT_OFFS])
        falls = of_each.mean(axis=1)
        rest = float(mean[min(_CUT_OFFS[falls.argmax()] + _REACH + 1, _HALF - 2) :].mean())
        if (
            falls.max() < _LEAST_FALL
            or of_each.max(axis=0).min() < _LEAST_FALL_OF_EACH
            or rest > _LARGEST_REST
        ):
            return 1.0
        middle = (float(mean[1:3].mean()) + rest) / 2
        below = int(np.flatnonzero(mean < middle)[0])
        if below == 0:
            return 1.0
        cut_off = below - 1 + float((mean[below - 1] - middle) / (mean[below - 1] - mean[below]))
        return round(_FACTOR / cut_off / _STEP) * _STEP if cut_off <= _HIGHEST_CUT_OFF else 1.0


def edge_spectrum(grey: Grey) -> Spectrum | None:
    """Return the power (17,) of differences along rows at strong edges, relative to the lowest frequencies.

    Bins are evenly spaced up to half the sampling rate. None: there are too few strong edges.
    """
    rows = np.ascontiguousarray(grey[:: max(1, len(grey) // _ROWS)]).astype(np.int16)
    steps = np.abs(rows[:, 4:] - rows[:, :-4])[:, _HALF:-_HALF].ravel()
    if steps.size < 4 * _EDGES:
        return None
    strongest = np.argpartition(steps, -_EDGES)[-_EDGES:]
    strongest = strongest[steps[strongest] > _LEAST_STEP]
    if len(strongest) < _LEAST_EDGES:
        return None
    row, column = np.unravel_index(strongest, (len(rows), rows.shape[1] - 4 - 2 * _HALF))
    places = np.clip(column[:, None] + np.arange(2 * _HALF) + 2, 0, rows.shape[1] - 2)
    differences = (rows[row[:, None], places + 1] - rows[row[:, None], places]) * _WINDOW
    power = np.abs(np.fft.rfft(differences, axis=1)) ** 2
    lowest = power[:, 1:3].mean(axis=1) + 1
    order = np.argsort(power[:, _HALF // 2 + 1 :].mean(axis=1) / lowest)
    sharpest = order[int(_SHARPEST[0] * len(order)) : int(_SHARPEST[1] * len(order))]
    spectrum: Spectrum = (power[sharpest] / lowest[sharpest, None]).mean(axis=0).astype(np.float64)
    return spectrum


def _without_bars(grey: Grey) -> Grey:
    """Return ``grey`` without plain bars at its edges, whose ends are sharp whatever the picture is."""
    for _ in range(2):
        spread = grey.max(axis=1).astype(np.int16) - grey.min(axis=1)
        inside = np.flatnonzero(spread > _PLAIN)
        if not len(inside):
            return grey
        first, end = int(inside[0]), int(inside[-1]) + 1
        first, end = first and first + _BESIDE, end if end == len(grey) else end - _BESIDE
        grey = grey[first : max(first, end)].T
    return grey
