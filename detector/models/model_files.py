"""Find and read model cards, weights and the small networks on disk; refuse pickled checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from detector.errors import ModelError
from detector.files import FILES, hash_file
from detector.models.card import Card, SecondLookCard, is_model_name
from detector.schema.base import Value
from detector.schema.formatting import N_

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from detector.networks.graphs import TensorKind


_KINDS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
          "U8": "|u1", "BOOL": "|b1"}  # fmt: skip


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as stored in a safetensors file."""

    kind: str
    shape: tuple[int, ...]
    data: bytes | bytearray

    @property
    def floating(self) -> bool:
        return self.kind in ("F64", "F32", "F16", "BF16")

    def array(self) -> NDArray[np.generic]:
        """Return the tensor in its stored shape; bfloat16 as float32."""
        import numpy as np

        if self.kind == "BF16":  # the upper half of a float32
            halves = np.frombuffer(self.data, "<u2").astype("<u4")
            return (halves << 16).view(np.float32).reshape(self.shape)
        return np.frombuffer(self.data, _KINDS[self.kind]).reshape(self.shape)


HIGH, LOW, EXPONENT = ".high", ".low", ".exponent"
"""Endings of the names of a matrix in twelve bits: see :func:`read_tensors`."""


def read_tensors(data: bytes) -> dict[str, StoredTensor]:
    """Read the tensors of a safetensors file; raise ``ValueError`` for any other file.

    A matrix (n, m) may be stored in whole numbers of twelve bits, the upper eight as :data:`HIGH` (n, m), the
    lower four in pairs as :data:`LOW` (n, m / 2), with a power of two for each row as :data:`EXPONENT` (n,).
    It is returned under its name as float16, which holds such numbers exactly.
    """
    from safetensors import SafetensorError, deserialize

    try:
        stored = deserialize(data)
    except SafetensorError as error:
        raise ValueError(str(error)) from None
    tensors = {name: StoredTensor(info["dtype"], tuple(info["shape"]), info["data"]) for name, info in stored}
    for name in [name.removesuffix(HIGH) for name in tensors if name.endswith(HIGH)]:
        if {name + LOW, name + EXPONENT} <= tensors.keys():
            parts = [tensors.pop(name + ending) for ending in (HIGH, LOW, EXPONENT)]
            tensors[name] = _joined(*parts)
    return tensors


def _joined(high: StoredTensor, low: StoredTensor, exponent: StoredTensor) -> StoredTensor:
    import numpy as np

    rows, columns = high.shape if len(high.shape) == 2 else (0, 0)
    kinds, shapes = (high.kind, low.kind, exponent.kind), (low.shape, exponent.shape)
    if kinds != ("I8", "U8", "I8") or shapes != ((rows, columns // 2), (rows,)) or columns % 2:
        raise ValueError("the parts of a matrix in twelve bits do not fit each other")
    whole = high.array().astype(np.int16) * 16
    pairs = low.array().astype(np.int16)
    whole[:, 0::2] += pairs >> 4
    whole[:, 1::2] += pairs & 15
    scaled = np.ldexp(whole.astype(np.float32), exponent.array()[:, None].astype(np.int32))
    return StoredTensor("F16", high.shape, scaled.astype(np.float16).tobytes())


def read_arrays(data: bytes) -> dict[str, NDArray[np.generic]]:
    """Read the tensors of a safetensors file as arrays."""
    return {name: tensor.array() for name, tensor in read_tensors(data).items()}


def find_mismatch(wanted: Mapping[str, TensorKind], given: Mapping[str, StoredTensor]) -> str:
    """Describe why tensors ``given`` are not those ``wanted``, by name, shape and kind; empty if they are."""
    for names, words in (
        (wanted.keys() - given.keys(), "is missing"),
        (given.keys() - wanted.keys(), "is unknown"),
    ):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            return f"tensor {min(names)[:80]!r}{more} {words}"
    for name, kind in wanted.items():
        if given[name].shape != kind.shape:
            return f"tensor {name!r} is {_shape(given[name].shape)}, where {_shape(kind.shape)} is wanted"
        if given[name].floating != kind.floating or given[name].kind not in (*_KINDS, "BF16"):
            numbers = "floating-point numbers" if kind.floating else "whole numbers"
            return f"tensor {name!r} holds {given[name].kind}, where {numbers} are wanted"
    return ""


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "one number"


def looks_pickled(head: bytes, size: int) -> bool:
    """Return whether a file of ``size`` bytes that starts with ``head`` (16 bytes) is a zip or a pickle.

    ``torch.save`` writes zips with a pickle inside; before 2020 it wrote bare pickles.
    """
    # Safetensors starts with the length of its header, eight bytes that may look like anything.
    if int.from_bytes(head[:8], "little") <= size - 8 and head[8:9] == b"{":
        return False
    return head.startswith(b"PK") or (head[:1] == b"\x80" and head[1:2] in b"\x01\x02\x03\x04\x05")


WRONG_FILE = N_("is not the file its card describes (SHA-256 differs)")
_PICKLED = frozenset({".pt", ".pth", ".bin", ".pkl", ".pickle", ".ckpt"})


def is_pickled_name(name: str) -> bool:
    """Return whether a file is a pickled checkpoint by the ending of its name."""
    return Path(name).suffix.lower() in _PICKLED


def pickled_error(name: str) -> ModelError:
    """Return the error for a pickled checkpoint."""
    return ModelError(
        f"{name} is a pickled checkpoint, and opening one can run any program hidden in it: Reelproof never "
        "does. Convert it to safetensors on the machine that trained it, and give it a card."
    )


def refuse_wrong_weights(name: str, found: str, wanted: str) -> None:
    """Raise :class:`ModelError` if the SHA-256 ``found`` of weights is not the one that their card states."""
    if found != wanted:
        raise ModelError(
            N_("%(name)s %(other_file)s. Fetch both files again.") % {"name": name, "other_file": WRONG_FILE}
        )


MODELS_FOLDER = FILES / "models"
DEFAULT_MODEL = "reelproof"
# Models that come with the program; ``train`` publishes others in the same folder.
SHIPPED_MODELS = frozenset({DEFAULT_MODEL, "efficientnet-lstm"})
# Models that release 0.2 had and later ones have not, by the SHA-256 of their weights. In results of 0.1 the
# first is called "reelproof", being the default then.
RETIRED_MODELS = {
    "6398f14193caf6ca2eb7d512d66d3fa31cf980ca7f84af3c6a22d36fd34aa920": "reelproof-2",
    "aa025ed7b31997dc4d120b77cd9d42d956aca24d7df6c272e495c5f0850c85f2": "reelproof-3",
    "f396a6220af0581ddbff2eef79f3355407b9d5938bce957c5cbb5c93a3eb59ef": "reelproof-lite0",
}
SECOND_LOOK_FOLDER = "second-look"  # beside the models
WEIGHTS = (".safetensors", ".onnx")  # endings of weights, which are beside their card


def load_card(model: str | Path | None = None) -> tuple[Card, Path]:
    """Read the card of ``model`` (default: the shipped one); return it with the path of its weights.

    ``model`` is a name in ``models/`` or the path of a ``.json`` card or of the weights beside it, a
    ``.safetensors`` or ``.onnx`` file. Raises :class:`ModelError` if either is missing or the card is
    malformed.
    """
    model = DEFAULT_MODEL if model is None else model
    given = Path(model)
    if is_pickled_name(given.name):
        raise pickled_error(given.name)
    by_path = given.suffix in {".json", *WEIGHTS}
    if not by_path and not is_model_name(str(model)):
        raise ModelError(
            N_(
                "%(given)s is not a model's name: names consist of small letters, digits and hyphens. "
                "%(models_here)s Name a model elsewhere by the path of its .json, .safetensors or "
                ".onnx file."
            )
            % {"given": repr(str(model)), "models_here": _models_here()}
        )
    path = given if by_path else MODELS_FOLDER / f"{given}.json"
    card_path = path.with_suffix(".json")
    if not card_path.is_file() and str(model) in RETIRED_MODELS.values():
        raise retired_error(str(model))
    _require(card_path, given, by_path)
    card = read_card(card_path.read_bytes(), card_path.name)
    weights = card_path.with_suffix(card.suffix)
    if path.suffix in WEIGHTS and path.suffix != card.suffix:
        raise ModelError(
            N_(
                "%(card)s beside %(weights)s is the card of a %(suffix)s file. The card of an ONNX "
                "file has a part onnx, which says how faces are framed and what the output means "
                "(docs/external-models.md)."
            )
            % {"card": card_path.name, "weights": path.name, "suffix": card.suffix}
        )
    _require(weights, given, by_path)
    return card, weights


def retired_error(name: str) -> ModelError:
    """Return the error for a model of :data:`RETIRED_MODELS` whose files are not here."""
    return ModelError(
        N_(
            "The model %(name)s is no longer part of Reelproof. Install release 0.2, or copy %(name)s.json "
            "and %(name)s.safetensors from that release into the folder models."
        )
        % {"name": name}
    )


def with_absolute_path(model: str | None) -> str | None:
    """Return a model's path as absolute, for processes in another folder; return a name unchanged."""
    return str(Path(model).absolute()) if model and Path(model).suffix else model


def _require(needed: Path, given: Path, by_path: bool) -> None:
    if needed.is_file():
        return
    beside = f" It belongs beside {given.name}." if by_path and needed.name != given.name else ""
    if given.suffix == ".onnx" and needed.suffix == ".json":
        beside += " It says how faces are framed and what the output means (docs/external-models.md)."
    raise ModelError(
        N_("Model file %(name)s not found.%(beside)s %(models_here)s")
        % {"name": needed.name, "beside": beside, "models_here": _models_here()}
    )


def second_look_path(weights: Path, ending: str = "") -> Path:
    """Return the path of a file of the second look that belongs to ``weights``; it may not exist."""
    return weights.parent / SECOND_LOOK_FOLDER / f"{weights.stem}{ending}"


def second_look_weights(weights: Path) -> Path:
    """Return the path of the second look's weights; raise :class:`ModelError` if they are missing."""
    path = second_look_path(weights, ".safetensors")
    if not path.is_file():
        raise ModelError(f"{SECOND_LOOK_FOLDER}/{path.name} is missing beside its card. Fetch both again.")
    return path


def weight_files(card: Card, weights: Path) -> dict[Path, str]:
    """Return all weights of a model, including its second look's, with their SHA-256."""
    files = {weights: card.sha256}
    if second_look := read_second_look(card, weights):
        files[second_look_weights(weights)] = second_look.sha256
    return files


def read_second_look(card: Card, weights: Path) -> SecondLookCard | None:
    """Read the card of the second look beside ``weights``, if there is one; raises :class:`ModelError`."""
    path = second_look_path(weights, ".json")
    if card.onnx or not path.is_file():
        return None
    try:
        second_look = SecondLookCard.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise _malformed(f"{SECOND_LOOK_FOLDER}/{path.name}", error) from None
    if second_look.of != card.sha256:
        raise ModelError(
            N_(
                "%(folder)s/%(card)s belongs to other weights than those of %(model)s. Fetch "
                "both again, or remove the folder second-look."
            )
            % {"folder": SECOND_LOOK_FOLDER, "card": path.name, "model": card.name}
        )
    return second_look


def _models_here() -> str:
    return f"Models here: {', '.join(sorted(card.stem for card in MODELS_FOLDER.glob('*.json'))) or 'none'}."


def read_card(data: bytes, name: str) -> Card:
    """Parse a card; raise :class:`ModelError`, which names it ``name``, if it is malformed."""
    try:
        return Card.model_validate_json(data)
    except ValidationError as error:
        raise _malformed(name, error) from None


def _malformed(name: str, error: ValidationError) -> ModelError:
    first = error.errors()[0]
    values = {"name": name, "key": ".".join(map(str, first["loc"]))[:80], "problem": first["msg"]}
    if not values["key"]:
        return ModelError(
            N_(
                "Model card %(name)s is malformed at its top level: %(problem)s. Correct it; "
                "docs/external-models.md has an example."
            )
            % values
        )
    return ModelError(
        N_(
            "Model card %(name)s is malformed at %(key)s: %(problem)s. Correct it; docs/external-models.md "
            "has an example."
        )
        % values
    )


def known_models(folders: Iterable[Path] = (MODELS_FOLDER,)) -> list[tuple[Card, Path]]:
    """Return the cards in ``folders`` with the paths of their weights, each folder sorted by name.

    Nothing is loaded or hashed. Cards without weights, malformed or misnamed cards, and names that an earlier
    folder has already are left out.
    """
    models: dict[str, tuple[Card, Path]] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            try:
                card, weights = load_card(path)
            except (ModelError, OSError):
                continue
            if card.name == path.stem and is_model_name(card.name):
                models.setdefault(card.name, (card, weights))
    return list(models.values())


class SmallNetworkCard(Value):
    """The card of a small network."""

    name: str
    sha256: str
    taught_by: str
    data: tuple[str, ...]
    terms: str
    figures: dict[str, float]


@dataclass(frozen=True)
class SmallNetwork:
    """A small network beside the models, which judges nothing; ``name`` is that of its folder and files."""

    name: str

    def file(self, models: Path = FILES / "models") -> Path:
        """Return the ONNX file below ``models``; raise :class:`ModelError` if it does not match its card."""
        weights, card = self.files_in(models)
        try:
            expected = SmallNetworkCard.model_validate_json(card.read_bytes()).sha256
            actual = hash_file(weights)[1]
        except FileNotFoundError as error:
            missing = f"{models.name}/{self.name}/{Path(error.filename).name}"
            raise ModelError(f"{missing} is missing. Fetch both files of this folder again.") from None
        refuse_wrong_weights(weights.name, actual, expected)
        return weights

    @lru_cache(maxsize=4)  # noqa: B019  # of constants, which stay
    def sha256(self) -> str | None:
        """Return the SHA-256 in the card of the installed network; None without one."""
        try:
            return SmallNetworkCard.model_validate_json(
                self.files_in(FILES / "models")[1].read_bytes()
            ).sha256
        except FileNotFoundError:
            return None

    def files_in(self, models: Path) -> tuple[Path, Path]:
        """Return the paths of the network and its card below ``models``."""
        path = models / self.name / self.name
        return path.with_suffix(".onnx"), path.with_suffix(".json")


FACE_PROPOSALS = SmallNetwork("face-proposals")  # used by detector.faces.search.networks
COVERED_FACES = SmallNetwork("covered-faces")  # used by detector.faces.tracks
