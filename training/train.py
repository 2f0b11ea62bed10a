"""The training loop: train one recipe, or several side by side, to a checkpoint of averaged weights."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

import torch
from sklearn.metrics import f1_score, roc_auc_score
from torch import Tensor, nn

from detector.errors import ParameterError
from detector.files import atomic_path
from detector.models.loaded import load_model
from detector.models.model_files import MODELS_FOLDER, load_card
from detector.networks.base import Network, create
from training.data.labelled_sets import file_marks, marks_in_weights
from training.data.own_sets import split_own_set
from training.data.sources import (
    framed_batches,
    open_cached_features,
    open_shared,
    open_source,
    validation_crops,
)
from training.losses import Batch, loss_of
from training.recipe import MUTABLE_KEYS, Config, Metric, Schedule

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class OriginMismatchError(ParameterError):
    """A checkpoint of this name was made from another recipe or other data; the message says what to do."""


@dataclass(frozen=True)
class CheckpointOrigin:
    """A recipe and, of a data set of one's own, the examples.

    ``data`` is a digest of what is learnt from and validated on, as often as it is drawn: contents, labels,
    groups; empty for the research data. ``files`` are the marks of their files.
    """

    recipe: dict[str, Any]
    data: str = ""
    files: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: Config, data: Path, failures: Path | None) -> CheckpointOrigin:
        """Reads every file of a set at both ends."""
        recipe = config.model_dump(mode="json", exclude=MUTABLE_KEYS)
        if config.set is None:
            return cls(recipe)
        parts = split_own_set(data, failures)
        every = list(dict.fromkeys([*parts.train, *parts.held_out]))
        known = dict(zip(every, file_marks(every), strict=True))
        digest = hashlib.sha256()
        for name, items in (("train", parts.train), ("val", parts.held_out)):
            for item in items:
                digest.update(f"{name} {known[item]} {item.label} {item.group}\n".encode())
        return cls(recipe, digest.hexdigest(), tuple(sorted(set(known.values()))))

    @property
    def kept(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {"recipe": self.recipe, "data": self.data}

    def refuse_other(self, kept: Mapping[str, Any], checkpoint: Path) -> None:
        """Raise :class:`OtherOriginError` unless the ``checkpoint`` was made from the same, as it ``kept``.

        A key that is new since then does not count.
        """
        recipe = kept["recipe"]
        other = [key for key, value in self.recipe.items() if key in recipe and recipe[key] != value]
        if not other and kept["data"] == self.data:
            return
        what = f"another recipe ({', '.join(other)})" if other else "other data, labels or failures"
        raise OriginMismatchError(
            f"{checkpoint} was made from {what}. Give the recipe another name, or remove {checkpoint}."
        )


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


# What recipes that learn from one stream of examples have in common.
_SHARED = ("samples", "batch", "seed", "seen_again", "hidden", "mix")


def train(config: Config, data: Path, out: Path, failures: Path | None = None) -> Path:
    """Train ``config`` on ``data``, resuming from ``out`` if a checkpoint lies there.

    Returns the path of the checkpoint: a ``torch.save`` of tensors and numbers, read with
    ``weights_only``, whose ``best`` are the averaged weights that did best on the
    validation split. Beside it lie every check (``NAME-history.json``) and their curves
    (``NAME-curves.png``). A resumed run sees what it would have seen, but for streamed videos and for some
    batches of a recipe with ``seen_again`` (:func:`~training.data.sources.open_shared`).
    ``failures`` is an evaluation's ``failures.json`` to go over again, see
    :func:`~training.data.own_sets.split_own_set`. Raises
    :class:`~training.train.OriginMismatchError` where the checkpoint was made from anything else,
    and :class:`ParameterError` for failures of another recipe than one with a ``[set]``.
    """
    if failures is not None and config.set is None:
        raise ParameterError(
            f"{config.name}: only a recipe with a [set] goes over failures again. Leave --failures out, or "
            "train on a data set of your own."
        )
    if config.seen_again:
        return train_together([config], data, out)[0]
    made_from = CheckpointOrigin.of(config, data, failures)
    run = _Run(config, out, made_from)
    if run.ended():
        return run.checkpoint
    teacher = load_model(config.teacher).network.to(run.device) if config.teacher else None
    if config.features is None:
        source = open_source(config, data, out, run.seen, failures)
    else:  # of the first examples, which the run goes over again and again
        first = open_source(config, data, out, 0, failures)
        source = open_cached_features(first, run.network, config, out, run.seen, made_from.data)
    for batch in source.batches:
        batch = batch.to(run.device)
        run.learn(batch, run.soft_targets(teacher, batch))
        if run.due():
            run.check(source.validation())
            if run.ended():
                break
    return run.checkpoint


def train_together(configs: Sequence[Config], data: Path, out: Path) -> list[Path]:
    """Train several recipes side by side on the same examples; checkpoints as :func:`train` gives them.

    Making examples takes the processor longer than learning from them takes a GPU, so that
    further networks cost little there. ``teacher`` may name another of the recipes: its
    averaged weights, as they are by then, teach. Raises :class:`ParameterError` for recipes
    that are not of one stream, or checkpoints that did not come equally far.
    """
    first = configs[0]
    for config in configs:
        if config.mix is None or config.features is not None:
            raise ParameterError(f"{config.name}: only recipes with a [mix] can be trained side by side.")
        for key in _SHARED:
            if getattr(config, key) != getattr(first, key):
                raise ParameterError(
                    f"{config.name} and {first.name} differ in {key}: train them one after the other."
                )
    runs = {config.name: _Run(config, out, CheckpointOrigin.of(config, data, None)) for config in configs}
    if len({run.seen for run in runs.values()}) > 1:
        far = ", ".join(f"{name} {run.seen:,}" for name, run in runs.items())
        raise ParameterError(f"The checkpoints in {out} did not come equally far ({far}): remove them.")
    if runs[first.name].complete:
        return [run.checkpoint for run in runs.values()]
    taught_by = {
        config.name: runs[config.teacher].average
        if config.teacher in runs
        else load_model(config.teacher).network.to(runs[config.name].device)
        for config in configs
        if config.teacher
    }
    held_out = validation_crops(data)
    validation = {config.size: list(framed_batches(held_out, config)) for config in configs}
    for batches in open_shared(configs, data, out, runs[first.name].seen):
        by_name = dict(zip(runs, batches, strict=True))
        for name, run in runs.items():
            shown = by_name.get(run.config.teacher, by_name[name])
            run.learn(by_name[name], run.soft_targets(taught_by.get(name), shown))
        for run in runs.values():
            if run.due():
                run.check(validation[run.config.size])
    for run in runs.values():
        if not run.history or run.history[-1]["seen"] != run.seen:
            run.check(validation[run.config.size])
    return [run.checkpoint for run in runs.values()]


class _Run:
    """A network that learns by one recipe, its averaged weights, and how far it came."""

    def __init__(self, config: Config, out: Path, made_from: CheckpointOrigin) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = _started(config, out).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self._learned = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        self._optimizer = torch.optim.AdamW(
            self._learned, config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
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
                made_from.refuse_other(self._state["made_from"], self.checkpoint)
            else:
                print(f"{config.name}: an earlier version made the checkpoint and did not say from what")
            self.network.load_state_dict(self._state["network"])
            self.average.load_state_dict(self._state["average"])
            self._optimizer.load_state_dict(self._state["optimizer"])
            print(f"{config.name}: resuming after {self.seen} examples", flush=True)
        self._state |= {"made_from": made_from.kept, "learnt_from": _learnt_from(config, out, made_from)}
        self._started, self._first, self._before = time.monotonic(), self.seen, self.seen
        self._running: Tensor | None = None
        self._follow = _following(self.average, self.network)

    @property
    def seen(self) -> int:
        seen: int = self._state["seen"]
        return seen

    @property
    def history(self) -> list[dict[str, float]]:
        history: list[dict[str, float]] = self._state["history"]
        return history

    def soft_targets(self, teacher: Network | None, batch: Batch) -> Tensor | None:
        """The teacher's probabilities of ``batch``."""
        if teacher is None:
            return None
        with torch.no_grad(), self._autocast():
            return torch.sigmoid(batch.forward(teacher).float())

    def learn(self, batch: Batch, soft_targets: Tensor | None) -> None:
        """One step."""
        config = self.config
        for group in self._optimizer.param_groups:
            group["lr"] = config.learning_rate * self._state["factor"] * _schedule(self.seen, config)
        self.network.train()
        self.network.freeze_stages(config.frozen_stages)
        with self._autocast():
            loss = loss_of(self.network, batch, config, soft_targets)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._learned, config.clip_norm)
        self._optimizer.step()
        self._before, self._state["seen"] = self.seen, self.seen + len(batch.labels)
        steps = self.seen / config.batch
        self._follow(min(config.average_decay, (steps + 1) / (steps + 10)))
        # Kept where it was made: reading it at each step would have a GPU wait for the next.
        last = loss.detach().float()
        self._running = last if self._running is None else self._running.lerp(last, 0.02)

    def due(self) -> bool:
        """Whether it is time for a check: every so many examples, and after the last."""
        every = self.config.check_every
        return self.complete or self._before // every != self.seen // every

    @property
    def complete(self) -> bool:
        """Whether less than a batch is left of the examples that the recipe asks for."""
        return self.seen + self.config.batch > self.config.samples

    def ended(self) -> bool:
        """Whether it is complete, or nothing got better for as many checks as the recipe has patience."""
        patience = self.config.patience
        if patience and self.history and _checks_since_best(self.history, self.config) >= patience:
            print(f"nothing better in {patience} checks: stopped", flush=True)
            return True
        return self.complete

    def check(self, validation: list[Batch]) -> None:
        """Measure the averaged weights, keep them if they are the best so far, save all."""
        better = self._measured(validation)
        rate = (self.seen - self._first) / (time.monotonic() - self._started)
        _report(self.config.name, self.history[-1], rate, (self.config.samples - self.seen) / rate)
        if better:
            self._state["best"] = copy.deepcopy(self.average.state_dict())
        self._save()

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.mixed_precision)

    def _measured(self, validation: list[Batch]) -> bool:
        """Add a check to the history; whether the weights are the best so far."""
        labels, logits = predict(self.average, validation, self.device)
        config, history = self.config, self.history
        best = max((past[f"validation_{config.choose_by}"] for past in history), default=-1.0)
        history.append(
            {
                "seen": self.seen,
                "loss": round(float(self._running), 4) if self._running is not None else 0.0,
                "learning_rate": config.learning_rate * self._state["factor"] * _schedule(self.seen, config),
                f"validation_{Metric.AUC}": round(float(roc_auc_score(labels, logits)), 4),
                f"validation_{Metric.F1}": round(float(f1_score(labels, [v > 0 for v in logits])), 4),
            }
        )
        if config.schedule is Schedule.PLATEAU and _checks_since_best(history, config):
            self._state["factor"] /= 2
        return bool(history[-1][f"validation_{config.choose_by}"] > best)

    def _save(self) -> None:
        self._state |= {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }
        path = self.checkpoint
        with atomic_path(path) as temporary:
            torch.save(self._state, temporary)
        path.with_name(f"{path.stem}-history.json").write_text(json.dumps(self.history, indent=1) + "\n")
        draw(self.history, path.with_name(f"{path.stem}-curves.png"))


def _started(config: Config, out: Path) -> Network:
    """A network with its first weights: ImageNet's, random ones, or those of another recipe.

    That is a published model or, if there is none of that name, a checkpoint in ``out``.
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
    """The checkpoint of another recipe, where no model of its name is published."""
    path = out / f"{name}.pt"
    if not path.exists() or (MODELS_FOLDER / f"{name}.json").exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def _learnt_from(config: Config, out: Path, made_from: CheckpointOrigin) -> list[str]:
    """Marks of all files learnt from: by this recipe, by the model it starts from and by its teacher."""
    found = set(made_from.files)
    for name in {config.start, config.teacher} - {"imagenet", "random", ""}:
        if (MODELS_FOLDER / f"{name}.json").exists():
            found |= marks_in_weights(load_card(name)[1])
        elif state := _unpublished(name, out):
            found |= set(state.get("learnt_from", ()))
    return sorted(found)


@torch.inference_mode()
def predict(network: Network, batches: list[Batch], device: torch.device) -> tuple[list[int], list[float]]:
    """Labels and logits of ``batches``, in their order."""
    network.eval()
    labels: list[int] = []
    logits: list[float] = []
    for batch in batches:
        logits += batch.to(device).forward(network).float().tolist()
        labels += batch.labels.int().tolist()
    return labels, logits


def _checks_since_best(history: list[dict[str, float]], config: Config) -> int:
    values = [past[f"validation_{config.choose_by}"] for past in history]
    return len(values) - 1 - values.index(max(values))


def _report(name: str, check: dict[str, float], rate: float, left: float) -> None:
    print(
        f"{name}: {check['seen']:.0f} examples, loss {check['loss']:.3f}, "
        f"validation AUC {check['validation_auc']:.4f}, F1 {check['validation_f1']:.3f}, "
        f"{rate:.0f}/s, {left / 60:.0f} min left",
        flush=True,
    )


def _schedule(seen: int, config: Config) -> float:
    """Linear warm-up, then what the recipe's schedule says; a plateau's halving comes on top."""
    if seen < config.warm_up:
        return (seen + 1) / config.warm_up
    match config.schedule:
        case Schedule.PLATEAU:
            return 1.0
        case Schedule.LINEAR:
            done = (seen - config.warm_up) / max(1, config.samples - config.warm_up)
            return max(0.01, 1 - done)
        case _:
            assert_never(config.schedule)


def _following(average: Network, network: Network) -> Callable[[float], None]:
    """A function of the decay that moves the averaged weights a little towards the current ones.

    Integers are copied. The tensors are looked up once: that takes longer than moving them.
    """
    pairs = list(zip(average.state_dict().values(), network.state_dict().values(), strict=True))
    floats = [pair for pair in pairs if pair[0].is_floating_point()]
    others = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def follow(decay: float) -> None:
        torch._foreach_lerp_([kept for kept, _ in floats], [new for _, new in floats], 1 - decay)
        if others:
            torch._foreach_copy_([kept for kept, _ in others], [new for _, new in others])

    return follow
