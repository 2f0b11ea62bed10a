"""The first page's answers, in plain words: what, when, whose face, how surely, what not, what next."""

from __future__ import annotations

from collections.abc import Sequence

from detector.schema.analysis import Analysis, MediaKind, Segment, Verdict
from reports.text import numbers, photographs, prose
from reports.text.numbers import plural, timecode
from reports.text.uncertainty import Interval, segment_interval
from reports.view.contents import REFERENCE, Section

MOST_TIMES = 4  # segments whose times stand on the first page
Answer = tuple[str, str]


def key_answers(analysis: Analysis, sections: dict[str, Section]) -> tuple[Answer, ...]:
    """Questions and answers; ``sections`` gives the numbers of the sections they refer to."""
    still = analysis.media.kind is MediaKind.IMAGE
    found: list[Answer] = [("Grounds", analysis.reason)]
    if analysis.segments:
        if not still:
            found.append(("When", _when(analysis, sections["segments"].number)))
        found.append(("Whose face", _persons(analysis)))
    found.append(("How surely", _confidence(analysis, sections)))
    found.append(("Not looked at", _not_examined(analysis, sections["not-examined"].number)))
    found.append(("What to do next", _next_steps(analysis, sections)))
    return tuple(found)


def references(titles: Sequence[str], sections: dict[str, Section]) -> tuple[Answer, ...]:
    """What comparisons with references found, each in a few words."""
    found = "; ".join(dict.fromkeys(titles))
    return (
        (
            "Compared with a reference",
            f"{found}. Section {sections[REFERENCE].number} says what that proves.",
        ),
    )


def _when(analysis: Analysis, section: int) -> str:
    segments = analysis.segments
    if len(segments) <= MOST_TIMES:
        several = len({each.person for each in segments}) > 1
        return "; ".join(
            f"{timecode(each.start)} to {timecode(each.end)}{f' (person {each.person})' if several else ''}"
            for each in sorted(segments, key=lambda each: each.start)
        )
    longest = max(segments, key=lambda each: each.end - each.start)
    return (
        f"In {len(segments):,} segments between {timecode(min(each.start for each in segments))} and "
        f"{timecode(max(each.end for each in segments))}; the longest is {longest.id}, "
        f"{timecode(longest.start)} to {timecode(longest.end)}. Section {section} lists all of them."
    )


def _persons(analysis: Analysis) -> str:
    flagged = {segment.person for segment in analysis.segments}
    others = len(analysis.persons) - len(flagged)
    names = prose.person_list(sorted(flagged, key=lambda name: (len(name), name)))
    if len(flagged) > prose.MOST_NAMED:
        names = f"{len(flagged)} persons"
    rest = f" {plural(others, 'other person')} not flagged." if others else ""
    return f"{names[:1].upper()}{names[1:]}.{rest} Letters tell faces apart; they do not say who a person is."


def _confidence(analysis: Analysis, sections: dict[str, Section]) -> str:
    figure, meaning = analysis.probability, sections["limits"].number
    if figure is None:
        return "Not stated: nothing could be judged."
    name = prose.figure_name(analysis)
    if analysis.answers and analysis.media.kind is MediaKind.IMAGE:
        name = f"{photographs.both(analysis.answers)}. {name}"
    if analysis.verdict is not Verdict.MANIPULATED:
        # Beside another verdict a phrase of the scale would contradict it.
        return f"{name}: {numbers.probability(figure)}. Section {meaning} says what such figures mean."
    strongest = max(analysis.segments, key=lambda each: each.confidence, default=None)
    interval = segment_interval(analysis, strongest) if strongest else None
    between = f", {interval_words(interval)}" if interval else ""
    return (
        f"{numbers.strength(figure).phrase.capitalize()}. {name}: {numbers.probability(figure)}{between}. "
        "It is not the odds that this file is manipulated; "
        f"section {meaning} defines the words and the figure."
    )


def interval_words(interval: Interval) -> str:
    """The ends of an interval as they stand in a sentence."""
    return f"interval {numbers.probability(interval.low)} to {numbers.probability(interval.high)}"


def _not_examined(analysis: Analysis, section: int) -> str:
    coverage, media = analysis.coverage, analysis.media
    found = []
    if media.kind is MediaKind.VIDEO:
        found.append("sound" if media.has_sound else "sound (the file has none)")
    found.append("everything that is not a face")
    if media.kind is MediaKind.VIDEO:
        left = max(media.frames_decoded - coverage.frames_sampled - coverage.frames_between, 0)
        found.append(f"{left:,} of {plural(media.frames_decoded, 'frame')}, between those judged")
    if coverage.faces_unusable:
        found.append(
            f"{coverage.faces_unusable:,} of {plural(coverage.faces_found, 'face')}, "
            f"{', '.join(coverage.flaws) or 'too small, unclear or unsure'}"
        )
    if media.details and (others := media.details.other_pictures):
        found.append(f"{plural(len(others), 'other picture track')}")
    if media.kind is MediaKind.IMAGE and media.details and (pages := media.details.other_pages):
        found.append(f"{plural(pages, 'other picture')} of the file")
    if media.frames_undecodable:
        found.append("parts that could not be decoded")
    listed = "; ".join(found)
    return f"{listed[:1].upper()}{listed[1:]}. Section {section} has the whole list."


def _next_steps(analysis: Analysis, sections: dict[str, Section]) -> str:
    where = sections["segments"].number
    if analysis.verdict is Verdict.MANIPULATED:
        return (
            f"Look at the pictures in section {where} yourself; obtain the original file and find out where "
            "it comes from; have a second examiner or another method test the flagged parts before anything "
            "is decided or published."
        )
    if analysis.media.kind is MediaKind.IMAGE and analysis.verdict is not Verdict.MANIPULATED:
        return (
            "Read what the file declares, at the head of this report. Obtain the original file, larger and "
            "not passed on, and find out where it was first published (search for the picture). Do not take "
            "this result as proof that the photograph is unaltered or that the person exists."
        )
    if analysis.verdict is Verdict.NOT_FOUND:
        return (
            "Do not take this as proof that the file is unaltered. Where doubts remain: obtain the original, "
            "check its origin, and have sound, scene and file structure examined by other methods."
        )
    return (
        "Obtain a better copy of the same recording, the original if possible, and analyse that. Until then "
        "this analysis speaks neither for nor against the file."
    )


def segment_meaning(analysis: Analysis, segment: Segment) -> str:
    """What the finding of one segment, or one flagged face, means, as a sentence for a court."""
    phrase, figure = numbers.strength(segment.confidence).phrase, numbers.probability(segment.confidence)
    if analysis.media.kind is MediaKind.IMAGE:
        where, frames = "In this photograph", "one picture"
    else:
        where = f"From {timecode(segment.start)} to {timecode(segment.end)}"
        frames = plural(segment.frames, "frame")
    return (
        f"{where} the face of person {segment.person} resembles, to the model, the manipulated faces it was "
        f"trained on: {phrase} (calibrated probability {figure}, from {frames}). The finding does not say "
        "what was changed, by whom or to what end, and does not by itself prove that anything was."
    )
