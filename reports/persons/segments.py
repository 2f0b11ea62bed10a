"""Rows of the person table, and segments with their figures and peak frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from detector.schema.analysis import Analysis, Box, CloseUp, Peak, Person, Segment
from detector.schema.causes.cause import render
from detector.verdict.finding import finding_of
from language import formatting
from language.formatting import grouped, plural, shown, time_span, timecode
from language.translation import WORDS, Quoted, gettext, ngettext
from reports.inputs.pictures import Shares, ShownPicture, find_picture
from reports.wording.heatmaps import SEQUENCES, HidingView, check_words, hiding_view
from reports.wording.intervals import ProbabilityInterval, below_threshold, segment_interval
from reports.wording.sections import Fact
from reports.wording.verbal_scale import flagged_phrase, kind_of, segment_phrase
from reports.wording.verdict_sentence import second_look, segment_name


@dataclass(frozen=True)
class PersonView:
    """One row of the person table; ``segments`` are the flagged ones.

    ``altered`` and ``synthesised`` are the two answers about a photo, if the model ``answered`` both.
    """

    name: str
    screen_time: str
    usable_frames: str
    figure: str
    strength: str
    position: str
    segments: tuple[str, ...]
    second_look: str
    answered: bool
    altered: str
    synthesised: str
    kind: str


def person_view(analysis: Analysis, person: Person) -> PersonView:
    """Describe one person of ``analysis``."""
    still = analysis.media.still
    finding = finding_of(analysis).persons[person.id]
    segments = finding.flagged
    look = person.second_look
    if person.probability is None:
        phrase = gettext("not judged")
    elif segments:
        phrase = flagged_phrase(person.probability, kind_of(analysis))
    else:
        phrase = gettext("not flagged")
    return PersonView(
        name=gettext("Person %(id)s", id=person.id),
        screen_time=formatting.duration(person.screen_time),
        usable_frames=formatting.grouped(person.usable_frames),
        figure=formatting.probability(person.probability),
        strength=phrase,
        position=formatting.box(person.median_box),
        segments=segments,
        second_look="" if still else second_look(person),
        answered=look is not None,
        altered=formatting.probability(look.altered if look else None),
        synthesised=formatting.probability(look.synthesised if look else None),
        kind=str(finding.kind or "") if segments else "",
    )


_ROOM = 1.8  # side of an enlarged face in sizes of the face's box
_ENLARGED, _WHOLE = 720, 420  # px: 56 mm of paper at 300 dpi and more; a small picture


@dataclass(frozen=True)
class PeakView:
    """One peak frame: its pictures and the check of its heatmap.

    ``face`` and ``whole`` are what reports show: the enlarged face without heatmap, with it, and the heatmap
    alone; and the whole frame, in which the place is marked.
    """

    number: int
    time: str
    pts: str
    frame_index: str
    score: str
    heat: str
    position: str
    frame: ShownPicture
    overlay: ShownPicture
    map: ShownPicture
    face: tuple[ShownPicture, ShownPicture, ShownPicture]
    whole: ShownPicture
    near: tuple[ShownPicture, ShownPicture, ShownPicture] | None  # a small face at full size, as stored
    confirmed: bool
    effect: str
    check: HidingView | None

    @property
    def shown(self) -> tuple[ShownPicture, ...]:
        """Pictures in a report."""
        return *self.face, self.whole


@dataclass(frozen=True)
class BoundingFrame:
    """The first or last frame of a segment; unrecorded values are dashes."""

    name: str
    time: str
    frame_index: str
    pts: str


@dataclass(frozen=True)
class MomentView:
    """A face of a segment's film strip, or the same person's face at a calm moment."""

    time: str
    score: str
    inside: bool  # the segment
    picture: ShownPicture


@dataclass(frozen=True)
class SegmentView:
    """One segment, or one face of a still image."""

    id: str
    title: str
    person: str
    flagged: bool  # or looked at alone
    start: str
    end: str
    duration: str
    time_span: str
    confidence: str
    interval: str  # of the confidence
    strength: str
    frames: str
    scored: str  # how many these are, as part of a sentence
    bounds: tuple[BoundingFrame, ...]
    figures: tuple[Fact, ...]
    meaning: str
    peaks: tuple[PeakView, ...]
    calm: MomentView | None
    strip: tuple[MomentView, ...]

    @property
    def moments(self) -> tuple[ShownPicture, ...]:
        """Pictures of the calm moment and of the film strip."""
        return tuple(moment.picture for moment in (*self.strip, *filter(None, [self.calm])))


def segment_view(analysis: Analysis, segment: Segment, folder: Path) -> SegmentView:
    """Describe one segment; ``folder`` holds its pictures."""
    still = analysis.media.still
    interval = segment_interval(analysis, segment)
    flagged = segment.id in finding_of(analysis).flagged_ids
    words = segment_phrase(analysis, segment)
    return SegmentView(
        id=segment.id,
        title=segment_name(segment.id, still=still, flagged=flagged),
        person=segment.person,
        flagged=flagged,
        start=timecode(segment.start),
        end=timecode(segment.end),
        duration=formatting.duration(segment.end - segment.start),
        time_span=gettext("photograph") if still else time_span(segment.start, segment.end),
        confidence=formatting.probability(segment.confidence),
        interval=_ends(interval),
        strength=words,
        frames=grouped(segment.frames),
        scored=ngettext(
            "%(num)s frame scored", "%(num)s frames scored", segment.frames, num=grouped(segment.frames)
        ),
        bounds=() if still else _bounds(analysis, segment),
        figures=_figures(analysis, segment, interval, words),
        meaning=segment_meaning(analysis, segment) if flagged else _why_not(analysis, segment),
        peaks=tuple(
            _peak(analysis, segment, peak, index, folder) for index, peak in enumerate(segment.peaks, 1)
        ),
        calm=_calm(analysis, segment, folder),
        strip=_strip(segment, folder),
    )


# Seconds by which boundaries were off, median and mean, as measured on splices (docs/engine.md).
BOUNDARY_ERROR = 0.03, 0.11


def boundary_words(analysis: Analysis) -> str:
    """State how exact the boundaries of segments are; "" without segments."""
    if analysis.media.still or not analysis.segments:
        return ""
    if not analysis.coverage.frames_between:
        return gettext(
            "Segments begin and end with sampled frames, which are %(step)s s apart; the true boundaries may "
            "lie between or beyond them.",
            step=shown(1 / analysis.parameters.sample_rate, ".3g"),
        )
    median, mean = BOUNDARY_ERROR
    return gettext(
        "Segments begin and end with a frame, found among all frames around it. On four clips whose "
        "boundaries are known, these were off by %(median)s s in the median and by %(mean)s s on average.",
        median=shown(median, ".2f"),
        mean=shown(mean, ".2f"),
    )


def _calm(analysis: Analysis, segment: Segment, folder: Path) -> MomentView | None:
    calm, media = segment.calm, analysis.media
    if calm is None or calm.frame is None:
        return None
    time = timecode(calm.time)
    picture = find_picture(
        folder,
        calm.frame,
        gettext("Person %(person)s at a calm moment, %(time)s", person=segment.person, time=time),
        part=_around(calm.box, (0, 0, media.width, media.height)),
        width=_ENLARGED,
    )
    return MomentView(time, formatting.probability(calm.probability), False, picture)


def _strip(segment: Segment, folder: Path) -> tuple[MomentView, ...]:
    return tuple(
        MomentView(
            time=timecode(face.time),
            score=formatting.probability(face.probability),
            inside=segment.start <= face.time <= segment.end,
            picture=find_picture(
                folder,
                face.picture,
                gettext(
                    "Face of person %(person)s at %(time)s", person=segment.person, time=timecode(face.time)
                ),
            ),
        )
        for face in segment.strip
    )


def segment_meaning(analysis: Analysis, segment: Segment) -> str:
    """Explain the finding of one segment, or one flagged face, in a sentence for a court."""
    phrase = flagged_phrase(segment.confidence, kind_of(analysis))
    figure = formatting.probability(segment.confidence)
    if analysis.media.still:
        where, frames = gettext("In this photograph"), gettext("one picture")
    else:
        where = gettext("From %(start)s to %(end)s", start=timecode(segment.start), end=timecode(segment.end))
        frames = plural(segment.frames, "frame", "frames")
    return gettext(
        "%(where)s, the face of person %(person)s resembles the manipulated faces the model was trained "
        "on: %(phrase)s (score %(figure)s, from %(frames)s). The finding does not show "
        "what was changed, by whom or for what purpose, and it does not by itself prove that anything was "
        "changed.",
        where=where,
        person=segment.person,
        phrase=phrase,
        figure=figure,
        frames=frames,
    )


def _why_not(analysis: Analysis, segment: Segment) -> str:
    """Explain why a segment is not flagged."""
    doubts = finding_of(analysis).doubts[segment.id]
    return Quoted(" ".join(render(doubt, WORDS) for doubt in doubts))


def _bounds(analysis: Analysis, segment: Segment) -> tuple[BoundingFrame, ...]:
    """Return the first and last frame of a segment."""
    stamps = {
        time: str(pts)
        for person in analysis.persons
        if person.id == segment.person
        for time, pts in zip(person.scores.time.tolist(), person.scores.pts.tolist(), strict=True)
    }
    return tuple(
        BoundingFrame(name, timecode(time), _index(index), stamps.get(time, "–"))
        for name, time, index in (
            (gettext("Start"), segment.start, segment.start_frame),
            (gettext("End"), segment.end, segment.end_frame),
        )
    )


def _index(index: int | None) -> str:
    return "–" if index is None else grouped(index)


def _figures(
    analysis: Analysis, segment: Segment, interval: ProbabilityInterval | None, words: str
) -> tuple[Fact, ...]:
    """List the figures of a segment; ``words`` is its strength."""
    still = analysis.media.still
    name = gettext("Score")
    facts = [
        Fact(gettext("In words"), words),
        Fact(name, formatting.probability(segment.confidence)),
    ]
    if interval is not None:
        note = ". ".join(filter(None, (_made_from(interval), below_threshold(analysis, interval))))
        facts.append(Fact(gettext("Interval"), _ends(interval), note))
    if still:
        return tuple(facts)
    if segment.peaks:
        highest = formatting.probability(max(peak.probability for peak in segment.peaks))
        facts.append(Fact(gettext("Highest score"), highest, gettext("highest frame pictured")))
    facts.append(Fact(gettext("Frames scored"), grouped(segment.frames)))
    facts.append(Fact(gettext("Duration"), formatting.duration(segment.end - segment.start)))
    if (offset := formatting.player_offset(analysis.media)) is not None:
        span = time_span(segment.start + offset, segment.end + offset)
        facts.append(Fact(gettext("On a player's clock"), span))
    return tuple(facts)


def _ends(interval: ProbabilityInterval | None) -> str:
    if interval is None or interval.says_nothing:
        return gettext("not known")
    return formatting.from_to(formatting.probability(interval.low), formatting.probability(interval.high))


def _made_from(interval: ProbabilityInterval) -> str:
    sources = [gettext("too few independent moments for an interval")] if interval.says_nothing else []
    if interval.effective is not None and interval.frames is not None:
        sources.append(
            ngettext(
                "%(frames)s sampled moments worth %(effective)s independent one",
                "%(frames)s sampled moments worth %(effective)s independent ones",
                round(interval.effective),
                frames=shown(interval.frames, ","),
                effective=shown(interval.effective, ".0f"),
            )
        )
    if interval.calibration is not None:
        sources.append(
            gettext(
                "calibration error %(calibration)s",
                calibration=formatting.number(round(interval.calibration, 3)),
            )
        )
    return "; ".join(sources)


def _around(box: Box, whole: Box) -> Shares:
    """Return the square around the face at ``box`` in a picture of ``whole``, as far as that reaches."""
    x0, y0, x1, y1 = box
    start, upper, end, lower = whole
    width, height = end - start, lower - upper
    side = _ROOM * max(x1 - x0, y1 - y0)
    across, down = min(side, width), min(side, height)
    left = min(max((x0 + x1 - across) / 2 - start, 0.0), width - across)
    top = min(max((y0 + y1 - down) / 2 - upper, 0.0), height - down)
    return left / width, top / height, across / width, down / height


def _pictures(
    source: Peak | CloseUp, caption: str, folder: Path, part: Shares | None = None
) -> tuple[ShownPicture, ShownPicture, ShownPicture]:
    width = None if part is None else _ENLARGED
    return (
        find_picture(folder, source.frame, gettext("Frame, %(what)s", what=caption), part=part, width=width),
        find_picture(
            folder,
            source.overlay,
            gettext("Frame with heatmap, %(what)s", what=caption),
            part=part,
            width=width,
        ),
        find_picture(
            folder, source.map, gettext("Heatmap alone, %(what)s", what=caption), part=part, width=width
        ),
    )


def _peak(analysis: Analysis, segment: Segment, peak: Peak, index: int, folder: Path) -> PeakView:
    media, check = analysis.media, peak.check
    if media.still:
        caption = gettext("face %(id)s, person %(person)s", id=segment.id, person=segment.person)
    else:
        caption = gettext(
            "peak %(index)s of %(id)s at %(time)s, person %(person)s",
            index=index,
            id=segment.id,
            time=timecode(peak.time),
            person=segment.person,
        )
    stored = _pictures(peak, caption, folder)
    face = _pictures(peak, caption, folder, _around(peak.box, (0, 0, media.width, media.height)))
    near = None
    if peak.close_up:
        near = _pictures(peak.close_up, caption, folder, _around(peak.box, peak.close_up.part))
        if all(picture.path for picture in near):
            face = near
    x0, y0, x1, y1 = peak.box
    place = x0 / media.width, y0 / media.height, (x1 - x0) / media.width, (y1 - y0) / media.height
    whole = find_picture(
        folder,
        peak.frame,
        gettext("The whole picture with the face marked, %(what)s", what=caption),
        mark=place,
        width=_WHOLE,
    )
    return PeakView(
        number=index,
        time=timecode(peak.time),
        pts=str(peak.pts),
        frame_index=_index(peak.frame_index),
        score=formatting.probability(peak.probability),
        heat=shown(peak.heat, ".2f"),
        position=formatting.box(peak.box),
        frame=stored[0],
        overlay=stored[1],
        map=stored[2],
        face=face,
        whole=whole,
        near=near,
        confirmed=check is not None and check.confirmed,
        effect=(gettext(peak.no_map) if peak.no_map else "")
        if check is None
        else check_words(check, alone=not media.still and analysis.model.architecture in SEQUENCES),
        check=None if check is None else hiding_view(check),
    )
