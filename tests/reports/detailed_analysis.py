"""An analysis with details of its exhibit, for the tests of views that show them."""

from __future__ import annotations

from pathlib import Path

from analyses import build

from detector.schema.analysis import Analysis
from detector.schema.metadata import (
    Anomaly,
    Credentials,
    Details,
    Failure,
    Groups,
    Moment,
    Picture,
    Stream,
    Structure,
    Tag,
    Timing,
)
from reports.inputs.input_files import ExhibitCheck
from reports.render.html import render_html
from reports.report_view import ReportInputs, report_view


def detailed(folder: Path, **changes: object) -> Analysis:
    analysis = build(folder, kept=False)
    details = Details(
        streams=(
            Stream(index=0, kind="video", codec="h264", examined=True, duration=60),
            Stream(index=1, kind="audio", codec="aac", examined=False, channels=2, sample_rate=48_000),
        ),
        picture=Picture(
            profile="High",
            level=31,
            codec_tag="avc1",
            bit_rate=4_000_000,
            sample_aspect_ratio="4/3",
            declared_frame_rate="30000/1001",
            container_duration=61.5,
        ),
        groups=Groups(
            packets=1798,
            key_frames=8,
            shortest=12,
            longest=250,
            median=250,
            lengths=(),
            with_leading_frames=0,
            i_frames=8,
            p_frames=590,
            b_frames=1200,
            other_frames=0,
        ),  # fmt: skip
        timing=Timing(
            least_interval=0.0333,
            greatest_interval=0.0667,
            median_interval=0.0333,
            failures=tuple(Failure(time=i, what="a packet the decoder refused") for i in range(40)),
        ),
        structure=Structure(brand="isom", compatible=("mp41",), boxes=("ftyp", "moov", "mdat")),
        tags=(Tag(place="file", name="encoder", value="<script>alert(1)</script>\\u202e"),),
        times=(Moment(place="file", name="created", written="3", utc="2024-05-06T07:08:09Z"),),
        location="+52.5/",
    )
    media = analysis.media.model_copy(
        update={
            "details": details,
            "frames_undecodable": 40,
            "anomalies": (
                Anomaly(kind="edit list", observation="seen", concern="matters", innocent="harmless"),
            ),
            "credentials": Credentials(checked=True, library="c2pa-python 0"),
            **changes,
        }
    )
    return analysis.model_copy(update={"media": media})


def page(analysis: Analysis, folder: Path, now: ExhibitCheck | None = None) -> str:
    """The report's page, with what was found when the exhibit was measured again."""
    return render_html(report_view(analysis, folder, ReportInputs(check=now)), {}, ())
