"""The review desk for a photograph: zoom and pan, the slider, and one face enlarged with its grid."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from pathlib import Path

import desk
import numpy as np
import pytest
from desk import Served
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from review_desk import WORK, heatmaps_drawn, of_desk

from detector.demo_clip import portraits

pytestmark = pytest.mark.browser

_ALL_FLAGGED = {"enter_threshold": 0.002, "exit_threshold": 0.001, "doubt_threshold": 0.001, "second_look": 0}
_NONE_FLAGGED = {"enter_threshold": 0.999, "second_look": 0}

# Whether anything on the canvas of boxes has the colour of what is flagged.
_REDDISH = """() => {
    const boxes = document.getElementById("boxes");
    const { data } = boxes.getContext("2d").getImageData(0, 0, boxes.width, boxes.height);
    for (let at = 0; at < data.length; at += 4) {
        if (data[at] === 255 && data[at + 1] === 122 && data[at + 2] === 92) return true;
    }
    return false;
}"""


@pytest.fixture(scope="module")
def flagged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, str]]:
    """The app, and an analysis of a JPEG of two people, both flagged by next to no threshold."""
    folder = tmp_path_factory.mktemp("photo-desk")
    collins, hopper = portraits()
    both = np.full((512, 1000, 3), 128, np.uint8)
    both[:, :512] = collins
    both[: min(512, hopper.shape[0]), 512:1000] = hopper[:512, 10:498]
    Image.fromarray(both).save(folder / "two.jpg", quality=92)
    with desk.served(folder / "data") as app:
        yield app, app.analysed(folder / "two.jpg", changes=_ALL_FLAGGED)


@pytest.fixture
def photo(flagged: tuple[Served, str], page: Page) -> Page:
    app, analysis = flagged
    page.set_default_timeout(WORK)
    page.goto(f"{app.address}/analyses/{analysis}")
    expect(page.locator("#review")).to_be_visible()
    page.wait_for_function("() => document.getElementById('still').naturalWidth > 0")
    expect(page.locator("#face-panel")).to_be_visible()
    return page


def pixel(page: Page, canvas: str, x: float, y: float) -> list[int]:
    return page.evaluate(
        "([id, x, y]) => [...document.getElementById(id).getContext('2d').getImageData(x, y, 1, 1).data]",
        [canvas, x, y],
    )


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("code", ["en", "de", "es"])
def test_the_words_of_tabs_stand_apart(
    flagged: tuple[Served, str], browser: Browser, code: str, width: int
) -> None:
    app, analysis = flagged
    context = browser.new_context(viewport={"width": width, "height": 800}, locale=code)
    page = context.new_page()
    page.goto(f"{app.address}/analyses/{analysis}")
    expect(page.locator("#tab-file")).to_be_visible()
    gaps = page.evaluate("""() => {
        const words = [...document.querySelectorAll(".tabs button")].map((tab) => {
            const range = document.createRange();
            range.selectNodeContents(tab);
            return range.getBoundingClientRect();
        });
        const pairs = words.slice(1).map((word, at) => [words[at], word]);
        const inOneRow = pairs.filter(([before, word]) => before.top === word.top);
        return inOneRow.map(([before, word]) => word.left - before.right);
    }""")
    assert gaps and min(gaps) >= 7
    context.close()


def test_what_is_transparent_is_seen_on_white_as_it_was_examined(
    flagged: tuple[Served, str], page: Page, tmp_path: Path
) -> None:
    app, _ = flagged
    face = portraits()[0]
    alpha = np.zeros(face.shape[:2], np.uint8)
    alpha[40:260, 130:330] = 255
    Image.fromarray(np.dstack([face, alpha])).save(tmp_path / "cut out.png")
    page.set_default_timeout(WORK)
    page.goto(f"{app.address}/analyses/{app.analysed(tmp_path / 'cut out.png', changes=_ALL_FLAGGED)}")
    page.wait_for_function("() => document.getElementById('still').naturalWidth > 0")
    assert of_desk(page, "desk.data.raw.photo.copy") is False

    def seen(x: float, y: float) -> tuple[int, ...]:
        """A point of the stage, by shares of it."""
        shot = Image.open(io.BytesIO(page.locator("#stage").screenshot())).convert("RGB")
        colour = shot.getpixel((round(x * (shot.width - 1)), round(y * (shot.height - 1))))
        assert isinstance(colour, tuple)
        return colour

    # The photo is as high as the stage, which is wider.
    shape = of_desk(page, "desk.player.stage.clientWidth / desk.player.stage.clientHeight")
    assert shape > 1.2
    assert seen(0.5, 0.02) == seen(0.5 - 0.45 / shape, 0.98) == (255, 255, 255)
    assert max(seen(0.01, 0.02)) < 40
    page.evaluate("() => document.getElementById('review').desk.player.photo.by(1.1)")
    page.wait_for_function("() => document.getElementById('review').desk.player.photo.zoom > 1.05")
    assert seen(0.5, 0.02) == (255, 255, 255) and max(seen(0.01, 0.02)) < 40
    expect(page.locator("#face-panel")).to_be_visible()
    assert pixel(page, "face-pixels", 1, 1) == [255, 255, 255, 255]


def test_zoom_reaches_single_pixels_and_stays_where_the_pointer_is(photo: Page) -> None:
    assert of_desk(photo, "desk.player.photo.zoom") == 1
    box = photo.locator("#stage").bounding_box()
    assert box is not None
    at = box["x"] + 0.3 * box["width"], box["y"] + 0.4 * box["height"]
    under = f"desk.player.photo.pixelAt({at[0]}, {at[1]})"
    before = of_desk(photo, under)
    photo.mouse.move(*at)
    photo.mouse.wheel(0, -400)
    photo.wait_for_function("() => document.getElementById('review').desk.player.photo.zoom > 1.5")
    after = of_desk(photo, under)
    assert abs(after["x"] - before["x"]) < 0.5 and abs(after["y"] - before["y"]) < 0.5
    photo.keyboard.press("1")
    scale = of_desk(photo, "desk.player.photo.scale * (window.devicePixelRatio || 1)")
    assert scale == pytest.approx(1, abs=0.01)
    for _ in range(20):
        photo.get_by_role("button", name="Nearer").click()
    assert of_desk(photo, "desk.player.photo.scale") == pytest.approx(40, abs=0.5)
    photo.get_by_role("button", name="Fit", exact=True).click()
    assert of_desk(photo, "desk.player.photo.zoom") == 1


def test_a_photo_smaller_than_its_stage_is_shown_pixel_by_pixel_too(photo: Page) -> None:
    photo.set_viewport_size({"width": 3000, "height": 2000})
    photo.wait_for_function("() => document.getElementById('review').desk.player.photo.scale > 1.3")
    photo.locator("#inspector h2").click()
    photo.keyboard.press("1")
    expect(photo.locator("#photo-zoom")).to_have_text("100%")
    assert of_desk(photo, "desk.player.photo.scale") == pytest.approx(1)
    corner = "document.getElementById('boxes').getContext('2d').getImageData(2, 2, 1, 1).data"
    assert photo.evaluate(f"() => {corner}[3]") == 255  # beside it, the photo of the whole stage is covered
    photo.get_by_role("button", name="Farther").click()
    expect(photo.locator("#photo-zoom")).to_have_text("100%")
    photo.locator("#stage").dblclick()
    assert of_desk(photo, "desk.player.photo.zoom") == 1
    photo.locator("#stage").dblclick()
    expect(photo.locator("#photo-zoom")).to_have_text("100%")
    for _ in range(2):
        photo.mouse.wheel(0, -400)
    photo.wait_for_function("() => document.getElementById('review').desk.player.photo.zoom > 1")
    for _ in range(4):
        photo.mouse.wheel(0, 400)  # as far as the whole, then the page scrolls on
    photo.wait_for_function("() => document.getElementById('review').desk.player.photo.zoom === 1")


def test_dragging_and_arrows_move_a_near_photo_within_its_edges(photo: Page) -> None:
    photo.evaluate("() => document.getElementById('review').desk.player.photo.by(4)")
    box = photo.locator("#stage").bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    start = of_desk(photo, "desk.player.photo.centre")
    photo.mouse.move(*middle)
    photo.mouse.down()
    photo.mouse.move(middle[0] - 80, middle[1] - 40, steps=4)
    photo.mouse.up()
    moved, scale = of_desk(photo, "desk.player.photo.centre"), of_desk(photo, "desk.player.photo.scale")
    assert moved["x"] - start["x"] == pytest.approx(80 / scale, abs=1)
    assert moved["y"] - start["y"] == pytest.approx(40 / scale, abs=1)
    for _ in range(40):
        photo.keyboard.press("ArrowLeft")
    seen = box["width"] / scale
    assert of_desk(photo, "desk.player.photo.centre.x") == pytest.approx(seen / 2, abs=1)


def test_a_photo_says_flagged_of_faces_with_a_finding_only(photo: Page) -> None:
    assert of_desk(photo, "desk.player.overlay.drawn.filter((one) => one.state).map((one) => one.state)") == [
        "high",
        "high",
    ]
    without = """(() => { const { view, overlay } = desk.player; const { flagged } = view;
        view.flagged = () => new Set([desk.segments[0].person]);
        desk.player.draw();
        const drawn = overlay.drawn.filter((one) => one.state).map((one) => [one.person, one.state]);
        view.flagged = flagged; desk.player.draw(); return [desk.segments[0].person, drawn]; })()"""
    flagged, drawn = of_desk(photo, without)
    assert {face for face, state in drawn if state == "high"} == {flagged}


def test_compared_photos_show_as_flagged_what_the_analysis_shown_flags(
    flagged: tuple[Served, str], page: Page
) -> None:
    app, first = flagged
    second = app.analysed(app.folders.data.parent / "two.jpg", changes=_NONE_FLAGGED)
    page.goto(f"{app.address}/compare?a={first}&b={second}")
    page.wait_for_function("() => document.getElementById('still').naturalWidth > 0")
    for side, reddish in (("0", True), ("1", False), ("0", True)):
        page.locator("#shown-side").select_option(side)
        assert page.evaluate(_REDDISH) is reddish


def test_the_slider_goes_from_the_photo_over_the_heatmap_to_the_heatmap_alone(photo: Page) -> None:
    heatmaps_drawn(photo, 2)
    # The photo's own corner on the canvas: beside it is nothing but the stage.
    corner = of_desk(
        photo,
        """(() => { const { x, y } = desk.player.photo.place(desk.player.stage.getBoundingClientRect());
        const dense = window.devicePixelRatio || 1; return [dense * (x + 4), dense * (y + 4)]; })()""",
    )
    for value, dark, maps in (("0", 0, 0), ("1", 0, 2), ("2", 255, 2)):
        photo.locator("#heat").fill(value)
        assert of_desk(photo, "desk.player.overlay.drawn.filter((one) => one.map).length") == maps
        assert pixel(photo, "boxes", *corner)[3] == dark  # what covers the photo where nothing is hot
    assert of_desk(photo, "desk.player.overlay.ground") == "#0c0e11"  # as the style has it


def test_a_face_is_enlarged_pixel_by_pixel_with_the_grid_of_its_blocks(photo: Page) -> None:
    drawn = of_desk(photo, "desk.face.drawn")
    part, times = drawn["part"], drawn["times"]
    assert times >= 2
    own = photo.evaluate(
        """([x, y]) => { const canvas = document.createElement('canvas');
        const picture = document.getElementById('still');
        canvas.width = picture.naturalWidth; canvas.height = picture.naturalHeight;
        const pen = canvas.getContext('2d'); pen.drawImage(picture, 0, 0);
        return [...pen.getImageData(x, y, 1, 1).data]; }""",
        [part["x"] + 10, part["y"] + 12],
    )
    for dx, dy in ((0, 0), (times - 1, times - 1)):
        assert pixel(photo, "face-pixels", 10 * times + dx, 12 * times + dy) == own
    first = (8 - part["x"] % 8) % 8
    line, beside = first * times, (first + 4) * times
    row = ((8 - part["y"] % 8) % 8 + 4) * times + 1
    plain = pixel(photo, "face-pixels", line, row), pixel(photo, "face-pixels", beside, row)
    photo.keyboard.press("g")
    expect(photo.locator("#face-grid")).to_be_checked()
    assert pixel(photo, "face-pixels", line, row) != plain[0]
    assert pixel(photo, "face-pixels", beside, row) == plain[1]
    expect(photo.locator("#face-grid-words")).to_contain_text("JPEG")


def test_a_face_wider_than_its_frame_is_shown_from_its_middle(photo: Page) -> None:
    photo.locator("#face-times").select_option("8")
    left, top, beyond, below = photo.evaluate(
        """() => { const frame = document.getElementById('face-pixels').parentElement;
        return [frame.scrollLeft, frame.scrollTop, frame.scrollWidth - frame.clientWidth,
          frame.scrollHeight - frame.clientHeight]; }"""
    )
    assert beyond > 50 and left == pytest.approx(beyond / 2, abs=1)
    assert top == pytest.approx(below / 2, abs=1)


def test_the_noise_residual_is_grey_where_nothing_is_left_and_says_that_it_is_no_finding(photo: Page) -> None:
    expect(photo.locator("#face-residual-frame")).to_contain_text("an aid to the eye, not a finding")
    grey = photo.evaluate(
        """() => { const canvas = document.getElementById('face-residual');
        const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        let sum = 0, squares = 0, colour = 0;
        for (let i = 0; i < data.length; i += 4) {
          sum += data[i]; squares += data[i] ** 2; colour += Math.abs(data[i] - data[i + 2]);
        }
        const n = data.length / 4; return [sum / n, Math.sqrt(squares / n - (sum / n) ** 2), colour / n]; }"""
    )
    mean, spread, colour = grey
    assert mean == pytest.approx(128, abs=4) and spread > 5 and colour < 1


def test_a_press_on_a_face_chooses_it(photo: Page) -> None:
    box = photo.locator("#stage").bounding_box()
    assert box is not None
    chosen = of_desk(photo, "desk.face.drawn.face")
    other = next(person for person in ("A", "B") if person != chosen)
    middle = of_desk(
        photo,
        f"""(() => {{ const b = desk.persons.find((one) => one.id === '{other}').scores.box;
        const {{ scale, x, y }} = desk.player.photo.place(desk.player.stage.getBoundingClientRect());
        return [x + scale * (b[0] + b[2]) / 2, y + scale * (b[1] + b[3]) / 2]; }})()""",
    )
    photo.mouse.click(box["x"] + middle[0], box["y"] + middle[1])
    photo.wait_for_function(f"() => document.getElementById('review').desk.face.drawn.face === '{other}'")
    assert of_desk(photo, "desk.chosen") == f"{other}1"


def test_declarations_and_metadata_stand_beside_the_photo(photo: Page) -> None:
    photo.get_by_role("tab", name="File").click()
    panel = photo.locator("#panel-file")
    expect(panel).to_contain_text("What the file declares")
    expect(panel).to_contain_text("1000 × 512 px")
    expect(photo.locator("#lanes")).to_be_hidden()
    assert "00:00:00" not in photo.evaluate("() => document.body.innerText")


def test_labels_of_a_row_of_faces_do_not_bury_one_another(photo: Page) -> None:
    """Shortened, then below, then left out; that of the one with a finding stands."""
    for apart, words in (
        (200, ["Person X: 0.10", "Person Y: 0.10", "Person Z: 0.90 flagged"]),
        (75, ["X 0.10", "Y 0.10", "Person Z: 0.90 flagged"]),
        (10, ["", "Y 0.10", "Person Z: 0.90 flagged"]),
    ):
        drawn, labels = of_desk(
            photo,
            f"""(() => {{ const {{ view, overlay }} = desk.player; const {{ persons, flagged }} = view;
            const [person] = view.persons(); const step = {apart} / desk.player.photo.scale;
            const scores = (k, score) => ({{ ...person.scores, smooth: person.scores.smooth.map(() => score),
                box: person.scores.box.map((_, at) => [10 + k * step, 200, 40 + k * step, 240][at % 4]) }});
            view.persons = () => [["X", 0, 0.1], ["Y", 1, 0.1], ["Z", 2, 0.9]].map(([id, k, score]) =>
                ({{ ...person, id, name: `Person ${{id}}`, scores: scores(k, score) }}));
            view.flagged = () => new Set(["Z"]);
            desk.player.draw();
            const found = [overlay.drawn.filter((one) => one.state).map((one) => one.words), overlay.labels];
            Object.assign(view, {{ persons, flagged }}); desk.player.draw(); return found; }})()""",
        )
        assert drawn == words
        for label, other in itertools.combinations(labels, 2):
            beside = max(label["x"], other["x"]) >= min(
                label["x"] + label["wide"], other["x"] + other["wide"]
            )
            assert beside or abs(label["y"] - other["y"]) >= 18


def test_the_label_of_a_close_up_is_not_cut_off(photo: Page) -> None:
    """Neither where the face reaches from the upper edge to the lower, nor where it is at one of them."""
    for top, bottom in ((0, 512), (5, 509), (-40, 560), (30, 512), (0, 480), (200, 512)):
        words, labels, height, (upper, lower) = of_desk(
            photo,
            f"""(() => {{ const {{ view, overlay }} = desk.player; const {{ persons }} = view;
            const [person] = view.persons();
            const box = person.scores.box.map((_value, at) => [300, {top}, 600, {bottom}][at % 4]);
            view.persons = () => [{{ ...person, scores: {{ ...person.scores, box }} }}];
            desk.player.draw();
            const [one] = overlay.drawn.filter((each) => each.state);
            const stage = overlay.canvas.height / (window.devicePixelRatio || 1);
            const found = [one.words, overlay.labels, stage, [one.screen[1], one.screen[3]]];
            Object.assign(view, {{ persons }}); desk.player.draw(); return found; }})()""",
        )
        assert "flagged" in words
        (label,) = labels
        assert 0 <= label["y"] <= height - 18
        if upper >= 20:
            assert label["y"] == upper - 20
        elif lower <= height - 20:
            assert label["y"] == lower + 2
