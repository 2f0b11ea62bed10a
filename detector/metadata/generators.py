"""Recognise programs and image generators by the names, prompts and parameters they write into files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from detector.metadata.embedded_text import PNG_TEXT_PLACE as PNG_TEXT
from detector.metadata.embedded_text import EmbeddedText
from detector.schema.causes.declarations import DeclarationCode
from detector.schema.formatting import N_
from detector.schema.metadata import DeclarationKind, Meaning, Tag

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
# Generators in the tag of a camera's maker; without names such as Firefly and Sora, which devices have too.
GENERATORS_AS_MAKERS = ("Black Forest Labs", "Midjourney", "Stability AI", "OpenAI", "Ideogram")
CONVERTERS = (
    "Lavf", "Lavc", "FFmpeg", "HandBrake", "libx264", "x264", "MEncoder", "Libav", "GStreamer", "mkvmerge",
    "VirtualDub", "Format Factory", "Google", "vimeo", "ImageMagick", "GraphicsMagick",
)  # fmt: skip
RECORDERS = ("OBS", "Bandicam", "Fraps", "ScreenFlow", "QuickTime Player", "Snagit", "ReplayKit")

# Tags that state what made or changed the file; a title or comment may name anything.
_MAKING = re.compile(
    r"encoder|software|creator|tool|handler|vendor|history|agent|writing|muxer|application|host|parameters|prompt|workflow",
    re.IGNORECASE | re.ASCII,
)


def tags_naming(tags: Iterable[Tag], names: tuple[str, ...]) -> list[Tag]:
    """Return the tags about making that contain one of ``names`` as a word."""
    return [tag for tag in tags if is_about_making(tag.name) and find_name(tag.value, names)]


def is_about_making(name: str) -> bool:
    """Return whether a tag of this name states what made or changed the file."""
    return _MAKING.search(name) is not None


def find_name(text: str, names: tuple[str, ...]) -> str | None:
    """Return the first of ``names`` that ``text`` contains as a word."""
    match = _words(names).search(text)
    return next((name for name in names if name.lower() == match[0].lower()), None) if match else None


@cache
def _words(names: tuple[str, ...]) -> re.Pattern[str]:
    # "Avid" must not match in "David", but a version may follow directly, as in "Lavf62.12".
    return re.compile(
        r"(?<![A-Za-z])(?:" + "|".join(map(re.escape, names)) + r")(?![a-z])", re.IGNORECASE | re.ASCII
    )


_WEB_UIS = (
    (re.compile(r"\bVersion: Fooocus", re.I | re.A), "Fooocus"),
    (
        re.compile(r"\bVersion: f\d|\bVersion: neo|\bVersion: forge", re.I | re.A),
        "Stable Diffusion WebUI Forge",
    ),
    (re.compile(r"\bApp: SD\.Next", re.I | re.A), "SD.Next"),
    (re.compile(r"\bVersion: ComfyUI", re.I | re.A), "ComfyUI"),
    (re.compile(r"\bVersion: v?1\.\d"), "Stable Diffusion web UI (AUTOMATIC1111)"),
)
_WEB_UI = "Stable Diffusion web UI or a compatible program"
_STEPS = re.compile(r"\bSteps: \d")
_SETTINGS = ("Sampler: ", "CFG scale: ", "Seed: ")
_MODEL = re.compile(r"\bModel: ([^,\n]{1,80})")
_CHECKPOINT = re.compile(r'\\?"(?:ckpt_name|unet_name)\\?"\s{0,9}:\s{0,9}\\?"([^"\\]{1,80})\\?"')
_INVOKE = re.compile(r"invokeai_(?:metadata|graph|workflow)|sd-metadata|dream", re.I | re.A)
_INPAINTED = re.compile(
    r"\bMask blur: |"  # of the web UI
    r'"class_type"\s{0,9}:\s{0,9}"[^"]{0,80}Inpaint|'
    r'"generation_mode"\s{0,9}:\s{0,9}"[^"]{0,40}(?:inpaint|outpaint)|'
    r'"request_type"\s{0,9}:\s{0,9}"[^"]{0,40}Infilling',
    re.I | re.A,
)
_INPAINTED_WORDS = ("Mask blur: ", "npaint", "utpaint", "nfilling")
_EDGE = 4096  # characters at both ends of a text that are searched for programs and models
_JSON_PARAMETERS = tuple(
    re.compile(rf'"{name}"\s{{0,9}}:', re.I | re.A)
    for name in ("prompt", "steps", "sampler|scale|cfg_scale|seed")
)
_JOB = re.compile(r"\bJob ID: [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I | re.A)
_AIGC = re.compile(r'"?AIGC"?\s{0,9}[:=]\s{0,9}\{|"?ContentProducer"?\s{0,9}[:=]')
_AIGC_NAMES = ("AIGC", "ContentProducer")
_AIGC_LABEL = re.compile(r'"?Label"?\s{0,9}[:=]\s{0,9}[\'"]?([123])\b')
_AI_GENERATED = re.compile(r"AI[- ]generated\b", re.I | re.A)
_GOOGLE = re.compile(r"(Made|Edited) with Google AI", re.I | re.A)


@dataclass(frozen=True)
class GeneratorMark:
    """What a text reveals about the generator that wrote it."""

    kind: DeclarationKind
    meaning: Meaning
    program: str | None
    code: DeclarationCode


def recognise_generator(text: EmbeddedText, everything: Iterable[EmbeddedText]) -> GeneratorMark | None:
    """Return what ``text`` declares if a generator wrote it; ``everything`` has all texts of the file."""
    for reader in _LABELS:
        if mark := reader(text):
            return mark
    program = _program(text, everything)
    if program is None:
        return None
    if any(word in text.value for word in _INPAINTED_WORDS) and _INPAINTED.search(text.value):
        meaning, code = Meaning.COMPOSITE_WITH_GENERATED, DeclarationCode.INPAINTING_SETTINGS
    else:
        meaning, code = Meaning.GENERATED, DeclarationCode.GENERATOR_SETTINGS
    return GeneratorMark(DeclarationKind.GENERATION_PARAMETERS, meaning, program, code)


def _web_ui(text: EmbeddedText) -> str | None:
    has_steps = _STEPS.search(text.value) is not None
    has_settings = any(name in text.value for name in _SETTINGS)
    by_name = text.name.lower() == "parameters" and (
        has_steps or has_settings or _is_json_of_parameters(text.value)
    )
    if not by_name and not (has_steps and has_settings):
        return None
    ends = text.value[:_EDGE] + "\n" + text.value[-_EDGE:]
    name = next((name for pattern, name in _WEB_UIS if pattern.search(ends)), _WEB_UI)
    model = _MODEL.search(ends)
    return f"{name}, model {model[1].strip()}" if model else name


def _comfy(text: EmbeddedText) -> str | None:
    value = text.value
    # In WebP the name precedes the value, in the EXIF tags of camera and maker.
    begun = "{" in value[:20]
    # Links follow all nodes, which may exceed the part of a text that is kept.
    is_layout = '"nodes"' in value and (
        '"links"' in value or '"last_node_id"' in value or text.name.lower() == "workflow"
    )
    # Quotes are escaped in a graph inside another JSON, as that of Video Helper Suite.
    is_graph = '"class_type"' in value or r"\"class_type\"" in value
    if not begun or not (is_graph or is_layout):
        return None
    model = _CHECKPOINT.search(value)
    return f"ComfyUI, model {model[1]}" if model else "ComfyUI"


def _program(text: EmbeddedText, everything: Iterable[EmbeddedText]) -> str | None:
    """Return the generator that wrote ``text`` as prompt, parameters or workflow, if one did."""
    name, value = text.name.lower(), text.value
    if _INVOKE.fullmatch(text.name):
        return "InvokeAI"
    if '"sui_image_params"' in value:
        return "SwarmUI"
    if name == "fooocus_scheme":
        return "Fooocus"
    if program := _comfy(text) or _web_ui(text):
        return program
    if name == "use_stable_diffusion_model":
        return "Easy Diffusion"
    has_parameters = _is_json_of_parameters(value)
    is_comment = name in ("comment", "usercomment")
    if is_comment and has_parameters and any(other.value.startswith("NovelAI") for other in everything):
        return "NovelAI"
    if "Job ID:" in value and _JOB.search(value):
        return N_("Midjourney, by the form of its job number")
    is_prompt = name in ("prompt", "negative_prompt", "negative prompt") and text.place == PNG_TEXT
    if is_prompt or has_parameters and (is_comment or name in ("description", "generation_data")):
        return N_("a generator that is not named")
    return None


def _is_json_of_parameters(value: str) -> bool:
    return value[:1] == "{" and all(pattern.search(value) for pattern in _JSON_PARAMETERS)


def _ai_system(text: EmbeddedText) -> GeneratorMark | None:
    # IPTC Photo Metadata 2025.1
    if text.place != "XMP" or not text.name.startswith(("AISystem", "AIPrompt")):
        return None
    return GeneratorMark(
        DeclarationKind.AI_LABEL,
        Meaning.GENERATED,
        text.value if text.name == "AISystemUsed" else None,
        DeclarationCode.AI_SYSTEM_NAMED,
    )


def _aigc(text: EmbeddedText) -> GeneratorMark | None:
    """China's implicit label of generated media (GB 45438-2025): 1 generated, 2 perhaps, 3 suspected."""
    holds_label = any(name in text.value for name in _AIGC_NAMES) and _AIGC.search(text.value)
    if text.name.upper() != "AIGC" and not holds_label:
        return None
    label = _AIGC_LABEL.search(text.value)
    sure = label is not None and label[1] == "1"
    return GeneratorMark(
        DeclarationKind.AI_LABEL,
        Meaning.GENERATED if sure else Meaning.UNKNOWN,
        None,
        DeclarationCode.CHINESE_LABEL if sure else DeclarationCode.CHINESE_LABEL_UNSURE,
    )


def _google(text: EmbeddedText) -> GeneratorMark | None:
    match = _GOOGLE.match(text.value) if text.name == "Credit" else None
    if not match:
        return None
    made = match[1].lower() == "made"
    return GeneratorMark(
        DeclarationKind.AI_LABEL,
        Meaning.GENERATED if made else Meaning.COMPOSITE_WITH_GENERATED,
        "Google AI",
        DeclarationCode.MADE_BY_GOOGLE_AI if made else DeclarationCode.EDITED_BY_GOOGLE_AI,
    )


def _ai_generated(text: EmbeddedText) -> GeneratorMark | None:
    # The programs of FLUX begin the name of the software so. A caption may say it about anything.
    if not is_about_making(text.name) or not _AI_GENERATED.match(text.value):
        return None
    return GeneratorMark(
        DeclarationKind.AI_LABEL, Meaning.GENERATED, None, DeclarationCode.CALLED_AI_GENERATED
    )


_LABELS = (_ai_system, _aigc, _google, _ai_generated)
