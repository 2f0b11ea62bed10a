"""The training loop: one recipe in, a checkpoint of averaged weights out."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any

import torch
from sklearn.metrics import f1_score, roc_auc_score
from torch import Tensor, nn

from detector.models import MODELS, load_model
from detector.networks import Network, create
from detector.training.config import Config, Metric, Schedule
from detector.training.curves import draw
from detector.training.features import featured
from detector.training.losses import Batch, loss_of
from detector.training.sources import Source, open_source


def train(config: Config, data: Path, out: Path, failures: Path | None = None) -> Path:
    """Train ``config`` on ``data``, resuming from ``out`` if a checkpoint lies there.

    Returns the path of the checkpoint: a ``torch.save`` of tensors and numbers, read with
    ``weights_only``, whose ``best`` are the averaged weights that did best on the
    validation split. Beside it lie every check (``NAME-history.json``) and their curves
    (``NAME-curves.png``). A resumed run sees what it would have seen, streamed videos aside.
    ``failures`` is an evaluation's ``failures.json`` to go over again, see ``own.open_own``.
    """
    torch.manual_seed(config.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = _started(config, out).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(network).eval().requires_grad_(False)
    teacher = load_model(config.teacher).network.to(device) if config.teacher else None
    learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learned, config.learning_rate, weight_decay=config.weight_decay, fused=True)
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / f"{config.name}.pt"
    state: dict[str, Any] = {
        "architecture": config.architecture,
        "seen": 0,
        "history": [],
        "factor": 1.0,
        "best": average.state_dict(),
    }
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        print(f"resuming after {state['seen']} examples", flush=True)

    source = open_source(config, data, out, state["seen"], failures)
    if config.features is not None:
        source = featured(source, network, config, out, state["seen"])
    started, first, running = time.monotonic(), state["seen"], 0.0
    for batch in source.batches:
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * state["factor"] * _schedule(state["seen"], config)
        network.train()
        network.freeze_stages(config.frozen_stages)
        with torch.autocast(device.type, torch.bfloat16, enabled=config.mixed_precision):
            loss = loss_of(network, batch.to(device), config, teacher)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(learned, config.clip_norm)
        optimizer.step()
        before, state["seen"] = state["seen"], state["seen"] + len(batch.labels)
        steps = state["seen"] / config.batch
        _follow(average, network, min(config.average_decay, (steps + 1) / (steps + 10)))
        running = 0.98 * running + 0.02 * loss.item() if running else loss.item()
        last = state["seen"] + config.batch > config.samples
        if last or before // config.check_every != state["seen"] // config.check_every:
            better = _check(state, average, source, config, running)
            rate = (state["seen"] - first) / (time.monotonic() - started)
            _report(state["history"][-1], rate, (config.samples - state["seen"]) / rate)
            if better:
                state["best"] = copy.deepcopy(average.state_dict())
            _save(checkpoint, state, network, average, optimizer)
            if config.patience and _checks_since_best(state["history"], config) >= config.patience:
                print(f"nothing better in {config.patience} checks: stopped", flush=True)
                break
    return checkpoint


def _started(config: Config, out: Path) -> Network:
    """A network with its first weights: ImageNet's, random ones, or those of another recipe.

    That is a published model or, if there is none of that name, a checkpoint in ``out``.
    """
    network = create(config.architecture)
    if config.start == "imagenet":
        network.load_imagenet()
    elif (out / f"{config.start}.pt").exists() and not (MODELS / f"{config.start}.json").exists():
        state = torch.load(out / f"{config.start}.pt", map_location="cpu", weights_only=True)
        other = create(state["architecture"])
        other.load_state_dict(state["best"])
        network.start_from(other)
    elif config.start != "random":
        network.start_from(load_model(config.start).network)
    network.freeze_stages(config.frozen_stages)
    return network


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


def _check(state: dict[str, Any], average: Network, source: Source, config: Config, loss: float) -> bool:
    """Measure the averaged weights, add that to the history; whether they are the best so far."""
    labels, logits = predicted(average, source.validation(), next(average.parameters()).device)
    history = state["history"]
    best = max((past[f"validation_{config.choose_by}"] for past in history), default=-1.0)
    history.append(
        {
            "seen": state["seen"],
            "loss": round(loss, 4),
            "learning_rate": config.learning_rate * state["factor"] * _schedule(state["seen"], config),
            f"validation_{Metric.AUC}": round(float(roc_auc_score(labels, logits)), 4),
            f"validation_{Metric.F1}": round(float(f1_score(labels, [v > 0 for v in logits])), 4),
        }
    )
    since = _checks_since_best(history, config)
    if config.schedule is Schedule.PLATEAU and since:
        state["factor"] /= 2
    return bool(history[-1][f"validation_{config.choose_by}"] > best)


def _checks_since_best(history: list[dict[str, float]], config: Config) -> int:
    values = [past[f"validation_{config.choose_by}"] for past in history]
    return len(values) - 1 - values.index(max(values))


def _report(check: dict[str, float], rate: float, left: float) -> None:
    print(
        f"{check['seen']:.0f} examples, loss {check['loss']:.3f}, "
        f"validation AUC {check['validation_auc']:.4f}, F1 {check['validation_f1']:.3f}, "
        f"{rate:.0f}/s, {left / 60:.0f} min left",
        flush=True,
    )


def _schedule(seen: int, config: Config) -> float:
    """Linear warm-up, then what the recipe's schedule says; a plateau's halving comes on top."""
    if seen < config.warm_up:
        return (seen + 1) / config.warm_up
    if config.schedule is Schedule.PLATEAU:
        return 1.0
    done = (seen - config.warm_up) / max(1, config.samples - config.warm_up)
    return max(0.01, 1 - done)


@torch.no_grad()
def _follow(average: Network, network: Network, decay: float) -> None:
    """Move the averaged weights a little towards the current ones; integers are copied."""
    pairs = list(zip(average.state_dict().values(), network.state_dict().values(), strict=True))
    floats: list[tuple[Tensor, Tensor]] = [pair for pair in pairs if pair[0].is_floating_point()]
    torch._foreach_lerp_([kept for kept, _ in floats], [new for _, new in floats], 1 - decay)
    for kept, new in pairs:
        if not kept.is_floating_point():
            kept.copy_(new)


def _save(
    path: Path,
    state: dict[str, Any],
    network: Network,
    average: Network,
    optimizer: torch.optim.Optimizer,
) -> None:
    state |= {
        "network": network.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    temporary.replace(path)
    history = state["history"]
    path.with_name(f"{path.stem}-history.json").write_text(json.dumps(history, indent=1) + "\n")
    draw(history, path.with_name(f"{path.stem}-curves.png"))
