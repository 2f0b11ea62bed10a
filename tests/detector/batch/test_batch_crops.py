"""Many files, one line each: zips, ready-made crops, and files that are none of these."""

from __future__ import annotations

import copy
import csv
import io
import json
import random
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest
from batch_files import KEYS
from clips import numbered

from detector import Parameters
from detector.batch.results_file import ResultLine
from detector.batch.run import BatchRun
from detector.faces.crop import CropSquare, crop_square, square_for_face
from detector.faces.search.networks import FaceDetector
from detector.files import ROOT
from detector.models.loaded import LoadedModel
from detector.models.loaded import load_model as load
from detector.scoring.scorer import CROP_SCALE, CropScorer, Scorer, framed_crop

DEFAULT = Parameters()
SCAN = Parameters(second_look=0)

HUGE = b"\x89PNG\r\n\x1a\n" + b"".join(
    struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    for kind, data in (
        (b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    )
)
"""A picture that claims more pixels than OpenCV opens."""


@pytest.fixture(autouse=True)
def loaded_once(monkeypatch: pytest.MonkeyPatch, model: LoadedModel) -> None:
    """The shipped model, which is not what is tested here, is loaded and compiled once."""
    monkeypatch.setattr("detector.batch.crops.load_model", lambda name: model if name is None else load(name))


def encoded(picture: np.ndarray, suffix: str = ".jpg") -> bytes:
    return cv2.imencode(suffix, picture[:, :, ::-1])[1].tobytes()


@pytest.fixture(scope="module")
def looks(astronaut: np.ndarray) -> list[np.ndarray]:
    """Four pictures whose scores differ."""
    square = square_for_face(FaceDetector()(astronaut)[0])
    face = crop_square(astronaut, square, 160)
    dim = cv2.convertScaleAbs(face, alpha=0.5)
    noise = np.random.default_rng(0).integers(0, 255, face.shape, np.uint8)
    return [face, dim, noise, cv2.resize(numbered(77), (160, 160))]


def zipped(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def crops(*files: Path, parameters: Parameters = SCAN) -> list[ResultLine]:
    return list(BatchRun(files, None, parameters, crops=True).lines())


class TestCrops:
    def test_one_line_each_in_order(self, tmp_path: Path, looks: list[np.ndarray], scorer: Scorer) -> None:
        files = [tmp_path / f"{i}{suffix}" for i, suffix in enumerate((".png", ".jpg", ".webp", ".png"))]
        for path, picture in zip(files, looks, strict=True):
            path.write_bytes(encoded(picture, path.suffix))
        lines = crops(*files, parameters=DEFAULT)
        assert [line["file"] for line in lines] == [str(path) for path in files]
        assert all(tuple(line) == KEYS for line in lines)
        assert all((line["faces"], line["duration"]) == (1, 0.0) for line in lines)
        (expected,) = CropScorer(load()).probabilities(looks[:1])
        assert lines[0]["probability"] == pytest.approx(expected, abs=1e-3)
        (alone,) = crops(files[0])
        expected = scorer.probability(float(scorer.stills.logits([framed_crop(looks[0], 128)])[0]))
        assert alone["probability"] == pytest.approx(expected, abs=1e-3)
        assert len({round(float(str(line["probability"])), 4) for line in lines}) == 4

    def test_verdict_follows_the_probability(self, tmp_path: Path, looks: list[np.ndarray]) -> None:
        path = tmp_path / "face.png"
        path.write_bytes(encoded(looks[0], ".png"))
        verdicts = [
            crops(path, parameters=Parameters(enter_threshold=t, doubt_threshold=d, second_look=0))[0][
                "verdict"
            ]
            for t, d in ((1e-9, 1e-9), (1 - 1e-9, 1e-9), (1 - 1e-9, 1 - 1e-9))
        ]
        assert verdicts == ["manipulated", "inconclusive", "no manipulation found"]

    def test_small_crop_is_inconclusive_but_has_a_probability(
        self, tmp_path: Path, looks: list[np.ndarray]
    ) -> None:
        path = tmp_path / "small.png"
        path.write_bytes(encoded(cv2.resize(looks[0], (40, 40)), ".png"))
        parameters = Parameters(enter_threshold=1 - 1e-9, second_look=0)
        (line,) = crops(path, parameters=parameters)
        assert line["verdict"] == "inconclusive" and line["probability"] is not None

    def test_framing(self) -> None:
        """The middle square, a little enlarged."""
        picture = np.zeros((100, 200, 3), np.uint8)
        picture[:, 50:150] = 200
        crop = framed_crop(picture, 96)
        assert crop.shape == (96, 96, 3) and (crop == 200).all()
        assert np.array_equal(crop, crop_square(picture, CropSquare(100, 50, 100 * CROP_SCALE, 0), 96))

    def test_declarations_of_a_crop(self, tmp_path: Path, looks: list[np.ndarray]) -> None:
        texts = PIL.PngImagePlugin.PngInfo()
        texts.add_text("parameters", "a portrait\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1")
        for name, info in (("plain.png", None), ("made.png", texts)):
            PIL.Image.fromarray(looks[0]).save(tmp_path / name, pnginfo=info)
        plain, made = crops(tmp_path / "plain.png", tmp_path / "made.png")
        assert plain["declarations"] == []
        assert len(made["declarations"]) == 1 and "generated" in made["declarations"][0]
        assert plain["kind"] is plain["answers"] is None
        assert plain["probability"] == made["probability"]

    @pytest.mark.parametrize("content", [b"", b"not a picture", b"\xff\xd8\xff\xe0" + bytes(50), HUGE])
    def test_files_that_are_not_pictures(
        self, tmp_path: Path, looks: list[np.ndarray], content: bytes
    ) -> None:
        (tmp_path / "bad.jpg").write_bytes(content)
        (tmp_path / "good.png").write_bytes(encoded(looks[0], ".png"))
        bad, missing, good = crops(tmp_path / "bad.jpg", tmp_path / "gone.jpg", tmp_path / "good.png")
        for line in (bad, missing):
            assert tuple(line) == ("file", "error", "cause") and line["error"]
        assert tuple(good) == KEYS

    def test_more_crops_than_a_batch(self, tmp_path: Path, looks: list[np.ndarray]) -> None:
        """Ninety entries, more than the two batches' worth of names they are unpacked under."""
        entries = {f"{i:03d}.png": encoded(looks[i % 3], ".png") for i in range(90)}
        lines = crops(zipped(tmp_path / "many.zip", entries))
        assert [line["file"] for line in lines] == list(entries)
        probabilities = np.array([line["probability"] for line in lines], np.float64).reshape(30, 3)
        assert np.ptp(probabilities, axis=0) == pytest.approx(np.zeros(3), abs=1e-3)
        assert len({round(p, 4) for p in probabilities[0]}) == 3

    def test_several_zips_stay_separate(self, tmp_path: Path, looks: list[np.ndarray]) -> None:
        zips = [
            zipped(tmp_path / f"{i}.zip", {f"face-{i}.png": encoded(look, ".png")})
            for i, look in enumerate(looks)
        ]
        apart = [crops(path)[0]["probability"] for path in zips]
        together = crops(*zips)
        assert [line["file"] for line in together] == [f"face-{i}.png" for i in range(4)]
        assert [line["probability"] for line in together] == pytest.approx(apart, abs=1e-3)


CONFINED = """
import json, os, signal, sys
from pathlib import Path
import cv2
from detector.batch import crops
from detector.batch.input_files import File
from detector.sandbox import confined_process as process

real, here = cv2.imdecode, os.getpid()

def imdecode(data, flags):
    assert os.getpid() != here
    if data[-1] == 0:
        os.kill(os.getpid(), signal.SIGSEGV)
    return real(data, flags)

cv2.imdecode = imdecode
process.native_threads = lambda: 1  # forked, so that it has this function
paths = [Path(name) for name in sys.argv[2:]]
crops._ENOUGH = int(sys.argv[1])
pictures = crops.read_crops(File(path.name, path, path) for path in paths)
means = [[f.name, None if c.image is None else c.image.mean(), c.error] for f, c in pictures]
print(json.dumps(means))
"""


def test_decoders_run_confined(tmp_path: Path, looks: list[np.ndarray]) -> None:
    """One crop that ends its process is an error of its own; the process that asks decodes nothing.

    In a process of its own: what is forked may not have the threads of those before it.
    """
    files = [tmp_path / f"{i}.png" for i in range(5)]
    for path in files:
        path.write_bytes(encoded(looks[0], ".png"))
    files[2].write_bytes(files[2].read_bytes() + b"\0")
    files[4].unlink()
    command = [sys.executable, "-c", CONFINED, str(looks[0].size), *map(str, files)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    names, means, errors = zip(*json.loads(ended.stdout), strict=True)
    assert list(names) == [path.name for path in files]
    assert [mean is not None for mean in means] == [True, True, False, True, False]
    assert means[3] == pytest.approx(looks[0].mean())
    assert "crashed the decoder" in errors[2] and "cannot be opened" in errors[4]


class TestZips:
    def test_entries_are_named_as_in_the_zip(self, tmp_path: Path, looks: list[np.ndarray]) -> None:
        entries = {
            "a/face.png": encoded(looks[0], ".png"),
            "b/FACE.JPG": encoded(looks[0]),
            "notes.txt": b"x",
        }
        lines = crops(zipped(tmp_path / "faces.zip", entries))
        assert [line["file"] for line in lines] == ["a/face.png", "b/FACE.JPG"]
        assert all(tuple(line) == KEYS for line in lines)

    def test_path_traversal_names_write_nowhere(self, tmp_path: Path, looks: list[np.ndarray]) -> None:
        inside = tmp_path / "inside"
        inside.mkdir()
        names = ["../../climbed.png", f"{tmp_path}/absolute.png"]
        path = zipped(inside / "evil.zip", {name: encoded(looks[0], ".png") for name in names})
        assert [line["file"] for line in crops(path)] == names
        assert sorted(p.name for p in tmp_path.rglob("*.png")) == []

    def test_zips_without_pictures(self, tmp_path: Path) -> None:
        (tmp_path / "text.zip").write_text("no zip at all")
        (tmp_path / "empty.zip").touch()
        zipped(tmp_path / "words.zip", {"notes.txt": b"x"})
        files = [tmp_path / name for name in ("text.zip", "empty.zip", "words.zip", "gone.zip")]
        lines = crops(*files)
        assert [line["file"] for line in lines] == [str(path) for path in files]
        assert all(tuple(line) == ("file", "error", "cause") and line["error"] for line in lines)

    @pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
    def test_damaged_entry_does_not_stop_others(
        self, tmp_path: Path, looks: list[np.ndarray], method: int
    ) -> None:
        good = encoded(looks[0], ".png")
        path = zipped(tmp_path / "damaged.zip", {"bad.png": good, "good.png": good}, method)
        data = bytearray(path.read_bytes())
        data[100:300] = random.Random(5).randbytes(200)
        path.write_bytes(data)
        lines = crops(path)
        assert [line["file"] for line in lines] == ["bad.png", "good.png"]
        assert tuple(lines[0]) == ("file", "error", "cause") and lines[0]["error"]
        assert tuple(lines[1]) == KEYS

    def test_an_empty_entry(
        self, tmp_path: Path, looks: list[np.ndarray]
    ) -> None:  # fmt: skip
        path = zipped(tmp_path / "some.zip", {"nil.jpg": b"", "good.png": encoded(looks[0], ".png")})
        nil, good = crops(path)
        assert tuple(nil) == ("file", "error", "cause") and tuple(good) == KEYS

    def test_truncated_zip(
        self, tmp_path: Path, looks: list[np.ndarray]
    ) -> None:  # fmt: skip
        path = zipped(tmp_path / "short.zip", {"face.png": encoded(looks[0], ".png")})
        path.write_bytes(path.read_bytes()[:-40])
        (line,) = crops(path)
        assert tuple(line) == ("file", "error", "cause")

    def test_an_encrypted_entry(
        self, tmp_path: Path, looks: list[np.ndarray]
    ) -> None:  # fmt: skip
        path = zipped(tmp_path / "locked.zip", {"face.png": encoded(looks[0], ".png")})
        data = bytearray(path.read_bytes())
        for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            data[data.index(mark) + at] |= 1  # the flag that says: encrypted
        path.write_bytes(data)
        (line,) = crops(path)
        assert line["file"] == "face.png" and "error" in line


def test_temporary_folder_is_emptied(
    tmp_path: Path, looks: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    path = zipped(tmp_path / "faces.zip", {f"{i}.png": encoded(look, ".png") for i, look in enumerate(looks)})
    assert len(crops(path)) == 4
    assert list((tmp_path / "temporary").iterdir()) == []


def test_auc_on_the_validation_crops(data: Path, tmp_path: Path) -> None:
    """The first hundred crops, through the same door as `score --crops`; the floor is no target."""
    from sklearn.metrics import roc_auc_score

    with (data / "dfdc-val.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[:100]
    with zipfile.ZipFile(data / "dfdc-val.zip") as archive:
        entries = {row["file"]: io.BytesIO(archive.read(row["file"])).getvalue() for row in rows}
    lines = crops(zipped(tmp_path / "first.zip", entries), parameters=DEFAULT)
    probabilities = {line["file"]: line["probability"] for line in lines}
    labels = [row["label"] == "fake" for row in rows]
    assert 0 < sum(labels) < 100
    assert roc_auc_score(labels, [probabilities[row["file"]] for row in rows]) >= 0.85


class TestZipTricks:
    @staticmethod
    def errors(path: Path) -> list[str]:
        lines = crops(path)
        return [str(line["error"]) for line in lines if "error" in line]

    def test_links_are_not_photos(self, tmp_path: Path) -> None:
        entry = zipfile.ZipInfo("a.png")
        entry.external_attr = 0o120777 << 16
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            archive.writestr(entry, "/etc/passwd")
        assert self.errors(tmp_path / "x.zip") == ["The entry is a link to another file, not a photo."]

    def test_zip_bomb(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.png", bytes(20_000_000))
        (error,) = self.errors(tmp_path / "x.zip")
        assert "a thousand times its size" in error

    def test_overlapping_entries(self, tmp_path: Path) -> None:
        """One piece of data, and a directory that names it a hundred times."""
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            archive.writestr("a.png", bytes(range(256)) * 40)
            (entry,) = archive.infolist()
            for number in range(100):
                twin = copy.copy(entry)
                twin.filename = f"b{number}.png"
                archive.filelist.append(twin)
            archive._didModify = True
        (error,) = self.errors(tmp_path / "x.zip")
        assert "entries overlap" in error

    def test_too_many_entries(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("detector.batch.input_files._MOST_ENTRIES", 2)
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            for number in range(3):
                archive.writestr(f"{number}.png", b"x")
        (error,) = self.errors(tmp_path / "x.zip")
        assert "more than 2 entries" in error
