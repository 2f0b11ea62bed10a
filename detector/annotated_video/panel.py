"""Draw header and panel of annotated frames: title, time, and scores of faces and voice over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from detector.annotated_video.drawing import (
    BLACK,
    COLOURS,
    INSET,
    MARGIN,
    WHITE,
    Colour,
    DrawnLane,
    FaceState,
    FrameLayout,
    Rect,
    VoiceLane,
    bold_text_width,
    build_voice_lanes,
    fit_text,
    hatch,
    text_width,
    write,
    write_bold,
)
from detector.media.frame import Image
from detector.schema.analysis import Analysis, Segment
from detector.schema.formatting import probability, timecode
from detector.schema.voice import VoiceSegment

INSET_SECONDS = 2.0
_GAP_STEPS = 2.5  # samples further apart are not joined by a line
_BACK: Colour = (24, 27, 32)
_PLOT: Colour = (38, 43, 50)
_QUIET: Colour = (170, 178, 189)
_NOTE_BACK: Colour = (250, 214, 90)
_AFTER_PEAK = ("Heatmaps show", "here after their", "peak frame")  # where there is none yet
_NOTE = "DERIVED PICTURE, NOT THE EXHIBIT"


FACE_ROOM = 1.5  # side of the inset's part in sizes of the face's box


@dataclass(frozen=True)
class Inset:
    """A heatmap drawn into this or an earlier frame."""

    picture: Image
    caption: str
    time: float


def shown_lanes(lanes: tuple[DrawnLane, ...], most: int) -> tuple[DrawnLane, ...]:
    """Return the persons with a row of scores: flagged ones first, then in the analysis's order."""
    flagged = [lane for lane in lanes if lane.segments]
    return (*flagged, *(lane for lane in lanes if not lane.segments))[:most]


class Panel:
    """Draws header and panel of every frame of one video."""

    def __init__(
        self,
        analysis: Analysis,
        lanes: tuple[DrawnLane, ...],
        layout: FrameLayout,
        sound: str,
        *,
        animated: bool = False,
    ) -> None:
        self._layout = layout
        self._duration = analysis.media.duration
        self._enter = analysis.parameters.enter_threshold
        self._step = 1 / analysis.parameters.sample_rate
        self._voices = build_voice_lanes(analysis)
        self._base: Image = np.full((layout.height, layout.width, 3), 0, np.uint8)
        self._base[layout.clock.y :] = _BACK
        persons = layout.lanes - len(self._voices)
        visible = shown_lanes(lanes, persons)
        base, header = self._base, self._layout.header
        base[header.y : header.bottom] = _NOTE_BACK
        write_bold(base, _NOTE, MARGIN, 23, 19, BLACK)
        after = MARGIN + bold_text_width(_NOTE, 19) + 16
        name = "".join(c if c.isprintable() else "?" for c in analysis.media.file)
        write(base, fit_text(name, header.width - MARGIN - after, 15), after, 23, 15, BLACK)
        text = (
            f"Exhibit SHA-256 {analysis.media.sha256[:16]}…   Model {analysis.model.name}   "
            f"Reelproof {analysis.software.reelproof}"
        )
        write(base, fit_text(text, header.width - 2 * MARGIN, 15), MARGIN, 44, 15, BLACK)
        for row, lane in enumerate(visible):
            self._lane(lane, row)
        for row, voice in enumerate(self._voices, start=persons):
            area = layout.lane(row)
            windows = zip(voice.times, voice.smoothed, strict=True)
            lines = joined(((time, score, 0) for time, score in windows), _GAP_STEPS * voice.step)
            self._scores(area, lines, voice.segments, voice.enter)
            self._write_name(base, voice, area)
        if not visible and not self._voices:
            write(self._base, "No face was found.", MARGIN, layout.strip.y + 22, 15, _QUIET)
        self._foot(len(lanes) - len(visible), not visible)
        self._sound = sound
        self._no_heatmap = ("Heatmaps show", "here in", "segments") if animated else _AFTER_PEAK

    def frame(self, time: float, number: int, pts: int) -> Image:
        """Return a frame without its picture and inset; ``number`` counts decoded frames from 0."""
        image = self._base.copy()
        layout = self._layout
        baseline = layout.clock.y + 24
        write_bold(image, timecode(time), MARGIN, baseline, 21, WHITE)
        text = f"frame {number:,}   PTS {pts}"
        left = MARGIN + 166
        write(image, text, left, baseline, 15, _QUIET)
        room = layout.width - MARGIN - left - text_width(text, 15) - 20
        sound = fit_text(f"Sound: {self._sound}", room, 15)
        write(image, sound, layout.width - MARGIN - text_width(sound, 15), baseline, 15, _QUIET)
        for row, voice in enumerate(self._voices, start=layout.lanes - len(self._voices)):
            self._write_voice(image, voice, layout.lane(row), time)
        if layout.lanes:
            self._playhead(image, layout.across(time, self._duration))
        return image

    def add_inset(self, image: Image, inset: Inset | None, time: float) -> None:
        """Draw the last peak frame's heatmap with its time beside the scores."""
        place = self._layout.inset
        if place is None:
            return
        if inset is None or time - inset.time > INSET_SECONDS:
            image[place.y : place.bottom, place.x : place.right] = _PLOT
            for row, words in enumerate(self._no_heatmap):
                write(image, words, place.x + 10, place.y + 54 + 18 * row, 13, _QUIET)
            return
        image[place.y : place.bottom, place.x : place.right] = inset.picture
        cv2.rectangle(
            image, (place.x, place.y), (place.right - 1, place.bottom - 1), COLOURS[FaceState.FLAGGED], 2
        )
        caption = fit_text(inset.caption, INSET + MARGIN, 12)
        write(image, caption, place.right - text_width(caption, 12), place.bottom + 13, 12, WHITE)

    @staticmethod
    def _write_name(image: Image, voice: VoiceLane, area: Rect, colour: Colour = WHITE) -> None:
        name = fit_text(voice.name, area.x - MARGIN - 4, 14)
        write(image, name, MARGIN, area.y + area.height // 2 - 2, 14, colour)

    def _write_voice(self, image: Image, voice: VoiceLane, area: Rect, time: float) -> None:
        """Write the voice's score at this moment below its name, and mark the name of a flagged one."""
        score, segment, state = voice.at(time)
        middle = area.y + area.height // 2
        if segment is not None:
            self._write_name(image, voice, area, COLOURS[state])
        words = "no score" if score is None else probability(score, voice.enter)
        write(image, fit_text(words, area.x - MARGIN - 4, 13), MARGIN, middle + 13, 13, COLOURS[state])

    def _lane(self, lane: DrawnLane, row: int) -> None:
        area = self._layout.lane(row)
        name = fit_text(f"Person {lane.person}", area.x - MARGIN - 4, 14)
        write(self._base, name, MARGIN, area.y + area.height // 2 + 5, 14)
        judged = ~np.isnan(lane.smoothed)
        scores = zip(lane.times[judged], lane.smoothed[judged], lane.tracks[judged], strict=True)
        self._scores(area, joined(scores, _GAP_STEPS * self._step), lane.segments, self._enter)

    def _scores(
        self,
        area: Rect,
        lines: Iterable[Sequence[tuple[float, float]]],
        segments: Sequence[Segment | VoiceSegment],
        threshold: float,
    ) -> None:
        """Draw flagged segments, the threshold that opens one, and ``lines`` of times and scores."""
        base = self._base
        base[area.y : area.bottom, area.x : area.right] = _PLOT
        for segment in segments:
            left = self._layout.across(segment.start, self._duration)
            right = self._layout.across(segment.end, self._duration)
            left = min(left, area.right - 4)
            hatch(base, Rect(left, area.y, max(right - left + 1, 4), area.height), COLOURS[FaceState.FLAGGED])
        enter = self._height(area, threshold)
        for x in range(area.x, area.right, 10):
            cv2.line(base, (x, enter), (min(x + 4, area.right - 1), enter), _QUIET, 1)
        for line in lines:
            points = [
                (self._layout.across(time, self._duration), self._height(area, score)) for time, score in line
            ]
            if len(points) == 1:
                cv2.circle(base, points[0], 2, WHITE, cv2.FILLED, cv2.LINE_AA)
                continue
            cv2.polylines(base, [np.array(points, np.int32)], False, BLACK, 4, cv2.LINE_AA)
            cv2.polylines(base, [np.array(points, np.int32)], False, WHITE, 2, cv2.LINE_AA)
        for segment in segments:
            left = min(
                self._layout.across(segment.start, self._duration) + 4,
                area.right - text_width(segment.id, 13) - 6,
            )
            wide = text_width(segment.id, 13)
            cv2.rectangle(base, (left - 2, area.y + 1), (left + wide + 3, area.y + 15), BLACK, cv2.FILLED)
            write(base, segment.id, left, area.y + 13, 13, COLOURS[FaceState.FLAGGED])

    def _height(self, area: Rect, score: float) -> int:
        return area.bottom - 2 - round(score * (area.height - 4))

    def _foot(self, more: int, no_face: bool) -> None:
        base, layout = self._base, self._layout
        strip, foot = layout.strip, layout.foot
        start, end = timecode(0), timecode(self._duration)
        write(base, start, strip.x, strip.bottom + 13, 12, _QUIET)
        write(base, end, strip.right - text_width(end, 12), strip.bottom + 13, 12, _QUIET)
        of_voice = f" (voice {self._voices[0].enter:g})" if self._voices else ""
        dashed = f"dashed: {self._enter:g}{of_voice}, opens a segment"
        words = ["Line: score, 0 to 1", dashed, "hatched: flagged"]
        if no_face and self._voices:
            words.append("no face was found")
        if more:
            words.append(f"{more} more person{'s' if more > 1 else ''}")
        text = fit_text("   ".join(words), layout.width - 2 * MARGIN, 13)
        write(base, text, MARGIN, foot.bottom - 10, 13, _QUIET)

    def _playhead(self, image: Image, x: int) -> None:
        strip = self._layout.strip
        cv2.line(image, (x, strip.y - 3), (x, strip.bottom), BLACK, 4)
        cv2.line(image, (x, strip.y - 3), (x, strip.bottom), WHITE, 2)
        marker = np.array([(x - 6, strip.y - 8), (x + 7, strip.y - 8), (x, strip.y)], np.int32)
        cv2.fillPoly(image, [marker], WHITE)


def joined(scores: Iterable[tuple[float, float, int]], most_gap: float) -> list[list[tuple[float, float]]]:
    """Split ``scores`` (time, score and track in order of time) into lines without gaps or cuts."""
    lines: list[list[tuple[float, float]]] = []
    last: tuple[float, int] | None = None
    for time, score, track in scores:
        if last is None or track != last[1] or time - last[0] > most_gap:
            lines.append([])
        lines[-1].append((float(time), float(score)))
        last = (time, int(track))
    return lines


def crop_face(image: Image, box: tuple[int, int, int, int], picture: Rect, room: float = FACE_ROOM) -> Image:
    """Return the square around ``box`` in an annotated frame, ``room`` times as wide."""
    left, top, right, bottom = box
    side = min(max(right - left, bottom - top, 16) * room, picture.width, picture.height)
    x = min(max((left + right - side) / 2, picture.x), picture.right - side)
    y = min(max((top + bottom - side) / 2, picture.y), picture.bottom - side)
    part = image[round(y) : round(y + side), round(x) : round(x + side)]
    smaller = side > INSET
    return cv2.resize(part, (INSET, INSET), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
