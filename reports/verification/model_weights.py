"""The weights an analysis names against those that are here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from detector.errors import ModelError
from detector.files import hashed
from detector.models.card_files import MODELS, WEIGHTS, load_card
from detector.schema.analysis import Analysis
from reports.errors import ReportError
from reports.verification.problems import CheckResults


class ModelFileError(ReportError):
    """The model to compare with is not there."""


def check_model(analysis: Analysis, given: Path | None, results: CheckResults) -> Path | None:
    """Compare weights by SHA-256; returns the path of those that were recorded, if they are here.

    ``given`` is a file of weights or its card, or a folder of models: with it other weights are a
    problem. Without, the models of this installation are looked through, where another version
    of the model is worth a note only, and weights that are not those of their own card a problem.
    """
    recorded = analysis.model
    here = {path: hashed(path)[1] for path in _weights(given or MODELS)}
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
    here = {hashed(path)[1]: path for place in (MODELS, *given) for path in _weights(place)}
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
