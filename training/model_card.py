"""Write model cards: the JSON that programs read and the Markdown generated from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from detector.models.card import Card, SecondLookCard
from detector.schema.causes.cards import CardCode
from detector.schema.causes.cause import Cause
from detector.schema.model import Range, Rate
from training.data.labelled_sets import open_zip
from training.data.own_sets import OwnSetSplits, split_own_set
from training.data.research_faces import FRAMES_A_CLIP, clip_names, read_csv
from training.published_rates import VALIDATED
from training.recipe import Config


def write_card(card: Card, folder: Path) -> None:
    """Write ``folder/NAME.json`` and the ``folder/NAME.md`` generated from it; not the weights."""
    (folder / f"{card.name}.json").write_text(
        card.model_dump_json(indent=2, exclude_none=True) + "\n", encoding="utf-8"
    )
    page = _page(
        card,
        f"# {card.title} (`{card.name}`)",
        f"Architecture `{card.architecture}`, input {card.input.size}×{card.input.size} px, "
        f"temperature {card.temperature}, weights SHA-256 `{card.sha256}`.",
        ("From `make evaluate MODEL=NAME`, which also writes intervals and figures by generator.", ""),
        card.validated,
        (f"Terms: {card.terms}", ""),
    )
    (folder / f"{card.name}.md").write_text(page, encoding="utf-8")


def write_second_look_card(card: SecondLookCard, path: Path) -> None:
    """Write the card of a second look to ``path`` with the suffixes ``.json`` and ``.md``."""
    path.with_suffix(".json").write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    page = _page(
        card,
        f"# Second look: `{card.name}`",
        f"Architecture `{card.architecture}`, input {card.input.size}×{card.input.size} px, weights SHA-256 "
        f"`{card.sha256}`. Its logits are fused with those of the model whose weights have SHA-256 "
        f"`{card.of}`; figures are of all together.",
    )
    path.with_suffix(".md").write_text(page, encoding="utf-8")


def _page(
    card: Card | SecondLookCard,
    heading: str,
    introduction: str,
    source: Sequence[str] = (),
    validated: Sequence[Range] = (),
    terms: Sequence[str] = (),
) -> str:
    """Return a card as Markdown; ``source`` says where its figures come from."""
    lines = [
        heading,
        "",
        introduction,
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
        *source,
        *figure_lines(card.figures),
        "",
        *_rates(card.rates, validated),
        "## Data",
        "",
        *[f"- {line}" for line in card.data],
        "",
        *terms,
        "## Recipe",
        "",
        *[f"- {line}" for line in card.recipe],
        "",
    ]
    return "\n".join(lines)


_MARKS = "¹²³⁴⁵⁶⁷⁸⁹"  # of methods of intervals
_ALIKE = 3  # names that begin alike without a line of their own


def figure_lines(figures: Mapping[str, float]) -> list[str]:
    """Return figures as Markdown, those whose names begin alike (up to a comma) in one line."""
    prefixes = [", ".join(parts[:end]) for parts in map(_parts, figures) for end in range(1, len(parts))]
    shared = Counter(prefixes)
    lines: dict[str, list[str]] = {}
    for name, value in figures.items():
        parts = _parts(name)
        starts = [", ".join(parts[:end]) for end in range(len(parts) - 1, 0, -1)]
        start = next((start for start in starts if shared[start] > _ALIKE), "")
        lines.setdefault(start, []).append(f"{name.removeprefix(f'{start}, ')} {value:g}")
    return [
        f"- **{start}**: {'; '.join(of_it)}" if start else f"- {'; '.join(of_it)}"
        for start, of_it in lines.items()
    ]


def _parts(name: str) -> list[str]:
    return name.split(", ")


def _rates(rates: Sequence[Rate], validated: Sequence[Range]) -> list[str]:
    """Return error rates and validated ranges as Markdown."""
    lines = []
    if rates:
        methods = list(dict.fromkeys(rate.interval for rate in rates if rate.low is not None))
        named = "; ".join(f"{_MARKS[at]} {method}" for at, method in enumerate(methods))
        lines += ["## Error rates", "", "In brackets what was counted, and 95 % confidence intervals"]
        lines[-1] += f" ({named})." if named else "."
        by_data: dict[tuple[str, str], list[str]] = {}
        for rate in rates:
            counted = f"{rate.items:,} {rate.unit}"
            counted = counted if rate.events is None else f"{rate.events:,} of {counted}"
            if rate.low is not None:
                counted += f"; {rate.low:.3f} to {rate.high:.3f}{_MARKS[methods.index(rate.interval)]}"
            figures = by_data.setdefault((rate.data, rate.note or ""), [])
            figures.append(f"{rate.figure} {rate.value:.3f} ({counted})")
        lines.append("")
        for (data, note), figures in by_data.items():
            lines.append(f"- **{data}**: {'; '.join([*figures, note] if note else figures)}")
        lines.append("")
    if validated:
        lines += ["## Validated ranges", ""]
        for range_ in validated:
            ends = "" if range_.least is None and range_.most is None else f" {_ends(range_)}"
            lines.append(f"- **{range_.name}**{ends}: {range_.basis}")
        lines.append("")
    return lines


def _ends(range_: Range) -> str:
    if range_.least == range_.most:
        return f"{range_.least:g}"
    if range_.least is None:
        return f"up to {range_.most:g}"
    return f"from {range_.least:g}" if range_.most is None else f"{range_.least:g} to {range_.most:g}"


_TERMS = (
    "The data sets are for research; whoever trains or deploys on them is bound by their terms. "
    "These weights were trained by the Reelproof project and are shared under Apache-2.0."
)
_LIMITS = (
    CardCode.UNSEEN_METHODS.cause(),
    CardCode.REENACTMENT_LESS_SURELY.cause(),
    CardCode.WHOLLY_SYNTHETIC_UNMEASURED.cause(),
    CardCode.FACE_ALONE.cause(),
    CardCode.ACTORS_RECUR.cause(),
    CardCode.FEW_STRONGLY_COMPRESSED.cause(),
    CardCode.ALIKE_MANIPULATION.cause(),
)


DATA_SET = "Data set "
"""Prefix of a card's lines on a user's own data set."""

_STARTS_WITHOUT_FACES = ("imagenet", "random")


class CardOrigin(NamedTuple):
    """The parts of a card that follow from the training data."""

    data: tuple[str, ...]
    terms: str
    domain: Cause
    limits: tuple[Cause, ...]
    validated: tuple[Range, ...]


def card_origin(config: Config, data: Path, failures: Path | None = None) -> CardOrigin:
    """Describe the training data of ``config`` at ``data``, of which ``failures`` were repeated."""
    if config.set is None:
        return CardOrigin(
            (*_research_data(data), *_start_model(config)),
            _TERMS,
            CardCode.DOMAIN.cause(),
            _LIMITS,
            VALIDATED,
        )
    name = data.resolve().name
    return CardOrigin(
        data=(*_describe_splits(data, split_own_set(data, failures)), *_start_model(config)),
        terms="Not stated by the trainer.",
        domain=CardCode.OWN_DOMAIN.cause(data_set=name),
        limits=(
            CardCode.UNSEEN_METHODS.cause(),
            CardCode.FACE_ALONE.cause(),
            CardCode.ALIKE_MANIPULATION.cause(),
            CardCode.OWN_THRESHOLDS.cause(data_set=name),
            CardCode.UNMEASURED.cause(),
        ),
        validated=(),  # the shipped ranges are of other data
    )


def sentences(domain: Cause, limits: tuple[Cause, ...]) -> dict[str, Any]:
    """Return the fields of a card that state its domain and limits."""
    return {
        "domain": domain.text,
        "domain_cause": domain,
        "limits": tuple(cause.text for cause in limits),
        "limit_causes": limits,
    }


def limits_once_measured(card: Card) -> dict[str, Any]:
    """Return the fields of the limits of a card without the one that the model was not measured."""
    unmeasured = CardCode.UNMEASURED.cause()
    return {
        "limits": tuple(limit for limit in card.limits if limit != unmeasured.text),
        "limit_causes": tuple(cause for cause in card.limit_causes if cause.code != unmeasured.code),
    }


def _start_model(config: Config) -> Iterator[str]:
    """Mention the model that the recipe starts from, if it was trained on faces itself."""
    if config.start not in _STARTS_WITHOUT_FACES:
        yield f"Before that, what the model {config.start} was trained on: its card says what"


def _research_data(data: Path) -> Iterator[str]:
    """Describe each set in the research folder ``data`` that recipes without a [set] are trained on."""
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
    """Count the crops of each label in the given CSV files."""
    return Counter(row["label"] for path in listed for row in read_csv(path))


def _describe_splits(data: Path, splits: OwnSetSplits) -> list[str]:
    """Return one line for each split with its numbers of files and groups, and one for failures."""
    name = data.resolve().name
    moved = {replace(item, split="train") for item in splits.hard if item.split == "val"}
    parts = (
        ("training", [item for item in dict.fromkeys(splits.train) if item not in moved]),
        ("validation", splits.held_out),
        ("test", splits.test),
    )
    lines = []
    for split, items in parts:
        if not items:
            continue
        videos = sum(item.is_video for item in items)
        labels = Counter(item.label for item in items)
        counts = ((videos, "videos"), (len(items) - videos, "pictures"))
        lines.append(
            f"{DATA_SET}{name}, {split} split: "
            f"{' and '.join(f'{count:,} {kind}' for count, kind in counts if count)}, "
            f"{labels[0]:,} real and {labels[1]:,} manipulated, of {len({i.group for i in items}):,} groups"
        )
    if splits.hard:
        repeated = Counter(item.split for item in splits.hard)
        lines.append(
            "Gone over again, since a model was wrong on them, the worse the oftener: "
            f"{repeated['train']:,} of the training split and {repeated['val']:,} of the validation split, "
            "whose groups it holds no longer"
        )
    return lines
