"""Decide whether browsers play an exhibit as it is, and encode a preview if not."""

from __future__ import annotations

import shutil
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
import PIL.Image
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from detector.errors import MediaError
from detector.media.acceptance import MP4, InputLimits
from detector.media.containers import cut_fragment
from detector.media.encode import BT709, Colours, H264Writer, mp4_time_base
from detector.media.open import open_container, open_media, played_sound
from detector.media.photos import EXIF_ORIENTATIONS, UPRIGHT, Orientation, photo_orientation
from detector.media.reader import MediaReader
from detector.media.sound_clock import picture_joints
from detector.media.unknown_sound import refuse_undecodable
from detector.progress import Progress
from detector.schema.analysis import Media
from detector.schema.codec_names import codec_name
from detector.schema.formatting import N_, sentences
from reports.exhibit.identity import CONTAINERS
from webapp.exhibits.media.playable_sound import NotPlayable, sound_type
from webapp.exhibits.media.playback import NO_PREVIEW, Playback, playback_json
from webapp.exhibits.media.preview_sound import SoundEncoder, encode_recording

_APP1, _START_OF_SCAN = 0xE1, 0xDA  # ISO/IEC 10918-1, table B.1
_ORIENTATION, _SHORT = 0x0112, 3  # EXIF 2.3, 4.6
_MAX_SEGMENTS = 4096


def browser_orientation(file: BinaryIO) -> Orientation | None:
    """Return the orientation browsers apply to an open JPEG; None if they may disagree."""
    values = [value for block in _exif_blocks(file) for value in _orientations(block)]
    if not values:
        return UPRIGHT
    if len(values) > 1 or values[0] is None:
        return None
    return EXIF_ORIENTATIONS.get(values[0], UPRIGHT)


def _exif_blocks(file: BinaryIO) -> Iterator[bytes]:
    """Yield the contents of the EXIF segments before the first scan."""
    file.seek(2)
    for _ in range(_MAX_SEGMENTS):
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF or head[1] == _START_OF_SCAN:
            return
        data = file.read(max(0, int.from_bytes(head[2:], "big") - 2))
        if head[1] == _APP1 and data.startswith(b"Exif\0"):
            yield data[6:]


def _orientations(block: bytes) -> list[int | None]:
    """Return the orientations in a block's first directory; None for one that is not a 16-bit number."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        return []
    values: list[int | None] = []
    try:
        (at,) = struct.unpack_from(order + "I", block, 4)
        (count,) = struct.unpack_from(order + "H", block, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, numbers, value = struct.unpack_from(order + "HHIH", block, entry)
            if tag == _ORIENTATION:
                values.append(value if (kind, numbers) == (_SHORT, 1) else None)
    except struct.error:
        pass  # the block is truncated
    return values


_MATROSKA = "matroska,webm"
_PHOTOS = {
    "jpeg_pipe": "image/jpeg",
    "png_pipe": "image/png",
    "webp_pipe": "image/webp",
    "webp": "image/webp",
}
# The report's names, except for containers that browsers partly play and names that do not precede "files".
_CONTAINERS = CONTAINERS | {
    _MATROSKA: "Matroska",
    "webp_pipe": "animated WebP",
    "mpeg": "MPEG-PS",
    "mpegts": "MPEG-TS",
    "flv": "FLV",
}
# Names of FFmpeg. These profiles of H.264 contain 8-bit 4:2:0 only, without exotic tools.
_H264_PROFILES = {"Baseline", "Constrained Baseline", "Main", "High", "Constrained High"}
_PICTURE = {"video/mp4": {"h264"}, "video/webm": {"vp8", "vp9", "av1"}}
_SOUND = {"video/mp4": {"aac", "mp3", "opus"}, "video/webm": {"opus", "vorbis"}}
_PIXELS = {"yuv420p", "yuvj420p"}
_MAX_PIXELS = 4096 * 2304
# A step backwards decodes every frame since the last key frame.
_MAX_RUN = 600
_INSIDE = 0.001  # seconds; seeks go this far into a frame


def judge_playback(path: Path, media: Media) -> Playback:
    """Return how browsers play the exhibit itself. Raises :class:`NotPlayable`."""
    try:
        return _judge(path, media)
    except (MediaError, av.FFmpegError, OSError, ValueError):
        raise NotPlayable(N_("it could not be checked whether browsers play it")) from None


def _judge(path: Path, media: Media) -> Playback:
    if media.turned:
        raise NotPlayable(N_("it was examined rotated, because only then its faces are upright"))
    if media.still:
        if (mimetype := _PHOTOS.get(media.container)) is None:
            kind = _CONTAINERS.get(media.container, media.container)
            raise NotPlayable(N_("not every browser shows %(kind)s files") % {"kind": kind})
        _check_photo(path, mimetype)
        return Playback("exhibit", mimetype, 0.0, media.width, media.height, "")
    if media.sound_only:
        return Playback("exhibit", sound_type(path, media), 0.0, 0, 0, "")
    with path.open("rb") as file, open_container(file, cut_fragment(file)) as container:
        mimetype = _mimetype(path, media)
        _check_streams(container, media, mimetype)
        _check_key_frames(container, mimetype)
        if mimetype == "video/webm":
            _check_lengths(container)
        _check_end(container)
    offset = _first_frame(path)
    if offset < 0:
        raise NotPlayable(N_("its clock starts before zero, where browsers play nothing"))
    return Playback("exhibit", mimetype, offset, media.width, media.height, "")


def _check_photo(path: Path, mimetype: str) -> None:
    """Raise :class:`NotPlayable` unless all browsers orient and colour the photo like the engine.

    Browsers are not trusted to turn WebP and PNG: Chromium ignores the EXIF of WebP and some of PNG's.
    """
    with path.open("rb") as file:
        turned = photo_orientation(file, InputLimits())
        browsers = browser_orientation(file) if mimetype == "image/jpeg" else UPRIGHT
    if turned != browsers:
        raise NotPlayable(N_("not every browser turns it as its EXIF says"))
    with open_media(path) as reader:
        if not reader.to_srgb.as_browsers:
            raise NotPlayable(N_("not every browser shows its colours as they were examined"))


def _mimetype(path: Path, media: Media) -> str:
    if media.container == MP4:
        return "video/mp4"
    if media.container == _MATROSKA:
        with path.open("rb") as file:
            # The document type is in the first element of the file.
            if b"webm" in file.read(64):
                return "video/webm"
    kind = _CONTAINERS.get(media.container, media.container)
    raise NotPlayable(N_("not every browser plays %(kind)s files") % {"kind": kind})


def _check_streams(container: av.container.InputContainer, media: Media, mimetype: str) -> None:
    """Raise :class:`NotPlayable` unless all browsers support the codecs and the layout."""
    cover = av.stream.Disposition.attached_pic
    pictures = [stream for stream in container.streams.video if not stream.disposition & cover]
    if len(pictures) != 1 or pictures[0].index != container.streams.video[0].index:
        raise NotPlayable(N_("it holds more than one picture track"))
    stream = pictures[0]
    codec, profile = stream.codec_context.codec.canonical_name, stream.profile
    if codec not in _PICTURE[mimetype]:
        raise NotPlayable(N_("not every browser plays %(codec)s") % {"codec": codec_name(codec)})
    if stream.codec_context.pix_fmt not in _PIXELS or (codec == "h264" and profile not in _H264_PROFILES):
        raise NotPlayable(N_("its colours are stored in a way not every browser reads"))
    # In WebM, transparency is a second picture, which FFmpeg leaves out.
    if stream.metadata.get("alpha_mode", "0") != "0":
        raise NotPlayable(N_("it declares transparency, which the analysis does not read"))
    for sound in container.streams.audio:
        name = sound.codec_context.codec.canonical_name if sound.codec_context else "of no known kind"
        if name not in _SOUND[mimetype]:
            raise NotPlayable(N_("not every browser plays its sound (%(name)s)") % {"name": name})
    if stream.codec_context.width * stream.codec_context.height > _MAX_PIXELS:
        raise NotPlayable(N_("its frames are too large to be played without stutter"))
    if (stream.sample_aspect_ratio or 1) != 1:
        raise NotPlayable(N_("its pixels are not square"))
    if media.frames_undecodable:
        raise NotPlayable(N_("some of its frames cannot be decoded"))
    if stream.frames and stream.frames != media.frames:
        # Cut by an edit list, which some browsers ignore, or by the end of the file.
        raise NotPlayable(N_("not all frames it announces are shown"))


def _check_key_frames(container: av.container.InputContainer, mimetype: str) -> None:
    """Raise :class:`NotPlayable` if stepping back would be slow."""
    stream = container.streams.video[0]
    # WebM has an index of key frames, but not the number of frames between them.
    packets = stream.index_entries if mimetype == "video/mp4" else container.demux(stream)
    run = 0
    for packet in packets:
        run = 0 if packet.is_keyframe else run + 1
        if run > _MAX_RUN:
            raise NotPlayable(N_("its key frames are too far apart to step through it"))


def _check_lengths(container: av.container.InputContainer) -> None:
    """Raise :class:`NotPlayable` if frames last beyond the start of the next one.

    Chromium trusts the durations in WebM files and shows the earlier of two frames that claim a moment.
    """
    container.seek(0)
    spans = [
        (packet.pts, packet.pts + (packet.duration or 0))
        for packet in container.demux(container.streams.video[0])
        if packet.pts is not None
    ]
    if any(end > start for (_, end), (start, _) in pairwise(sorted(spans))):
        raise NotPlayable(N_("its frames overlap in time"))


def _check_end(container: av.container.InputContainer) -> None:
    """Raise :class:`NotPlayable` if the last frame starts after the end stated by the file.

    Chromium takes the length of a track that starts late, with no earlier one beside it, for its end and
    does not seek further.
    """
    if container.duration is None:
        raise NotPlayable(N_("it does not say how long it is"))
    stream = container.streams.video[0]
    container.seek((container.start_time or 0) + container.duration)
    last = max((packet.pts for packet in container.demux(stream) if packet.pts is not None), default=0)
    if float(last * stream.time_base) + _INSIDE >= container.duration / av.time_base:
        raise NotPlayable(N_("its last frames start after the end it states"))


def _first_frame(path: Path) -> float:
    """Return the time of the first frame on the file's own clock, in seconds."""
    with open_media(path) as reader:
        for _, pts in reader.every_frame():
            return float(pts * reader.time_base)
    raise NotPlayable(N_("no frame can be decoded"))


_MAX_SIDE = 1280
_MAX_PHOTO_SIDE = 2560
_KEY_FRAME_INTERVAL = 2  # seconds; the most that a seek decodes
_REPORT_INTERVAL = 0.3  # seconds
# Constant quality 23 at 1280 px width measured 1 to 2 Mbit/s for talking heads.
_X264 = {"preset": "veryfast", "crf": "23", "bf": "0", "g": "600", "forced-idr": "1"}
# Without reordered frames and edit list, the first frame is at 0 in every browser.
_MP4 = {"movflags": "+faststart", "use_editlist": "0"}
_HIGH_DEFINITION = 720  # rows; from here on, unlabelled colours are taken for BT.709
_BT709, _BT601 = 1, 6  # codes of ITU-T H.273


class NoPreview(Exception):
    """No preview can be made; the message explains why."""


def make_preview(
    source: Path, to: Path, media: Media, room: int, report: Callable[[float], None]
) -> Playback:
    """Write a preview of ``source`` to ``to``. Raises :class:`NoPreview` or an error of decoding.

    ``room`` is the number of bytes that must stay free on the disk.
    """
    if media.sound_only:
        encode_recording(source, to, media.duration, room, report)
        return Playback("preview", "audio/mp4", 0.0, 0, 0, "")
    with open_media(source) as reader:
        reader.turned = media.turned // 90
        if media.still:
            picture = PIL.Image.fromarray(next(reader.frames(1.0)).image)
            picture.thumbnail((_MAX_PHOTO_SIDE, _MAX_PHOTO_SIDE), PIL.Image.Resampling.LANCZOS)
            picture.save(to, "JPEG", quality=90)
            return Playback("preview", "image/jpeg", 0.0, *picture.size, "")
        size, silent = _video(reader, source, to, media, room, report)
        return Playback("preview", "video/mp4", 0.0, *size, silent)


def _video(
    reader: MediaReader, source: Path, to: Path, media: Media, room: int, report: Callable[[float], None]
) -> tuple[tuple[int, int], str]:
    """Encode the upright pictures at their times from the first one, and the sound.

    Return width and height, and why there is no sound, "" if there is, or the exhibit has none.
    Raises :class:`NoPreview`.
    """
    first: int | None = None
    changes = bool(media.picture and media.picture.sizes)
    next_key = Fraction(0)
    reformatter = VideoReformatter()  # creating one takes longer than a conversion
    sound: SoundEncoder | None = None
    silent = ""

    def check() -> None:
        if shutil.disk_usage(to.parent).free < room:
            raise NoPreview(N_("The disk is too full for one."))

    with ExitStack() as opened, av.open(str(to), "w", format="mp4", options=_MP4) as container:
        for frame, pts in reader.every_frame():
            if first is None:
                first, turn = pts, reader.orientation(frame)
                # The analysed size has square pixels, except in analyses of earlier versions.
                size = _fit(media.width, media.height)
                writer = H264Writer(
                    container,
                    size,
                    Fraction(media.frame_rate or 25),
                    _X264,
                    clock=mp4_time_base(reader.time_base),
                    colours=BT709 if changes or reader.is_converted(frame) else _colours(frame),
                )
                if reader.has_sound:
                    # Read apart from the pictures, at a pace of its own.
                    file = opened.enter_context(source.open("rb"))
                    heard = opened.enter_context(open_container(file, cut_fragment(file)))
                    try:
                        refuse_undecodable(file, heard, played_sound(heard))
                        sound = SoundEncoder(
                            heard,
                            container,
                            pts * reader.time_base,
                            media.duration,
                            check,
                            lambda: picture_joints(source),
                            pad_inside=True,
                        )
                    except MediaError as problem:
                        silent = N_("It has no sound. %(reason)s") % {"reason": str(problem)}
            moment = (pts - first) * reader.time_base
            shown = _as_analysed(reader, frame, size if changes else None)
            picture = _upright(shown, size, UPRIGHT if changes else turn, reformatter)
            if moment >= next_key:
                picture.pict_type = av.video.frame.PictureType.I
                next_key = moment + _KEY_FRAME_INTERVAL
            else:
                picture.pict_type = av.video.frame.PictureType.NONE
            writer.write(picture, moment)
            if sound is not None:
                sound.until(moment)
            check()
            report(float(moment) / media.duration if media.duration else 0.0)
        if first is None:
            raise NoPreview(N_("No frame can be decoded."))
        writer.finish()
        if sound is not None:
            sound.until(None)
    return size, silent


def _as_analysed(reader: MediaReader, frame: av.VideoFrame, upright: tuple[int, int] | None) -> av.VideoFrame:
    """Return a frame in the colours that were analysed, and upright at that size if it is given."""
    if upright is not None:
        return av.VideoFrame.from_ndarray(reader.upright(frame, upright), format="rgb24")
    if reader.is_converted(frame):  # to 8-bit standard range, without transparency
        return av.VideoFrame.from_ndarray(reader.rgb(frame, frame.width, frame.height), format="rgb24")
    return frame


def _colours(frame: av.VideoFrame) -> Colours:
    """Label the colours explicitly: browsers guess by the size of the picture, which changes."""
    guess = _BT709 if frame.height >= _HIGH_DEFINITION or frame.format.is_rgb else _BT601
    codes = (frame.colorspace, frame.color_primaries, frame.color_trc)
    # 2 means unspecified, 0 means RGB.
    return Colours(*(guess if code in (0, 2) else code for code in codes))


def _fit(width: int, height: int) -> tuple[int, int]:
    """Scale to even sides of at most 1280."""
    scale = min(1.0, _MAX_SIDE / max(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def _upright(
    frame: av.VideoFrame, size: tuple[int, int], turn: Orientation, reformatter: VideoReformatter
) -> av.VideoFrame:
    """Convert a frame to 8-bit 4:2:0 and turn it; ``size`` is that of the result."""
    quarter_turns, mirrored = turn
    width, height = size[::-1] if quarter_turns % 2 else size
    small = reformatter.reformat(
        frame,
        width=width,
        height=height,
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709 if frame.format.is_rgb else None,
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


def decide_playback(
    source: Path, to: Path, media: Media, room: int, report: Callable[[float], None]
) -> Playback:
    """Decide what plays of the exhibit at ``source``; a preview, if necessary, is written to ``to``."""
    try:
        return judge_playback(source, media)
    except NotPlayable as problem:
        reason = N_("Shown is a preview, not the exhibit itself, because %(reason)s.") % {
            "reason": str(problem)
        }
    try:
        preview = make_preview(source, to, media, room, report)
    except MemoryError:
        raise  # the confining process reports which limit was exceeded
    except av.error.BlockingIOError as problem:  # no memory for the stack of a thread
        raise MemoryError from problem
    except (NoPreview, MediaError, av.FFmpegError, OSError, ValueError) as problem:
        words = str(problem) if isinstance(problem, NoPreview | MediaError) else N_("Making one failed.")
        return Playback("none", "", 0.0, 0, 0, sentences(NO_PREVIEW, words))
    return replace(preview, reason=sentences(reason, preview.reason) if preview.reason else reason)


def decide_playback_confined(
    source: Path, to: Path, media: Media, room: int, report: Progress
) -> dict[str, Any]:
    """Run :func:`decide_playback` in a confined process: return JSON, limit the rate of reports."""
    last = time.monotonic()

    def report_sometimes(share: float) -> None:
        nonlocal last
        if time.monotonic() - last >= _REPORT_INTERVAL:
            last = time.monotonic()
            report("encoding", min(max(share, 0.0), 1.0))

    return playback_json(decide_playback(source, to, media, room, report_sometimes))
