"""Limits that a validation found, in words: what it shows too little of, and where the model does worse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from detector.schema.analysis import MediaKind
from detector.schema.laboratory.validation import Level, LikelihoodRatios, Repetition, ValidationItem
from detector.schema.model import Rate
from detector.validation.likelihood import LEAST_OF_A_CLASS
from detector.validation.rates import UNITS

FEW = 30  # files of a class: with fewer, no error at all still allows for more than one in ten
_MOST_NAMED = 5


def limits_found(
    items: Sequence[ValidationItem],
    levels: Sequence[Level],
    ratios: Sequence[LikelihoodRatios],
    repetitions: Sequence[Repetition],
    labelled: Sequence[str],
) -> tuple[str, ...]:
    """One sentence each, the gravest first."""
    return (
        *_failed(items),
        *_few(levels),
        *_worse(levels),
        *_outside(items),
        *_without_ratios(levels, ratios),
        *_not_repeatable(repetitions),
        *_not_labelled(labelled),
    )


def _failed(items: Sequence[ValidationItem]) -> Iterator[str]:
    failed = [each for each in items if each.error is not None]
    if failed:
        few = len(failed) == 1
        yield (
            f"{len(failed):,} of {len(items):,} files could not be analysed and {'is' if few else 'are'} in "
            "none of the figures."
        )


def _few(levels: Sequence[Level]) -> Iterator[str]:
    for level in levels:
        if level.attribute:
            continue
        for what, outcomes in (("manipulated", level.manipulated), ("unmanipulated", level.unmanipulated)):
            if outcomes.total < FEW:
                yield (
                    f"Only {outcomes.total:,} {what} {UNITS[level.kind]} were measured: rates over them are "
                    "hardly known."
                )
            silent = outcomes.inconclusive + outcomes.not_judged
            if outcomes.total and silent / outcomes.total > 0.1:
                yield (f"{silent:,} of {outcomes.total:,} {what} {UNITS[level.kind]} were left inconclusive.")


def _worse(levels: Sequence[Level]) -> Iterator[str]:
    """Parts whose whole interval lies above the rate over all of their kind."""
    for level in levels:
        whole = next(each for each in levels if each.kind is level.kind and not each.attribute)
        if not level.attribute:
            continue
        for figure in ("false positive rate", "false negative rate"):
            # A generator has no unmanipulated files of its own.
            if level.attribute == "generator" and figure == "false positive rate":
                continue
            all_of, own = _rate(whole, figure), _rate(level, figure)
            if all_of and own and own.low is not None and own.low > all_of.value:
                yield (
                    f"{UNITS[level.kind].capitalize()} with {level.attribute} {level.name}: the {figure} is "
                    f"{own.value:.0%} ({own.events} of {own.items}), against {all_of.value:.0%} over all."
                ).replace("%", " %")


def _rate(level: Level, figure: str) -> Rate | None:
    return next((each for each in level.rates if each.figure == figure), None)


def _outside(items: Sequence[ValidationItem]) -> Iterator[str]:
    for kind in (MediaKind.VIDEO, MediaKind.IMAGE):
        of_kind = [each for each in items if each.kind is kind]
        counted = Counter(name for each in of_kind for name in each.outside)
        for name, count in counted.most_common(_MOST_NAMED):
            yield (
                f"{count:,} of {len(of_kind):,} {UNITS[kind]} lie outside the range of {name} that the "
                "model's card was measured in; here they were measured all the same."
            )


def _without_ratios(levels: Sequence[Level], ratios: Sequence[LikelihoodRatios]) -> Iterator[str]:
    there = {each.kind for each in ratios}
    for level in levels:
        if not level.attribute and level.kind not in there:
            yield (
                f"No likelihood ratios for {UNITS[level.kind]}: that takes at least {LEAST_OF_A_CLASS} "
                "judged ones of either label."
            )
    for each in ratios:
        if each.systems[1].cllr > 1:
            yield (
                f"The likelihood ratios of {UNITS[each.kind]} cost more (Cllr {each.systems[1].cllr:.2f}) "
                "than saying nothing (1): do not use them."
            )


def _not_repeatable(repetitions: Sequence[Repetition]) -> Iterator[str]:
    if not repetitions:
        yield "Nothing was analysed twice, so nothing is known of repeatability."
    for each in repetitions:
        if each.verdicts_changed:
            yield f"{each.verdicts_changed} of {each.items} verdicts changed when analysed {each.how}."


def _not_labelled(labelled: Sequence[str]) -> Iterator[str]:
    lacking = [name for name in ("generator", "group", "segments", "persons", "skin tone", "sex")
               if name not in labelled]  # fmt: skip
    if lacking:
        yield f"Not labelled, so nothing is known of it: {', '.join(lacking)}."
    if "group" in lacking and "persons" in lacking:
        yield (
            "Without groups or persons each file counts as independent: where several show the same people "
            "or come from one source, intervals are too narrow."
        )
