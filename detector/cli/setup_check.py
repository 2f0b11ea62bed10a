"""Report what an installation lacks: packages, decoders, fonts, disk space and models."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from detector.files import FILES, ROOT, hash_file

CheckState = Literal["ok", "missing", "optional"]

SETUP = "Run: make setup"

# Names FFmpeg gives its decoders, any one of which will do. Its own `av1` only passes work to hardware.
DECODERS = {
    "H.264": ("h264",),
    "HEVC (H.265)": ("hevc",),
    "VP9": ("vp9", "libvpx-vp9"),
    "AV1": ("libdav1d", "libaom-av1"),
    "MPEG-4": ("mpeg4",),
    "MJPEG": ("mjpeg",),
}
# Families the reports ask for, as setup.sh installs them.
FONTS = ("DejaVu Sans", "Liberation", "Droid", "Noto Color Emoji")
# What stands below this line of requirements.txt is needed by developers only.
DEVELOPERS_PART = "# [dev] Tests and checks"

_GB = 10**9
# An exhibit is held twice while it arrives, and its overlays beside it.
_DATA_NEEDED = 2 * _GB
_MODELS_NEEDED = 200 * 10**6  # all shipped models together stay below


class Finding(NamedTuple):
    """One thing looked at. ``optional`` is missing too, but an analysis and its report do without."""

    name: str
    state: CheckState
    words: str
    remedy: str


def check_setup() -> list[Finding]:
    """Look at everything Reelproof needs on this machine.

    Takes some seconds, because torch and WeasyPrint are imported to see whether they can be.
    """
    return [
        *_packages(FILES / "requirements.txt"),
        _torch_pair(),
        *_decoders(),
        _report_libraries(),
        *_fonts(),
        _disk("disk, data", Path(os.environ.get("REELPROOF_DATA", "instance")), _DATA_NEEDED),
        _disk("disk, models", FILES / "models", _MODELS_NEEDED),
        *_models(FILES / "models"),
        *_small_networks(FILES / "models"),
        *_confinement(),
        _gpu(),
        _chromium(),
    ]


def table(findings: list[Finding]) -> str:
    """The findings in columns, then one sentence that sums them up."""
    words = {"ok": "ok", "missing": "MISSING", "optional": "optional"}
    widest = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.name:{widest}}  {words[finding.state]:8}  {finding.words}")
        if finding.remedy:
            lines.append(f"{'':{widest}}  {'':8}  → {finding.remedy}")
    missing = [finding.name for finding in findings if finding.state == "missing"]
    total = f"Missing: {', '.join(missing)}." if missing else "Nothing that is needed is missing."
    return "\n".join([*lines, "", total])


def _packages(requirements: Path) -> Iterator[Finding]:
    """One finding for each pinned package that is not as it should be, and one for all others."""
    try:
        lines = requirements.read_text(encoding="utf-8").splitlines()
    except OSError:
        yield Finding(
            "packages", "missing", f"{requirements} cannot be read", "Fetch the whole of Reelproof again."
        )
        return
    # An installed wheel allows ranges of versions, and its extras are optional.
    state: CheckState = "missing" if FILES == ROOT else "optional"
    fitting = pins = 0
    for line in lines:
        if line == DEVELOPERS_PART:
            state = "optional"
        pin = re.match(r"([A-Za-z0-9._-]+)==([^\s;#]+)", line)
        if pin is None:
            continue
        name, pinned = pin.groups()
        pins += 1
        try:
            # A build's own mark, as in 2.14.1+cpu, is not part of the version that is pinned.
            found = importlib.metadata.version(name).split("+")[0]
        except importlib.metadata.PackageNotFoundError:
            found = ""
        if found == pinned:
            fitting += 1
            continue
        words = (
            f"{found} is installed, {pinned} is what was tested" if found else f"{pinned} is not installed"
        )
        yield Finding(f"package {name}", state, words, SETUP)
    yield Finding("packages", "ok", f"{fitting} of {pins} are installed as pinned", "")


def _torch_pair() -> Finding:
    name = "torch and torchvision"
    remedy = "Install both from the same index, in the versions of requirements.txt."
    try:
        import torch
        import torchvision
    except Exception as error:  # a wrong pair fails in many ways, not only with ImportError
        return Finding(name, "missing", f"cannot be imported: {_first_line(error)}", remedy)
    return Finding(name, "ok", f"{torch.__version__} and {torchvision.__version__} fit", "")


def _decoders() -> Iterator[Finding]:
    try:
        from av.codec import Codec
    except Exception as error:  # a broken shared library raises OSError
        yield Finding("decoders", "missing", f"PyAV cannot be imported: {_first_line(error)}", SETUP)
        return
    for name, choices in DECODERS.items():
        found = next((choice for choice in choices if _has_decoder(Codec, choice)), None)
        if found:
            yield Finding(f"decoder {name}", "ok", found, "")
        else:
            yield Finding(
                f"decoder {name}",
                "missing",
                "this build of FFmpeg lacks it; such videos cannot be read",
                "Install PyAV's own wheel, which has all of them: pip install --force-reinstall av",
            )


def _has_decoder(codec: type, name: str) -> bool:
    try:
        codec(name, "r")
    except ValueError:
        return False
    return True


def _report_libraries() -> Finding:
    try:
        import weasyprint
    except Exception as error:  # OSError when Pango's libraries are not there
        remedy = "Run: make setup (it installs Pango and HarfBuzz as well)"
        return Finding("PDF reports", "missing", f"WeasyPrint: {_first_line(error)}", remedy)
    return Finding("PDF reports", "ok", f"WeasyPrint {weasyprint.__version__} and Pango", "")


def _fonts() -> Iterator[Finding]:
    try:
        listed = subprocess.run(
            ["fc-list", ":", "family"], capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        yield Finding("fonts", "missing", "fc-list, of fontconfig, cannot be run", SETUP)
        return
    lacking = [family for family in FONTS if family not in listed]
    if lacking:
        words = f"not installed: {', '.join(lacking)}; reports would show codes or names for some letters"
        yield Finding("fonts", "missing", words, SETUP)
    else:
        yield Finding("fonts", "ok", ", ".join(FONTS), "")


def _disk(name: str, folder: Path, needed: int) -> Finding:
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    words = f"{free / _GB:.1f} GB free for {folder}"
    if free < needed:
        remedy = f"Free some space: {needed / _GB:g} GB at least."
        if name == "disk, data":
            remedy += " Or set REELPROOF_DATA to a folder on another disk."
        return Finding(name, "missing", words, remedy)
    if not os.access(existing, os.W_OK):
        return Finding(name, "missing", f"{existing} cannot be written to", "Give yourself write access.")
    return Finding(name, "ok", words, "")


def _models(folder: Path) -> Iterator[Finding]:
    """Each weights file against its card; the weights are hashed, not loaded."""
    try:
        from detector.errors import ModelError
        from detector.models.model_files import DEFAULT_MODEL, WRONG_FILE, load_card, weight_files
    except ImportError as error:
        yield Finding("models", "missing", f"cannot be checked: {_first_line(error)}", SETUP)
        return
    paths = {path.stem: path.with_suffix("") for path in folder.glob("*.safetensors")}
    paths.setdefault(DEFAULT_MODEL, folder / DEFAULT_MODEL)
    for stem, path in sorted(paths.items()):
        name = f"model {stem}"
        remedy = "Fetch its .safetensors and .json again, both from the same place."
        try:
            card, weights = load_card(path.with_name(f"{stem}.safetensors"))
            files = weight_files(card, weights)
            fits = all(hash_file(file)[1] == sha256 for file, sha256 in files.items())
        except (ModelError, OSError) as error:
            yield Finding(name, "missing", _first_line(error), remedy)
            continue
        if fits:
            size = sum(file.stat().st_size for file in files)
            yield Finding(name, "ok", f"{card.title}, {size / 10**6:.1f} MB", "")
        else:
            yield Finding(name, "missing", WRONG_FILE, remedy)


def _small_networks(folder: Path) -> Iterator[Finding]:
    """Those by which faces are found sooner, and covered ones told."""
    try:
        from detector.errors import ModelError
        from detector.models.model_files import COVERED_FACES, FACE_PROPOSALS
    except ImportError:
        return  # said of the models
    for network in (FACE_PROPOSALS, COVERED_FACES):
        what = network.name.replace("-", " ")
        try:
            size = network.file(folder).stat().st_size
            yield Finding(what, "ok", f"{size / 10**6:.1f} MB", "")
        except (ModelError, ValueError) as error:
            yield Finding(what, "missing", _first_line(error), f"Fetch models/{network.name} again.")


def _confinement() -> Iterator[Finding]:
    """What keeps a process that reads strangers' files in its place; limits are there in any case."""
    if sys.platform != "linux":
        words = "only Linux knows the means; files are read without them"
        yield Finding("confinement", "optional", words, "Run Reelproof on Linux.")
        return
    from detector.sandbox import capabilities

    found = capabilities()
    ways = ["its own network namespace"] * found.network + ["a seccomp filter"] * found.calls
    if ways:
        yield Finding("confinement, network", "ok", f"cut off by {' and '.join(ways)}", "")
    else:
        remedy = "Allow user namespaces, or use a kernel with seccomp on x86-64 or arm64."
        yield Finding("confinement, network", "optional", "what reads a file could reach it", remedy)
    if found.calls:
        words = "other programs, processes and dangerous system calls are refused (seccomp)"
        yield Finding("confinement, calls", "ok", words, "")
    else:
        remedy = "Use a kernel with seccomp on x86-64 or arm64."
        yield Finding("confinement, calls", "optional", "no system call is refused", remedy)
    if found.files:
        words = f"only the exhibit, the model and the result (Landlock {found.files})"
        yield Finding("confinement, files", "ok", words, "")
    else:
        remedy = "Use Linux 5.13 or newer with Landlock switched on (lsm=landlock,...)."
        yield Finding("confinement, files", "optional", "what reads a file could read others", remedy)


def _gpu() -> Finding:
    without = "none; analyses run on the CPU, training large models would take days"
    try:
        import torch

        if torch.cuda.is_available():
            return Finding("GPU", "ok", torch.cuda.get_device_name(0), "")
    except Exception as error:  # whatever the driver has to say, a CPU is enough
        without = f"cannot be looked for: {_first_line(error)}"
    return Finding("GPU", "optional", without, "")


def _chromium() -> Finding:
    found = shutil.which("chromium")
    if found:
        return Finding("Chromium", "ok", found, "")
    return Finding("Chromium", "optional", "not installed; only the browser tests need it", "Run: make test")


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
