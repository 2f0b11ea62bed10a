"""How a decoded frame becomes the picture that viewers show: turned upright, of square pixels, in sRGB.

The steps of it are in ``pictures``; here they are applied to the frames of one file.
"""

from __future__ import annotations

from typing import cast

import av
import numpy as np
from av.video.reformatter import ColorRange, VideoReformatter
from numpy.typing import NDArray

from detector.media.exhibit.limits import Bounds
from detector.media.frame import Image
from detector.media.pictures import hdr
from detector.media.pictures.colour_profile import ToSrgb
from detector.media.pictures.letterbox import Size, fitted, on_canvas
from detector.media.pictures.orientation import Orientation, display_orientation
from detector.media.pictures.transparency import BLACK, WHITE, on_ground, transparent_share
from detector.media.stream.decoder import FrameDecoder
from detector.schema.analysis import MediaKind

_ANIMATIONS = frozenset({"gif", "apng", "webp_pipe"})
# From black at 16 and white at 235 (ITU-R BT.601) to 0 and 255.
_FROM_LIMITED = np.clip(np.round((np.arange(256) - 16) * (255 / 219)), 0, 255).astype(np.uint8)


class UprightPictures(FrameDecoder):
    """A decoder that knows how the frames of its file are shown; which of them come, its reader says.

    ``photo`` is how a photograph is turned upright; of a video each frame says so itself.
    """

    def __init__(self, container: av.container.InputContainer, photo: Orientation, bounds: Bounds) -> None:
        super().__init__(container, bounds)
        self._photo = photo
        # A frame would make one of its own, with its own threads, and take eight times as long.
        self._rgb = VideoReformatter()
        self._rgba = VideoReformatter()  # likewise
        self.to_srgb = ToSrgb()
        """What is done with its colours; to be set before frames are read."""
        self.has_transparency = True
        """Whether a channel beside the colours is transparency; to be set before frames are read."""
        self.transparent = 0.0
        """The largest share of a frame through which something is seen: the ground on which it is put."""
        self.turned = 0
        """Clockwise quarter turns that the file does not ask for; to be set before frames are read."""
        self._matrix: tuple[int, Orientation] | None = None  # the last rotation read, and what it meant

    def orientation(self, frame: av.VideoFrame) -> Orientation:
        """How a frame is turned upright."""
        turns, mirrored = self._photo if self.kind is MediaKind.IMAGE else self._displayed(frame)
        return (turns + self.turned) % 4, mirrored

    def _displayed(self, frame: av.VideoFrame) -> Orientation:
        """What the display matrix says; read again where its rotation is another than before.

        In PyAV a frame whose matrix is read refers to itself and stays until Python looks for garbage: by
        then 150 frames of 4K were held.
        """
        rotation = frame.rotation
        if self._matrix is None or self._matrix[0] != rotation:
            self._matrix = rotation, display_orientation(frame)
        return self._matrix[1]

    def square_size(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Width and height of a frame, not yet turned, in square pixels: none is left out."""
        aspect = self.aspect_of(frame)
        if aspect >= 1:
            return round(frame.width * aspect), frame.height
        return frame.width, round(frame.height / aspect)

    def rgb(self, frame: av.VideoFrame, width: int, height: int) -> Image:
        """A frame as it lies in the file, at this size, in sRGB, on a plain ground."""
        image = self._colours(frame, width, height)
        if not self._may_be_transparent(frame):
            return image
        whole = self._rgba.reformat(frame, width=width, height=height, format="rgba", threads=1).to_ndarray()
        return self.opaque(image, cast(NDArray[np.uint8], whole[:, :, 3]))

    def is_converted(self, frame: av.VideoFrame) -> bool:
        """Whether :meth:`rgb` shows a frame otherwise than its bare numbers do."""
        return frame.color_trc in hdr.NAMES or self._may_be_transparent(frame) or _is_limited_grey(frame)

    def _may_be_transparent(self, frame: av.VideoFrame) -> bool:
        layout = frame.format
        return self.has_transparency and (
            layout.has_palette or any(component.is_alpha for component in layout.components)
        )

    def opaque(self, image: Image, alpha: NDArray[np.uint8]) -> Image:
        """``image`` on the ground on which viewers show such pictures: white, of a video black."""
        self.transparent = max(self.transparent, transparent_share(alpha))
        is_picture = self.kind is MediaKind.IMAGE or self.container_format in _ANIMATIONS
        return on_ground(image, alpha, WHITE if is_picture else BLACK)

    def _colours(self, frame: av.VideoFrame, width: int, height: int) -> Image:
        if frame.color_trc in hdr.NAMES:
            deep = self._rgb.reformat(frame, width=width, height=height, format="rgb48le", threads=1)
            return hdr.to_standard_range(cast(NDArray[np.uint16], deep.to_ndarray()), frame.color_trc)
        return self.to_srgb(self._plain(frame, width, height))

    def _plain(self, frame: av.VideoFrame, width: int, height: int) -> Image:
        image = cast(
            Image,
            self._rgb.reformat(frame, width=width, height=height, format="rgb24", threads=1).to_ndarray(),
        )
        return _FROM_LIMITED[image] if _is_limited_grey(frame) else image

    def upright_size(self, frame: av.VideoFrame) -> Size:
        """Width and height of a frame as it is shown, in square pixels."""
        width, height = self.square_size(frame)
        return (height, width) if self.orientation(frame)[0] % 2 else (width, height)

    def upright(self, frame: av.VideoFrame, canvas: Size) -> Image:
        """A frame as it is shown, in RGB, as large as it fits on a canvas of this width and height."""
        quarter_turns, mirrored = self.orientation(frame)
        width, height = fitted(self.upright_size(frame), canvas)
        image = self.rgb(frame, *((height, width) if quarter_turns % 2 else (width, height)))
        if mirrored:
            image = image[:, ::-1]
        return on_canvas(np.ascontiguousarray(np.rot90(image, -quarter_turns)), canvas)


def _is_limited_grey(frame: av.VideoFrame) -> bool:
    """Whether a picture without colours is of limited range: FFmpeg takes all of them for full range."""
    return bool(frame.color_range == ColorRange.MPEG) and frame.format.name.startswith("gray")
