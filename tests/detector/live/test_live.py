"""Live sources: what a file played without dropping finds, and what happens when scoring is too slow."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import pytest
from clips import numbered, write_clip
from waiting import PATIENCE, until

from cli.engine.main import main
from detector.errors import MediaError, ParameterError
from detector.files import ROOT
from detector.live import player, sources
from detector.live.player import play
from detector.live.session import LiveSegment, LiveSession
from detector.live.sources import LiveSource, open_source, parse_source
from detector.media.frame import Frame
from detector.schema.analysis import Analysis, Parameters
from detector.scoring.scorer import Scorer

DEFAULT = Parameters()


class Watched(LiveSession):
    """Keeps what it shows once it has come to the time ``at``."""

    def __init__(self, scorer: Scorer, at: float) -> None:
        super().__init__(scorer, DEFAULT)
        self._at, self._seen = at, 0
        self.shown: tuple[dict[str, Any], Any, Frame, int] | None = None

    def process_frame(self, frame: Frame) -> list[LiveSegment]:
        closed = super().process_frame(frame)
        self._seen += 1
        if self.shown is None and frame.time >= self._at:
            self.shown = (*self.snapshot(), frame, self._seen)
        return closed


@dataclass
class Played:
    """The demonstration clip, played as a live source that waits."""

    session: Watched
    found: list[LiveSegment]
    how: Any


@pytest.fixture(scope="module")
def live(sample: Path, scanned_alone: Analysis, scorer: Scorer) -> Played:
    """It is looked at two seconds into its first segment."""
    session = Watched(scorer, min(segment.start for segment in scanned_alone.segments) + 2)
    segments: list[LiveSegment] = []
    return Played(session, segments, play(parse_source(str(sample)), session, 8.0, closed=segments.append))


def test_file_without_dropped_frames_matches_its_analysis(live: Played, scanned_alone: Analysis):
    """As its sampled frames give them, but for a sample at an end whose score lies at the threshold."""
    session, segments, played = live.session, live.found, live.how
    expected = scanned_alone.segments
    assert expected and played.dropped == 0
    assert played.sampled == played.scored == scanned_alone.coverage.frames_sampled
    segments.sort(key=lambda segment: segment.start)
    for interval, other in zip(segments, sorted(expected, key=lambda s: s.start), strict=True):
        assert (interval.start, interval.end) == pytest.approx((other.start, other.end), abs=1.5 / 8)
        assert abs(interval.frames - other.frames) <= 2
        assert interval.confidence == pytest.approx(other.confidence, abs=0.03)
    assert session.segments_closed == len(segments) and played.ended == "the source ended"


def test_snapshot(live: Played, scanned_alone: Analysis):
    first = min(segment.start for segment in scanned_alone.segments)
    assert live.session.shown is not None
    shown, picture, latest, count = live.session.shown
    json.dumps(shown)
    assert shown["frames"] == count and shown["time"] == float(latest.time)
    (span,) = shown["open"]
    assert first - 1 <= span["start"] <= first + 1 and span["end"] > span["start"]
    assert shown["lanes"] and shown["faces"][0]["box"]
    assert picture is latest.image


def test_slow_machine_still_finds_the_segment(sample: Path, scanned_alone: Analysis, scorer: Scorer):
    """Ten of eleven frames are dropped: those scored are further apart than a gap in a track may be."""
    session = LiveSession(scorer, DEFAULT)
    with open_source(parse_source(str(sample)), DEFAULT.sample_rate) as frames:
        scored = list(islice(frames, 0, None, 11))
    apart = 11 / DEFAULT.sample_rate
    assert apart > 1.5 * DEFAULT.bridge_gap
    segments = [segment for frame in scored for segment in session.process_frame(frame)] + session.finish()
    expected = scanned_alone.segments
    assert len(segments) == len(expected)
    for interval, other in zip(segments, sorted(expected, key=lambda s: s.start), strict=True):
        assert (interval.start, interval.end) == pytest.approx((other.start, other.end), abs=apart)


class Slow:
    """Takes its time with each frame."""

    def __init__(self, seconds: float) -> None:
        self.frames_scored = self.segments_closed = 0
        self.times: list[float] = []
        self._seconds = seconds

    def process_frame(self, frame: Frame) -> list:
        time.sleep(self._seconds)
        self.frames_scored += 1
        self.times.append(float(frame.time))
        return []

    def finish(self) -> list:
        return []


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """Two seconds at 25 frames a second."""
    return write_clip(tmp_path_factory.mktemp("live") / "clip.mp4", [numbered(n) for n in range(50)])


class Held(Slow):
    """Is not done with its first frame before the source has ended, as on a machine that is far too slow."""

    def __init__(self, ended: threading.Event) -> None:
        super().__init__(0)
        self._ended = ended

    def process_frame(self, frame: Frame) -> list:
        assert self._ended.wait(PATIENCE)
        return super().process_frame(frame)


def test_slow_scoring_drops_frames_without_lag(clip, monkeypatch):
    ended = threading.Event()

    class Told(player._Latest):
        def end(self) -> None:
            ended.set()
            super().end()

    monkeypatch.setattr(player, "_Latest", Told)
    held = Held(ended)
    played = play(LiveSource("file", str(clip)), held, 8.0, pace=True)
    assert played.sampled == 16 and played.scored + played.dropped == 16
    # One frame is scored and one waits, which is always the latest; a busy machine may miss the first.
    assert 1 <= played.scored <= 2 and held.times[-1] == pytest.approx(15 / 8, abs=1 / 25)


def test_unpaced_file_waits(clip):
    played = play(LiveSource("file", str(clip)), Slow(0.02), 8.0)
    assert (played.sampled, played.scored, played.dropped) == (16, 16, 0)


def test_paced_file_plays_at_its_own_speed(clip):
    started = time.monotonic()
    play(LiveSource("file", str(clip)), Slow(0), 8.0, pace=True)
    assert time.monotonic() - started >= 1.8


def test_stop_request_ends_the_session(clip):
    slow = Slow(0.01)
    played = play(
        LiveSource("file", str(clip)), slow, 8.0, pace=True, stopping=lambda: slow.frames_scored >= 3
    )
    assert played.ended == "stopped" and 3 <= played.scored <= 5


def test_memory_is_independent_of_the_duration(sample: Path, scorer: Scorer):
    """The sample over and over as one endless recording: what a session holds stays as it is."""
    with open_source(parse_source(str(sample)), 2.0) as frames:
        pictures = [cv2.resize(frame.image, (640, 360)) for frame in islice(frames, 3)]
    session = LiveSession(scorer, Parameters(sample_rate=2.0))
    sizes = []
    for round_ in range(8):
        for index, picture in enumerate(pictures):
            at = Fraction(round_ * 60) + Fraction(index, 2)  # a minute apart: each round has its own tracks
            session.process_frame(Frame(int(at * 1000), at, picture))
        first_pass = session._first_pass
        sizes.append(
            len(first_pass._gathered)
            + sum(len(queue._scored) for queue in first_pass._queues)
            + len(first_pass._times)
            + len(first_pass._cuts)
            + len(first_pass._tracker.tracks)
            + len(first_pass._tracker.splits)
            + len(session._tracks)
            + len(session._recent)
        )
    assert max(sizes[4:]) <= max(sizes[:4])


def test_sources(tmp_path):
    (tmp_path / "a.mp4").touch()
    assert parse_source("0").kind == parse_source("/dev/video2").kind == "camera"
    assert parse_source("rtsp://camera.example/1").kind == parse_source("HTTP://x/y.mp4").kind == "stream"
    assert parse_source(str(tmp_path / "a.mp4")) == LiveSource("file", str(tmp_path / "a.mp4"))
    for text in ("ftp://x/y", "file:///etc/passwd", "concat:a|b", str(tmp_path / "missing.mp4")):
        with pytest.raises(ParameterError):
            parse_source(text)


def test_unopenable_sources(tmp_path):
    with pytest.raises(MediaError, match="Camera 97 cannot be opened"):
        play(parse_source("97"), Slow(0), 8.0)
    with pytest.raises(MediaError, match="stream cannot be opened"):
        play(parse_source("http://127.0.0.1:9/nothing.mp4"), Slow(0), 8.0)
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(MediaError, match="cannot be read"):
        play(parse_source(str(tmp_path / "text.mp4")), Slow(0), 8.0)


@pytest.fixture
def served(clip):
    """An address under which files of given content lie."""
    contents = {"/clip.mkv": b"", "/list.m3u8": b"#EXTM3U\n#EXTINF:1,\n" + str(clip).encode() + b"\n"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802
            content = contents[self.path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", contents
    server.shutdown()
    thread.join()
    server.server_close()


def test_stream(served, tmp_path):
    address, contents = served
    path = write_clip(tmp_path / "clip.mkv", [numbered(n) for n in range(50)])
    contents["/clip.mkv"] = path.read_bytes()
    played = play(parse_source(f"{address}/clip.mkv"), Slow(0), 8.0)
    assert played.sampled == 16 and played.scored + played.dropped == 16 and played.scored >= 1


@pytest.fixture
def camera():
    """The address of a network camera that sends nine pictures, one each 0.4 s, and falls silent."""
    done = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            for number in range(9):
                picture = cv2.imencode(".jpg", numbered(number))[1].tobytes()
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                self.wfile.write(head.encode() + picture + b"\r\n")
                time.sleep(0.4)
            done.wait()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    done.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_frames_without_timestamps_use_their_arrival(camera, monkeypatch):
    monkeypatch.setattr(sources, "_READ_WITHIN", 4.0)
    times = []
    with pytest.raises(MediaError, match="broke off"), open_source(parse_source(camera), 8.0) as frames:
        times.extend(float(frame.time) for frame in frames)
    # Where the machine is busy some come at once, of which one is sampled.
    assert len(times) >= 2 and times[-1] > 0.5, "nine at 25 a second, as FFmpeg has it, are 0.36 s"


def test_playlists_open_nothing(served):
    address, _ = served
    with pytest.raises(MediaError, match="stream cannot be opened"):
        play(parse_source(f"{address}/list.m3u8"), Slow(0), 8.0)


def test_sequence_model_is_rejected():
    ahead = SimpleNamespace(is_sequence=True, card=SimpleNamespace(name="ahead"))
    with pytest.raises(ParameterError, match="ahead judges a face by the frames after it"):
        LiveSession(ahead, DEFAULT)


def test_live_command(sample: Path, tmp_path):
    out = tmp_path / "segments.jsonl"
    rate = ["--sample-rate", "2"]
    command = [sys.executable, "-m", "detector", "live", str(sample), "--out", str(out), *rate]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert out.read_text() == ended.stdout
    *segments, last = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(segments) == last["summary"]["segments"] >= 1 and segments[0]["segment"]["frames"] >= 2
    assert last["summary"]["dropped"] == 0 and last["summary"]["delay_p95"] > 0
    assert "too slow" not in ended.stderr


def test_command_warns_about_a_slow_machine(sample: Path, capsys, monkeypatch):
    played = player.Played(60, 10, 50, 0, 7.5, 1.4, 1.5, "the source ended")
    monkeypatch.setattr(player, "play", lambda *_, **__: played)
    assert main(["live", str(sample)]) == 0
    out, error = capsys.readouterr()
    assert json.loads(out)["summary"]["dropped"] == 50
    assert "this machine is too slow for the source" in error


def test_command_can_be_stopped(sample: Path):
    command = [sys.executable, "-m", "detector", "live", str(sample), "--pace"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: has_child(process.pid), "it does not decode", process=process)
    process.send_signal(signal.SIGTERM)
    out, error = process.communicate(timeout=200)
    assert process.returncode == 0, error
    assert json.loads(out.splitlines()[-1])["summary"]["ended"] == "stopped"


def has_child(process: int) -> bool:
    """Whether a process has started another one."""
    return any(path.read_text() for path in Path(f"/proc/{process}/task").glob("*/children"))
