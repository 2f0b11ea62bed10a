"""Training configuration: a TOML file whose unknown keys are errors."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import Field, ValidationError

from detector.analysis import Value
from detector.errors import ParameterError

SHIPPED = Path(__file__).parent / "configs" / "reelproof-lite0.toml"


class MixConfig(Value):
    """Shares of each kind of example, see ``dataset.Mix``."""

    dfdc_real: float = Field(ge=0)
    dfdc_fake: float = Field(ge=0)
    dfdc_self_blend: float = Field(ge=0)
    other_real: float = Field(ge=0)
    other_self_blend: float = Field(ge=0)
    other_swap: float = Field(ge=0)


class Config(Value):
    """One recipe; each key is explained in the shipped file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    architecture: str
    size: int = Field(ge=32, le=512)
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    samples: int = Field(gt=0)
    batch: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    warm_up: int = Field(ge=0)
    weight_decay: float = Field(ge=0)
    average_decay: float = Field(ge=0, lt=1)
    label_smoothing: float = Field(ge=0, lt=1)
    seed: int
    check_every: int = Field(gt=0)
    mix: MixConfig


def read_config(path: Path) -> Config:
    """Read a recipe; raises :class:`ParameterError` naming the key that is unknown or out of range."""
    try:
        return Config.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ParameterError(f"{path}: cannot be read as TOML: {error}") from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ParameterError(f"{path}: {wrong}") from None
