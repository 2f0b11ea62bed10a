"""Cases of analysed exhibits whose names say what they are, and validations made of them."""

from __future__ import annotations

import csv
import io

from made_results import finished

from detector.schema.method import Parameters
from detector.schema.model import Model
from webapp.accounts.permissions import LOCAL
from webapp.casework import access
from webapp.storage.tables import AnalysisRow
from webapp.validations import creation


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
