"""Model cards as they lie on disk: the JSON that is read, and the Markdown for people made from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from detector.models.card import Card, SecondLookCard
from detector.schema.model import Range, Rate


def write_card(card: Card, folder: Path) -> None:
    """Write ``folder/NAME.json`` and, made from it, ``folder/NAME.md``; the weights are the caller's."""
    (folder / f"{card.name}.json").write_text(
        card.model_dump_json(indent=2, exclude_none=True) + "\n", encoding="utf-8"
    )
    (folder / f"{card.name}.md").write_text(_markdown(card), encoding="utf-8")


def write_second_look(card: SecondLookCard, path: Path) -> None:
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
