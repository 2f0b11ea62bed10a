"""First page: the figure beside the verdict, the key answers and the next steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from detector.schema.analysis import Analysis, Segment, Verdict
from detector.verdict.judged_persons import flagged_segments, representative_segment
from reports.finding import inconclusive
from reports.finding.not_examined import was_judged_from_damaged
from reports.finding.other_models import rule_and_verdicts
from reports.language import formatting
from reports.language.formatting import plural, shown, timecode
from reports.language.translation import capitalize_first, gettext, reason_text, translated
from reports.validation.error_rates import outside_of
from reports.wording.intervals import ProbabilityInterval, exhibit_interval
from reports.wording.sections import OTHERS, REFERENCE, Section
from reports.wording.verbal_scale import Strength, strength
from reports.wording.verdict_sentence import MOST_NAMED, both_answers, figure_name, person_list


@dataclass(frozen=True)
class FigureView:
    """The figure beside the verdict: its name, its value, and its strength in words."""

    name: str
    text: str
    both: str  # answers about a photo
    strength: Strength | None
    interval: str  # beside it, or why there is none; empty beside other verdicts
    outside: str  # that measured error rates do not speak for the exhibit; else empty


def figure_view(analysis: Analysis) -> FigureView:
    """Return the probability of an analysis; its name is empty if nothing was judged."""
    figure, manipulated = analysis.probability, analysis.verdict is Verdict.MANIPULATED
    return FigureView(
        name=figure_name(analysis),
        text=formatting.probability(figure),
        both=both_answers(analysis.answers) if analysis.media.still else "",
        # Beside another verdict a phrase would contradict it.
        strength=strength(analysis, figure) if figure is not None and manipulated else None,
        interval=capitalize_first(figure_interval(analysis)) if manipulated else "",
        outside=outside_words(analysis),
    )


def outside_words(analysis: Analysis) -> str:
    """Warn that error rates do not apply to the exhibit; return "" if they do or nothing was judged."""
    outside = outside_of(analysis)
    if not outside or not analysis.coverage.frames_with_usable_face:
        return ""
    return gettext(
        "The exhibit is unlike the material on which the model was validated (%(outside)s), so the "
        "measured error rates do not apply to it.",
        outside=", ".join(outside),
    )


def figure_interval(analysis: Analysis) -> str:
    """Return the interval of the exhibit's probability as part of a sentence; "" if unknown."""
    of = representative_segment(analysis)
    interval = exhibit_interval(analysis, of) if of else None
    return interval_words(interval) if interval else ""


def interval_words(interval: ProbabilityInterval) -> str:
    """Return an interval as part of a sentence, or the reason why none is stated."""
    if interval.says_nothing:
        return gettext("too few independent moments for an interval")
    return gettext(
        "interval %(low)s to %(high)s",
        low=formatting.probability(interval.low),
        high=formatting.probability(interval.high),
    )


MOST_TIMES = 4  # segments whose times stand on the first page
KeyAnswer = tuple[str, str]


def key_answers(analysis: Analysis, sections: dict[str, Section]) -> tuple[KeyAnswer, ...]:
    """Return the questions and answers; ``sections`` has the numbers of the sections they refer to."""
    answers: list[KeyAnswer] = [(gettext("Grounds"), reason_text(analysis))]
    if segments := flagged_segments(analysis.persons, analysis.segments):
        if not analysis.media.still:
            answers.append((gettext("When"), _when(segments, sections["segments"].number)))
        answers.append((gettext("Which person"), _persons(analysis, segments)))
    certainty = filter(None, (_confidence(analysis, sections), outside_words(analysis)))
    return (
        *answers,
        (gettext("How certain"), " ".join(certainty)),
        (gettext("Not examined"), _not_examined(analysis, sections["not-examined"].number)),
        (gettext("What to do next"), next_steps(analysis, sections["segments"].number)),
    )


def models_answer(analysis: Analysis, sections: dict[str, Section]) -> KeyAnswer:
    """Return the combined verdict of several models."""
    assert analysis.joint is not None
    answer = gettext(
        "%(verdict)s. %(reason)s Section %(section)s shows the verdict of each model.",
        verdict=capitalize_first(gettext(str(analysis.joint.verdict))),
        reason=rule_and_verdicts(analysis),
        section=sections[OTHERS].number,
    )
    return gettext("%(count)s models together", count=len(analysis.others) + 1), answer


def references_answer(titles: Sequence[str], sections: dict[str, Section]) -> KeyAnswer:
    """Return the results of comparisons with references in a few words."""
    answer = gettext(
        "%(found)s. Section %(number)s explains what this proves.",
        found="; ".join(dict.fromkeys(titles)),
        number=sections[REFERENCE].number,
    )
    return gettext("Compared with a reference"), answer


def _when(segments: Sequence[Segment], section: int) -> str:
    if len(segments) <= MOST_TIMES:
        several = len({segment.person for segment in segments}) > 1
        return "; ".join(
            gettext(
                "%(start)s to %(end)s%(person)s",
                start=timecode(segment.start),
                end=timecode(segment.end),
                person=(gettext(" (person %(person)s)", person=segment.person) if several else ""),
            )
            for segment in sorted(segments, key=lambda segment: segment.start)
        )
    longest = max(segments, key=lambda segment: segment.end - segment.start)
    return gettext(
        "In %(count)s segments between %(first_start)s and %(last_end)s; the longest "
        "is %(longest)s, %(start)s to %(end)s. Section %(section)s lists all of them.",
        count=shown(len(segments), ","),
        first_start=timecode(min(segment.start for segment in segments)),
        last_end=timecode(max(segment.end for segment in segments)),
        longest=longest.id,
        start=timecode(longest.start),
        end=timecode(longest.end),
        section=section,
    )


def _persons(analysis: Analysis, segments: Sequence[Segment]) -> str:
    flagged = {segment.person for segment in segments}
    others = [person for person in analysis.persons if person.id not in flagged]
    calm = sum(person.probability is not None for person in others)
    names = person_list(sorted(flagged, key=lambda name: (len(name), name)))
    if len(flagged) > MOST_NAMED:
        names = gettext("%(flagged)s persons", flagged=len(flagged))
    rest = ""
    if calm:
        rest = gettext(" %(persons)s not flagged.", persons=plural(calm, "other person", "other persons"))
    if unjudged := len(others) - calm:
        rest += gettext(
            " %(persons)s could not be judged.", persons=plural(unjudged, "other person", "other persons")
        )
    return gettext(
        "%(names)s.%(rest)s The letters tell faces apart; they do not identify anyone.",
        names=capitalize_first(names),
        rest=rest,
    )


def _confidence(analysis: Analysis, sections: dict[str, Section]) -> str:
    figure, meaning = analysis.probability, sections["limits"].number
    if figure is None:
        return gettext("Not stated, because nothing could be judged.")
    name = figure_name(analysis)
    if analysis.answers and analysis.media.still:
        name = f"{both_answers(analysis.answers)}. {name}"
    if analysis.verdict is not Verdict.MANIPULATED:
        # Beside another verdict a phrase of the scale would contradict it.
        return gettext(
            "%(name)s: %(figure)s. Section %(meaning)s explains what such figures mean.",
            name=name,
            figure=formatting.probability(figure),
            meaning=meaning,
        )
    between = f", {words}" if (words := figure_interval(analysis)) else ""
    return gettext(
        "%(strength)s. %(name)s: %(figure)s%(between)s. This is not the probability that the file is "
        "manipulated; section %(meaning)s defines the words and the figure.",
        strength=capitalize_first(strength(analysis, figure).phrase),
        name=name,
        figure=formatting.probability(figure),
        between=between,
        meaning=meaning,
    )


def _not_examined(analysis: Analysis, section: int) -> str:
    """Summarise what was not examined in one sentence; ``section`` contains the full list."""
    coverage, media = analysis.coverage, analysis.media
    parts = []
    if not media.still:
        if not media.has_sound:
            parts.append(gettext("sound (the file has none)"))
        elif analysis.voice is None:
            parts.append(gettext("sound"))
    parts.append(
        gettext("everything that is not a face")
        if analysis.voice is None
        else gettext("everything that is neither a face nor speech")
    )
    if not media.still:
        damaged = media.frames_from_damaged or 0
        left = max(media.frames - damaged - coverage.frames_sampled - coverage.frames_between, 0)
        parts.append(
            gettext(
                "%(left)s of %(frames)s, between the judged frames",
                left=shown(left, ","),
                frames=plural(media.frames, "frame", "frames"),
            )
        )
        if damaged:
            frames = plural(damaged, "frame", "frames")
            parts.append(gettext("%(frames)s that depend on damaged or missing frames", frames=frames))
    if coverage.faces_unusable:
        parts.append(
            gettext(
                "%(faces_unusable)s of %(faces)s, %(flaws)s",
                faces_unusable=shown(coverage.faces_unusable, ","),
                faces=plural(coverage.faces_found, "face", "faces"),
                flaws=", ".join(map(translated, coverage.flaws))
                or gettext("too small, unclear or uncertain"),
            )
        )
    if details := media.details:
        if details.other_pictures:
            parts.append(plural(len(details.other_pictures), "other picture track", "other picture tracks"))
        if details.picture and details.picture.ends_at:
            parts.append(gettext("data after the examined pictures in the file"))
        if media.still and (pages := details.other_pages):
            pictures = plural(pages, "other picture", "other pictures")
            parts.append(gettext("%(pictures)s of the file", pictures=pictures))
        if details.photo and details.photo.appended_video:
            parts.append(gettext("a video behind the picture"))
    if media.frames_undecodable or media.frames_from_damaged:
        parts.append(gettext("parts that could not be decoded"))
    if was_judged_from_damaged(analysis):
        parts.append(gettext("the state of frames after such parts"))
    return gettext(
        "%(listed)s. Section %(section)s contains the full list.",
        listed=capitalize_first("; ".join(parts)),
        section=section,
    )


def next_steps(analysis: Analysis, section: int | None = None) -> str:
    """Recommend what to do; ``section`` of the report has the pictures, which a page shows below."""
    match analysis.verdict:
        case Verdict.MANIPULATED:
            where = gettext("below")
            if section is not None:
                where = gettext("in section %(section)s", section=section)
            return gettext(
                "Look at the pictures %(where)s yourself. Obtain the original file and establish where it "
                "comes from. Have the flagged parts checked by a second examiner or another method before "
                "anything is decided or published.",
                where=where,
            )
        case Verdict.NOT_FOUND:
            if analysis.media.still:
                return inconclusive.photograph_next_steps()
            return gettext(
                "Do not take this as proof that the file is unaltered. If doubts remain, obtain the "
                "original, check its origin, and have the sound, the scene and the file structure "
                "examined by other methods."
            )
        case Verdict.INCONCLUSIVE:
            return inconclusive.next_steps(analysis)
        case _:
            assert_never(analysis.verdict)
