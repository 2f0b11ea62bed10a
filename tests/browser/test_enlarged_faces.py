"""The desk's enlarged faces, film strip and calm moment; and a report in both lengths."""

from __future__ import annotations

from pathlib import Path

import desk
import pypdfium2
import pytest
from analyses import build
from made_results import finished
from playwright.sync_api import Page, expect

from detector.schema.analysis import CalmFrame, StripFace

pytestmark = pytest.mark.browser


def test_faces_are_enlarged_and_reports_have_two_lengths(tmp_path: Path, page: Page, seen: desk.Seen) -> None:
    (segment,) = build(tmp_path / "made", persons=1, segments=1).segments
    peak = segment.peaks[0]
    assert peak.frame is not None
    strip = tuple(
        StripFace(time=segment.start - 1 + number, pts=number, probability=0.1 * number, picture=peak.frame)
        for number in range(6)
    )
    calm = CalmFrame(time=1.0, pts=1, probability=0.02, box=peak.box, frame=peak.frame)
    changed = segment.model_copy(update={"strip": strip, "calm": calm})
    with desk.served(tmp_path / "app") as app:
        row = finished(app.app, {"segments": (changed,)}, persons=1, segments=1)
        page.goto(f"{app.address}/analyses/{row.id}")
        expect(page.locator("#inspector-title")).to_contain_text("Segment A1")
        faces = page.locator("#inspector .film-strip figure")
        expect(faces).to_have_count(6)
        expect(page.locator("#inspector .film-strip .inside")).to_have_count(
            5
        )  # the first is before its start
        expect(faces.nth(2)).to_contain_text("0.20")
        enlarged = page.locator("#inspector .peak").first.locator(".peak-three.near svg")
        expect(enlarged).to_have_count(4)  # original, with heatmap, heatmap alone, calm moment
        boxes = [enlarged.nth(number).bounding_box() for number in range(4)]
        assert all(box is not None and box["width"] >= 90 and box["height"] >= 90 for box in boxes)
        expect(page.locator("#inspector figure.calm")).to_contain_text("Calm moment 00:00:01.000, score 0.02")

        downloads = page.get_by_role("group", name="Downloads")
        address = downloads.get_by_role("link", name="Summary", exact=True).get_attribute("href")
        assert address is not None and "length=summary" in address
        answer = page.request.get(f"{app.address}{address}", timeout=240_000)
        assert answer.ok and "summary.pdf" in answer.headers["content-disposition"]
        with pypdfium2.PdfDocument(answer.body()) as summary:
            assert len(summary) == 2
        full = page.request.get(f"{app.address}/analyses/{row.id}/report.pdf", timeout=240_000)
        with pypdfium2.PdfDocument(full.body()) as document:
            assert len(document) > 2
    assert not seen.console
