"""Decide whether browsers play a recording of sound as it is, at the times at which it was examined."""

from __future__ import annotations

from array import array
from pathlib import Path

import av

from detector.media.acceptance import HEAD_BYTES, MATROSKA, MP4
from detector.media.behind_end import sound_end
from detector.media.open import open_container
from detector.media.sound_frames import behind_tags, mpeg_frame
from detector.recordings import examined_sound
from detector.schema.analysis import Media
from detector.schema.codec_names import codec_name
from detector.schema.formatting import N_
from reports.exhibit.identity import CONTAINERS


class NotPlayable(Exception):
    """Browsers do not play the exhibit as it is; the message is a clause that follows "because"."""


# Types of recordings without picture by FFmpeg's name of the container, with the codecs that browsers play.
_RECORDINGS = {
    MP4: ("audio/mp4", {"aac", "mp3"}),
    MATROSKA: ("audio/webm", {"opus", "vorbis"}),
    "wav": ("audio/wav", {"pcm_s16le", "pcm_u8", "pcm_s24le", "pcm_f32le"}),
    "mp3": ("audio/mpeg", {"mp3"}),
    "ogg": ("audio/ogg", {"opus", "vorbis"}),
    "flac": ("audio/flac", {"flac"}),
}
_STARTS = {"wav": b"RIFF", "flac": b"fLaC", "ogg": b"OggS"}
# Without an index, browsers seek by the share of the bytes, or to the next frame with a matching number.
_WITHOUT_INDEX = frozenset({"mp3", "flac"})
_SAME_TIME = 0.1  # seconds, for the padding of encoders and the roundings of containers
_SAME_LENGTH = 0.25  # seconds: an MP3's header leaves out padding at both ends, its frames include it
_PADDING = 1  # bytes by which frames of one bit rate differ


def sound_type(path: Path, media: Media) -> str:
    """Return the type of a recording that browsers play. Raises :class:`NotPlayable`."""
    mimetype, codecs = _RECORDINGS.get(media.container, ("", set()))
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if mimetype == "audio/webm" and b"webm" not in head[:64]:
            mimetype = ""
        if not mimetype:
            kind = (
                "Matroska"
                if media.container == MATROSKA
                else CONTAINERS.get(media.container, media.container)
            )
            raise NotPlayable(N_("not every browser plays %(kind)s files") % {"kind": kind})
        if media.codec not in codecs:
            raise NotPlayable(N_("not every browser plays %(codec)s") % {"codec": codec_name(media.codec)})
        sound = (
            [stream for stream in media.details.streams if stream.kind == "audio"] if media.details else []
        )
        if len(sound) > 1:
            raise NotPlayable(N_("it holds more than one sound track"))
        if not _begins_plainly(head, media.container):
            raise NotPlayable(N_("not every browser recognises how it begins"))
        if sound_end(file).taken:
            raise NotPlayable(N_("it holds more sound than its header states"))
        file.seek(0)
        with open_container(file, None) as container:
            _check_clock(container, media)
    return mimetype


def _begins_plainly(head: bytes, container: str) -> bool:
    """Return whether nothing precedes the sound that only some browsers pass over; of an MP3, ID3v2 may."""
    if container == "mp3":
        return head.startswith((b"ID3", b"\xff")) and (
            behind_tags(head) >= len(head) or mpeg_frame(head, behind_tags(head)) is not None
        )
    return head.startswith(_STARTS.get(container, b""))


def _check_clock(container: av.container.InputContainer, media: Media) -> None:
    """Raise :class:`NotPlayable` if browsers would compute other times than those that were examined.

    They compute length and places from what the header states, or from the size and the first bit rate.
    """
    if any(not stream.disposition & av.stream.Disposition.attached_pic for stream in container.streams.video):
        raise NotPlayable(N_("its pictures cannot be read"))
    if container.duration is None:
        raise NotPlayable(N_("it does not say how long it is"))
    if abs(container.duration / av.time_base - media.duration) > _SAME_LENGTH:
        raise NotPlayable(N_("browsers would compute a wrong length"))
    stream = examined_sound(container)
    end, behind, sizes = 0.0, None, array("I")  # a day of MP3 has three million frames
    for packet in container.demux(stream):
        if packet.pts is None or not packet.size:
            continue
        time = float(packet.pts * packet.time_base)
        if abs(time - end) > _SAME_TIME:
            raise NotPlayable(N_("its clock does not begin at zero, has gaps, or begins again"))
        end = time + float((packet.duration or 0) * packet.time_base)
        if media.container in _WITHOUT_INDEX and packet.pos is not None:
            if behind is not None and packet.pos != behind:
                raise NotPlayable(
                    N_("other data lies between its frames, so browsers would seek to wrong places")
                )
            behind = packet.pos + packet.size
        sizes.append(packet.size)
    if media.container == "mp3" and max(sizes[:-1], default=0) - min(sizes[:-1], default=0) > _PADDING:
        raise NotPlayable(N_("its bit rate changes, so browsers would seek to wrong places"))
