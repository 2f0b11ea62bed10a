"""Verdicts of the other models, and the combined verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from detector.schema.analysis import Analysis, Model, Segment
from detector.schema.model import OnnxNetwork
from detector.verdict.finding import finding_of
from language import formatting
from language.names import model_title
from language.translation import UNTRANSLATED, gettext, reason_text
from reports.inputs.pictures import ShownPicture
from reports.persons.segments import PeakView, SegmentView, segment_view
from reports.procedure.method import ModelView, model_view
from reports.wording.sections import Fact

_SHOWN_PERSONS = 4  # as many columns as a page has room for


@dataclass(frozen=True)
class PersonFigure:
    """The probability that a model gives one person."""

    name: str
    probability: str


@dataclass(frozen=True)
class ModelRow:
    """One model in the table of all models, with its result for the whole exhibit."""

    number: int
    title: str = field(metadata=UNTRANSLATED)
    name: str = field(metadata=UNTRANSLATED)
    verdict: str
    figure: str
    flagged: str
    persons: tuple[PersonFigure, ...]


@dataclass(frozen=True)
class SegmentByOther:
    """A segment by another model, and its strongest peak if one was stored."""

    segment: SegmentView
    peak: PeakView | None


@dataclass(frozen=True)
class OtherView:
    """One of the other models: its card, and the segments that reach the threshold."""

    number: int
    model: ModelView
    onnx: tuple[Fact, ...]
    segments: tuple[SegmentByOther, ...]
    reason: str  # of its verdict


@dataclass(frozen=True)
class OtherModelsView:
    """All models of an analysis with several models."""

    verdict: str
    reason: str
    rows: tuple[ModelRow, ...]
    models: tuple[OtherView, ...]

    @property
    def person_names(self) -> tuple[str, ...]:
        """Names of the persons in the table; all models judge the same ones."""
        return tuple(person.name for person in self.rows[0].persons)

    @property
    def pictures(self) -> tuple[ShownPicture, ...]:
        """Pictures that a report shows."""
        flagged = (segment for model in self.models for segment in model.segments if segment.segment.flagged)
        shown = (segment.peak.face[1] for segment in flagged if segment.peak)
        return tuple(picture for picture in shown if picture.path)


def other_models_view(analysis: Analysis, folder: Path) -> OtherModelsView | None:
    """Return the results of several models, None if the analysis has one; ``folder`` holds the pictures."""
    if analysis.joint is None:
        return None
    analyses = [analysis, *(analysis.by(other) for other in analysis.others)]
    return OtherModelsView(
        verdict=gettext(analysis.joint.verdict.value),
        reason=reason_text(analysis.joint),
        rows=tuple(_row(number, by_model) for number, by_model in enumerate(analyses, start=1)),
        models=tuple(
            _other(number, by_model, folder) for number, by_model in enumerate(analyses[1:], start=2)
        ),
    )


def _row(number: int, analysis: Analysis) -> ModelRow:
    flagged = ", ".join(segment.id for segment in finding_of(analysis).flagged)
    persons = [
        PersonFigure(gettext("Person %(id)s", id=person.id), formatting.probability(person.probability))
        for person in analysis.persons[:_SHOWN_PERSONS]
    ]
    return ModelRow(
        number=number,
        title=model_title(analysis.model.title),
        name=analysis.model.name,
        verdict=gettext(analysis.verdict.value),
        figure=formatting.probability(analysis.probability),
        flagged=flagged or gettext("none"),
        persons=tuple(persons),
    )


def _other(number: int, analysis: Analysis, folder: Path) -> OtherView:
    return OtherView(
        number=number,
        model=model_view(analysis.model, still=analysis.media.still),
        onnx=onnx_facts(analysis.model),
        segments=tuple(_segment(analysis, segment, folder) for segment in analysis.segments),
        reason=reason_text(analysis),
    )


def _segment(analysis: Analysis, segment: Segment, folder: Path) -> SegmentByOther:
    view = segment_view(analysis, segment, folder)
    places = range(len(segment.peaks))
    highest = max(places, key=lambda place: segment.peaks[place].probability, default=None)
    return SegmentByOther(view, None if highest is None else view.peaks[highest])


def onnx_facts(model: Model) -> tuple[Fact, ...]:
    """Describe input and output of a network in an ONNX file; return nothing for other networks."""
    if model.onnx is None:
        return ()
    return (
        Fact(gettext("Kind"), gettext("ONNX file from outside Reelproof; heatmaps are occlusion maps")),
        Fact(gettext("Framing"), _framing(model.onnx)),
        Fact(gettext("Output"), _output(model.onnx)),
    )


def _framing(onnx: OnnxNetwork) -> str:
    framing = onnx.framing
    words = gettext(
        "square of %(factor)s times the face detector's box", factor=formatting.number(framing.box)
    )
    if framing.below:
        words += gettext(", centre %(sides)s sides lower", sides=formatting.number(framing.below))
    return words + gettext(", tilted faces rotated upright") if framing.upright else words


def _output(onnx: OnnxNetwork) -> str:
    output = onnx.output
    if not output.gives.of_classes:
        high = gettext("%(kind)s; a high value means manipulated", kind=output.gives.value)
        return (
            high
            if output.manipulated
            else gettext("%(kind)s; a low value means manipulated", kind=output.gives.value)
        )
    return gettext(
        "%(kind)s of classes; class %(number)s means manipulated",
        kind=output.gives.value,
        number=output.manipulated,
    )
