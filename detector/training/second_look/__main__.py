"""Steps of training the second look: ``python -m detector.training.second_look STEP`` (docs/training.md)."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from detector.errors import ParameterError, ReelproofError
from detector.faces.framing import HEAD, INNER
from detector.files import atomic_path, write_atomically
from detector.models.card import SecondLookCard, load_card
from detector.models.loaded import LoadedModel, load_model, load_pair
from detector.networks.framings import FramingNetwork
from detector.networks.vit_small_14 import PRETRAINED, ViTSmall14, network_from
from detector.schema.analysis import Parameters
from detector.scoring.scorer import Scorer
from detector.training.data.face_samples import harvest
from detector.training.second_look import scan
from detector.training.second_look.examples.blends import WithBlends
from detector.training.second_look.examples.patches import SOURCES, load, training_patches
from detector.training.second_look.examples.prepare import prepare
from detector.training.second_look.examples.sampling import (
    HEAD_SHARES,
    TRANSFORMER_BLENDS,
    TRANSFORMER_SHARES,
    Sampler,
)
from detector.training.second_look.examples.source_probe import probe_sources
from detector.training.second_look.fitting.adversarial import attacked_card
from detector.training.second_look.fitting.attacked_clips import measure_attacked_clips
from detector.training.second_look.fitting.composed import measure_composed
from detector.training.second_look.fitting.crop_calibration import crops_card
from detector.training.second_look.fitting.exhibits import fitted_card, measured_card, record_shares
from detector.training.second_look.fitting.heatmap_check import measure_heatmaps
from detector.training.second_look.fitting.left_out_generators import measure_left_out
from detector.training.second_look.fitting.measuring import (
    WHILE_TRAINING,
    by_clip,
    clip_aucs,
    every_nth_frame,
    logits,
)
from detector.training.second_look.fitting.photograph_fusion import photographs_card
from detector.training.second_look.fitting.report import Inputs, read_network, report_checkpoint
from detector.training.second_look.fitting.steadiness import measure_steadiness
from detector.training.second_look.halves import (
    DISTILLED,
    UPPER,
    UPPER_AGAIN,
    distil_lower,
    join,
    new_network,
    tune_upper,
)
from detector.training.second_look.kept_tokens import KeptTokens, head_examples, keep_tokens
from detector.training.second_look.linear_heads import fit_linear_heads
from detector.training.second_look.photograph_heads import (
    fit_photograph_heads,
    photograph_examples,
    without_photograph_heads,
)
from detector.training.second_look.ship import loaded_with, ship
from detector.training.second_look.train import Recipe, Trainer, tune

START, TOKENS = "start.pt", "tokens"
TRANSFORMER = "vit_small_14"

say = partial(print, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step; 2 with one line on standard error for what cannot be done."""
    options = _parser().parse_args(arguments)
    cv2.setNumThreads(1)
    try:
        options.run(options)
    except ReelproofError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m detector.training.second_look", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="research folder")
    parser.add_argument("--out", type=Path, default=Path("out/second-look"), metavar="DIR")
    parser.add_argument(
        "--run", dest="name", default="main", metavar="NAME", help="which run (default: main)"
    )
    parser.add_argument("--fast", default="reelproof", metavar="MODEL", help="the fast network")
    steps = parser.add_subparsers(required=True, metavar="STEP")
    step = steps.add_parser("prepare", help="cut the patches of every source")
    step.add_argument("sources", nargs="*", default=SOURCES, metavar="SOURCE")
    step.set_defaults(run=_prepare)
    step = steps.add_parser("tokens", help="keep what the pretrained transformer makes of heads")
    step.add_argument("--count", type=int, default=6400, metavar="N")
    step.add_argument("--of", type=Path, metavar="FILE", help="a trained network, not the pretrained one")
    step.add_argument("--inner", action="store_true", help="of inner faces and blends as well")
    step.set_defaults(run=_tokens)
    for half in ("upper", "lower"):
        step = steps.add_parser(half, help=f"train the transformer's {half} blocks on kept tokens")
        step.add_argument("--examples", type=int, metavar="N")
        step.add_argument("--of", type=Path, metavar="FILE", help="train on from these weights")
        step.set_defaults(run=_half, half=half)
    step = steps.add_parser("heads", help="fit heads that say nothing yet on kept features")
    step.add_argument("--of", type=Path, metavar="FILE", required=True, help="weights to fit them for")
    step.set_defaults(run=_heads)
    step = steps.add_parser(
        "photographs", help="fit the heads for photographs on features of the finished network"
    )
    step.add_argument("--of", type=Path, metavar="FILE", required=True, help="weights to fit them for")
    step.set_defaults(run=_photographs)
    step = steps.add_parser("join", help="make the start of a training of both halves")
    step.set_defaults(run=_join)
    step = steps.add_parser("report", help="measure on the develop clips and fit the fusion")
    step.add_argument("weights", type=Path)
    step.add_argument("--every", type=int, default=1, metavar="N", help="look at every N-th frame of a clip")
    step.set_defaults(run=_report)
    step = steps.add_parser("fit", help="run the engine on the develop clips; fit fusion and thresholds")
    step.add_argument("weights", type=Path)
    step.add_argument(
        "--share",
        type=int,
        nargs=2,
        default=(0, 1),
        metavar=("K", "N"),
        help="every N-th clip, the K-th first",
    )
    step.set_defaults(run=_fit)
    step = steps.add_parser("composed", help="compose splices and duos, and measure the model on them")
    step.set_defaults(run=_composed)
    step = steps.add_parser("steadiness", help="how often a verdict changes with shift, scale and encoding")
    step.add_argument("--every", type=int, default=1, metavar="N", help="every N-th develop clip")
    step.set_defaults(run=_steadiness)
    step = steps.add_parser("attacked-clips", help="verdicts of clips attacked against the fast network")
    step.add_argument("--count", type=int, default=20, metavar="N", help="develop clips, half manipulated")
    step.set_defaults(run=_attacked_clips)
    step = steps.add_parser("heatmaps", help="whether hiding what a heatmap shows lowers the answer")
    step.add_argument("--every", type=int, default=1, metavar="N", help="every N-th manipulated develop clip")
    step.set_defaults(run=_heatmaps)
    step = steps.add_parser("left-out", help="how well a generator is told that was not learnt from")
    step.set_defaults(run=_left_out)
    step = steps.add_parser("probe-sources", help="tell labels by sharpness, size and bytes alone")
    step.set_defaults(run=_probe_sources)
    step = steps.add_parser("ship", help="write weights and description")
    step.add_argument("weights", type=Path)
    step.add_argument("to", type=Path, metavar="DIR", help="folder of the models")
    step.add_argument(
        "--recipe", action="append", default=[], metavar="LINE", help="a line of the card's recipe"
    )
    step.set_defaults(run=_ship)
    _add_scan(steps)
    return parser


def _add_scan(steps: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The steps that train the scan's network."""
    step = steps.add_parser("scan", help="train the scan's network on from the fast one; resumes")
    _add_start(step)
    step.add_argument("--examples", type=int, default=Recipe().examples, metavar="N")
    step.set_defaults(run=_scan)
    step = steps.add_parser("publish-scan", help="write the scan's network as the fast model anew")
    _add_start(step)
    step.add_argument("to", type=Path, metavar="DIR", help="folder of the models")
    step.add_argument(
        "--share", type=float, default=1.0, help="of the way from the first weights to the last"
    )
    step.add_argument("--reserve", type=float, default=0.0, help="taken off every logit")
    step.add_argument("--recipe", action="append", default=[], metavar="LINE", help="a line of the card")
    step.set_defaults(run=_publish_scan)


def _add_start(step: argparse.ArgumentParser) -> None:
    step.add_argument(
        "--put-back",
        type=float,
        default=0.0,
        metavar="LOGITS",
        help="the reserve that was taken off the fast model's logits",
    )


def _folder(options: argparse.Namespace) -> Path:
    path: Path = options.out / "runs" / options.name
    path.mkdir(parents=True, exist_ok=True)
    return path


def _pretrained(options: argparse.Namespace) -> Path:
    path: Path = options.data / "pretrained" / "vit-small-14.int8.safetensors"
    if not path.is_file():
        raise ParameterError(f"{path}: the pretrained start is missing.")
    return path


def _prepare(options: argparse.Namespace) -> None:
    unknown = sorted(set(options.sources) - set(SOURCES))
    if unknown:
        raise ParameterError(f"No such source: {', '.join(unknown)}. There are {', '.join(SOURCES)}.")
    prepare(options.data, options.out, options.sources, say)


def _measure(out: Path, network: FramingNetwork) -> dict[str, Any]:
    """AUC over develop clips: of the larger head in each framing, and of their sum."""
    patches = every_nth_frame([p for p in load(out, "clips") if p.role == "develop"], WHILE_TRAINING)
    both = [logits(network, patches, framing).max(axis=1) for framing in (INNER, HEAD)]
    clips = by_clip(patches, np.column_stack(both))
    total = clip_aucs(clips, clips.scores.sum(axis=1))
    inner, head = (clip_aucs(clips, column) for column in clips.scores.T)
    return {"inner": inner, "head": head, "sum": total}


def _tokens(options: argparse.Namespace) -> None:
    if options.of is None:
        network, seed = ViTSmall14(PRETRAINED), Recipe().seed
        network.load_pretrained(_pretrained(options))
    else:  # other examples than those its upper blocks know
        network, seed = _network_of(options.of), Recipe().seed + 1
    patches = training_patches(options.data, options.out)
    if options.inner:
        samples = harvest(options.data, options.out / "harvest")
        source = WithBlends(patches, samples, network.size, seed, TRANSFORMER_SHARES, TRANSFORMER_BLENDS)
        examples = source.batch(np.random.default_rng(seed), options.count)
    else:
        examples = head_examples(Sampler(patches, shares=HEAD_SHARES), options.count, seed)
    keep_tokens(network, examples, _folder(options) / TOKENS, say)


def _half(options: argparse.Namespace) -> None:
    folder = _folder(options)
    kept = KeptTokens.read(folder / TOKENS)
    network = _network_of(options.of) if options.of else new_network(_pretrained(options))
    half = DISTILLED
    if options.half == "upper":
        half = UPPER_AGAIN if options.of else UPPER
    half = dataclasses.replace(half, examples=options.examples or half.examples)
    if options.half == "upper":
        tune_upper(network, kept, half, say)
    else:
        distil_lower(network, kept, half, say)
    with atomic_path(folder / f"{options.half}.pt") as temporary:
        torch.save(network.state_dict(), temporary)


def _heads(options: argparse.Namespace) -> None:
    folder = _folder(options)
    kept, network = KeptTokens.read(folder / TOKENS), _network_of(options.of)
    fit_linear_heads(network, np.asarray(kept.features), kept.framings, kept.targets)
    with atomic_path(folder / "heads.pt") as temporary:
        torch.save(network.state_dict(), temporary)


def _photographs(options: argparse.Namespace) -> None:
    network = read_network(options.of)
    without_photograph_heads(network)
    fit_photograph_heads(network, photograph_examples(training_patches(options.data, options.out)), say)
    with atomic_path(_folder(options) / "photographs.pt") as temporary:
        torch.save(network.state_dict(), temporary)


def _join(options: argparse.Namespace) -> None:
    folder = _folder(options)
    join(folder / "lower.pt", folder / "upper.pt", folder / START)
    say(str(_measure(options.out, _network_of(folder / START))))


def _network_of(weights: Path) -> ViTSmall14:
    return network_from(torch.load(weights, map_location="cpu", weights_only=True))


def _scan(options: argparse.Namespace) -> None:
    folder, recipe = _folder(options), Recipe(examples=options.examples)
    samples = harvest(options.data, options.out / "harvest")
    source = scan.ScanSource(training_patches(options.data, options.out), samples, recipe.seed)
    develop = [patch for patch in load(options.out, "clips") if patch.role == "develop"]
    network = scan.ScanNetwork.from_model(_fast(options), options.put_back)
    crops = {name: [p for p in load(options.out, name) if p.role == "val"] for name in ("dfdc", "ffpp")}
    say(str(scan.measure(develop, crops, network)[1]))
    tune(Trainer(network, recipe), source, folder, partial(scan.measure, develop, crops), say)


def _publish_scan(options: argparse.Namespace) -> None:
    last = _folder(options) / "best.pt"
    if not last.is_file():
        raise ParameterError(f"{last} is missing. Run the step `scan` first.")
    start = scan.ScanNetwork.from_model(_fast(options), options.put_back)
    state = scan.between(start, last, options.share)
    validation = [p for source in ("dfdc", "ffpp") for p in load(options.out, source) if p.role == "val"]
    card, _ = load_card(options.fast)
    written = scan.publish_scan(state, card, validation, options.recipe, options.to, options.reserve)
    say(written.sha256)


def _fast(options: argparse.Namespace) -> LoadedModel:
    """The fast model alone, whatever second look its card names."""
    card, weights = load_card(options.fast)
    return load_pair(card.alone, weights)


def _report(options: argparse.Namespace) -> None:
    scorer = Scorer(_fast(options))
    report_checkpoint(Inputs(options.weights, scorer, options.out, options.every), say)


def _fit(options: argparse.Namespace) -> None:
    model = loaded_with(_fast(options), options.weights)
    card = model.card.second_look
    assert card is not None
    records = record_shares(options.data, model, _fitted(options), tuple(options.share), say)
    if records is not None:
        fitted = measured_card(records, fitted_card(records, card, Parameters()), Parameters(), say)
        network = read_network(options.weights)
        fitted = photographs_card(
            Scorer(model.alone, still=True), network, fitted, options.out, Parameters(), say
        )
        fitted = crops_card(model, fitted, options.out, Parameters(), say)
        develop = [patch for patch in load(options.out, "clips") if patch.role == "develop"]
        fitted = attacked_card(Scorer(model.alone), network, fitted, develop, Parameters(), say)
        write_atomically(_fitted(options), (fitted.model_dump_json(indent=2) + "\n").encode())


def _fitted(options: argparse.Namespace) -> Path:
    weights: Path = options.weights
    return _folder(options) / f"{weights.stem}.fitted.json"


def _composed(options: argparse.Namespace) -> None:
    measure_composed(options.data, load_model(options.fast), options.out / "composed", say)


def _steadiness(options: argparse.Namespace) -> None:
    folder = options.out / "changed"
    measure_steadiness(options.data, load_model(options.fast), folder, options.every, say)


def _attacked_clips(options: argparse.Namespace) -> None:
    folder = options.out / "attacked"
    measure_attacked_clips(options.data, load_model(options.fast), folder, options.count, say)


def _heatmaps(options: argparse.Namespace) -> None:
    measure_heatmaps(options.out, load_model(options.fast), options.every, say)


def _left_out(options: argparse.Namespace) -> None:
    network = ViTSmall14(PRETRAINED)
    network.load_pretrained(_pretrained(options))
    measure_left_out(options.out, network, _folder(options), say)


def _probe_sources(options: argparse.Namespace) -> None:
    probe_sources(training_patches(options.data, options.out), say)


def _ship(options: argparse.Namespace) -> None:
    if not _fitted(options).is_file():
        raise ParameterError(f"{_fitted(options)} is missing. Run the step `fit` first.")
    fitted = SecondLookCard.model_validate_json(_fitted(options).read_bytes())
    say(
        ship(
            options.weights,
            fitted,
            _pretrained(options),
            options.to,
            options.fast,
            options.recipe,
            say,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
