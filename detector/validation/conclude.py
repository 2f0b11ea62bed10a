"""Build a validation from its measurements: items, rates, repetitions and coverage."""

from __future__ import annotations

import hashlib
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from detector import environment, timestamps
from detector.batch.results_file import ResultLine
from detector.errors import ParameterError
from detector.progress import Progress
from detector.schema.analysis import MediaKind, Software, Verdict
from detector.schema.formatting import N_
from detector.schema.laboratory import (
    CoveredCodec,
    CoveredRange,
    LabelledSegment,
    LikelihoodRatios,
    Repetition,
    ValidatedModel,
    Validation,
    ValidationItem,
    Versions,
)
from detector.statistics import temporal_metrics
from detector.statistics.likelihood_ratios import likelihood_ratios
from detector.statistics.temporal_metrics import Timed
from detector.validation import rates
from detector.validation import rates as validation_rates
from detector.validation.limits import find_limits
from detector.validation.material import LabelledFile, Material, read_material
from detector.validation.measuring import Measurements, Run, measure
from detector.validation.validated_model import difference_to_validation, validated_model
from detector.verdict.validated_domain import BINARY_PROPERTIES
from detector.version import __version__


def versions_of(made_with: Sequence[Software], backends: Sequence[str]) -> Versions:
    """Return the versions that made the analyses, or those of this process without any.

    ``backends`` are the names of the back ends that ran the network.
    """
    return _of_analyses(made_with, backends) if made_with else _of_this_process(backends)


def _of_this_process(backends: Sequence[str]) -> Versions:
    return Versions(
        reelproof=__version__,
        commit=environment.commit(environment.ROOT),
        source_sha256=environment.source_sha256(),
        python=platform.python_version(),
        system=environment.system(),
        processor=environment.processor(),
        backends=tuple(backends),
        libraries=environment.libraries(),
    )


def _of_analyses(made_with: Sequence[Software], backends: Sequence[str]) -> Versions:
    """Return the versions that made analyses, from the newest of them.

    Commit and source hash are omitted if they differ, because then no single version was validated.
    """
    newest = max(made_with, key=lambda software: software.created)
    commits, sources = (
        {getattr(software, name) for software in made_with} for name in ("commit", "source_sha256")
    )
    return Versions(
        reelproof=newest.reelproof,
        commit=newest.commit if len(commits) == 1 else None,
        source_sha256=newest.source_sha256 if len(sources) == 1 else None,
        python=newest.python or "",
        system=newest.system or "",
        processor=newest.processor or "",
        backends=tuple(backends),
        libraries=newest.libraries,
    )


def version_remarks(made_with: Sequence[Software]) -> list[str]:
    """Return a remark if the analyses were made by several versions of the program."""
    sources = {software.source_sha256 for software in made_with}
    if len(sources) == 1:
        return []
    return [
        N_(
            "The analyses were made by %(versions)s versions of the program; named are the libraries of the "
            "newest."
        )
        % {"versions": len(sources)}
    ]


_KINDS = (MediaKind.VIDEO, MediaKind.IMAGE)
_NOT_COMPARABLE = (
    "The other machine's validation cannot be compared with: %(why)s. Name one of the same model, parameters "
    "and material."
)


def validate(
    data: Path,
    out: Path,
    run: Run,
    progress: Progress,
    *,
    title: str = "",
    laboratory: str | None = None,
    other_machine: Validation | None = None,
) -> Validation:
    """Measure the model of ``run`` on ``data``; result lines are stored in the existing folder ``out``.

    ``other_machine`` is a validation of the same material on another machine for comparison. Raises
    :class:`~detector.errors.ParameterError` if it has another model, parameters or material,
    :class:`~detector.validation.material.MaterialError`, and errors of the analysis about model and
    parameters.
    """
    model = validated_model(run.model, run.parameters)
    if other_machine is not None and (
        difference := difference_to_validation(other_machine, model, run.parameters)
    ):
        raise ParameterError(_NOT_COMPARABLE % {"why": difference})
    progress("reading the material", 0.0)
    material = read_material(data)
    if other_machine is not None and not _in_both(material.files, other_machine.items):
        raise ParameterError(_NOT_COMPARABLE % {"why": "it has no file of this material"})
    measurements = measure(material, out, run, model.card_sha256, progress)
    progress("working out the figures", 0.0)
    return build_validation(
        material, measurements, run, model, title=title, laboratory=laboratory, other_machine=other_machine
    )


def build_validation(
    material: Material,
    measurements: Measurements,
    run: Run,
    model: ValidatedModel,
    *,
    title: str = "",
    laboratory: str | None = None,
    other_machine: Validation | None = None,
    made_with: Sequence[Software] = (),
) -> Validation:
    """Build the validation from measurements by this process, or by analyses ``made_with`` these versions."""
    items = tuple(
        _item(file, measurements.first.get(str(file.path)), material.numbers) for file in material.files
    )
    threshold = run.parameters.enter_threshold
    ratios = tuple(filter(None, (_ratios(kind, items) for kind in _KINDS)))
    levels = rates.compute_levels(items, threshold)
    beside, together = validation_rates.side_by_side(items, [*measurements.first.values()], threshold)
    repetitions = _repetitions(material, measurements)
    if other_machine is not None:
        repetitions += _elsewhere(items, other_machine)
    return Validation(
        title=title or material.title,
        laboratory=laboratory,
        created=timestamps.iso_seconds(datetime.now(UTC)),
        model=model,
        parameters=run.parameters,
        versions=versions_of(made_with, _backends(measurements.first)),
        labelled=material.labelled,
        remarks=material.remarks,
        levels=levels,
        others=beside,
        joint=together,
        curves=tuple(filter(None, (rates.compute_curve(kind, items) for kind in _KINDS))),
        likelihood_ratios=ratios,
        temporal=_temporal(items),
        repetitions=repetitions,
        covered=_covered(items),
        codecs=_codecs(items),
        limits=find_limits(items, levels, ratios, repetitions, material.labelled),
        material_sha256=_material_sha256(items),
        items=items,
    )


def _item(labelled: LabelledFile, line: ResultLine | None, numbers: Mapping[str, int]) -> ValidationItem:
    answer: dict[str, Any] = dict(line or {"error": N_("It was not analysed.")})
    known: dict[str, Any] = {
        "file": labelled.name,
        "bytes": labelled.bytes,
        "sha256": labelled.sha256,
        "manipulated": labelled.manipulated,
        "group": numbers[labelled.group],
        "generator": labelled.generator,
        "attributes": labelled.attributes,
        "truth": tuple(LabelledSegment(start=start, end=end) for start, end in labelled.truth or ()),
    }
    if "error" in answer:
        return ValidationItem(**known, error=str(answer["error"])[:500])
    return ValidationItem(
        **known,
        kind=MediaKind(answer["media"]),
        verdict=Verdict(answer["verdict"]),
        probability=answer["probability"],
        stability=answer["stability"],
        duration=answer["duration"],
        codec=answer["codec"],
        faces=answer["faces"],
        segments=tuple(_segment(segment) for segment in answer["segments"]),
        values=answer["values"],
        outside=tuple(answer["outside"]),
        others=validation_rates.read_other_results(answer),
    )


def _segment(values: Sequence[float]) -> LabelledSegment:
    return LabelledSegment(start=values[0], end=values[1], confidence=values[2])


def _ratios(kind: MediaKind, items: Sequence[ValidationItem]) -> LikelihoodRatios | None:
    return likelihood_ratios(kind, rates.scored_items([item for item in items if item.kind is kind]))


def _temporal(items: Sequence[ValidationItem]) -> dict[str, float | None]:
    """Compute temporal metrics over items with labelled segments."""
    timed = [
        Timed(
            item.sha256,  # several files may have the same name
            tuple((s.start, s.end) for s in item.truth),
            tuple((s.start, s.end, s.confidence or 0.0) for s in item.segments),
        )
        for item in items
        if item.truth and item.kind is MediaKind.VIDEO
    ]
    if not timed:
        return {}
    delay = temporal_metrics.detection_delay(timed)
    figures: dict[str, float | None] = {
        N_("clips with labelled segments"): float(len(timed)),
        **temporal_metrics.figures(timed),
        N_("labelled segments met"): float(delay.met),
        N_("labelled segments missed"): float(delay.missed),
        N_("median delay, seconds"): delay.median,
    }
    return {name: None if value is None else round(value, 4) for name, value in figures.items()}


def _repetitions(material: Material, measurements: Measurements) -> tuple[Repetition, ...]:
    same_backend = N_("again, the same back end (%(backend)s)") % {
        "backend": ", ".join(_backends(measurements.first))
    }
    passes = [(same_backend, measurements.again)]
    if measurements.other:
        other_backend = ", ".join(_backends(measurements.other)) or measurements.other_backend
        passes.append(
            (N_("again, another back end (%(backend)s)") % {"backend": other_backend}, measurements.other)
        )
    repeated = []
    for how, lines in passes:
        pairs = [
            (_item(file, measurements.first.get(str(file.path)), material.numbers),
             _item(file, lines.get(str(file.path)), material.numbers))
            for file in material.files
            if str(file.path) in lines
        ]  # fmt: skip
        repeated.append(_compared(how, pairs))
    return tuple(filter(None, repeated))


def _elsewhere(items: Sequence[ValidationItem], other: Validation) -> tuple[Repetition, ...]:
    other_items = {item.sha256: item for item in other.items}
    pairs = [(item, other_items[item.sha256]) for item in items if item.sha256 in other_items]
    description = N_("on another machine (%(processor)s, Reelproof %(version)s)") % {
        "processor": other.versions.processor,
        "version": other.versions.reelproof,
    }
    repetition = _compared(description, pairs)
    return (repetition,) if repetition else ()


def _in_both(files: Sequence[LabelledFile], items: Sequence[ValidationItem]) -> set[str]:
    return {file.sha256 for file in files} & {file.sha256 for file in items}


def _compared(how: str, pairs: Sequence[tuple[ValidationItem, ValidationItem]]) -> Repetition | None:
    compared = [(a, b) for a, b in pairs if a.error is None and b.error is None]
    if not compared:
        return None
    differences = [
        abs(a.probability - b.probability)
        for a, b in compared
        if a.probability is not None and b.probability is not None
    ]
    alike = [(a, b) for a, b in compared if len(a.segments) == len(b.segments)]
    edges = [
        abs(first - second)
        for a, b in alike
        for s, t in zip(a.segments, b.segments, strict=True)
        for first, second in ((s.start, t.start), (s.end, t.end))
    ]
    return Repetition(
        how=how,
        items=len(compared),
        verdicts_changed=sum(a.verdict is not b.verdict for a, b in compared),
        largest_difference=round(max(differences, default=0.0), 6),
        segments_changed=len(compared) - len(alike),
        largest_edge=round(max(edges, default=0.0), 3),
    )


def _covered(items: Sequence[ValidationItem]) -> tuple[CoveredRange, ...]:
    units = {"face width": "px", "contrast": "levels", "tilt": "°", "shorter side": "px",
             "frame rate": "frames/s", "duration": "s"}  # fmt: skip
    ranges = []
    for kind in _KINDS:
        columns: dict[str, list[float]] = {}
        for item in items:
            if item.kind is not kind:
                continue
            own = item.values | ({"duration": item.duration} if kind is MediaKind.VIDEO else {})
            for name, value in own.items():
                if name not in BINARY_PROPERTIES:  # which has no percentiles
                    columns.setdefault(name, []).append(value)
        for name, values in columns.items():
            ends = np.percentile(values, [0, 10, 50, 90, 100])
            least, tenth, median, ninetieth, most = (round(float(end), 4) for end in ends)
            ranges.append(
                CoveredRange(kind=kind, name=name, unit=units.get(name, ""), items=len(values), least=least,
                       tenth=tenth, median=median, ninetieth=ninetieth, most=most)
            )  # fmt: skip
    return tuple(ranges)


def _codecs(items: Sequence[ValidationItem]) -> tuple[CoveredCodec, ...]:
    counts = Counter(codec.codec for codec in items if codec.codec is not None)
    codecs = (CoveredCodec(name=name, items=count) for name, count in counts.items())
    return tuple(sorted(codecs, key=lambda codec: (-codec.items, codec.name)))


def _backends(lines: Mapping[str, ResultLine]) -> list[str]:
    """Return the names of the back ends that ran the network."""
    return sorted({str(line["backend"]) for line in lines.values() if "backend" in line})


def _material_sha256(items: Sequence[ValidationItem]) -> str:
    lines = sorted(f"{e.sha256} {'manipulated' if e.manipulated else 'unmanipulated'}\n" for e in items)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
