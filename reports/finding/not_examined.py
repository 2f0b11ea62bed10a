"""What was not examined: sentences, and intervals of time."""

from __future__ import annotations

from dataclasses import dataclass

from detector.schema.analysis import Analysis, Coverage, Media, Span
from detector.schema.method import SURELY_FOUND
from detector.verdict.judged_persons import motionless_persons
from reports.language.formatting import plural, shown, timecode
from reports.language.translation import gettext
from reports.wording import photographs
from reports.wording.photographs import made_since
from reports.wording.verdict_sentence import person_list

# Before, the first frame of each interval alone was sampled, however long others stayed.
_ALL_THAT_STAYS = "1.18"


def not_examined(analysis: Analysis) -> tuple[str, ...]:
    """What was left out, apart from the stretches of time, in sentences."""
    media, coverage = analysis.media, analysis.coverage
    if media.still:
        return photographs.not_examined(analysis)
    return (
        _between_samples(analysis),
        *_shown_for_long(analysis),
        gettext("Sound: present, not examined.")
        if media.has_sound
        else gettext("Sound: the file has none; it would not have been examined."),
        *_other_tracks(media),
        *_lost_at_start(media),
        *photographs.under_transparency(media),
        _undecodable(media),
        *_from_damaged(analysis),
        *_lost_at_end(media),
        *_out_of_order(media),
        _unusable(coverage),
        *_too_small_to_be_found(analysis),
        *_without_score(analysis),
        *_stills(analysis),
        *_no_faces(coverage),
        gettext("Everything in the picture that is not a face."),
    )


def was_judged_from_damaged(analysis: Analysis) -> bool:
    """Whether frames that rest on damaged ones may have been judged, as before schema 1.19."""
    if made_since(analysis, "1.19") or analysis.media.still:
        return False
    timing = analysis.media.details.timing if analysis.media.details else None
    return bool(analysis.media.frames_undecodable or (timing is not None and timing.failures))


def is_seen_throughout(analysis: Analysis) -> bool:
    """Whether all that a video shows for longer than a sampling interval was sampled, where it decodes."""
    media = analysis.media
    if made_since(analysis, _ALL_THAT_STAYS) or not media.variable_frame_rate:
        return True
    timing = media.details.timing if media.details else None
    if timing is None or timing.least_interval is None or timing.greatest_interval is None:
        return False
    interval = 1 / analysis.parameters.sample_rate
    return timing.greatest_interval <= interval or timing.least_interval >= interval


def _between_samples(analysis: Analysis) -> str:
    media, coverage = analysis.media, analysis.coverage
    judged = ""
    if coverage.frames_between:
        judged = gettext(
            ", and %(frames)s of the others judged around the ends of segments",
            frames=shown(coverage.frames_between, ","),
        )
    sampled = {
        "frames_sampled": shown(coverage.frames_sampled, ","),
        "frames": plural(media.frames, "frame", "frames"),
        "sample_rate": shown(analysis.parameters.sample_rate, "g"),
        "frames_between": judged,
    }
    if not made_since(analysis, _ALL_THAT_STAYS):
        return gettext(
            "Frames between samples: %(frames_sampled)s of %(frames)s were sampled, at "
            "most %(sample_rate)s a second%(frames_between)s.",
            **sampled,
        )
    if media.frames_undecodable or media.frames_from_damaged:  # of an interval the first may be among them
        return gettext(
            "Frames between samples: %(frames_sampled)s of %(frames)s were sampled%(frames_between)s.",
            **sampled,
        )
    return gettext(
        "Frames between samples: %(frames_sampled)s of %(frames)s were sampled, the first of each "
        "1/%(sample_rate)s s and those shown for longer than that%(frames_between)s.",
        **sampled,
    )


def _shown_for_long(analysis: Analysis) -> tuple[str, ...]:
    if is_seen_throughout(analysis):
        return ()
    return (
        gettext(
            "Frames shown for long: the version that made this analysis sampled the first frame of each "
            "1/%(sample_rate)s s only. Others that stay on the screen for longer than that were not "
            "examined.",
            sample_rate=shown(analysis.parameters.sample_rate, "g"),
        ),
    )


def _other_tracks(media: Media) -> tuple[str, ...]:
    found = []
    if others := media.details.other_pictures if media.details else ():
        listed = ", ".join(
            gettext("stream %(index)s (%(codec)s)", index=stream.index, codec=stream.codec)
            for stream in others
        )
        found.append(gettext("Other picture tracks: %(listed)s.", listed=listed))
    if media.details and media.details.picture and (end := media.details.picture.ends_at):
        found.append(
            gettext(
                "Behind the examined pictures: what follows them, from %(share)s %% of the file on.",
                share=shown(100 * end, ".0f"),
            )
        )
    return tuple(found)


def _lost_at_start(media: Media) -> tuple[str, ...]:
    if not media.lost_at_start:
        return ()
    return (
        gettext(
            "Before the first frame: the first %(seconds)s s of the file cannot be decoded.",
            seconds=shown(media.lost_at_start, ".1f"),
        ),
    )


def _undecodable(media: Media) -> str:
    if not media.frames_undecodable:
        return gettext("Undecodable frames: none.")
    return gettext(
        "Undecodable frames: %(frames)s that the decoder refused or that the file "
        "promises and does not hold.",
        frames=plural(media.frames_undecodable, "packet or frame", "packets or frames"),
    )


def _from_damaged(analysis: Analysis) -> tuple[str, ...]:
    frames = analysis.media.frames_from_damaged
    if was_judged_from_damaged(analysis):
        return (
            gettext(
                "Frames after damaged or missing ones: the version that made this analysis judged them, up "
                "to the next key frame, as if they were intact. Analyse the exhibit again."
            ),
        )
    if not frames:
        return ()
    return (
        gettext(
            "Frames that rest on damaged or missing ones, up to the next key frame: %(frames)s, of which "
            "%(sampled)s would have been sampled.",
            frames=shown(frames, ","),
            sampled=shown(analysis.coverage.frames_from_damaged, ","),
        ),
    )


def _lost_at_end(media: Media) -> tuple[str, ...]:
    if not media.lost_at_end:
        return ()
    return (
        gettext(
            "After the last frame: %(seconds)s s of the file cannot be decoded.",
            seconds=shown(media.lost_at_end, ".1f"),
        ),
    )


def _out_of_order(media: Media) -> tuple[str, ...]:
    if not media.frames_out_of_order:
        return ()
    return (
        gettext(
            "Frames out of order: %(frames)s, at times that are not after the one before.",
            frames=plural(media.frames_out_of_order, "intact frame", "intact frames"),
        ),
    )


def _unusable(coverage: Coverage) -> str:
    faces = plural(coverage.faces_found, "face", "faces")
    if not coverage.faces_unusable:
        return gettext("Unusable faces: none of %(faces)s found.", faces=faces)
    return gettext(
        "Unusable faces: %(faces_unusable)s of %(faces)s found were too small, too "
        "unclear or too unsure to judge.",
        faces_unusable=shown(coverage.faces_unusable, ","),
        faces=faces,
    )


def _too_small_to_be_found(analysis: Analysis) -> tuple[str, ...]:
    """Of frames so large that faces wide enough to be judged are small as searched."""
    media, parameters = analysis.media, analysis.parameters
    searched = min(1.0, parameters.detection_width / max(media.width, media.height))
    narrowest = SURELY_FOUND / searched
    if narrowest <= parameters.minimum_face:
        return ()
    return (
        gettext(
            "Small faces: frames were searched at %(searched)s pixels; faces of less than about "
            "%(width)s of this file's pixels in width may not have been found.",
            searched=shown(parameters.detection_width, "d"),
            width=shown(round(narrowest), "d"),
        ),
    )


def _without_score(analysis: Analysis) -> tuple[str, ...]:
    """Faces that the scan did not see (:mod:`detector.scoring.coarse_to_fine`)."""
    if not analysis.coverage.faces_interpolated:
        return ()
    return (
        gettext(
            "Faces without a score of their own: %(interpolated)s. Where the probabilities before "
            "and after them lay below %(below)s, the scan did not see them; their scores lie "
            "in between.",
            interpolated=plural(analysis.coverage.faces_interpolated, "face", "faces"),
            below=shown(analysis.parameters.interpolate_below, "g"),
        ),
    )


def _stills(analysis: Analysis) -> tuple[str, ...]:
    """Of somebody who is shown by a picture that does not move; unknown before schema 1.20."""
    shown_so = motionless_persons(analysis.parameters, analysis.persons)
    if not shown_so:
        return ()
    return (
        gettext(
            "Stills: what is shown of %(persons)s does not move. It was not judged as a photograph, by rules "
            "that find generated faces which those for videos miss.",
            persons=person_list(shown_so),
        ),
    )


def _no_faces(coverage: Coverage) -> tuple[str, ...]:
    if not coverage.faces_discarded:
        return ()
    return (
        gettext(
            "Taken for no faces: %(detections)s, large enough to judge, in which the face "
            "detector was never sure.",
            detections=plural(coverage.faces_discarded, "detection", "detections"),
        ),
    )


@dataclass(frozen=True)
class UnexaminedStretch:
    """A stretch of time that was not examined, and why."""

    start: str
    end: str
    duration: str
    reason: str


@dataclass(frozen=True)
class NotExaminedView:
    """Sentences about the whole exhibit, its gaps in order of time, and whether there are no others."""

    lines: tuple[str, ...]
    gaps: tuple[UnexaminedStretch, ...]
    throughout: bool


def not_examined_view(analysis: Analysis) -> NotExaminedView:
    """What the analysis left out."""
    return NotExaminedView(
        lines=not_examined(analysis),
        gaps=tuple(_stretch(span) for span in analysis.coverage.not_examined),
        throughout=is_seen_throughout(analysis),
    )


def _stretch(span: Span) -> UnexaminedStretch:
    return UnexaminedStretch(
        timecode(span.start), timecode(span.end), timecode(span.end - span.start), span.reason
    )
