"""Each back end against plain torch, inside one run: ``python -m tests.bench_backends [MODEL] [DATA]``.

Rounds alternate, so that a busy moment hits all alike. Plain torch is the network as it was
trained, eager, float32, given what it is given in training: tensors already normalised. On a
machine with other work set ``OMP_NUM_THREADS=1`` and go by processor time: threads that wait for
each other lose most there. With the research folder DATA, AUC on dfdc-test and how far logits are
from torch's are measured as well.
"""

from __future__ import annotations

import csv
import json
import statistics
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from detector.backends import selection as backends
from detector.model_export import faces
from detector.models.loaded import LoadedModel, load_model
from detector.scoring.scorer import Scorer
from tests import bench_options

ROUNDS = 15
BATCH = 32


def main(name: str = "reelproof", data: str = "") -> None:
    """Print the table, and write ``out/bench-backends.json``."""
    model = load_model(name)
    size = model.card.input.size
    some = faces(size)
    crops = np.concatenate([some] * (BATCH // len(some) + 1))[:BATCH]
    ready = torch.from_numpy(crops).permute(0, 3, 1, 2).float().contiguous() / 127.5 - 1

    def plain() -> None:
        with torch.inference_mode():
            model.network(ready)

    names = [
        backend_name
        for backend_name in backends.BACKEND_NAMES
        if backend_name in (*backends.available_backends(), "openvino-bf16")
    ]
    running = {backend_name: backends.open_backend(model, backend_name) for backend_name in names}
    parts: dict[str, Callable[[], object]] = {"plain torch": plain}
    parts |= {backend_name: lambda run=backend.run: run(crops) for backend_name, backend in running.items()}
    seconds, worked = timed(parts)
    rows = {
        part: {
            "images_per_second": BATCH / took,
            "against_plain_torch": seconds["plain torch"] / took,
            "by_processor_time": worked["plain torch"] / worked[part],
        }
        for part, took in seconds.items()
    }
    if data:
        for part, figures in judged(model, names, Path(data)).items():
            rows[part] |= figures
    threads = backends.processor_threads()
    print(f"{name}, {size} px, batches of {BATCH}, {threads} threads, medians of {ROUNDS} rounds")
    for part, row in rows.items():
        print(f"{part:15}", "  ".join(f"{key} {value:.4g}" for key, value in row.items()))
    out = Path("out")
    out.mkdir(exist_ok=True)
    (out / "bench-backends.json").write_text(json.dumps({"model": name, "rows": rows}, indent=2) + "\n")


def timed(parts: dict[str, Callable[[], object]]) -> tuple[dict[str, float], dict[str, float]]:
    """Median seconds of each part by the clock and of the processor, after a round that is not counted."""
    clock: dict[str, list[float]] = {name: [] for name in parts}
    processor: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(ROUNDS + 1):
        for name, part in parts.items():
            started, worked = time.perf_counter(), time.process_time()
            part()
            clock[name].append(time.perf_counter() - started)
            processor[name].append(time.process_time() - worked)
    middle = [{name: statistics.median(t[1:]) for name, t in taken.items()} for taken in (clock, processor)]
    return middle[0], middle[1]


def judged(model: LoadedModel, names: list[str], data: Path) -> dict[str, dict[str, float]]:
    """AUC on dfdc-test as ``evaluate`` has it, and differences from torch of single crops' scores."""
    from sklearn.metrics import roc_auc_score

    from detector.faces.patch import decode_jpeg
    from detector.scoring.scorer import framed_crop

    with (data / "dfdc-test.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    size = model.card.input.size
    with zipfile.ZipFile(data / "dfdc-test.zip") as archive:
        crops = [framed_crop(decode_jpeg(archive.read(row["file"])), size) for row in rows]
    labels = [int(row["label"] == "fake") for row in rows]
    logits: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for name in names:
        scorer = Scorer(model, backend=name)
        batches = [crops[i : i + BATCH] for i in range(0, len(crops), BATCH)]
        logits[name] = (
            np.concatenate([scorer.logits(some) for some in batches]),
            np.concatenate([scorer.stills.logits(some) for some in batches]),
        )
    probability = {n: 1 / (1 + np.exp(-single / model.card.temperature)) for n, (single, _) in logits.items()}
    return {
        name: {
            "auc": float(roc_auc_score(labels, still)),
            "logit_difference": float(np.abs(single - logits["torch"][0]).max()),
            "logit_difference_mean": float(np.abs(single - logits["torch"][0]).mean()),
            "probability_difference": float(np.abs(probability[name] - probability["torch"]).max()),
        }
        for name, (single, still) in logits.items()
    }


if __name__ == "__main__":
    parser = bench_options.parser(__doc__)
    parser.add_argument("model", nargs="?", default="reelproof", metavar="MODEL")
    parser.add_argument("data", nargs="?", default="", metavar="DATA")
    asked = parser.parse_args()
    main(asked.model, asked.data)
