"""Evaluate every model on the same data: ``leaderboard.jsonl``, and ``LEADERBOARD.md`` made from it."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from pydantic import ValidationError

from detector.errors import ParameterError
from detector.models.card import Card
from detector.models.loaded import LoadedModel, load_model
from detector.models.model_files import (
    DEFAULT_MODEL,
    MODELS_FOLDER,
    SECOND_LOOK_FOLDER,
    known_models,
    load_card,
)
from detector.models.onnx_file import read_onnx
from detector.progress import ReportText
from detector.schema.analysis import Parameters, Sha256, Value
from detector.scoring.scorer import Scorer
from training.evaluation.evaluate import evaluate

RECORD, TABLE = "leaderboard.jsonl", "LEADERBOARD.md"  # ``.json`` files are model cards
_FACES = 32  # a batch
_ROUNDS = 5
_BATCHES = 3  # a round

# Columns: heading, figure of the model card, whether more is better.
COLUMNS = (
    ("crops AUC", "dfdc-test crops, AUC", True),
    ("crops EER", "dfdc-test crops, equal error rate", False),
    ("crops ECE", "dfdc-test crops, expected calibration error", False),
    ("clips AUC", "develop clips, AUC", True),
    ("c40 clips AUC", "develop clips of FaceForensics++ c40, AUC", True),
    ("AP at tIoU 0.5", "splices, AP at tIoU 0.5", True),
)


class Speed(Value):
    """Faces a second on the CPU in batches of 32, and their ratio to the default in the same run."""

    one_thread: float
    all_threads: float
    threads: int
    ratio_one: float
    ratio_all: float


class Row(Value):
    """One model's measurements, with a ``note`` for the table, such as why it is not shipped."""

    name: str
    title: str
    architecture: str
    sha256: Sha256
    size: int
    parameters: int
    megabytes: float
    figures: dict[str, float]
    speed: Speed | None = None
    note: str = ""


def leaderboard(
    models: Sequence[str],
    data: Path,
    out: Path,
    report: ReportText = lambda text: None,
    folder: Path = MODELS_FOLDER,
) -> Path:
    """Measure ``models`` (default: all in ``folder``), add them to the record, and return the table's path.

    The record has one line of JSON per model; lines of models whose weights are not shipped remain. Figures
    of the same weights in ``out/evaluation-NAME/metrics.json`` are not measured again. The speed of all
    models and the default is measured alternately in one run, because a machine's speed varies. Raises the
    errors of :func:`evaluate`.
    """
    names = list(models) or [str(folder / f"{card.name}.json") for card, _ in known_models([folder])]
    rows = {row.name: row for row in read_record(folder)}
    speeds = _speeds([load_model(model) for model in names], report)
    for model in names:
        card, weights = load_card(model)
        figures = _known_figures(card, out)
        if figures is None:
            figures = evaluate(
                model, data, out / f"evaluation-{card.name}", quick=True, report=report
            ).figures
        rows[card.name] = _row(card, weights, figures, speeds.get(card.name), rows.get(card.name))
        write_record(list(rows.values()), folder)
    return folder / TABLE


def read_record(folder: Path = MODELS_FOLDER) -> list[Row]:
    """Return the rows of the record in ``folder``; raise :class:`ParameterError` if one is malformed."""
    path = folder / RECORD
    if not path.is_file():
        return []
    try:
        return [Row.model_validate_json(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except ValidationError as error:
        raise ParameterError(f"{path} is malformed: {error.errors()[0]['msg']}.") from None


def write_record(rows: Sequence[Row], folder: Path = MODELS_FOLDER) -> None:
    """Write the record, best on clips first, and the table generated from it."""
    best = "develop clips, AUC"
    sorted_rows = sorted(rows, key=lambda row: (-row.figures.get(best, 0.0), row.name))
    (folder / RECORD).write_text(
        "".join(row.model_dump_json() + "\n" for row in sorted_rows), encoding="utf-8"
    )
    shipped = {path.stem for path in folder.glob("*.safetensors")}
    table = markdown(sorted_rows, shipped) + second_looks(folder)
    (folder / TABLE).write_text(table, encoding="utf-8")


def second_looks(folder: Path) -> str:
    """Return links to the cards of second looks in ``folder``, as Markdown."""
    names = sorted(path.stem for path in (folder / SECOND_LOOK_FOLDER).glob("*.json"))
    links = [
        f"`{name}` with its second look: [card]({SECOND_LOOK_FOLDER}/{name}.md#measured-figures)"
        for name in names
    ]
    return "\n".join(["", *links, ""]) if links else ""


def markdown(rows: Sequence[Row], shipped: set[str]) -> str:
    """Return the table as Markdown; the best figure of a column is bold."""
    heads = ["model", "architecture", *(head for head, _, _ in COLUMNS)]
    heads += ["parameters, M", "file, MB", "faces a second, 1 thread", "all threads", "× default"]
    lines = [
        "# Leaderboard",
        "",
        "*Generated by `python -m detector leaderboard --data DIR` from `leaderboard.jsonl`; do not edit.*",
        "",
        "Every model on the same data through the same engine. Crops are the 2,000 of `dfdc-test`; clips are "
        "those of role `develop` in `videos/`, 24 of the 126 of other documents, scored with the probability "
        "the engine publishes (c40: FaceForensics++ at its heaviest compression); AP is over `splices.json`. "
        f"Speed is the network alone on batches of {_FACES} crops in float32, measured in one run beside the "
        "default; only the ratio (1 thread) compares across machines.",
        "",
        "| " + " | ".join(heads) + " |",
        "|" + "---|" * len(heads),
    ]
    best = {
        name: (max if higher_is_better else min)(
            [r.figures[name] for r in rows if name in r.figures], default=None
        )
        for _, name, higher_is_better in COLUMNS
    }
    notes: list[str] = []
    for row in rows:
        note = row.note or ("" if row.name in shipped else "weights not shipped")
        mark = ""
        if note:
            notes.append(f"{len(notes) + 1}. `{row.name}`: {note}")
            mark = f" ({len(notes)})"
        lines.append("| " + " | ".join(_cells(row, mark, best)) + " |")
    return "\n".join([*lines, "", *notes, ""] if notes else [*lines, ""])


def _cells(row: Row, mark: str, best: Mapping[str, float | None]) -> list[str]:
    """Return the cells of a row; ``mark`` refers to its note, ``best`` has the best figure of each column."""
    cells = [f"`{row.name}`{mark}", f"`{row.architecture}`, {row.size} px"]
    for _, name, _ in COLUMNS:
        value = row.figures.get(name)
        text = "–" if value is None else f"{value:.3f}"
        cells.append(f"**{text}**" if value is not None and value == best[name] else text)
    cells += [f"{row.parameters / 1e6:.1f}", f"{row.megabytes:.1f}"]
    if (speed := row.speed) is None:
        return [*cells, *["–"] * 3]
    speeds = f"{speed.one_thread:.0f}", f"{speed.all_threads:.0f} ({speed.threads})"
    return [*cells, *speeds, f"{speed.ratio_one:.2f}"]


def measure_speed(scorers: dict[str, Scorer], threads: int) -> dict[str, float]:
    """Measure faces a second of each scorer on the CPU at ``threads``: the best of alternating rounds."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    rng = np.random.default_rng(0)
    crops = {
        name: list(rng.integers(0, 256, (_FACES, s.card.input.size, s.card.input.size, 3), np.uint8))
        for name, s in scorers.items()
    }
    fastest = dict.fromkeys(scorers, float("inf"))
    try:
        for name, scorer in scorers.items():
            scorer.logits(crops[name])  # the first batch plans and allocates
        for _ in range(_ROUNDS):
            for name, scorer in scorers.items():
                start = time.perf_counter()
                for _ in range(_BATCHES):
                    scorer.logits(crops[name])
                fastest[name] = min(fastest[name], time.perf_counter() - start)
    finally:
        torch.set_num_threads(before)
    return {name: _BATCHES * _FACES / seconds for name, seconds in fastest.items()}


def _speeds(models: Sequence[LoadedModel], report: ReportText) -> dict[str, Speed]:
    report("measuring speed")
    cpu = torch.device("cpu")
    # Other back ends than torch have threads of their own, so the speed of ONNX files is not comparable.
    scorers = {model.card.name: Scorer(model, cpu) for model in models if not model.card.onnx}
    if not scorers:
        return {}
    default = scorers.get(DEFAULT_MODEL) or Scorer(load_model(DEFAULT_MODEL), cpu)
    threads = os.cpu_count() or 1
    all_scorers = {**scorers, DEFAULT_MODEL: default}
    single_thread, multi_thread = measure_speed(all_scorers, 1), measure_speed(all_scorers, threads)
    return {
        name: Speed(
            one_thread=round(single_thread[name], 1),
            all_threads=round(multi_thread[name], 1),
            threads=threads,
            ratio_one=round(single_thread[name] / single_thread[DEFAULT_MODEL], 3),
            ratio_all=round(multi_thread[name] / multi_thread[DEFAULT_MODEL], 3),
        )
        for name in scorers
    }


def _known_figures(card: Card, out: Path) -> dict[str, float] | None:
    """Return figures of the same weights and settings from an earlier evaluation below ``out``."""
    for folder in (out / f"evaluation-{card.name}", out / "evaluation"):
        path = folder / "metrics.json"
        metrics = json.loads(path.read_text()) if path.is_file() else {}
        model = metrics.get("model", {})
        if (
            model.get("sha256") == card.sha256
            and model["temperature"] == card.temperature
            and metrics["parameters"] == Parameters().model_dump()
            and COLUMNS[0][1] in metrics["figures"]
        ):
            figures: dict[str, float] = metrics["figures"]
            return figures
    return None


def _row(card: Card, weights: Path, figures: dict[str, float], speed: Speed | None, old: Row | None) -> Row:
    model = load_model(weights.with_suffix(".json"))
    if card.onnx:
        graph = read_onnx(model.weights or b"", card.name).graph
        parameters = sum(math.prod(tensor.dims) for tensor in graph.initializer)
    else:
        parameters = sum(p.numel() for p in model.network.parameters())
    return Row(
        name=card.name,
        title=card.title,
        architecture=card.architecture,
        sha256=card.sha256,
        size=card.input.size,
        parameters=parameters,
        megabytes=round(weights.stat().st_size / 1e6, 2),
        figures={name: figures[name] for _, name, _ in COLUMNS if name in figures},
        speed=speed,
        note=old.note if old else "",
    )
