"""Texts in the lowest bits of pixels, written as the extension for the web UI documents it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hidden_texts import hide_text

from detector.marks.lowest_bits import PLACES, hidden_texts
from detector.metadata.embedded_text import LONGEST_TEXT

WEB_UI = (
    "a portrait\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512"
)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_text_is_read(astronaut: np.ndarray, mode: str, packed: bool) -> None:
    pixels = np.asarray(hide_text(PIL.Image.fromarray(astronaut).convert(mode), WEB_UI, packed=packed))
    (text,) = hidden_texts(pixels[:, :, 3] if mode == "RGBA" else pixels)
    assert (text.place, text.name, text.value) == (PLACES[mode == "RGB"], "parameters", WEB_UI)
    assert text.is_hidden


def test_the_texts_of_novelai_are_read_by_name(astronaut: np.ndarray) -> None:
    written = {"Software": "NovelAI", "Comment": json.dumps({"prompt": "a", "steps": 28}), "Seed": 5}
    pixels = np.asarray(hide_text(PIL.Image.fromarray(astronaut).convert("RGBA"), json.dumps(written)))
    assert {text.name: text.value for text in hidden_texts(pixels[:, :, 3])} == {**written, "Seed": "5"}


def test_a_narrow_picture_continues_in_the_next_column(astronaut: np.ndarray) -> None:
    pixels = np.asarray(hide_text(PIL.Image.fromarray(astronaut[:70]).convert("RGBA"), WEB_UI))
    assert hidden_texts(pixels[:, :, 3])[0].value == WEB_UI


def test_a_bomb_is_not_unpacked(astronaut: np.ndarray) -> None:
    bomb = gzip.compress(b"a" * 200_000_000)
    picture = PIL.Image.fromarray(np.tile(astronaut, (3, 3, 1))).convert("RGBA")
    (text,) = hidden_texts(np.asarray(hide_text(picture, bomb, packed=True))[:, :, 3])
    assert text.value == "a" * LONGEST_TEXT


def damaged(data: bytes, **options: object) -> np.ndarray:
    picture = PIL.Image.new("RGBA", (200, 200), (9, 9, 9, 255))
    return np.asarray(hide_text(picture, data, **options))[:, :, 3]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "alpha",
    [
        np.full((300, 300), 255, np.uint8),
        np.zeros((1, 1), np.uint8),
        np.zeros((400, 1), np.uint8),
        damaged(b"not gzip", packed=True),
        damaged(gzip.compress(b"x" * 500)[:9], packed=True),
        damaged(b""),
    ],
    ids=["even", "one pixel", "one column", "no gzip", "broken gzip", "empty"],
)
def test_nothing_is_read_from(alpha: np.ndarray) -> None:
    assert hidden_texts(alpha) == []


def test_a_length_beyond_the_picture_yields_what_there_is() -> None:
    (text,) = hidden_texts(damaged(b"Steps: 20", length=2**32 - 1))
    assert text.value.startswith("Steps: 20")


def test_an_alpha_signature_in_colours_is_none(astronaut: np.ndarray) -> None:
    picture = hide_text(PIL.Image.fromarray(astronaut), b"text", signature=b"stealth_pnginfo")
    assert hidden_texts(np.asarray(picture)) == []


def test_a_file_declares_what_is_hidden_in_it(tmp_path: Path, astronaut: np.ndarray) -> None:
    from detector.marks.search import MarkWatch
    from detector.media.open import open_media
    from detector.metadata.declarations import collect_declarations
    from detector.metadata.exhibit import collect_facts
    from detector.schema.metadata import Credentials, DeclarationKind, HiddenPlace, Meaning

    path = tmp_path / "hidden.png"
    hide_text(PIL.Image.fromarray(astronaut).convert("RGBA"), WEB_UI).save(path)
    with open_media(path) as reader:
        marks = MarkWatch(reader)
        for frame in reader.frames(8):
            marks.process_frame(frame)
        facts = collect_facts(reader, path, marks.texts)
    (declared,) = collect_declarations(
        facts.texts, facts.details.photo, Credentials(checked=True), (), marks.declarations()
    )
    assert (declared.kind, declared.meaning) == (DeclarationKind.GENERATION_PARAMETERS, Meaning.GENERATED)
    assert declared.source == f"{PLACES[0]}, parameters"
    assert declared.hidden is not None and declared.hidden.place is HiddenPlace.LOWEST_BITS
    assert any(tag.place == PLACES[0] for tag in facts.details.tags)
    assert marks.search.frames == 1
