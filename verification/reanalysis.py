"""Repeat an analysis with the recorded model and settings, and compare the results."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detector.backends.runtimes import number_format
from detector.backends.selection import backend_with_rounding
from detector.errors import ModelError
from detector.files import hash_file
from detector.models.model_files import (
    MODELS_FOLDER,
    RETIRED_MODELS,
    WEIGHTS,
    load_card,
    read_second_look,
    retired_error,
)
from detector.sandboxed_engine import analyze_confined
from detector.schema import tolerance
from detector.schema.analysis import Analysis, Software
from detector.voice.card import read_voice_card, voice_model_files
from reports.errors import ReportError
from reports.file_names import ANALYSIS
from verification.agreement import (
    Agreement,
    compare_analyses,
    same_arithmetic,
    same_engine_version,
    same_heatmap_arithmetic,
)
from verification.checks import CheckResults, ProblemKind, Source
from verification.repeated_pictures import compare_pictures


class ModelFileError(ReportError):
    """The model to compare with does not exist."""


def check_model(analysis: Analysis, place: Path | None, results: CheckResults) -> Path | None:
    """Compare weights by SHA-256; return the path of the recorded ones if they exist here.

    ``place`` is a file of weights or its card, or a folder of models: there, other weights are a problem.
    Without it the installed models are searched; another version of the model is only worth a note, but
    weights that differ from their own card are a problem.
    """
    recorded = analysis.model
    hashes = {path: hash_file(path)[1] for path in _weights(place or MODELS_FOLDER)}
    for path, sha256 in hashes.items():
        if sha256 == recorded.sha256:
            results.facts["weights"] = f"{path.name} is the model that judged"
            return path
    candidates = [path for path in hashes if path.stem == recorded.name or (place and not place.is_dir())]
    for path in candidates:
        own = _of_card(path)
        if place or (own and own != hashes[path]):
            why = (
                f"its SHA-256 is {hashes[path]}, where the analysis names {recorded.sha256} ({recorded.name})"
            )
            results.add(path.name, "does not fit", why)
        else:
            results.notes.append(
                f"{path.name} here is another version of the model than the one that judged "
                f"({recorded.name}, SHA-256 {recorded.sha256})."
            )
    if place and not candidates:
        results.add(
            f"{recorded.name}.safetensors",
            "missing",
            f"{place} holds no weights of SHA-256 {recorded.sha256}",
        )
    return None


def check_voice_model(analysis: Analysis, results: CheckResults) -> None:
    """Compare the network of voices that judged, if any did, with the one that is here."""
    if analysis.voice is None:
        return
    recorded, (weights, _) = analysis.voice.model, voice_model_files()
    try:
        own, here = read_voice_card().sha256, hash_file(weights)[1]
    except (ModelError, OSError):
        return  # an installation without voices has nothing to compare
    if own != here:
        results.add(weights.name, "does not fit", f"its SHA-256 is {here}, where its card states {own}")
    elif recorded.sha256 == here:
        results.facts["network of voices"] = f"{weights.name} is the network that judged"
    else:
        results.notes.append(
            f"{weights.name} here is another version of the network of voices than the one that judged "
            f"({recorded.name}, SHA-256 {recorded.sha256})."
        )


def other_weights(analysis: Analysis, places: Sequence[Path]) -> list[Path | None]:
    """Return the path of the weights of each other model, None if neither in ``places`` nor installed."""
    if not analysis.others:
        return []
    paths = {hash_file(path)[1]: path for place in (MODELS_FOLDER, *places) for path in _weights(place)}
    return [paths.get(other.model.sha256) for other in analysis.others]


def _weights(place: Path) -> Iterator[Path]:
    if place.is_dir():
        yield from sorted(path for ending in WEIGHTS for path in place.glob(f"*{ending}"))
        return
    path = place
    if place.suffix == ".json":
        candidates = [place.with_suffix(ending) for ending in WEIGHTS]
        path = next((candidate for candidate in candidates if candidate.is_file()), candidates[0])
    if not path.is_file():
        raise ModelFileError(
            f"{path}: there is no such file. Name weights (.safetensors or .onnx) or a folder of them."
        )
    yield path


def _of_card(path: Path) -> str | None:
    """Return the SHA-256 in the card beside weights, if there is one."""
    try:
        return load_card(path)[0].sha256
    except ModelError:
        return None


_GROUNDS = "reason, persons, coverage, peaks, facts of the file, the model's card"


class ReanalysisError(ReportError):
    """The analysis cannot be repeated here; the message tells what is missing."""


@dataclass(frozen=True)
class Reanalysis:
    """Result of a repeated analysis, and the machines of both analyses.

    ``besides`` tells what else was compared or not; ``fits`` includes the pictures.
    """

    agreement: Agreement
    recorded: str
    here: str
    besides: str
    fits: bool = True

    def lines(self) -> list[str]:
        """Return the result as lines."""
        word = "agree" if self.agreement.agree and self.fits else "differ"
        return [
            f"The findings {word}. {self.agreement}.",
            f"Tolerance: {tolerance.stated()}.",
            self.besides,
            f"Recorded on {self.recorded}; made again on {self.here}.",
        ]


def reanalyse(
    recorded: Analysis,
    exhibit: Path,
    weights: Path | None,
    results: CheckResults,
    others: Sequence[Path | None] = (),
    pictures: Source | None = None,
) -> Reanalysis | None:
    """Analyse ``exhibit`` as ``recorded`` was, and compare; return None if it is another exhibit.

    Differences beyond the tolerance become problems of ``analysis.json``, of a separate kind if another
    version of the engine made it. ``pictures`` holds those of the analysis, which are compared as well. Raise
    :class:`ReanalysisError` without the model's ``weights`` or those of the ``others``, if needed for the
    verdict. The exhibit is read in a confined process, whose errors are raised too.
    """
    if not _is_the_exhibit(recorded, exhibit, results):
        return None
    settings = _models(recorded, weights, others)
    if pictures is not None:
        settings["write"] = _keep  # with it pictures are made
    if backend := backend_with_rounding(recorded.software.precision):
        settings["backend"] = backend
    compared, before = 0, len(results.problems)
    with tempfile.TemporaryDirectory(prefix="reelproof-") as folder:
        repeated = analyze_confined(
            exhibit,
            Path(folder),
            name=recorded.media.file,
            parameters=recorded.parameters,
            explain=recorded.explained,
            **settings,
        )
        other_engine = another_engine(recorded.software, repeated.software)
        rounded = other_arithmetic(recorded.software, repeated.software)
        heatmaps_rounded = "" if other_engine or rounded else _heatmaps_note(recorded, repeated)
        if pictures is not None and not other_engine and not rounded:
            compared = compare_pictures(
                recorded, repeated, pictures, Path(folder), results, by_rank=bool(heatmaps_rounded)
            )
    pictures_fit = len(results.problems) == before
    agreement = compare_analyses(recorded, repeated)
    made_otherwise = [note for note in (other_engine, rounded) if note]
    _tell_differences(recorded, repeated, agreement, made_otherwise, results)
    if heatmaps_rounded:
        results.notes.append(heatmaps_rounded)
    besides = _besides(bool(other_engine), bool(rounded), compared, pictures)
    return Reanalysis(agreement, _machine(recorded), _machine(repeated), besides, pictures_fit)


def _is_the_exhibit(recorded: Analysis, exhibit: Path, results: CheckResults) -> bool:
    """Return whether the file is the one that was analysed; record a problem if not."""
    try:
        _, sha256 = hash_file(exhibit)
    except OSError as error:
        raise ReanalysisError(f"{exhibit}: {error.strerror}. Name the exhibit that was analysed.") from None
    if sha256 == recorded.media.sha256:
        return True
    why = f"its SHA-256 is {sha256}, where the analysis was made of {recorded.media.sha256}"
    results.add(exhibit.name, "does not fit", why)
    return False


def _models(recorded: Analysis, weights: Path | None, others: Sequence[Path | None]) -> dict[str, Any]:
    """Return the models as arguments of :func:`~detector.sandboxed_engine.analyze_confined`."""
    judged: list[tuple[Analysis, Path | None]] = [(recorded, weights)]
    if recorded.joint is not None:
        parts = map(recorded.by, recorded.others)
        judged += zip(parts, others, strict=True)
    paths: list[str] = []
    for analysis, path in judged:
        if path is None:
            if name := RETIRED_MODELS.get(analysis.model.sha256):
                raise ReanalysisError(str(retired_error(name)))
            model, more = ("One of the other models", " one more") if paths else ("The model that judged", "")
            raise ReanalysisError(
                f"{model} is not here: {analysis.model.name}, SHA-256 of its weights "
                f"{analysis.model.sha256}. Name it with{more} --model FILE.{_made_by(recorded)}"
            )
        _require_second_look(analysis, path)
        paths.append(str(path))
    models: dict[str, Any] = {"model": paths[0]}
    return models | ({"also": paths[1:], "joint": recorded.joint.rule} if recorded.joint else {})


def _tell_differences(
    recorded: Analysis,
    repeated: Analysis,
    agreement: Agreement,
    made_otherwise: Sequence[str],
    results: CheckResults,
) -> None:
    """Add the differences to ``results``; ``made_otherwise`` are notes on another engine or arithmetic."""
    if not made_otherwise and agreement.replaced:
        results.notes.append(
            "Not compared: heat and what hiding the hottest area changes, of "
            f"{', '.join(agreement.replaced)}: another frame was chosen here in its place."
        )
    kind: ProblemKind = "not repeated" if made_otherwise else "does not fit"
    for problem in agreement.problems:
        results.add(ANALYSIS, kind, f"analysed again, {problem}")
    same_libraries = recorded.software.libraries == repeated.software.libraries
    for problem in agreement.of_file:
        results.add(ANALYSIS, kind if same_libraries else "not repeated", f"read again, {problem}")
    if agreement.of_file and not same_libraries:
        results.notes.append(
            "Other versions of libraries, such as FFmpeg, read the file here than when the analysis was "
            "made. They may tell its facts otherwise, which says nothing against the file."
        )
    results.notes += made_otherwise


def _keep(analysis: Analysis, folder: Path) -> None:
    (folder / ANALYSIS).write_text(analysis.to_json(), encoding="utf-8")


def _besides(another: bool, rounded: bool, compared: int, pictures: Source | None) -> str:
    """Return what else was compared, and what was not."""
    if another:
        return f"Not compared, since another version made them: {_GROUNDS}, pictures."
    if rounded:
        return f"Compared besides: {_GROUNDS}. Not compared, since they were computed otherwise: pictures."
    if pictures is None:
        return f"Compared besides: {_GROUNDS}. Not compared: pictures, which a PDF holds as printed only."
    return f"Compared besides: {_GROUNDS}, and {compared:,} pictures."


def another_engine(recorded: Software, current: Software) -> str:
    """Return a note if another version of the engine made the analysis."""
    if same_engine_version(recorded, current):
        return ""
    return (
        f"Another version of the engine made this analysis ({_version(recorded)}). It need not come to the "
        "findings of the one here: where they differ, this says nothing against the file. Repeat it with "
        "that version."
    )


def other_arithmetic(recorded: Software, current: Software) -> str:
    """Return a note if the analysis was computed in another number format."""
    if same_arithmetic(recorded, current):
        return ""
    old_format, new_format = (number_format(software.precision) for software in (recorded, current))
    return (
        f"This analysis was computed in {old_format}, and here in {new_format}: where the findings differ, "
        "this says nothing against the file. Repeat it without REELPROOF_BACKEND, on a processor that knows "
        f"{old_format}."
    )


def _heatmaps_note(recorded: Analysis, repeated: Analysis) -> str:
    """Return a note if heatmaps were computed in another number format, and there are any."""
    first, second = recorded.software, repeated.software
    if same_heatmap_arithmetic(first, second) or not any(s.peaks for s in recorded.segments):
        return ""
    names = [number_format(software.heatmap_precision) for software in (first, second)]
    return (
        f"Heatmaps were computed in {names[0]}, and here in {names[1]}. Those by hidden parts were compared "
        "by the order of their heat; not compared: other heatmaps, strengths, and checks of heatmaps."
    )


def _version(engine: Software) -> str:
    """Return the version of the engine as far as the analysis states it."""
    commit = f"commit {engine.commit}, " if engine.commit else ""
    sha256 = engine.source_sha256
    return f"{commit}its source has SHA-256 {sha256}" if sha256 else f"{commit}which is not recorded"


def _made_by(recorded: Analysis) -> str:
    """Return a sentence on where to find the version that made the analysis."""
    software = recorded.software
    return f" Reelproof {software.reelproof} made the analysis ({_version(software)})."


def _require_second_look(recorded: Analysis, weights: Path) -> None:
    """Raise :class:`ReanalysisError` if the card of ``weights`` names another second network."""
    required = recorded.model.second_look
    if required is None:
        return
    card = read_second_look(*load_card(weights))
    available = card.as_model() if card else None
    if available is None or available.model_copy(update={"card_sha256": required.card_sha256}) != required:
        raise ReanalysisError(
            f"The network of the second look is not here: {required.name}, SHA-256 of its weights "
            f"{required.sha256}. Name a model that has it with --model FILE.{_made_by(recorded)}"
        )
    if required.card_sha256 not in (None, available.card_sha256):
        raise ReanalysisError(
            f"The second look of {weights.name} is fused or calibrated otherwise than when the analysis was "
            f"made: the deciding part of its card has SHA-256 {available.card_sha256}, where "
            f"{required.card_sha256} is recorded. Name the model as it was then with --model FILE."
            f"{_made_by(recorded)}"
        )


def _machine(analysis: Analysis) -> str:
    software = analysis.software
    arithmetic = software.backend or f"torch {software.torch}"
    return f"{software.device}, Reelproof {software.reelproof}, {arithmetic}"
