"""Programs that leave their name in files, by what they are for. The list is ours and never complete."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from detector.schema.metadata import Tag

EDITORS = (
    "Adobe Premiere", "After Effects", "Adobe Media Encoder", "Photoshop", "Lightroom", "Illustrator",
    "Final Cut", "iMovie", "DaVinci Resolve", "Blackmagic Design", "Avid", "Media Composer", "VEGAS",
    "CapCut", "InShot", "Filmora", "KineMaster", "VSDC", "Kdenlive", "Shotcut", "MLT", "OpenShot",
    "Blender", "GIMP", "Snapseed", "PicsArt", "Facetune", "FaceApp", "Canva", "Affinity", "Pixelmator",
    "Capture One", "Darktable", "RawTherapee", "Paint.NET", "Krita", "Camtasia", "PowerDirector",
    "Movie Maker", "Clipchamp", "Splice", "VivaVideo", "VN Video", "LumaFusion", "Nuke", "Natron",
    "Fusion Studio", "Photopea", "Pixlr", "Luminar", "PhotoScape", "ACDSee", "PaintShop", "VSCO", "Fotor",
    "PhotoDirector", "DxO PhotoLab", "Topaz", "Remini", "Meitu", "BeautyPlus", "YouCam", "B612", "Lensa",
)  # fmt: skip
FACE_SWAPPERS = (
    "DeepFaceLab", "DeepFaceLive", "FaceSwap", "FaceFusion", "Roop", "Reface",
)  # fmt: skip
GENERATORS = (
    *FACE_SWAPPERS, "Stable Diffusion", "ComfyUI", "AUTOMATIC1111", "InvokeAI", "Midjourney", "DALL-E",
    "DALL·E", "Firefly", "Sora", "Runway", "Synthesia", "HeyGen", "D-ID", "Kling", "Pika", "NovelAI",
    "GPT-4o", "Fooocus", "SwarmUI", "SD.Next", "Draw Things", "DiffusionBee", "Easy Diffusion", "Ideogram",
    "Leonardo.Ai", "Black Forest Labs", "Bing Image Creator", "Google AI",
)  # fmt: skip
GENERATORS_AS_MAKERS = ("Black Forest Labs", "Midjourney", "Stability AI", "OpenAI", "Ideogram")
"""Who makes no camera; names such as Firefly and Sora are those of devices too."""
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
    return [tag for tag in tags if is_about_making(tag.name) and name_in(tag.value, names)]


def is_about_making(name: str) -> bool:
    """Whether a tag of this name says what made or changed the file."""
    return _MAKING.search(name) is not None


def name_in(text: str, names: tuple[str, ...]) -> str | None:
    """The first of ``names`` that stands in ``text`` as a word of its own."""
    found = _words(names).search(text)
    return next((name for name in names if name.lower() == found[0].lower()), None) if found else None


@cache
def _words(names: tuple[str, ...]) -> re.Pattern[str]:
    # "Avid" is no part of "David", and a version may follow without a space, as in "Lavf62.12".
    return re.compile(r"(?<![A-Za-z])(?:" + "|".join(map(re.escape, names)) + r")(?![a-z])", re.IGNORECASE)
