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
_MIXTURE = np.array([0.5, 0.25, 0.25, 0.0])  # regularisation of the mixture on a flat background
_HELD = 0.5  # strength of the regularisation
_ROUNDS, _OUTLIER = 3, 4.0
_FITTED, _FEWEST = 6000, 50  # number of pixels for fitting
_LEAST_NOISE = 0.3  # levels
_STRUCTURE = 5  # px; window in which structure is measured
_TRIMMED = 0.95  # quantile beyond which squared differences are not noise
_FLOOR = 0.05  # squared levels; the remainder of rounding alone


def remainder(seen: GreyLevels, known: GreyLevels, background: Mask) -> GreyLevels:
    """Subtract from ``seen`` the mixture of ``known`` that fits best on ``background``, ignoring outliers."""
    blurred = [cv2.GaussianBlur(known, (0, 0), blur) for blur in _BLURS]
    layers = [known, *blurred, np.ones_like(known)]
    # A few thousand pixels determine four weights as well as all pixels do.
    places = np.flatnonzero(background)
    places = places[:: max(1, len(places) // _FITTED)]
    values = np.stack([layer.ravel()[places] for layer in layers], axis=-1).astype(np.float64)
    target = seen.ravel()[places].astype(np.float64)
    weights = np.array([1.0, 0.0, 0.0, 0.0])
    inliers = np.ones(len(places), bool)
    for _ in range(_ROUNDS):
        near, count = values[inliers], int(inliers.sum())
        if count < _FEWEST:
            break
        strength = _HELD * count * np.array([1, 1, 1, 0.0])
        weights = np.linalg.solve(
            near.T @ near + np.diag(strength + 1e-6), near.T @ target[inliers] + strength * _MIXTURE
        )
        error = np.abs(target - values @ weights)
        inliers = error < _OUTLIER * (1.4826 * float(np.median(error)) + _LEAST_NOISE)
    mixture = sum(float(weight) * layer for weight, layer in zip(weights, layers, strict=True))
    return np.asarray(seen - mixture, np.float32)


def expected_energy(energy: GreyLevels, known: GreyLevels, background: Mask) -> GreyLevels:
    """Estimate the expected square of a remainder at every pixel from ``energy`` on the background."""
    window = (_STRUCTURE, _STRUCTURE)
    mean = cv2.blur(known, window)
    structure = np.maximum(cv2.blur(known * known, window) - mean * mean, 0)
    energies, rise = energy[background], structure[background]
    if not len(energies):
        return np.full(energy.shape, _FLOOR, np.float32)
    typical = energies <= np.quantile(energies, _TRIMMED)
    # Use relative errors, otherwise a few edges dominate.
    weight = 1 / (1 + rise[typical] / (float(rise.mean()) + 1))
    basis = np.stack([weight, rise[typical] * weight], axis=-1).astype(np.float64)
    (level, slope), _ = nnls(basis, (energies[typical] * weight).astype(np.float64))
    return np.asarray(level + slope * structure + _FLOOR, np.float32)


_BLACK, _WHITE = 6.0, 249.0  # levels at which a channel is clipped, allowing for compression
_SHARE, _LEVELS = 0.0005, 3.0  # minimum share of pixels, and levels, of a change of tones
_ALIKE = 6.0  # maximum levels by which most pixels differ without a change of tones
_MOST = 2000  # number of pixels to which a curve is fitted
_FEWEST_TONES = 200
_ROUNDS_TONES, _KEPT = 4, 0.85  # share of best-fitting pixels used in the next round
_LEAST_SPREAD = 5.0  # levels; with hardly any spread no curve can be fitted


@dataclass(frozen=True, eq=False)
class Tones:
    """The tone curves (256, 3) from the reference to the exhibit, not clipped yet.

    ``changed``: the curves are not the same straight line in all channels. ``reference_cut``: the reference
    has lost levels that the exhibit has.
    """

    curves: Floats
    changed: bool
    reference_cut: bool

    @classmethod
    def between(cls, seen: ColourLevels, known: ColourLevels, background: Mask) -> Tones:
        """Estimate the curves on ``background`` of two aligned pictures, without clipped levels."""
        x, y = known[background], seen[background]
        if not x.size or (np.abs(y - x) <= _ALIKE).mean(axis=0).min() > _KEPT:
            return cls(np.arange(256.0)[:, None].repeat(3, axis=1), False, False)
        unclipped = (x > _BLACK) & (x < _WHITE) & (y > _BLACK) & (y < _WHITE)
        curves = np.stack([_curve(x[unclipped[:, c], c], y[unclipped[:, c], c]) for c in range(3)], axis=1)
        loss = (x >= _WHITE) & (y > curves[-1] + _LEVELS) | (x <= _BLACK) & (y < curves[0] - _LEVELS)
        levels = x.round().astype(np.intp).clip(0, 255)
        new_levels = np.take_along_axis(curves.clip(0, 255), levels, axis=0)
        line = np.polyval(np.polyfit(x.ravel(), new_levels.ravel(), 1), x) if x.std() > 1 else new_levels
        bend = np.abs(new_levels - line) > _LEVELS
        return cls(curves, *(bool(mask.any(axis=1).mean() > _SHARE) for mask in (bend, loss)))

    def of_reference(self, image: Image) -> Image:
        """Return the reference in the tones of the exhibit, with the same clipping."""
        return _changed(image, self.curves)

    def of_exhibit(self, image: Image) -> Image:
        """Return the exhibit without levels that the reference has lost."""
        return _changed(image, np.arange(256.0)[:, None].clip(self.curves[0], self.curves[-1]))


def _changed(image: Image, levels: Floats) -> Image:
    return np.asarray(cv2.LUT(image, levels.round().clip(0, 255).astype(np.uint8)[None]), np.uint8)


def _curve(x: NDArray[np.float32], y: NDArray[np.float32]) -> Floats:
    """Fit a rising curve of 256 levels from ``x`` to ``y`` that is close to most pixels."""
    step = max(1, len(x) // _MOST)
    levels, target = x[::step].astype(np.float64), y[::step].astype(np.float64)
    if len(levels) < _FEWEST_TONES or levels.std() < _LEAST_SPREAD:
        shift = float(np.median(target - levels)) if len(levels) else 0.0
        return np.arange(256.0) + shift
    inliers = np.ones(len(levels), bool)
    best = np.array([1.0, 0.0])
    # Fit the bend last: a painted-out bright object would bend a curve fitted in one step.
    for degree in (*[1] * _ROUNDS_TONES, 2, 2):
        coefficients = np.polyfit(levels[inliers], target[inliers], degree)
        if min(np.polyval(np.polyder(coefficients), [0.0, 255.0])) <= 0:
            break  # tone curves never fall
        best = coefficients
        error = np.abs(target - np.polyval(best, levels))
        inliers = error <= np.quantile(error, _KEPT)
    return np.polyval(best, np.arange(256.0))


SIDE = 192  # px; longer side of the compared pictures
_SMOOTH = 2.0  # px
_CELL = 4  # px; side of a grid cell
THRESHOLD = 3.5
"""Minimum log ratio of a cell's difference to the difference that compression explains, to stand out."""
_LEAST_LEVELS = 5.0  # minimum mean difference in levels
_LEAST_CELLS = 6
_APART = 3  # maximum cells between two parts of one region
# Minimum overlap of two regions in one line of text, as a share of the smaller height.
_SAME_ROWS = 0.5
_LETTERS = 2.5  # maximum distance of words in a line, in line heights
_STANDS_OUT_A_LITTLE = 2.5  # excess above which region-sized areas are excluded from the noise estimate
_LEAST_PLAIN = 0.4  # minimum share of the picture left for the estimate
_ROUNDS_REGIONS = 4  # rounds of estimating without differing areas
_FACE_ROOM = 0.25  # margin of a face's box that belongs to the face
_BLOCK = np.ones((3, 3, 3))

GridPart = tuple[slice, slice, slice]  # time range, rows and columns of grids


@dataclass(frozen=True, eq=False)
class FrameGrid:
    """The differences of the cells of one frame (rows, columns) as log ratios; 0 for cells not compared."""

    time: float
    excess: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FoundRegion:
    """A region from grid ``first`` to ``last``; ``box`` is in px of the exhibit."""

    first: int
    last: int
    box: Box
    level: float
    strongest: int


def compare_frame(
    time: float, exhibit: Image, reference: Image, view: AffineView, faces: Sequence[Box]
) -> FrameGrid:
    """Return the grid of one pair of frames."""
    height, width = exhibit.shape[:2]
    size = small_size((width, height), SIDE)
    exhibit_picture, reference_picture, inside = align_pictures(exhibit, reference, view, size)
    outside_faces = np.ones(inside.shape, bool)
    scale = np.array(size) / (width, height)
    for x0, y0, x1, y1 in faces:
        dx, dy = _FACE_ROOM * (x1 - x0), _FACE_ROOM * (y1 - y0)
        left, top = ((np.array([x0 - dx, y0 - dy])) * scale).astype(int).clip(0)
        right, bottom = np.ceil(np.array([x1 + dx, y1 + dy]) * scale).astype(int).clip(0)
        outside_faces[top:bottom, left:right] = False
    tones = Tones.between(exhibit_picture, reference_picture, inside & outside_faces)
    if tones.changed or tones.reference_cut:
        # Correct the tones before averaging, because small highlights are clipped as well.
        reference = tones.of_reference(reference) if tones.changed else reference
        exhibit = tones.of_exhibit(exhibit) if tones.reference_cut else exhibit
        exhibit_picture, reference_picture, _ = align_pictures(exhibit, reference, view, size)
    exhibit_grey, reference_grey, background = (
        _grey(exhibit_picture),
        _grey(reference_picture),
        inside & outside_faces,
    )
    excess = _excess(exhibit_grey, reference_grey, background, background)
    plain = background
    for _ in range(_ROUNDS_REGIONS):
        # Otherwise a bar over an eighth of the picture would raise the noise estimate and partly hide itself.
        similar_part = background & ~_differing(excess, background.shape)
        if similar_part.sum() < _LEAST_PLAIN * background.sum() or not (plain & ~similar_part).any():
            break
        plain = plain & similar_part
        excess = np.maximum(excess, _excess(exhibit_grey, reference_grey, background, plain))
    return FrameGrid(time, excess)


def _excess(
    exhibit: GreyLevels, reference: GreyLevels, comparable: Mask, background: Mask
) -> NDArray[np.float32]:
    """Return how much more each cell differs than compression explains, estimated on ``background``."""
    # Exclude added bars from blurring, so that they do not affect their neighbourhood.
    weight = comparable.astype(np.float32)
    difference = cv2.GaussianBlur(remainder(exhibit, reference, background) * weight, (0, 0), _SMOOTH)
    difference /= np.maximum(cv2.GaussianBlur(weight, (0, 0), _SMOOTH), 0.05)
    energy = np.asarray(difference * difference, np.float32)
    noise = expected_energy(energy, reference, background)
    excess = np.log((_celled(energy) + 0.25) / (_celled(noise) + 0.25))
    counts = (_celled(comparable.astype(np.float32)) > 0.9) & (_celled(energy) > _LEAST_LEVELS**2)
    return np.where(counts, excess, 0).astype(np.float32)


def _differing(excess: NDArray[np.float32], shape: tuple[int, ...]) -> Mask:
    """Return the pixels of region-sized differences and their surroundings."""
    labels, count = ndimage.label(excess > _STANDS_OUT_A_LITTLE, structure=_BLOCK[0])
    sizes = ndimage.sum_labels(np.ones_like(labels), labels, np.arange(count + 1))
    large = np.isin(labels, 1 + np.flatnonzero(sizes[1:] >= _LEAST_CELLS))
    around = cv2.dilate(large.astype(np.uint8), np.ones((3, 3)))
    return cv2.resize(around, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST) > 0


def find_regions(
    grids: Sequence[FrameGrid], size: tuple[int, int], least_seconds: float
) -> list[FoundRegion]:
    """Find regions over time in a picture of ``size`` (width, height) px, strongest first."""
    if not grids:
        return []
    stack = np.stack([grid.excess for grid in grids])
    if len(grids) > 2:
        stack = ndimage.median_filter(stack, size=(min(5, len(grids)), 1, 1), mode="nearest")
    stands_out = stack > THRESHOLD
    labels, _ = ndimage.label(stands_out, structure=_BLOCK)
    times = [grid.time for grid in grids]
    parts = []
    for number, part in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[part] == number
        lasts = times[part[0].stop - 1] - times[part[0].start]
        if inside.any(axis=0).sum() >= _LEAST_CELLS and (len(grids) == 1 or lasts >= least_seconds):
            parts.append(part)
    across, down = size[0] / stack.shape[2], size[1] / stack.shape[1]
    out = []
    for part in _joined(parts, times, least_seconds):
        seconds, rows, columns = part
        strengths = np.where(stands_out[part], stack[part], 0).sum(axis=(1, 2))
        box = (columns.start * across, rows.start * down, columns.stop * across, rows.stop * down)
        level = float(stack[part][stands_out[part]].mean())
        first = seconds.start
        out.append(FoundRegion(first, seconds.stop - 1, box, level, first + int(strengths.argmax())))
    return sorted(out, key=lambda region: -region.level * (region.last - region.first + 1))


def _joined(parts: Sequence[GridPart], times: Sequence[float], gap: float) -> list[GridPart]:
    """Join ``parts`` that are neighbours in the picture and at most ``gap`` seconds apart.

    The words of a caption and its successive texts thus form one region, as does a bar that is temporarily
    hard to distinguish from the picture.
    """
    out, count = list(parts), -1
    while len(out) != count:  # a joined region may be near others that its parts were not near
        count, rest, out = len(out), out, []
        while rest:
            part = rest.pop()
            while near := [
                other
                for other in rest
                if _are_near(part, other, times, gap) or _are_line(part, other, times, gap)
            ]:
                rest = [other for other in rest if other not in near]
                part = _around([part, *near])
            out.append(part)
    return out


def _are_near(first: GridPart, second: GridPart, times: Sequence[float], gap: float) -> bool:
    early, late = sorted((first[0], second[0]), key=lambda part: part.start)
    return times[late.start] - times[early.stop - 1] <= gap and all(
        a.start - b.stop <= _APART and b.start - a.stop <= _APART
        for a, b in zip(first[1:], second[1:], strict=True)
    )


def _are_line(first: GridPart, second: GridPart, times: Sequence[float], gap: float) -> bool:
    """Check whether both appear and vanish together, side by side, like words of one line."""
    if any(
        abs(times[a] - times[b]) > gap
        for a, b in ((first[0].start, second[0].start), (first[0].stop - 1, second[0].stop - 1))
    ):
        return False
    heights = [part[1].stop - part[1].start for part in (first, second)]
    shared = min(first[1].stop, second[1].stop) - max(first[1].start, second[1].start)
    apart = max(first[2].start - second[2].stop, second[2].start - first[2].stop)
    return shared >= _SAME_ROWS * min(heights) and apart <= _LETTERS * max(heights)


def _around(parts: Sequence[GridPart]) -> GridPart:
    """Return the smallest part that contains all of ``parts``."""
    seconds, rows, columns = (
        slice(min(extent.start for extent in axis), max(extent.stop for extent in axis))
        for axis in zip(*parts, strict=True)
    )
    return seconds, rows, columns


def align_pictures(
    exhibit: Image, reference: Image, view: AffineView, size: tuple[int, int]
) -> tuple[ColourLevels, ColourLevels, Mask]:
    """Return both pictures at ``size``, the reference warped to the exhibit, and the mask of its extent."""
    exhibit_picture = _reduced(exhibit, size)
    scale: Floats = np.array(size) / (exhibit.shape[1], exhibit.shape[0])
    # Reduce the reference by averaging first, because warping only samples.
    shrink = min(1.0, float(np.sqrt(scale.prod())) * view.scale)
    reference_size = max(8, round(reference.shape[1] * shrink)), max(8, round(reference.shape[0] * shrink))
    small_reference = _reduced(reference, reference_size)
    reference_scale: Floats = np.array(reference_size) / (reference.shape[1], reference.shape[0])
    matrix = cv2.invertAffineTransform(view.between(scale, reference_scale))
    picture = cv2.warpAffine(
        small_reference, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    inside = cv2.warpAffine(
        np.ones(small_reference.shape[:2], np.float32), matrix, size, flags=cv2.INTER_LINEAR
    )
    return exhibit_picture, np.asarray(picture, np.float32), cv2.erode(inside, np.ones((3, 3))) > 0.99


def _reduced(image: Image, size: tuple[int, int]) -> ColourLevels:
    # Halving is several times as fast as averaging over fractions of pixels.
    while min(image.shape[1] / size[0], image.shape[0] / size[1]) >= 4:
        half = image.shape[1] // 2, image.shape[0] // 2
        image = np.asarray(
            cv2.resize(image[: 2 * half[1], : 2 * half[0]], half, interpolation=cv2.INTER_AREA)
        )
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)


def _grey(colours: ColourLevels) -> GreyLevels:
    return np.asarray(cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY), np.float32)


def _celled(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of each cell."""
    height, width = picture.shape
    size = max(1, width // _CELL), max(1, height // _CELL)
    return np.asarray(cv2.resize(picture.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32)
