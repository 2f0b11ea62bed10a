"""A laboratory's own thresholds, and for what its validation speaks."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
from analyses import build
from made_validation import items, of_analysis, validation

from detector.errors import ParameterError
from detector.models.model_files import load_card, read_second_look
from detector.schema.analysis import MediaKind, Parameters
from detector.schema.laboratory import Laboratory, Validation
from detector.schema.method import LATER_PARAMETERS, PHOTO_PARAMETERS, VIDEO_PARAMETERS
from detector.statistics.error_rates import WIDER
from detector.validation.rates import quoted_extract, thresholds_by_cost, thresholds_by_false_positive_rate
from detector.validation.validated_model import (
    difference_to_analysis,
    difference_to_model,
    difference_to_parameters,
    validated_model,
)

_VIDEO = SimpleNamespace(kind=MediaKind.VIDEO)


@pytest.fixture(scope="module")
def made() -> Validation:
    return validation(items(60))


def test_rate_selects_the_lowest_threshold(made: Validation) -> None:
    (own,) = thresholds_by_false_positive_rate(made, 0.05)
    points = made.curves[0].points
    at = next(n for n, point in enumerate(points) if point.threshold == own.threshold)
    assert points[at].false_positive_rate <= 0.05 < points[at - 1].false_positive_rate
    assert own.false_positive.events == points[at].false_positives
    assert own.shipped == 0.65
    assert "at most 5 %" in own.by


def test_criterion_of_a_threshold_is_exact(made: Validation) -> None:
    for share, percentage in ((0.0004, "0.04 %"), (0.0025, "0.25 %"), (0.07, "7 %")):
        assert f"at most {percentage}" in thresholds_by_false_positive_rate(made, share)[0].by
    for share, percentage in ((0.001, "0.1 %"), (0.996, "99.6 %"), (0.5, "50 %")):
        assert f"and {percentage} of all exhibits" in thresholds_by_cost(made, 1, share)[0].by


def test_rates_at_an_own_threshold_keep_groups_together() -> None:
    some = tuple(item.model_copy(update={"group": item.group // 10}) for item in items(60))
    (own,) = thresholds_by_cost(validation(some), 1)
    assert own.false_negative.interval == WIDER and own.false_negative.groups == 6


def test_costlier_false_positives_raise_the_threshold(made: Validation) -> None:
    low, even, high = (thresholds_by_cost(made, cost)[0] for cost in (0.05, 1, 50))
    assert low.threshold < even.threshold < high.threshold
    assert thresholds_by_cost(made, 1, 0.01)[0].threshold > even.threshold, "manipulated ones are rare"
    for cost, own in ((0.05, low), (50, high)):
        costs = {
            point.threshold: cost * point.false_positive_rate + point.false_negative_rate
            for point in made.curves[0].points
        }
        assert costs[own.threshold] == pytest.approx(min(costs.values()))


def test_unreachable_rate_is_rejected(made: Validation) -> None:
    with pytest.raises(ParameterError, match="is not a false positive rate"):
        thresholds_by_false_positive_rate(made, 1.0)
    sure = tuple(item.model_copy(update={"probability": 1.0}) for item in items(12))
    with pytest.raises(ParameterError, match="No threshold up to"):
        thresholds_by_false_positive_rate(validation(sure), 0.5)
    for cost in (0, -1, math.inf, math.nan):
        with pytest.raises(ParameterError, match="Give a finite cost above 0"):
            thresholds_by_cost(made, cost)


def test_extract_contains_no_files(made: Validation) -> None:
    extract = quoted_extract(made, made.to_json().encode(), thresholds_by_false_positive_rate(made, 0.05))
    assert made.items[0].sha256 not in extract.to_json()
    assert Laboratory.from_json(extract.to_json()) == extract
    assert extract.likelihood_ratios[0].platt == made.likelihood_ratios[0].platt


def test_other_model_or_parameters_invalidate_the_validation(made: Validation, tmp_path: Path) -> None:
    analysis = build(tmp_path)
    fits = of_analysis(made, analysis)
    assert difference_to_analysis(fits, analysis) == ""
    other = analysis.model_copy(update={"parameters": Parameters(second_look=0)})
    assert "second_look" in difference_to_analysis(fits, other)
    for of_no_result in ({"skip_unreferenced": False}, {"seed": 7}):
        given = analysis.parameters.model_copy(update=of_no_result)
        assert difference_to_analysis(fits, analysis.model_copy(update={"parameters": given})) == ""
    weights = analysis.model_copy(update={"model": analysis.model.model_copy(update={"sha256": "00" * 32})})
    assert "other weights" in difference_to_analysis(fits, weights)


@pytest.mark.parametrize(
    ("kind", "changes", "differs"),
    [
        (MediaKind.VIDEO, dict.fromkeys(PHOTO_PARAMETERS, 0), ()),
        (MediaKind.VIDEO, {"median_window": 2.0, "merge_gap": 1.0}, ("median_window", "merge_gap")),
        (MediaKind.IMAGE, dict.fromkeys(VIDEO_PARAMETERS, 1), ()),
        (MediaKind.IMAGE, {"minimum_colour": 0.0}, ("minimum_colour",)),
        *((kind, {"minimum_face": 20.0}, ("minimum_face",)) for kind in (MediaKind.VIDEO, MediaKind.IMAGE)),
    ],
)
def test_irrelevant_parameters_do_not_invalidate_it(
    made: Validation, tmp_path: Path, kind: MediaKind, changes: dict[str, float], differs: tuple[str, ...]
) -> None:
    analysis = build(tmp_path, kind=kind, kept=False)
    fits = of_analysis(made, analysis)
    given = analysis.parameters.model_copy(update=changes)
    difference = difference_to_analysis(fits, analysis.model_copy(update={"parameters": given}))
    assert difference == (
        f"the analysis was made with other parameters ({', '.join(differs)})" if differs else ""
    )


@pytest.mark.parametrize("kind", (MediaKind.VIDEO, MediaKind.IMAGE))
@pytest.mark.parametrize("lacking", sorted(LATER_PARAMETERS))
def test_validation_before_a_parameter_used_none(
    made: Validation, tmp_path: Path, lacking: str, kind: MediaKind
) -> None:
    """It speaks for analyses of then, and of those made since only where the parameter plays no part."""
    document = json.loads(made.to_json())
    del document["parameters"][lacking]
    older = Validation.from_json(json.dumps(document))
    extract = json.loads(quoted_extract(made, made.to_json().encode(), ()).to_json())
    del extract["parameters"][lacking]
    analysis = build(tmp_path, kind=kind, kept=False)
    now = analysis.parameters.model_copy(update={lacking: Parameters.model_fields[lacking].default})
    then = analysis.parameters.model_copy(update={lacking: 0})
    no_part = {"skip_unreferenced", "sound"} | (
        PHOTO_PARAMETERS if kind is MediaKind.VIDEO else VIDEO_PARAMETERS
    )
    for source in (older, Laboratory.from_json(json.dumps(extract))):
        value = getattr(source.parameters, lacking)
        assert value == 0 and type(value) is type(getattr(Parameters(), lacking))
        fits = of_analysis(source, analysis).model_copy(
            update={"parameters": analysis.parameters.model_copy(update={lacking: value})}
        )
        assert difference_to_analysis(fits, analysis.model_copy(update={"parameters": then})) == ""
        difference = difference_to_analysis(fits, analysis.model_copy(update={"parameters": now}))
        assert difference == "" if lacking in no_part else lacking in difference


def test_stored_validation_is_read_unchanged(made: Validation) -> None:
    for lacking, default in ((name, Parameters.model_fields[name].default) for name in LATER_PARAMETERS):
        assert getattr(Validation.from_json(made.to_json()).parameters, lacking) == default


def test_validation_applies_with_and_without_a_second_look(made: Validation) -> None:
    """Where the second look was taken, an analysis states the calibration of fused logits, not the scan's."""
    card, weights = load_card()
    whole = card.model_copy(update={"second_look": read_second_look(card, weights)})
    assert whole.second_look is not None
    assert whole.fused.temperature != whole.temperature, "else this test says nothing"
    validated = validated_model(None)
    for used in (whole.as_model(), whole.fused.as_model()):
        analysis = SimpleNamespace(model=used, parameters=made.parameters, media=_VIDEO)
        assert difference_to_parameters(validated, made.parameters, analysis) == ""  # type: ignore[arg-type]
    other = SimpleNamespace(
        model=whole.as_model().model_copy(update={"temperature": 9.0}),
        parameters=made.parameters,
        media=_VIDEO,
    )
    assert "another calibration" in difference_to_parameters(validated, made.parameters, other)  # type: ignore[arg-type]

    look = validated.second_look
    assert look is not None
    for card_sha256, why in (("00" * 32, "another second look"), (None, "")):  # another fusion; not recorded
        before = look.model_copy(update={"card_sha256": card_sha256})
        model = whole.as_model().model_copy(update={"second_look": before})
        analysis = SimpleNamespace(model=model, parameters=made.parameters, media=_VIDEO)
        assert why in difference_to_parameters(validated, made.parameters, analysis)  # type: ignore[arg-type]
        assert bool(why) == bool(difference_to_parameters(validated, made.parameters, analysis))  # type: ignore[arg-type]


def test_validation_without_second_look_applies_to_such_analyses(made: Validation) -> None:
    alone = made.parameters.model_copy(update={"second_look": 0})
    validated = validated_model(None, alone)
    assert validated.second_look is None and validated.sha256 == validated_model(None).sha256
    card, _ = load_card()
    analysis = SimpleNamespace(model=card.alone.as_model(), parameters=alone, media=_VIDEO)
    assert difference_to_parameters(validated, alone, analysis) == ""  # type: ignore[arg-type]
    assert "second look" in difference_to_parameters(validated_model(None), alone, analysis)  # type: ignore[arg-type]


def test_changed_model_invalidates_the_validation(made: Validation) -> None:
    now = made.model
    assert difference_to_model(made, now) == ""
    assert "other weights" in difference_to_model(made, now.model_copy(update={"sha256": "00" * 32}))
    changed = now.model_copy(update={"card_sha256": "00" * 32})
    assert "calibration or the second look" in difference_to_model(made, changed)
