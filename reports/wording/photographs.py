"""Standard text of reports on photographs, and on covered faces."""

from __future__ import annotations

from detector.schema.analysis import Analysis, Answers, Coverage, Media, Model, Parameters, Verdict
from detector.schema.metadata import LEAST_TRANSPARENT
from detector.schema.method import PHOTO_PARAMETERS, VIDEO_PARAMETERS
from reports.language.formatting import number, plural, probability, shown, size
from reports.language.translation import N_, gettext, translated
from reports.wording.verbal_scale import PHOTOGRAPHS, calibration_error


def made_since(analysis: Analysis, version: str) -> bool:
    """Whether its schema version is ``version``, such as ``1.15``, or a later one."""
    return _parts(analysis.schema_version) >= _parts(version)


def _parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


_ASKED = "1.21"
"""Since this schema it is asked whether mouth or eyes are covered."""


def why_covered_is_open() -> str:
    """Why nothing can be said where mouth or eyes are covered."""
    return gettext(
        "Mouth or eyes seem covered: what was altered beneath cannot be seen, and what covers a face can "
        "raise or lower its score."
    )


def covered_limit(analysis: Analysis) -> str:
    """What a verdict does not say where something covers a face."""
    rest = gettext(
        "Of a face that is partly covered (by a mask, a caption, a sticker, a hand) what is left is "
        "judged: what was altered beneath or beside it can go unnoticed, and a mask can raise scores."
    )
    if made_since(analysis, _ASKED):
        then = gettext("Smaller covers than over mouth or eyes are not told.")
    else:
        then = gettext("The version that made this analysis did not ask whether faces are covered.")
    return f"{rest} {then}"


def covered_procedure(analysis: Analysis) -> str:
    """That it was asked, and what followed, as a sentence that another one follows; empty before."""
    if not made_since(analysis, _ASKED):
        return ""
    if analysis.media.still:
        return gettext(
            "A face of which a small network is sure that mouth or eyes are covered is neither flagged nor "
            "cleared, nor weighed against others. "
        )
    return gettext(
        "A segment most of whose faces are such that a small network is sure that mouth or eyes are covered "
        "is not flagged, and a person is not cleared by such faces. "
    )


_TERMS_OF_VIDEOS = frozenset(
    {
        "track",
        N_("smoothed score"),
        "segment",
        N_("peak frame"),
        "PTS",
        N_("frame number"),
        N_("frame score"),
        "confidence",
        "interval",
        "person",
        "heatmap",
    }
)
_QUESTIONS, _DECLARATION = N_("face swap or edit, generated face"), N_("declaration")
_OWN = (
    (N_("person"), N_("One face in the photograph. Letters say nothing about who it is.")),
    (
        _QUESTIONS,
        N_(
            "The two questions asked of every face: was it replaced or altered in a "
            "photograph, was it made as a whole by a generator. Each has a calibrated "
            "probability; the larger is the face's."
        ),
    ),
    (
        N_("interval"),
        N_("How far a probability could be off. A wider interval means a less certain figure."),
    ),
    (
        N_("heatmap"),
        N_("Grad-CAM: the areas of the face that raised the score most, as colour over the photograph."),
    ),
    (
        _DECLARATION,
        N_(
            "What the file itself says of its making. Anybody can write or remove it; it "
            "never enters a verdict."
        ),
    ),
)


def glossary(analysis: Analysis, of_videos: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """The terms of a report on a photograph: of those of all reports the ones it needs, and its own."""
    own = [
        term
        for term in _OWN
        if (term[0] != _QUESTIONS or analysis.model.second_look is not None)
        and (term[0] != _DECLARATION or analysis.declarations is not None)
    ]
    return (*(term for term in of_videos if term[0] not in _TERMS_OF_VIDEOS), *own)


def parameters_of(is_photo: bool) -> tuple[str, ...]:
    """Names of the parameters that play a part, for a photograph or for a video."""
    without = VIDEO_PARAMETERS if is_photo else PHOTO_PARAMETERS
    return tuple(name for name in Parameters.model_fields if name not in without)


def flagged(analysis: Analysis) -> tuple[str, ...]:
    """What it says that faces are flagged."""
    asked = analysis.model.second_look is not None  # whether a face was swapped or edited, or generated
    return (
        gettext(
            "The flagged faces look to the networks like the swapped, edited or generated "
            "faces they learnt from. Where the kind is named, one of both answers clearly "
            "outweighs the other."
        )
        if asked
        else gettext("The flagged faces look to the model like the manipulated faces it was trained on."),
        gettext(
            "It is not the odds that this photograph is manipulated, which also depend on "
            "where it comes from."
        ),
        gettext("A person should look at each flagged face and weigh it with the origin of the file."),
    )


def nothing_flagged(analysis: Analysis, *, in_report: bool) -> str:
    """That no face reached the threshold, which a report gives and the review desk does not."""
    asked = analysis.model.second_look is not None
    if in_report:
        return (
            gettext(
                "No face that could be judged reached the threshold given in this report, for either "
                "question."
            )
            if asked
            else gettext("No face that could be judged reached the threshold given in this report.")
        )
    return (
        gettext("No face that could be judged reached the threshold of this analysis, for either question.")
        if asked
        else gettext("No face that could be judged reached the threshold of this analysis.")
    )


def nothing_found(analysis: Analysis) -> tuple[str, ...]:
    """What it says that no manipulation was found."""
    return (
        nothing_flagged(analysis, in_report=True),
        gettext("It covers the faces counted in this report, and nothing else in the photograph."),
    )


def next_steps() -> str:
    """What to do about a photograph in which nothing was flagged."""
    return gettext(
        "Read what the file declares, which stands first. Obtain the original "
        "file, larger and not passed on, and find out where it was first published "
        "(search for the picture). Do not take this result as proof that the "
        "photograph is unaltered or that the person exists."
    )


def limits(analysis: Analysis) -> tuple[str, ...]:
    """What the finding does not say, however it is quoted."""
    first = {
        Verdict.MANIPULATED: gettext(
            "It does not prove manipulation. A machine's finding alone must not decide "
            "about a person or a publication."
        ),
        Verdict.NOT_FOUND: gettext(
            "It does not show that the photograph is unaltered, nor that the person "
            "exists. Methods and generators unknown to the networks can go unnoticed."
        ),
        Verdict.INCONCLUSIVE: gettext("It is neither a sign of manipulation nor a sign of its absence."),
    }[analysis.verdict]
    return (
        first,
        _learnt(analysis.model),
        gettext(
            "It says nothing about what is not a face: background, bodies, objects, text, "
            "what was cut away or removed, and whether the scene was staged."
        ),
        _as_photographs(told_apart(analysis.parameters)),
        gettext(
            "Retouching, beauty filters, portrait modes, strong compression and "
            "re-photographed screens can raise or lower a score."
        ),
        gettext("It does not name the persons shown, the maker of the file, or anyone's intent."),
        covered_limit(analysis),
    )


def told_apart(parameters: Parameters) -> list[tuple[str, str]]:
    """Kinds of pictures that were not judged, each also as what is said of a face in one."""
    kinds = (
        (
            parameters.minimum_colour > 0,
            gettext("black-and-white and toned pictures"),
            gettext("without colour"),
        ),
        (
            parameters.minimum_detail > 0,
            gettext("tiny pictures enlarged"),
            gettext("enlarged from a tiny picture"),
        ),
        (
            0 < parameters.maximum_flatness < 1,
            gettext("drawings in flat colours"),
            gettext("drawn in flat colours"),
        ),
    )
    return [(pictures, face) for looked_for, pictures, face in kinds if looked_for]


def _as_photographs(told_apart: list[tuple[str, str]]) -> str:
    """What is judged though it is no photograph in colour."""
    if not told_apart:
        return gettext(
            "Paintings, statues, masks and drawings with a face, black-and-white pictures, and tiny ones "
            "enlarged are judged like any photograph."
        )
    return gettext(
        "Paintings, statues, masks and soft drawings with a face are judged as if they were photographs; "
        "told apart are only: %(pictures)s.",
        pictures=", ".join(pictures for pictures, _ in told_apart),
    )


def _learnt(model: Model) -> str:
    """Which generators and methods the networks have seen, as far as the card says."""
    if not model.learnt and not any(limit.startswith("Photographs") for limit in model.limits):
        return gettext("Its card does not list the generators that the model learnt photographs from.")
    if not model.learnt:
        return gettext(
            "Its card does not list the generators that the model learnt photographs from; "
            "its limits, in the section on the model, say how many generated photographs "
            "were found."
        )
    return gettext(
        "Of photographs, the model has learnt: %(learnt)s. What other generators and "
        "programs make can go unnoticed.",
        learnt="; ".join(map(translated, model.learnt)),
    )


def rates_of_one_person(analysis: Analysis) -> str:
    """That the card's error rates are of photographs of one person, where several faces were judged.

    Empty elsewhere. Only of a second look is it known that it was measured so.
    """
    model, judged = analysis.model, sum(person.probability is not None for person in analysis.persons)
    measured = model.second_look is not None and any(rate.unit == PHOTOGRAPHS for rate in model.rates)
    if not (analysis.media.still and measured and judged > 1):
        return ""
    said = gettext(
        "These rates are of photographs of one person. Here %(faces)s were judged, and at least one of "
        "several is flagged by mistake more often than a single one.",
        faces=plural(judged, "face", "faces"),
    )
    of_groups = [translated(limit) for limit in model.limits if limit.startswith("Group photographs")]
    return " ".join([said, *of_groups])


def interval_made(analysis: Analysis) -> str:
    """How intervals are made, with the figures of this analysis's model."""
    error = calibration_error(analysis.model, still=True)
    if error is None:
        return gettext(
            "How far off the probabilities are was not measured for this model, so that no "
            "interval can be stated for a single photograph."
        )
    return gettext(
        "Beside the probability of a finding and that of each flagged face stands an "
        "interval: both ends lie away from it by the largest calibration error measured "
        "for this model, %(error)s, an average over the measured data and not a bound. "
        "One photograph gives no second figure to compare with, so chance is not allowed "
        "for.",
        error=number(round(error, 3)),
    )


def not_examined(analysis: Analysis) -> tuple[str, ...]:
    """What was left out, in sentences."""
    coverage = analysis.coverage
    lines = [
        gettext("A part of the picture is missing in the file and was not looked at.")
        if analysis.media.frames_undecodable
        else gettext("The picture was decoded completely."),
        gettext(
            "Faces not judged: %(faces_unusable)s of %(faces)s found%(reasons)s.",
            faces_unusable=shown(coverage.faces_unusable, ","),
            faces=plural(coverage.faces_found, "face", "faces"),
            reasons=_reasons(coverage),
        )
        if coverage.faces_unusable
        else gettext("Faces not judged: none of those found.")
        if coverage.faces_found
        else gettext("No face was found."),
    ]
    if coverage.faces_discarded:
        lines.append(
            gettext(
                "Taken for no faces: %(places)s where the face detector was never sure.",
                places=plural(coverage.faces_discarded, "place", "places"),
            )
        )
    lines += under_transparency(analysis.media)
    if analysis.media.details and (pages := analysis.media.details.other_pages):
        lines.append(gettext("Other pictures in the file: %(pages)s.", pages=plural(pages, "page", "pages")))
    photo = analysis.media.details.photo if analysis.media.details else None
    if photo is not None and photo.appended_video:
        lines.append(
            gettext(
                "A video behind the picture, as motion photos have it: %(size)s.",
                size=size(photo.appended_video),
            )
        )
    lines.append(gettext("Everything in the photograph that is not a face."))
    return tuple(lines)


def under_transparency(media: Media) -> tuple[str, ...]:
    """What transparent areas hide, of a photograph or of a video."""
    share = media.picture.transparent if media.picture else None
    if not share:
        return ()
    if share < LEAST_TRANSPARENT:
        return (
            gettext(
                "What lies under transparent areas (less than 0.1 %% of the picture): it was examined on a "
                "plain ground, as viewers show it."
            ),
        )
    return (
        gettext(
            "What lies under transparent areas (%(share)s %% of the picture): it was examined on a plain "
            "ground, as viewers show it.",
            share=shown(100 * share, ".1f"),
        ),
    )


def _reasons(coverage: Coverage) -> str:
    """Why faces were not judged, each reason with its count where the analysis says so (since 1.8)."""
    if not coverage.flaws:
        return gettext(", too small, too unclear or too unsure")
    return ": " + "; ".join(
        f"{shown(count, ',')} {translated(flaw)}" for flaw, count in coverage.flaws.items()
    )


def both(answers: Answers | None) -> str:
    """Both answers about the photograph, in one line; empty without a second look."""
    if answers is None:
        return ""
    edited, generated = probability(answers.altered), probability(answers.synthesised)
    return gettext(
        "Face swap or edit %(edited)s, generated face %(generated)s", edited=edited, generated=generated
    )
