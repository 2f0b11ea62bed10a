"""The evaluation as a page: tables, pictures and a gallery of the worst errors; needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np

from detector.paths import FILES
from detector.training.evaluation.figures.metrics import Scored, reliability, roc
from detector.training.evaluation.outcome.failures import WrongJudgement
from detector.training.publish.calibration import BINS

if TYPE_CHECKING:
    from detector.training.evaluation.outcome.evaluation_result import Measured

TEMPLATES = FILES / "templates"
# Colours of lines, told apart by dashes as well.
_LINES = (("#1f4f86", "-"), ("#8f2f1f", "--"), ("#6a4f00", "-."), ("#2f6b4a", ":"))
_SHOWN = 120  # failures a gallery holds


def write_page(measured: Measured, out: Path) -> None:
    """``index.html``, ``gallery.html`` and the pictures they show, below ``out``."""
    pictures = out / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    curves = measured.curves
    drawn: dict[str, str] = {}
    if curves:
        shown = _main_levels(curves)
        _draw_roc({name: curves[name] for name in shown}, pictures / "roc.png")
        drawn["roc"] = "pictures/roc.png"
        compared = ("dfdc-test crops", "crops", "frames of develop clips", "frames of clips", "photographs")
        _draw_reliability({n: curves[n] for n in compared if n in curves}, pictures / "reliability.png")
        drawn["reliability"] = "pictures/reliability.png"
    if measured.robustness:
        _draw_robustness(measured.robustness, pictures / "robustness.png")
        drawn["robustness"] = "pictures/robustness.png"
    if measured.temporal:
        _draw_time(measured.temporal["clips"], pictures / "time.png")
        drawn["time"] = "pictures/time.png"
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
    environment.filters["figure"] = _figure
    failures = sorted(measured.failures, key=lambda failure: (-failure.error, failure.path))
    shown_failures = [f for f in failures if f.thumbnail or f.probability is None][:_SHOWN]
    for name in ("index", "gallery"):
        text = environment.get_template(f"evaluation/{name}.html").render(
            measured=measured, pictures=drawn, failures=failures, groups=_grouped(shown_failures)
        )
        (out / f"{name}.html").write_text(text, encoding="utf-8")


def _figure(value: Any) -> str:
    """A figure with three places; what could not be measured is a dash."""
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _grouped(failures: Sequence[WrongJudgement]) -> dict[str, list[WrongJudgement]]:
    groups: dict[str, list[WrongJudgement]] = {}
    for failure in failures:
        what = "manipulated, not flagged" if failure.label == "fake" else "unmanipulated, flagged"
        if failure.label == "real" and failure.verdict == "inconclusive":
            what = "unmanipulated, inconclusive"
        groups.setdefault(f"{failure.data}: {what}", []).append(failure)
    return groups


def _main_levels(curves: dict[str, Scored]) -> list[str]:
    wanted = ("dfdc-val crops", "dfdc-test crops", "develop clips", "frames of develop clips")
    return [n for n in wanted if n in curves] or [n for n in curves if ":" not in n][:4]


def _axes(width: float, height: float, columns: int = 1) -> Any:
    # Imported here, with a backend that needs no screen: it takes half a second.
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, columns, figsize=(width, height), squeeze=False, layout="constrained")
    for one in axes[0]:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(color="#e4e7eb", linewidth=0.7)
        one.set_axisbelow(True)
    return figure, axes[0]


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot

    figure.savefig(path, dpi=130, metadata={"Software": None})
    pyplot.close(figure)


def _draw_roc(curves: dict[str, Scored], path: Path) -> None:
    figure, (whole, low) = _axes(9.4, 4.2, 2)
    for (name, scored), (colour, dash) in zip(curves.items(), _LINES, strict=False):
        fpr, tpr = roc(scored)
        for one in (whole, low):
            one.step(fpr, tpr, dash, where="post", color=colour, label=name, linewidth=1.6)
    whole.plot([0, 1], [0, 1], color="#858e99", linewidth=0.8)
    whole.set(
        xlim=(0, 1), ylim=(0, 1), title="ROC", xlabel="false positive rate", ylabel="true positive rate"
    )
    low.set(xlim=(0, 0.1), ylim=(0, 1), title="up to 10 % false positives", xlabel="false positive rate")
    whole.legend(loc="lower right", frameon=False, fontsize=9)
    _save(figure, path)


def _draw_reliability(curves: dict[str, Scored], path: Path) -> None:
    figure, (lines, counts) = _axes(9.4, 4.2, 2)
    lines.plot([0, 1], [0, 1], color="#858e99", linewidth=0.8)
    edges = np.linspace(0, 1, BINS + 1)
    for (name, scored), (colour, dash) in zip(curves.items(), _LINES, strict=False):
        bins = reliability(scored)
        lines.plot(
            [b.said for b in bins],
            [b.true for b in bins],
            dash,
            marker="o",
            markersize=4,
            color=colour,
            label=name,
        )
        shares = np.histogram(scored.probabilities, edges)[0] / len(scored.labels)
        counts.stairs(shares, edges, color=colour, linestyle=dash, linewidth=1.6)
    lines.set(
        xlim=(0, 1),
        ylim=(0, 1),
        title="Does the probability mean what it says?",
        xlabel="probability given",
        ylabel="share truly manipulated",
    )
    counts.set(xlim=(0, 1), title="How often it is given", xlabel="probability given", ylabel="share of all")
    lines.legend(loc="upper left", frameon=False, fontsize=9)
    _save(figure, path)


def _draw_robustness(rows: Sequence[dict[str, Any]], path: Path) -> None:
    figure, (axis,) = _axes(9.4, 0.34 * len(rows) + 1.2)
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
    figure, (axis,) = _axes(9.4, 0.36 * len(rows) + 1.1)
    for place, row in zip(range(len(rows))[::-1], rows, strict=True):
        axis.broken_barh([(a, b - a) for a, b in row["truth"]], (place, 0.32), color="#8f2f1f")
        axis.broken_barh([(a, b - a) for a, b, _ in row["found"]], (place - 0.36, 0.32), color="#1f4f86")
    axis.set_yticks(range(len(rows))[::-1], [row["clip"].removesuffix(".mp4") for row in rows])
    axis.set(xlabel="seconds; above: manipulated, below: flagged", ylim=(-0.6, len(rows) - 0.4))
    _save(figure, path)
