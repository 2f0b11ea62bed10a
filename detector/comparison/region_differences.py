"""Find parts of the picture outside faces that differ, beyond compression, tone and scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import nnls

from detector.comparison.affine_view import AffineView
from detector.comparison.strips import ColourLevels, Floats, GreyLevels, small_size
from detector.media.frame import Image
from detector.schema.analysis import Box

Mask = NDArray[np.bool_]

_BLURS = (1.0, 2.0)  # px
_MIXTURE = np.array([0.5, 0.25, 0.25, 0.0])  # what the mixture is drawn to where the background is flat
_HELD = 0.5  # how strongly
_ROUNDS, _OUTLIER = 3, 4.0
_FITTED, _FEWEST = 6000, 50  # pixels it is fitted to
_LEAST_NOISE = 0.3  # levels
_STRUCTURE = 5  # px, the window in which it is measured
_TRIMMED = 0.95  # quantile of squared differences beyond which they are no noise
_FLOOR = 0.05  # squared levels: rounding alone leaves as much


def remainder(seen: GreyLevels, known: GreyLevels, background: Mask) -> GreyLevels:
    """``seen`` less the mixture of ``known`` that explains it best on ``background``, outliers aside."""
    blurred = [cv2.GaussianBlur(known, (0, 0), blur) for blur in _BLURS]
    layers = [known, *blurred, np.ones_like(known)]
    # Some thousand pixels decide four weights as well as all of them.
    places = np.flatnonzero(background)
    places = places[:: max(1, len(places) // _FITTED)]
    values = np.stack([layer.ravel()[places] for layer in layers], axis=-1).astype(np.float64)
    wanted = seen.ravel()[places].astype(np.float64)
    weights = np.array([1.0, 0.0, 0.0, 0.0])
    used = np.ones(len(places), bool)
    for _ in range(_ROUNDS):
        near, count = values[used], int(used.sum())
        if count < _FEWEST:
            break
        held = _HELD * count * np.array([1, 1, 1, 0.0])
        weights = np.linalg.solve(
            near.T @ near + np.diag(held + 1e-6), near.T @ wanted[used] + held * _MIXTURE
        )
        error = np.abs(wanted - values @ weights)
        used = error < _OUTLIER * (1.4826 * float(np.median(error)) + _LEAST_NOISE)
    mixture = sum(float(weight) * layer for weight, layer in zip(weights, layers, strict=True))
    return np.asarray(seen - mixture, np.float32)


def expected(energy: GreyLevels, known: GreyLevels, background: Mask) -> GreyLevels:
    """The square of a remainder to be expected everywhere, from ``energy`` on the background."""
    window = (_STRUCTURE, _STRUCTURE)
    mean = cv2.blur(known, window)
    structure = np.maximum(cv2.blur(known * known, window) - mean * mean, 0)
    there, rise = energy[background], structure[background]
    if not len(there):
        return np.full(energy.shape, _FLOOR, np.float32)
    kept = there <= np.quantile(there, _TRIMMED)
    # Relative errors count: otherwise a few edges would decide.
    weight = 1 / (1 + rise[kept] / (float(rise.mean()) + 1))
    basis = np.stack([weight, rise[kept] * weight], axis=-1).astype(np.float64)
    (level, slope), _ = nnls(basis, (there[kept] * weight).astype(np.float64))
    return np.asarray(level + slope * structure + _FLOOR, np.float32)


_BLACK, _WHITE = 6.0, 249.0  # levels beyond which a channel is cut off, give or take compression
_SHARE, _LEVELS = 0.0005, 3.0  # share of pixels, and levels, from which on a difference of tones counts
_ALIKE = 6.0  # levels that most pixels differ by at most where no tones were changed
_MOST = 2000  # pixels a curve is fitted to
_FEWEST_TONES = 200
_ROUNDS_TONES, _KEPT = 4, 0.85  # share of pixels that fit best, and count in the next round
_LEAST_SPREAD = 5.0  # levels: where the pixels hardly differ there is no curve to be seen


@dataclass(frozen=True, eq=False)
class Tones:
    """How the tones of a reference became those of the exhibit: ``curves`` (256, 3), not cut off yet.

    ``changed``: what comes of them is no straight line, the same for each channel. ``reference_cut``: the
    reference has lost levels that the exhibit still has.
    """

    curves: Floats
    changed: bool
    reference_cut: bool

    @classmethod
    def between(cls, seen: ColourLevels, known: ColourLevels, background: Mask) -> Tones:
        """Estimated on ``background`` of two aligned pictures, without the levels either has cut off."""
        x, y = known[background], seen[background]
        if not x.size or (np.abs(y - x) <= _ALIKE).mean(axis=0).min() > _KEPT:
            return cls(np.arange(256.0)[:, None].repeat(3, axis=1), False, False)
        whole = (x > _BLACK) & (x < _WHITE) & (y > _BLACK) & (y < _WHITE)
        curves = np.stack([_curve(x[whole[:, c], c], y[whole[:, c], c]) for c in range(3)], axis=1)
        lost = (x >= _WHITE) & (y > curves[-1] + _LEVELS) | (x <= _BLACK) & (y < curves[0] - _LEVELS)
        levels = x.round().astype(np.intp).clip(0, 255)
        become = np.take_along_axis(curves.clip(0, 255), levels, axis=0)
        straight = np.polyval(np.polyfit(x.ravel(), become.ravel(), 1), x) if x.std() > 1 else become
        bent = np.abs(become - straight) > _LEVELS
        return cls(curves, *(bool(one.any(axis=1).mean() > _SHARE) for one in (bent, lost)))

    def of_reference(self, image: Image) -> Image:
        """The reference in the tones of the exhibit, cut off as the exhibit's are."""
        return _changed(image, self.curves)

    def of_exhibit(self, image: Image) -> Image:
        """The exhibit without levels that the reference has lost."""
        return _changed(image, np.arange(256.0)[:, None].clip(self.curves[0], self.curves[-1]))


def _changed(image: Image, levels: Floats) -> Image:
    return np.asarray(cv2.LUT(image, levels.round().clip(0, 255).astype(np.uint8)[None]), np.uint8)


def _curve(x: NDArray[np.float32], y: NDArray[np.float32]) -> Floats:
    """What becomes of each of 256 levels: the rising curve from ``x`` to ``y`` that most pixels lie near."""
    step = max(1, len(x) // _MOST)
    levels, wanted = x[::step].astype(np.float64), y[::step].astype(np.float64)
    if len(levels) < _FEWEST_TONES or levels.std() < _LEAST_SPREAD:
        shift = float(np.median(wanted - levels)) if len(levels) else 0.0
        return np.arange(256.0) + shift
    kept = np.ones(len(levels), bool)
    best = np.array([1.0, 0.0])
    # The bend last: a bright thing that was painted out would bend a curve fitted to all at once.
    for degree in (*[1] * _ROUNDS_TONES, 2, 2):
        fitted = np.polyfit(levels[kept], wanted[kept], degree)
        if min(np.polyval(np.polyder(fitted), [0.0, 255.0])) <= 0:
            break  # no curve of tones falls
        best = fitted
        error = np.abs(wanted - np.polyval(best, levels))
        kept = error <= np.quantile(error, _KEPT)
    return np.polyval(best, np.arange(256.0))


SIDE = 192  # px, the longer side of the pictures compared
_SMOOTH = 2.0  # px
_CELL = 4  # px of these, the side of a cell of the grid
THRESHOLD = 3.5
"""Log of how much more a cell differs than compression explains, from which on it stands out."""
_LEAST_LEVELS = 5.0  # levels by which it has to differ, in the mean
_LEAST_CELLS = 6
_APART = 3  # cells between two regions that are one
# Of the lower of two regions, that has to be beside the other for both to be one line of text.
_SAME_ROWS = 0.5
_LETTERS = 2.5  # heights of a line between two words of it
_STANDS_OUT_A_LITTLE = 2.5  # what noise is not estimated on, where it is as large as a region
_LEAST_PLAIN = 0.4  # of what is compared that has to be left to estimate on
_ROUNDS_REGIONS = 4  # of estimating without what differs
_FACE_ROOM = 0.25  # of a face's box on each side that is the face's, not the picture's
_BLOCK = np.ones((3, 3, 3))

GridPart = tuple[slice, slice, slice]  # of the grids: from when to when, rows, columns


@dataclass(frozen=True, eq=False)
class FrameGrid:
    """How much each cell of one frame differs, (rows, columns): log ratio; 0 where it was not compared."""

    time: float
    excess: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FoundRegion:
    """``first`` to ``last`` are grids; ``box`` is in px of the exhibit."""

    first: int
    last: int
    box: Box
    level: float
    strongest: int


def compare_frame(
    time: float, exhibit: Image, reference: Image, view: AffineView, faces: Sequence[Box]
) -> FrameGrid:
    """The grid of one pair of frames."""
    height, width = exhibit.shape[:2]
    size = small_size((width, height), SIDE)
    here, there, inside = aligned(exhibit, reference, view, size)
    away = np.ones(inside.shape, bool)
    scale = np.array(size) / (width, height)
    for x0, y0, x1, y1 in faces:
        dx, dy = _FACE_ROOM * (x1 - x0), _FACE_ROOM * (y1 - y0)
        left, top = ((np.array([x0 - dx, y0 - dy])) * scale).astype(int).clip(0)
        right, bottom = np.ceil(np.array([x1 + dx, y1 + dy]) * scale).astype(int).clip(0)
        away[top:bottom, left:right] = False
    tones = Tones.between(here, there, inside & away)
    if tones.changed or tones.reference_cut:
        # Before they are averaged: a small highlight is cut off as well.
        reference = tones.of_reference(reference) if tones.changed else reference
        exhibit = tones.of_exhibit(exhibit) if tones.reference_cut else exhibit
        here, there, _ = aligned(exhibit, reference, view, size)
    seen, known, background = _grey(here), _grey(there), inside & away
    excess = _excess(seen, known, background, background)
    plain = background
    for _ in range(_ROUNDS_REGIONS):
        # A bar over an eighth of the picture would count as what compression does, and hide part of itself.
        less = background & ~_differing(excess, background.shape)
        if less.sum() < _LEAST_PLAIN * background.sum() or not (plain & ~less).any():
            break
        plain = plain & less
        excess = np.maximum(excess, _excess(seen, known, background, plain))
    return FrameGrid(time, excess)


def _excess(seen: GreyLevels, known: GreyLevels, compared: Mask, background: Mask) -> NDArray[np.float32]:
    """How much more each cell differs than compression explains, which is estimated on ``background``."""
    # What is not compared, as a bar added beside the picture, must not be blurred into what is.
    there = compared.astype(np.float32)
    rest = cv2.GaussianBlur(remainder(seen, known, background) * there, (0, 0), _SMOOTH)
    rest /= np.maximum(cv2.GaussianBlur(there, (0, 0), _SMOOTH), 0.05)
    energy = np.asarray(rest * rest, np.float32)
    noise = expected(energy, known, background)
    excess = np.log((_celled(energy) + 0.25) / (_celled(noise) + 0.25))
    counts = (_celled(compared.astype(np.float32)) > 0.9) & (_celled(energy) > _LEAST_LEVELS**2)
    return np.where(counts, excess, 0).astype(np.float32)


def _differing(excess: NDArray[np.float32], shape: tuple[int, ...]) -> Mask:
    """The pixels of what is large enough to be a region, and of what is around it."""
    labels, count = ndimage.label(excess > _STANDS_OUT_A_LITTLE, structure=_BLOCK[0])
    sizes = ndimage.sum_labels(np.ones_like(labels), labels, np.arange(count + 1))
    large = np.isin(labels, 1 + np.flatnonzero(sizes[1:] >= _LEAST_CELLS))
    around = cv2.dilate(large.astype(np.uint8), np.ones((3, 3)))
    return cv2.resize(around, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST) > 0


def find_regions(
    grids: Sequence[FrameGrid], size: tuple[int, int], least_seconds: float
) -> list[FoundRegion]:
    """Regions over time, in a picture of ``size`` (width, height) px; the strongest first."""
    if not grids:
        return []
    stack = np.stack([grid.excess for grid in grids])
    if len(grids) > 2:
        stack = ndimage.median_filter(stack, size=(min(5, len(grids)), 1, 1), mode="nearest")
    stands_out = stack > THRESHOLD
    labels, _ = ndimage.label(stands_out, structure=_BLOCK)
    times = [grid.time for grid in grids]
    parts = []
    for number, where in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[where] == number
        lasts = times[where[0].stop - 1] - times[where[0].start]
        if inside.any(axis=0).sum() >= _LEAST_CELLS and (len(grids) == 1 or lasts >= least_seconds):
            parts.append(where)
    across, down = size[0] / stack.shape[2], size[1] / stack.shape[1]
    out = []
    for where in _joined(parts, times, least_seconds):
        seconds, rows, columns = where
        strengths = np.where(stands_out[where], stack[where], 0).sum(axis=(1, 2))
        box = (columns.start * across, rows.start * down, columns.stop * across, rows.stop * down)
        level = float(stack[where][stands_out[where]].mean())
        first = seconds.start
        out.append(FoundRegion(first, seconds.stop - 1, box, level, first + int(strengths.argmax())))
    return sorted(out, key=lambda one: -one.level * (one.last - one.first + 1))


def _joined(parts: Sequence[GridPart], times: Sequence[float], gap: float) -> list[GridPart]:
    """``parts`` with those made one that are neighbours in the picture and at most ``gap`` seconds apart.

    The words of a caption, and what it says one after the other, are one region; so is a bar that is hard to
    tell from what it covers in between.
    """
    out, count = list(parts), -1
    while len(out) != count:  # what has grown may be near what was not near its parts
        count, rest, out = len(out), out, []
        while rest:
            one = rest.pop()
            while near := [
                other
                for other in rest
                if _are_near(one, other, times, gap) or _are_line(one, other, times, gap)
            ]:
                rest = [other for other in rest if other not in near]
                one = _around([one, *near])
            out.append(one)
    return out


def _are_near(one: GridPart, other: GridPart, times: Sequence[float], gap: float) -> bool:
    early, late = sorted((one[0], other[0]), key=lambda part: part.start)
    return times[late.start] - times[early.stop - 1] <= gap and all(
        a.start - b.stop <= _APART and b.start - a.stop <= _APART
        for a, b in zip(one[1:], other[1:], strict=True)
    )


def _are_line(one: GridPart, other: GridPart, times: Sequence[float], gap: float) -> bool:
    """Whether both come and go together, side by side, as words of one line do."""
    if any(
        abs(times[a] - times[b]) > gap
        for a, b in ((one[0].start, other[0].start), (one[0].stop - 1, other[0].stop - 1))
    ):
        return False
    heights = [part[1].stop - part[1].start for part in (one, other)]
    shared = min(one[1].stop, other[1].stop) - max(one[1].start, other[1].start)
    apart = max(one[2].start - other[2].stop, other[2].start - one[2].stop)
    return shared >= _SAME_ROWS * min(heights) and apart <= _LETTERS * max(heights)


def _around(parts: Sequence[GridPart]) -> GridPart:
    """The smallest part that holds all of ``parts``."""
    seconds, rows, columns = (
        slice(min(one.start for one in axis), max(one.stop for one in axis))
        for axis in zip(*parts, strict=True)
    )
    return seconds, rows, columns


def aligned(
    exhibit: Image, reference: Image, view: AffineView, size: tuple[int, int]
) -> tuple[ColourLevels, ColourLevels, Mask]:
    """Both at ``size``, the reference as the exhibit shows it, and where it shows any of it."""
    seen = _reduced(exhibit, size)
    scale: Floats = np.array(size) / (exhibit.shape[1], exhibit.shape[0])
    # The reference comes to about the same number of pixels first, averaged: warping samples.
    shrink = min(1.0, float(np.sqrt(scale.prod())) * view.scale)
    known_size = max(8, round(reference.shape[1] * shrink)), max(8, round(reference.shape[0] * shrink))
    known = _reduced(reference, known_size)
    known_scale: Floats = np.array(known_size) / (reference.shape[1], reference.shape[0])
    matrix = cv2.invertAffineTransform(view.between(scale, known_scale))
    there = cv2.warpAffine(known, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.ones(known.shape[:2], np.float32), matrix, size, flags=cv2.INTER_LINEAR)
    return seen, np.asarray(there, np.float32), cv2.erode(inside, np.ones((3, 3))) > 0.99


def _reduced(image: Image, size: tuple[int, int]) -> ColourLevels:
    # Halving is several times as fast as averaging over parts of pixels.
    while min(image.shape[1] / size[0], image.shape[0] / size[1]) >= 4:
        half = image.shape[1] // 2, image.shape[0] // 2
        image = np.asarray(
            cv2.resize(image[: 2 * half[1], : 2 * half[0]], half, interpolation=cv2.INTER_AREA)
        )
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)


def _grey(colours: ColourLevels) -> GreyLevels:
    return np.asarray(cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY), np.float32)


def _celled(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of cells."""
    height, width = picture.shape
    size = max(1, width // _CELL), max(1, height // _CELL)
    return np.asarray(cv2.resize(picture.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32)
