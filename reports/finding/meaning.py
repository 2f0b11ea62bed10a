"""What the verdict and its figures mean, and what they do not."""

from __future__ import annotations

from dataclasses import dataclass

from detector.schema.analysis import Analysis, Model, Verdict
from detector.schema.causes.cards import CardCode
from language.formatting import number, shown
from language.translation import N_, gettext, translated
from reports.finding import inconclusive
from reports.wording.intervals import LEAST_FRAMES, LEVEL
from reports.wording.photographs import COVERED_SINCE, excluded_kinds, made_since
from reports.wording.verbal_scale import Basis, Step, basis, calibration_error, steps_of

_SCALE = {
    Basis.SHARE: N_(
        "The strength grades the score, which was calibrated on validation data of which half is manipulated."
    ),
    Basis.OFF: N_(
        "The strength grades the model's own score. Although it was calibrated, it differs widely from the "
        "share of manipulated faces among those with the same score (the expected calibration error states "
        "by how much): it only ranks faces by how strongly the network responds."
    ),
    Basis.UNKNOWN: N_(
        "The strength grades the model's own score. It is not known how it was calibrated: it ranks faces by "
        "how strongly the network responds, and need not match the share of manipulated faces among those "
        "with the same score."
    ),
    Basis.SCALED: N_(
        "The strength grades the score, which is scaled so that few unmanipulated clips of the validation "
        "data reach 0.65, the default threshold for a finding. It ranks faces by how strongly the networks "
        "respond; it is not the share of manipulated faces among those with the same score."
    ),
}
_SCORES = {
    Basis.SHARE: N_(
        "The score was calibrated on single faces of the validation data, of which half are manipulated. "
        "Where half are and that calibration applies, about 70 of 100 faces with a score of 0.70 are "
        "manipulated; where fewer are manipulated, fewer of them. It is not the probability that this file "
        "is manipulated, which also depends on where the file comes from."
    ),
    Basis.OFF: N_(
        "Although this model's score was calibrated, it differs widely from the share of manipulated faces "
        "among those with the same score: a higher score only means that the network responds more "
        "strongly. Nor is it the probability that this file is manipulated, which also depends on "
        "where the file comes from."
    ),
    Basis.UNKNOWN: N_(
        "It is not known how this model's score was calibrated: a higher score only means that the network "
        "responds more strongly. It need not match the share of manipulated faces among those with the same "
        "score, and it is not the probability that this file is manipulated, which also "
        "depends on where the file comes from."
    ),
    Basis.SCALED: N_(
        "The score is scaled so that few unmanipulated clips of the validation data reach 0.65, the default "
        "threshold for a finding; the higher it is, the fewer of them reach it. It is neither the share of "
        "manipulated faces among those with the same score nor the probability that this file is "
        "manipulated, which also depends on where the file comes from."
    ),
}


_PHOTOGRAPH = N_(
    "The score was calibrated on photographs of which half are manipulated. It is not the probability that "
    "this photograph is manipulated, which also depends on where it comes from."
)


@dataclass(frozen=True)
class MeaningView:
    """How to read the verdict, the scale of phrases and the intervals.

    ``on_desk`` is the first sentence of the verdict's meaning for the review desk, which is no report.
    """

    verdict_meaning: tuple[str, ...]
    on_desk: str
    verdict_limits: tuple[str, ...]
    scale: str
    strengths: tuple[Step, ...]
    interval_made: str


def meaning_view(analysis: Analysis, ratio_in: int | None) -> MeaningView:
    """Explain this analysis; ``ratio_in`` is the section that quotes the laboratory's likelihood ratio."""
    return MeaningView(
        verdict_meaning=verdict_meaning(analysis),
        on_desk=on_desk(analysis),
        verdict_limits=verdict_limits(analysis),
        scale=scale(analysis, ratio_in),
        strengths=steps_of(analysis),
        interval_made=interval_made(analysis),
    )


def scale(analysis: Analysis, ratio_in: int | None = None) -> str:
    """Explain the scale of words, and whether a likelihood ratio is stated."""
    if ratio_in is None:
        ratio = gettext("No likelihood ratio is stated, because too few scores were measured for this model.")
    else:
        ratio = gettext(
            "Too few scores were measured for this model to support a likelihood ratio. Section "
            "%(section)s states what the laboratory's own validation supports.",
            section=ratio_in,
        )
    origin = gettext(
        "Scores are also expressed in words, so that they are not over-interpreted. The scale follows "
        "the idea of the verbal equivalents in the ENFSI Guideline for Evaluative Reporting in Forensic "
        "Science (2015), but it is a different scale: ENFSI's words express likelihood ratios, which "
        "state how much the evidence alone should change an opinion."
    )
    return f"{origin} {gettext(_SCALE[basis(analysis.model, still=analysis.media.still)])} {ratio}"


def verdict_meaning(analysis: Analysis) -> tuple[str, ...]:
    """List what the finding means."""
    still = analysis.media.still
    if analysis.verdict is Verdict.INCONCLUSIVE:
        return inconclusive.meaning(analysis)
    if analysis.verdict is Verdict.NOT_FOUND:
        if still:
            return (
                _nothing_flagged(analysis, in_report=True),
                gettext(
                    "This applies to the faces counted in this report, and to nothing else in the photograph."
                ),
            )
        return (
            gettext("No face that could be judged was flagged at the thresholds given in this report."),
            gettext(
                "This applies to the frames and usable faces counted in this report, and to nothing else."
            ),
            gettext(
                "An earlier or larger copy of the same recording may reveal more: copying at lower "
                "quality, scaling down and sharpening remove traces."
            ),
        )
    stands = basis(analysis.model, still=still)
    if still and analysis.model.second_look is not None:
        resemblance = gettext(
            "To the networks, the flagged faces resemble the swapped, edited or generated faces they "
            "learned from. If a kind is named, its score is clearly higher than that of the other kind."
        )
    else:
        resemblance = gettext(
            "To the model, the flagged faces resemble the manipulated faces it was trained on."
        )
    if still:
        return (
            resemblance,
            gettext(_PHOTOGRAPH if stands is Basis.SHARE else _SCORES[stands]),
            gettext(
                "A person should look at each flagged face and weigh it together with the origin of the file."
            ),
        )
    return (
        resemblance,
        gettext(_SCORES[stands]),
        gettext(
            "A person should look at every peak frame and weigh it together with the origin of the file."
        ),
    )


def on_desk(analysis: Analysis) -> str:
    """Return the first sentence of :func:`verdict_meaning` for the review desk, which is no report."""
    if analysis.verdict is not Verdict.NOT_FOUND:
        return next(iter(verdict_meaning(analysis)), "")
    if analysis.media.still:
        return _nothing_flagged(analysis, in_report=False)
    return gettext("No face that could be judged was flagged at the thresholds of this analysis.")


def _nothing_flagged(analysis: Analysis, *, in_report: bool) -> str:
    """Say that no face of a photograph reached the threshold, which a report states and the desk does not."""
    if analysis.model.second_look is not None:  # a model with two answers: swapped or edited, generated
        if in_report:
            return gettext(
                "No face that could be judged reached the threshold stated in this report, for either "
                "kind of manipulation."
            )
        return gettext(
            "No face that could be judged reached the threshold of this analysis, for either kind of "
            "manipulation."
        )
    if in_report:
        return gettext("No face that could be judged reached the threshold stated in this report.")
    return gettext("No face that could be judged reached the threshold of this analysis.")


def verdict_limits(analysis: Analysis) -> tuple[str, ...]:
    """List what the finding does not mean."""
    still = analysis.media.still
    if analysis.verdict is Verdict.MANIPULATED:
        proof = gettext(
            "It does not prove manipulation. No decision about a person or a publication may rest on a "
            "machine's finding alone."
        )
    elif analysis.verdict is Verdict.INCONCLUSIVE:
        proof = gettext("It indicates neither manipulation nor its absence.")
    elif still:
        proof = gettext(
            "It does not show that the photograph is unaltered, nor that the person exists. Methods and "
            "generators unknown to the networks can go undetected."
        )
    else:
        proof = gettext(
            "It does not show that the file is unaltered. Manipulation methods unknown to the model can "
            "go undetected."
        )
    identity = gettext(
        "It does not identify the persons shown or the maker of the file, nor anyone's intent."
    )
    if made_since(analysis, COVERED_SINCE):
        detected = gettext("Only covered mouths and eyes are detected, not smaller covers.")
    else:
        detected = gettext("The version that made this analysis did not check whether faces are covered.")
    covered = gettext(
        "If a face is partly covered (by a mask, a caption, a sticker, a hand), the visible part is "
        "judged. Alterations beneath or beside the cover can go undetected, and a mask can raise scores."
    )
    if still:
        return (
            proof,
            _learnt_photographs(analysis.model),
            gettext(
                "It says nothing about anything other than faces: background, bodies, objects, text, "
                "parts that were cropped or removed, or whether the scene was staged."
            ),
            _other_pictures(excluded_kinds(analysis.parameters)),
            gettext(
                "Retouching, beauty filters, portrait modes, strong compression and "
                "re-photographed screens can raise or lower a score."
            ),
            identity,
            f"{covered} {detected}",
        )
    return (
        proof,
        _beside_faces(analysis),
        identity,
        gettext(
            "On material unlike the validation data, errors may be more frequent than measured. Strong "
            "compression, filters, beauty effects and re-filmed screens can raise or lower scores."
        ),
        f"{covered} {detected}",
    )


def _beside_faces(analysis: Analysis) -> str:
    """State what of a video the finding about its faces does not concern."""
    if not analysis.media.has_sound:
        return gettext(
            "It says nothing about scenery, bodies, text, or the order and completeness of the recording."
        )
    if analysis.voice is None:
        return gettext(
            "It says nothing about sound, scenery, bodies, text, or the order and "
            "completeness of the recording."
        )
    return gettext(
        "It says nothing about the voices, which have a verdict of their own, nor about scenery, bodies, "
        "text, or the order and completeness of the recording."
    )


def _other_pictures(excluded: list[tuple[str, str]]) -> str:
    """Say which pictures are judged although they are no colour photographs."""
    if not excluded:
        return gettext(
            "Paintings, statues, masks and drawings with a face, black-and-white pictures and enlarged "
            "tiny pictures are judged like any photograph."
        )
    return gettext(
        "Paintings, statues, masks and soft drawings with a face are judged as if they were photographs. "
        "Only these are recognised and excluded: %(pictures)s.",
        pictures=", ".join(pictures for pictures, _ in excluded),
    )


def _learnt_photographs(model: Model) -> str:
    """Name the generators and methods whose photographs the networks learned from, as far as known."""
    if model.learnt:
        return gettext(
            "The model learned from these kinds of photographs: %(learnt)s. Photographs made by other "
            "generators and programs can go undetected.",
            learnt="; ".join(map(translated, model.learnt)),
        )
    if model.states(CardCode.PHOTOGRAPHS_MEASURED):
        return gettext(
            "The model's card does not list the generators whose photographs it learned from. The section "
            "on the model states how many generated photographs were found."
        )
    return gettext("The model's card does not list the generators whose photographs it learned from.")


def interval_made(analysis: Analysis) -> str:
    """Explain how intervals are computed, with the figures of this analysis's model."""
    still = analysis.media.still
    error = calibration_error(analysis.model, still=still)
    error_figure = "" if error is None else number(round(error, 3))
    if still:
        if error is None:
            return gettext(
                "The calibration error was not measured for this model, so no interval can be stated for "
                "a single photograph."
            )
        return gettext(
            "The score of a finding and of each flagged face is stated with an interval. Both limits differ "
            "from the score by the largest calibration error measured for this model, "
            "%(error)s, which is an average over the measured data, not an upper bound. A single "
            "photograph gives no second measurement to compare with, so random variation is not accounted "
            "for.",
            error=error_figure,
        )
    by_frames = gettext(
        "The score of a finding and of each of its segments is stated with an interval. It accounts "
        "for two sources of uncertainty. The first is the choice of frames: other frames of the same "
        "period would have given a different mean. Consecutive frames look alike, so their number is "
        "reduced to that of independent frames (from their correlation, as a first-order autoregression), "
        "and Student's t distribution gives the limits at %(level)s. With fewer than %(least_frames)s "
        "frames, or if the picture does not move, this part is omitted; if the limits would span nearly "
        "the whole range of scores, no interval is stated. ",
        level=shown(LEVEL, ".0%"),
        least_frames=LEAST_FRAMES,
    )
    if error is None:
        calibrated = gettext(
            "The second is the calibration. Its error was not measured for this model, so this part is "
            "missing and the intervals are too narrow. "
        )
    else:
        calibrated = gettext(
            "The second is the calibration: both limits are moved outwards by the largest calibration "
            "error measured for this model, %(error)s, which is an average over the measured data, not an "
            "upper bound. ",
            error=error_figure,
        )
    return gettext(
        "%(by_frames)s%(calibrated)sThe interval does not account for the fact that a segment was "
        "selected because of its high scores: both limits are more likely too high than too low.",
        by_frames=by_frames,
        calibrated=calibrated,
    )
