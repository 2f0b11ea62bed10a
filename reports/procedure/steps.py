"""Steps of the analysis in words, in the order of the work."""

from __future__ import annotations

from collections.abc import Mapping

from detector.schema.analysis import Analysis, Parameters
from detector.schema.formatting import codec_name
from detector.verdict.judged_persons import persons_averaged
from reports.language.formatting import number, plural, shown
from reports.language.translation import gettext
from reports.wording import photographs
from reports.wording import photographs as wording_photographs
from reports.wording.heatmaps import SEQUENCES, maps_of
from reports.wording.photographs import made_since, told_apart


def photograph_procedure(analysis: Analysis) -> tuple[str, ...]:
    """How the finding came about: paragraphs in the order of the work."""
    given = analysis.parameters
    found = gettext(
        "%(declared)sFaces were found with CenterFace. %(left_out)s",
        declared=gettext("What the file declares of its making was read first; it entered no score. ")
        if analysis.declarations is not None
        else "",
        left_out=_left_out(given),
    )
    decided = gettext(
        "A face whose score reaches %(enter_threshold)s is flagged; where none does, one of "
        "%(doubt_threshold)s or more leaves the verdict inconclusive. %(averaged)s",
        enter_threshold=shown(given.enter_threshold, "g"),
        doubt_threshold=shown(given.doubt_threshold, "g"),
        averaged=f"{_averaged(analysis)}{photographs.covered_procedure(analysis)}",
    )
    explained = gettext(
        "For each flagged face %(maps)s shows which areas raised the score; each map was then tested by "
        "hiding what it highlights and scoring the face again.",
        maps=maps_of(analysis.model),
    )
    return tuple(paragraph.strip() for paragraph in (found, _looked(analysis), decided, explained))


def _left_out(given: Parameters) -> str:
    """Which faces were not judged."""
    flaws = [gettext("too small"), gettext("unclear"), *(face for _, face in told_apart(given))]
    return gettext(
        "Faces that are %(all_but_last)s or %(last)s were not judged.",
        all_but_last=", ".join(flaws[:-1]),
        last=flaws[-1],
    )


def _looked(analysis: Analysis) -> str:
    """How faces were scored."""
    second = analysis.model.second_look
    if analysis.model.architecture in SEQUENCES:
        return gettext(
            "Each face that could be judged was cut out upright and scored by the network named in this "
            "report. "
        )
    if second is None:
        return gettext(
            "Each face that could be judged was cut out upright and scored, together with "
            "its mirror image, by the network named in this report. "
        )
    transformer = apart = ""
    if second.transformer is not None:
        transformer = gettext(
            " and a transformer, %(architecture)s,", architecture=second.transformer.architecture
        )
    if made_since(analysis, "1.9"):
        apart = gettext(
            ", as does one on which the two networks lay further apart than on any face they were measured on"
        )
    return gettext(
        "Each face that could be judged was cut out upright and scored, together with "
        "its mirror image, by the network named in this report; a second network, "
        "%(name)s,%(transformer)s looked at the inner face and the whole head, and "
        "answered two questions: was the face swapped or edited, was it generated. "
        "Both answers were fused with the scan's and calibrated. Where the "
        "result lay near the threshold, all networks scored the face mirrored, "
        "shifted, scaled and re-encoded as well; the share of these views on the same "
        "side is the stability, and a face of low stability is not flagged but leaves "
        "the verdict inconclusive%(apart)s. ",
        name=second.name,
        transformer=transformer,
        apart=apart,
    )


def _averaged(analysis: Analysis) -> str:
    """How several faces were weighed together, as a sentence that another one follows; empty for one."""
    faces = len(persons_averaged(analysis))
    if not faces:
        return ""
    judged = sum(face.probability is not None for face in analysis.persons)
    over = gettext("its %(faces)s judged faces", faces=faces)
    if faces < judged:
        over = gettext(
            "%(faces)s of its %(judged)s judged faces, those on whom views agree", faces=faces, judged=judged
        )
    return gettext(
        "The photograph's own probability is that of the odds averaged over %(over)s: of "
        "many unmanipulated faces one scores high more easily than one alone. Where that probability lies "
        "below the threshold, no face is flagged; one that reaches it alone then leaves the verdict "
        "inconclusive. ",
        over=over,
    )


def procedure(analysis: Analysis) -> tuple[str, ...]:
    """How the finding came about: paragraphs in the order of the work.

    Photographs are left to the module beside it.
    """
    if analysis.media.still:
        return photograph_procedure(analysis)
    given = analysis.parameters
    seen = gettext(
        "Frames were sampled at %(sample_rate)s a second; faces were found with "
        "CenterFace and followed between scene cuts. %(search_words)s",
        sample_rate=shown(given.sample_rate, "g"),
        search_words=_search_words(analysis),
    )
    scored = gettext(
        "%(scored)s Its output%(fused_words)s.",
        scored=_scored_words(analysis),
        fused_words=_fused_words(analysis),
    )
    segments = gettext(
        "Along each track the scores were smoothed by a median over %(median_window)s "
        "s. A segment opens where the smoothed score reaches %(enter_threshold)s and "
        "closes where it falls below %(exit_threshold)s; segments nearer than "
        "%(merge_gap)s s become one, those shorter than %(minimum_duration)s s are "
        "dropped. %(together)s%(refined)s",
        median_window=shown(given.median_window, "g"),
        enter_threshold=shown(given.enter_threshold, "g"),
        exit_threshold=shown(given.exit_threshold, "g"),
        merge_gap=shown(given.merge_gap, "g"),
        minimum_duration=shown(given.minimum_duration, "g"),
        together=_together(analysis),
        refined=_refined(analysis),
    )
    decided = gettext(
        "The confidence of the segments that remain is that of the mean raw "
        "score of their own frames, not the smoothed one. Where none remains, a person "
        "whose mean raw score over all frames amounts to %(doubt_threshold)s or more "
        "leaves the verdict inconclusive. %(few)s",
        doubt_threshold=shown(given.doubt_threshold, "g"),
        few=f"{_in_few_frames(analysis)}{wording_photographs.covered_procedure(analysis)}{_kind(analysis)}",
    )
    explained = gettext(
        "At the peak frames %(maps)s shows which areas of the face raised the score; each map was then "
        "tested by hiding what it highlights and scoring the face again.",
        maps=maps_of(analysis.model),
    )
    told = (seen, scored, _views_words(analysis), segments, decided, explained)
    return tuple(paragraph.strip() for paragraph in told if paragraph)


def _scored_words(analysis: Analysis) -> str:
    if analysis.model.architecture in SEQUENCES:
        return gettext(
            "Each usable face was cut out upright and scored by the network named in this report, which "
            "judges it together with those before and after it in its track: a frame score is not of that "
            "frame alone."
        )
    if not analysis.coverage.faces_interpolated:
        return gettext("Each usable face was cut out upright and scored by the network named in this report.")
    return gettext(
        "Usable faces were cut out upright and scored by the network named in this report, but for those "
        "between two about which it was calm: their scores lie between those of the two."
    )


def _fused_words(analysis: Analysis) -> str:
    second = analysis.model.second_look
    if second is None:
        return gettext(", divided by the calibration temperature, became a probability")
    most = analysis.parameters.second_look
    moments = gettext("up to %(moments)s of each person", moments=plural(most, "moment", "moments"))
    framings = gettext("the inner face and the whole head")
    if analysis.parameters.alternate_heads:
        framings = gettext("the inner face, and the whole head in every other one")
    transformer = ""
    if second.transformer is not None:
        transformer = gettext(
            "; a transformer, %(architecture)s, scored the whole head as well",
            architecture=second.transformer.architecture,
        )
    return gettext(
        " was fused with that of a second network, %(name)s, and became a probability. "
        "The second network scored %(moments)s: %(framings)s, "
        "each for a face that was replaced or altered and for one that was "
        "synthesised%(transformer)s",
        name=second.name,
        moments=moments,
        framings=framings,
        transformer=transformer,
    )


def _views_words(analysis: Analysis) -> str:
    """How what the second network said was held against other views; empty without one."""
    second = analysis.model.second_look
    if second is None:
        return ""
    unsure = gettext("Where the fused score lay near the threshold")
    if made_since(analysis, "1.15"):
        unsure = gettext("Where the fused score lay near the threshold, or in a few moments above it")
    apart = ""
    if made_since(analysis, "1.9"):
        apart = gettext(
            ". So does one on whom the two networks lay further apart than on anyone they were measured on"
        )
    return gettext(
        "%(unsure)s, all networks scored the same moments mirrored, "
        "shifted, scaled and re-encoded as well; the share of these views on the same side "
        "of the threshold is the stability, and a person of low stability is not flagged but leaves the "
        "verdict inconclusive%(apart)s%(more)s%(raised)s.",
        unsure=unsure,
        apart=apart,
        more=_more_moments(analysis),
        raised=_raised_or_lowered(analysis, second.codecs or {}),
    )


def _more_moments(analysis: Analysis) -> str:
    """Whatever the codec, since what stands out by less than is raised is looked at more closely as well."""
    if not made_since(analysis, "1.7"):
        return ""
    return gettext(
        ". Where a stretch of a track scored higher than the rest of it by a set amount, up to %(moments)s "
        "more were scored in and around it",
        moments=plural(analysis.parameters.second_look, "moment", "moments"),
    )


def _raised_or_lowered(analysis: Analysis, codecs: Mapping[str, float]) -> str:
    """What ``codecs`` take off for the exhibit's; where nothing was taken off, that stretches were raised."""
    if added := codecs.get(analysis.media.codec):
        return gettext(
            ". What encoding in %(codec)s adds on average, %(added)s of the raw score (logit) for a face "
            "that was replaced or altered, was taken off",
            codec=codec_name(analysis.media.codec),
            added=number(added),
        )
    if not made_since(analysis, "1.7"):
        return ""
    return gettext(". One that did so by the amount set for it on the model's card was raised further")


def _together(analysis: Analysis) -> str:
    if not made_since(analysis, "1.7"):
        return ""
    return gettext("A person's tracks too short for one are judged together, laid end to end. ")


def _in_few_frames(analysis: Analysis) -> str:
    if not made_since(analysis, "1.19"):
        return gettext(
            "The version that made this analysis did not ask whether somebody reaches the opening threshold "
            "for as long as a segment takes, but in too few sampled frames for one. "
        )
    return gettext(
        "So does one who reaches the opening threshold for as long as a segment takes, but in too few "
        "sampled frames for one. "
    )


def _kind(analysis: Analysis) -> str:
    if analysis.kind is None:
        return ""
    if not made_since(analysis, "1.23"):
        return gettext(
            "The version that made this analysis told the kind of manipulation by all of a person's time, "
            "most of which may be unmanipulated where a short stretch is flagged. "
        )
    return gettext("The kind of manipulation was told by the answers where the person is flagged. ")


def _refined(analysis: Analysis) -> str:
    if not analysis.coverage.frames_between:
        return ""
    return gettext(
        "From %(edge_window)s s and a sampling interval before each end of a segment "
        "to as long after it every frame was then judged by the same rules, which "
        "moves the ends to where they are; whether there is a segment was left to the "
        "sampled frames. In medians and means each sampling interval counts once. ",
        edge_window=shown(analysis.parameters.edge_window, "g"),
    )


def _search_words(analysis: Analysis) -> str:
    interval = analysis.parameters.search_interval
    if not interval:
        return gettext("Every sampled frame was searched whole.")
    if made_since(analysis, "1.12"):  # before, frames were searched at half the size instead
        return gettext(
            "Whole frames were searched at the start, after cuts, every %(interval)s s and "
            "whenever a known face was not where it had been; once a second, the places of "
            "known faces and those where a smaller network proposed others. In between, faces "
            "were followed by their pictures.",
            interval=shown(interval, "g"),
        )
    return gettext(
        "Whole frames were searched at the start, around cuts, every %(interval)s s "
        "and whenever a known face was not where it had been, the places of known "
        "faces every half second; in between, the box of a face that hardly moved was "
        "taken from the line between two such places.",
        interval=shown(interval, "g"),
    )
