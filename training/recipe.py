"""Read training recipes: TOML files in which unknown keys are errors."""

from __future__ import annotations

import math
import tomllib
from enum import StrEnum
from pathlib import Path

from pydantic import Field, ValidationError, model_validator

from detector.errors import ParameterError
from detector.schema.analysis import Value

RECIPES = Path(__file__).parent / "recipes"
DEFAULT_RECIPE = RECIPES / "efficientnet-lite0.toml"
"""The recipe `train` runs by default: the design of the default model, from ImageNet weights."""
MUTABLE_KEYS = {"title", "notes", "interpolation", "samples", "patience"}
"""Keys that may differ between two runs of a recipe: texts, options of publishing, the training length."""


class Schedule(StrEnum):
    """How the learning rate moves after warm-up."""

    LINEAR = "linear"  # down to a hundredth at the last example
    PLATEAU = "plateau"  # halved at each check without an improvement


class Metric(StrEnum):
    """The figure on the validation split that selects the best weights."""

    AUC = "auc"
    F1 = "f1"


class MixConfig(Value):
    """Shares of each kind of example, see :class:`~training.data.crop_examples.Examples`."""

    dfdc_real: float = Field(ge=0)
    dfdc_fake: float = Field(ge=0)
    dfdc_self_blend: float = Field(ge=0)
    other_real: float = Field(ge=0)
    other_self_blend: float = Field(ge=0)
    other_swap: float = Field(ge=0)
    other_reenacted: float = Field(ge=0)

    @model_validator(mode="after")
    def _whole(self) -> MixConfig:
        total = sum(share for _, share in self)
        if not math.isclose(total, 1, rel_tol=1e-5):
            raise ValueError(f"the shares add up to {total:.3f}, not 1")
        return self


class SequencesConfig(Value):
    """Lengths of the sequences of :class:`~training.data.sequence_examples.Sequences`."""

    shortest: int = Field(ge=1, description="frames")
    longest: int = Field(ge=1, description="frames")


class SetConfig(Value):
    """A user's own data set, see :mod:`training.data.own_sets` and :mod:`training.data.streamed_videos`."""

    frames: int = Field(
        gt=0, description="evenly spaced frames of a video; of a streamed one at most two a second"
    )
    streamed: bool = Field(description="decode videos one by one in each epoch and store nothing")
    fake_share: float = Field(
        gt=0, lt=1, description="share of fakes among the examples drawn; 0.5 if streamed"
    )


class FeaturesConfig(Value):
    """Examples as features of a frozen backbone (:mod:`~training.data.sources`)."""

    examples: int = Field(gt=0, description="number stored; the recipe's samples repeat them")


class Config(Value):
    """A recipe; the shipped files explain each key."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    architecture: str
    start: str
    frozen_stages: int = Field(ge=0)
    teacher: str
    size: int = Field(ge=32, le=512)
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    samples: int = Field(gt=0)
    batch: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    schedule: Schedule
    warm_up: int = Field(ge=0)
    weight_decay: float = Field(ge=0)
    average_decay: float = Field(ge=0, lt=1)
    interpolation: float = Field(gt=0, le=1)
    label_smoothing: float = Field(ge=0, lt=1)
    fake_weight: float = Field(gt=0)
    local_weight: float = Field(ge=0)
    hidden: float = Field(ge=0, le=1)
    clip_norm: float = Field(gt=0)
    mixed_precision: bool
    notes: tuple[str, ...] = ()
    seed: int
    check_every: int = Field(gt=0)
    choose_by: Metric
    patience: int = Field(ge=0)
    mix: MixConfig | None = None
    sequences: SequencesConfig | None = None
    set: SetConfig | None = None
    features: FeaturesConfig | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Config:
        sources = [name for name in ("mix", "sequences", "set") if getattr(self, name) is not None]
        if len(sources) != 1:
            raise ValueError(
                f"exactly one of [mix], [sequences] and [set] is needed, not {sources or 'none'}"
            )
        return self


def read_config(path: Path) -> Config:
    """Read a recipe. Raise :class:`ParameterError` naming any key that is unknown or out of range."""
    try:
        return Config.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ParameterError(f"{path}: cannot be read as TOML: {error}") from None
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in error.errors()
        )
        raise ParameterError(f"{path}: {problems}") from None
