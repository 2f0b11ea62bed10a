"""The review desk of what other views do not confirm: looked at, not flagged."""

from __future__ import annotations

from pathlib import Path

import desk
import pytest
from analyses import build, with_stability
from made_results import finished
from playwright.sync_api import Page, expect

from detector.schema.analysis import MediaKind, Verdict

pytestmark = pytest.mark.browser


def test_it_is_not_called_flagged(tmp_path: Path, page: Page, seen: desk.Seen) -> None:
    for kind in (MediaKind.VIDEO, MediaKind.IMAGE):
        changes = {"kind": kind, "persons": 1, "segments": 1, "verdict": Verdict.INCONCLUSIVE}
        made = build(tmp_path / "made", kept=False, **changes)  # type: ignore[arg-type]
        with desk.served(tmp_path / kind.value) as app:
            row = finished(app.app, {"persons": with_stability(made, A=0.6).persons}, **changes)
            page.goto(f"{app.address}/analyses/{row.id}")
            expect(page.locator("#tab-segments")).to_have_text("Looked at, not flagged 1")
            expect(page.locator("#inspector-title")).to_have_text("Looked at, not flagged: A1, Person A")
            paragraph = page.locator("#inspector p").first
            expect(paragraph).to_contain_text("not flagged. Person A: small changes of the same pictures")
            assert paragraph.inner_text().lower().count("not flagged") == 1
            expect(page.locator("#review")).not_to_contain_text("Flagged face A1")

            page.evaluate("localStorage.setItem('reelproof-reviewer', 'Ada')")
            thing = "face" if kind is MediaKind.IMAGE else "stretch"
            expect(page.locator("#inspector")).to_contain_text(f"Does this {thing} show manipulation?")
            page.get_by_role("button", name="It does", exact=False).first.click()
            expect(page.locator("#toast")).to_contain_text("A1 shows manipulation")
            expect(page.locator(".segment-row")).to_contain_text("Shows manipulation")
            page.get_by_role("tab", name="Annotations").click()
            expect(page.locator("#history")).to_contain_text("Looked at, not flagged: A1")
            expect(page.locator("#review")).not_to_contain_text("Agrees")
            if kind is MediaKind.VIDEO:
                page.locator("#explore").evaluate(
                    "(slider) => { slider.value = 0.6; slider.dispatchEvent(new Event('input')); }"
                )
                words = page.locator("#explore-words")
                expect(words).to_contain_text("recorded: 0 at")
                expect(words).to_contain_text("Recorded besides: 1 stretch looked at and not flagged")
    assert not seen.console
