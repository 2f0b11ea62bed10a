"""The checksum of annotations is the same whoever computes it: Python, or the page of a bundle."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from playwright.sync_api import Page

from reports.review.annotation_file import canonical, checksum, parse, read_file, to_json

pytestmark = pytest.mark.browser

# Whatever a keyboard or a clipboard may hold, but for halves of characters, which no text has.
CHARACTERS = [
    chr(code) for code in (*range(1, 0x180), 0x2028, 0x2029, 0x202E, 0xFEFF, 0xFFFD, 0x1F39E, 0x10FFFF)
]
NUMBERS = [0, 0.0, -0.0, 1, 1.0, 0.001, 0.1, 59.999, 7200.0, 7199.123, 86_400.0, 1e7, 2**53 - 1, 123_456.789]


def in_javascript(page: Page, text: str) -> Any:
    """Canonical text and its SHA-256 of what JavaScript reads out of a JSON text."""
    return page.evaluate(
        """async (text) => {
            const { canonical, fingerprint } = await import("/static/js/review/checksum.js");
            const value = JSON.parse(text);
            return [canonical(value), await fingerprint(canonical(value))];
        }""",
        text,
    )


def test_every_character_is_written_alike(modules: Page) -> None:
    values = [{"note": character, "a": f'x{character}\\"/'} for character in CHARACTERS]
    assert in_javascript(modules, json.dumps(values)) == [canonical(values), checksum(values)]


def test_numbers_are_written_alike(modules: Page) -> None:
    chance = random.Random(5)
    numbers = [*NUMBERS, *(round(chance.uniform(0, 10**power), 3) for power in range(8) for _ in range(200))]
    assert in_javascript(modules, json.dumps(numbers))[0] == canonical(numbers)
    assert in_javascript(modules, canonical(numbers))[0] == canonical(numbers)


def test_annotations_of_every_kind_are_written_alike(modules: Page) -> None:
    annotations: list[dict[str, Any]] = [
        {
            "kind": "segment",
            "segment": "A1",
            "verdict": "agree",
            "note": "zeile\nzwei „Anführung“ 漢字 مرحبا",
        },
        {"kind": "exhibit", "verdict": "unsure"},
        {"kind": "span", "start": 0.1 + 0.2, "end": 5, "verdict": "manipulated", "person": "B"},
        {"kind": "rename", "person": "A", "name": "Ève"},
        {"kind": "merge", "person": "A", "into": "B"},
        {"kind": "split", "person": "A", "tracks": [3, 1]},
        {"kind": "withdrawal", "about": "0" * 32},
    ]
    values = [
        to_json(parse({"id": f"{n:032x}", "author": "Zoë", "made": "2026-11-20T10:00:00Z", **annotation}))
        for n, annotation in enumerate(annotations)
    ]
    assert in_javascript(modules, json.dumps(values)) == [canonical(values), checksum(values)]


def test_a_file_that_the_page_puts_together_is_read(modules: Page) -> None:
    """As store.js does it, from annotations as Python put them into the page."""
    span = parse(
        {
            "id": "1" * 32,
            "author": "Zoë",
            "made": "2026-11-20T10:00:00Z",
            "kind": "span",
            "start": 3.0,
            "end": 4.5,
            "verdict": "manipulated",
        }
    )
    text = modules.evaluate(
        """async (annotations) => {
            const { canonical, fingerprint } = await import("/static/js/review/checksum.js");
            annotations.push({ id: "2".repeat(32), author: "Bo", made: new Date(1.8e12).toISOString(),
                               kind: "exhibit", verdict: "agree", note: "\u00e9 \\u2028" });
            return JSON.stringify({ reelproof_judgements: "1.0", analysis: "a", analysis_sha256: "b",
                                    exhibit_sha256: "c", saved: "now", annotations,
                                    sha256: await fingerprint(canonical(annotations)) }, null, 2);
        }""",
        [span.model_dump(mode="json", exclude_none=True)],
    )
    saved = read_file(text.encode())
    assert saved.annotations[0] == span and saved.annotations[1].author == "Bo"
