"""The models page: list, choose and remove models, and analyses with a chosen model."""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import pytest
from made_models import add_model, kept_models, pair, put_model
from made_results import HOSTILE, digest, hand_in

from detector.models.loaded import load_model
from detector.models.model_files import DEFAULT_MODEL, MODELS_FOLDER, SECOND_LOOK_FOLDER
from language.formatting import number
from webapp import create_app
from webapp.exhibits.results import load_result as load_result
from webapp.exhibits.uploads import sample as sample_service
from webapp.installed_models import service as model_service
from webapp.jobs import claims, states
from webapp.storage.tables import AnalysisRow, Choice
from webapp.worker import run_analysis, run_job


def upload(client, **fields: str):
    return client.post("/analyses", data={"file": (io.BytesIO(b"x"), "x.mp4"), **fields})


class TestPage:
    def test_the_shipped_model_is_listed_and_cannot_be_removed(self, client):
        text = client.get("/models").text
        card, weights = pair(DEFAULT_MODEL)
        assert f'id="model-{DEFAULT_MODEL}"' in text and digest(weights)[:12] in text
        for words in ("Default", "Shipped", "Limits, all figures", "Calibration error", "AUC, crops"):
            assert words in text, words
        assert "/remove" not in text and "/default" not in text

    def test_figures_include_the_second_look(self, client, tmp_path):
        beside = tmp_path / "shipped" / SECOND_LOOK_FOLDER
        beside.mkdir()
        shutil.copy(MODELS_FOLDER / SECOND_LOOK_FOLDER / f"{DEFAULT_MODEL}.json", beside)
        card = load_model().card.fused
        model = card.as_model()
        page = client.get("/models").text
        together, alone = page[page.index(f'id="model-{DEFAULT_MODEL}"') :].split("Scan alone, without")[:2]
        meters = together[: together.index("</dl>")]
        error = "develop clips, expected calibration error"
        together_error = f"whole program, 241 {error}"
        assert f">{number(model.figures['241 develop clips, AUC'])}</dd>" in meters
        assert f">{number(model.figures['pages left out, AUC'])}</dd>" in meters
        assert "not measured" not in meters, "the default's card lacks a figure of HEADLINES"
        assert f"<dd>{number(model.figures[together_error])}</dd>" in meters
        assert f"<dd>{number(card.figures[error])}</dd>" not in together
        assert f"<dd>{number(card.figures[error])}</dd>" in alone
        assert "false negative rate, stills test" in together and model.domain.split(".")[0] in together

    def test_figures_have_german_names(self, client):
        text = client.get("/models", headers={"Accept-Language": "de"}).text
        meters = text[text.index('class="meters"') :].partition("</dl>")[0]
        assert re.findall("<dt>(.*?)</dt>", meters) == [
            "AUC, Ausschnitte",
            "AUC, 24 Clips älterer Verfahren",
            "AUC, Clips vieler Verfahren",
            "AUC, ausgelassene Quellen",
            "Kalibrierfehler, Clips",
        ]

    def test_an_added_model_can_be_chosen_and_removed(self, app, client):
        put_model(app, "other", figures={})
        text = client.get("/models").text
        assert "Added here" in text and ">not measured<" in text
        assert 'action="/models/other/default"' in text and 'action="/models/other/remove"' in text
        assert f"/models/{DEFAULT_MODEL}/remove" not in text

    def test_texts_of_cards_are_escaped(self, app, client):
        put_model(
            app,
            "odd",
            title=HOSTILE,
            domain=HOSTILE,
            terms=HOSTILE,
            limits=[HOSTILE],
            data=[HOSTILE],
            recipe=[HOSTILE],
            figures={HOSTILE: 0.5},
            architecture=HOSTILE,
        )
        for path in ("/models", "/"):
            text = client.get(path).text
            assert "<script>alert" not in text and "<img src=x" not in text
            assert "&lt;script&gt;alert(1)" in text

    def test_broken_models_are_skipped(self, app, client, folders):
        put_model(app, "other")
        (folders.models / "other" / "other.json").write_text("{")
        (folders.models / "stray file").write_text("x")
        (folders.models / ".added-1").mkdir()
        assert client.get("/models").text.count("<article") == 1
        folders.remove_leftovers()
        assert not list(folders.models.glob(".*"))

    def test_cross_site_requests_are_refused(self, app, client, folders):
        put_model(app, "other")
        for path in ("/models", "/models/other/default", "/models/other/remove"):
            assert client.post(path, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
            assert client.post(path, headers={"Origin": "https://evil.example"}).status_code == 403
        assert (folders.models / "other" / "other.json").is_file()


class TestChoosing:
    def test_the_default_is_stored(self, app, client, sent, database):
        put_model(app, "other")
        assert client.post("/models/other/default").status_code == 303
        upload(client)
        again = create_app({"REELPROOF_DATA": app.extensions["settings"].data, "SEND": sent.append})
        upload(again.test_client())
        again.extensions["database"].close()
        with database.begin() as session:
            assert [session.get_one(AnalysisRow, analysis_id).model for analysis_id in sent] == [
                "other",
                "other",
            ]
        assert client.get(f"/api/v1/analyses/{sent[0]}").json["model"] == "other"
        assert client.post(f"/models/{DEFAULT_MODEL}/default").status_code == 303
        with database.begin() as session:
            assert session.query(Choice).one().value == DEFAULT_MODEL

    def test_a_missing_default_falls_back_to_the_shipped_model(self, app, client, sent, database, folders):
        put_model(app, "other")
        client.post("/models/other/default")
        shutil.rmtree(folders.models / "other")
        upload(client)
        with database.begin() as session:
            assert session.get_one(AnalysisRow, sent[0]).model == DEFAULT_MODEL

    @pytest.mark.parametrize("name", ["nosuch", "..", ".added-1", "%2e%2e", "Capital", HOSTILE])
    def test_unknown_names_are_refused(self, client, folders, name):
        (folders.models / ".added-1").mkdir()
        for action in ("default", "remove"):
            answer = client.post(f"/models/{name}/{action}")
            assert answer.status_code == 404 and "<script>alert" not in answer.text
        assert (folders.models / ".added-1").is_dir()

    def test_the_form_offers_a_choice_only_with_several_models(self, app, client):
        assert '<select id="model"' not in client.get("/").text
        put_model(app, "other")
        text = client.get("/").text
        assert '<option value="other">' in text and f'<option value="{DEFAULT_MODEL}" selected>' in text
        client.post("/models/other/default")
        assert '<option value="other" selected>' in client.get("/").text

    def test_an_unknown_model_is_refused(self, client, sent, folders):
        answer = upload(client, model="nosuch")
        assert answer.status_code == 400 and "no model of this name" in answer.text
        assert (sent, kept_models(folders)) == ([], [])

    def test_the_chosen_model_is_shown_while_it_runs(self, app, client, sent):
        put_model(app, "other")
        upload(client, model="other")
        assert 'model <span class="exact">other</span>' in client.get(f"/analyses/{sent[0]}").text

    def test_the_sample_uses_the_default(self, app, client, database, monkeypatch):
        put_model(app, "other")
        client.post("/models/other/default")
        ids: list[str] = []
        monkeypatch.setattr("detector.demo_clip.make_sample", lambda path: path.write_bytes(b"sample"))
        sample_service.add_sample(app.extensions["settings"], database, ids.append)
        with database.begin() as session:
            assert session.get_one(AnalysisRow, ids[0]).model == "other"


class TestRemoving:
    def test_added_models_can_be_removed(self, app, client, folders):
        put_model(app, "other")
        assert client.post("/models/other/remove").status_code == 303
        assert kept_models(folders) == []
        assert client.post("/models/other/remove").status_code == 404

    def test_shipped_models_cannot_be_removed(self, client):
        answer = client.post(f"/models/{DEFAULT_MODEL}/remove")
        assert answer.status_code == 409 and "came with Reelproof" in answer.text
        assert (model_service.MODELS_FOLDER / f"{DEFAULT_MODEL}.safetensors").is_file()

    def test_locally_trained_models_cannot_be_removed(self, client):
        """`train` publishes into the folder of the shipped models."""
        for suffix, content in zip((".json", ".safetensors"), pair("lab-model"), strict=True):
            (model_service.MODELS_FOLDER / f"lab-model{suffix}").write_bytes(content)
        text = client.get("/models").text
        own = text[text.index('id="model-lab-model"') :].partition("</article>")[0]
        assert "In the program’s folder" in own and "Shipped" not in own and "/remove" not in own
        shipped = {model["name"]: model["shipped"] for model in client.get("/api/v1/models").json["models"]}
        assert shipped == {DEFAULT_MODEL: True, "lab-model": False}
        answer = client.post("/models/lab-model/remove")
        assert answer.status_code == 409
        assert "came with Reelproof" not in answer.text and "is in the program’s folder" in answer.text
        assert (model_service.MODELS_FOLDER / "lab-model.safetensors").is_file()

    def test_the_default_cannot_be_removed(self, app, client, folders):
        put_model(app, "other")
        client.post("/models/other/default")
        answer = client.post("/models/other/remove")
        assert answer.status_code == 409 and "is the default model" in answer.text
        assert (folders.models / "other").is_dir()

    def test_models_in_use_cannot_be_removed(self, app, client, database):
        put_model(app, "other")
        row = hand_in(app, model="other")
        answer = client.post("/models/other/remove")
        assert answer.status_code == 409 and "not finished" in answer.text
        claims.finish_analysis(
            database, claims.claim_analysis(database, row.id), claims.RecordedResult("manipulated", 0.9)
        )
        assert client.post("/models/other/remove").status_code == 303

    def test_models_used_as_other_models_cannot_be_removed(self, app, client, database):
        put_model(app, "other")
        put_model(app, "other-2")
        row = hand_in(app, settings_changed={"also": ["other-2"]})
        answer = client.post("/models/other-2/remove")
        assert answer.status_code == 409 and "beside another model: 1." in answer.text
        assert client.post("/models/other/remove").status_code == 303
        assert states.cancel(database, row.id)
        assert client.post("/models/other-2/remove").status_code == 303

    def test_a_missing_other_model_is_explained(self, app, database):
        row = hand_in(app, settings_changed={"also": ["gone"]})
        run_job.work(app.extensions["settings"])
        with database.begin() as session:
            failed = session.get_one(AnalysisRow, row.id)
        assert failed.state == "failed" and "The model gone is not here any more" in failed.error

    def test_a_missing_model_is_explained(self, app, database):
        row = hand_in(app, model="gone")
        run_job.work(app.extensions["settings"])
        with database.begin() as session:
            failed = session.get_one(AnalysisRow, row.id)
        assert failed.state == "failed" and "The model gone is not here any more" in failed.error


def test_an_added_model_produces_a_result(app, client, sent, database, folders, tmp_path):
    """Added, chosen for a photo, used by the worker, shown and logged."""
    import skimage.data
    from PIL import Image

    card, weights = pair("second-opinion", temperature=3.0)
    assert add_model(client, card, weights).status_code == 303
    photo = tmp_path / "portrait.png"
    Image.fromarray(skimage.data.astronaut()).save(photo)
    answer = client.post(
        "/analyses", data={"model": "second-opinion", "file": (photo.open("rb"), "portrait.png")}
    )
    assert answer.status_code == 303
    run_job.work(app.extensions["settings"])
    with database.begin() as session:
        row = session.get_one(AnalysisRow, sent[0])
    assert (row.state, row.model, row.error) == ("done", "second-opinion", None)
    model = client.get(f"/api/v1/analyses/{row.id}/analysis.json").json["model"]
    assert (model["name"], model["sha256"], model["temperature"]) == ("second-opinion", digest(weights), 3.0)
    assert "Model second-opinion" in client.get(f"/analyses/{row.id}").text
    assert load_result(folders.result(row.id)).view.model.title == "Model second-opinion"


def test_old_rows_without_a_model_use_the_default(app, database, monkeypatch):
    used: list[Path] = []

    def noted(job, *_rest):
        used.append(job.model)
        raise MemoryError

    monkeypatch.setattr(run_analysis, "make_analysis", noted)
    hand_in(app)
    run_job.work(app.extensions["settings"])
    assert used == [model_service.MODELS_FOLDER / f"{DEFAULT_MODEL}.json"]
