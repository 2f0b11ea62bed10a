"""What the verdict and its figures mean, and what they do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from detector.schema.analysis import Analysis, Verdict
from reports.finding import inconclusive
from reports.language.formatting import number, shown
from reports.language.translation import gettext
from reports.wording import photographs
from reports.wording import photographs as wording_photographs
from reports.wording.intervals import LEAST_FRAMES, LEVEL
from reports.wording.verbal_scale import Basis, Strength, basis, calibration_error, strengths


def scale(analysis: Analysis, ratio_in: int | None = None) -> str:
    """What the scale of words follows and stands for.

    ``ratio_in`` is the section that quotes what the laboratory's own validation says of a likelihood ratio.
    """
    if ratio_in is None:
        ratio = gettext(
            "No likelihood ratio is stated, because the scores measured for this model are too few to "
            "support one."
        )
    else:
        ratio = gettext(
            "The scores measured for this model are too few to support a likelihood ratio; what the "
            "laboratory's own validation says of one stands in section %(section)s.",
            section=ratio_in,
        )
    follows = gettext(
        "Figures are also given in words, so that nobody reads more into them than they hold. The scale "
        "follows the idea of the verbal equivalents in the ENFSI Guideline for Evaluative Reporting in "
        "Forensic Science (2015), but it is another scale: ENFSI's words stand for likelihood ratios, which "
        "say how much the evidence alone should move an opinion."
    )
    return f"{follows} {_stands_for(basis(analysis.model, still=analysis.media.still))} {ratio}"


def _stands_for(stands: Basis) -> str:
    match stands:
        case Basis.SHARE:
            return gettext(
                "The words here stand for calibrated probabilities, which are right for material like the "
                "validation data, half of which was manipulated."
            )
        case Basis.OFF:
            return gettext(
                "The words here stand for the model's own probabilities. These were calibrated, and lie far "
                "from the share of manipulated ones among faces with that figure all the same (the expected "
                "calibration error says how far): they order faces by how strongly the network answers."
            )
        case Basis.UNKNOWN:
            return gettext(
                "The words here stand for the model's own probabilities. How these were calibrated is not "
                "known: they order faces by how strongly the network answers, and need not be the share of "
                "manipulated ones among faces with that figure."
            )
        case Basis.SCALED:
            return gettext(
                "The words here stand for probabilities that are scaled so that few unmanipulated clips of "
                "the validation data reach 0.65, a finding's threshold as shipped. They order faces by how "
                "strongly the networks answer; they are not the share of manipulated ones among faces with "
                "that figure."
            )
        case _:
            assert_never(stands)


def verdict_meaning(analysis: Analysis) -> tuple[str, ...]:
    """What the finding says."""
    still = analysis.media.still
    match analysis.verdict:
        case Verdict.MANIPULATED:
            return photographs.flagged(analysis) if still else _flagged(analysis)
        case Verdict.NOT_FOUND:
            return photographs.nothing_found(analysis) if still else _nothing_found()
        case Verdict.INCONCLUSIVE:
            return inconclusive.meaning(analysis)
        case _:
            assert_never(analysis.verdict)


def on_desk(analysis: Analysis) -> str:
    """The first sentence of :func:`verdict_meaning` for the review desk, which is no report; "" for none."""
    if analysis.verdict == Verdict.NOT_FOUND:
        if analysis.media.still:
            return photographs.nothing_flagged(analysis, in_report=False)
        return gettext("No face that could be judged was flagged at the thresholds of this analysis.")
    return next(iter(verdict_meaning(analysis)), "")


def _flagged(analysis: Analysis) -> tuple[str, ...]:
    return (
        gettext("The flagged faces look to the model like the manipulated faces it was trained on."),
        _confidence(analysis),
        gettext("A person should look at every peak frame and weigh it with the origin of the file."),
    )


def _nothing_found() -> tuple[str, ...]:
    return (
        gettext("No face that could be judged was flagged at the thresholds given in this report."),
        gettext("It covers the frames and usable faces counted in this report, and nothing else."),
        gettext(
            "An earlier or larger copy of the same recording may show more: copying at lower quality, "
            "scaling down and sharpening remove traces."
        ),
    )


def _confidence(analysis: Analysis) -> str:
    stands = basis(analysis.model, still=False)
    match stands:
        case Basis.OFF:
            return gettext(
                "This model's confidence was calibrated, and lies far from the share of manipulated faces "
                "among those that get the same figure all the same: the higher it is, the more strongly the "
                "network answers. It is not the odds that this file is manipulated either, which also depend "
                "on where it comes from."
            )
        case Basis.UNKNOWN:
            return gettext(
                "How this model's confidence was calibrated is not known: the higher it is, the more "
                "strongly the network answers. It need not be the share of manipulated faces among those "
                "that get the same figure, and is not the odds that this file is manipulated, which also "
                "depend on where it comes from."
            )
        case Basis.SCALED:
            return gettext(
                "Confidence is scaled so that few unmanipulated clips of the validation data reach 0.65, a "
                "finding's threshold as shipped: the higher above that, the fewer of them get there. It is "
                "neither the share of manipulated faces among those that get the same figure nor the odds "
                "that this file is manipulated, which also depend on where it comes from."
            )
        case Basis.SHARE:
            return gettext(
                "Confidence was calibrated on single faces of the validation data, half of them manipulated: "
                "as far as that holds, about that share of those that got the same figure was. It is not the "
                "odds that this file is manipulated, which also depend on where it comes from."
            )
        case _:
            assert_never(stands)


def verdict_limits(analysis: Analysis) -> tuple[str, ...]:
    """What the finding does not say, however it is quoted."""
    if analysis.media.still:
        return photographs.limits(analysis)
    common = (
        gettext(
            "It says nothing about sound, scenery, bodies, text, or the order and "
            "completeness of the recording."
        ),
        gettext("It does not name the persons shown, the maker of the file, or anyone's intent."),
        gettext(
            "Measured figures do not carry over to material unlike the validation data; "
            "strong compression, filters, beauty effects and re-filmed screens can raise "
            "or lower scores."
        ),
        wording_photographs.covered_limit(analysis),
    )
    first = {
        Verdict.MANIPULATED: gettext(
            "It does not prove manipulation. A machine's finding alone must not decide "
            "about a person or a publication."
        ),
        Verdict.NOT_FOUND: gettext(
            "It does not show that the file is unaltered. Methods unknown to the model can go unnoticed."
        ),
        Verdict.INCONCLUSIVE: gettext("It is neither a sign of manipulation nor a sign of its absence."),
    }[analysis.verdict]
    return (first, *common)


def interval_made(analysis: Analysis) -> str:
    """How intervals are made, with the figures of this analysis's model."""
    if analysis.media.still:
        return photographs.interval_made(analysis)
    error = calibration_error(analysis.model, still=False)
    by_frames = gettext(
        "Beside the probability of a finding and that of each of its segments stands an "
        "interval. It allows for two sources of doubt. First, the frames: others of the "
        "same stretch would have given another mean. Frames that follow each other look "
        "alike, so their number is reduced to that of independent ones (by their "
        "correlation, as a first-order autoregression), and Student's t gives the ends "
        "at %(level)s. With fewer than %(least_frames)s frames, or where the picture does "
        "not move, this part is left out; where the ends would lie nearly as far apart as "
        "probabilities can, no interval is given. ",
        level=shown(LEVEL, ".0%"),
        least_frames=LEAST_FRAMES,
    )
    if error is None:
        calibrated = gettext(
            "Second, the calibration: how far off the probabilities themselves are was not "
            "measured for this model, so this part is missing and the intervals are too "
            "narrow. "
        )
    else:
        calibrated = gettext(
            "Second, the calibration: both ends are moved outwards by the largest "
            "calibration error measured for this model, %(error)s, an average over the "
            "measured data and not a bound. ",
            error=number(round(error, 3)),
        )
    return gettext(
        "%(by_frames)s%(calibrated)sThat a segment was picked out because its scores "
        "were high is not allowed for: both ends lie rather too high than too low.",
        by_frames=by_frames,
        calibrated=calibrated,
    )


@dataclass(frozen=True)
class MeaningView:
    """How to read the verdict, the scale of phrases and the intervals.

    ``on_desk`` is the first sentence of the verdict's meaning where a page is no report; "" without one.
    """

    verdict_meaning: tuple[str, ...]
    on_desk: str
    verdict_limits: tuple[str, ...]
    scale: str
    strengths: tuple[Strength, ...]
    interval_made: str


def meaning_view(analysis: Analysis, ratio_in: int | None) -> MeaningView:
    """The sentences that fit this analysis.

    ``ratio_in`` as :func:`reports.finding.meaning.scale` takes it.
    """
    return MeaningView(
        verdict_meaning=verdict_meaning(analysis),
        on_desk=on_desk(analysis),
        verdict_limits=verdict_limits(analysis),
        scale=scale(analysis, ratio_in),
        strengths=strengths(analysis.model, still=analysis.media.still),
        interval_made=interval_made(analysis),
    )
