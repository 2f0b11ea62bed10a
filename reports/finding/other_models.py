"""Verdicts of the other models, and the combined verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from detector.schema.analysis import Analysis, Model, Segment
from detector.schema.method import JointRule
from detector.schema.model import OnnxNetwork
from detector.verdict.judged_persons import flagged_segments
from reports.inputs.pictures import ShownPicture
from reports.language import formatting
from reports.language.names import model_title
from reports.language.translation import N_, UNTRANSLATED, capitalize_first, gettext, translated
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
    """One model in the table of all: its number, and what it says of the whole exhibit."""

    number: int
    title: str = field(metadata=UNTRANSLATED)
    name: str = field(metadata=UNTRANSLATED)
    verdict: str
    figure: str
    flagged: str
    persons: tuple[PersonFigure, ...]


@dataclass(frozen=True)
class SegmentByOther:
    """A segment by another model, flagged or looked at alone; its strongest peak, if any was kept."""

    segment: SegmentView
    peak: PeakView | None


@dataclass(frozen=True)
class OtherView:
    """One of the other models: its card, and what reached the threshold by it."""

    number: int
    model: ModelView
    onnx: tuple[Fact, ...]
    segments: tuple[SegmentByOther, ...]
    reason: str  # of its verdict


@dataclass(frozen=True)
class OtherModelsView:
    """All models of an analysis with several."""

    verdict: str
    reason: str
    rows: tuple[ModelRow, ...]
    models: tuple[OtherView, ...]

    @property
    def person_names(self) -> tuple[str, ...]:
        """The persons in the table of all models, which see the same ones."""
        return tuple(person.name for person in self.rows[0].persons)

    @property
    def pictures(self) -> tuple[ShownPicture, ...]:
        """Those a report shows."""
        flagged = (one for model in self.models for one in model.segments if one.segment.flagged)
        shown = (one.peak.shown[1] for one in flagged if one.peak)
        return tuple(picture for picture in shown if picture.path)

    @property
    def kept(self) -> Iterator[ShownPicture]:
        """All that belong to the analysis."""
        for model in self.models:
            for one in model.segments:
                for peak in one.segment.peaks:
                    yield from peak.kept


def other_models_view(analysis: Analysis, folder: Path) -> OtherModelsView | None:
    """What several models say; None where only one was asked. ``folder`` holds the pictures."""
    if analysis.joint is None:
        return None
    told = [analysis, *(analysis.by(other) for other in analysis.others)]
    return OtherModelsView(
        verdict=gettext(analysis.joint.verdict.value),
        reason=rule_and_verdicts(analysis),
        rows=tuple(_row(number, one) for number, one in enumerate(told, start=1)),
        models=tuple(_other(number, one, folder) for number, one in enumerate(told[1:], start=2)),
    )


_RULES = {
    JointRule.FIRST: N_("Rule: the first model decides; the others are shown."),
    JointRule.ANY: N_("Rule: manipulated if any model says so."),
    JointRule.MAJORITY: N_("Rule: what more than half of the models say; else inconclusive."),
    JointRule.ALL: N_("Rule: what all models say; else inconclusive."),
}


def rule_and_verdicts(analysis: Analysis) -> str:
    """By which rule several models decide together, and what each says."""
    assert analysis.joint is not None
    by_verdict: dict[str, list[str]] = {}
    told = [(model_title(analysis.model.title), analysis.verdict)]
    told += [(model_title(other.model.title), other.verdict) for other in analysis.others]
    for title, verdict in told:
        by_verdict.setdefault(capitalize_first(gettext(str(verdict))), []).append(title)
    # Titles have commas of their own.
    said = [f"{verdict}: {'; '.join(titles)}." for verdict, titles in by_verdict.items()]
    return " ".join((gettext(_RULES[analysis.joint.rule]), *said))


def _row(number: int, one: Analysis) -> ModelRow:
    flagged = ", ".join(segment.id for segment in flagged_segments(one.persons, one.segments))
    persons = [
        PersonFigure(gettext("Person %(id)s", id=each.id), formatting.probability(each.probability))
        for each in one.persons[:_SHOWN_PERSONS]
    ]
    return ModelRow(
        number=number,
        title=model_title(one.model.title),
        name=one.model.name,
        verdict=gettext(one.verdict.value),
        figure=formatting.probability(one.probability),
        flagged=flagged or gettext("none"),
        persons=tuple(persons),
    )


def _other(number: int, one: Analysis, folder: Path) -> OtherView:
    return OtherView(
        number=number,
        model=model_view(one.model, still=one.media.still),
        onnx=onnx_facts(one.model),
        segments=tuple(_segment(one, segment, folder) for segment in one.segments),
        reason=translated(one.reason),
    )


def _segment(one: Analysis, segment: Segment, folder: Path) -> SegmentByOther:
    view = segment_view(one, segment, folder)
    places = range(len(segment.peaks))
    highest = max(places, key=lambda place: segment.peaks[place].probability, default=None)
    return SegmentByOther(view, None if highest is None else view.peaks[highest])


def onnx_facts(model: Model) -> tuple[Fact, ...]:
    """How a network in an ONNX file sees faces and what its output means; nothing for other networks."""
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
    return words + gettext(", leaning faces turned") if framing.upright else words


def _output(onnx: OnnxNetwork) -> str:
    output = onnx.output
    if not output.gives.of_classes:
        high = gettext("%(kind)s; high means manipulated", kind=output.gives.value)
        return (
            high
            if output.manipulated
            else gettext("%(kind)s; low means manipulated", kind=output.gives.value)
        )
    return gettext(
        "%(kind)s of classes; class %(number)s means manipulated",
        kind=output.gives.value,
        number=output.manipulated,
    )
