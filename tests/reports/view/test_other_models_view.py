"""What a report says of the other models of an analysis with several."""

from __future__ import annotations

from pathlib import Path

from analyses import build, with_stability

from detector.schema.analysis import Joint, OtherModel, Ran, Verdict
from detector.schema.joint_rule import JointRule
from reports.view.other_models import other_models_view


def test_only_those_whom_other_views_confirm_are_flagged(tmp_path: Path) -> None:
    """Pictures of the others stay with the analysis."""
    one = with_stability(build(tmp_path, persons=2, segments=2), B=0.6)
    other = OtherModel(
        model=one.model,
        verdict=one.verdict,
        reason=one.reason,
        probability=one.probability,
        segments=one.segments,
        persons=one.persons,
        ran=Ran(backend="torch", precision="float32", device="cpu"),
    )
    both = one.model_copy(
        update={
            "others": (other,),
            "joint": Joint(rule=JointRule.ALL, verdict=Verdict.MANIPULATED, reason=""),
        }
    )
    view = other_models_view(both, tmp_path)
    assert view is not None and [row.flagged for row in view.rows] == ["A1", "A1"]
    assert [each.segment.flagged for each in view.models[0].flagged] == [True, False]
    assert all("/A1-" in str(picture.path) for picture in view.pictures)
    assert {str(picture.path)[:12] for picture in view.kept} == {"overlays/A1-", "overlays/B1-"}
