"""How long an analysis takes, and what of it cannot be avoided: ``python -m tests.bench [--long]``.

Absolute seconds on a shared machine say little. So for each clip the *floor* is measured in the same
run, each part alone and in turn with the whole: decoding, finding faces in one of four sampled
frames, and scoring the same crops at the best batch size. What the stages of an analysis take is the
processor time by which longer parts of it exceed shorter ones. Three rounds, the shortest of each counts.
``--long`` adds a clip of two hours, whose memory is held against that of two minutes.

The last committed run lies in ``docs/bench.json``; the new one is written to ``out/bench.json``
and each figure is shown beside the old one. ``tests.bench_picture`` draws it.
"""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import av
import cv2
import numpy as np
import torch

from detector import analyze
from detector.faces.crop import crop_square, square_for_face
from detector.faces.scene_changes import CutDetector
from detector.faces.search.networks import FaceDetector
from detector.faces.search.search import FaceSearch
from detector.media.frame import Frame, Image
from detector.media.open import open_media
from detector.models.loaded import LoadedModel, load_model
from detector.schema.analysis import Parameters
from detector.scoring.first_pass import BATCH
from detector.scoring.scorer import Scorer
from detector.voice.model import load_voice_model
from detector.voice.windows import listen
from tests import bench_options
from tests.bench_clips import add_speech, lengthen, make_clip
from tests.detector.made_speech import babble
from tests.sounds import write_recording

ROUNDS = 3
SECONDS = 60
RATE = 8.0
CLIPS = [
    ((1280, 720), 1),
    ((1280, 720), 2),
    ((1280, 720), 5),
    ((1920, 1080), 1),
    ((1920, 1080), 2),
    ((3840, 2160), 1),
]
LONG = (640, 360)
# Unmanipulated clips of the research data, in which nothing is found; where these are, each is repeated until
# it lasts a minute.
RESEARCH = Path("../shared/data")
REAL = {
    "television address, 720p": "clips/tv-address-e3e077.mp4",
    "talk, 720p": "clips/voxceleb2-like-8f17b4.mp4",
    "talk, 1080p": "clips/youtube-fsgan-example-e7da69.mp4",
}
# Each as the processor time by which the next longer part of an analysis exceeds the one before.
STAGES = ("decoding", "finding faces", "scoring and conclusions", "second look")
# Human speech of the research data in which nothing is found: what voices add to the first of these clips
SPEECH = "voices/89c91b9cf9.opus"
COMMITTED = Path("docs/bench.json")
CACHE = Path("out/bench-clips")
# The open pipeline is slow: it is given every eighth of the frames and compared by the frame.
_FEWER = 8


def main() -> None:
    """Print the table with the machine's facts, beside the last committed run."""
    parser = bench_options.parser(__doc__)
    parser.add_argument("--long", action="store_true", help="with the clip of two hours")
    parser.add_argument("--real", choices=REAL, help="measure this research clip alone, and store nothing")
    parser.add_argument("--speech", action="store_true", help="measure sound alone, and store nothing")
    parser.add_argument(
        "--explanations", action="store_true", help="measure heatmaps alone, and store nothing"
    )
    asked = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    figures: dict[str, float] = {}
    model = load_model()
    if asked.explanations:
        for key, value in explanations().items():
            print(f"{key:68} {value:8.2f}")
        return
    if asked.speech:
        for key, value in (with_speech(model) | speech()).items():
            print(f"{key:78} {value:8.2f}")
        return
    if asked.real:
        for key, value in measured(_repeated(RESEARCH / REAL[asked.real]), model).items():
            print(f"{asked.real}: {key:62} {value:8.2f}")
        return
    for size, people in CLIPS:
        name = f"{size[1]}p, {people} {'person' if people == 1 else 'people'}"
        figures |= {f"{name}: {key}": value for key, value in measured(clip(size, people), model).items()}
    # The open pipeline is slow, so of the real clips it sees only the first.
    compared = {"": clip(*CLIPS[0])}
    for name, file in REAL.items():
        if not (RESEARCH / file).is_file():
            print(f"{RESEARCH / file} is not here: {name} is left out.")
            continue
        repeated = _repeated(RESEARCH / file)
        figures |= {f"{name}: {key}": value for key, value in measured(repeated, model).items()}
        if len(compared) == 1:
            compared[f"{name}: "] = repeated
    for name, path in compared.items():
        figures |= {f"{name}{key}": value for key, value in against_the_open_pipeline(path, model).items()}
    figures |= explanations()
    figures |= with_speech(model)
    figures |= speech()
    if asked.long:
        figures |= long_clip()
    machine = {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "back end": Scorer(model).backend.name,
        "torch": torch.__version__,
        "opencv": cv2.__version__,
        "python": platform.python_version(),
    }
    before = json.loads(COMMITTED.read_text())["figures"] if COMMITTED.is_file() else {}
    print(machine)
    for key, value in figures.items():
        beside = f"   {value / before[key]:5.2f} of the committed run's" if before.get(key) else ""
        print(f"{key:62} {value:8.2f}{beside}")
    Path("out/bench.json").write_text(json.dumps({"machine": machine, "figures": figures}, indent=2) + "\n")


def explanations() -> dict[str, float]:
    """What heatmaps of three peak frames and their checks take, first in a process and then again."""
    command = [sys.executable, "-m", "tests.bench_explanations"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    measured = json.loads(done.stdout)
    name = "three peak frames: heatmaps and checks"
    return {
        f"{name}, crops of each": measured["crops"],
        f"{name}, seconds of processor time": measured["again"],
        f"{name}, the first of a process, seconds of processor time": measured["first"],
    }


def clip(size: tuple[int, int], people: int, minutes: int = 1) -> Path:
    """A clip of this kind, made the first time."""
    path = CACHE / f"{size[0]}x{size[1]}-{people}.mp4"
    if not path.is_file():
        half = path.with_suffix(".part")
        make_clip(half, SECONDS, size, people)
        half.rename(path)
    if minutes > 1:
        longer = path.with_stem(f"{path.stem}-{minutes}min")
        if not longer.is_file():
            lengthen(path, longer, minutes)
        return longer
    return path


def _repeated(path: Path) -> Path:
    """The clip at ``path`` over and over, until it lasts a minute."""
    longer = CACHE / f"{path.stem}-repeated.mp4"
    if not longer.is_file():
        lengthen(path, longer, math.ceil(SECONDS / _seconds(path)))
    return longer


def _seconds(path: Path) -> float:
    with av.open(str(path)) as container:
        return (container.duration or 0) / av.time_base


def measured(path: Path, model: LoadedModel) -> dict[str, float]:
    """Ratios of one clip, its floor's parts as shares of the floor, and its stages' processor time."""
    seconds = _seconds(path)
    scorer, detector = Scorer(model), FaceDetector()
    searched: list[Image] = []
    crops: list[Image] = []
    with open_media(path) as reader:
        for number, frame in enumerate(reader.frames(RATE)):
            if number % 4 == 0:
                searched.append(frame.image)
                faces = [f for f in detector(frame.image) if f.confidence >= 0.7 and f.width >= 48]
            crops += [
                crop_square(frame.image, square_for_face(face), scorer.card.input.size) for face in faces
            ]

    floor: dict[str, Callable[[], object]] = {
        "decoding": lambda: list(map(_nothing, _frames(path))),
        "finding faces": lambda: [detector(image) for image in searched],
        "scoring": lambda: [scorer.features(crops[i : i + BATCH]) for i in range(0, len(crops), BATCH)],
    }
    stages: dict[str, Callable[[], object]] = {
        "reading": lambda: list(map(_nothing, _frames(path, all_decoded=False))),
        "finding": lambda: _found(path),
        "scanning": lambda: analyze(path, model=model, parameters=Parameters(second_look=0)),
        "analysis": lambda: analyze(path, model=model),
    }
    wall, worked = timed(floor | stages)
    whole, whole_worked = (sum(t[part] for part in floor) for t in (wall, worked))
    steps = zip(STAGES, stages, [None, *stages], strict=False)
    return {
        "clip ÷ analysis": seconds / wall["analysis"],
        "analysis ÷ floor": wall["analysis"] / whole,
        "analysis ÷ floor, processor time": worked["analysis"] / whole_worked,
        "clip ÷ processor time of the analysis": seconds / worked["analysis"],
        **{f"{part}, share of the floor": wall[part] / whole for part in floor},
        **{
            f"{stage}, seconds of processor time": worked[part] - (worked[before] if before else 0.0)
            for stage, part, before in steps
        },
    }


def _frames(path: Path, all_decoded: bool = True) -> Iterator[Frame]:
    with open_media(path) as reader:
        yield from reader.frames(RATE, all_decoded=all_decoded)


def _found(path: Path) -> None:
    search, cuts = FaceSearch(Parameters()), CutDetector(RATE)
    for frame in _frames(path, all_decoded=False):
        search.process_frame(frame, cuts.process_frame(frame.image))
    search.flush()


def _nothing(_frame: Frame) -> None:
    """So that no frame is kept."""


def timed(parts: dict[str, Callable[[], object]]) -> tuple[dict[str, float], dict[str, float]]:
    """Shortest seconds of each part, by the clock and of processor time; the parts take turns."""
    wall, worked = dict.fromkeys(parts, float("inf")), dict.fromkeys(parts, float("inf"))
    for _ in range(ROUNDS):
        for name, part in parts.items():
            started, busy = time.perf_counter(), time.process_time()
            part()
            wall[name] = min(wall[name], time.perf_counter() - started)
            worked[name] = min(worked[name], time.process_time() - busy)
    return wall, worked


def against_the_open_pipeline(path: Path, model: LoadedModel) -> dict[str, float]:
    """MTCNN on each sampled frame, then the network, one frame at a time, in torch; by the frame.

    Both read the clip: theirs with OpenCV, frame after frame.
    """
    if find_spec("facenet_pytorch") is None:
        print("facenet-pytorch is not installed: `make bench` fetches it; no comparison with it.")
        return {}
    from facenet_pytorch import MTCNN

    mtcnn = MTCNN(keep_all=True, device="cpu")
    size, network = model.card.input.size, model.network
    with open_media(path) as reader:
        frames = [frame.image for frame in reader.frames(RATE)]

    def read() -> None:
        video = cv2.VideoCapture(str(path))
        step = round(video.get(cv2.CAP_PROP_FPS) / RATE)
        number = 0
        while video.grab():
            if number % step == 0:
                cv2.cvtColor(video.retrieve()[1], cv2.COLOR_BGR2RGB)
            number += 1

    def pipeline() -> None:
        for image in frames[::_FEWER]:
            boxes, _ = mtcnn.detect(image)
            face_boxes = [] if boxes is None else [box for box in boxes.tolist() if box is not None]
            for box in face_boxes:
                x0, y0, x1, y1 = (max(0, round(edge)) for edge in box)
                crop = cv2.resize(image[y0:y1, x0:x1], (size, size), interpolation=cv2.INTER_AREA)
                with torch.inference_mode():
                    network(torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 127.5 - 1)

    wall, _ = timed({"read": read, "theirs": pipeline, "ours": lambda: analyze(path, model=model)})
    seconds = wall["read"] / len(frames) + wall["theirs"] / len(frames[::_FEWER])
    by_frame = seconds, wall["ours"] / len(frames)
    return {"open pipeline ÷ analysis, the same clip, by the frame": by_frame[0] / by_frame[1]}


def long_clip() -> dict[str, float]:
    """Resident memory of two hours against two minutes, each in a program of its own."""
    program = (
        "import sys, time; from detector import analyze; from detector.process.resources import peak_memory; "
        "started = time.perf_counter(); analyze(sys.argv[1]); "
        "print(peak_memory(), time.perf_counter() - started)"
    )
    sizes = []
    for minutes in (2, 120):
        command = [sys.executable, "-c", program, str(clip(LONG, 1, minutes))]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        most, seconds = map(float, done.stdout.split())
        sizes.append((most, minutes * 60 / seconds))
    return {
        "two hours ÷ two minutes, most resident memory": sizes[1][0] / sizes[0][0],
        "two minutes, most resident memory, MB": sizes[0][0] / 1e6,
        "two hours of 360p, 1 person: clip ÷ analysis": sizes[1][1],
    }


def with_speech(model: LoadedModel) -> dict[str, float]:
    """The first real clip with human speech, and without: nothing is found in either."""
    name, file = next(iter(REAL.items()))
    if not (RESEARCH / file).is_file() or not (RESEARCH / SPEECH).is_file():
        print(f"{RESEARCH / SPEECH} is not here: speech in a clip is left out.")
        return {}
    silent = _repeated(RESEARCH / file)
    spoken = silent.with_stem(f"{silent.stem}-speech")
    if not spoken.is_file():
        add_speech(silent, RESEARCH / SPEECH, spoken)
    wall, worked = timed(
        {"spoken": lambda: analyze(spoken, model=model), "silent": lambda: analyze(silent, model=model)}
    )
    return {
        f"{name}, with speech: clip ÷ analysis": _seconds(silent) / wall["spoken"],
        f"{name}, with speech: clip ÷ processor time of the analysis": _seconds(silent) / worked["spoken"],
        f"{name}, with speech: analysis ÷ that without, processor time": worked["spoken"] / worked["silent"],
    }


def speech() -> dict[str, float]:
    """Scoring the voices of five minutes of made speech, and the whole analysis of it as a recording.

    The networks are compiled before. The analysis also searches for marks and, of what it flags, makes maps.
    """
    samples = babble(60.0)
    blocks = [block for _ in range(5) for block in np.split(samples, 15)]
    network = load_voice_model().network
    listen(blocks[:4], network)
    wall, processor = time.perf_counter(), time.process_time()
    heard = listen(blocks, network)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    if len(heard.windows) < 500:
        raise RuntimeError("The made speech was not taken for speech: nothing was measured.")
    recording = CACHE / "five minutes of speech.wav"
    if not recording.is_file():
        write_recording(recording, np.concatenate(blocks))
    whole, worked = time.perf_counter(), time.process_time()
    analyze(recording)
    whole, worked = time.perf_counter() - whole, time.process_time() - worked
    return {
        "speech: sound ÷ scoring of voices": 300 / wall,
        "speech: processor time for an hour, seconds": 12 * processor,
        "recording of five minutes of speech ÷ analysis": 300 / whole,
        "recording of five minutes of speech: analysis, seconds of processor time": worked,
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    main()
