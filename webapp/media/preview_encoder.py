"""Decides what plays of an exhibit and makes a preview where one is needed.

All of it runs in a confined process, which :mod:`webapp.media.preview_job` starts.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import PIL.Image
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from detector.errors import MediaError
from detector.media.encode import BT709, Colours, H264Writer, clock_of
from detector.media.open import open_media
from detector.media.pictures.orientation import UPRIGHT, Orientation
from detector.media.reader import MediaReader
from detector.progress import Progress
from detector.schema.analysis import Media
from detector.schema.translatable import N_
from webapp.media.browser_support import NotPlayable, judge
from webapp.media.playback import NO_PREVIEW, Playback

_LONGEST_SIDE = 1280
_LONGEST_PHOTO = 2560
_KEY_FRAME_EVERY = 2  # seconds: a seek decodes no more than this
_REPORT_EVERY = 0.3  # seconds
# Constant quality 23 at 1280 px wide measured 1 to 2 Mbit/s of talking heads.
_X264 = {"preset": "veryfast", "crf": "23", "bf": "0", "g": "600", "forced-idr": "1"}
# Without frames out of order and without an edit list the first frame is at 0 in every browser.
_MP4 = {"movflags": "+faststart", "use_editlist": "0"}
_HIGH_DEFINITION = 720  # rows from which colours that say nothing of themselves are taken for BT.709
_BT709, _BT601 = 1, 6  # in the tables of ITU-T H.273


class NoPreview(Exception):
    """A preview cannot be made; the message says why."""


def make_preview(
    source: Path, to: Path, media: Media, room: int, report: Callable[[float], None]
) -> Playback:
    """Write a preview of ``source`` to ``to``; raises :class:`NoPreview` or what decoding raises.

    ``room`` is how many bytes of the disk must stay free.
    """
    with open_media(source) as reader:
        reader.turned = media.turned // 90
        if media.still:
            width, height = _photo(reader, to)
            return Playback("preview", "image/jpeg", 0.0, width, height, "")
        width, height = _video(reader, to, media, room, report)
        return Playback("preview", "video/mp4", 0.0, width, height, "")


def _photo(reader: MediaReader, to: Path) -> tuple[int, int]:
    """A JPEG of the upright picture; its width and height."""
    frame = next(reader.frames(1.0))
    picture = PIL.Image.fromarray(frame.image)
    picture.thumbnail((_LONGEST_PHOTO, _LONGEST_PHOTO), PIL.Image.Resampling.LANCZOS)
    picture.save(to, "JPEG", quality=90)
    return picture.size


def _video(
    reader: MediaReader, to: Path, media: Media, room: int, report: Callable[[float], None]
) -> tuple[int, int]:
    """A video of the upright pictures, each at its time from the first one; its width and height.

    Raises :class:`NoPreview` where the disk or the file does not do.
    """
    first: int | None = None
    changes = bool(media.picture and media.picture.sizes)
    next_key = Fraction(0)
    reformatter = VideoReformatter()  # one for all frames: making one takes longer than what it does
    with av.open(str(to), "w", format="mp4", options=_MP4) as container:
        for frame, pts in reader.every_frame():
            if first is None:
                first, turn = pts, reader.orientation(frame)
                # As analysed: square pixels, but in analyses of earlier versions.
                size = _fitting(media.width, media.height)
                writer = H264Writer(
                    container,
                    size,
                    Fraction(media.frame_rate or 25),
                    _X264,
                    clock=clock_of(reader.time_base),
                    colours=BT709 if changes or reader.is_converted(frame) else _colours(frame),
                )
            moment = (pts - first) * reader.time_base
            shown = _as_analysed(reader, frame, size if changes else None)
            picture = _upright(shown, size, UPRIGHT if changes else turn, reformatter)
            if moment >= next_key:
                picture.pict_type = av.video.frame.PictureType.I
                next_key = moment + _KEY_FRAME_EVERY
            else:
                picture.pict_type = av.video.frame.PictureType.NONE
            writer.write(picture, moment)
            if shutil.disk_usage(to.parent).free < room:
                raise NoPreview(N_("The disk is too full for one."))
            report(float(moment) / media.duration if media.duration else 0.0)
        if first is None:
            raise NoPreview(N_("No frame can be decoded."))
        writer.finish()
    return size


def _as_analysed(reader: MediaReader, frame: av.VideoFrame, upright: tuple[int, int] | None) -> av.VideoFrame:
    """A frame whose colours are those that were examined; of this size if it is to be ``upright`` already."""
    if upright is not None:
        return av.VideoFrame.from_ndarray(reader.upright(frame, upright), format="rgb24")
    if reader.is_converted(frame):  # 8 bits of standard range, on a plain ground
        return av.VideoFrame.from_ndarray(reader.rgb(frame, frame.width, frame.height), format="rgb24")
    return frame


def _colours(frame: av.VideoFrame) -> Colours:
    """What the numbers mean is said outright: a browser would guess by the size, which changed."""
    guess = _BT709 if frame.height >= _HIGH_DEFINITION or _is_rgb(frame) else _BT601
    return Colours(
        _known(frame.colorspace, guess),
        _known(frame.color_primaries, guess),
        _known(frame.color_trc, guess),
    )


def _known(value: int, guess: int) -> int:
    """A code of ITU-T H.273, or a guess where the frame says nothing (2) or holds RGB (0)."""
    return guess if value in (0, 2) else value


def _is_rgb(frame: av.VideoFrame) -> bool:
    return frame.format.is_rgb


def _fitting(width: int, height: int) -> tuple[int, int]:
    """Even width and height of an upright picture of this size, its longer side at most 1280."""
    scale = min(1.0, _LONGEST_SIDE / max(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def _upright(
    frame: av.VideoFrame, size: tuple[int, int], turn: Orientation, reformatter: VideoReformatter
) -> av.VideoFrame:
    """The frame at its final size in 8-bit 4:2:0, turned; ``size`` is that of the turned one."""
    quarter_turns, mirrored = turn
    width, height = size[::-1] if quarter_turns % 2 else size
    rgb = _is_rgb(frame)
    small = reformatter.reformat(
        frame,
        width=width,
        height=height,
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709 if rgb else None,
        dst_color_range=ColorRange.MPEG,
    )
    if not quarter_turns and not mirrored:
        return small
    planes = small.to_ndarray()
    chroma = height * width // 4
    luma, rest = planes[:height], planes[height:].reshape(-1)
    parts = (
        luma,
        rest[:chroma].reshape(height // 2, width // 2),
        rest[chroma:].reshape(height // 2, width // 2),
    )
    turned = [np.rot90(part[:, ::-1] if mirrored else part, -quarter_turns) for part in parts]
    joined = np.concatenate([part.reshape(-1) for part in turned]).reshape(size[1] * 3 // 2, size[0])
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(joined), format="yuv420p")


def decide(source: Path, to: Path, media: Media, room: int, report: Callable[[float], None]) -> Playback:
    """What plays of the exhibit at ``source``; a preview, where one is needed, is written to ``to``."""
    try:
        return judge(source, media)
    except NotPlayable as problem:
        reason = str(problem)
    why = N_("Shown is a preview, not the exhibit itself, because %(reason)s.") % {"reason": reason}
    try:
        made = make_preview(source, to, media, room, report)
    except MemoryError:
        raise  # whoever confines this process says which limit it met
    except av.error.BlockingIOError as problem:  # a thread whose stack could not be had
        raise MemoryError from problem
    except (NoPreview, MediaError, av.FFmpegError, OSError, ValueError) as problem:
        words = str(problem) if isinstance(problem, NoPreview | MediaError) else N_("Making one failed.")
        return Playback("none", "", 0.0, 0, 0, f"{NO_PREVIEW} {words}")
    return Playback(**(asdict(made) | {"reason": why}))


def decide_confined(source: Path, to: Path, media: Media, room: int, report: Progress) -> dict[str, Any]:
    """:func:`decide` for a confined process: its answer as JSON can hold it, progress now and then."""
    last = time.monotonic()

    def now_and_then(share: float) -> None:
        nonlocal last
        if time.monotonic() - last >= _REPORT_EVERY:
            last = time.monotonic()
            report("encoding", min(max(share, 0.0), 1.0))

    return asdict(decide(source, to, media, room, now_and_then))
