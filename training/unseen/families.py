"""Find the family and the kind of a generator by its name in a label file.

A *family* contains the versions and applications of one generator (``AniPortrait`` and ``AniPortrait
(video-driven)``), or generators of the same authors that are applied together (StyleSwap with StyleSync). A
classifier trained on one member recognises the others, so a whole family is left out at once.
"""

from __future__ import annotations

import re
from typing import NamedTuple

TALKING = "talking heads and avatars"
SWAP = "swaps and reenactment"
LIPS = "lip-sync"
VIDEO = "text-to-video"
EDIT = "edits"
PORTRAIT = "generated portraits"
COMPOSITE = "composites"
KINDS = (TALKING, SWAP, LIPS, VIDEO, EDIT)
"""Kinds of manipulated clips; the last two constants are kinds of photographs."""
REAL = "unmanipulated"


class Family(NamedTuple):
    """Name of a family of generators, and the kind of manipulation."""

    name: str
    kind: str


# Parts of names in lower case. The first matching row applies; later rows are more general.
_ROWS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("ReSyncer", SWAP, ("resyncer (face swap",)),
    ("ReSyncer", LIPS, ("resyncer",)),
    ("StyleSwap and StyleSync", SWAP, ("styleswap",)),
    ("StyleSwap and StyleSync", LIPS, ("stylesync",)),
    ("Wav2Lip", LIPS, ("wav2lip",)),
    ("HyperLips", LIPS, ("hyperlips",)),
    ("LatentSync", LIPS, ("latentsync",)),
    ("MuseTalk", LIPS, ("musetalk",)),
    ("DeepFaceLive", SWAP, ("deepfacelive",)),
    ("FF++ Face2Face", SWAP, ("face2face",)),
    ("FF++ FaceSwap", SWAP, ("faceswap",)),
    ("FF++ NeuralTextures", SWAP, ("neuraltextures",)),
    ("FF++ Deepfakes", SWAP, ("deepfakes", "ff++")),
    ("classical face swap", SWAP, ("classical face swap",)),
    ("E4S", SWAP, ("e4s",)),
    ("Face-Adapter", SWAP, ("face-adapter",)),
    ("FaceShifter", SWAP, ("faceshifter",)),
    ("HiRes", SWAP, ("hires",)),
    ("CanonSwap", SWAP, ("canonswap",)),
    ("FSGAN", SWAP, ("fsgan",)),
    ("SimSwap", SWAP, ("simswap",)),
    ("VividFace", SWAP, ("vividface",)),
    ("DFDC", SWAP, ("dfdc",)),
    ("unstated", SWAP, ("unstated (face crop)", "unstated face")),
    ("STIT", EDIT, ("stit",)),
    ("Concat-ID", VIDEO, ("concat-id",)),
    ("ConsisID", VIDEO, ("consisid",)),
    ("FantasyID", VIDEO, ("fantasyid",)),
    ("GEN3C", VIDEO, ("gen3c",)),
    ("ID-Animator", VIDEO, ("id-animator",)),
    ("Ingredients", VIDEO, ("ingredients",)),
    ("LTX-2", VIDEO, ("ltx-2",)),
    ("LaVie", VIDEO, ("lavie",)),
    ("Magic-Me", VIDEO, ("magic-me",)),
    ("Ovi", VIDEO, ("ovi (",)),
    ("Show-1", VIDEO, ("show-1",)),
    ("SkyReels-A2", VIDEO, ("skyreels-a2",)),
    ("Snap Video", VIDEO, ("snap video",)),
    ("Stand-In", VIDEO, ("stand-in",)),
    ("Still-Moving", VIDEO, ("still-moving",)),
    ("Video Alchemist", VIDEO, ("video alchemist",)),
    ("FOMM", TALKING, ("fomm",)),
    ("Follow-Your-Emoji", TALKING, ("followyouremoji", "follow-your-emoji")),
    ("BioDeepAV", TALKING, ("biodeepav",)),
    ("StyleGAN1", PORTRAIT, ("stylegan1",)),
    ("StyleGAN2", PORTRAIT, ("stylegan2",)),
    ("FLUX with LoRA", PORTRAIT, ("flux1-dev-lora",)),
    ("InfiniteYou", PORTRAIT, ("infiniteyou",)),
    ("Kolors", PORTRAIT, ("kolors",)),
    ("GPT-4o", PORTRAIT, ("gpt-4o",)),
    ("SDXL", PORTRAIT, ("sdxl",)),
    ("Midjourney", PORTRAIT, ("midjourney",)),
    ("Photoshop", COMPOSITE, ("photoshop",)),
)
_BESIDE_NAME = re.compile(r"\s*(\(.*\)|\+.*)$")


def family_of(generator: str) -> Family:
    """Return the family of ``generator``.

    A generator without a row is a talking head, as most generators in the label files are. Its family has the
    generator's name, without text in parentheses or after a plus sign.
    """
    name = generator.lower()
    for family, kind, parts in _ROWS:
        if any(part in name for part in parts):
            return Family(family, kind)
    return Family(_BESIDE_NAME.sub("", generator), TALKING)
