"""First page: the figure beside the verdict, the key answers and the next steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

from detector.schema.analysis import Analysis, Coverage, Media, Segment, Verdict
from detector.verdict.judged_persons import figured_segment, flagged_segments
from reports.finding import inconclusive
from reports.finding.not_examined import was_judged_from_damaged
from reports.finding.other_models import rule_and_verdicts
from reports.language import formatting
from reports.language.formatting import plural, shown, timecode
from reports.language.translation import capitalize_first, gettext, translated
from reports.validation.error_rates import outside_of
from reports.wording import photographs
from reports.wording.intervals import ProbabilityInterval, exhibit_interval
from reports.wording.sections import OTHERS, REFERENCE, Section
from reports.wording.verbal_scale import Strength, strength
from reports.wording.verdict_sentence import MOST_NAMED, figure_name, person_list


@dataclass(frozen=True)
class FigureView:
    """What the figure is called, the figure, and how strong it is in words."""

    name: str
    text: str
    both: str  # answers about a photo
    strength: Strength | None
    interval: str  # beside it, or why there is none; empty beside other verdicts
    outside: str  # that measured error rates do not speak for the exhibit; else empty


def figure_view(analysis: Analysis) -> FigureView:
    """The probability of an analysis; without a name where none was judged."""
    figure, manipulated = analysis.probability, analysis.verdict is Verdict.MANIPULATED
    return FigureView(
        name=figure_name(analysis),
        text=formatting.probability(figure),
        both=photographs.both(analysis.answers) if analysis.media.still else "",
        # Beside another verdict a phrase would contradict it.
        strength=strength(analysis, figure) if figure is not None and manipulated else None,
        interval=capitalize_first(figure_interval(analysis)) if manipulated else "",
        outside=outside_words(analysis),
    )


def outside_words(analysis: Analysis) -> str:
    """What follows where error rates do not speak for the exhibit; empty where nothing was judged."""
    outside = outside_of(analysis)
    if not outside or not analysis.coverage.frames_with_usable_face:
        return ""
    return gettext(
        "The exhibit lies outside what the model was validated on (%(outside)s): the measured error rates do "
        "not speak for it.",
        outside=", ".join(outside),
    )


def figure_interval(analysis: Analysis) -> str:
    """How far the exhibit's probability could be off, as it stands in a sentence; empty where not known."""
    of = figured_segment(analysis)
    interval = exhibit_interval(analysis, of) if of else None
    return interval_words(interval) if interval else ""


def interval_words(interval: ProbabilityInterval) -> str:
    """The ends of an interval as they stand in a sentence, or why it has none worth the name."""
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
    """Questions and answers; ``sections`` gives the numbers of the sections they refer to."""
    still = analysis.media.still
    found: list[KeyAnswer] = [(gettext("Grounds"), analysis.reason)]
    if segments := flagged_segments(analysis.persons, analysis.segments):
        if not still:
            found.append((gettext("When"), _when(segments, sections["segments"].number)))
        found.append((gettext("Whose face"), _persons(analysis, segments)))
    found.append(
        (
            gettext("How surely"),
            " ".join(filter(None, (_confidence(analysis, sections), outside_words(analysis)))),
        )
    )
    found.append((gettext("Not looked at"), _not_examined(analysis, sections["not-examined"].number)))
    found.append((gettext("What to do next"), next_steps(analysis, sections["segments"].number)))
    return tuple(found)


def models_answer(analysis: Analysis, sections: dict[str, Section]) -> KeyAnswer:
    """What several models amount to together."""
    assert analysis.joint is not None
    verdict = gettext(str(analysis.joint.verdict))
    said = gettext(
        "%(verdict)s. %(reason)s Section %(section)s shows what each says.",
        verdict=capitalize_first(verdict),
        reason=rule_and_verdicts(analysis),
        section=sections[OTHERS].number,
    )
    return gettext("%(count)s models together", count=len(analysis.others) + 1), said


def references_answer(titles: Sequence[str], sections: dict[str, Section]) -> KeyAnswer:
    """What comparisons with references found, each in a few words."""
    said = gettext(
        "%(found)s. Section %(number)s says what that proves.",
        found="; ".join(dict.fromkeys(titles)),
        number=sections[REFERENCE].number,
    )
    return gettext("Compared with a reference"), said


def _when(segments: Sequence[Segment], section: int) -> str:
    if len(segments) <= MOST_TIMES:
        several = len({each.person for each in segments}) > 1
        return "; ".join(
            gettext(
                "%(start)s to %(end)s%(person)s",
                start=timecode(each.start),
                end=timecode(each.end),
                person=(gettext(" (person %(person)s)", person=each.person) if several else ""),
            )
            for each in sorted(segments, key=lambda each: each.start)
        )
    longest = max(segments, key=lambda each: each.end - each.start)
    return gettext(
        "In %(count)s segments between %(first_start)s and %(last_end)s; the longest "
        "is %(longest)s, %(start)s to %(end)s. Section %(section)s lists all of them.",
        count=shown(len(segments), ","),
        first_start=timecode(min(each.start for each in segments)),
        last_end=timecode(max(each.end for each in segments)),
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
        "%(names)s.%(rest)s Letters tell faces apart; they do not say who a person is.",
        names=capitalize_first(names),
        rest=rest,
    )


def _confidence(analysis: Analysis, sections: dict[str, Section]) -> str:
    figure, meaning = analysis.probability, sections["limits"].number
    if figure is None:
        return gettext("Not stated: nothing could be judged.")
    name = figure_name(analysis)
    if analysis.answers and analysis.media.still:
        name = f"{photographs.both(analysis.answers)}. {name}"
    if analysis.verdict is not Verdict.MANIPULATED:
        # Beside another verdict a phrase of the scale would contradict it.
        return gettext(
            "%(name)s: %(figure)s. Section %(meaning)s says what such figures mean.",
            name=name,
            figure=formatting.probability(figure),
            meaning=meaning,
        )
    between = f", {words}" if (words := figure_interval(analysis)) else ""
    return gettext(
        "%(strength)s. %(name)s: %(figure)s%(between)s. It is not the odds that this "
        "file is manipulated; section %(meaning)s defines the words and the figure.",
        strength=capitalize_first(strength(analysis, figure).phrase),
        name=name,
        figure=formatting.probability(figure),
        between=between,
        meaning=meaning,
    )


def _not_examined(analysis: Analysis, section: int) -> str:
    """What was not examined, in one sentence; ``section`` has the whole list."""
    coverage, media = analysis.coverage, analysis.media
    found = []
    if not media.still:
        found.append(gettext("sound") if media.has_sound else gettext("sound (the file has none)"))
    found.append(gettext("everything that is not a face"))
    if not media.still:
        found += _frames_left(media, coverage)
    if coverage.faces_unusable:
        found.append(
            gettext(
                "%(faces_unusable)s of %(faces)s, %(flaws)s",
                faces_unusable=shown(coverage.faces_unusable, ","),
                faces=plural(coverage.faces_found, "face", "faces"),
                flaws=", ".join(map(translated, coverage.flaws)) or gettext("too small, unclear or unsure"),
            )
        )
    found += _other_pictures(media)
    if media.frames_undecodable or media.frames_from_damaged:
        found.append(gettext("parts that could not be decoded"))
    if was_judged_from_damaged(analysis):
        found.append(gettext("whether frames after such parts are intact"))
    listed = "; ".join(found)
    return gettext(
        "%(listed)s. Section %(section)s has the whole list.",
        listed=capitalize_first(listed),
        section=section,
    )


def _frames_left(media: Media, coverage: Coverage) -> Iterator[str]:
    """Frames of a video that were not looked at."""
    damaged = media.frames_from_damaged or 0
    left = max(media.frames - damaged - coverage.frames_sampled - coverage.frames_between, 0)
    yield gettext(
        "%(left)s of %(frames)s, between those judged",
        left=shown(left, ","),
        frames=plural(media.frames, "frame", "frames"),
    )
    if damaged:
        yield gettext(
            "%(frames)s that rest on damaged or missing ones", frames=plural(damaged, "frame", "frames")
        )


def _other_pictures(media: Media) -> Iterator[str]:
    """What else of pictures the file holds, beside those examined."""
    if media.details and (others := media.details.other_pictures):
        yield plural(len(others), "other picture track", "other picture tracks")
    if media.details and media.details.picture and media.details.picture.ends_at:
        yield gettext("what follows the examined pictures in the file")
    if media.still and media.details and (pages := media.details.other_pages):
        yield gettext("%(pictures)s of the file", pictures=plural(pages, "other picture", "other pictures"))
    if media.details and media.details.photo and media.details.photo.appended_video:
        yield gettext("a video behind the picture")


def next_steps(analysis: Analysis, section: int | None = None) -> str:
    """What to do now; ``section`` is that of a report with the pictures, which on a page stand below."""
    match analysis.verdict:
        case Verdict.MANIPULATED:
            where = gettext("below")
            if section is not None:
                where = gettext("in section %(section)s", section=section)
            return gettext(
                "Look at the pictures %(where)s yourself; obtain the original file "
                "and find out where it comes from; have a second examiner or another method "
                "test the flagged parts before anything is decided or published.",
                where=where,
            )
        case Verdict.NOT_FOUND:
            if analysis.media.still:
                return photographs.next_steps()
            return gettext(
                "Do not take this as proof that the file is unaltered. Where doubts remain: "
                "obtain the original, check its origin, and have sound, scene and file "
                "structure examined by other methods."
            )
        case Verdict.INCONCLUSIVE:
            return inconclusive.next_steps(analysis)
        case _:
            assert_never(analysis.verdict)
