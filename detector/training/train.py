"""The training loop: one recipe in, a checkpoint of averaged weights out."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.utils.data import DataLoader

from detector.faces import Square, cut
from detector.networks import Network, create
from detector.networks.efficientnet_lite0 import EfficientNetLite0
from detector.scoring import normalised
from detector.training.config import Config
from detector.training.dataset import Examples, stacked
from detector.training.harvest import Sample, decode, dfdc_samples, harvest


def train(config: Config, data: Path, out: Path) -> Path:
    """Train ``config`` on ``data``, resuming from ``out`` if a checkpoint lies there.

    Returns the path of the last checkpoint: a ``torch.save`` of tensors and numbers,
    read with ``weights_only``. Validation is ``dfdc-val``, of the averaged weights;
    ``history.json`` beside it keeps every check.
    """
    torch.manual_seed(config.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = create(config.architecture)
    if isinstance(network, EfficientNetLite0):
        network.load_imagenet()
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(network).eval().requires_grad_(False)
    optimizer = torch.optim.AdamW(
        network.parameters(), config.learning_rate, weight_decay=config.weight_decay
    )
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / f"{config.name}.pt"
    seen, history = 0, []
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        seen, history = state["seen"], state["history"]
        print(f"resuming after {seen} examples", flush=True)

    validation = dfdc_samples(data / "dfdc-val.zip")
    examples = Examples(
        harvest(data, out / "harvest"), config.mix, config.size, config.seed, seen, config.samples
    )
    loader = DataLoader(
        examples, config.batch, num_workers=2, prefetch_factor=8, drop_last=True, persistent_workers=False
    )
    loss_of = nn.BCEWithLogitsLoss()
    started, first, running = time.monotonic(), seen, 0.0
    for images, labels in loader:
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * _schedule(seen, config)
        network.train()
        crops = normalised(images, config.mean, config.std).to(device)
        targets = labels.float().to(device) * (1 - config.label_smoothing) + config.label_smoothing / 2
        with torch.autocast(device.type, torch.bfloat16):
            logits = network(crops)
        loss = loss_of(logits.float(), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimizer.step()
        before, seen = seen, seen + len(images)
        _follow(
            average,
            network,
            min(config.average_decay, (seen / config.batch + 1) / (seen / config.batch + 10)),
        )
        running = 0.98 * running + 0.02 * loss.item() if running else loss.item()
        if before // config.check_every != seen // config.check_every or seen + config.batch > config.samples:
            auc = roc_auc_score(*scored(average, validation, config, device))
            rate = (seen - first) / (time.monotonic() - started)
            history.append({"seen": seen, "loss": round(running, 4), "validation_auc": round(float(auc), 4)})
            left = (config.samples - seen) / rate / 60
            print(
                f"{seen} examples, loss {running:.3f}, validation AUC {auc:.4f}, "
                f"{rate:.0f}/s, {left:.0f} min left",
                flush=True,
            )
            _save(checkpoint, network, average, optimizer, seen, history)
    return checkpoint


def scored(
    network: Network, samples: list[Sample], config: Config, device: torch.device
) -> tuple[list[int], list[float]]:
    """Labels and logits of framed crops, undegraded, in the order given."""
    logits: list[float] = []
    for batch in _batches(samples, 50):
        crops = []
        for sample in batch:
            image = decode(sample.data)
            side = image.shape[0]
            crops.append(cut(image, Square(side / 2, side / 2, side, 0.0), config.size))
        images = normalised(torch.from_numpy(stacked(crops)), config.mean, config.std)
        with torch.inference_mode():
            logits += network(images.to(device)).float().tolist()
    return [sample.label for sample in samples], logits


def _batches(samples: list[Sample], size: int) -> Iterator[list[Sample]]:
    for start in range(0, len(samples), size):
        yield samples[start : start + size]


def _schedule(seen: int, config: Config) -> float:
    """Linear warm-up, then linear decay to a hundredth."""
    if seen < config.warm_up:
        return (seen + 1) / config.warm_up
    done = (seen - config.warm_up) / max(1, config.samples - config.warm_up)
    return max(0.01, 1 - done)


@torch.no_grad()
def _follow(average: Network, network: Network, decay: float) -> None:
    """Move the averaged weights a little towards the current ones; integers are copied."""
    for kept, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)


def _save(
    path: Path,
    network: Network,
    average: Network,
    optimizer: torch.optim.Optimizer,
    seen: int,
    history: list[dict[str, float]],
) -> None:
    state = {
        "network": network.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
        "seen": seen,
        "history": history,
    }
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    temporary.replace(path)
    path.with_name("history.json").write_text(json.dumps(history, indent=1) + "\n")
