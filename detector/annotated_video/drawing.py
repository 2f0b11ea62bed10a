"""Lay out annotated frames and draw boxes, labels, heatmaps and text into them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.media.frame import Image
from detector.schema.analysis import Analysis, Box, Person, Segment
from detector.schema.formatting import probability
from detector.schema.voice import ChannelFinding, Voice, VoiceSegment, VoiceVerdict
from detector.verdict.finding import finding_of

LONGEST_SIDE = 1280  # px of the picture
LEAST_WIDTH = 640  # px of the whole, so that the header is legible
_MOST_ENLARGED = 4
MOST_LANES = 6
_LANE, _TALLEST_LANE = 34, 60  # px; height of the scores of one person, or of the voice
_HEADER = 54
_CLOCK = 42  # the panel's first row, with room for the top of the playhead
_FOOT = 46  # the axis and the legend
INSET = 132  # side of the last heatmap, shown beside the scores
LABEL_COLUMN = 78  # column of names left of the scores
MARGIN = 14


@dataclass(frozen=True)
class Rect:
    """A rectangle in px of the annotated frame."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    def meets(self, other: Rect) -> bool:
        """Check whether two rectangles share a pixel."""
        return (
            self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom
        )


@dataclass(frozen=True)
class FrameLayout:
    """The parts of an annotated frame. All sides of the whole are even, as 4:2:0 requires."""

    width: int
    height: int
    header: Rect
    picture: Rect
    clock: Rect
    strip: Rect  # the plot of scores, ``lanes`` one below the other
    inset: Rect | None
    foot: Rect
    lanes: int

    def lane(self, row: int) -> Rect:
        """The part of the strip for the scores of one person or of the voice, with a gap to the next."""
        top = self.strip.y + row * self.strip.height // self.lanes
        bottom = self.strip.y + (row + 1) * self.strip.height // self.lanes
        return Rect(self.strip.x, top + 2, self.strip.width, bottom - top - 5)

    def across(self, time: float, duration: float) -> int:
        """Return the column of a time on the strip."""
        share = min(max(time / duration, 0.0), 1.0) if duration > 0 else 0.0
        return self.strip.x + round(share * (self.strip.width - 1))


def arrange(
    width: int, height: int, pixel_aspect: Fraction, persons: int, heatmaps: bool, voices: int = 0
) -> FrameLayout:
    """Lay out a frame of ``width`` × ``height`` pixels of that shape, with ``voices`` rows of voices.

    Pictures are scaled down to 1280 px on their longer side; small ones up to four times larger.
    """
    # Pixels that are not square are widened, never squeezed: no row is lost.
    real_width = float(width * max(pixel_aspect, Fraction(1)))
    real_height = float(height / min(pixel_aspect, Fraction(1)))
    scale = min(_MOST_ENLARGED, max(1.0, LEAST_WIDTH / real_width))
    scale = min(scale, LONGEST_SIDE / max(real_width, real_height))
    picture_width, picture_height = max(2, round(real_width * scale)), max(2, round(real_height * scale))
    width_total = max(LEAST_WIDTH, picture_width + picture_width % 2)
    lane_count = min(persons, MOST_LANES) + voices
    least = max(1, lane_count) * _LANE
    body = max(least, INSET) if heatmaps else least
    strip_height = min(body, max(1, lane_count) * _TALLEST_LANE)
    panel = _HEADER + picture_height
    right = width_total - MARGIN - (INSET + MARGIN if heatmaps else 0)
    strip = Rect(LABEL_COLUMN, panel + _CLOCK, right - LABEL_COLUMN, strip_height)
    bottom = panel + _CLOCK + body
    total = bottom + _FOOT
    return FrameLayout(
        width=width_total,
        height=total + total % 2,
        header=Rect(0, 0, width_total, _HEADER),
        picture=Rect((width_total - picture_width) // 2, _HEADER, picture_width, picture_height),
        clock=Rect(0, panel, width_total, _CLOCK),
        strip=strip,
        inset=Rect(width_total - MARGIN - INSET, panel + _CLOCK, INSET, INSET) if heatmaps else None,
        foot=Rect(0, bottom, width_total, _FOOT),
        lanes=lane_count,
    )


STALE = 0.3  # seconds; boxes are not interpolated over longer gaps
_EXACT = 1e-3  # seconds; closer to a judged frame its own box is used
_ROUNDING = 1e-6


class FaceState(Enum):
    """The state of a face at one moment; each has its own line style."""

    FLAGGED = "flagged"
    RAISED = "raised"  # at or above the exit threshold, outside segments
    LOW = "low"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True)
class DrawnFace:
    """One person's face at one moment."""

    person: str
    box: Box
    score: float | None  # smoothed, of the nearest judged frame; None if unusable
    segment: str | None
    state: FaceState

    @property
    def words(self) -> str:
        """The label beside the box, which repeats what its colour means."""
        flagged = "" if self.segment is None else f", flagged {self.segment}"
        return f"Person {self.person}: {probability(self.score)}{flagged}"


class DrawnLane:
    """One person through time, as arrays over that person's scores."""

    def __init__(self, person: Person, segments: tuple[Segment, ...], exit_threshold: float) -> None:
        self.person = person.id
        self.segments = tuple(segment for segment in segments if segment.person == person.id)
        self.times = person.scores.time
        self.tracks = person.scores.track
        self.boxes = person.scores.box
        self.smoothed = person.scores.smoothed
        self._exit = exit_threshold

    def at(self, time: float) -> DrawnFace | None:
        """Return the face at ``time`` in seconds; None if it is not visible."""
        place = self.box_at(time)
        if place is None:
            return None
        index, box = place
        score = None if np.isnan(self.smoothed[index]) else float(self.smoothed[index])
        segment = next((s.id for s in self.segments if s.start <= time <= s.end), None)
        if segment is not None:
            state = FaceState.FLAGGED
        elif score is None:
            state = FaceState.NOT_JUDGED
        else:
            state = FaceState.RAISED if score >= self._exit else FaceState.LOW
        return DrawnFace(self.person, box, score, segment, state)

    def box_at(self, time: float) -> tuple[int, Box] | None:
        """Return the nearest score and the linearly interpolated box."""
        times, count = self.times, len(self.times)
        after = int(np.searchsorted(times, time - _ROUNDING, side="left"))
        if after < count and times[after] - time < _EXACT:
            return after, self._box(after)
        before = after - 1
        if before < 0:
            return None
        if (
            after >= count
            or self.tracks[before] != self.tracks[after]
            or times[after] - times[before] > STALE
        ):
            return (before, self._box(before)) if time - times[before] < STALE / 2 else None
        share = (time - times[before]) / (times[after] - times[before])
        left, top, right, bottom = self.boxes[before] + share * (self.boxes[after] - self.boxes[before])
        return before if share < 0.5 else after, (float(left), float(top), float(right), float(bottom))

    def _box(self, index: int) -> Box:
        left, top, right, bottom = map(float, self.boxes[index])
        return left, top, right, bottom


def build_lanes(analysis: Analysis) -> tuple[DrawnLane, ...]:
    """Build a lane for each person, in the analysis's order."""
    leave = analysis.parameters.exit_threshold
    segments = finding_of(analysis).flagged
    return tuple(DrawnLane(person, segments, leave) for person in analysis.persons)


class VoiceLane:
    """The voice through time, or that of channels judged for themselves, as arrays over judged windows."""

    def __init__(self, voice: Voice, finding: ChannelFinding) -> None:
        self.name = f"Voice {'/'.join(map(str, finding.channels))}".strip()
        self.segments = [segment for segment in voice.segments_of(finding) if segment.flagged]
        self.enter = finding.scores.enter
        self.step = finding.scores.step
        self.times = np.array(finding.scores.time)
        self.smoothed = np.array(finding.scores.smoothed)
        self._leave = finding.scores.leave

    def at(self, time: float) -> tuple[float | None, VoiceSegment | None, FaceState]:
        """Return score, flagged segment and state at ``time`` in seconds.

        The score is that of the nearest window whose middle is a step away at most; None without such.
        """
        segment = next((segment for segment in self.segments if segment.start <= time <= segment.end), None)
        score = None
        if len(self.times):
            nearest = int(np.abs(self.times - time).argmin())
            if abs(self.times[nearest] - time) <= self.step:
                score = float(self.smoothed[nearest])
        if segment is not None:
            return score, segment, FaceState.FLAGGED
        if score is None:
            return None, None, FaceState.NOT_JUDGED
        return score, None, FaceState.RAISED if score >= self._leave else FaceState.LOW


def build_voice_lanes(analysis: Analysis) -> tuple[VoiceLane, ...]:
    """Build the lane of the voice, or one for each channel with speech that was judged for itself.

    None of them if the exhibit has no sound, or sound was not examined.
    """
    voice = analysis.voice
    if voice is None or voice.stream is None:
        return ()
    return tuple(
        VoiceLane(voice, finding)
        for finding in voice.findings
        if finding is voice or finding.verdict is not VoiceVerdict.NO_SPEECH
    )


Colour = tuple[int, int, int]  # RGB
BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)
# As on the review desk.
COLOURS: dict[FaceState, Colour] = {
    FaceState.FLAGGED: (255, 122, 92),
    FaceState.RAISED: (242, 193, 78),
    FaceState.LOW: (127, 178, 238),
    FaceState.NOT_JUDGED: (195, 201, 209),
}
# (drawn, skipped) px; the line of flagged faces is solid, thick and doubled.
_DASHES: dict[FaceState, tuple[int, int] | None] = {
    FaceState.FLAGGED: None,
    FaceState.RAISED: (12, 8),
    FaceState.LOW: None,
    FaceState.NOT_JUDGED: (2, 10),
}
_OPACITY = 0.75  # of a heatmap, as in the stored overlays
# Fonts inside OpenCV: one with the letters of most scripts, one that can be bold.
_FONT, _BOLD = cv2.FontFace("uni"), cv2.FontFace("sans")
# Characters without a glyph (Unicode's Default_Ignorable_Code_Point), which OpenCV draws as ?.
_IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_PLATE: Colour = (12, 14, 17)
_HATCH = 8  # px between diagonals


def write(image: Image, text: str, x: int, baseline: int, size: int, colour: Colour = WHITE) -> None:
    """Draw one line of text starting at ``x``."""
    cv2.putText(image, _IGNORABLE.sub("", text), (x, baseline), colour, _FONT, size)


def write_bold(image: Image, text: str, x: int, baseline: int, size: int, colour: Colour) -> None:
    """Draw one bold line of the program's own words."""
    cv2.putText(image, text, (x, baseline), colour, _BOLD, size, 700)


def text_width(text: str, size: int) -> int:
    """Return the width of a line of text in px."""
    visible = _IGNORABLE.sub("", text)
    left, _, wide, _ = cv2.getTextSize((1 << 14, 1 << 10), visible, (0, 0), _FONT, size)
    return int(left + wide)


def bold_text_width(text: str, size: int) -> int:
    """Return the width of a line of :func:`write_bold`."""
    left, _, wide, _ = cv2.getTextSize((1 << 14, 1 << 10), text, (0, 0), _BOLD, size, 700)
    return int(left + wide)


def fit_text(text: str, room: int, size: int) -> str:
    """Cut ``text`` to ``room`` px with an ellipsis if needed."""
    if text_width(text, size) <= room:
        return text
    while text and text_width(text + "…", size) > room:
        text = text[:-1]
    return text + "…"


def place_box(box: Box, picture: Rect, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Convert a box from frame pixels to the annotated frame; ``size`` is the frame's width and height."""
    across, down = picture.width / size[0], picture.height / size[1]
    left, top, right, bottom = box
    return (
        picture.x + round(left * across),
        picture.y + round(top * down),
        picture.x + round(right * across),
        picture.y + round(bottom * down),
    )


def draw_faces(image: Image, faces: Iterable[DrawnFace], picture: Rect, size: tuple[int, int]) -> None:
    """Draw boxes, then labels, inside the picture; ``size`` is as for :func:`place_box`."""
    part = image[picture.y : picture.bottom, picture.x : picture.right]
    inner = Rect(0, 0, picture.width, picture.height)
    boxes = [(face, place_box(face.box, inner, size)) for face in faces]
    # Draw flagged faces on top, and place their labels first.
    boxes.sort(key=lambda item: item[0].state is FaceState.FLAGGED)
    for face, (left, top, right, bottom) in boxes:
        colour, flagged = COLOURS[face.state], face.state is FaceState.FLAGGED
        # A dark line below the coloured one is visible on any background.
        _rectangle(part, left, top, right, bottom, BLACK, 7 if flagged else 5, None)
        _rectangle(part, left, top, right, bottom, colour, 3 if flagged else 2, _DASHES[face.state])
        if flagged:
            _rectangle(part, left - 7, top - 7, right + 7, bottom + 7, BLACK, 4, None)
            _rectangle(part, left - 7, top - 7, right + 7, bottom + 7, colour, 2, None)
    plates: list[Rect] = []
    for face, box in reversed(boxes):
        plates.append(_label(part, face, box, plates))


def _label(part: Image, face: DrawnFace, box: tuple[int, int, int, int], taken: list[Rect]) -> Rect:
    """Draw the label of a face on a dark plate: above its box, else below or inside, clear of ``taken``."""
    height, width = part.shape[:2]
    size, tall = 16, 22
    text = fit_text(face.words, max(width - 12, 40), size)
    wide = text_width(text, size) + 12
    gap = 10 if face.state is FaceState.FLAGGED else 4
    left = min(max(box[0] - gap + 3, 0), max(0, width - wide))
    tops = (box[1] - gap - tall, box[3] + gap, box[1] + gap, box[3] - gap - tall, box[1] - gap - 2 * tall)
    plates = [Rect(left, top, wide, tall) for top in tops if 0 <= top <= height - tall]
    free = [plate_option for plate_option in plates if not any(plate_option.meets(other) for other in taken)]
    plate = (free or plates or [Rect(left, 0, wide, tall)])[0]
    cv2.rectangle(part, (plate.x, plate.y), (plate.right - 1, plate.bottom - 1), _PLATE, cv2.FILLED)
    write(part, text, plate.x + 6, plate.y + 16, size, COLOURS[face.state])
    return plate


def _rectangle(
    image: Image,
    left: int,
    top: int,
    right: int,
    bottom: int,
    colour: Colour,
    thickness: int,
    dash: tuple[int, int] | None,
) -> None:
    if dash is None:
        cv2.rectangle(image, (left, top), (right, bottom), colour, thickness)
        return
    for x0, y0, x1, y1 in ((left, top, right, top), (left, bottom, right, bottom)):
        for start in range(x0, x1, sum(dash)):
            cv2.line(image, (start, y0), (min(start + dash[0], x1), y1), colour, thickness)
    for x0, y0, x1, y1 in ((left, top, left, bottom), (right, top, right, bottom)):
        for start in range(y0, y1, sum(dash)):
            cv2.line(image, (x0, start), (x1, min(start + dash[0], y1)), colour, thickness)


def draw_heat(image: Image, layer: NDArray[np.uint8], picture: Rect) -> None:
    """Lay a stored heatmap (RGBA, transparent where cold) over the picture."""
    part = image[picture.y : picture.bottom, picture.x : picture.right]
    if layer.shape[:2] != part.shape[:2]:
        layer = cv2.resize(layer, (picture.width, picture.height), interpolation=cv2.INTER_LINEAR)
    weight = _OPACITY / 255 * layer[..., 3:].astype(np.float32)
    part[:] = np.clip(part * (1 - weight) + layer[..., :3] * weight + 0.5, 0, 255).astype(np.uint8)


def hatch(image: Image, area: Rect, colour: Colour) -> None:
    """Draw diagonals in ``area`` and lines at its ends, the mark of a flagged segment."""
    part = image[area.y : area.bottom, area.x : area.right]
    height, width = part.shape[:2]
    offset = -(area.x % _HATCH)  # so that neighbouring bands line up
    for start in range(offset - height, width + _HATCH, _HATCH):
        cv2.line(part, (start, height - 1), (start + height - 1, 0), colour, 1, cv2.LINE_AA)
    cv2.line(part, (0, 0), (0, height - 1), colour, 2)
    cv2.line(part, (width - 1, 0), (width - 1, height - 1), colour, 2)
