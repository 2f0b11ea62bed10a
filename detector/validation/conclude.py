"""Build a validation from its measurements: items, rates, repetitions and coverage."""

from __future__ import annotations

import hashlib
import platform
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from detector import environment, timestamps
from detector.batch.results_file import ResultLine
from detector.errors import ParameterError
from detector.progress import Progress
from detector.schema.analysis import MediaKind, Software, Verdict
from detector.schema.causes.cause import Cause
from detector.schema.causes.failures import cause_of
from detector.schema.causes.validations import MaterialCode, RepetitionCode
from detector.schema.formatting import N_
from detector.schema.laboratory import (
    CoveredCodec,
    CoveredRange,
    LabelledSegment,
    LikelihoodRatios,
    Repetition,
    Subject,
    ValidatedModel,
    ValidatedVoiceModel,
    Validation,
    ValidationItem,
    Versions,
)
from detector.schema.voice import VoiceVerdict
from detector.statistics import temporal_metrics
from detector.statistics.likelihood_ratios import likelihood_ratios
from detector.statistics.temporal_metrics import Timed
from detector.validation import rates
from detector.validation.limits import find_limits
from detector.validation.material import LabelledFile, Material, Spans, read_material
from detector.validation.measuring import Measurements, Run, measure
from detector.validation.other_models import read_other_results, side_by_side
from detector.validation.rates import items_of
from detector.validation.validated_model import (
    difference_to_validation,
    validated_model,
    validated_voice_model,
)
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


def version_remarks(made_with: Sequence[Software]) -> list[Cause]:
    """Return a remark if the analyses were made by several versions of the program."""
    sources = {software.source_sha256 for software in made_with}
    if len(sources) == 1:
        return []
    return [MaterialCode.SEVERAL_VERSIONS.cause(versions=len(sources))]


_VOICE_ATTRIBUTES, _FACE_ATTRIBUTES = {"sex", "language"}, {"sex", "skin tone"}
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
    if material.has_voices and not run.parameters.sound:
        raise ParameterError(
            N_("Voices are labelled, but sound is left out. Validate with sound, or without their labels.")
        )
    if other_machine is not None and not _in_both(material.files, other_machine.items):
        raise ParameterError(_NOT_COMPARABLE % {"why": "it has no file of this material"})
    measurements = measure(material, out, run, model.card_sha256, progress)
    progress("working out the figures", 0.0)
    return build_validation(
        material,
        measurements,
        run,
        model,
        validated_voice_model() if material.has_voices else None,
        title=title,
        laboratory=laboratory,
        other_machine=other_machine,
    )


def build_validation(
    material: Material,
    measurements: Measurements,
    run: Run,
    model: ValidatedModel,
    voice_model: ValidatedVoiceModel | None = None,
    *,
    title: str = "",
    laboratory: str | None = None,
    other_machine: Validation | None = None,
    made_with: Sequence[Software] = (),
) -> Validation:
    """Build the validation from measurements by this process, or by analyses ``made_with`` these versions.

    ``voice_model`` is the network of voices, if any are labelled.
    """
    numbers = material.numbers
    items = tuple(
        item
        for file in material.files
        for item in _items(file, measurements.first.get(str(file.path)), numbers)
    )
    threshold = run.parameters.enter_threshold
    ratios = tuple(filter(None, (_ratios(kind, items) for kind in Subject)))
    levels = rates.compute_levels(items, threshold)
    beside, together = side_by_side(items, [*measurements.first.values()], threshold)
    repetitions = _repetitions(material, measurements)
    if other_machine is not None:
        repetitions += _elsewhere(items, other_machine)
    limits, voice_limits = (
        find_limits(items, levels, ratios, repetitions, material.labelled, voices=voices)
        for voices in (False, True)
    )
    return Validation(
        title=title or material.title,
        laboratory=laboratory,
        created=timestamps.iso_seconds(datetime.now(UTC)),
        model=model,
        voice_model=voice_model,
        parameters=run.parameters,
        versions=versions_of(made_with, _backends(measurements.first)),
        labelled=material.labelled,
        remarks=tuple(remark.text for remark in material.remarks),
        remark_causes=material.remarks,
        levels=levels,
        others=beside,
        joint=together,
        curves=tuple(filter(None, (rates.compute_curve(kind, items) for kind in Subject))),
        likelihood_ratios=ratios,
        temporal=_temporal(items_of(Subject.VIDEO, items)),
        voice_temporal=_temporal(items_of(Subject.VOICE, items), N_("voices with labelled segments")),
        repetitions=repetitions,
        covered=_covered(items),
        codecs=_codecs(items),
        limits=tuple(limit.text for limit in limits),
        limit_causes=limits,
        voice_limits=tuple(limit.text for limit in voice_limits),
        voice_limit_causes=voice_limits,
        material_sha256=_material_sha256(items),
        items=items,
    )


_NOT_ANALYSED = N_("It was not analysed.")
_NO_PICTURE = N_("It has no picture, so no face was judged.")
_SOUND_NOT_EXAMINED = N_("Its sound was not examined.")


def _failure(message: str, cause: object = None) -> dict[str, Any]:
    """Return the fields of an item that was not analysed; lines before 0.3 have no cause."""
    cause = Cause.model_validate(cause) if cause else cause_of(message)
    return {"error": message[:500], "cause": cause if len(message) <= 500 else None}


def _items(
    labelled: LabelledFile, line: ResultLine | None, numbers: Mapping[str, int]
) -> Iterator[ValidationItem]:
    """Yield an item for each question about a file that is labelled."""
    answer: dict[str, Any] = dict(line or {"error": _NOT_ANALYSED})
    known: dict[str, Any] = {
        "file": labelled.name,
        "bytes": labelled.bytes,
        "sha256": labelled.sha256,
        "group": numbers[labelled.group],
    }
    if labelled.manipulated is not None:
        known_of_faces = known | {
            "manipulated": labelled.manipulated,
            "generator": labelled.generator,
            "attributes": _chosen(labelled.attributes, _FACE_ATTRIBUTES),
            "truth": _truth(labelled.truth),
        }
        if answer.get("media") == MediaKind.AUDIO:
            yield ValidationItem(**known_of_faces, **_failure(_NO_PICTURE))
        elif "error" in answer:
            yield ValidationItem(**known_of_faces, **_failure(answer["error"], answer.get("cause")))
        else:
            yield ValidationItem(
                **known_of_faces,
                kind=Subject(answer["media"]),
                verdict=Verdict(answer["verdict"]),
                duration=answer["duration"],
                faces=answer["faces"],
                others=read_other_results(answer),
                **_answer(answer),
            )
    if labelled.voice is not None:
        known_of_voices = known | {
            "kind": Subject.VOICE,
            "manipulated": labelled.voice.synthetic,
            "generator": labelled.voice.generator,
            "attributes": _chosen(labelled.attributes, _VOICE_ATTRIBUTES),
            "truth": _truth(labelled.voice.truth),
        }
        voice = answer.get("voice")
        if "error" in answer or voice is None:
            error = answer.get("error", _SOUND_NOT_EXAMINED)
            yield ValidationItem(**known_of_voices, **_failure(error, answer.get("cause")))
        else:
            yield ValidationItem(
                **known_of_voices,
                verdict=VoiceVerdict(voice["verdict"]),
                duration=answer["duration"],
                **_answer(voice),
            )


def _answer(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that the answers to both questions have."""
    return {
        "probability": answer["probability"],
        "stability": answer["stability"],
        "codec": answer["codec"],
        "segments": tuple(map(_segment, answer["segments"])),
        "values": answer["values"],
        "outside": tuple(answer["outside"]),
    }


def _chosen(attributes: Mapping[str, str], names: Set[str]) -> dict[str, str]:
    return {name: value for name, value in attributes.items() if name in names}


def _truth(spans: Spans | None) -> tuple[LabelledSegment, ...]:
    return tuple(LabelledSegment(start=start, end=end) for start, end in spans or ())


def _segment(values: Sequence[float]) -> LabelledSegment:
    return LabelledSegment(start=values[0], end=values[1], confidence=values[2])


def _ratios(kind: Subject, items: Sequence[ValidationItem]) -> LikelihoodRatios | None:
    return likelihood_ratios(kind, rates.scored_items(items_of(kind, items)))


def _temporal(
    items: Sequence[ValidationItem], number: str = N_("clips with labelled segments")
) -> dict[str, float | None]:
    """Compute temporal metrics over items with labelled segments, whose ``number`` is named so."""
    timed = [
        Timed(
            item.sha256,  # several files may have the same name
            tuple((s.start, s.end) for s in item.truth),
            tuple((s.start, s.end, s.confidence or 0.0) for s in item.segments),
        )
        for item in items
        if item.truth
    ]
    if not timed:
        return {}
    delay = temporal_metrics.detection_delay(timed)
    figures: dict[str, float | None] = {
        number: float(len(timed)),
        **temporal_metrics.figures(timed),
        N_("labelled segments met"): float(delay.met),
        N_("labelled segments missed"): float(delay.missed),
        N_("median delay, seconds"): delay.median,
    }
    return {name: None if value is None else round(value, 4) for name, value in figures.items()}


def _repetitions(material: Material, measurements: Measurements) -> tuple[Repetition, ...]:
    same_backend = RepetitionCode.SAME_BACKEND.cause(backends=tuple(_backends(measurements.first)))
    passes = [(same_backend, measurements.again)]
    if measurements.other:
        names = tuple(_backends(measurements.other)) or (str(measurements.other_backend),)
        passes.append((RepetitionCode.OTHER_BACKEND.cause(backends=names), measurements.other))
    numbers = material.numbers
    repeated: list[Repetition] = []
    for how, lines in passes:
        pairs = [
            pair
            for file in material.files
            if str(file.path) in lines
            for pair in zip(
                _items(file, measurements.first.get(str(file.path)), numbers),
                _items(file, lines.get(str(file.path)), numbers),
                strict=True,
            )
        ]
        if lines is measurements.other:  # whose back end does not run the network of voices
            pairs = [pair for pair in pairs if pair[0].kind is not Subject.VOICE]
        repeated += _compared(how, RepetitionCode.VOICES_AGAIN.cause(), pairs)
    return tuple(repeated)


def _elsewhere(items: Sequence[ValidationItem], other: Validation) -> tuple[Repetition, ...]:
    other_items = {(item.sha256, item.kind is Subject.VOICE): item for item in other.items}
    pairs = [
        (item, there)
        for item in items
        if (there := other_items.get((item.sha256, item.kind is Subject.VOICE))) is not None
    ]
    machine = {"processor": other.versions.processor, "version": other.versions.reelproof}
    how = RepetitionCode.OTHER_MACHINE.cause(**machine)
    how_voices = RepetitionCode.VOICES_ON_OTHER_MACHINE.cause(**machine)
    return tuple(_compared(how, how_voices, pairs))


def _in_both(files: Sequence[LabelledFile], items: Sequence[ValidationItem]) -> set[str]:
    return {file.sha256 for file in files} & {file.sha256 for file in items}


def _compared(
    how: Cause, how_voices: Cause, pairs: Sequence[tuple[ValidationItem, ValidationItem]]
) -> Iterator[Repetition]:
    """Yield what differs between analyses of the same faces, then of the same voices."""
    compared = [(a, b) for a, b in pairs if a.error is None and b.error is None]
    for of_voices in (False, True):
        if some := [pair for pair in compared if (pair[0].kind is Subject.VOICE) == of_voices]:
            yield _differences(how_voices if of_voices else how, some, voices=of_voices)


def _differences(
    how: Cause, compared: Sequence[tuple[ValidationItem, ValidationItem]], *, voices: bool
) -> Repetition:
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
        cause=how,
        voices=voices,
        items=len(compared),
        verdicts_changed=sum(a.verdict != b.verdict for a, b in compared),
        largest_difference=round(max(differences, default=0.0), 6),
        segments_changed=len(compared) - len(alike),
        largest_edge=round(max(edges, default=0.0), 3),
    )


def _covered(items: Sequence[ValidationItem]) -> tuple[CoveredRange, ...]:
    units = {"face width": "px", "contrast": "levels", "tilt": "°", "shorter side": "px",
             "frame rate": "frames/s", "duration": "s", "speech": "s", "bandwidth": "Hz",
             "signal-to-noise ratio": "dB"}  # fmt: skip
    ranges = []
    for kind in Subject:
        columns: dict[str, list[float]] = {}
        for item in items_of(kind, items):
            own = item.values | ({"duration": item.duration} if kind is Subject.VIDEO else {})
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
    return tuple(
        CoveredCodec(kind=kind, name=name, items=count)
        for kind in Subject
        for name, count in sorted(
            Counter(item.codec for item in items_of(kind, items) if item.codec is not None).items(),
            key=lambda counted: (-counted[1], counted[0]),
        )
    )


def _backends(lines: Mapping[str, ResultLine]) -> list[str]:
    """Return the names of the back ends that ran the network."""
    return sorted({str(line["backend"]) for line in lines.values() if "backend" in line})


def _material_sha256(items: Sequence[ValidationItem]) -> str:
    lines = sorted(f"{item.sha256} {_label(item)}\n" for item in items)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _label(item: ValidationItem) -> str:
    if item.kind is Subject.VOICE:
        return "synthetic" if item.manipulated else "human"
    return "manipulated" if item.manipulated else "unmanipulated"
