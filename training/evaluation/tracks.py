"""Measure how often tracks are joined to the wrong person, and which count as still (docs/faces.md).

python -m training.evaluation.tracks --data DATA
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.faces.scene_changes import CutDetector
from detector.faces.search.matching import normalise_rows
from detector.faces.search.search import FaceSearch, FoundFaces
from detector.faces.tracks import SAME_PERSON_SIMILARITY, Stillness, Track, Tracker
from detector.files import write_atomically
from detector.media.open import open_media
from detector.media.reader import MediaReader
from detector.progress import ReportText
from detector.schema.analysis import Parameters
from training.command import run_step
from training.data.research_faces import clip_rows

THRESHOLDS = (0.75, 0.8, SAME_PERSON_SIMILARITY, 0.9)
_FOLDERS = ("clips", "videos")
_FEWEST = 4  # sampled faces of a track in its third
_THIRDS = 3


@dataclass(frozen=True)
class FollowedClip:
    """A clip with the numbers of its tracks and of those that do not move.

    ``ends`` are mean pictures (2, d) of the person seen most in its first third and, if followed until then,
    in its last; None without such a person. Clips of one ``origin`` were published together.
    """

    file: str
    group: str
    origin: str
    tracks: int
    motionless: int
    ends: NDArray[np.float32] | None


def follow_clip(path: Path, row: Mapping[str, str]) -> FollowedClip:
    """Search and follow the faces of the clip at ``path``, described by ``row`` of its table.

    It is followed as an analysis does, and once more in its first and last thirds alone, as if its person had
    been absent in between. Raises :class:`~detector.errors.MediaError` for an unreadable clip.
    """
    parameters = Parameters()
    whole, stillness = Tracker(parameters.bridge_gap), Stillness()
    thirds = [Tracker(parameters.bridge_gap) for _ in range(_THIRDS)]
    same: dict[tuple[int, int], Counter[int]] = {}  # tracks of the whole clip, by third and its track
    with open_media(path) as reader:
        length = reader.expected_duration
        for frame, is_cut, faces in _search(reader, parameters):
            time = float(frame.time)
            numbers = whole.process_frame(time, frame.image, faces, is_cut)
            third = min(_THIRDS - 1, int(_THIRDS * time / length)) if length else 0
            of_third = thirds[third].process_frame(time, frame.image, faces, is_cut)
            for number, own, face in zip(numbers, of_third, faces, strict=True):
                stillness.add(number, time, frame.image, face.box)
                same.setdefault((third, own), Counter())[number] += 1
    return FollowedClip(
        row["file"],
        row["group"],
        row.get("origin") or row["file"].split("-")[0],
        len(whole.tracks),
        len(stillness.motionless()),
        _ends(thirds, same),
    )


def _search(reader: MediaReader, parameters: Parameters) -> Iterator[FoundFaces]:
    search, cuts = FaceSearch(parameters), CutDetector(parameters.sample_rate)
    for frame in reader.frames(parameters.sample_rate, all_decoded=False):
        yield from search.process_frame(frame, cuts.process_frame(frame.image, frame.shape))
    yield from search.flush()


def _ends(
    thirds: Sequence[Tracker], same: Mapping[tuple[int, int], Counter[int]]
) -> NDArray[np.float32] | None:
    """Return mean pictures of the face followed longest in the first third, there and in the last."""

    def by_track(third: int) -> dict[int, Track]:
        """Return tracks that are long enough by the number of the whole clip's track they belong to."""
        return {
            same[third, track.number].most_common(1)[0][0]: track
            for track in thirds[third].tracks
            if track.detections >= _FEWEST and (third, track.number) in same
        }

    first, last = by_track(0), by_track(_THIRDS - 1)
    both = first.keys() & last.keys()
    if not both:
        return None
    number = max(both, key=lambda track: (first[track].detections, -track))
    return np.stack([tracks[number].thumbnail.ravel() for tracks in (first, last)])


def figures(clips: Sequence[FollowedClip]) -> dict[str, float]:
    """Count tracks and still tracks; and for each threshold the pairs of tracks joined wrongly or not at all.

    Both tracks of one person should be joined; those of different people, from clips of different groups,
    should not. Constants were chosen without these clips, so all roles may be used.
    """
    counts: dict[str, float] = {
        "clips": len(clips),
        "tracks": sum(clip.tracks for clip in clips),
        "tracks that do not move": sum(clip.motionless for clip in clips),
    }
    followed = [(clip, clip.ends) for clip in clips if clip.ends is not None]
    if not followed:
        return counts
    first, last = (normalise_rows(np.stack([ends[end] for _, ends in followed])) for end in (0, 1))
    similarity = first @ last.T
    groups, origins = (np.array([getattr(clip, of) for clip, _ in followed]) for of in ("group", "origin"))
    others = groups[:, None] != groups
    counts["pairs of one person"] = len(followed)
    kinds = {"two people": others, "two people published together": others & (origins[:, None] == origins)}
    counts |= {f"pairs of {kind}": int(chosen.sum()) for kind, chosen in kinds.items()}
    for threshold in THRESHOLDS:
        counts[f"{threshold:g}: one person, not joined"] = int((np.diag(similarity) < threshold).sum())
        for kind, chosen in kinds.items():
            counts[f"{threshold:g}: {kind}, joined"] = int((similarity[chosen] >= threshold).sum())
    return counts


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the clips of the research folder and write ``figures.json``; return 2 if that fails."""
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluation.tracks",
        description="Measure which tracks are joined to persons, and which do not move.",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="research folder")
    parser.add_argument("--out", type=Path, default=Path("out/tracks"), metavar="DIR")
    parser.add_argument("--role", choices=["develop", "train"], help="clips of one role (default: all)")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    return run_step(partial(_measure, options, partial(print, flush=True)), options.data)


def _measure(options: argparse.Namespace, report: ReportText) -> None:
    listed = [
        (options.data / folder / row["file"], row)
        for folder in _FOLDERS
        for row in clip_rows(options.data / folder)
        if options.role in (None, row["role"])
    ]
    clips = []
    for number, (path, row) in enumerate(listed, start=1):
        clip = follow_clip(path, row)
        clips.append(clip)
        still = f", {clip.motionless} of them do not move" if clip.motionless else ""
        report(f"{number} of {len(listed)}: {clip.file}: {clip.tracks} tracks{still}")
    counts = figures(clips)
    for name, value in counts.items():
        report(f"{name}: {value:g}")
    options.out.mkdir(parents=True, exist_ok=True)
    write_atomically(options.out / "figures.json", (json.dumps(counts, indent=2) + "\n").encode())


if __name__ == "__main__":
    sys.exit(main())
