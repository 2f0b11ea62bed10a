"""A library of thousands of analyses, rows only: for what must stay quick however many there are."""

from __future__ import annotations

import hashlib
import json
import random
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert

from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, AnnotationRow, Exhibit, State

NEWEST = datetime(2026, 11, 20, 12, tzinfo=UTC)
REVIEWERS = ("Ada Lovelace", "Grace Hopper", "Émilie du Châtelet")
MODELS = ("reelproof", "efficientnet-lstm", "second-opinion")
PLACES = ("Interview", "Überwachung", "statement", "press conference", "clip")


def fill(database: Database, count: int) -> None:
    """Put ``count`` analyses into an empty database, four to every three exhibits, half of them judged."""
    chance = random.Random(20261120)
    exhibits, analyses, annotations = [], [], []
    for number in range(count):
        moment = NEWEST - timedelta(minutes=17 * number)
        if number % 4 < 3:
            sha256 = hashlib.sha256(str(number).encode()).hexdigest()
            exhibits.append(
                {
                    "id": len(exhibits) + 1,
                    "sha256": sha256,
                    "name": f"{number}.mp4",
                    "bytes": chance.randrange(10**5, 10**9),
                    "path": f"exhibits/{sha256[:2]}/{sha256}",
                    "created": moment,
                }
            )
        state = chance.choices((State.DONE, State.FAILED, State.CANCELLED, State.QUEUED), (90, 5, 4, 1), k=1)[
            0
        ]
        done = state == State.DONE
        probability = chance.random() if done and chance.random() < 0.9 else None
        verdict = None
        if done:
            verdict = (
                "inconclusive"
                if probability is None
                else "manipulated"
                if probability > 0.65
                else "no manipulation found"
            )
        length = chance.choice((0.0, chance.uniform(2, 7200)))
        identity = hashlib.md5(str(number).encode()).hexdigest()
        analyses.append(
            {
                "id": identity,
                "exhibit_id": len(exhibits),
                "file": f"{chance.choice(PLACES)} {number:05}.mp4",
                "state": str(state),
                "stage": "",
                "progress": 1.0 if done else 0.0,
                "created": moment,
                "sent": moment,
                "started": moment + timedelta(seconds=1) if done else None,
                "finished": moment + timedelta(seconds=2 + length * chance.uniform(0.5, 1.5))
                if done
                else None,
                "attempt": 1,
                "verdict": verdict,
                "probability": probability,
                "model": chance.choice(MODELS),
                "duration": length if done else None,
            }
        )
        if done and number % 2:
            annotations += _said(identity, moment, chance)
    with database.begin() as session:
        session.execute(insert(Exhibit), exhibits)
        session.execute(insert(AnalysisRow), analyses)
        session.execute(insert(AnnotationRow), annotations)


def _said(analysis_id: str, moment: datetime, chance: random.Random) -> list[dict[str, object]]:
    """What reviewers said of one analysis: of the whole, and of a segment; some said it twice."""
    rows = []
    for number in range(chance.randrange(1, 5)):
        kind = chance.choice(("exhibit", "segment"))
        body = {
            "id": f"{number:032x}",
            "author": chance.choice(REVIEWERS),
            "made": (moment + timedelta(minutes=number)).isoformat(),
            "kind": kind,
            "verdict": chance.choice(("agree", "agree", "agree", "disagree", "unsure")),
            "note": "",
        } | ({"segment": "A1"} if kind == "segment" else {})
        rows.append(
            {
                "analysis_id": analysis_id,
                "id": body["id"],
                "kind": kind,
                "author": body["author"],
                "verdict": body["verdict"],
                "made": moment + timedelta(minutes=number),
                "body": json.dumps(body),
            }
        )
    return rows
