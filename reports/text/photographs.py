"""The standing text of a report about a photograph: what is and what is not told about one."""

from __future__ import annotations

from detector.schema.analysis import Analysis, Answers, Coverage, Model, Parameters, Verdict
from detector.schema.formatting import probability
from reports.text.numbers import number, plural
from reports.text.uncertainty import calibration_error

_OF_VIDEOS = frozenset(
    {
        "track", "smoothed score", "segment", "peak frame", "PTS", "frame number", "frame score",
        "confidence", "interval", "person", "heatmap",
    }
)  # fmt: skip
_OWN = (
    ("person", "One face in the photograph. Letters say nothing about who it is."),
    (
        "face swap or edit, generated face",
        "The two questions asked of every face: was it replaced or altered in a photograph, was it made as a "
        "whole by a generator. Each has a calibrated probability; the larger is the photograph's.",
    ),
    (
        "interval",
        "How far a probability could be off, as section 5 explains. A wider one means a less certain figure.",
    ),
    ("heatmap", "Grad-CAM: the areas of the face that raised the score most, as colour over the photograph."),
    (
        "declaration",
        "What the file itself says of its making. Anybody can write or remove it; it never enters a verdict.",
    ),
)
_VIDEO_SETTINGS = frozenset(
    {
        "sample_rate", "search_interval", "edge_window", "median_window", "exit_threshold", "merge_gap",
        "minimum_duration", "bridge_gap", "minimum_usable_frames", "second_look",
    }
)  # fmt: skip
_PHOTO_SETTINGS = frozenset({"minimum_colour", "minimum_detail", "maximum_flatness"})


def glossary(of_videos: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """The terms of a report on a photograph: of those of all reports the ones it needs, and its own."""
    return (*(term for term in of_videos if term[0] not in _OF_VIDEOS), *_OWN)


def settings_of(is_photo: bool) -> tuple[str, ...]:
    """Names of the parameters that play a part, for a photograph or for a video."""
    without = _VIDEO_SETTINGS - {"second_look"} if is_photo else _PHOTO_SETTINGS
    return tuple(name for name in Parameters.model_fields if name not in without)


def meaning(verdict: Verdict) -> tuple[str, ...]:
    """What the finding says."""
    if verdict is Verdict.MANIPULATED:
        return (
            "The flagged faces look to the networks like the swapped, edited or generated faces they learnt "
            "from. Where the kind is named, one of both answers clearly outweighs the other.",
            "It is not the odds that this photograph is manipulated, which also depend on where it comes "
            "from.",
            "A person should look at each flagged face and weigh it with the origin of the file.",
        )
    if verdict is Verdict.NOT_FOUND:
        return (
            "No face that could be judged reached the threshold given in this report, for either question.",
            "It covers the faces counted in this report, and nothing else in the photograph.",
        )
    return (
        "Too little could be judged, it is of a kind that the networks were not made for, or the answers lie "
        "too near the threshold.",
        "The original file, larger and not passed on through other programs, may allow a finding.",
    )


def limits(analysis: Analysis) -> tuple[str, ...]:
    """What the finding does not say, however it is quoted."""
    first = {
        Verdict.MANIPULATED: "It does not prove manipulation. A machine's finding alone must not decide "
        "about a person or a publication.",
        Verdict.NOT_FOUND: "It does not show that the photograph is unaltered, nor that the person exists. "
        "Methods and generators unknown to the networks can go unnoticed.",
        Verdict.INCONCLUSIVE: "It is neither a sign of manipulation nor a sign of its absence.",
    }[analysis.verdict]
    return (
        first,
        learnt(analysis.model),
        "It says nothing about what is not a face: background, bodies, objects, text, what was cut away or "
        "removed, and whether the scene was staged.",
        "Paintings, statues, masks and soft drawings with a face are judged as if they were photographs; "
        "only black-and-white and toned pictures, tiny ones enlarged, and drawings in flat colours are told "
        "apart.",
        "Retouching, beauty filters, portrait modes, strong compression and re-photographed screens can "
        "raise or lower a score.",
        "It does not name the persons shown, the maker of the file, or anyone's intent.",
    )


def learnt(model: Model) -> str:
    """Which generators and methods the networks have seen, as far as the card says."""
    if not model.learnt:
        return (
            "Its card does not list the generators that the model learnt photographs from; its limits, in "
            "the section on the model, say how many generated photographs were found."
        )
    return (
        f"Of photographs, the model has learnt: {'; '.join(model.learnt)}. What other generators and "
        "programs make can go unnoticed."
    )


def interval_made(analysis: Analysis) -> str:
    """How intervals are made, with the figures of this analysis's model."""
    error = calibration_error(analysis.model.figures)
    if error is None:
        return (
            "How far off the probabilities are was not measured for this model, so that no interval can be "
            "stated for a single photograph."
        )
    return (
        "Beside each probability stands an interval: both ends lie away from it by the largest calibration "
        f"error measured for this model, {number(round(error, 3))}, an average over the measured data and "
        "not a bound. One photograph gives no second figure to compare with, so chance is not allowed for."
    )


def not_examined(analysis: Analysis) -> tuple[str, ...]:
    """What was left out, in sentences."""
    coverage = analysis.coverage
    lines = [
        "A part of the picture is missing in the file and was not looked at."
        if analysis.media.frames_undecodable
        else "The picture was decoded completely.",
        f"Faces not judged: {coverage.faces_unusable:,} of {plural(coverage.faces_found, 'face')} found"
        f"{reasons(coverage)}."
        if coverage.faces_unusable
        else f"Faces not judged: none of {plural(coverage.faces_found, 'face')} found.",
    ]
    if coverage.faces_discarded:
        lines.append(
            f"Taken for no faces: {plural(coverage.faces_discarded, 'place')} where the face detector was "
            "never sure."
        )
    if analysis.media.details and (pages := analysis.media.details.other_pages):
        lines.append(f"Other pictures in the file: {plural(pages, 'page')}.")
    lines.append("Everything in the photograph that is not a face.")
    return tuple(lines)


def reasons(coverage: Coverage) -> str:
    """Why faces were not judged, each reason with its count where the analysis says so (since 1.8)."""
    if not coverage.flaws:
        return ", too small, too unclear or too unsure"
    return ": " + "; ".join(f"{count:,} {flaw}" for flaw, count in coverage.flaws.items())


def procedure(analysis: Analysis) -> str:
    """How the finding came about, in the order of the work."""
    given, second = analysis.parameters, analysis.model.second_look
    if second is None:
        looked = (
            "Each face that could be judged was cut out upright and scored, together with its mirror image, "
            "by the network named in this report. "
        )
    else:
        transformer = ""
        if second.transformer is not None:
            transformer = f" and a transformer, {second.transformer.architecture},"
        looked = (
            "Each face that could be judged was cut out upright and scored, together with its mirror image, "
            f"by the network named in this report; a second network, {second.name},{transformer} looked at "
            "the inner face and the whole head, and answered two questions: was the face swapped or edited, "
            "was it generated. Both answers were fused with the first network's and calibrated. Where the "
            "result lay near the threshold, all networks scored the face mirrored, shifted, scaled and "
            "re-encoded as well; the share of these views on the same side is the stability, and a face of "
            "low stability is not flagged but leaves the verdict inconclusive, as does one on which the two "
            "networks lay further apart than on any face they were measured on. "
        )
    return (
        "What the file declares of its making was read first; it entered no score. Faces were found with "
        "CenterFace. Faces that are too small, unclear, without colours of their own, enlarged from a tiny "
        f"picture or drawn in flat colours were not judged. {looked}"
        f"A face whose score reaches {given.enter_threshold:g} is flagged; where none does, one of "
        f"{given.doubt_threshold:g} or more leaves the verdict inconclusive. For each flagged face Grad-CAM "
        "shows which areas raised the score; each map was then tested by hiding what it highlights and "
        "scoring the face again."
    )


def both(answers: Answers | None) -> str:
    """Both answers about the photograph, in one line; empty without a second look."""
    if answers is None:
        return ""
    edited, generated = probability(answers.altered), probability(answers.synthesised)
    return f"Face swap or edit {edited}, generated face {generated}"
