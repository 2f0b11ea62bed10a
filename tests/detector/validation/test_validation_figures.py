"""Rates, levels, curves and limits of a validation; where `evaluate` says the same, it must be the same."""

from __future__ import annotations

import json

import jsonschema
from made_validation import item, items, validation

from detector.files import ROOT
from detector.schema.analysis import Verdict
from detector.schema.laboratory import Subject, Validation, ValidationItem
from detector.statistics.error_rates import WIDER, clopper_pearson
from detector.statistics.metrics import confusion, measure
from detector.validation.rates import (
    MEASURES,
    class_of,
    compute_curve,
    compute_levels,
    rates_at,
    scored_items,
)


def test_rates_match_an_evaluation() -> None:
    some = items()
    whole = compute_levels(some, 0.65)[0]
    scored = scored_items(some)
    counts, figures = confusion(scored, 0.65), measure(scored, 0.65)
    rates = {rate.figure: rate for rate in whole.rates}
    assert rates["false positive rate"].events == counts["fp"]
    assert rates["false negative rate"].events == counts["fn"]
    assert rates["AUC"].value == figures["AUC"].as_json()["value"]
    assert rates["AUC"].low == figures["AUC"].as_json()["from"]
    low, high = clopper_pearson(counts["fn"], counts["fn"] + counts["tp"])
    # Each group has one file of either label, so each stands for itself in its class.
    assert (rates["false negative rate"].low, rates["false negative rate"].high) == (
        round(low, 4),
        round(high, 4),
    )


def test_dependent_files_widen_the_interval() -> None:
    some = [entry.model_copy(update={"group": entry.group // 10}) for entry in items()]
    rate = next(
        entry for entry in compute_levels(some, 0.65)[0].rates if entry.figure == "false negative rate"
    )
    assert rate.interval == WIDER
    low, high = clopper_pearson(rate.events or 0, rate.items)
    assert rate.low is not None and rate.high is not None
    assert rate.low <= round(low, 4) < round(high, 4) <= rate.high


def copies(of_each: int = 10) -> list[ValidationItem]:
    """Six sources, each with so many files that are all alike within one label."""
    some = []
    for number in range(6):
        for manipulated in (True, False):
            probability = (0.9 if number else 0.2) if manipulated else 0.1
            some += [
                item(10 * number + copy, manipulated=manipulated, probability=probability, group=number,
                     attributes={"sex": "female" if manipulated else "male"})
                for copy in range(of_each)
            ]  # fmt: skip
    return some


def test_intervals_by_threshold_and_of_one_class_alone_keep_groups_together() -> None:
    """As those over all do; ten versions of each of six sources tell no more than the six."""
    some = copies()
    levels = compute_levels(some, 0.65)
    whole = next(entry for entry in levels[0].rates if entry.figure == "false negative rate")
    assert (whole.interval, whole.low, whole.high) == (WIDER, 0.0, 0.6412)
    drawn = compute_curve(Subject.VIDEO, some)
    assert drawn is not None
    point = next(entry for entry in drawn.points if entry.threshold == 0.65)
    assert (point.false_negative_low, point.false_negative_high) == (0.0, 0.6412)
    own = rates_at(Subject.VIDEO, some, 0.65, "")[1]
    assert (own.interval, own.low, own.high, own.groups, own.threshold) == (WIDER, 0.0, 0.6412, 6, 0.65)
    (alone,) = next(entry for entry in levels if entry.name == "female").rates
    assert (alone.interval, alone.low, alone.high) == (WIDER, 0.0, 0.6412)


def test_few_groups_are_a_limit() -> None:
    limits = " ".join(validation(tuple(copies())).limits)
    assert "The 60 manipulated clips belong to only 6 groups" in limits
    clips = [clip.model_copy(update={"group": 0}) for clip in items()]
    made = validation(tuple(clips))
    assert "The 40 unmanipulated clips belong to one group" in " ".join(made.limits)
    auc = made.levels[0].rate_of("AUC")
    assert auc is not None and (auc.low, auc.high) == (None, None)
    assert "belong to" not in " ".join(validation().limits), "each file stands for itself in its class"


def test_levels_partition_the_material() -> None:
    levels = compute_levels(items(), 0.65)
    for name in ("face width", "bits per pixel", "sex"):
        parts = [level for level in levels if level.attribute == name]
        assert sum(level.manipulated.total for level in parts) == 40
        assert sum(level.unmanipulated.total for level in parts) == 40
    generators = [level for level in levels if level.attribute == "generator"]
    assert [level.name for level in generators] == ["reenactment", "swap"]
    assert all(level.unmanipulated.total == 40 for level in generators)


def test_items_without_probability_count_in_no_rate() -> None:
    some = [*items(12), item(99, manipulated=True, probability=None)]
    whole = compute_levels(some, 0.65)[0]
    assert whole.manipulated.not_judged == 1
    assert {rate.items for rate in whole.rates if rate.figure == "false negative rate"} == {12}


def test_curve_counts_at_each_threshold() -> None:
    some = items()
    curve = compute_curve(Subject.VIDEO, some)
    assert curve is not None
    point = next(entry for entry in curve.points if entry.threshold == 0.5)
    reals = [entry.probability or 0 for entry in some if not entry.manipulated]
    assert point.false_positives == sum(p >= 0.5 for p in reals)
    falling = [entry.false_positive_rate for entry in curve.points]
    assert falling == sorted(falling, reverse=True)


def test_classes_have_no_gaps() -> None:
    width = MEASURES[0]
    assert class_of(width, 47.9) == (None, 48)
    assert class_of(width, 48) == (48, 80)
    assert class_of(width, 500) == (200, None)


def test_limits_name_worse_and_missing_parts() -> None:
    some = [
        clip.model_copy(update={"verdict": Verdict.NOT_FOUND}) if clip.generator == "swap" else clip
        for clip in items()
    ]
    limits = " ".join(validation(tuple(some)).limits)
    assert "with generator swap: the false negative rate is 100 %" in limits
    assert "Not labelled, so nothing is known of it: group, persons, skin tone." in limits
    few = " ".join(validation(items(8)).limits)
    assert "Only 8 manipulated clips were measured" in few
    assert "No likelihood ratios for clips" in few
    lone_limits = " ".join(
        validation((items(8)[0], *(clip for clip in items(8) if not clip.manipulated))).limits
    )
    assert "Only one item of manipulated clips was measured" in lone_limits


def test_binary_properties_have_no_range() -> None:
    """Neither of the card, in the limits, nor of the material, in its percentiles."""
    some = items(6)

    def made(outside: int, name: str) -> Validation:
        of = [
            clip.model_copy(
                update={
                    "values": clip.values | {"other codecs": float(n < outside), "grey faces": 0.0},
                    "codec": "vp9" if n < outside else "h264",
                    "outside": (name,) if n < outside else (),
                }
            )
            for n, clip in enumerate(some)
        ]
        return validation(tuple(of))

    first, two = made(1, "other codecs"), made(2, "other codecs")
    assert "1 of 12 clips uses a codec on which the model was not measured" in " ".join(first.limits)
    assert "2 of 12 clips use codecs on which the model was not measured" in " ".join(two.limits)
    assert "2 of 12 clips are stills shown as videos" in " ".join(made(2, "a still shown as a video").limits)
    assert not any("range of other codecs" in entry for entry in first.limits)
    names = [entry.name for entry in two.covered]
    assert "grey faces" in names and "other codecs" not in names
    assert [(entry.name, entry.items) for entry in two.codecs] == [("h264", 10), ("vp9", 2)]


def test_schema_is_published() -> None:
    published = (ROOT / "docs" / "validation.schema.json").read_text(encoding="utf-8")
    assert published == Validation.schema_text()
    made = validation()
    assert Validation.from_json(made.to_json()) == made
    jsonschema.validate(json.loads(made.to_json()), json.loads(published))
