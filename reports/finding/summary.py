"""First page: the figure beside the verdict, the key answers and the next steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from detector.schema.analysis import Analysis, Segment, Verdict
from detector.schema.strength import Strength, strength_of
from detector.schema.summary import verdicts_of
from detector.schema.voice import VoiceVerdict
from detector.verdict.finding import finding_of
from language import formatting
from language.formatting import plural, shown, timecode
from language.translation import N_, capitalize_first, gettext, reason_text, translated
from reports.finding import inconclusive
from reports.finding.not_examined import was_judged_from_damaged
from reports.finding.reliability import face_reliability
from reports.sound.network_rates import voice_reliability
from reports.sound.words import next_steps as voice_next_steps
from reports.validation.error_rates import outside_of
from reports.wording.intervals import ProbabilityInterval, below_threshold, exhibit_interval
from reports.wording.verbal_scale import Step, flagged_phrase, kind_of, step_of
from reports.wording.verdict_sentence import MOST_NAMED, both_answers, figure_name, person_list


@dataclass(frozen=True)
class FigureView:
    """The figure beside the verdict: its name, its value, and its strength in words."""

    name: str
    text: str
    both: str  # answers about a photo
    strength: Step | None
    outside: str  # that measured error rates do not speak for the exhibit; else empty


def figure_view(analysis: Analysis) -> FigureView:
    """Return the probability of an analysis; its name is empty if nothing was judged."""
    figure, manipulated = analysis.probability, analysis.verdict is Verdict.MANIPULATED
    return FigureView(
        name=figure_name(analysis),
        text=formatting.probability(figure),
        both=both_answers(analysis.answers) if analysis.media.still else "",
        # Beside another verdict a phrase would contradict it.
        strength=step_of(analysis, figure) if figure is not None and manipulated else None,
        outside=outside_words(analysis),
    )


def outside_words(analysis: Analysis) -> str:
    """Warn that errors may be more frequent than measured; return "" if not, or if nothing was judged."""
    outside = outside_of(analysis)
    if not outside or not analysis.coverage.frames_with_usable_face:
        return ""
    return gettext(
        "The exhibit is unlike the material on which the model was validated (%(outside)s), so "
        "errors may be more frequent than measured.",
        outside=", ".join(outside),
    )


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


def key_answers(analysis: Analysis) -> tuple[KeyAnswer, ...]:
    """Return the questions and answers of the first page."""
    answers: list[KeyAnswer] = [(gettext("Grounds"), reason_text(analysis))]
    if segments := finding_of(analysis).flagged:
        if not analysis.media.still:
            answers.append((gettext("When"), _when(segments)))
        answers.append((gettext("Which person"), _persons(analysis)))
    certainty = filter(None, (_certainty(analysis), outside_words(analysis)))
    answers.append((gettext("How certain"), " ".join(certainty)))
    if wrong := " ".join(reliability(analysis)):
        answers.append((gettext("How often wrong"), wrong))
    return (
        *answers,
        (gettext("Not examined"), _not_examined(analysis)),
        (gettext("What to do next"), next_steps(analysis, in_report=True)),
    )


def reliability(analysis: Analysis) -> tuple[str, ...]:
    """State how often verdicts like these were wrong: on faces, on voices or on both."""
    faces = "" if analysis.media.sound_only else face_reliability(analysis)
    voices = voice_reliability(analysis.voice) if analysis.voice else ""
    if analysis.media.sound_only or not voices:
        return tuple(filter(None, (faces, voices)))
    of_both = ((gettext("Faces"), faces), (gettext("Voices"), voices))
    return tuple(f"{name}: {words}" for name, words in of_both if words)


def models_answer(analysis: Analysis) -> KeyAnswer:
    """Return the combined verdict of several models."""
    assert analysis.joint is not None
    answer = gettext(
        "%(verdict)s. %(reason)s",
        verdict=capitalize_first(gettext(str(analysis.joint.verdict))),
        reason=reason_text(analysis.joint),
    )
    return gettext("%(count)s models together", count=len(analysis.others) + 1), answer


def references_answer(titles: Sequence[str]) -> KeyAnswer:
    """Return the results of comparisons with references in a few words."""
    return gettext("Compared with a reference"), f"{'; '.join(dict.fromkeys(titles))}."


def _when(segments: Sequence[Segment]) -> str:
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
        "is %(longest)s, %(start)s to %(end)s. The table of segments lists all of them.",
        count=shown(len(segments), ","),
        first_start=timecode(min(segment.start for segment in segments)),
        last_end=timecode(max(segment.end for segment in segments)),
        longest=longest.id,
        start=timecode(longest.start),
        end=timecode(longest.end),
    )


def _persons(analysis: Analysis) -> str:
    flagged = finding_of(analysis).flagged_persons
    others = [person for person in analysis.persons if person.id not in flagged]
    calm = sum(person.probability is not None for person in others)
    names = person_list(flagged)
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


_RANKS = {
    Strength.STRONG: N_("%(phrase)s, the strongest of three degrees."),
    Strength.MODERATE: N_("%(phrase)s, the second of three degrees."),
    Strength.WEAK: N_("%(phrase)s, the weakest of three degrees."),
}


def _certainty(analysis: Analysis) -> str:
    """State how certain the finding is by a word of the scale, without figures."""
    figure = analysis.probability
    if figure is None:
        return gettext("Not stated, because no face was judged.")
    if analysis.verdict is Verdict.INCONCLUSIVE:
        return gettext("No degree is stated, because the examination allows no conclusion.")
    if analysis.verdict is Verdict.NOT_FOUND:
        return gettext(
            "No face reached the threshold for a finding. That does not show that the file is unaltered."
        )
    kind = kind_of(analysis)
    phrase = capitalize_first(flagged_phrase(figure, kind))
    return f"{gettext(_RANKS[strength_of(figure, kind)], phrase=phrase)}{_of_one_face(analysis, figure)}"


def _of_one_face(analysis: Analysis, of_all: float) -> str:
    """Name the strength of the strongest face of a photograph, if it is not that of all faces together."""
    finding, kind = finding_of(analysis), kind_of(analysis)
    segment = finding.segment
    if segment is None or len(finding.averaged) < 2:
        return ""
    if strength_of(segment.confidence, kind) is strength_of(of_all, kind):
        return ""
    return gettext(
        " This is the strength for the photograph with all its faces: the more are judged, the likelier one "
        "is flagged by mistake. Face %(id)s alone shows %(phrase)s.",
        id=segment.id,
        phrase=flagged_phrase(segment.confidence, kind),
    )


def figure_words(analysis: Analysis) -> str:
    """State the score of the exhibit with its name and interval; "" if nothing was judged."""
    figure = analysis.probability
    if figure is None:
        return ""
    name = figure_name(analysis)
    if analysis.answers and analysis.media.still:
        name = f"{both_answers(analysis.answers)}. {name}"
    if analysis.verdict is not Verdict.MANIPULATED:
        return gettext("%(name)s: %(figure)s.", name=name, figure=formatting.probability(figure))
    segment = finding_of(analysis).segment
    interval = exhibit_interval(analysis, segment) if segment else None
    between = f", {interval_words(interval)}" if interval else ""
    stated = gettext(
        "%(name)s: %(figure)s%(between)s. This is not the probability that the file is manipulated.",
        name=name,
        figure=formatting.probability(figure),
        between=between,
    )
    return f"{stated} {below_threshold(analysis, interval)}".strip()


def _not_examined(analysis: Analysis) -> str:
    """Summarise what was not examined in one sentence."""
    coverage, media = analysis.coverage, analysis.media
    parts = []
    is_heard = analysis.voice is not None and analysis.voice.stream is not None
    if not media.still:
        if not media.has_sound:
            parts.append(gettext("sound (the file has none)"))
        elif not is_heard:
            parts.append(gettext("sound"))
    parts.append(
        gettext("everything that is neither a face nor speech")
        if is_heard
        else gettext("everything that is not a face")
    )
    if not media.still:
        damaged = media.frames_from_damaged or 0
        left = max(media.frames - damaged - coverage.frames_sampled - coverage.frames_between, 0)
        parts.append(
            gettext(
                "%(left)s of %(frames)s, between the examined frames",
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
    return f"{capitalize_first('; '.join(parts))}."


def next_steps(analysis: Analysis, *, in_report: bool = False) -> str:
    """Recommend what to do about what was found: on faces, on voices or on both.

    The pictures are in the report, or below on a page.
    """
    voice, manipulated = analysis.voice, analysis.verdict is Verdict.MANIPULATED
    synthetic = voice is not None and voice.verdict is VoiceVerdict.SYNTHETIC
    verdicts = verdicts_of(analysis)
    of_voice_alone = verdicts.no_face and verdicts.voices not in (None, VoiceVerdict.NO_SPEECH)
    if analysis.media.sound_only or of_voice_alone or synthetic and not manipulated:
        return voice_next_steps(voice)
    faces = _next_steps_of_faces(analysis, in_report=in_report)
    if not synthetic:
        return faces
    as_well = gettext("Listen to the flagged segments of the voice as well.")
    return f"{faces} {as_well}"


def _next_steps_of_faces(analysis: Analysis, *, in_report: bool) -> str:
    match analysis.verdict:
        case Verdict.MANIPULATED:
            where = gettext("in this report") if in_report else gettext("below")
            return gettext(
                "Look at the pictures %(where)s yourself. Obtain the original file and establish where it "
                "comes from. Have the flagged parts checked by a second examiner or another method before "
                "anything is decided or published.",
                where=where,
            )
        case Verdict.NOT_FOUND:
            if analysis.media.still:
                return inconclusive.photograph_next_steps()
            if analysis.media.has_sound and analysis.voice is None:
                return gettext(
                    "Do not take this as proof that the file is unaltered. If doubts remain, obtain the "
                    "original, check its origin, and have the sound, the scene and the file structure "
                    "examined by other methods."
                )
            return gettext(
                "Do not take this as proof that the file is unaltered. If doubts remain, obtain the "
                "original, check its origin, and have the scene and the file structure examined by other "
                "methods."
            )
        case Verdict.INCONCLUSIVE:
            return inconclusive.next_steps(analysis)
        case _:
            assert_never(analysis.verdict)
