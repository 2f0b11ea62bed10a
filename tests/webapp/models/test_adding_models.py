"""Models added on the models page: complete, or refused with a reason."""

from __future__ import annotations

import dataclasses
import io
import json
import pickle
import shutil
import zipfile

import pytest
import torch
from made_models import add_model, kept_models, pair, put_model
from made_results import HOSTILE, digest
from safetensors.torch import load, save

from detector.models.loaded import CARD_LIMIT, check_pair
from detector.models.model_files import DEFAULT_MODEL
from detector.networks.base import architectures
from webapp.installed_models import service as model_service
from webapp.models.pages import _PAIR


@pytest.fixture
def checked_here(monkeypatch):
    """Run the last check in this process, where torch is loaded already, to save seconds."""
    monkeypatch.setattr(
        model_service,
        "check_model",
        lambda card: check_pair(card.read_bytes(), card.with_suffix(".safetensors")),
    )


class TestAdding:
    def test_a_valid_pair_is_added(self, client, folders, checked_here):
        card, weights = pair("my-model")
        answer = add_model(client, card, weights)
        assert answer.status_code == 303, answer.text
        assert answer.location == "/models?added=my-model#model-my-model"
        place = folders.models / "my-model"
        assert (place / "my-model.json").read_bytes() == card
        assert (place / "my-model.safetensors").read_bytes() == weights
        assert sorted(kept_models(folders)) == ["my-model", "my-model.json", "my-model.safetensors"]
        text = client.get(answer.location).text
        assert "Model my-model" in text and "The card and the weights fit together" in text

    def test_weights_of_another_architecture_are_refused(self, client, folders):
        """With the real check in its own process."""
        card, weights = pair("bad")
        other = next(name for name in architectures() if name != json.loads(card)["architecture"])
        answer = add_model(client, pair("bad", architecture=other)[0], weights)
        assert answer.status_code == 400
        assert f"bad.safetensors does not fit architecture {other}" in answer.text
        assert kept_models(folders) == []

    @pytest.mark.parametrize(
        ("case", "reason"),
        [
            ("another shape", "is wanted"),
            ("cut short", "no whole safetensors file"),
            ("no architecture", "Unknown architecture"),
        ],
    )
    def test_weights_that_do_not_match_their_card_are_refused(
        self, client, folders, checked_here, case, reason
    ):
        card, weights = pair("bad")
        changes = {}
        if case == "another shape":
            tensors = load(weights)
            wide = next(n for n, value in tensors.items() if value.ndim == 4)
            weights = save({**tensors, wide: tensors[wide][:1].contiguous()})
        elif case == "cut short":
            weights = weights[:100_000]
        else:
            changes = {"architecture": HOSTILE}
        answer = add_model(client, pair("bad", sha256=digest(weights), **changes)[0], weights)
        assert answer.status_code == 400
        assert reason in answer.text and "<script>alert" not in answer.text
        assert kept_models(folders) == []

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"sha256": "0" * 64}, "SHA-256 differs"),
            ({"name": DEFAULT_MODEL}, "There is a model called"),
            ({"name": "taken"}, "There is a model called taken already"),
            ({"name": "../../escape"}, "name cannot be used"),
            ({"name": "Capital"}, "name cannot be used"),
            ({"temperature": 0}, "malformed at temperature"),
            ({HOSTILE: 1}, "malformed at &lt;script&gt;"),
            ({"title": "right\u202eleft"}, "direction characters"),
            ({"title": "x" * CARD_LIMIT}, "at most 64,000"),
        ],
    )
    def test_invalid_cards_are_refused(self, app, client, folders, monkeypatch, changes, reason):
        monkeypatch.setattr(model_service, "check_model", lambda _card: pytest.fail("this takes seconds"))
        put_model(app, "taken")
        before = kept_models(folders)
        answer = add_model(client, *pair("new", **changes))
        assert answer.status_code == (409 if reason.startswith("There is a model") else 400)
        assert reason in answer.text and "<script>alert" not in answer.text
        assert kept_models(folders) == before

    def test_an_oversized_card_is_refused_with_its_size(self, client):
        card, weights = pair("new")
        assert "has 70,000 bytes" in add_model(client, card + bytes(70_000 - len(card)), weights).text

    def test_errors_in_cards_are_translated(self, client):
        card, weights = pair("new", temperature=0)
        answer = add_model(client, card, weights, **{"Accept-Language": "de"})
        assert "Die Modellkarte (hochgeladen) ist bei temperature fehlerhaft: " in answer.text
        assert "docs/external-models.md hat ein Beispiel." in answer.text

    @pytest.mark.parametrize("kind", ["pickle", "torch.save", "zip", "name"])
    def test_pickled_checkpoints_are_never_opened(self, client, folders, monkeypatch, tmp_path, kind):
        monkeypatch.setattr(model_service, "check_model", lambda _card: pytest.fail("it was to be opened"))
        weights, file = io.BytesIO(), "weights.safetensors"
        if kind == "pickle":
            weights.write(pickle.dumps({"x": 1}))
        elif kind == "torch.save":
            torch.save({"x": torch.zeros(1)}, weights)
        elif kind == "zip":
            with zipfile.ZipFile(weights, "w") as archive:
                archive.writestr("data.pkl", b"x")
        else:
            weights.write(pair("new")[1])
            file = "weights.pt"
        answer = add_model(
            client, pair("new", sha256=digest(weights.getvalue()))[0], weights.getvalue(), file
        )
        assert answer.status_code == 400
        assert "is a pickled checkpoint" in answer.text and "run any program hidden in it" in answer.text
        assert kept_models(folders) == []

    def test_oversized_weights_are_refused_with_the_limit(self, client, folders, monkeypatch):
        monkeypatch.setattr("webapp.models.pages._PAIR", models_limit(200_000))
        card, weights = pair("new")
        answer = add_model(client, card, weights, Accept="application/json")
        assert answer.status_code == 413 and "larger than 0.2 MB" in answer.json["error"]
        assert kept_models(folders) == []

    def test_an_oversized_request_is_refused(self, client, folders, monkeypatch):
        monkeypatch.setattr("webapp.models.pages.FILE_LIMIT", 1000)
        answer = add_model(client, *pair("new"))
        assert answer.status_code == 413 and "larger than 250 MB" in answer.text
        assert kept_models(folders) == []

    def test_files_missing_or_too_many(self, client, folders):
        for data, words in (
            ({}, "No file came"),
            ({"card": (io.BytesIO(b"{}"), "c.json")}, "only one was sent"),
            ({"card": "text", "weights": "text"}, "No file came"),
            ({n: (io.BytesIO(b"x"), n) for n in ("card", "weights", "third")}, "more than 2 files"),
        ):
            answer = client.post("/models", data=data, content_type="multipart/form-data")
            assert answer.status_code == 400 and words in answer.text
        assert kept_models(folders) == []

    def test_one_check_at_a_time(self, client, folders):
        with model_service._CHECKING:
            answer = add_model(client, *pair("new"))
        assert answer.status_code == 409 and "being checked" in answer.text
        assert kept_models(folders) == []

    def test_a_crashed_check_adds_nothing(self, client, folders, monkeypatch):
        monkeypatch.setattr("webapp.installed_models.check.sys.executable", shutil.which("false"))
        answer = add_model(client, *pair("new"))
        assert answer.status_code == 400 and "was not added" in answer.text
        assert kept_models(folders) == []


def models_limit(limit: int):
    """The limit of the models form with another size."""
    return dataclasses.replace(_PAIR, bytes=limit)
