"""Metadata that cannot be read is stated, costs nothing else, and takes linear time."""

from __future__ import annotations

import random
import time
from pathlib import Path
from unittest import mock

import clips
import numpy as np
import PIL.Image
import pytest
from fuzz.bases import bases, suffix
from fuzz.mutations import Recipe, metadata
from media_files import picture

from detector.errors import MediaError
from detector.marks.search import MarkWatch
from detector.media.acceptance import InputLimits
from detector.media.containers import display_sizes
from detector.media.open import open_media
from detector.metadata.declarations import photo_declarations
from detector.metadata.embedded_pictures import read_appended_content
from detector.metadata.embedded_text import EmbeddedText, xmp_texts
from detector.metadata.exhibit import add_metadata, media_facts
from detector.metadata.generators import EDITORS, GENERATORS, find_name, recognise_generator
from detector.metadata.unreadable import MetadataReaders
from detector.recordings import recording_facts
from detector.schema.metadata import Anomaly, Declaration
from verification.page_checks import _words

UNREADABLE = "unreadable metadata"


def examined(path: Path) -> tuple[tuple[Anomaly, ...], tuple[Declaration, ...]]:
    """Return anomalies and declarations of a picture or video, as the engine collects them."""
    with open_media(path) as reader:
        marks = MarkWatch(reader)
        for frame in reader.frames(8):
            marks.process_frame(frame)
        facts = media_facts(reader, path.name, path.stat().st_size, "0" * 64)
        media, declarations = add_metadata(
            facts, reader, path, marks.texts, marks.declarations(), marks.readers
        )
    return media.anomalies, declarations


def observation(anomalies: tuple[Anomaly, ...]) -> str:
    (found,) = [anomaly.observation for anomaly in anomalies if anomaly.kind == UNREADABLE]
    return found


@pytest.fixture
def jpeg(tmp_path: Path) -> Path:
    path = tmp_path / "a.jpg"
    exif = PIL.Image.Exif()
    exif[0x0131] = "GIMP 2.10"
    PIL.Image.fromarray(picture()).save(path, exif=exif)
    return path


@pytest.mark.parametrize(
    "name", ["\u017foftware", "DIGITAL\u017fOURCETYPE", "A\u0131GC", "Ma\u212ae", "Cred\u0131t"]
)
@pytest.mark.parametrize("form", ['<r x:{}="Sora"/>', "<x:{}>Sora</x:{}>", "<x:{} rdf:resource='Sora'/>"])
def test_only_ascii_letters_ignore_case_in_xmp(name: str, form: str) -> None:
    packet = form.format(name, name) + '<r x:SOFTWARE="GIMP"/>'
    assert xmp_texts(packet) == [EmbeddedText("XMP", "Software", "GIMP")]


def test_a_letter_that_folds_hides_no_other_program() -> None:
    assert find_name("\u017fora, then ComfyUI", GENERATORS) == "ComfyUI"
    assert find_name("\u212arita, then Gimp", EDITORS) == "GIMP"
    credit = EmbeddedText("XMP", "Credit", "Ed\u0131ted with Google AI")
    assert recognise_generator(credit, [credit]) is None


def test_a_reference_of_more_digits_than_python_converts() -> None:
    value = "&#" + "9" * 5000 + ";"
    assert xmp_texts(f'<r x:Software="{value}"/>')[0].value == value


@pytest.mark.parametrize("base", ["jpg-faces", "mov-mpeg4", "png-rgb", "gif-still", "heic-whole"])
def test_odd_packets_are_examined_in_every_container(base: str, tmp_path: Path) -> None:
    path, data, chance = tmp_path / f"a{suffix(base)}", bases()[base], random.Random(5)
    for _ in range(6):
        path.write_bytes(Recipe(base, list(metadata(chance, base, data))).bake())
        try:
            anomalies, _ = examined(path)
        except MediaError:
            continue
        assert UNREADABLE not in [anomaly.kind for anomaly in anomalies]


@pytest.mark.parametrize(
    ("what", "reader"),
    [
        ("EXIF", "detector.metadata.photo._ifd"),
        ("EXIF", "detector.metadata.photo.exif_of"),
        ("XMP", "detector.metadata.photo.xmp_texts"),
        ("IPTC", "detector.metadata.photo.iim_texts"),
        ("PNG text", "detector.metadata.photo.png_texts"),
        ("photo", "detector.metadata.photo.open_photo"),
        ("appended pictures", "detector.metadata.photo.read_appended_content"),
        ("photo", "detector.metadata.exhibit.read_photo"),
        ("C2PA", "detector.metadata.exhibit.read_store"),
        ("declarations", "detector.metadata.exhibit.collect_declarations"),
        ("anomalies", "detector.metadata.exhibit.find_anomalies"),
        ("hidden text", "detector.marks.search.hidden_texts"),
        ("hidden mark", "detector.marks.search.find_pixel_mark"),
    ],
)
def test_no_reader_of_a_photo_ends_the_analysis(jpeg: Path, what: str, reader: str) -> None:
    with mock.patch(reader, side_effect=KeyError("odd")):
        anomalies, _ = examined(jpeg)
    assert f"{what} (KeyError: 'odd')" in observation(anomalies)


@pytest.mark.parametrize(
    ("what", "reader"),
    [
        ("MP4", "read_layout"),
        ("XMP", "xmp_texts"),
        ("C2PA", "read_store"),
        ("declarations", "collect_declarations"),
    ],
)
def test_no_reader_of_a_video_or_recording_ends_the_analysis(tmp_path: Path, what: str, reader: str) -> None:
    video = tmp_path / "a.mp4"
    clips.write_clip(video, [picture()] * 3, rate=8, sound=True)
    with mock.patch(f"detector.metadata.exhibit.{reader}", side_effect=RecursionError("deep")):
        assert f"{what} (RecursionError: deep)" in observation(examined(video)[0])
    module = "recordings" if reader in ("read_layout", "xmp_texts") else "metadata.exhibit"
    with mock.patch(f"detector.{module}.{reader}", side_effect=RecursionError("deep")):
        media, _ = recording_facts(video, "a.m4a", InputLimits())
    assert f"{what} (RecursionError: deep)" in observation(media.anomalies)


@pytest.mark.parametrize("reader", ["read_photo", "read_store", "collect_declarations"])
def test_no_reader_ends_the_examination_of_a_crop(jpeg: Path, reader: str) -> None:
    with (
        mock.patch(f"detector.metadata.declarations.{reader}", side_effect=ValueError),
        jpeg.open("rb") as file,
    ):
        photo_declarations(file)


@pytest.mark.parametrize(("offset", "written"), [(0, b"XXXX"), (8, b"\xff\xff")], ids=["head", "count"])
def test_damaged_exif_is_stated(jpeg: Path, offset: int, written: bytes) -> None:
    data = jpeg.read_bytes()
    at = data.index(b"Exif\0\0") + 6 + offset
    jpeg.write_bytes(data[:at] + written + data[at + len(written) :])
    assert "EXIF (" in observation(examined(jpeg)[0])


def test_reasons_name_no_path_and_no_address() -> None:
    readers = MetadataReaders()
    readers.add("EXIF", OSError("cannot identify <_io.BufferedReader name='/data/case 7/a.jpg'>"))
    readers.add("XMP", ValueError("object at 0x7f00"))
    assert observation(tuple(readers.anomalies())).endswith(": EXIF (OSError); XMP (ValueError).")


PIECES = (
    "<x a:Software", "a:Make a:Make ", "<a:Make>", "<a:Make x ", "<a:Make><rdf:li ", "a:Make='", 'a:Make="',
    "<a:Make rdf:resource ", "a-", "<a-", "a:Make = ", "&#9;", '"class_type":"', "Steps: 1",
)  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_xmp_of_repeats_takes_linear_time(piece: str) -> None:
    """The slowest took 1.4 s a megabyte, now 0.1 s."""

    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        started = time.process_time()
        for found in xmp_texts(text)[:8]:
            recognise_generator(found, [found])
        return time.process_time() - started

    assert min(seconds(1 << 20) for _ in range(3)) < 0.7


@pytest.mark.parametrize("end", [b"", b"\0"])
def test_fill_bytes_in_a_jpeg_take_linear_time(tmp_path: Path, end: bytes) -> None:
    path = tmp_path / "a.jpg"
    PIL.Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)
    head = path.read_bytes()[:-2]
    path.write_bytes(head + b"\xff" * 2_000_000 + end)  # took hours
    started = time.process_time()
    with path.open("rb") as file:
        read_appended_content(file)
    assert time.process_time() - started < 1


@pytest.mark.parametrize("piece", ["<style>", "<", "<style><", "</style"])
def test_a_page_of_unclosed_tags_takes_linear_time(piece: str) -> None:
    started = time.process_time()
    _words(piece * (1_000_000 // len(piece)))
    assert time.process_time() - started < 1


def test_sizes_beyond_any_file_end_the_search(tmp_path: Path) -> None:
    """A seek so far is an error of the operating system: EINVAL."""
    head = bytes.fromhex(
        "1a45dfa380" + "18538067" + "01ffffffffffffff"
    )  # EBML, and a segment of unknown size
    for element in ("ec" + "01fffffffffffffe", "1549a966" + "01fffffffffffffe"):  # void, and information
        path = tmp_path / "a.mkv"
        path.write_bytes(head + bytes.fromhex(element) + b"x" * 40)
        with path.open("rb") as file:
            assert display_sizes(file) == {}
