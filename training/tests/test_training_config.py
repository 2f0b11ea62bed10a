"""Recipes: the shipped one reads, and what is wrong in another is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from detector.errors import ParameterError
from training.recipe import DEFAULT_RECIPE, RECIPES, Config, read_config

OPTIONAL = ("notes", "mix", "sequences", "set", "features")


def refusal(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(ParameterError) as refused:
        read_config(path)
    message = str(refused.value)
    assert str(path) in message and "\n" not in message
    return message


def test_the_default_recipe() -> None:
    config = read_config(DEFAULT_RECIPE)
    assert config.name == "efficientnet-lite0"
    with pytest.raises(ValidationError, match="frozen"):
        config.batch = 1  # type: ignore[misc]


def test_the_published_model_is_of_that_recipes_input(model: object) -> None:
    from detector.models.loaded import LoadedModel

    assert isinstance(model, LoadedModel)
    config = read_config(DEFAULT_RECIPE)
    assert (model.card.input.size, model.card.input.mean) == (config.size, config.mean)
    assert (model.card.input.std, model.card.architecture) == (config.std, config.architecture)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_each_recipe_reads_and_is_named_as_its_file(path: Path) -> None:
    config = read_config(path)
    assert config.name == path.stem
    if config.mix:
        assert sum(share for _, share in config.mix) == pytest.approx(1)


@pytest.mark.parametrize("key", [key for key in Config.model_fields if key not in OPTIONAL])
def test_every_key_is_needed(tmp_path: Path, key: str) -> None:
    lines = DEFAULT_RECIPE.read_text().splitlines()
    kept = [line for line in lines if not line.startswith(f"{key} =")]
    assert kept != lines
    assert key in refusal(tmp_path / "recipe.toml", "\n".join(kept))


def test_one_source_of_examples(tmp_path: Path) -> None:
    text = DEFAULT_RECIPE.read_text()
    assert "exactly one of" in refusal(tmp_path / "none.toml", text[: text.index("[mix]")])
    two = text + "\n[sequences]\nshortest = 10\nlongest = 30\n"
    assert "exactly one of" in refusal(tmp_path / "two.toml", two)


def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    text = DEFAULT_RECIPE.read_text()
    assert "learning_rat:" in refusal(tmp_path / "a.toml", f"learning_rat = 1\n{text}")
    assert "mix.dfdc_reel" in refusal(tmp_path / "b.toml", f"{text}\ndfdc_reel = 0.1\n")


def test_shares_that_do_not_add_up(tmp_path: Path) -> None:
    text = DEFAULT_RECIPE.read_text()
    assert "dfdc_real = 0.31" in text
    message = refusal(tmp_path / "recipe.toml", text.replace("dfdc_real = 0.31", "dfdc_real = 0.41"))
    assert "mix: " in message and "the shares add up to 1.100, not 1" in message


@pytest.mark.parametrize(
    ("key", "value"),
    [("batch", "0"), ("size", "16"), ("name", '"Two Words"'), ("average_decay", "1.0"), ("samples", '"all"')],
)
def test_what_is_out_of_range_is_named(tmp_path: Path, key: str, value: str) -> None:
    lines = [
        f"{key} = {value}" if line.startswith(f"{key} =") else line
        for line in DEFAULT_RECIPE.read_text().splitlines()
    ]
    assert f"{key}:" in refusal(tmp_path / "recipe.toml", "\n".join(lines))


def test_no_toml_at_all(tmp_path: Path) -> None:
    refusal(tmp_path / "recipe.toml", "batch: 48")


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"gone\.toml"):
        read_config(tmp_path / "gone.toml")


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_bytes(b"name = '\xff\xfe'")
    with pytest.raises(ParameterError, match=r"recipe\.toml"):
        read_config(tmp_path / "recipe.toml")
