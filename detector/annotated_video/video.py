"""Write the annotated video: every frame of the exhibit at its own time, and its sound."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

from detector.annotated_video.drawing import (
    STALE,
    DrawnLane,
    FrameLayout,
    Rect,
    arrange,
    build_lanes,
    build_voice_lanes,
    draw_faces,
    draw_heat,
    place_box,
)
from detector.annotated_video.panel import FACE_ROOM, Inset, Panel, crop_face
from detector.errors import MediaError
from detector.files import atomic_path, hash_file
from detector.media.acceptance import open_exhibit
from detector.media.containers import cut_fragment
from detector.media.encode import BT709, H264Writer, mp4_time_base
from detector.media.frame import Image
from detector.media.open import open_container, open_media
from detector.media.reader import MediaReader
from detector.progress import ReportShare
from detector.schema.analysis import Analysis, Box, Peak, Segment
from detector.schema.formatting import never_rounding_up_to, timecode
from detector.schema.frame_maps import FrameMap, read_segment_maps

# FFmpeg's names of audio codecs that MP4 files can contain and common players support.
_IN_MP4 = {"aac", "mp3", "ac3", "eac3", "opus", "alac", "flac"}


class SoundRefused(Exception):
    """The audio could not be written; the video has to be made without it."""


class Sound:
    """The audio track of an exhibit that players play; ``state`` describes how it is used."""

    def __init__(self, exhibit: av.container.InputContainer, wanted: bool) -> None:
        self._container = exhibit
        self._source: av.AudioStream | None = None
        self._target: av.AudioStream | None = None
        self._packets: Iterator[av.Packet] = iter(())
        self._next: av.Packet | None = None
        self._first = Fraction(0)
        self.state = "none in the exhibit"
        if not exhibit.streams.audio:
            return
        default = av.stream.Disposition.default
        tracks = exhibit.streams.audio
        stream = next((track for track in tracks if track.disposition & default), tracks[0])
        codec = stream.codec_context.codec.canonical_name if stream.codec_context else "of no known kind"
        if not wanted or codec not in _IN_MP4 or stream.time_base is None:
            self.state = f"left out ({codec})"
            return
        self.state = "copied unchanged"
        self._source = stream

    @property
    def is_copied(self) -> bool:
        """True if the track is copied into the video."""
        return self._source is not None

    def begin(self, container: av.container.OutputContainer, first: Fraction) -> None:
        """Add the track to ``container``; ``first`` is the first frame's time on the exhibit's clock.

        Raises :class:`SoundRefused` if the container does not accept it.
        """
        if self._source is None:
            return
        self._first = first
        try:
            self._target = container.add_stream_from_template(self._source)
        except (av.FFmpegError, ValueError):
            raise SoundRefused from None
        self._packets = self._container.demux(self._source)
        self._advance()

    def until(self, container: av.container.OutputContainer, time: Fraction | None) -> None:
        """Write the audio before ``time`` in seconds from the first frame, or the remaining audio for None.

        Raises :class:`SoundRefused` if it cannot be written.
        """
        while (packet := self._next) is not None:
            assert packet.pts is not None and packet.time_base is not None
            start = packet.pts * packet.time_base - self._first
            if time is not None and start >= time:
                return
            # Audio before the first frame is dropped, because the video starts with that frame.
            if start >= 0:
                shift = round(self._first / packet.time_base)
                packet.pts -= shift
                if packet.dts is not None:
                    packet.dts -= shift
                packet.stream = self._target
                try:
                    container.mux(packet)
                except av.FFmpegError:
                    raise SoundRefused from None
            self._advance()

    def _advance(self) -> None:
        while True:
            try:
                packet = next(self._packets, None)
            except (av.FFmpegError, IndexError):  # the file is truncated, or has further streams
                packet = None
            if packet is None or (packet.pts is not None and packet.size):
                self._next = packet
                return


_HEAD_ROOM = 0.85  # of the inset of an animated heatmap, whose part is the head with its surroundings
_X264 = {"preset": "veryfast", "crf": "20", "bf": "0", "g": "60"}
_HIGH_DEFINITION = 720  # minimum rows for which undeclared colours are assumed to be BT.709
_MOST_MAP_PIXELS = 1280 * 16_384
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Annotated:
    """Numbers of frames, peak frames with and without a heatmap, and animated frames; the state of sound."""

    frames: int
    heatmaps: int
    heatmaps_missing: int
    animated: int
    sound: str


def annotate(
    exhibit: Path,
    analysis: Analysis,
    out: Path,
    maps: Mapping[str, Path],
    progress: ReportShare | None = None,
    moving: Mapping[str, Path] | None = None,
) -> Annotated:
    """Draw ``analysis`` into a copy of ``exhibit``, and write it to the MP4 file ``out`` atomically.

    ``maps`` are the stored heatmap files by the name in the analysis
    (:func:`reports.exports.overlays.kept_maps`), ``moving`` the folders of
    :func:`detector.explain.segment_maps.write_segment_maps` by segment. Raises :class:`MediaError` if the
    file is not the analysed exhibit, or is a photo.
    """
    if analysis.media.still:
        raise MediaError("The exhibit is a photo. Its pictures with heatmaps are those of the analysis.")
    _check(exhibit, analysis)
    if out.exists() and out.samefile(exhibit):
        raise MediaError("The annotated video would take the exhibit's place. Name another file.")
    with atomic_path(out) as temporary, never_rounding_up_to(*analysis.parameters.thresholds):
        try:
            return _make(exhibit, analysis, temporary, maps, moving or {}, progress, with_sound=True)
        except SoundRefused:
            return _make(exhibit, analysis, temporary, maps, moving or {}, progress, with_sound=False)


def _check(exhibit: Path, analysis: Analysis) -> None:
    with open_exhibit(exhibit):
        _, sha256 = hash_file(exhibit)
    if sha256 != analysis.media.sha256:
        raise MediaError(
            f"This is not the exhibit of the analysis: its SHA-256 starts with {sha256[:16]}, the "
            f"exhibit's with {analysis.media.sha256[:16]}. Give the very file that was analysed."
        )


def _make(
    exhibit: Path,
    analysis: Analysis,
    to: Path,
    maps: Mapping[str, Path],
    moving: Mapping[str, Path],
    progress: ReportShare | None,
    *,
    with_sound: bool,
) -> Annotated:
    with ExitStack() as stack:
        reader = stack.enter_context(open_media(exhibit))
        reader.turned = analysis.media.turned // 90
        # Open the file twice, because audio and pictures are read at different paces.
        file = stack.enter_context(exhibit.open("rb"))
        second_container = stack.enter_context(open_container(file, cut_fragment(file)))
        sound = Sound(second_container, with_sound)
        container = stack.enter_context(
            av.open(str(to), "w", format="mp4", options={"movflags": "+faststart"})
        )
        container.metadata.update(_about(analysis, sound.state))
        try:
            return _Making(reader, analysis, container, maps, moving, sound).run(progress)
        except av.FFmpegError as error:
            raise MediaError(f"The video cannot be written: {error.strerror}.") from None


class _Making:
    """One pass over an exhibit."""

    def __init__(
        self,
        reader: MediaReader,
        analysis: Analysis,
        container: av.container.OutputContainer,
        maps: Mapping[str, Path],
        moving: Mapping[str, Path],
        sound: Sound,
    ) -> None:
        # Share the reformatters between frames, because creating one is slow.
        self._to_rgb, self._to_yuv = VideoReformatter(), VideoReformatter()
        self._reader, self._analysis, self._container = reader, analysis, container
        self._maps, self._sound = maps, sound
        self._lanes: tuple[DrawnLane, ...] = build_lanes(analysis)
        self._peaks: dict[int, list[tuple[Segment, Peak]]] = defaultdict(list)
        for segment in analysis.segments:
            for peak in segment.peaks:
                self._peaks[peak.pts].append((segment, peak))
        self._moving = {
            segment.id: (segment, moving[segment.id], read_segment_maps(moving[segment.id]).frames)
            for segment in analysis.segments
            if segment.id in moving
        }
        self._inset: Inset | None = None
        self._drawn, self._animated = 0, 0

    def run(self, progress: ReportShare | None) -> Annotated:
        first: int | None = None
        count = 0
        for frame, pts in self._reader.every_frame():
            if first is None:
                first = pts
                layout = self._layout(frame)
                panel = Panel(
                    self._analysis, self._lanes, layout, self._sound.state, animated=bool(self._moving)
                )
                writer = self._writer(layout)
                self._sound.begin(self._container, first * self._reader.time_base)
            if self._reader.clock_restarts and self._sound.is_copied:
                raise SoundRefused  # only the times of pictures continue after a restart
            moment = (pts - first) * self._reader.time_base
            image = self._drawing(frame, pts, float(moment), count, layout, panel)
            picture = self._to_yuv.reformat(
                av.VideoFrame.from_ndarray(image, format="rgb24"),
                format="yuv420p",
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
            )
            writer.write(picture, moment)
            self._sound.until(self._container, moment)
            count += 1
            if progress is not None and self._analysis.media.duration:
                progress(min(1.0, float(moment) / self._analysis.media.duration))
        if first is None:
            raise MediaError("Not one frame could be decoded: the file is damaged.")
        writer.finish()
        self._sound.until(self._container, None)
        peak_count = sum(len(peaks) for peaks in self._peaks.values())
        missing = peak_count - self._drawn
        return Annotated(count, self._drawn, missing, self._animated, self._sound.state)

    def _layout(self, frame: av.VideoFrame) -> FrameLayout:
        if _changes_size(self._analysis):
            media = self._analysis.media
            return self._arrange(media.width, media.height, Fraction(1))
        is_turned = self._reader.orientation(frame)[0] % 2
        width, height = (frame.height, frame.width) if is_turned else (frame.width, frame.height)
        aspect = 1 / self._reader.pixel_aspect if is_turned else self._reader.pixel_aspect
        return self._arrange(width, height, aspect)

    def _arrange(self, width: int, height: int, aspect: Fraction) -> FrameLayout:
        voices = len(build_voice_lanes(self._analysis))
        with_maps = bool(self._maps or self._moving)
        return arrange(width, height, aspect, len(self._lanes), with_maps, voices)

    def _writer(self, layout: FrameLayout) -> H264Writer:
        return H264Writer(
            self._container,
            (layout.width, layout.height),
            self._reader.frame_rate or Fraction(25),
            _X264,
            clock=mp4_time_base(self._reader.time_base),
            colours=BT709,
        )

    def _drawing(
        self, frame: av.VideoFrame, pts: int, time: float, number: int, layout: FrameLayout, panel: Panel
    ) -> Image:
        """Return the annotated frame; its picture contains only data of this frame."""
        area = layout.picture
        upright = self._upright(frame, layout)
        # Boxes refer to the analysed frames; earlier versions did not convert these to square pixels.
        size = (self._analysis.media.width, self._analysis.media.height)
        image = panel.frame(time, number, pts)
        image[area.y : area.bottom, area.x : area.right] = upright
        moving = list(self._moving_at(time))
        for segment, heatmap, folder in moving:
            if (layer := _map(folder / heatmap.map)) is not None:
                left, top, right, bottom = place_box(heatmap.part, area, size)
                draw_heat(image, layer, Rect(left, top, right - left, bottom - top))
                self._inset = self._enlarged(image, heatmap.part, _HEAD_ROOM, segment, time, area)
        self._animated += bool(moving)
        for segment, peak in self._peaks.get(pts, ()):
            layer = _map(self._maps.get(peak.map or ""))
            if layer is None:
                continue
            self._drawn += 1
            if segment.id not in self._moving:
                draw_heat(image, layer, area)
                self._inset = self._enlarged(image, peak.box, FACE_ROOM, segment, time, area)
        faces = (lane.at(time) for lane in self._lanes)
        draw_faces(image, (face for face in faces if face is not None), area, size)
        panel.add_inset(image, self._inset, time)
        return image

    def _enlarged(
        self, image: Image, box: Box, room: float, segment: Segment, time: float, area: Rect
    ) -> Inset:
        """Return the inset of the face at ``box``, over which a heatmap was drawn at ``time``."""
        size = (self._analysis.media.width, self._analysis.media.height)
        picture = crop_face(image, place_box(box, area, size), area, room)
        return Inset(picture, f"Heatmap {segment.id} {timecode(time)}", time)

    def _moving_at(self, time: float) -> Iterator[tuple[Segment, FrameMap, Path]]:
        """Yield each animated segment, its nearest heatmap, and the folder of the picture."""
        for segment, folder, heatmaps in self._moving.values():
            if heatmaps and segment.start <= time <= segment.end:
                nearest = min(heatmaps, key=lambda heatmap: abs(heatmap.time - time))
                if abs(nearest.time - time) <= STALE:
                    yield segment, nearest, folder

    def _upright(self, frame: av.VideoFrame, layout: FrameLayout) -> Image:
        """Return the frame upright, in RGB and at its final size."""
        width, height = layout.picture.width, layout.picture.height
        if _changes_size(self._analysis):
            return self._reader.upright(frame, (width, height))
        turns, is_mirrored = self._reader.orientation(frame)
        if turns % 2:
            width, height = height, width
        guess = Colorspace.ITU709 if frame.height >= _HIGH_DEFINITION else Colorspace.ITU601
        needs_guess = frame.colorspace in (0, 2) and not frame.format.is_rgb
        if self._reader.is_converted(frame):
            frame = av.VideoFrame.from_ndarray(self._reader.rgb(frame, width, height), format="rgb24")
            needs_guess = False
        small = self._to_rgb.reformat(
            frame, width=width, height=height, format="rgb24", src_colorspace=guess if needs_guess else None
        ).to_ndarray()
        if is_mirrored:
            small = small[:, ::-1]
        return np.rot90(small, -turns)


def _changes_size(analysis: Analysis) -> bool:
    picture = analysis.media.picture
    return bool(picture and picture.sizes)


def _map(path: Path | None) -> NDArray[np.uint8] | None:
    """Read a stored heatmap as RGBA; None if it cannot be read."""
    try:
        data = path.read_bytes() if path else b""
    except OSError:
        return None
    if not data.startswith(_PNG) or len(data) < 24:
        return None
    width, height = struct.unpack(">II", data[16:24])
    if width * height > _MOST_MAP_PIXELS:
        return None
    layer = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if layer is None or layer.ndim != 3 or layer.shape[2] != 4 or layer.dtype != np.uint8:
        return None
    return cv2.cvtColor(layer, cv2.COLOR_BGRA2RGBA)


def _network_for_voices(analysis: Analysis) -> str:
    if analysis.voice is None:
        return ""
    return f"Network for voices {analysis.voice.model.name}, SHA-256 {analysis.voice.model.sha256}. "


def _about(analysis: Analysis, sound: str) -> dict[str, str]:
    return {
        "title": "Derived picture, not the exhibit",
        "comment": (
            f"Findings of Reelproof {analysis.software.reelproof} drawn into the exhibit with SHA-256 "
            f"{analysis.media.sha256}. Model {analysis.model.name}, SHA-256 {analysis.model.sha256}. "
            f"{_network_for_voices(analysis)}Sound: {sound}."
        ),
    }
