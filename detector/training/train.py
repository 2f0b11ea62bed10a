"""The training loop: one recipe in, a checkpoint of averaged weights out; or several side by side."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, assert_never

import torch
from sklearn.metrics import f1_score, roc_auc_score
from torch import Tensor, nn

from detector.errors import ParameterError
from detector.files import atomic_path
from detector.models.card_files import MODELS, load_card
from detector.models.loaded import load_model
from detector.networks.base import Network, create
from detector.training.config import Config, Metric, Schedule
from detector.training.data.cached_features import featured
from detector.training.data.file_marks import learnt_from
from detector.training.data.sources import framed_batches, open_shared, open_source, validation_crops
from detector.training.learning_curves import draw
from detector.training.losses import Batch, loss_of
from detector.training.made_from import MadeFrom

# What recipes that learn from one stream of examples have in common.
_SHARED = ("samples", "batch", "seed", "seen_again", "hidden", "mix")


def train(config: Config, data: Path, out: Path, failures: Path | None = None) -> Path:
    """Train ``config`` on ``data``, resuming from ``out`` if a checkpoint lies there.

    Returns the path of the checkpoint: a ``torch.save`` of tensors and numbers, read with
    ``weights_only``, whose ``best`` are the averaged weights that did best on the
    validation split. Beside it lie every check (``NAME-history.json``) and their curves
    (``NAME-curves.png``). A resumed run sees what it would have seen, but for streamed videos and for some
    batches of a recipe with ``seen_again`` (:func:`~detector.training.data.sources.open_shared`).
    ``failures`` is an evaluation's ``failures.json`` to go over again, see
    :func:`~detector.training.data.own_set_examples.divided`. Raises
    :class:`~detector.training.made_from.OtherOriginError` where the checkpoint was made from anything else,
    and :class:`ParameterError` for failures of another recipe than one with a ``[set]``.
    """
    if failures is not None and config.set is None:
        raise ParameterError(
            f"{config.name}: only a recipe with a [set] goes over failures again. Leave --failures out, or "
            "train on a data set of your own."
        )
    if config.seen_again:
        return train_together([config], data, out)[0]
    made_from = MadeFrom.of(config, data, failures)
    run = _Run(config, out, made_from)
    if run.ended():
        return run.checkpoint
    teacher = load_model(config.teacher).network.to(run.device) if config.teacher else None
    if config.features is None:
        source = open_source(config, data, out, run.seen, failures)
    else:  # of the first examples, which the run goes over again and again
        first = open_source(config, data, out, 0, failures)
        source = featured(first, run.network, config, out, run.seen, made_from.data)
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
    runs = {config.name: _Run(config, out, MadeFrom.of(config, data, None)) for config in configs}
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

    def __init__(self, config: Config, out: Path, made_from: MadeFrom) -> None:
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
        labels, logits = predicted(self.average, validation, self.device)
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
    if not path.exists() or (MODELS / f"{name}.json").exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def _learnt_from(config: Config, out: Path, made_from: MadeFrom) -> list[str]:
    """Marks of all files learnt from: by this recipe, by the model it starts from and by its teacher."""
    found = set(made_from.files)
    for name in {config.start, config.teacher} - {"imagenet", "random", ""}:
        if (MODELS / f"{name}.json").exists():
            found |= learnt_from(load_card(name)[1])
        elif state := _unpublished(name, out):
            found |= set(state.get("learnt_from", ()))
    return sorted(found)


@torch.inference_mode()
def predicted(network: Network, batches: list[Batch], device: torch.device) -> tuple[list[int], list[float]]:
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
