"""The sound on the desk: on the clock of the picture, also before and after it; words where nothing is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from analyses import write_png
from clips import numbered, write_clip
from desk import Served, served
from made_results import finished
from playwright.sync_api import Browser, Page, expect
from voices import recording, two_channels, voice

from detector.schema.voice import SoundStream, Spectrogram, VoiceScores, Waveform
from webapp.exhibits.media.playback import Playback, save_playback

pytestmark = pytest.mark.browser

# Of a copy, since Chromium complains where a canvas that is drawn to is read often.
_COLOUR = """(canvas, [x, y]) => {
  const copy = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, -Math.round(x * canvas.width), -y);
  return [...copy.getImageData(0, 0, 1, 1).data];
}"""
_WAVE, _SPECTRUM, _SCORES = 10, 66, 120  # px: a place in each strip
_START, _END, _PICTURE = 3.0, 14.0, 8.0  # seconds


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("sound-lane") / "data") as app:
        yield app


def test_late_sound_lies_under_its_pictures_and_goes_on_after_them(app: Served, page: Page) -> None:
    late = voice(
        spans=(),
        stream=SoundStream(
            index=1, codec="aac", sample_rate=16000, channels=1, start=_START, duration=_END - _START
        ),
        waveform=Waveform(start=_START, step=0.1, low=(-900,) * 110, high=(900,) * 110),
        spectrogram=Spectrogram(path="overlays/voice.png", start=_START, end=_END, highest=8000.0),
        scores=VoiceScores(window=4.0, step=0.5, enter=0.85, leave=0.7),
        gaps=(),
        reason="9.5 s of speech were judged; nowhere does the sound resemble synthetic speech enough for a "
        "finding.",
    )
    row = finished(app.app, {"voice": late}, segments=0, duration=_PICTURE)
    write_png(app.folders.result(row.id) / "overlays/voice.png", np.zeros((40, 400, 3), np.uint8))
    page.goto(f"{app.address}/analyses/{row.id}")
    expect(page.locator("#lanes")).to_have_attribute("aria-valuemax", "14.000")
    canvas = page.locator("#sound-canvas")

    def colour(seconds: float, y: int) -> list[int]:
        pixel: list[int] = canvas.evaluate(_COLOUR, [seconds / _END, y])
        return pixel

    black = [0, 0, 0, 255]
    page.wait_for_function(
        f"() => ({_COLOUR})(document.getElementById('sound-canvas'), [0.5, {_SPECTRUM}])[0] === 0"
    )
    absent, line = colour(1.0, _WAVE), colour(5.0, _WAVE)
    assert absent != line
    for seconds, sounds in ((_START - 0.1, False), (_START + 0.1, True), (_END - 0.1, True)):
        assert colour(seconds, _WAVE) == (line if sounds else absent), seconds
        assert (colour(seconds, _SPECTRUM) == black) == sounds, seconds
    assert colour(1.0, _SPECTRUM) == colour(1.0, _SCORES) == absent
    expect(page.locator("#segment-list")).to_contain_text("No face was flagged.")
    expect(page.locator("#voice-list")).to_contain_text("No voice was flagged.")
    expect(page.locator("#voice-list")).to_contain_text("9.5 s of speech were judged")

    page.locator("#sound-lanes").hover(position={"x": 20, "y": 20})
    expect(page.locator("#sound-tip")).to_contain_text("no sound here")
    page.locator("#lanes").hover(position={"x": page.locator("#lanes").bounding_box()["width"] - 20, "y": 60})  # type: ignore[index]
    expect(page.locator("#lanes-tip")).to_contain_text("no picture here, the sound goes on")


def test_channels_that_differ_have_a_lane_each(app: Served, page: Page) -> None:
    row = finished(
        app.app, {"voice": two_channels(spans=((3.0, 8.5), (11.0, 14.0)))}, segments=0, duration=20.0
    )
    page.goto(f"{app.address}/analyses/{row.id}")
    names = page.locator(".sound-names li")
    expect(names).to_have_text(
        ["Channel 1 (left)", "Spectrogram", "Voice", "Channel 2 (right)", "Spectrogram", "Voice"]
    )
    canvas, lanes = page.locator("#sound-canvas"), page.locator("#sound-lanes")
    page.wait_for_function(  # the script sizes the canvas once the sound has come
        "() => { const box = (name) => document.querySelector(name).getBoundingClientRect();"
        " const height = box('#sound-canvas').height;"
        " return height > 0 && height === box('.sound-names').height }"
    )
    height, width = canvas.bounding_box()["height"], lanes.bounding_box()["width"]  # type: ignore[index]
    expect(page.locator("#voice-list")).to_contain_text("Voice 2, channel 2 (right)")
    chosen = page.locator(".voice-row[aria-current=true]")
    middle = width * 12.5 / 20  # seconds of the second segment, on the other lane and on its own
    lanes.hover(position={"x": middle, "y": 10})
    expect(page.locator("#sound-tip")).to_contain_text("Channel 1 (left)")
    expect(page.locator("#sound-tip")).not_to_contain_text("Voice 2")
    lanes.click(position={"x": middle, "y": 10})
    expect(chosen).to_contain_text("Voice 1")
    lanes.click(position={"x": middle, "y": height - 10})
    expect(chosen).to_contain_text("Voice 2")
    flagged = canvas.evaluate(_COLOUR, [5.0 / 20, int(height) - 3])
    assert flagged != canvas.evaluate(_COLOUR, [5.0 / 20, int(height) // 2 - 3])


def test_the_clock_goes_on_where_the_picture_has_ended(app: Served, page: Page, tmp_path: Path) -> None:
    """No frame comes after the last picture, by whose times the desk goes."""
    clip = write_clip(tmp_path / "short.mp4", [numbered(0)] * 5, sound=4)
    whole = voice(
        spans=(),
        stream=SoundStream(index=1, codec="aac", sample_rate=8000, channels=1, start=0.0, duration=4.0),
        waveform=None,
        spectrogram=None,
        scores=VoiceScores(window=4.0, step=0.5, enter=0.85, leave=0.7),
        gaps=(),
    )
    row = finished(app.app, {"voice": whole}, segments=0, duration=0.2, file=clip.name)
    exhibit = app.folders.data / row.exhibit.path
    exhibit.unlink()
    clip.rename(exhibit)
    save_playback(app.folders, row.exhibit.sha256, Playback("exhibit", "video/mp4", 0.0, 160, 96, ""))
    page.goto(f"{app.address}/analyses/{row.id}")
    now = page.locator("#now")
    page.locator("#play").click()
    page.wait_for_function("() => document.getElementById('now').textContent >= '00:00:01.000'")
    page.locator("#play").click()
    page.locator("#play").focus()
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_function("() => !document.getElementById('video').seeking")
    assert "00:00:02" <= now.inner_text() < "00:00:04"


_LINES = """(item) => {
  const range = document.createRange();
  range.selectNodeContents(item);
  return range.getClientRects().length;
}"""


@pytest.mark.parametrize("width", [360, 1280])
def test_a_flagged_recording_fits(app: Served, browser: Browser, tmp_path: Path, width: int) -> None:
    made = recording(tmp_path)
    row = finished(app.app, {"voice": made.voice, "media": made.media}, segments=0, persons=0)
    with browser.new_context(viewport={"width": width, "height": 720}, locale="es-ES") as context:
        page = context.new_page()
        page.goto(f"{app.address}/analyses/{row.id}")
        expect(page.locator("#review")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.get_by_text("Espectrograma", exact=True).first.evaluate(_LINES) == 1


def test_a_recording_in_which_nothing_is_flagged_says_so(app: Served, page: Page, tmp_path: Path) -> None:
    made = recording(tmp_path, spans=(), reason="17.5 s of speech were judged; none of it was high.")
    row = finished(app.app, {"voice": made.voice, "media": made.media}, segments=0, persons=0)
    page.goto(f"{app.address}/analyses/{row.id}")
    expect(page.locator("#voice-list")).to_contain_text("Nothing was flagged.")
    expect(page.locator("#voice-list")).to_contain_text("17.5 s of speech were judged")


def test_another_threshold_of_the_voices_is_explored(app: Served, page: Page) -> None:
    """Two segments whose gap stays below the recorded threshold become one at a lower threshold."""
    made = voice(spans=((3.0, 6.0), (9.0, 12.0), (15.0, 17.0)))
    smoothed = tuple(
        0.4 if 6 < time < 9 else score
        for time, score in zip(made.scores.time, made.scores.smoothed, strict=True)
    )
    scores = made.scores.model_copy(update={"smoothed": smoothed})
    row = finished(app.app, {"voice": made.model_copy(update={"scores": scores})}, segments=1, duration=20.0)
    page.goto(f"{app.address}/analyses/{row.id}")
    words, slider = page.locator("#explore-words"), page.get_by_label("Voices", exact=True)
    expect(words).to_have_text("Move the slider to see what another threshold would flag.")
    expect(page.locator("#explore-voice-value")).to_have_text("0.65")
    slider.fill("0.3")
    expect(words).to_contain_text("Voices at 0.30: 2 stretches would be flagged; recorded: 3 at 0.65.")
    expect(words).to_contain_text("2 recorded segments merge into 1: Voice 1 + Voice 2.")
    expect(words).not_to_contain_text("Faces at")
    dashed = [
        page.locator("#sound-canvas").evaluate(_COLOUR, [time / 20, 44 + 44 + 1])
        for time in (7.4, 7.45, 7.5, 7.55)
    ]
    assert [0x6A, 0x3D, 0x9A, 255] in dashed, "between both segments, on the dashed frame"
    slider.fill("0.99")
    expect(words).to_contain_text("Voices at 0.99: 0 stretches")
    page.get_by_label("Faces", exact=True).fill("0.05")
    expect(words).to_contain_text("Faces at 0.05")
    page.get_by_role("button", name="Reset").click()
    expect(words).to_have_text("Move the slider to see what another threshold would flag.")
    expect(slider).to_have_value("0.65")


@pytest.mark.parametrize("part", ["#inspector", ".sound-panel"])
def test_what_hiding_areas_changes_is_drawn_as_bars(app: Served, page: Page, part: str) -> None:
    """Of faces and of voices, on the scale of logits: hottest area, random areas, and the least fall."""
    row = finished(app.app, {"voice": voice()}, segments=1, duration=20.0)
    page.goto(f"{app.address}/analyses/{row.id}")
    table = page.locator(part).get_by_role("table", name="Hide and score again").first
    expect(table).to_be_visible()
    bars = table.locator("svg.hide-bar")
    hottest, random = bars.locator("rect").evaluate_all(
        "(all) => all.map((one) => Number(one.getAttribute('width')))"
    )
    falls = [float(cell.replace("−", "-")) for cell in table.locator("td:nth-child(3)").all_inner_texts()[1:]]
    assert hottest == 100 and random == pytest.approx(100 * falls[1] / falls[0], abs=0.5)
    least = bars.first.locator("path[stroke-dasharray]").get_attribute("d")
    assert least is not None and random < float(least[1:].split()[0]) < hottest
