"""Write a checkpoint as weights and card; refuse one that is still the pretrained start."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from detector.errors import ModelError
from detector.files import write_atomically
from detector.models.card import FusionHalf, Input, NetworkFile, SecondLookCard
from detector.models.loaded import LoadedModel
from detector.models.model_files import load_card, read_arrays, refuse_wrong_weights, second_look_path
from detector.networks.vit_small_14 import FramingNetwork, ViTSmall14, pretrained_state
from detector.networks.vit_small_14_windows import BRANCH_MATRICES
from detector.progress import ReportText
from detector.schema.causes.cards import CardCode
from detector.schema.model import Platt
from training.model_card import sentences, write_second_look_card
from training.publish import to_half_precision, to_twelve_bits
from training.second_look.fitting.patch_scores import read_network
from training.second_look.runs import pretrained

# Sentences of the card, written whatever was fitted, with figures typed in: review them before `ship`. The
# step `sentences` writes changed ones to the shipped card (training/docs/training.md). A test recomputes
# those that follow from the card. Their messages lie in detector/schema/causes/cards.py.
DOMAIN = CardCode.SECOND_LOOK_DOMAIN.cause()
LIMITS = (
    CardCode.UNSEEN_GENERATORS.cause(missed=64, clips=121, inconclusive=21),
    CardCode.VIDEOS_LEARNT.cause(
        swaps=("Deepfakes", "FaceSwap", "Face2Face", "DeepFaceLive", "SimSwap", "FSGAN", "VividFace"),
        lips=("Wav2Lip", "HyperLips", "LatentSync", "MuseTalk"),
        talking=(
            "SadTalker",
            "EDTalk",
            "AniPortrait",
            "HunyuanPortrait",
            "LivePortrait",
            "MEMO",
            "X-Portrait",
        ),
        video=("Concat-ID", "ConsisID", "FantasyID", "SkyReels-A2"),
    ),
    CardCode.TALKING_HEADS_LEAST_SURELY.cause(flagged=18, clips=52, inconclusive=10),
    CardCode.SCALED_PROBABILITIES.cause(),
    CardCode.CLIPS_OF_THRESHOLDS.cause(clips=241, unmanipulated=120, shortest=2, longest=12, sources=123),
    CardCode.PHOTOGRAPHS_MEASURED.cause(
        photographs=159,
        wrong=2,
        unmanipulated=80,
        generated_flagged=30,
        generated=59,
        retouched_flagged=6,
        retouched=20,
        half_wrong=5,
        half_generated=1,
        half_retouched=8,
        quality=60,
    ),
    CardCode.GROUP_PHOTOGRAPHS.cause(
        few=5,
        many=30,
        of_few=12,
        of_many=0,
        half_few=28,
        half_many=20,
        quality=60,
        middle=13,
        of_middle=2,
        half_middle=25,
    ),
    CardCode.FILMS_MORE_OFTEN.cause(films=30, flagged=4, others=90, others_flagged=1),
    CardCode.PAGES_LEFT_OUT.cause(auc=0.8, inside=0.75, share=5, found=34),
    CardCode.SHORT_STRETCHES.cause(),
    CardCode.READY_MADE_CROPS.cause(),
    CardCode.MISLEADING_PICTURES.cause(),
    CardCode.COVERED_FACES.cause(),
    CardCode.OTHER_CODECS_RAISE.cause(),
    CardCode.CODEC_BEFORE_H264.cause(clips=64, flagged=3, before=2),
    CardCode.HEAD_ALONE.cause(),
    CardCode.ALIKE_MANIPULATION.cause(),
)
CROPS = (
    "FaceForensics++ crops, training split by identity pair: 1,496 unmanipulated, 2,333 manipulated",
    "Deepfake Detection Challenge crops, one frame a video: 2,060 unmanipulated, 3,400 manipulated",
)
CLIPS = (
    "663 training clips of about 150 places (211 unmanipulated): FaceForensics++ with fakes aligned frame by "
    "frame; 452 by some ninety generators: DeepFaceLive, SimSwap, FSGAN, VividFace, StyleSwap, Face-Adapter, "
    "CanonSwap, classical swaps, StyleGAN edits (STIT); Wav2Lip and relatives, HyperLips, LatentSync, "
    "MuseTalk, StyleSync, ReSyncer; SadTalker, EDTalk, AniPortrait, FLOAT, HunyuanPortrait, first-order "
    "motion, ACTalker, FantasyPortrait, Follow-Your-Emoji, GAIA, HyperReenact, InfiniteTalk, Live Avatar, "
    "LivePortrait, MEMO, Playmate, Real3D-Portrait, ROME, Runway Act-One, SkyReels-A1, SkyReels-Audio, "
    "TALK-Act, X-Portrait and others; text-to-video by Concat-ID, ConsisID, FantasyID, ID-Animator, Ovi, "
    "SkyReels-A2, Stand-In, Video Alchemist and others; webcam, phone, television, studio and film footage"
)
STILLS = (
    "Stills: 620 generated or retouched, 618 photographs; 1,848 photographs of Labeled Faces in the Wild and "
    "UTKFace"
)
LEARNT = (
    "portraits by StyleGAN 1 and StyleGAN 2",
    "portraits by FLUX.1 with LoRA, of four people",
    "portraits by FLUX.1 with InfiniteYou and by GPT-4o, 29 pictures",
    "composites by experts with Photoshop, in which eyes, nose or mouth were replaced",
)
DATA = (
    *CROPS,
    CLIPS,
    "The start: the encoder of Depth Anything V2 Small (Yang et al., 2024), which is DINOv2 ViT-S/14 (Oquab "
    "et al., 2023), Apache-2.0; every matrix has moved by more than 2 %",
    "Blends of unmanipulated faces of these: every tenth example of the inner face's linear heads; 1,164, "
    "each beside the same face without the blend, for half of what the inner face as a whole says of "
    "alteration; 3,814 others, likewise, for what its single patches say",
    STILLS,
    "Portraits of many sources (photos2): 243 real studio, staff, speaker and press photographs, "
    "29 generated",
    "The branch: four upper blocks distilled from the start's, without labels, on tokens of the clips and "
    "photographs named here",
    "Linear heads of the branch for windows in footage: 1,032 stills at native resolution of 681 clips (285 "
    "unmanipulated, films and stock footage among them), and with 15 % of the weight two frames of each "
    "training clip of the first collection",
    "Linear heads of the branch for windows in photographs: the stills but for composites, the portraits, "
    "and these stills of clips; what the whole head says of alteration also learned from 1,053 heads beside "
    "the same sent through TAEF2 (Ollin Boer Bohan, MIT)",
    "Photographs' rule: 161 stills of role val and 107 portraits of sources and generators that were not "
    "learned from, as they are and at half size as JPEG of quality 60",
    "Fusion and thresholds: 241 develop clips of 123 groups of people, 121 of them manipulated; for what "
    "windows say, stills of pages left out; "
    "FaceForensics++ (c23, c40), DFDC, and generators above",
)
_SENTENCES = {**sentences(DOMAIN, LIMITS), "learnt": LEARNT, "data": DATA}

LEAST_MOVED = 0.02  # relative Frobenius norm


class NotTrainedError(ModelError):
    """Matrices are still (nearly) those of the pretrained start."""


class PrecisionError(ModelError):
    """A tensor does not fit half precision."""


def relative_changes(state: Mapping[str, Tensor], start: Mapping[str, Tensor]) -> dict[str, float]:
    """Return the distance of each matrix of ``state`` from the nearest one of ``start`` of the same shape."""
    matrices = [value.float() for name, value in start.items() if name.endswith("weight") and value.ndim > 1]
    out = {}
    for name, value in state.items():
        far = [((value.float() - m).norm() / m.norm()).item() for m in matrices if m.shape == value.shape]
        if far:
            out[name] = min(far)
    return out


def update_sentences(model: str) -> Path:
    """Write the sentences above to the card of the second look shipped with ``model``; return its path."""
    _, weights = load_card(model)
    path = second_look_path(weights)
    card = SecondLookCard.model_validate_json(path.with_suffix(".json").read_bytes())
    write_second_look_card(card.model_copy(update=_SENTENCES), path)
    return path.with_suffix(".json")


def tensors_of(weights: Path, architecture: str | None = None) -> tuple[FramingNetwork, bytes]:
    """Return the network and its safetensors file, or raise :class:`PrecisionError`.

    Numbers are float16, matrices of a branch have twelve bits.
    """
    network = read_network(weights, architecture)
    tensors = to_half_precision(to_twelve_bits(network.state_dict(), BRANCH_MATRICES))
    if not all(bool(torch.isfinite(value).all()) for value in tensors.values()):
        raise PrecisionError(f"{weights}: a tensor does not fit half precision.")
    return network, save(tensors)


def load_with_checkpoint(scan: LoadedModel, weights: Path, architecture: str | None = None) -> LoadedModel:
    """Return ``scan`` with the checkpoint as its second look, neither fused nor calibrated yet."""
    network, data = tensors_of(weights, architecture)
    input_ = Input(size=network.size, mean=network.mean, std=network.std)
    digest = hashlib.sha256(data).hexdigest()
    file = NetworkFile(architecture=network.architecture, sha256=digest, input=input_)
    name = file.architecture.replace("_", "-")
    idle = FusionHalf(inputs=("fast",), centre=(0.0,), spread=(1.0,), weight=(1.0,), bias=0.0)
    columns = ("inner altered", "head altered", "inner synthesised", "head synthesised")
    silent = FusionHalf(inputs=columns, centre=(0.0,) * 4, spread=(1.0,) * 4, weight=(0.0,) * 4, bias=-60.0)
    second = LoadedModel(file.as_card(name), weights=data)
    described = SecondLookCard(
        **dict(file),
        name=name,
        of=scan.card.sha256,
        altered=idle,
        synthesised=silent,
        probability=Platt(scale=1.0, offset=0.0),
    )
    card = scan.card.model_copy(update={"second_look": described})
    return LoadedModel(card, weights=scan.weights, second_look=second)


def require_trained(data: bytes, start: Path, report: ReportText) -> None:
    """Raise :class:`NotTrainedError` if the transformer's matrices are still those of its start."""
    state = {name: torch.tensor(value) for name, value in read_arrays(data).items()}
    distances = relative_changes(state, pretrained_state(start))
    least = min(distances, key=lambda key: distances[key])
    report(f"least moved of {len(distances)} matrices: {least}, by {distances[least]:.2%}")
    near = [key for key, value in distances.items() if value < LEAST_MOVED]
    if near:
        raise NotTrainedError(
            f"{len(near)} of {len(distances)} matrices lie within {LEAST_MOVED:.0%} of the "
            f"pretrained start ({least}: {distances[least]:.2%}). Train its half on (`upper`, `lower`)."
        )


def ship(
    weights: Path,
    fitted: SecondLookCard,
    data: Path,
    models: Path,
    model: str,
    recipe: Sequence[str],
    report: ReportText,
) -> Path:
    """Write the checkpoint and the ``fitted`` card to ``models``/second-look, under the name of ``model``.

    ``recipe`` describes the training. The shipped architecture is compared with the pretrained start in the
    folder ``data``. Raises :class:`NotTrainedError`, :class:`PrecisionError` or, if it was fitted for other
    weights, :class:`~detector.errors.ModelError`.
    """
    network, tensors = tensors_of(weights, fitted.architecture)
    refuse_wrong_weights(weights.name, hashlib.sha256(tensors).hexdigest(), fitted.sha256)
    if isinstance(network, ViTSmall14):
        require_trained(tensors, pretrained(data), report)
    scan_card, scan_weights = load_card(models / f"{model}.json")
    card = fitted.model_copy(
        update={
            **_SENTENCES,
            "of": scan_card.sha256,
            "recipe": tuple(recipe),
        }
    )
    path = second_look_path(scan_weights)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path.with_suffix(".safetensors"), tensors)
    write_second_look_card(card, path)
    return path.with_suffix(".safetensors")
