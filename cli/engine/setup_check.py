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
from reports import fonts

CheckState = Literal["ok", "missing", "optional"]

SETUP = "Run: make setup"

# FFmpeg's decoder names; any one suffices. Its own `av1` only passes work to hardware.
DECODERS = {
    "H.264": ("h264",),
    "HEVC (H.265)": ("hevc",),
    "VP9": ("vp9", "libvpx-vp9"),
    "AV1": ("libdav1d", "libaom-av1"),
    "MPEG-4": ("mpeg4",),
    "MJPEG": ("mjpeg",),
}
# Packages below this line of requirements.txt are for developers only.
DEVELOPERS_PART = "# [dev] Tests and checks"

_GB = 10**9
# During an upload an exhibit is stored twice, and later its overlays.
_DATA_NEEDED = 2 * _GB
_MODELS_NEEDED = 200 * 10**6  # upper bound for all shipped models


class Finding(NamedTuple):
    """One checked requirement; analyses and reports work without an ``optional`` one."""

    name: str
    state: CheckState
    words: str
    remedy: str


def check_setup() -> list[Finding]:
    """Check everything that Reelproof needs on this machine.

    Takes some seconds, because it imports torch and WeasyPrint. Until a package has been found, only Python's
    standard library is imported, so that the check works on an incomplete installation.
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
    """Format the findings in columns, followed by a summary."""
    words = {"ok": "ok", "missing": "MISSING", "optional": "optional"}
    widest = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.name:{widest}}  {words[finding.state]:8}  {finding.words}")
        if finding.remedy:
            lines.append(f"{'':{widest}}  {'':8}  → {finding.remedy}")
    missing = [finding.name for finding in findings if finding.state == "missing"]
    total = f"Missing: {', '.join(missing)}." if missing else "Nothing required is missing."
    return "\n".join([*lines, "", total])


def _packages(requirements: Path) -> Iterator[Finding]:
    """Return one finding for each pinned package with a problem, and one for all others."""
    try:
        lines = requirements.read_text(encoding="utf-8").splitlines()
    except OSError:
        yield Finding("packages", "missing", f"{requirements} cannot be read", "Download Reelproof again.")
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
            # A local version label, as in 2.14.1+cpu, is not part of the pinned version.
            installed = importlib.metadata.version(name).split("+")[0]
        except importlib.metadata.PackageNotFoundError:
            installed = ""
        if installed == pinned:
            fitting += 1
            continue
        words = (
            f"{installed} is installed, but {pinned} was tested"
            if installed
            else f"{pinned} is not installed"
        )
        yield Finding(f"package {name}", state, words, SETUP)
    yield Finding("packages", "ok", f"{fitting} of {pins} are installed as pinned", "")


def _torch_pair() -> Finding:
    name = "torch and torchvision"
    remedy = "Install both from the same index, in the versions of requirements.txt."
    try:
        import torch
        import torchvision
    except Exception as error:  # mismatched versions raise other errors than ImportError
        return Finding(name, "missing", f"cannot be imported: {_first_line(error)}", remedy)
    return Finding(name, "ok", f"{torch.__version__} and {torchvision.__version__} match", "")


def _decoders() -> Iterator[Finding]:
    try:
        from av.codec import Codec
    except Exception as error:  # a broken shared library raises OSError
        yield Finding("decoders", "missing", f"PyAV cannot be imported: {_first_line(error)}", SETUP)
        return
    for name, choices in DECODERS.items():
        decoder = next((choice for choice in choices if _has_decoder(Codec, choice)), None)
        if decoder:
            yield Finding(f"decoder {name}", "ok", decoder, "")
        else:
            yield Finding(
                f"decoder {name}",
                "missing",
                "this build of FFmpeg lacks it; such videos cannot be read",
                "Install PyAV's own wheel, which includes all decoders: pip install --force-reinstall av",
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
    except Exception as error:  # OSError without Pango's libraries
        remedy = "Run: make setup (it installs Pango and HarfBuzz as well)"
        return Finding("PDF reports", "missing", f"WeasyPrint: {_first_line(error)}", remedy)
    return Finding("PDF reports", "ok", f"WeasyPrint {weasyprint.__version__} and Pango", "")


def _fonts() -> Iterator[Finding]:
    try:
        installed = subprocess.run(
            ["fc-list", ":", "family"], capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        yield Finding("fonts", "missing", "fc-list (fontconfig) cannot be run", SETUP)
        return
    lacking = [family for family in fonts.INSTALLED if family not in installed]
    if lacking:
        words = f"not installed: {', '.join(lacking)}; reports would show placeholders for some characters"
        yield Finding("fonts", "missing", words, SETUP)
    else:
        yield Finding("fonts", "ok", ", ".join(fonts.INSTALLED), "")


def _disk(name: str, folder: Path, needed: int) -> Finding:
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    words = f"{free / _GB:.1f} GB free for {folder}"
    if free < needed:
        remedy = f"Free at least {needed / _GB:g} GB."
        if name == "disk, data":
            remedy += " Or set REELPROOF_DATA to a folder on another disk."
        return Finding(name, "missing", words, remedy)
    if not os.access(existing, os.W_OK):
        return Finding(name, "missing", f"{existing} is not writable", "Grant yourself write access.")
    return Finding(name, "ok", words, "")


def _models(folder: Path) -> Iterator[Finding]:
    """Compare the hash of each weights file with its card, without loading it."""
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
        remedy = "Download its .safetensors and .json again from the same source."
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
    """Check the networks that speed up face search and detect covered faces."""
    try:
        from detector.errors import ModelError
        from detector.models.model_files import COVERED_FACES, FACE_PROPOSALS
    except ImportError:
        return  # reported with the models
    for network in (FACE_PROPOSALS, COVERED_FACES):
        title = network.name.replace("-", " ")
        try:
            size = network.file(folder).stat().st_size
            yield Finding(title, "ok", f"{size / 10**6:.1f} MB", "")
        except (ModelError, ValueError) as error:
            yield Finding(title, "missing", _first_line(error), f"Download models/{network.name} again.")


def _confinement() -> Iterator[Finding]:
    """Check what confines processes that read untrusted files; limits always apply."""
    if sys.platform != "linux":
        words = "available on Linux only; files are read without it"
        yield Finding("confinement", "optional", words, "Run Reelproof on Linux.")
        return
    from detector.sandbox import capabilities

    confinement = capabilities()
    ways = ["its own network namespace"] * confinement.network + ["a seccomp filter"] * confinement.calls
    if ways:
        yield Finding("confinement, network", "ok", f"cut off by {' and '.join(ways)}", "")
    else:
        remedy = "Allow user namespaces, or use a kernel with seccomp on x86-64 or arm64."
        yield Finding(
            "confinement, network", "optional", "processes that read files could use the network", remedy
        )
    if confinement.calls:
        words = "other programs, processes and dangerous system calls are blocked (seccomp)"
        yield Finding("confinement, calls", "ok", words, "")
    else:
        remedy = "Use a kernel with seccomp on x86-64 or arm64."
        yield Finding("confinement, calls", "optional", "no system call is blocked", remedy)
    if confinement.files:
        words = f"only the exhibit, the model and the result (Landlock {confinement.files})"
        yield Finding("confinement, files", "ok", words, "")
    else:
        remedy = "Use Linux 5.13 or newer with Landlock switched on (lsm=landlock,...)."
        yield Finding(
            "confinement, files", "optional", "processes that read a file could read other files", remedy
        )


def _gpu() -> Finding:
    without = "none; analyses run on the CPU, training large models would take days"
    try:
        import torch

        if torch.cuda.is_available():
            return Finding("GPU", "ok", torch.cuda.get_device_name(0), "")
    except Exception as error:  # the CPU suffices, whatever the driver reports
        without = f"cannot be detected: {_first_line(error)}"
    return Finding("GPU", "optional", without, "")


def _chromium() -> Finding:
    path = shutil.which("chromium")
    if path:
        return Finding("Chromium", "ok", path, "")
    return Finding("Chromium", "optional", "not installed; only the browser tests need it", "Run: make test")


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
