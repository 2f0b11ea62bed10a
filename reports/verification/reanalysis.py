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
from detector.models.model_files import MODELS_FOLDER, WEIGHTS, load_card, read_second_look
from detector.sandboxed_engine import analyze_confined
from detector.schema.analysis import Analysis, Software
from detector.verdict.reproducibility.agreement import (
    TOLERANCE,
    Agreement,
    compare,
    made_by_one_engine,
    same_arithmetic,
)
from detector.verdict.reproducibility.segment_agreement import chosen_otherwise
from reports.errors import ReportError
from reports.file_names import ANALYSIS
from reports.verification.checks import CheckResults, ProblemKind, Source
from reports.verification.repeated_pictures import compare_pictures


class ModelFileError(ReportError):
    """The model to compare with is not there."""


def check_model(analysis: Analysis, given: Path | None, results: CheckResults) -> Path | None:
    """Compare weights by SHA-256; returns the path of those that were recorded, if they are here.

    ``given`` is a file of weights or its card, or a folder of models: with it other weights are a
    problem. Without, the models of this installation are looked through, where another version
    of the model is worth a note only, and weights that are not those of their own card a problem.
    """
    recorded = analysis.model
    here = {path: hash_file(path)[1] for path in _weights(given or MODELS_FOLDER)}
    for path, sha256 in here.items():
        if sha256 == recorded.sha256:
            results.facts["weights"] = f"{path.name} is the model that judged"
            return path
    named = [path for path in here if path.stem == recorded.name or (given and not given.is_dir())]
    for path in named:
        own = _of_card(path)
        if given or (own and own != here[path]):
            why = f"its SHA-256 is {here[path]}, where the analysis names {recorded.sha256} ({recorded.name})"
            results.add(path.name, "does not fit", why)
        else:
            results.notes.append(
                f"{path.name} here is another version of the model than the one that judged "
                f"({recorded.name}, SHA-256 {recorded.sha256})."
            )
    if given and not named:
        results.add(
            f"{recorded.name}.safetensors",
            "missing",
            f"{given} holds no weights of SHA-256 {recorded.sha256}",
        )
    return None


def other_weights(analysis: Analysis, given: Sequence[Path]) -> list[Path | None]:
    """The path of the weights of each other model, None where they are in none of ``given`` nor installed."""
    if not analysis.others:
        return []
    here = {hash_file(path)[1]: path for place in (MODELS_FOLDER, *given) for path in _weights(place)}
    return [here.get(other.model.sha256) for other in analysis.others]


def _weights(place: Path) -> Iterator[Path]:
    if place.is_dir():
        yield from sorted(path for ending in WEIGHTS for path in place.glob(f"*{ending}"))
        return
    path = place
    if place.suffix == ".json":
        beside = [place.with_suffix(ending) for ending in WEIGHTS]
        path = next((each for each in beside if each.is_file()), beside[0])
    if not path.is_file():
        raise ModelFileError(
            f"{path}: there is no such file. Name weights (.safetensors or .onnx) or a folder of them."
        )
    yield path


def _of_card(path: Path) -> str | None:
    """The SHA-256 that the card beside weights gives, if there is one."""
    try:
        return load_card(path)[0].sha256
    except ModelError:
        return None


_GROUNDS = "reason, persons, coverage, peaks, facts of the file, the model's card"


class ReanalysisError(ReportError):
    """The analysis cannot be made again here; the message says what is needed."""


@dataclass(frozen=True)
class Reanalysis:
    """The outcome, and the machines both analyses were made on.

    ``besides`` says what else was compared, or was not; ``fits`` is whether pictures show the same too.
    """

    agreement: Agreement
    recorded: str
    here: str
    besides: str
    fits: bool = True

    def lines(self) -> list[str]:
        """In words."""
        word = "agree" if self.agreement.agree and self.fits else "differ"
        return [
            f"The findings {word}. {self.agreement}.",
            f"Tolerance: {TOLERANCE}.",
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
    """Analyse ``exhibit`` as ``recorded`` was, and compare; None where it is another exhibit.

    Differences beyond the tolerance become problems of ``analysis.json``, of a kind of their own where
    another version of the engine made it. ``pictures`` holds those of the analysis, if it came with them;
    they are compared as well. Raises :class:`ReanalysisError` without the model's ``weights``
    or those of the ``others``, as they decided then, :class:`~detector.errors.MediaError`, and
    :mod:`detector.sandbox`'s errors: the exhibit is read in a confined process.
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
        made = analyze_confined(
            exhibit,
            Path(folder),
            name=recorded.media.file,
            parameters=recorded.parameters,
            **settings,
        )
        other_engine = another_engine(recorded.software, made.software)
        rounded = other_arithmetic(recorded.software, made.software)
        if pictures is not None and not other_engine and not rounded:
            compared = compare_pictures(recorded, made, pictures, Path(folder), results)
    pictures_fit = len(results.problems) == before
    agreement = compare(recorded, made)
    made_otherwise = [note for note in (other_engine, rounded) if note]
    _tell_differences(recorded, made, agreement, made_otherwise, results)
    besides = _besides(bool(other_engine), bool(rounded), compared, pictures)
    return Reanalysis(agreement, _machine(recorded), _machine(made), besides, pictures_fit)


def _is_the_exhibit(recorded: Analysis, exhibit: Path, results: CheckResults) -> bool:
    """Whether the file is the one that was analysed; another one is a problem."""
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
    """By which models to analyse, as arguments of :func:`~detector.sandboxed_engine.analyze_confined`."""
    if weights is None:
        raise ReanalysisError(
            f"The model that judged is not here: {recorded.model.name}, SHA-256 of its weights "
            f"{recorded.model.sha256}. Name it with --model FILE.{_made_by(recorded)}"
        )
    _require_second_look(recorded, weights)
    models: dict[str, Any] = {"model": str(weights)}
    if recorded.joint is not None:
        models["also"] = [str(path) for path in _required(recorded, others)]
        models["joint"] = recorded.joint.rule
    return models


def _tell_differences(
    recorded: Analysis,
    made: Analysis,
    agreement: Agreement,
    made_otherwise: Sequence[str],
    results: CheckResults,
) -> None:
    """Put into ``results`` where both differ.

    ``made_otherwise`` is what :func:`another_engine` and :func:`other_arithmetic` say of it.
    """
    if not made_otherwise and (chosen := chosen_otherwise(recorded, made)):
        results.notes.append(
            f"Not compared: heat and what hiding the hottest area changes, of {', '.join(chosen)}: "
            "another frame was chosen here in its place."
        )
    kind: ProblemKind = "not repeated" if made_otherwise else "does not fit"
    for problem in agreement.problems:
        results.add(ANALYSIS, kind, f"analysed again, {problem}")
    same_libraries = recorded.software.libraries == made.software.libraries
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
    """What else was compared, and what not."""
    if another:
        return f"Not compared, since another version made them: {_GROUNDS}, pictures."
    if rounded:
        return f"Compared besides: {_GROUNDS}. Not compared, since they were computed otherwise: pictures."
    if pictures is None:
        return f"Compared besides: {_GROUNDS}. Not compared: pictures, which a PDF holds as printed only."
    return f"Compared besides: {_GROUNDS}, and {compared:,} pictures."


def another_engine(then: Software, now: Software) -> str:
    """What to know where an analysis was made by another version of the engine; empty by the same one."""
    if made_by_one_engine(then, now):
        return ""
    return (
        f"Another version of the engine made this analysis ({_version(then)}). It need not come to the "
        "findings of the one here: where they differ, this says nothing against the file. Repeat it with "
        "that version."
    )


def other_arithmetic(then: Software, now: Software) -> str:
    """What to know where an analysis was made in numbers rounded otherwise; empty where it was not."""
    if same_arithmetic(then, now):
        return ""
    one, other = (number_format(each.precision) for each in (then, now))
    return (
        f"This analysis was computed in {one}, and here in {other}: where the findings differ, this says "
        f"nothing against the file. Repeat it without REELPROOF_BACKEND, on a processor that knows {one}."
    )


def _version(engine: Software) -> str:
    """Which version of the engine it was, as far as an analysis says."""
    commit = f"commit {engine.commit}, " if engine.commit else ""
    sha256 = engine.source_sha256
    return f"{commit}its source has SHA-256 {sha256}" if sha256 else f"{commit}which is not recorded"


def _made_by(recorded: Analysis) -> str:
    """Where to look for what the analysis was made with, as a sentence that follows another one."""
    software = recorded.software
    return f" Reelproof {software.reelproof} made the analysis ({_version(software)})."


def _required(recorded: Analysis, others: Sequence[Path | None]) -> list[Path]:
    found = []
    for other, path in zip(recorded.others, others, strict=True):
        if path is None:
            raise ReanalysisError(
                f"One of the other models is not here: {other.model.name}, SHA-256 of its weights "
                f"{other.model.sha256}. Name it with one more --model FILE.{_made_by(recorded)}"
            )
        _require_second_look(recorded.by(other), path)
        found.append(path)
    return found


def _require_second_look(recorded: Analysis, weights: Path) -> None:
    """Raise :class:`ReanalysisError` where the card of ``weights`` names another second network."""
    wanted = recorded.model.second_look
    if wanted is None:
        return
    card = read_second_look(*load_card(weights))
    found = card.as_model() if card else None
    if found is None or found.model_copy(update={"card_sha256": wanted.card_sha256}) != wanted:
        raise ReanalysisError(
            f"The network of the second look is not here: {wanted.name}, SHA-256 of its weights "
            f"{wanted.sha256}. Name a model that has it with --model FILE.{_made_by(recorded)}"
        )
    if wanted.card_sha256 not in (None, found.card_sha256):
        raise ReanalysisError(
            f"The second look of {weights.name} is fused or calibrated otherwise than when the analysis was "
            f"made: the deciding part of its card has SHA-256 {found.card_sha256}, where "
            f"{wanted.card_sha256} is recorded. Name the model as it was then with --model FILE."
            f"{_made_by(recorded)}"
        )


def _machine(analysis: Analysis) -> str:
    software = analysis.software
    arithmetic = software.backend or f"torch {software.torch}"
    return f"{software.device}, Reelproof {software.reelproof}, {arithmetic}"
