"""Results of an evaluation: metrics, worst errors and the HTML report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np

from detector.faces.patch import decode_jpeg
from detector.files import FILES
from detector.models.card import Card
from detector.schema.analysis import Parameters, Verdict
from detector.statistics.metrics import BINS, Scored, reliability, roc
from training.evaluation.material import Clip, EncodedCrop, write_thumbnail

_MOST_THUMBNAILS = 60  # of wrongly judged crops a set
_SIDE = 128  # px of a thumbnail


@dataclass(frozen=True)
class Failure:
    """A wrong judgement. ``data`` names its set: never fine-tune on test or develop."""

    path: str
    label: str
    probability: float | None
    group: str
    kind: str
    data: str
    generator: str = ""
    verdict: str = ""
    thumbnail: str | None = None

    @property
    def error(self) -> float:
        """Distance of the probability from the truth; a half for an inconclusive verdict."""
        return 0.5 if self.probability is None else abs(self.probability - (self.label == "fake"))


@dataclass
class Evaluation:
    """All results of one evaluation: ``figures`` go onto the card, the rest to the page and the file."""

    card: Card
    parameters: Parameters
    figures: dict[str, float] = field(default_factory=dict)
    levels: dict[str, dict[str, Any]] = field(default_factory=dict)
    curves: dict[str, Scored] = field(default_factory=dict)
    temporal: dict[str, Any] = field(default_factory=dict)
    robustness: list[dict[str, Any]] = field(default_factory=list)
    explanation: list[dict[str, Any]] = field(default_factory=list)
    left_out: dict[str, float] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        model = ("name", "title", "architecture", "sha256", "temperature")
        return {
            "model": {name: getattr(self.card, name) for name in model},
            "parameters": self.parameters.model_dump(),
            "figures": self.figures,
            "levels": self.levels,
            "left out": self.left_out,
            "temporal": self.temporal,
            "robustness": self.robustness,
            "explanation": self.explanation,
            "notes": self.notes,
        }


def crop_failures(
    crops: Sequence[EncodedCrop], scored: Scored, parameters: Parameters, data: str, out: Path
) -> list[Failure]:
    """Return crops on the wrong side of the entry threshold, worst first; write thumbnails of the worst."""
    flagged = scored.probabilities >= parameters.enter_threshold
    wrong = [i for i in range(len(crops)) if flagged[i] != bool(crops[i].label)]
    wrong.sort(key=lambda i: -abs(scored.probabilities[i] - crops[i].label))
    failures = []
    for rank, i in enumerate(wrong):
        crop = crops[i]
        thumbnail = None
        if rank < _MOST_THUMBNAILS:
            thumbnail = f"gallery/{data}-{rank:03}.jpg"
            image = cv2.resize(decode_jpeg(crop.data), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
            write_thumbnail(out / thumbnail, image)
        failures.append(
            Failure(
                path=crop.path,
                label="fake" if crop.label else "real",
                probability=round(float(scored.probabilities[i]), 4),
                group=crop.group,
                kind="crop",
                data=data,
                thumbnail=thumbnail,
            )
        )
    return failures


def clip_failures(clips: Sequence[Clip], data: str) -> list[Failure]:
    """Return clips with a wrong verdict or none; ``analyse_clips`` has written their thumbnails."""
    failures = []
    for clip in clips:
        verdict = clip.analysis.verdict
        if verdict is (Verdict.MANIPULATED if clip.fake else Verdict.NOT_FOUND):
            continue
        judged = clip.analysis.probability is not None
        failures.append(
            Failure(
                path=clip.file,
                label="fake" if clip.fake else "real",
                probability=clip.analysis.probability,
                group=clip.group or clip.file,
                kind=str(clip.analysis.media.kind),
                data=data,
                generator=clip.generator if clip.fake else "",
                verdict=str(verdict),
                thumbnail=f"gallery/{clip.file.replace('/', '_')}.jpg" if judged else None,
            )
        )
    return failures


def write_failures(failures: Sequence[Failure], out: Path) -> list[Failure]:
    """Write ``failures.json`` below ``out``, worst first, and return the failures in that order."""
    ordered = sorted(failures, key=lambda failure: (-failure.error, failure.path))
    (out / "failures.json").write_text(
        json.dumps([asdict(failure) for failure in ordered], indent=1) + "\n", encoding="utf-8"
    )
    return ordered


TEMPLATES = FILES / "templates"
# Colours of lines, distinguished by dashes as well.
_LINES = (("#1f4f86", "-"), ("#8f2f1f", "--"), ("#6a4f00", "-."), ("#2f6b4a", ":"))
_MOST_IN_GALLERY = 120  # failures


def write_page(measured: Evaluation, out: Path) -> None:
    """Write ``index.html``, ``gallery.html`` and their pictures below ``out``; they need no network."""
    folder = out / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    curves = measured.curves
    pictures: dict[str, str] = {}
    if curves:
        main = ("dfdc-val crops", "dfdc-test crops", "develop clips", "frames of develop clips")
        shown = [n for n in main if n in curves] or [n for n in curves if ":" not in n][:4]
        _draw_roc({name: curves[name] for name in shown}, folder / "roc.png")
        pictures["roc"] = "pictures/roc.png"
        compared = ("dfdc-test crops", "crops", "frames of develop clips", "frames of clips", "photographs")
        _draw_reliability({n: curves[n] for n in compared if n in curves}, folder / "reliability.png")
        pictures["reliability"] = "pictures/reliability.png"
    if measured.robustness:
        _draw_robustness(measured.robustness, folder / "robustness.png")
        pictures["robustness"] = "pictures/robustness.png"
    if measured.temporal:
        _draw_time(measured.temporal["clips"], folder / "time.png")
        pictures["time"] = "pictures/time.png"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
    environment.filters["translated"] = str
    environment.filters["figure"] = _format_figure
    failures = sorted(measured.failures, key=lambda failure: (-failure.error, failure.path))
    groups: dict[str, list[Failure]] = {}
    for failure in [f for f in failures if f.thumbnail or f.probability is None][:_MOST_IN_GALLERY]:
        kind = "manipulated, not flagged" if failure.label == "fake" else "unmanipulated, flagged"
        if failure.label == "real" and failure.verdict == "inconclusive":
            kind = "unmanipulated, inconclusive"
        groups.setdefault(f"{failure.data}: {kind}", []).append(failure)
    for name in ("index", "gallery"):
        text = environment.get_template(f"evaluation/{name}.html").render(
            measured=measured, pictures=pictures, failures=failures, groups=groups
        )
        (out / f"{name}.html").write_text(text, encoding="utf-8")


def _format_figure(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _plot(width: float, height: float, columns: int = 1) -> Any:
    # Imported here, with a backend that needs no screen: it takes half a second.
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, columns, figsize=(width, height), squeeze=False, layout="constrained")
    for axis in axes[0]:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(color="#e4e7eb", linewidth=0.7)
        axis.set_axisbelow(True)
    return figure, axes[0]


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot

    figure.savefig(path, dpi=130, metadata={"Software": None})
    pyplot.close(figure)


def _draw_roc(curves: dict[str, Scored], path: Path) -> None:
    figure, (whole, low) = _plot(9.4, 4.2, 2)
    for (name, scored), (colour, dash) in zip(curves.items(), _LINES, strict=False):
        fpr, tpr = roc(scored)
        for axis in (whole, low):
            axis.step(fpr, tpr, dash, where="post", color=colour, label=name, linewidth=1.6)
    whole.plot([0, 1], [0, 1], color="#858e99", linewidth=0.8)
    whole.set(
        xlim=(0, 1), ylim=(0, 1), title="ROC", xlabel="false positive rate", ylabel="true positive rate"
    )
    low.set(xlim=(0, 0.1), ylim=(0, 1), title="up to 10 % false positives", xlabel="false positive rate")
    whole.legend(loc="lower right", frameon=False, fontsize=9)
    _save(figure, path)


def _draw_reliability(curves: dict[str, Scored], path: Path) -> None:
    figure, (lines, counts) = _plot(9.4, 4.2, 2)
    lines.plot([0, 1], [0, 1], color="#858e99", linewidth=0.8)
    edges = np.linspace(0, 1, BINS + 1)
    for (name, scored), (colour, dash) in zip(curves.items(), _LINES, strict=False):
        bins = reliability(scored)
        x, y = [b.said for b in bins], [b.true for b in bins]
        lines.plot(x, y, dash, marker="o", markersize=4, color=colour, label=name)
        shares = np.histogram(scored.probabilities, edges)[0] / len(scored.labels)
        counts.stairs(shares, edges, color=colour, linestyle=dash, linewidth=1.6)
    label = "published probability"
    lines.set(xlim=(0, 1), ylim=(0, 1), title="Reliability", xlabel=label, ylabel="share truly manipulated")
    counts.set(xlim=(0, 1), title="Frequency", xlabel=label, ylabel="share of all")
    lines.legend(loc="upper left", frameon=False, fontsize=9)
    _save(figure, path)


def _draw_robustness(rows: Sequence[dict[str, Any]], path: Path) -> None:
    figure, (axis,) = _plot(9.4, 0.34 * len(rows) + 1.2)
    places = np.arange(len(rows))[::-1]
    for offset, level, colour, marker in (
        (0.12, "clip AUC", "#1f4f86", "o"),
        (-0.12, "frame AUC", "#8f2f1f", "s"),
    ):
        values = [np.nan if row[level] is None else row[level] for row in rows]
        axis.plot(values, places + offset, marker, color=colour, label=level, markersize=6)
        axis.axvline(values[0], color=colour, linewidth=0.8, linestyle=":")
    axis.set_yticks(places, [row["distortion"] for row in rows])
    axis.set(xlim=(0.4, 1.01), xlabel="AUC; dotted: without distortion")
    axis.legend(loc="lower left", frameon=False, fontsize=9)
    _save(figure, path)


def _draw_time(rows: Sequence[dict[str, Any]], path: Path) -> None:
    figure, (axis,) = _plot(9.4, 0.36 * len(rows) + 1.1)
    for place, row in zip(range(len(rows))[::-1], rows, strict=True):
        axis.broken_barh([(a, b - a) for a, b in row["truth"]], (place, 0.32), color="#8f2f1f")
        axis.broken_barh([(a, b - a) for a, b, _ in row["found"]], (place - 0.36, 0.32), color="#1f4f86")
    axis.set_yticks(range(len(rows))[::-1], [row["clip"].removesuffix(".mp4") for row in rows])
    axis.set(xlabel="seconds; above: manipulated, below: flagged", ylim=(-0.6, len(rows) - 0.4))
    _save(figure, path)
