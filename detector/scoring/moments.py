"""Keep moments of each track during the first pass, and crop them in several views for the second look."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.faces.crop import HEAD, CropSquare, Face, crop_square, head_square, inner_square, roll
from detector.faces.patch import FacePatch, PatchFile, PatchInFile, cut_patch, cut_photo_patch
from detector.faces.tracks import Split
from detector.faces.windows import cut_windows, native_windows
from detector.media.frame import Frame, Image
from detector.schema.analysis import Box

MOST_BYTES = 96 * 1024 * 1024  # bytes of all patches together
_IN_MEMORY = 8 * 1024 * 1024  # bytes kept in memory; the rest is in a file


@dataclass(eq=False, slots=True)
class KeptMoment:
    """One face in one frame with the pixels around it, in memory or in a file.

    ``native`` are its windows (:func:`~detector.faces.windows.cut_windows`) if the second network reads them.
    """

    track: int
    time: float
    pts: int
    pixels: FacePatch | PatchInFile
    roll: float
    native: FacePatch | PatchInFile | None = None

    @property
    def patch(self) -> FacePatch:
        """The pixels around the face."""
        return _read(self.pixels)

    @property
    def windows(self) -> FacePatch:
        """Its windows at native resolution."""
        assert self.native is not None
        return _read(self.native)

    @property
    def has_readable_windows(self) -> bool:
        """Whether its native windows may be read; needs no pixels."""
        assert self.native is not None
        return self.native.scale > 0

    @property
    def size(self) -> int:
        """The size of the pixels in bytes."""
        return _size(self.pixels) + (0 if self.native is None else _size(self.native))

    def put_aside(self, file: PatchFile) -> None:
        """Move the pixels to ``file``; raises ``OSError`` if there is no room."""
        if isinstance(self.pixels, FacePatch):
            self.pixels = file.put(self.pixels)
        if isinstance(self.native, FacePatch):
            self.native = file.put(self.native)

    def give_up(self) -> None:
        """Free the pixels' areas in the file."""
        for pixels in (self.pixels, self.native):
            if isinstance(pixels, PatchInFile):
                pixels.give_up()


def _read(pixels: FacePatch | PatchInFile) -> FacePatch:
    return pixels.read() if isinstance(pixels, PatchInFile) else pixels


def _size(pixels: FacePatch | PatchInFile) -> int:
    return pixels.size if isinstance(pixels, PatchInFile) else pixels.image.nbytes


@dataclass
class _OfTrack:
    offered: int = 0
    stride: int = 1
    kept: list[KeptMoment] = field(default_factory=list)


class MomentKeeper:
    """Takes every usable face and keeps between ``most`` and twice as many for each track, evenly spread.

    It keeps fewer if all together exceed ``most_bytes``, of which ``in_memory`` stay in memory and the rest
    goes to a file. ``still`` marks a photograph, ``windows`` a second network that reads windows. No frame is
    decoded twice for the second look.
    """

    def __init__(
        self,
        most: int,
        most_bytes: int = MOST_BYTES,
        in_memory: int = _IN_MEMORY,
        still: bool = False,
        windows: bool = False,
    ) -> None:
        self._still, self._windows = still, windows
        self._most = most
        self._most_bytes = most_bytes
        self._in_memory = in_memory
        self._bytes = 0
        self._held: dict[KeptMoment, int] = {}  # moments in memory, oldest first
        self._file: PatchFile | None = None
        self._tracks: dict[int, _OfTrack] = {}

    def offer(self, frame: Frame, track: int, face: Face) -> None:
        """Take a usable ``face`` of ``track`` in ``frame``, later than those before."""
        of_track = self._tracks.setdefault(track, _OfTrack())
        is_due = of_track.offered % of_track.stride == 0
        of_track.offered += 1
        if not is_due:
            return
        cut = cut_photo_patch if self._still else cut_patch
        native = cut_windows(frame.image, face.box, self._still) if self._windows else None
        patch = cut(frame.image, face.box)
        moment = KeptMoment(track, float(frame.time), frame.pts, patch, roll(face), native)
        of_track.kept.append(moment)
        self._held[moment] = moment.size
        self._bytes += moment.size
        if len(of_track.kept) >= 2 * self._most:
            self._thin(of_track)
        self._put_aside()
        while self._bytes > self._most_bytes:
            largest = max(self._tracks.values(), key=lambda track_state: len(track_state.kept))
            if len(largest.kept) == 1:
                self._drop([of_track.kept.pop()])
                return
            self._thin(largest)

    def _put_aside(self) -> None:
        """Move the oldest moments to the file while memory exceeds its limit."""
        total = sum(self._held.values())
        while total > self._in_memory and len(self._held) > 1:
            oldest = next(iter(self._held))
            try:
                self._file = self._file or PatchFile()
                oldest.put_aside(self._file)
            except OSError:  # disk full: keep half as many, all in memory
                self._most_bytes, self._in_memory = self._most_bytes // 2, sys.maxsize
                return
            total -= self._held.pop(oldest)

    def _thin(self, of_track: _OfTrack) -> None:
        self._drop(of_track.kept[1::2])
        of_track.kept = of_track.kept[::2]
        of_track.stride *= 2

    def _drop(self, moments: Iterable[KeptMoment]) -> None:
        for moment in moments:
            self._bytes -= moment.size
            self._held.pop(moment, None)
            moment.give_up()

    def split(self, splits: Iterable[Split]) -> None:
        """Reassign moments of one track that turned out to belong to another."""
        for split in splits:
            of_track = self._tracks.get(split.track, _OfTrack())
            moved = [moment for moment in of_track.kept if moment.time >= split.since]
            of_track.kept = [moment for moment in of_track.kept if moment.time < split.since]
            for moment in moved:
                moment.track = split.into
            into = self._tracks.setdefault(split.into, _OfTrack())
            into.kept = moved + into.kept

    def of(self, tracks: Iterable[int]) -> list[KeptMoment]:
        """Return all moments kept of these tracks, in order of time."""
        moments = [moment for track in tracks if track in self._tracks for moment in self._tracks[track].kept]
        return sorted(moments, key=lambda moment: moment.time)


def spread(moments: list[KeptMoment], times: NDArray[np.float64], count: int) -> list[KeptMoment]:
    """Select at most ``count`` of ``moments``, spread over ``times`` (n,), those of all usable faces."""
    if not moments or not count:
        return []
    places = ((np.arange(count) + 0.5) * len(times) / count).astype(int)
    moment_times = np.array([moment.time for moment in moments])
    nearest = {int(np.abs(moment_times - times[place]).argmin()) for place in places}
    return [moments[number] for number in sorted(nearest)]


def evenly_spaced(count: int, most: int) -> NDArray[np.intp]:
    """Return at most ``most`` evenly spread indices of ``count``."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.intp))


@dataclass(frozen=True)
class MomentView:
    """A variation of a moment; shifts are in sides of the square, ``quality`` is that of a JPEG.

    Windows at native resolution are not scaled, but moved by ``moved`` px.
    """

    mirrored: bool = False
    dx: float = 0.0
    dy: float = 0.0
    scale: float = 1.0
    quality: int | None = None
    moved: tuple[int, int] = (0, 0)


AS_IT_IS = MomentView()
OTHER_VIEWS = (
    MomentView(mirrored=True),
    MomentView(dx=0.02, dy=0.012, moved=(4, 3)),
    MomentView(scale=1.1, moved=(-8, -7)),
    MomentView(quality=60),
)


def crop_in_view(moment: KeptMoment, view: MomentView, framing: int, size: int) -> Image:
    """Return the inner face or whole head, by ``framing``, in ``view``: (size, size, 3)."""
    return _in_view(crop_square(moment.patch.image, squares_in_patch(moment, view)[framing], size), view)


def windows_in_view(moment: KeptMoment, view: MomentView, size: int) -> list[Image]:
    """Return crops (size, size, 3) of all windows in ``view``; ``size`` is that of a native window."""
    head = crop_in_view(moment, replace(view, mirrored=False, quality=None), HEAD, size)
    native = native_windows(moment.windows, *view.moved)
    return [_in_view(crop, view) for crop in (*native, head)]


def _in_view(crop: Image, view: MomentView) -> Image:
    """Compress and mirror ``crop`` as in ``view``."""
    if view.quality is not None:
        _, data = cv2.imencode(
            ".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, view.quality]
        )
        crop = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return np.ascontiguousarray(crop[:, ::-1]) if view.mirrored else crop


def squares_in_patch(moment: KeptMoment, view: MomentView) -> tuple[CropSquare, CropSquare]:
    """Return both squares in the moment's patch."""
    image, box, _ = moment.patch
    height, width = image.shape[:2]
    return (
        inner_square(box, moment.roll, view.scale, view.dx, view.dy),
        head_square(box, width, height, view.scale, view.dx, view.dy),
    )


def square_in_frame(square: CropSquare, moment: KeptMoment, box: Box) -> CropSquare:
    """Return a ``square`` of the moment's patch in its frame, where the face has ``box``."""
    (left, top, *_), scale = moment.patch.box, moment.patch.scale
    return CropSquare(
        box[0] + (square.x - left) / scale,
        box[1] + (square.y - top) / scale,
        square.side / scale,
        square.angle,
    )
