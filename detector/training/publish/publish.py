"""From a checkpoint to a model that ships: half-precision weights, temperature, card."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from detector.models.card import MODELS, Card, Input
from detector.models.loaded import load_model
from detector.networks.base import create
from detector.training.config import Config
from detector.training.data.sources import open_source
from detector.training.publish.calibration import fit_temperature
from detector.training.publish.error_rates import VALIDATED
from detector.training.train import predicted

DATA = (
    "Deepfake Detection Challenge training set: face crops of one frame a video, 12,360 unmanipulated and "
    "20,400 manipulated; validation 600 and 600, test 1,000 and 1,000, split by source video",
    "Labeled Faces in the Wild: 1,500 photographs, one a person",
    "UTKFace: 2,200 photographs of adults",
    "22 clips of real people talking (driving clips and others), presumed unmanipulated, 40 frames each",
)
TERMS = (
    "The data sets are for research; whoever trains or deploys on them is bound by their terms. "
    "These weights were trained by the Reelproof project and are shared under Apache-2.0."
)
DOMAIN = (
    "Faces at least as wide as the smallest face judged, roughly frontal, in video or photographs: face "
    "swaps and reenactment of the kinds in the Deepfake Detection Challenge and FaceForensics++."
)
LIMITS = (
    "Methods unlike those it was trained and measured on may go unseen.",
    "Reenactment that keeps the identity (Face2Face) is seen far less surely than face swaps, and mostly "
    "missed where it fills only part of a strongly compressed clip.",
    "Wholly synthetic faces (generated photographs of people who do not exist) were not measured.",
    "Sound, lip-sync to altered sound, and anything outside the face are not examined.",
    "Actors recur across the data set's videos, so its test figures flatter the model a little.",
    "Figures for strong compression (FaceForensics++ c40) rest on few clips of few people.",
    "Filters, make-up effects, heavy retouching and hard re-compression can look like manipulation.",
)


def publish(config: Config, checkpoint: Path, data: Path, folder: Path = MODELS) -> Card:
    """Write ``folder/NAME.safetensors`` and its card; the temperature is fitted on the validation split.

    Figures are left to ``detector.training.evaluation.evaluate``, which measures what was published.
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    halves = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in _interpolated(state["best"], config).items()
    }
    network = create(config.architecture)
    network.load_state_dict({n: v.float() if v.is_floating_point() else v for n, v in halves.items()})
    source = open_source(config, data, checkpoint.parent, config.samples)
    labels, logits = predicted(network, source.validation(), torch.device("cpu"))
    weights = save(halves)
    card = Card(
        name=config.name,
        title=config.title,
        architecture=config.architecture,
        sha256=hashlib.sha256(weights).hexdigest(),
        input=Input(size=config.size, mean=config.mean, std=config.std),
        temperature=round(fit_temperature(labels, logits), 4),
        data=DATA if config.set is None else (f"A data set of the trainer's own: {data.name}",),
        terms=TERMS if config.set is None else "Not stated by the trainer.",
        recipe=_recipe(config, state["history"]),
        figures={},
        domain=DOMAIN,
        limits=LIMITS,
        # A data set of one's own covers what its owner knows, and the card's ranges are of other data.
        validated=VALIDATED if config.set is None else (),
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{config.name}.safetensors").write_bytes(weights)
    write_card(card, folder)
    return card


def _interpolated(last: dict[str, Tensor], config: Config) -> dict[str, Tensor]:
    """Weights part of the way from those the recipe starts with (WiSE-FT, Wortsman et al., CVPR 2022).

    What fine-tuning gains on its own data it loses in part elsewhere; in between is the better of both.
    """
    if config.interpolation == 1:
        return last
    first = load_model(config.start).network.state_dict()
    return {
        name: value.lerp(last[name], config.interpolation) if value.is_floating_point() else last[name]
        for name, value in first.items()
    }


def write_card(card: Card, folder: Path = MODELS) -> None:
    """Write the card as JSON and, generated from it, as Markdown."""
    (folder / f"{card.name}.json").write_text(
        card.model_dump_json(indent=2, exclude_none=True) + "\n", encoding="utf-8"
    )
    (folder / f"{card.name}.md").write_text(_markdown(card), encoding="utf-8")


def _recipe(config: Config, history: list[dict[str, float]]) -> tuple[str, ...]:
    start = {"imagenet": "ImageNet weights", "random": "random weights"}.get(
        config.start, f"the weights of {config.start}"
    )
    frozen = f", its first {config.frozen_stages} stages kept as they were" if config.frozen_stages else ""
    best = max(history, key=lambda check: check[f"validation_{config.choose_by}"])
    lines = [
        f"{config.architecture} from {start}{frozen}; square crops of {config.size} px",
        f"{history[-1]['seen']:,} examples in batches of {config.batch}, of which the weights after "
        f"{best['seen']:,} were best on the validation split by {config.choose_by.upper()}; AdamW at "
        f"{config.learning_rate:g} ({config.schedule} schedule), weight decay {config.weight_decay:g}, label "
        f"smoothing {config.label_smoothing:g}, moving average of the weights ({config.average_decay:g}), "
        f"{'bfloat16 autocast' if config.mixed_precision else 'float32'}, seed {config.seed}",
    ]
    if config.interpolation < 1:
        share = f"{config.interpolation:.0%}"
        lines.append(f"Published are weights {share} of the way from the first to the last (WiSE-FT)")
    if config.teacher:
        lines.append(f"Half of the loss is agreement with {config.teacher} (distillation)")
    if config.local_weight:
        lines.append(
            f"A loss of weight {config.local_weight:g} asks blended places to score above an example's mean"
        )
    if config.seen_again:
        lines.append("Each example is seen twice, the second time mirrored and lit otherwise")
    if config.hidden:
        lines.append(f"{config.hidden:.0%} of the examples of both classes have a part hidden")
    if config.mix is not None:
        mix = ", ".join(f"{name.replace('_', ' ')} {share:.0%}" for name, share in config.mix if share)
        lines.append(
            f"Mix: {mix}. Blends after the idea of Shiohara and Yamasaki (CVPR 2022) and, for swaps and "
            "reenactment, Li et al. (CVPR 2020), with a face outline fitted to five landmarks"
        )
    if config.sequences is not None:
        lines.append(
            f"Sequences of {config.sequences.shortest} to {config.sequences.longest} frames: clips with one "
            "blend carried through, and animated photographs and crops"
        )
    return (
        *lines,
        "Framing jitter, scaling, colour, blur, noise, JPEG and H.264 compression alike on both classes",
        "Temperature fitted on the validation split; weights stored in half precision",
        *config.notes,
    )


def _rates(card: Card) -> list[str]:
    """Error rates and validated ranges as Markdown; nothing for a card without."""
    lines = []
    if card.rates:
        lines += [
            "## Error rates",
            "",
            "With 95 % confidence intervals.",
            "",
            "| data | figure | value | interval | counted | made by | remark |",
            "|---|---|---|---|---|---|---|",
        ]
        for rate in card.rates:
            interval = "–" if rate.low is None else f"{rate.low:.3f} to {rate.high:.3f}"
            counted = f"{rate.items:,} {rate.unit}"
            counted = counted if rate.events is None else f"{rate.events:,} of {counted}"
            row = (
                rate.data,
                rate.figure,
                f"{rate.value:.3f}",
                interval,
                counted,
                rate.interval,
                rate.note or "",
            )
            lines.append(f"| {' | '.join(row)} |")
        lines.append("")
    if card.validated:
        lines += ["## Validated ranges", "", "| property | least | most | basis |", "|---|---|---|---|"]
        for each in card.validated:
            least, most = ("–" if end is None else f"{end:g}" for end in (each.least, each.most))
            lines.append(f"| {each.name} | {least} | {most} | {each.basis} |")
        lines.append("")
    return lines


def _markdown(card: Card) -> str:
    lines = [
        f"# {card.title} (`{card.name}`)",
        "",
        f"Architecture `{card.architecture}`, input {card.input.size}×{card.input.size} px, "
        f"temperature {card.temperature}, weights SHA-256 `{card.sha256}`.",
        "",
        "*Generated from the JSON card beside it; do not edit.*",
        "",
        "## Domain",
        "",
        card.domain,
        "",
        "## Limits",
        "",
        *[f"- {limit}" for limit in card.limits],
        "",
        "## Measured figures",
        "",
        "From `make evaluate MODEL=NAME`, which also writes intervals and figures by generator.",
        "",
        "| figure | value |",
        "|---|---|",
        *[f"| {name} | {value:g} |" for name, value in card.figures.items()],
        "",
        *_rates(card),
        "## Data",
        "",
        *[f"- {line}" for line in card.data],
        "",
        f"Terms: {card.terms}",
        "",
        "## Recipe",
        "",
        *[f"- {line}" for line in card.recipe],
        "",
    ]
    return "\n".join(lines)
