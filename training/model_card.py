"""Write model cards: the JSON that programs read and the Markdown generated from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from detector.models.card import Card, SecondLookCard
from detector.schema.formatting import N_
from detector.schema.model import Range, Rate
from training.data.labelled_sets import Item, open_zip
from training.data.own_sets import OwnSetSplits, split_own_set
from training.data.research_faces import FRAMES_A_CLIP, clip_names, read_csv
from training.published_rates import VALIDATED
from training.recipe import Config


def write_card(card: Card, folder: Path) -> None:
    """Write ``folder/NAME.json`` and, made from it, ``folder/NAME.md``; the weights are the caller's."""
    (folder / f"{card.name}.json").write_text(
        card.model_dump_json(indent=2, exclude_none=True) + "\n", encoding="utf-8"
    )
    (folder / f"{card.name}.md").write_text(_markdown(card), encoding="utf-8")


def write_second_look_card(card: SecondLookCard, path: Path) -> None:
    """The same of a second look, as ``path`` with the endings ``.json`` and ``.md``."""
    path.with_suffix(".json").write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(_second_look(card), encoding="utf-8")


def _markdown(card: Card) -> str:
    lines = [
        f"# {card.title} (`{card.name}`)",
        "",
        f"Architecture `{card.architecture}`, input {card.input.size}×{card.input.size} px, "
        f"temperature {card.temperature}, weights SHA-256 `{card.sha256}`.",
        "",
        *_validity(card),
        "From `make evaluate MODEL=NAME`, which also writes intervals and figures by generator.",
        "",
        *_figures(card),
        *_rates(card.rates, card.validated),
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


def _second_look(card: SecondLookCard) -> str:
    lines = [
        f"# Second look: `{card.name}`",
        "",
        f"Architecture `{card.architecture}`, input {card.input.size}×{card.input.size} px, weights SHA-256 "
        f"`{card.sha256}`. Its logits are fused with those of the model whose weights have SHA-256 "
        f"`{card.of}`; figures are of all together.",
        "",
        *_validity(card),
        *_figures(card),
        *_rates(card.rates, ()),
        "## Data",
        "",
        *[f"- {line}" for line in card.data],
        "",
        "## Recipe",
        "",
        *[f"- {line}" for line in card.recipe],
        "",
    ]
    return "\n".join(lines)


def _validity(card: Card | SecondLookCard) -> list[str]:
    """What a card speaks for, as Markdown, and the heading of its figures."""
    return [
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
    ]


def _figures(card: Card | SecondLookCard) -> list[str]:
    return [
        "| figure | value |",
        "|---|---|",
        *[f"| {name} | {value:g} |" for name, value in card.figures.items()],
        "",
    ]


def _rates(rates: Sequence[Rate], validated: Sequence[Range]) -> list[str]:
    """Error rates and validated ranges as Markdown; nothing where there are none."""
    lines = []
    if rates:
        lines += [
            "## Error rates",
            "",
            "With 95 % confidence intervals.",
            "",
            "| data | figure | value | interval | counted | made by | remark |",
            "|---|---|---|---|---|---|---|",
        ]
        for rate in rates:
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
    if validated:
        lines += ["## Validated ranges", "", "| property | least | most | basis |", "|---|---|---|---|"]
        for each in validated:
            least, most = ("–" if end is None else f"{end:g}" for end in (each.least, each.most))
            lines.append(f"| {each.name} | {least} | {most} | {each.basis} |")
        lines.append("")
    return lines


_TERMS = (
    "The data sets are for research; whoever trains or deploys on them is bound by their terms. "
    "These weights were trained by the Reelproof project and are shared under Apache-2.0."
)
_DOMAIN = N_(
    "Faces at least as wide as the smallest face judged, roughly frontal, in video or photographs: face "
    "swaps and reenactment of the kinds in the Deepfake Detection Challenge and FaceForensics++."
)
# What holds whatever a model was trained on.
_UNSEEN = N_("Methods unlike those it was trained and measured on may go unseen.")
_NOT_EXAMINED = N_("Sound, lip-sync to altered sound, and anything outside the face are not examined.")
_ALIKE = N_("Filters, make-up effects, heavy retouching and hard re-compression can look like manipulation.")
_LIMITS = (
    _UNSEEN,
    N_(
        "Reenactment that keeps the identity (Face2Face) is seen far less surely than face swaps, and mostly "
        "missed where it fills only part of a strongly compressed clip."
    ),
    N_("Wholly synthetic faces (generated photographs of people who do not exist) were not measured."),
    _NOT_EXAMINED,
    N_("Actors recur across the data set's videos, so its test figures flatter the model a little."),
    N_("Figures for strong compression (FaceForensics++ c40) rest on few clips of few people."),
    _ALIKE,
)
_UNMEASURED = N_(
    "Its error rates are unknown until it is evaluated on labelled material that it did not learn from."
)
# How the cards of earlier versions ended the limit on thresholds.
_UNMEASURED_BEFORE = "; its error rates are unknown until it is evaluated on a labelled set of its own."

DATA_SET = "Data set "
"""How a card's lines on a set of somebody's own begin."""

_STARTS_WITHOUT_FACES = ("imagenet", "random")


class CardOrigin(NamedTuple):
    """The parts of a card that follow from the training data."""

    data: tuple[str, ...]
    terms: str
    domain: str
    limits: tuple[str, ...]
    validated: tuple[Range, ...]


def card_origin(config: Config, data: Path, failures: Path | None = None) -> CardOrigin:
    """What a card says of the data of ``config``, at ``data``, of which ``failures`` were gone over again."""
    if config.set is None:
        return CardOrigin((*_research_data(data), *_before(config)), _TERMS, _DOMAIN, _LIMITS, VALIDATED)
    name = data.resolve().name
    return CardOrigin(
        data=(*_described(data, split_own_set(data, failures)), *_before(config)),
        terms="Not stated by the trainer.",
        domain=N_(
            "Faces and manipulations of the kinds in the data set %(data_set)s, given by whoever trained the "
            "model. What these are, its owner knows; no other kind was measured."
        )
        % {"data_set": name},
        limits=(
            _UNSEEN,
            _NOT_EXAMINED,
            _ALIKE,
            N_("Thresholds of the verdict were chosen on other data than %(data_set)s.") % {"data_set": name},
            _UNMEASURED,
        ),
        validated=(),  # the shipped ranges are of other data
    )


def limits_once_measured(limits: Sequence[str]) -> tuple[str, ...]:
    """``limits`` of a card without that the model was not measured."""
    return tuple(limit.replace(_UNMEASURED_BEFORE, ".") for limit in limits if limit != _UNMEASURED)


def _before(config: Config) -> Iterator[str]:
    """That the recipe goes on from a model which has learnt from faces itself, if it does."""
    if config.start not in _STARTS_WITHOUT_FACES:
        yield f"Before that, what the model {config.start} was trained on: its card says what"


def _research_data(data: Path) -> Iterator[str]:
    """What a recipe without a set of its own learns from in the folder ``data``, a line for each set."""
    train, val = (_dfdc_crops(data.glob(f"dfdc-{split}.csv")) for split in ("train-*", "val"))
    yield (
        "Deepfake Detection Challenge training set: face crops of one frame a video, "
        f"{train['real']:,} unmanipulated and {train['fake']:,} manipulated; validation {val['real']:,} and "
        f"{val['fake']:,}, split by source video"
    )
    with open_zip(data / "photos-real.zip") as photos:
        names = Counter(name.split("/")[0] for name in photos.namelist() if name.endswith(".jpg"))
    yield f"Labeled Faces in the Wild: {names['lfw']:,} photographs, one a person"
    yield f"UTKFace: {names['utkface']:,} photographs of adults"
    clips = len(clip_names(data / "videos"))
    yield (
        f"{clips} clips of real people talking (driving clips and others), presumed "
        f"unmanipulated, {FRAMES_A_CLIP} frames each"
    )


def _dfdc_crops(listed: Iterable[Path]) -> Counter[str]:
    """How many crops of each label there are in lists that lie beside their zips."""
    return Counter(row["label"] for path in listed for row in read_csv(path))


def _described(data: Path, parts: OwnSetSplits) -> list[str]:
    """One line for each split: how many of what, of how many groups; and one for failures."""
    name = data.resolve().name
    again = Counter(item.split for item in parts.hard)
    splits = (
        ("training", [item for item in dict.fromkeys(parts.train) if item not in _moved(parts)]),
        ("validation", parts.held_out),
        ("test", parts.test),
    )
    lines = [f"{DATA_SET}{name}, {words} split: {_counted(some)}" for words, some in splits if some]
    if parts.hard:
        lines.append(
            "Gone over again, since a model was wrong on them, the worse the oftener: "
            f"{again['train']:,} of the training split and {again['val']:,} of the validation split, whose "
            "groups it holds no longer"
        )
    return lines


def _moved(parts: OwnSetSplits) -> set[Item]:
    """Failures of the validation split, as they stand in the training split."""
    return {replace(item, split="train") for item in parts.hard if item.split == "val"}


def _counted(some: Sequence[Item]) -> str:
    videos = sum(item.is_video for item in some)
    labels = Counter(item.label for item in some)
    kinds = [f"{count:,} {what}" for count, what in ((videos, "videos"), (len(some) - videos, "pictures"))
             if count]  # fmt: skip
    return (
        f"{' and '.join(kinds)}, {labels[0]:,} real and {labels[1]:,} manipulated, of "
        f"{len({item.group for item in some}):,} groups"
    )
