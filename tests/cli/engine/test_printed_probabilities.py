"""The shell writes a probability as reports do, as no certainty and not lifted; counts have their noun."""

from __future__ import annotations

from pathlib import Path

import pytest
from analyses import build
from made_comparison_results import comparison_of

from cli.engine import analyze
from cli.engine import analyze as cli_analyze
from detector.schema.analysis import OtherModel, Ran
from detector.schema.formatting import count_noun


def test_segments_and_further_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = build(tmp_path, segments=2, kept=False)
    sure, near = (
        segment.model_copy(update={"confidence": value})
        for segment, value in zip(made.segments, (0.998, 0.647), strict=True)
    )
    other = OtherModel(
        model=made.model,
        verdict=made.verdict,
        reason=made.reason,
        probability=0.7968,
        segments=(),
        persons=made.persons,
        ran=Ran(backend="torch", precision="float32", device="cpu"),
    )
    raised = made.parameters.model_copy(update={"enter_threshold": 0.8})
    analyze._print_analysis(
        made.model_copy(update={"segments": (sure, near), "others": (other,), "parameters": raised}), None
    )
    output = capsys.readouterr().out
    assert "  score > 0.99" in output and "  score 0.647" in output and "1.00" not in output
    assert f"{made.model.title}: {made.verdict}, score 0.796\n" in output


def test_comparison(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = comparison_of(tmp_path, ("exhibit.mp4", "original.mp4"), ("a" * 64, "b" * 64))
    (segment,) = made.segments
    sure = segment.model_copy(update={"confidence": 0.999})
    cli_analyze._print_comparison(made.model_copy(update={"segments": (sure,)}), tmp_path)
    assert "  score > 0.99\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("number", "printed"), [(0, "0 files"), (1, "1 file"), (2, "2 files"), (1234, "1,234 files")]
)
def test_counts_have_separators_and_a_matching_noun(number: int, printed: str) -> None:
    assert count_noun(number, "file") == printed
