"""What was not examined: sentences, and intervals of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from detector.schema.analysis import Analysis, Media
from detector.schema.codec_names import codec_name
from detector.schema.metadata import LEAST_TRANSPARENT
from detector.schema.method import SURELY_FOUND
from detector.verdict.finding import finding_of
from language.formatting import plural, shown, size, timecode
from language.translation import code_text, gettext, reason_text, translated
from reports.sound.channels import channel_words, left_out_channels
from reports.sound.words import not_examined_words, sound_state, unexamined_faces
from reports.wording.photographs import made_since
from reports.wording.verdict_sentence import person_list

# Earlier versions sampled only the first frame of each interval, however long other frames were shown.
_ALL_LONG_FRAMES_SAMPLED = "1.18"


@dataclass(frozen=True)
class UnexaminedStretch:
    """An interval of time that was not examined, and why."""

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
    """Describe what the analysis left out."""
    return NotExaminedView(
        lines=not_examined(analysis),
        gaps=tuple(
            UnexaminedStretch(
                timecode(span.start), timecode(span.end), timecode(span.end - span.start), reason_text(span)
            )
            for span in analysis.coverage.not_examined
        ),
        throughout=is_seen_throughout(analysis),
    )


def not_examined(analysis: Analysis) -> tuple[str, ...]:
    """Describe what was left out in sentences, apart from the intervals of time."""
    if analysis.media.sound_only:
        return tuple(_of_recording(analysis))
    return tuple(_of_photograph(analysis) if analysis.media.still else _of_video(analysis))


def was_judged_from_damaged(analysis: Analysis) -> bool:
    """Return whether frames that depend on damaged ones may have been judged, as before 0.2."""
    if made_since(analysis, "1.19") or analysis.media.still:
        return False
    timing = analysis.media.details.timing if analysis.media.details else None
    return bool(analysis.media.frames_undecodable or (timing is not None and timing.failures))


def is_seen_throughout(analysis: Analysis) -> bool:
    """Return whether every decodable frame shown for longer than a sampling interval was sampled."""
    media = analysis.media
    if made_since(analysis, _ALL_LONG_FRAMES_SAMPLED) or not media.variable_frame_rate:
        return True
    timing = media.details.timing if media.details else None
    if timing is None or timing.least_interval is None or timing.greatest_interval is None:
        return False
    interval = 1 / analysis.parameters.sample_rate
    return timing.greatest_interval <= interval or timing.least_interval >= interval


def _of_photograph(analysis: Analysis) -> Iterator[str]:
    coverage, media = analysis.coverage, analysis.media
    if media.frames_undecodable:
        yield gettext("Part of the picture is missing in the file and was not examined.")
    else:
        yield gettext("The picture was decoded completely.")
    if coverage.faces_unusable:
        # Since schema 1.8 each reason is stored with its count.
        counts = [f"{shown(count, ',')} {translated(flaw)}" for flaw, count in coverage.flaws.items()]
        unknown = gettext(", too small, too unclear or too uncertain")
        yield gettext(
            "Faces not judged: %(faces_unusable)s of %(faces)s found%(reasons)s.",
            faces_unusable=shown(coverage.faces_unusable, ","),
            faces=plural(coverage.faces_found, "face", "faces"),
            reasons=f": {'; '.join(counts)}" if counts else unknown,
        )
    elif coverage.faces_found:
        yield gettext("Faces not judged: none of those found.")
    else:
        yield gettext("No face was found.")
    if coverage.faces_discarded:
        yield gettext(
            "Not accepted as faces: %(places)s of which the face detector was never certain.",
            places=plural(coverage.faces_discarded, "place", "places"),
        )
    yield from _under_transparency(media)
    if media.details and (pages := media.details.other_pages):
        yield gettext("Other pictures in the file: %(pages)s.", pages=plural(pages, "page", "pages"))
    if media.details and media.details.photo and (appended := media.details.photo.appended_video):
        yield gettext("A video stored after the picture, as in motion photos: %(size)s.", size=size(appended))
    yield gettext("Everything in the photograph that is not a face.")


def _of_sound(analysis: Analysis) -> Iterator[str]:
    """State what was left out of the sound."""
    if words := not_examined_words(sound_state(analysis)):
        yield words
    voice = analysis.voice
    if voice is None or voice.stream is None:
        return
    for finding in voice.findings:
        if finding.not_judged:
            listed = "; ".join(
                f"{code_text(code)} {timecode(length)}" for code, length in finding.not_judged.items()
            )
            channels = channel_words(voice, finding.channels)
            yield gettext(
                "Sound that was not judged: %(listed)s.",
                listed=f"{channels}: {listed}" if channels else listed,
            )
    yield from left_out_channels(voice)
    if voice.stream.others:
        yield gettext(
            "Other sound tracks of the file: %(tracks)s.",
            tracks=plural(voice.stream.others, "track", "tracks"),
        )


def _of_recording(analysis: Analysis) -> Iterator[str]:
    """State what was not examined of a recording of sound."""
    yield unexamined_faces(analysis) or gettext("Faces: the exhibit has no picture.")
    yield from _of_sound(analysis)
    if analysis.voice is not None:
        yield gettext("Everything in the sound that is not speech, and what is said.")


def _under_transparency(media: Media) -> Iterator[str]:
    share = media.picture.transparent if media.picture else None
    if not share:
        return
    if share < LEAST_TRANSPARENT:
        yield gettext(
            "The content under transparent areas (less than 0.1 %% of the picture): these areas were "
            "examined on a plain background, as viewers show them."
        )
    else:
        yield gettext(
            "The content under transparent areas (%(share)s %% of the picture): these areas were examined "
            "on a plain background, as viewers show them.",
            share=shown(100 * share, ".1f"),
        )


def _of_video(analysis: Analysis) -> Iterator[str]:
    media, coverage, parameters = analysis.media, analysis.coverage, analysis.parameters
    yield _between_samples(analysis)
    if not is_seen_throughout(analysis):
        yield gettext(
            "Frames shown for a long time: the version that made this analysis sampled only the first "
            "frame in each 1/%(sample_rate)s s. Other frames that stay on screen for longer were not "
            "examined.",
            sample_rate=shown(parameters.sample_rate, "g"),
        )
    yield from _of_sound(analysis)
    yield from _in_file(analysis)
    faces = plural(coverage.faces_found, "face", "faces")
    if coverage.faces_unusable:
        yield gettext(
            "Unusable faces: %(faces_unusable)s of %(faces)s found were too small, too unclear or too "
            "uncertain to judge.",
            faces_unusable=shown(coverage.faces_unusable, ","),
            faces=faces,
        )
    elif coverage.faces_found:
        yield gettext("Unusable faces: none of %(faces)s found.", faces=faces)
    else:
        yield gettext("No face was found.")
    # In large frames, even a face wide enough to be judged is small at the width of the search.
    searched = min(1.0, parameters.detection_width / max(media.width, media.height))
    if (narrowest := SURELY_FOUND / searched) > parameters.minimum_face:
        yield gettext(
            "Small faces: frames were searched at %(searched)s pixels, so faces narrower than about "
            "%(width)s pixels of this file may have been missed.",
            searched=shown(parameters.detection_width, "d"),
            width=shown(round(narrowest), "d"),
        )
    if coverage.faces_interpolated:
        yield gettext(
            "Faces with interpolated scores: %(interpolated)s. Where the scores before and after "
            "them were below %(below)s, the scan skipped them and their scores were interpolated.",
            interpolated=plural(coverage.faces_interpolated, "face", "faces"),
            below=shown(parameters.interpolate_below, "g"),
        )
    if motionless := finding_of(analysis).motionless:  # unknown before 0.2
        yield gettext(
            "Stills: the picture of %(persons)s does not move. It was not judged by the rules for "
            "photographs, which find generated faces that the rules for videos miss.",
            persons=person_list(motionless),
        )
    if coverage.faces_discarded:
        yield gettext(
            "Not accepted as faces: %(detections)s that are large enough to judge, but of which the face "
            "detector was never certain.",
            detections=plural(coverage.faces_discarded, "detection", "detections"),
        )
    yield gettext("Everything in the picture that is not a face.")


def _between_samples(analysis: Analysis) -> str:
    media, coverage = analysis.media, analysis.coverage
    judged = ""
    if coverage.frames_between:
        judged = gettext(
            "; %(frames)s of the others were judged around the ends of segments",
            frames=shown(coverage.frames_between, ","),
        )
    values = {
        "frames_sampled": shown(coverage.frames_sampled, ","),
        "frames": plural(media.frames, "frame", "frames"),
        "sample_rate": shown(analysis.parameters.sample_rate, "g"),
        "frames_between": judged,
    }
    if not made_since(analysis, _ALL_LONG_FRAMES_SAMPLED):
        return gettext(
            "Frames between samples: %(frames_sampled)s of %(frames)s were sampled, at "
            "most %(sample_rate)s a second%(frames_between)s.",
            **values,
        )
    # The first frame of an interval may be among the undecodable ones.
    if media.frames_undecodable or media.frames_from_damaged:
        return gettext(
            "Frames between samples: %(frames_sampled)s of %(frames)s were sampled%(frames_between)s.",
            **values,
        )
    return gettext(
        "Frames between samples: %(frames_sampled)s of %(frames)s were sampled, namely the first in each "
        "1/%(sample_rate)s s and frames shown for longer than that%(frames_between)s.",
        **values,
    )


def _in_file(analysis: Analysis) -> Iterator[str]:
    """Describe parts of a video file that were not examined or could not be decoded."""
    media = analysis.media
    if media.details and (others := media.details.other_pictures):
        listed = ", ".join(
            gettext("stream %(index)s (%(codec)s)", index=stream.index, codec=codec_name(stream.codec))
            for stream in others
        )
        yield gettext("Other picture tracks: %(listed)s.", listed=listed)
    if media.details and media.details.picture and (end := media.details.picture.ends_at):
        yield gettext(
            "Data after the examined pictures: everything beyond the first %(share)s %% of the file.",
            share=shown(100 * end, ".0f"),
        )
    if media.lost_at_start:
        yield gettext(
            "Before the first frame: the first %(seconds)s s of the file cannot be decoded.",
            seconds=shown(media.lost_at_start, ".1f"),
        )
    yield from _under_transparency(media)
    if media.frames_undecodable:
        yield gettext(
            "Undecodable frames: %(frames)s that the decoder rejected or that the file announces but does "
            "not contain.",
            frames=plural(media.frames_undecodable, "packet or frame", "packets or frames"),
        )
    else:
        yield gettext("Undecodable frames: none.")
    if was_judged_from_damaged(analysis):
        yield gettext(
            "Frames after damaged or missing ones: the version that made this analysis judged them, up "
            "to the next key frame, as if they were intact. Analyse the exhibit again."
        )
    elif media.frames_from_damaged:
        yield gettext(
            "Frames that depend on damaged or missing frames, up to the next key frame: %(frames)s, of "
            "which %(sampled)s would have been sampled.",
            frames=shown(media.frames_from_damaged, ","),
            sampled=shown(analysis.coverage.frames_from_damaged, ","),
        )
    if media.lost_at_end:
        yield gettext(
            "After the last frame: %(seconds)s s of the file cannot be decoded.",
            seconds=shown(media.lost_at_end, ".1f"),
        )
    if media.frames_out_of_order:
        yield gettext(
            "Frames out of order: %(frames)s with a time not later than that of the frame before.",
            frames=plural(media.frames_out_of_order, "intact frame", "intact frames"),
        )
