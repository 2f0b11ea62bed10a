"""The training loop: train one recipe to a checkpoint of averaged weights."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from sklearn.metrics import f1_score, roc_auc_score
from torch import Tensor

from detector.errors import ParameterError
from detector.files import atomic_path
from detector.models.loaded import load_model
from detector.models.model_files import MODELS_FOLDER, load_card
from detector.networks.base import Network, create
from training.data.labelled_sets import file_marks, marks_in_weights
from training.data.own_sets import split_own_set
from training.data.sources import BatchSource, open_cached_features, open_source
from training.loop import Average, Loop
from training.losses import Batch, loss_of
from training.recipe import MUTABLE_KEYS, Config, Metric, Schedule

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class OriginMismatchError(ParameterError):
    """A checkpoint of this name was made from another recipe or other data."""


@dataclass(frozen=True)
class CheckpointOrigin:
    """The recipe and, for a user's own data set, the examples that a checkpoint is made from.

    ``data`` is a digest of the training and validation examples, repetitions included: contents, labels,
    groups; it is empty for the research data. ``files`` are the marks of their files.
    """

    recipe: dict[str, Any]
    data: str = ""
    files: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: Config, data: Path, failures: Path | None) -> CheckpointOrigin:
        """Compute the origin; reads both ends of every file of a user's own set."""
        recipe = config.model_dump(mode="json", exclude=MUTABLE_KEYS)
        if config.set is None:
            return cls(recipe)
        splits = split_own_set(data, failures)
        items = list(dict.fromkeys([*splits.train, *splits.held_out]))
        marks = dict(zip(items, file_marks(items), strict=True))
        digest = hashlib.sha256()
        for name, split in (("train", splits.train), ("val", splits.held_out)):
            for item in split:
                digest.update(f"{name} {marks[item]} {item.label} {item.group}\n".encode())
        return cls(recipe, digest.hexdigest(), tuple(sorted(set(marks.values()))))

    @property
    def stored(self) -> dict[str, Any]:
        """The part that is stored in a checkpoint."""
        return {"recipe": self.recipe, "data": self.data}

    def require_match(self, stored: Mapping[str, Any], checkpoint: Path) -> None:
        """Raise :class:`OriginMismatchError` unless the ``checkpoint`` was made from the same origin.

        Keys that its version of the recipe did not have are ignored.
        """
        recipe = stored["recipe"]
        other = [key for key, value in self.recipe.items() if key in recipe and recipe[key] != value]
        if not other and stored["data"] == self.data:
            return
        origin = f"another recipe ({', '.join(other)})" if other else "other data, labels or failures"
        raise OriginMismatchError(
            f"{checkpoint} was made from {origin}. Give the recipe another name, or remove {checkpoint}."
        )


def train(config: Config, data: Path, out: Path, failures: Path | None = None) -> Path:
    """Train ``config`` on ``data``, resuming from a checkpoint in ``out``; return the checkpoint's path.

    A checkpoint is a ``torch.save`` of tensors and numbers, read with ``weights_only``, whose ``best`` are
    the averaged weights that were best on the validation split. Beside it are the results of every check
    (``NAME-history.json``) and their curves (``NAME-curves.png``). A resumed run sees the same examples as an
    uninterrupted one, except for streamed videos. ``failures`` is the ``failures.json`` of an evaluation to
    train on again (:func:`~training.data.own_sets.split_own_set`).

    Raises :class:`OriginMismatchError` if the checkpoint was made from anything else, and
    :class:`ParameterError` for failures with a recipe without ``[set]``.
    """
    if failures is not None and config.set is None:
        raise ParameterError(
            f"{config.name}: only a recipe with a [set] can train on failures. Omit --failures, or train on "
            "a data set of your own."
        )
    origin = CheckpointOrigin.of(config, data, failures)
    run = _Run(config, out, origin)
    if run.ended():
        return run.checkpoint
    teacher = load_model(config.teacher).network.to(run.device) if config.teacher else None
    if config.features is None:
        source = open_source(config, data, out, run.seen, failures)
    else:  # features of the first examples, which the run repeats
        first = open_source(config, data, out, 0, failures)
        source = open_cached_features(first, run.network, config, out, run.seen, origin.data)
    run.loop.run(run.losses(source, teacher), lambda: None if run.due() else run.save())  # a check saves too
    return run.checkpoint


class _Run:
    """A network trained by one recipe, its averaged weights, and its progress."""

    def __init__(self, config: Config, out: Path, origin: CheckpointOrigin) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = _initial_network(config, out).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        trained = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        self.loop = Loop(
            [{"params": trained, "peak": config.learning_rate}],
            lambda _step, highest: highest * self._state["factor"] * self._share_of_rate(),
            weight_decay=config.weight_decay,
            clip_norm=config.clip_norm,
            fused=True,
        )
        self.loop.after = self._after_step
        out.mkdir(parents=True, exist_ok=True)
        self.checkpoint = out / f"{config.name}.pt"
        self._state: dict[str, Any] = {
            "architecture": config.architecture,
            "seen": 0,
            "history": [],
            "factor": 1.0,
            "best": copy.deepcopy(self.average.state_dict()),
        }
        if self.checkpoint.exists():
            self._state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
            if "made_from" in self._state:
                origin.require_match(self._state["made_from"], self.checkpoint)
            else:
                print(f"{config.name}: the checkpoint is of an earlier version and does not state its origin")
            self.network.load_state_dict(self._state["network"])
            self.average.load_state_dict(self._state["average"])
            self.loop.resume(self._state)
            print(f"{config.name}: resuming after {self.seen} examples", flush=True)
        self._state |= {"made_from": origin.stored, "learnt_from": _training_marks(config, out, origin)}
        self._start, self._first, self._before = time.monotonic(), self.seen, self.seen
        self._examples = 0  # of the step in progress
        self._running_loss: Tensor | None = self._state.get("running_loss")
        pairs = list(zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True))
        floats = [pair for pair in pairs if pair[0].is_floating_point()]
        integers = [pair for pair in pairs if not pair[0].is_floating_point()]
        self._averaging = Average(floats, integers, config.average_decay)

    @property
    def seen(self) -> int:
        seen: int = self._state["seen"]
        return seen

    @property
    def history(self) -> list[dict[str, float]]:
        history: list[dict[str, float]] = self._state["history"]
        return history

    def losses(self, source: BatchSource, teacher: Network | None) -> Iterator[Tensor]:
        """Yield the loss of each batch; measure the averaged weights after it when a check is due."""
        for batch in source.batches:
            batch = batch.to(self.device)
            soft_targets = None
            if teacher is not None:
                with torch.no_grad(), self._autocast():
                    soft_targets = torch.sigmoid(batch.forward(teacher).float())
            self.network.train()
            self.network.freeze_stages(self.config.frozen_stages)
            self._examples = len(batch.labels)
            with self._autocast():
                loss = loss_of(self.network, batch, self.config, soft_targets)
            yield loss
            if self.due():
                self.check(source.validation())
                if self.ended():
                    return

    def _after_step(self) -> None:
        # Stays on the device: reading it at each step would make a GPU wait before the next.
        last = self.loop.last.float()
        self._running_loss = last if self._running_loss is None else self._running_loss.lerp(last, 0.02)
        self._before, self._state["seen"] = self.seen, self.seen + self._examples
        self._averaging.add(self.seen / self.config.batch)

    def due(self) -> bool:
        """Return whether a check is due: at regular intervals, and after the last example."""
        every = self.config.check_every
        return self.complete or self._before // every != self.seen // every

    @property
    def complete(self) -> bool:
        """Whether less than a batch remains of the examples in the recipe."""
        return self.seen + self.config.batch > self.config.samples

    def ended(self) -> bool:
        """Return whether training is complete, or the recipe's patience is exhausted."""
        patience = self.config.patience
        if patience and self.history and self._checks_since_best() >= patience:
            print(f"no improvement in {patience} checks: stopped", flush=True)
            return True
        return self.complete

    def check(self, validation: list[Batch]) -> None:
        """Measure the averaged weights, keep them if they are the best so far, and save everything."""
        config, history = self.config, self.history
        labels, logits = predict(self.average, validation, self.device)
        chosen = f"validation_{config.choose_by}"
        best = max((check[chosen] for check in history), default=-1.0)
        check = {
            "seen": self.seen,
            "loss": round(float(self._running_loss), 4) if self._running_loss is not None else 0.0,
            "learning_rate": float(config.learning_rate * self._state["factor"] * self._share_of_rate()),
            f"validation_{Metric.AUC}": round(float(roc_auc_score(labels, logits)), 4),
            f"validation_{Metric.F1}": round(float(f1_score(labels, [v > 0 for v in logits])), 4),
        }
        history.append(check)
        if config.schedule is Schedule.PLATEAU and self._checks_since_best():
            self._state["factor"] /= 2
        rate = (self.seen - self._first) / (time.monotonic() - self._start)
        print(
            f"{config.name}: {self.seen} examples, loss {check['loss']:.3f}, "
            f"validation AUC {check['validation_auc']:.4f}, F1 {check['validation_f1']:.3f}, "
            f"{rate:.0f}/s, {(config.samples - self.seen) / rate / 60:.0f} min left",
            flush=True,
        )
        if check[chosen] > best:
            self._state["best"] = copy.deepcopy(self.average.state_dict())
        self.save()
        path = self.checkpoint
        path.with_name(f"{path.stem}-history.json").write_text(json.dumps(history, indent=1) + "\n")
        draw_curves(history, path.with_name(f"{path.stem}-curves.png"))

    def save(self) -> None:
        """Write a checkpoint."""
        weights = {"network": self.network.state_dict(), "average": self.average.state_dict()}
        running = {"running_loss": self._running_loss}
        with atomic_path(self.checkpoint) as temporary:
            torch.save({**self._state, **weights, **self.loop.state(), **running}, temporary)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.mixed_precision)

    def _share_of_rate(self) -> float:
        """Linear warm-up, then the recipe's schedule; the halvings of a plateau are in ``factor``."""
        config, seen = self.config, self.seen
        if seen < config.warm_up:
            return (seen + 1) / config.warm_up
        if config.schedule is Schedule.LINEAR:
            return max(0.01, 1 - (seen - config.warm_up) / max(1, config.samples - config.warm_up))
        return 1.0

    def _checks_since_best(self) -> int:
        values = [check[f"validation_{self.config.choose_by}"] for check in self.history]
        return len(values) - 1 - values.index(max(values))


def _initial_network(config: Config, out: Path) -> Network:
    """Return a network with ImageNet weights, random ones, or those of another recipe.

    The latter are a published model or, if there is none of that name, a checkpoint in ``out``.
    """
    network = create(config.architecture)
    if config.start == "imagenet":
        network.load_imagenet()
    elif state := _unpublished(config.start, out):
        other = create(state["architecture"])
        other.load_state_dict(state["best"])
        network.start_from(other)
    elif config.start != "random":
        network.start_from(load_model(config.start).network)
    network.freeze_stages(config.frozen_stages)
    return network


def _unpublished(name: str, out: Path) -> dict[str, Any] | None:
    """Return the checkpoint of another recipe if no model of that name is published."""
    path = out / f"{name}.pt"
    if not path.exists() or (MODELS_FOLDER / f"{name}.json").exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def _training_marks(config: Config, out: Path, origin: CheckpointOrigin) -> list[str]:
    """Return marks of all training files: of this recipe, of the model it starts from, of its teacher."""
    marks = set(origin.files)
    for name in {config.start, config.teacher} - {"imagenet", "random", ""}:
        if (MODELS_FOLDER / f"{name}.json").exists():
            marks |= marks_in_weights(load_card(name)[1])
        elif state := _unpublished(name, out):
            marks |= set(state.get("learnt_from", ()))
    return sorted(marks)


@torch.inference_mode()
def predict(network: Network, batches: list[Batch], device: torch.device) -> tuple[list[int], list[float]]:
    """Return labels and logits of ``batches``, in order."""
    network.eval()
    labels: list[int] = []
    logits: list[float] = []
    for batch in batches:
        logits += batch.to(device).forward(network).float().tolist()
        labels += batch.labels.int().tolist()
    return labels, logits


History = Sequence[Mapping[str, float]]

_PREFIX = "validation_"
_SHORT = {"auc": "AUC", "ap": "AP", "eer": "EER", "ece": "ECE", "f1": "F1"}
# Distinguishable with red-green blindness (Okabe and Ito, 2008), and by their markers in grey.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MARKERS = "osD^vP"


def draw_curves(history: History, path: Path, title: str = "") -> None:
    """Draw ``history`` to ``path``, a ``.png`` (1600×640 px) or ``.svg``, reproducibly to the byte.

    Each check of the history has ``seen``, the number of examples trained on, and any of ``loss``,
    ``validation_loss`` and ``validation_…``; the latter, all in [0, 1], go into the right panel, where the
    best AUC (or the first figure) is marked. A check may lack figures that others have. Raises
    :class:`ParameterError` for an empty history or another suffix.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    if not history:
        raise ParameterError("There is no history to draw: training has not reached its first check.")
    if path.suffix not in {".png", ".svg"}:
        raise ParameterError(f"{path}: curves are drawn as .png or .svg.")
    # A fixed salt, and no date below: otherwise names inside an SVG are random.
    with rc_context({"svg.hashsalt": "reelproof", "font.size": 11, "font.family": "DejaVu Sans"}):
        # Without pyplot, which keeps every figure and selects a screen.
        figure = Figure(figsize=(12.5, 5), layout="constrained")
        left, right = figure.subplots(1, 2)
        if title:
            figure.suptitle(title)
        losses = [name for name in ("loss", _PREFIX + "loss") if any(name in check for check in history)]
        _draw_panel(left, history, losses, "loss")
        figures = sorted({name for check in history for name in check if name.startswith(_PREFIX)})
        figures = [name for name in figures if name not in losses]
        _draw_panel(right, history, figures, "validation")
        if figures:
            _mark_best(right, history, _PREFIX + "auc" if _PREFIX + "auc" in figures else figures[0])
        metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
        figure.savefig(path, dpi=128, metadata=metadata)


def _draw_panel(axes: Axes, history: History, names: Sequence[str], label: str) -> None:
    for number, name in enumerate(names):
        checks = [(check["seen"] / 1000, check[name]) for check in history if name in check]
        axes.plot(
            *zip(*checks, strict=True),
            color=_COLOURS[number % len(_COLOURS)],
            marker=_MARKERS[number % len(_MARKERS)],
            markersize=4,
            markevery=max(1, len(checks) // 25),
            label=_label(name),
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
    axes.set_title(f"best {_label(name)} {value:.4f} after {seen:g} thousand", fontsize=11, loc="right")


def _label(name: str) -> str:
    if name in {"loss", _PREFIX + "loss"}:
        return {"loss": "training"}.get(name, "validation")
    word = name.removeprefix(_PREFIX)
    return _SHORT.get(word, word.replace("_", " "))
