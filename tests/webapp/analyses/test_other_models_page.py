"""Result page and report of an analysis by several models."""

from __future__ import annotations

import re
from pathlib import Path

from analyses import build, with_stability
from flask import Flask
from flask.testing import FlaskClient
from made_results import finished

from detector.schema.analysis import Joint, OtherModel, Ran, Verdict
from detector.schema.joint import JointRule
from reports.render.html import render_html
from reports.report_view import report_view


def other_saying(tmp_path: Path, **stability: float) -> OtherModel:
    analysis = with_stability(build(tmp_path, persons=2, segments=2), **stability)
    fields = {name: getattr(analysis, name) for name in OtherModel.model_fields if name != "ran"}
    return OtherModel(**fields, ran=Ran(backend="torch", precision="float32", device="cpu"))


def test_flags_of_other_models_need_confirmation_by_other_views(
    app: Flask, client: FlaskClient, tmp_path: Path
) -> None:
    joint = Joint(rule=JointRule.FIRST, verdict=Verdict.MANIPULATED, reason="")
    for stability, expected in (({}, ["A1", "B1"]), ({"B": 0.6}, ["A1"]), ({"A": 0.6, "B": 0.6}, [])):
        fields = {"others": (other_saying(tmp_path, **stability),), "joint": joint}
        row = finished(app, fields, persons=2, segments=2)
        page = client.get(f"/analyses/{row.id}").text
        assert f'<a href="#others">2 models together: {joint.verdict}</a>' in page
        lists = re.findall(r"What [^<]* flags</summary>.*?</ul>", page, re.DOTALL)
        assert [re.findall(r"<li><strong>(\w+)<", block) for block in lists] == [expected] * bool(expected)

        analysis = build(tmp_path, persons=2, segments=2).model_copy(update=fields)
        view = report_view(analysis, tmp_path)
        text = render_html(view, {picture.key: b"" for picture in view.pictures})
        section = text[text.index('<h2 id="others">') :]
        titles = re.findall(r"<h4>Segment (\w+)<", section[: section.index("<h2", 5)])
        assert titles == expected
        assert ("This model flagged nothing." in section) == (not expected)
