"""A long analysis on the review desk: an outline at once, every score in the end, what shows first."""

from __future__ import annotations

import json
from collections.abc import Iterator

import desk
import pytest
from made_results import finished
from playwright.sync_api import Page

HOURS, COUNT = 2, 24_000
# What the desk holds of each person, as text, against what it holds when it is given all at once.
HELD = """async (address) => {
    const d = await import('/static/js/review/data.js');
    const whole = d.prepare(await (await fetch(`${address}/desk?scores=all`)).json());
    const text = (data) => JSON.stringify([[...data.frames], [...data.scores].map(([id, scores]) =>
        [id, ...Object.keys(scores).sort().map((name) => [...scores[name]])])]);
    return [text(document.getElementById('review').desk.data), text(whole)];
}"""


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[desk.Served, str]]:
    with desk.served(tmp_path_factory.mktemp("long") / "data") as app:
        yield app, finished(app.app, persons=2, segments=6, duration=HOURS * 3600.0, count=COUNT).id


def stretches(seen: desk.Seen) -> list[str]:
    return [address.partition("?")[2] for address in seen.addresses if "/desk/scores" in address]


def test_it_opens_on_an_outline_and_comes_to_hold_every_score(
    long: tuple[desk.Served, str], page: Page, seen: desk.Seen
) -> None:
    app, analysis = long
    with page.expect_response("**/desk") as answer:
        page.goto(f"{app.address}/analyses/{analysis}")
    sizes = answer.value.request.sizes()
    assert 1_000 < sizes["responseBodySize"] < 100_000
    assert sum(len(person["time"]) for person in answer.value.json()["persons"]) < COUNT / 4
    page.locator("#review[data-complete]").wait_for(timeout=200_000)
    held, whole = page.evaluate(HELD, f"{app.address}/api/v1/analyses/{analysis}")
    assert json.loads(held) == json.loads(whole)
    assert len(stretches(seen)) == len(set(stretches(seen))) == -(-HOURS * 3600 * 2 * COUNT // 12_000) // 7200
    assert not seen.console


def test_what_is_looked_at_is_read_first(long: tuple[desk.Served, str], page: Page, seen: desk.Seen) -> None:
    app, analysis = long
    held: list[object] = []
    passes: list[bool] = []
    page.route("**/desk/scores?*", lambda route: route.continue_() if passes else held.append(route))
    page.goto(f"{app.address}/analyses/{analysis}")
    page.locator("#review").wait_for()
    # From the first moment each segment has its lane, and a line is drawn, not single points.
    lanes = page.evaluate(
        "() => document.getElementById('review').desk.lanes.map((lane) => lane.segments.length)"
    )
    assert sum(lanes) == 6
    page.locator("#explore").fill("0.9")
    assert "until then it is computed from an outline" in (
        page.locator("#explore-words").text_content() or ""
    )
    page.evaluate("() => document.getElementById('review').desk.timeline.show(6800, 6900)")
    passes.append(True)
    while held:
        held.pop(0).continue_()  # type: ignore[attr-defined]
    page.locator("#review[data-complete]").wait_for(timeout=200_000)
    starts = [float(query.partition("start=")[2].partition("&")[0]) for query in stretches(seen)]
    assert starts[2] < 6800 < starts[2] + HOURS * 3600 * 12_000 / (2 * COUNT)
