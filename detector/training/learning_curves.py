"""The course of a training run as a picture: loss on the left, validation figures on the right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from detector.errors import ParameterError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

History = Sequence[Mapping[str, float]]

_PREFIX = "validation_"
_SHORT = {"auc": "AUC", "ap": "AP", "eer": "EER", "ece": "ECE", "f1": "F1"}
# Told apart by people who see no red or green, too (Okabe and Ito, 2008), and by their marks in grey.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MARKS = "osD^vP"


def draw(history: History, path: Path, title: str = "") -> None:
    """Draw ``history`` to ``path``, a ``.png`` (1600×640 px) or ``.svg``; the same bytes every time.

    Each check of the history has ``seen``, the examples trained on, and any of ``loss``,
    ``validation_loss`` and ``validation_…``; the latter, all in [0, 1], go into the right
    panel, where the best AUC (or first figure there is) is marked. A check may lack a figure
    that others have. Raises :class:`ParameterError` for an empty history or another suffix.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    if not history:
        raise ParameterError("There is no history to draw yet: training has not come to its first check.")
    if path.suffix not in {".png", ".svg"}:
        raise ParameterError(f"{path}: curves are drawn as .png or .svg.")
    # A fixed salt, and no date below: the names inside an SVG are random otherwise.
    with rc_context({"svg.hashsalt": "reelproof", "font.size": 11, "font.family": "DejaVu Sans"}):
        # Without pyplot, which keeps every figure and chooses a screen.
        figure = Figure(figsize=(12.5, 5), layout="constrained")
        left, right = figure.subplots(1, 2)
        if title:
            figure.suptitle(title)
        losses = [name for name in ("loss", _PREFIX + "loss") if any(name in check for check in history)]
        _panel(left, history, losses, "loss")
        figures = sorted({name for check in history for name in check if name.startswith(_PREFIX)})
        figures = [name for name in figures if name not in losses]
        _panel(right, history, figures, "validation")
        if figures:
            _mark_best(right, history, _PREFIX + "auc" if _PREFIX + "auc" in figures else figures[0])
        metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
        figure.savefig(path, dpi=128, metadata=metadata)


def _panel(axes: Axes, history: History, names: Sequence[str], label: str) -> None:
    for number, name in enumerate(names):
        checks = [(check["seen"] / 1000, check[name]) for check in history if name in check]
        axes.plot(
            *zip(*checks, strict=True),
            color=_COLOURS[number % len(_COLOURS)],
            marker=_MARKS[number % len(_MARKS)],
            markersize=4,
            markevery=max(1, len(checks) // 25),
            label=_words(name),
        )
    axes.set_xlabel("examples seen, thousands")
    axes.set_ylabel(label)
    axes.grid(alpha=0.3)
    axes.margins(x=0.02)
    if names:
        axes.legend(frameon=False)


def _mark_best(axes: Axes, history: History, name: str) -> None:
    lower_is_better = name.removeprefix(_PREFIX) in {"eer", "ece", "brier"}
    checks = [(check[name], check["seen"] / 1000) for check in history if name in check]
    value, seen = (min if lower_is_better else max)(checks, key=lambda check: check[0])
    axes.axhline(value, color="0.6", linewidth=0.8, linestyle="--", zorder=0)
    axes.set_title(f"best {_words(name)} {value:.4f} after {seen:g} thousand", fontsize=11, loc="right")


def _words(name: str) -> str:
    if name in {"loss", _PREFIX + "loss"}:
        return {"loss": "training"}.get(name, "validation")
    word = name.removeprefix(_PREFIX)
    return _SHORT.get(word, word.replace("_", " "))
