"""Whether a browser plays an exhibit as it is, showing the frames that were analysed at their times.

Only what every common browser plays, and only where Chromium was seen to give each frame
the time FFmpeg gives it; whatever is in doubt gets a preview. Runs beside the worker.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av

from detector.errors import MediaError
from detector.media.exhibit.isobmff import cut_fragment
from detector.media.exhibit.limits import Bounds
from detector.media.exhibit.signatures import MP4
from detector.media.open import open_container, open_media
from detector.media.pictures.orientation import UPRIGHT, photo_orientation
from detector.schema.analysis import Media
from detector.schema.codec_names import codec_name
from detector.schema.translatable import N_
from reports.view.exhibit.exhibit import CONTAINERS
from webapp.media.jpeg_orientation import browsers_turn
from webapp.media.playback import Playback

_MATROSKA = "matroska,webm"
_PHOTOS = {
    "jpeg_pipe": "image/jpeg",
    "png_pipe": "image/png",
    "webp_pipe": "image/webp",
    "webp": "image/webp",
}
# The report's names, but for those of which a browser plays a part, or that do not go before "files".
_CONTAINERS = CONTAINERS | {
    _MATROSKA: "Matroska",
    "webp_pipe": "animated WebP",
    "mpeg": "MPEG-PS",
    "mpegts": "MPEG-TS",
    "flv": "FLV",
}
# FFmpeg's names. The profiles of H.264 that hold 8-bit 4:2:0 and nothing exotic.
_H264_PROFILES = {"Baseline", "Constrained Baseline", "Main", "High", "Constrained High"}
_PICTURE = {"video/mp4": {"h264"}, "video/webm": {"vp8", "vp9", "av1"}}
_SOUND = {"video/mp4": {"aac", "mp3", "opus"}, "video/webm": {"opus", "vorbis"}}
_PIXELS = {"yuv420p", "yuvj420p"}
_LARGEST = 4096 * 2304
# Every frame back to the last key frame is decoded for one step backwards.
_LONGEST_RUN = 600
_INSIDE = 0.001  # seconds: a seek goes this far into a frame


class NotPlayable(Exception):
    """A browser does not play the exhibit as it is; the message says why, to follow "because"."""


def judge(path: Path, media: Media) -> Playback:
    """How a browser plays the exhibit itself. Raises :class:`NotPlayable`."""
    try:
        return _judge(path, media)
    except (MediaError, av.FFmpegError, OSError, ValueError):
        raise NotPlayable(N_("it could not be checked whether browsers play it")) from None


def _judge(path: Path, media: Media) -> Playback:
    """As :func:`judge`; also raises what reading the file raises. Each check raises what it objects to."""
    if media.turned:
        raise NotPlayable(N_("it was examined turned, because its faces stand upright only so"))
    if media.still:
        if (mimetype := _PHOTOS.get(media.container)) is None:
            kind = _CONTAINERS.get(media.container, media.container)
            raise NotPlayable(N_("not every browser shows %(kind)s files") % {"kind": kind})
        _check_photo(path, mimetype)
        return Playback("exhibit", mimetype, 0.0, media.width, media.height, "")
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
    """Raise :class:`NotPlayable` unless every browser turns it, and shows its colours, as the engine does.

    Of WebP and PNG none is relied upon to turn it: Chromium heeds no EXIF of a WebP, nor all of a PNG's.
    """
    with path.open("rb") as file:
        turned = photo_orientation(file, Bounds())
        by_browsers = browsers_turn(file) if mimetype == "image/jpeg" else UPRIGHT
    if turned != by_browsers:
        raise NotPlayable(N_("not every browser turns it as its EXIF says"))
    with open_media(path) as reader:
        if not reader.to_srgb.as_browsers:
            raise NotPlayable(N_("not every browser shows its colours as they were examined"))


def _mimetype(path: Path, media: Media) -> str:
    if media.container == MP4:
        return "video/mp4"
    if media.container == _MATROSKA:
        with path.open("rb") as file:
            # The document type stands in the first element of the file.
            if b"webm" in file.read(64):
                return "video/webm"
    kind = _CONTAINERS.get(media.container, media.container)
    raise NotPlayable(N_("not every browser plays %(kind)s files") % {"kind": kind})


def _check_streams(container: av.container.InputContainer, media: Media, mimetype: str) -> None:
    """Raise :class:`NotPlayable` unless codecs and layout are what browsers take."""
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
    if stream.metadata.get("alpha_mode", "0") != "0":  # of WebM, a second picture that FFmpeg leaves out
        raise NotPlayable(N_("it states transparency, which is not read when it is examined"))
    for sound in container.streams.audio:
        name = sound.codec_context.codec.canonical_name if sound.codec_context else "of no known kind"
        if name not in _SOUND[mimetype]:
            raise NotPlayable(N_("not every browser plays its sound (%(name)s)") % {"name": name})
    if stream.codec_context.width * stream.codec_context.height > _LARGEST:
        raise NotPlayable(N_("its frames are too large to be played without stutter"))
    if (stream.sample_aspect_ratio or 1) != 1:
        raise NotPlayable(N_("its pixels are not square"))
    if media.frames_undecodable:
        raise NotPlayable(N_("some of its frames cannot be decoded"))
    if stream.frames and stream.frames != media.frames:
        # Cut by an edit list, which not all browsers follow, or by the end of the file.
        raise NotPlayable(N_("not all frames it announces are shown"))


def _check_key_frames(container: av.container.InputContainer, mimetype: str) -> None:
    """Raise :class:`NotPlayable` where stepping back would take a browser long."""
    stream = container.streams.video[0]
    # WebM says where its key frames are, and not how many frames are between them.
    packets = stream.index_entries if mimetype == "video/mp4" else container.demux(stream)
    run = 0
    for packet in packets:
        run = 0 if packet.is_keyframe else run + 1
        if run > _LONGEST_RUN:
            raise NotPlayable(N_("its key frames are too far apart to step through it"))


def _check_lengths(container: av.container.InputContainer) -> None:
    """Raise :class:`NotPlayable` where frames claim to last beyond the next one's start.

    Chromium believes the lengths that WebM files state, and shows the earlier of two frames
    that claim the same moment.
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
    """Raise :class:`NotPlayable` where the last frame starts after the end that the file states.

    A picture that starts late, with nothing earlier beside it, has its length taken for its end
    by Chromium, which then seeks no further.
    """
    if container.duration is None:
        raise NotPlayable(N_("it does not say how long it is"))
    stream = container.streams.video[0]
    container.seek((container.start_time or 0) + container.duration)
    last = max((packet.pts for packet in container.demux(stream) if packet.pts is not None), default=0)
    if float(last * stream.time_base) + _INSIDE >= container.duration / av.time_base:
        raise NotPlayable(N_("its last frames start after the end it states"))


def _first_frame(path: Path) -> float:
    """Where the first frame stands on the file's own clock, in seconds."""
    with open_media(path) as reader:
        for _, pts in reader.every_frame():
            return float(pts * reader.time_base)
    raise NotPlayable(N_("no frame can be decoded"))
