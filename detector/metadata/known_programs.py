"""Programs that leave their name in files, by what they are for. The list is ours and never complete."""

from __future__ import annotations

import re
from collections.abc import Iterable

from detector.schema.metadata import Tag

EDITORS = (
    "Adobe Premiere", "After Effects", "Adobe Media Encoder", "Photoshop", "Lightroom", "Illustrator",
    "Final Cut", "iMovie", "DaVinci Resolve", "Blackmagic Design", "Avid", "Media Composer", "VEGAS",
    "CapCut", "InShot", "Filmora", "KineMaster", "VSDC", "Kdenlive", "Shotcut", "MLT", "OpenShot",
    "Blender", "GIMP", "Snapseed", "PicsArt", "Facetune", "FaceApp", "Canva", "Affinity", "Pixelmator",
    "Capture One", "Darktable", "RawTherapee", "Paint.NET", "Krita", "Camtasia", "PowerDirector",
    "Movie Maker", "Clipchamp", "Splice", "VivaVideo", "VN Video", "LumaFusion", "Nuke", "Natron",
    "Fusion Studio",
)  # fmt: skip
GENERATORS = (
    "DeepFaceLab", "DeepFaceLive", "FaceSwap", "FaceFusion", "Roop", "Reface", "Stable Diffusion", "ComfyUI",
    "AUTOMATIC1111", "InvokeAI", "Midjourney", "DALL-E", "DALL·E", "Firefly", "Sora", "Runway", "Synthesia",
    "HeyGen", "D-ID", "Kling", "Pika", "NovelAI", "GPT-4o",
)  # fmt: skip
CONVERTERS = (
    "Lavf", "Lavc", "FFmpeg", "HandBrake", "libx264", "x264", "MEncoder", "Libav", "GStreamer", "mkvmerge",
    "VirtualDub", "Format Factory", "Google", "vimeo", "ImageMagick", "GraphicsMagick",
)  # fmt: skip
RECORDERS = ("OBS", "Bandicam", "Fraps", "ScreenFlow", "QuickTime Player", "Snagit", "ReplayKit")

# Tags that say what made or changed the file; a title or comment may name anything.
_MAKING = re.compile(
    r"encoder|software|creator|tool|handler|vendor|history|agent|writing|muxer|application|host|parameters|prompt|workflow",
    re.IGNORECASE,
)


def named(tags: Iterable[Tag], names: tuple[str, ...]) -> list[Tag]:
    """The tags about making in which one of ``names`` stands as a word of its own."""
    # "Avid" is no part of "David", and a version may follow without a space, as in "Lavf62.12".
    words = re.compile(r"(?<![A-Za-z])(?:" + "|".join(map(re.escape, names)) + r")(?![a-z])", re.IGNORECASE)
    return [tag for tag in tags if _MAKING.search(tag.name) and words.search(tag.value)]
