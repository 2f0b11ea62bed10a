"""Cases of analysed exhibits whose names say what they are, and validations made of them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from made_results import finished
from voices import recording

from detector.models.model_files import DEFAULT_MODEL, MODELS_FOLDER
from detector.schema.method import Parameters
from detector.schema.model import Model
from detector.validation.validated_model import validated_model, validated_voice_model
from webapp.accounts.permissions import LOCAL
from webapp.casework import access
from webapp.storage.tables import AnalysisRow
from webapp.validations import creation


def shipped_model() -> Model:
    """The default model as an analysis names it."""
    used = validated_model(MODELS_FOLDER / f"{DEFAULT_MODEL}.json")
    card = json.loads((MODELS_FOLDER / f"{DEFAULT_MODEL}.json").read_bytes())
    fields = {
        name: getattr(used, name) for name in ("name", "title", "architecture", "sha256", "temperature")
    }
    return Model(
        **fields,
        segment=used.segment,
        exhibit=used.exhibit,
        second_look=used.second_look,
        figures={},
        domain=card["domain"],
        limits=(),
    )


def fill(app, shipped: Model, count: int = 6) -> tuple[int, list[AnalysisRow]]:
    """A case with finished analyses, whose names say what they are."""
    client = app.test_client()
    made = client.post("/cases", data={"name": "Reference material"})
    case_id = int(made.headers["Location"].rsplit("/", 1)[1])
    rows = []
    for number in range(count):
        for label, probability in (("real", 0.1 + 0.02 * number), ("manipulated", 0.9 - 0.05 * number)):
            fields = {"model": shipped, "parameters": Parameters(), "probability": probability}
            rows.append(finished(app, fields, file=f"{label}-{number}.mp4", duration=4.0 + len(rows)))
    with app.extensions["database"].begin() as session:
        for row in rows:
            session.get_one(AnalysisRow, row.id).case_id = case_id
    return case_id, rows


def spoken_exhibits(app, shipped: Model, case_id: int, folder: Path) -> list[AnalysisRow]:
    """Recordings of sound without picture, half of them synthetic, whose names say what they are."""
    card = validated_voice_model()
    rows = []
    for number in range(4):
        spans, label = (((3.0, 8.5),), "synthetic") if number % 2 else ((), "human")
        made = recording(folder, duration=20.0 + number, spans=spans)
        assert made.voice is not None
        network = made.voice.model.model_copy(update={"sha256": card.sha256, "card_sha256": card.card_sha256})
        scores = made.voice.scores.model_copy(update={"enter": card.enter, "leave": card.leave})
        heard = made.voice.model_copy(
            update={"model": network, "scores": scores, "segments": (), "spectrogram": None}
        )
        fields = {name: getattr(made, name) for name in ("verdict", "media", "coverage")}
        fields |= {"model": shipped, "parameters": Parameters(), "voice": heard}
        file = f"{label}-{number}.opus"
        rows.append(finished(app, fields, file=file, persons=0, segments=0, kept=False))
    with app.extensions["database"].begin() as session:
        for row in rows:
            session.get_one(AnalysisRow, row.id).case_id = case_id
    return rows


def labels_of(spoken: list[AnalysisRow]) -> str:
    """Rows of a table that label recordings by what their names say of the voice."""
    return "".join(f"{row.file},,{row.file.split('-')[0]}\n" for row in spoken)


def labelled(text: str) -> str:
    """The table of the form with the labels that names say."""
    rows = list(csv.DictReader(io.StringIO(text)))
    out = io.StringIO()
    writer = csv.DictWriter(out, creation.COLUMNS)
    writer.writeheader()
    writer.writerows(row | {"label": row["file"].split("-")[0]} for row in rows)
    return out.getvalue()


def make(app, case_id: int) -> str:
    """The address of a validation made of a case by the labels that names say."""
    client = app.test_client()
    with app.extensions["database"].begin() as session:
        case = access.find_or_404(session, LOCAL, case_id)
        table = creation.empty_table(creation.offered_analyses(access.list_analyses(session, case)))
    form = {"case": str(case_id), "title": "Reference", "laboratory": "Lab", "table": labelled(table)}
    answer = client.post("/validations", data=form)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]
