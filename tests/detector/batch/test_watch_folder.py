"""Watching a folder: what is taken and when, what is skipped, and what a restart or a broken file does."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest
from analyses import build, with_stability

from detector.batch import watch_folder as watch_module
from detector.batch.watch_folder import LOG, STILL_FOR, Watch
from detector.errors import MediaError, NotOpenedError, ParameterError
from detector.files import hash_file
from detector.sandbox import UnexpectedError
from detector.sandboxed_engine import analyze_confined
from detector.schema.analysis import Parameters


class Clock:
    """Time that passes while the watch sleeps; things happen at given looks."""

    def __init__(self) -> None:
        self.now = 0.0
        self.plans: list = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.plans:
            self.plans.pop(0)()


@pytest.fixture
def analysed(monkeypatch) -> list[str]:
    """Names of what was analysed; the engine is one that says what the file's bytes say."""
    names: list[str] = []

    def engine(path, folder, **_options):
        names.append(path.name)
        if path.read_bytes() == b"broken":
            raise MediaError("The file is damaged.")
        analysis = build(folder, segments=1, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
        (folder / "analysis.json").write_text(analysis.to_json())
        return analysis

    monkeypatch.setattr(watch_module, "analyze_confined", engine)
    return names


def watching(folder: Path, clock: Clock, out: Path | None = None) -> Watch:
    return Watch(folder, out or folder / "results", lambda *_: None, clock=clock, sleep=clock.sleep)


def test_present_files_are_analysed_once_in_order(tmp_path, analysed):
    for name in ("b.mp4", "a.mp4", "broken.mp4", "c.mp4"):
        (tmp_path / name).write_bytes(b"broken" if name == "broken.mp4" else name.encode())
    lines = list(watching(tmp_path, Clock()).lines(once=True))
    assert [line["file"] for line in lines] == ["a.mp4", "b.mp4", "broken.mp4", "c.mp4"]
    assert lines[2]["error"] == "The file is damaged." and "result" not in lines[2]
    assert lines[0]["verdict"] == "manipulated" and lines[0]["segments"] == 1
    assert (tmp_path / "results" / "a.mp4" / "analysis.json").is_file()
    assert [json.loads(text) for text in (tmp_path / "results" / LOG).read_text().splitlines()] == lines
    assert {path.name for path in (tmp_path / "results").iterdir()} == {"a.mp4", "b.mp4", "c.mp4", LOG}


def test_unflagged_segments_are_not_counted(tmp_path, monkeypatch):
    def engine(path, folder, **_options):
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        analysis = with_stability(build(folder, persons=3, segments=3, sha256=sha256), A=1.0, B=0.4)
        covered = [
            segment.model_copy(update={"covered": float(segment.person == "C")})
            for segment in analysis.segments
        ]
        return analysis.model_copy(update={"segments": tuple(covered)})

    monkeypatch.setattr(watch_module, "analyze_confined", engine)
    (tmp_path / "a.mp4").write_bytes(b"one")
    (line,) = watching(tmp_path, Clock()).lines(once=True)
    assert line["segments"] == 1


def test_restart_repeats_nothing(tmp_path, analysed):
    (tmp_path / "a.mp4").write_bytes(b"one")
    (tmp_path / "bad.mp4").write_bytes(b"broken")
    list(watching(tmp_path, Clock()).lines(once=True))
    (tmp_path / "copy.mp4").write_bytes(b"one")  # the same bytes under another name
    (tmp_path / "new.mp4").write_bytes(b"two")
    lines = list(watching(tmp_path, Clock()).lines(once=True))
    assert [line["file"] for line in lines] == ["new.mp4"] and analysed == ["a.mp4", "bad.mp4", "new.mp4"]


@pytest.mark.parametrize(
    "reason",
    [
        ParameterError("The time limit was met."),
        UnexpectedError("a\nb"),
        NotOpenedError("The file cannot be opened: Permission denied."),
    ],
)
def test_failures_unrelated_to_the_file_are_retried_after_a_restart(tmp_path, analysed, monkeypatch, reason):
    (tmp_path / "a.mp4").write_bytes(b"one")

    def limited(*_given, **_options):
        raise reason

    with monkeypatch.context() as patched:
        patched.setattr(watch_module, "analyze_confined", limited)
        (line,) = watching(tmp_path, Clock()).lines(once=True)
    assert line["again"] is True and line["error"]
    (line,) = watching(tmp_path, Clock()).lines(once=True)
    assert line["verdict"] == "manipulated"
    assert list(watching(tmp_path, Clock()).lines(once=True)) == []


def test_removed_result_is_made_again(tmp_path, analysed):
    (tmp_path / "a.mp4").write_bytes(b"one")
    list(watching(tmp_path, Clock()).lines(once=True))
    (tmp_path / "results" / "a.mp4" / "analysis.json").unlink()
    (tmp_path / "results" / "a.mp4").rename(tmp_path / "results" / "moved")
    assert [line["file"] for line in watching(tmp_path, Clock()).lines(once=True)] == ["a.mp4"]


def test_name_that_is_not_utf_8_does_not_end_the_watch(tmp_path, analysed):
    name = os.fsdecode(b"a\xff.mp4")
    (tmp_path / name).write_bytes(b"one")
    (tmp_path / "b.mp4").write_bytes(b"two")
    lines = list(watching(tmp_path, Clock()).lines(once=True))
    assert [line["result"] for line in lines] == [name, "b.mp4"]
    assert list(watching(tmp_path, Clock()).lines(once=True)) == []


def test_other_model_or_parameters_are_another_analysis(tmp_path, analysed):
    (tmp_path / "a.mp4").write_bytes(b"one")
    (first,) = watching(tmp_path, Clock()).lines(once=True)
    for model, parameters in (("efficientnet-lstm", None), (None, Parameters(minimum_face=20))):
        again = watching(tmp_path, Clock())
        again.model, again.parameters = model, parameters
        (line,) = again.lines(once=True)
        assert line["sha256"] == first["sha256"] and line["by"] != first["by"]
        assert line["model"] == (model or first["model"])
        assert (tmp_path / "results" / str(line["result"]) / "analysis.json").is_file()
    assert list(watching(tmp_path, Clock()).lines(once=True)) == []
    log = tmp_path / "results" / LOG
    kept = [json.loads(text) for text in log.read_text().splitlines()]
    assert len({line["result"] for line in kept}) == 3
    del kept[0]["by"]  # as in a log of an earlier version
    log.write_text(json.dumps(kept[0]) + "\n")
    assert list(watching(tmp_path, Clock()).lines(once=True)) == []


def test_temporarily_missing_folder_is_awaited(tmp_path, analysed):
    inbox, out, clock, warnings = tmp_path / "inbox", tmp_path / "out", Clock(), []
    inbox.mkdir()
    watch = watching(inbox, clock, out)
    watch.warn, watch.stopping = warnings.append, lambda: len(analysed) == 2
    (inbox / "a.mp4").write_bytes(b"one")
    back = [lambda: (inbox / "b.mp4").write_bytes(b"two"), *[lambda: None] * 10]
    away = [lambda: inbox.rename(tmp_path / "away"), lambda: None, lambda: (tmp_path / "away").rename(inbox)]
    clock.plans = [*[lambda: None] * 4, *away, *back]
    assert [line["file"] for line in watch.lines()] == ["a.mp4", "b.mp4"]
    assert len(warnings) == 1 and "cannot be read" in warnings[0]


def test_file_moved_between_hash_and_analysis(tmp_path, analysed, monkeypatch):
    """By the real engine: it is not said to be broken, and done where it is found again."""
    inbox, out = tmp_path / "inbox", tmp_path / "out"
    inbox.mkdir()
    (inbox / "a.mp4").write_bytes(b"one")

    def moving(path):
        result = hash_file(path)
        path.rename(tmp_path / "aside")
        return result

    with monkeypatch.context() as patched:
        patched.setattr(watch_module, "hash_file", moving)
        patched.setattr(watch_module, "analyze_confined", analyze_confined)
        watch = watching(inbox, Clock(), out)
        watch.write = print  # something that another process knows
        assert list(watch.lines(once=True)) == []
    assert (out / LOG).read_text() == ""
    (tmp_path / "aside").rename(inbox / "b.mp4")
    (line,) = watching(inbox, Clock(), out).lines(once=True)
    assert line["result"] == "b.mp4"


@pytest.mark.parametrize("where", ["hash_file", "analyze_confined"])
def test_folder_disappears_during_an_analysis(tmp_path, analysed, monkeypatch, where):
    inbox, out, clock, read = tmp_path / "inbox", tmp_path / "out", Clock(), getattr(watch_module, where)
    inbox.mkdir()
    (inbox / "a.mp4").write_bytes(b"one")

    def away(*given, **options):
        monkeypatch.setattr(watch_module, where, read)
        inbox.rename(tmp_path / "away")
        clock.plans = [lambda: None, lambda: (tmp_path / "away").rename(inbox)]
        return read(*given, **options)

    monkeypatch.setattr(watch_module, where, away)
    watch = watching(inbox, clock, out)
    watch.stopping = lambda: clock.now > 60
    assert [(line["file"], line["verdict"]) for line in watch.lines()] == [("a.mp4", "manipulated")]


def test_unreadable_file_is_reported_once_and_analysed_later(tmp_path, analysed, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(b"one")
    (tmp_path / "b.mp4").write_bytes(b"two")
    clock = Clock()

    def denied(path):
        if path.name == "a.mp4" and clock.now < 100:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return hash_file(path)

    monkeypatch.setattr(watch_module, "hash_file", denied)
    watch = watching(tmp_path, clock)
    watch.stopping = lambda: clock.now > 200
    first, second, third = watch.lines()
    assert first == {"file": "a.mp4", "error": "The file cannot be opened: Permission denied.", "again": True}
    assert second["result"] == "b.mp4"
    assert third["result"] == "a.mp4" and analysed == ["b.mp4", "a.mp4"]


def test_unreadable_files_do_not_prevent_the_end(tmp_path, analysed, monkeypatch):
    clock = Clock()
    (tmp_path / "a.mp4").write_bytes(b"one")
    clock.plans = [lambda: (tmp_path / f"{len(clock.plans)}.mp4").write_bytes(b"more")] * 7
    monkeypatch.setattr(watch_module, "hash_file", lambda path: hash_file(path / "below"))
    lines = list(watching(tmp_path, clock).lines(once=True))
    assert len(lines) == len({line["file"] for line in lines}) == 8 and clock.now < 60


@pytest.mark.parametrize(
    ("error", "done"),
    [("The file cannot be opened: No such file or directory.", False), ("The file is damaged.", True)],
)
def test_file_an_earlier_version_could_not_open_is_tried(tmp_path, analysed, error, done):
    """Its line does not say that it is to be tried again."""
    (tmp_path / "a.mp4").write_bytes(b"one")
    line = {"file": "a.mp4", "sha256": hashlib.sha256(b"one").hexdigest(), "error": error}
    watch = watching(tmp_path, Clock())
    (watch.out / LOG).write_text(json.dumps(line) + "\n")
    assert len(list(watch.lines(once=True))) == (0 if done else 1)
    assert list(watching(tmp_path, Clock()).lines(once=True)) == []


def test_partial_line_in_the_log(tmp_path, analysed):
    (tmp_path / "a.mp4").write_bytes(b"one")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / LOG).write_text('{"file": "a.mp4", "sha2')
    assert len(list(watching(tmp_path, Clock()).lines(once=True))) == 1
    assert list(watching(tmp_path, Clock()).lines(once=True)) == []


def test_growing_file_is_awaited(tmp_path, analysed):
    path, clock = tmp_path / "a.mp4", Clock()
    path.write_bytes(b"x")

    def grow() -> None:
        with path.open("ab") as file:
            file.write(b"x")

    clock.plans = [grow] * 6
    (line,) = list(watching(tmp_path, clock).lines(once=True))
    assert len(path.read_bytes()) == 7 and clock.now >= 6 * watch_module.LOOK_EVERY + STILL_FOR
    assert line["file"] == "a.mp4" and analysed == ["a.mp4"]


def test_file_growing_during_its_analysis_is_awaited(tmp_path, analysed, monkeypatch):
    path, engine, clock = tmp_path / "a.mp4", watch_module.analyze_confined, Clock()
    path.write_bytes(b"the first half")

    def slow(*given, **options):
        if path.read_bytes() == b"the first half":  # the copy had stalled
            path.write_bytes(b"the first half and the second")
        return engine(*given, **options)

    monkeypatch.setattr(watch_module, "analyze_confined", slow)
    (line,) = watching(tmp_path, clock).lines(once=True)
    assert line["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest() and line["result"] == "a.mp4"
    made = json.loads((tmp_path / "results" / "a.mp4" / "analysis.json").read_text())
    assert made["media"]["sha256"] == line["sha256"] and len(analysed) == 2
    assert {entry.name for entry in (tmp_path / "results").iterdir()} == {"a.mp4", LOG}


def test_full_disk_does_not_end_the_watch(tmp_path, analysed, monkeypatch):
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(name.encode())
    watched = watching(tmp_path, Clock())

    def full(*_given, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(watch_module, "analyze_confined", full)
        patched.setattr(watch_module.os, "fsync", full)
        lines = watched.lines(once=True)
        first = next(lines)
    (second,) = lines
    assert first["again"] is True and "No space left on device" in first["error"]
    assert second["result"] == "b.mp4"
    log = tmp_path / "results" / LOG
    assert [json.loads(text) for text in log.read_text().splitlines() if text][-2:] == [first, second]
    (again,) = watching(tmp_path, Clock()).lines(once=True)
    assert again["result"] == "a.mp4"


def test_files_that_arrive_later_or_disappear(tmp_path, analysed):
    clock, folder = Clock(), tmp_path
    watched = watching(folder, clock)
    clock.plans = [
        lambda: (folder / "gone.mp4").write_bytes(b"gone"),
        lambda: (folder / "gone.mp4").unlink(),
        lambda: (folder / "late.mp4").write_bytes(b"late"),
    ]
    assert next(watched.lines())["file"] == "late.mp4" and analysed == ["late.mp4"]


def test_new_file_under_an_old_name(tmp_path, analysed):
    clock = Clock()
    (tmp_path / "a.mp4").write_bytes(b"one")
    watched = watching(tmp_path, clock).lines()
    first = next(watched)
    clock.plans = [lambda: (tmp_path / "a.mp4").write_bytes(b"other")]
    second = next(watched)
    assert first["result"] == "a.mp4"
    assert second["result"] == f"a.mp4-{second['sha256'][:12]}"


def test_new_file_under_an_old_name_of_maximum_length(tmp_path, analysed):
    clock, name = Clock(), "l" * 251 + ".mp4"
    (tmp_path / name).write_bytes(b"one")
    watched = watching(tmp_path, clock).lines()
    next(watched)
    clock.plans = [lambda: (tmp_path / name).write_bytes(b"other")]
    second = next(watched)
    assert second.get("result") == f"{'l' * 242}-{second['sha256'][:12]}"


def test_concurrent_watches_do_not_repeat_work(tmp_path, analysed, monkeypatch):
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(name.encode())
    watch, other = watching(tmp_path, Clock()), watching(tmp_path, Clock())
    lines = watch.lines(once=True)
    next(lines)
    with pytest.raises(ParameterError, match="another watch writes its results there"):
        next(other.lines(once=True))
    assert [line["file"] for line in lines] == ["b.mp4"]
    assert list(other.lines(once=True)) == [] and analysed == ["a.mp4", "b.mp4"]

    def no_locks(*_given) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(watch_module.fcntl, "flock", no_locks)  # as on some network shares
    (tmp_path / "c.mp4").write_bytes(b"c")
    assert [line["file"] for line in watching(tmp_path, Clock()).lines(once=True)] == ["c.mp4"]


def test_ignored_files(tmp_path, analysed):
    (tmp_path / "secret").mkdir()
    (tmp_path / "elsewhere").write_bytes(b"elsewhere")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "link.mp4").symlink_to(tmp_path / "elsewhere")
    (folder / "folder.mp4").mkdir()
    (folder / "folder.mp4" / "a.mp4").write_bytes(b"a")
    (folder / ".hidden.mp4").write_bytes(b"1")
    (folder / "half.mp4.part").write_bytes(b"2")
    os.mkfifo(folder / "pipe.mp4")
    assert list(watching(folder, Clock()).lines(once=True)) == [] and analysed == []


def test_unwatchable_folders(tmp_path):
    with pytest.raises(ParameterError, match="is no folder"):
        watching(tmp_path / "missing", Clock())
    with pytest.raises(ParameterError, match="another folder"):
        watching(tmp_path, Clock(), tmp_path)


def test_explains_only_if_asked(tmp_path, monkeypatch):
    explained = []

    def engine(path, folder, *, explain, **_options):
        explained.append((path.name, explain))
        return build(folder, segments=1, sha256=hashlib.sha256(path.read_bytes()).hexdigest())

    monkeypatch.setattr(watch_module, "analyze_confined", engine)
    (tmp_path / "a.mp4").write_bytes(b"one")
    list(watching(tmp_path, Clock()).lines(once=True))
    asked = watching(tmp_path, Clock())
    asked.explain = True
    list(asked.lines(once=True))  # the result without heatmaps does not do
    assert explained == [("a.mp4", False), ("a.mp4", True)]
