"""Broken files through the reader alone, with the facts it collects: thousands in minutes.

``python -m tests.fuzz.reading --files 2000 --seed 7`` reads the same files as ``make fuzz``; frames are read
again by their times, as explanations do, and Content Credentials are looked for.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parents[1]),
    str(Path(__file__).resolve().parents[1] / "detector"),
]

from fuzz.bases import bases, suffix  # noqa: E402
from fuzz.mutations import recipe  # noqa: E402

_AT_ONCE = 40  # files a process reads
_MEMORY, _CPU = 2_500_000_000, 600  # bytes, and seconds, of such a process
_AGAIN = 6  # frames


def main() -> int:
    """Run; returns 1 when a file ended in anything but frames or words."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.reading", description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--endings", default="", help="only bases with these, such as wav,ogg,mka")
    options = parser.parse_args()
    os.nice(5)
    bases()
    counts: Counter[str] = Counter()
    wanted = frozenset(filter(None, options.endings.split(",")))
    faults, started, number = 0, time.monotonic(), 0
    while number < options.files:
        end = min(number + _AT_ONCE, options.files)
        for line in _told_by_a_process(options.seed, range(number, end), wanted):
            about, _, what = line.partition(" ")
            number = int(about) + 1
            if what in ("read", "refused"):
                counts[what] += 1
            else:
                faults += 1
                print(f"file {about}: {what}", flush=True)
    print(f"seed {options.seed}: {dict(counts)}, faults: {faults}, {time.monotonic() - started:.0f} s")
    return int(bool(faults))


def _told_by_a_process(seed: int, numbers: range, endings: frozenset[str]) -> list[str]:
    """What became of each file, by number, up to one that ended the process."""
    reader, writer = os.pipe()
    process = os.fork()
    if not process:
        os.close(reader)
        resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (_CPU, _CPU))
        with tempfile.TemporaryDirectory() as folder:
            for number in numbers:
                os.write(writer, f"{number} {_outcome(seed, number, endings, Path(folder))}\n".encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        lines = pipe.read().splitlines()
    status = os.waitpid(process, 0)[1]
    if status:
        lines.append(f"{numbers[len(lines)]} ended its process, with status {status}")
    return lines


def _outcome(seed: int, number: int, endings: frozenset[str], folder: Path) -> str:
    from detector.errors import MediaError, SoundOnlyError

    made = recipe(seed, number, endings)
    path = folder / f"file{suffix(made.base)}"
    path.write_bytes(made.bake())
    try:
        try:
            _read(path)
        except SoundOnlyError:
            _read_recording(path)
        _read_sound(path)
    except MediaError:
        return "refused"
    except BaseException as problem:
        place = traceback.extract_tb(problem.__traceback__)[-1]
        return f"{made.base}: {type(problem).__name__} in {Path(place.filename).name}, line {place.lineno}"
    return "read"


def _read(path: Path) -> None:
    from detector.media.acceptance import refuse_by_first_bytes
    from detector.media.completeness import lost_frames, missing_seconds
    from detector.media.open import open_media
    from detector.metadata.c2pa import read_store
    from detector.metadata.exhibit import collect_facts

    refuse_by_first_bytes(path)
    with open_media(path) as reader:
        times = [frame.pts for frame in reader.frames(8)]
        collect_facts(reader, path)
        assert {frame.pts for frame in reader.at(set(times[:_AGAIN]))} <= set(times)
        list(reader.spans([(times[0], times[-1])]))
        assert missing_seconds(reader) >= 0 <= lost_frames(reader)
        with path.open("rb") as file:
            read_store(file, reader.container_format)


def _read_recording(path: Path) -> None:
    from detector.media.acceptance import InputLimits
    from detector.recordings import recording_facts

    assert recording_facts(path, path.name, InputLimits())[0].duration > 0


def _read_sound(path: Path) -> None:
    from detector.voice.samples import RATE, SoundReader, read_spans

    reader = SoundReader(path)
    count = sum(map(len, reader.blocks()))
    if reader.facts is not None:
        assert count == reader.facts.samples and all(end > start for start, end in reader.facts.missing)
        (span,) = read_spans(path, [(0.0, 1.0)])
        assert len(span) == min(count, RATE)


if __name__ == "__main__":
    sys.exit(main())
