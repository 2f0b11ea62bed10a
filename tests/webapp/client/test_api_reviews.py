"""Second reviews by the REST API and by the client, as far as each may see them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from http_servers import served
from made_results import finished
from made_rows import change
from second_review_case import FILE, Review, review

from webapp.accounts import tokens as accounts_tokens
from webapp.accounts.users import principal_of
from webapp.client import Client, Conflict, NotAllowed, NotFound, Unusable
from webapp.storage.tables import now


@pytest.fixture
def lab(tmp_path, sent) -> Iterator[tuple[Review, dict[str, Client]]]:
    """A review, and a client for each of its people."""
    made = review(tmp_path / "data", sent, "findings")
    with made.app.extensions["database"].alone() as session:
        scopes = ["read", "export", "annotate", "arrange"]
        tokens = {
            name: accounts_tokens.create(
                session, principal_of(user), "t", scopes[: 4 if name in ("root", "ada", "ben") else 3]
            ).token
            for name, user in made.users.items()
        }
    with served(made.app) as address:
        yield made, {name: Client(address, token) for name, token in tokens.items()}
    made.app.extensions["database"].close()


def bearer(client: Client) -> dict[str, str]:
    """The header by which a client is known."""
    return {"Authorization": f"Bearer {client._token}"}


def test_a_review_from_naming_reviewers_to_a_decision(lab: tuple[Review, dict[str, Client]]) -> None:
    made, people = lab
    row, ada, ben, cleo = made.row.id, people["ada"], people["ben"], people["cleo"]
    named = people["root"].name_reviewers(made.case, "ada", "ben", "cleo", blind="findings")
    assert (named["first"], named["second"], named["third"], named["blind"]) == (
        "ada",
        "ben",
        "cleo",
        "findings",
    )
    assert ada.reviewers(made.case) == named
    assert [entry["task"] for entry in ben.waiting_reviews()] == ["judge"]
    assert ben.waiting_reviews()[0]["exhibit"] == made.row.exhibit.sha256
    with pytest.raises(NotAllowed, match="second reviewer"):
        ben.get(row)
    before = ben.review(row)
    assert (before["standing"], before["part"], before["own"]) == ("awaited", "second", None)
    stretch = {"start": 1.0, "end": 2.5, "note": "lips"}
    mine = ben.judge(row, "manipulated", "Lips.", [stretch], voice="synthetic speech found")
    assert mine["own"]["voice"] == "synthetic speech found"
    assert mine["own"]["stretches"] == [stretch] and mine["own"]["hidden"] == "findings"
    assert ben.get(row)["verdict"] is not None
    hers = ada.review(row)
    assert hers["review"]["given"] == ["second"] and hers["review"]["statements"] == []
    assert ada.judge(row, "inconclusive", "Dark.")["standing"] == "differs"
    assert len(ada.say_in_review(row, "Look again.")["review"]["statements"]) == 3
    assert cleo.waiting_reviews()[0]["task"] == "decide"
    ended = cleo.decide(row, "manipulated", "Teeth.", voice="inconclusive")
    assert ended["joint"] == {
        "conclusion": "manipulated",
        "voice": "inconclusive",
        "way": "decision",
        "reasons": "Teeth.",
    }
    with pytest.raises(Conflict, match="nothing left"):
        ada.say_in_review(row, "late")


def test_a_proposal_is_accepted(lab: tuple[Review, dict[str, Client]]) -> None:
    made, people = lab
    row = made.row.id
    people["root"].name_reviewers(made.case, "ada", "ben", blind="judgements")
    people["ada"].judge(row, "inconclusive", "Dark.")
    people["ben"].judge(row, "manipulated", "Lips.")
    answer = people["ada"].propose(row, "inconclusive", "Both too sure.", voice="no synthetic speech found")
    proposal = answer["review"]["statements"][-1]["id"]
    joint = people["ben"].accept(row, proposal)["joint"]
    assert (joint["way"], joint["voice"]) == ("conversation", "no synthetic speech found")


def test_only_authorised_users_name_suitable_reviewers(lab: tuple[Review, dict[str, Client]]) -> None:
    made, people = lab
    with pytest.raises(NotAllowed, match="second reviewer of this case"):
        people["ben"].name_reviewers(made.case, "ada", "cleo")
    with pytest.raises(Unusable, match="no account"):
        people["root"].name_reviewers(made.case, "ada", "zoe")
    with pytest.raises(Unusable, match="administrator"):
        people["root"].name_reviewers(made.case, "ada", "root")


def test_outsiders_get_404(lab: tuple[Review, dict[str, Client]]) -> None:
    made, people = lab
    with pytest.raises(NotFound):
        people["dora"].review(made.row.id)
    with pytest.raises(NotFound):
        people["dora"].reviewers(made.case)


def test_an_earlier_analysis_leads_to_the_review(
    lab: tuple[Review, dict[str, Client]],
) -> None:
    made, people = lab
    again = finished(made.app, file=FILE)
    change(made.app.extensions["database"], again.id, case_id=made.case, created=now() + timedelta(hours=1))
    before = people["ben"].review(made.row.id)
    assert before["review"]["analysis"] == again.id and before["standing"] == "awaited"
    key = {"Idempotency-Key": "once"} | bearer(people["ben"])
    judgement = {"conclusion": "manipulated", "reasons": "Lips.", "stretches": []}
    for _attempt in range(2):  # the answer to the first may have been lost
        answer = made.app.test_client().post(
            f"/api/v1/analyses/{made.row.id}/review/judgement", json=judgement, headers=key
        )
        assert answer.status_code == 201 and answer.json["own"]["reasons"] == "Lips."
    assert people["ben"].review(again.id)["own"]["reasons"] == "Lips."


def test_the_review_of_an_invisible_analysis_is_not_disclosed(
    lab: tuple[Review, dict[str, Client]],
) -> None:
    made, people = lab
    mine = finished(made.app, file=FILE)
    earlier = now() - timedelta(hours=1)
    owner = made.users["dora"].id
    change(made.app.extensions["database"], mine.id, case_id=made.case, owner_id=owner, created=earlier)
    with pytest.raises(NotFound, match="no analysis at this address"):
        people["dora"].review(mine.id)


def test_invalid_judgements_are_refused(lab: tuple[Review, dict[str, Client]]) -> None:
    made, people = lab
    row = made.row.id
    with pytest.raises(NotAllowed, match="not a reviewer"):
        people["root"].judge(row, "manipulated", "x")
    with pytest.raises(Unusable):
        people["ben"].judge(row, "real", "x")
    with pytest.raises(Unusable, match="ends after"):
        people["ben"].judge(row, "manipulated", "x", [{"start": 0.0, "end": 9999.0}])
    with pytest.raises(Conflict, match="must be in first"):
        people["cleo"].decide(row, "manipulated", "x")


def test_the_second_reviewer_gets_the_exhibit(lab: tuple[Review, dict[str, Client]]) -> None:
    made, people = lab
    answer = made.app.test_client().get(
        f"/api/v1/analyses/{made.row.id}/review/exhibit", headers=bearer(people["ben"])
    )
    assert answer.status_code == 200 and answer.mimetype == "application/octet-stream"


def test_without_a_second_review_nothing_is_hidden(lab: tuple[Review, dict[str, Client]]) -> None:
    made, people = lab
    with pytest.raises(NotAllowed, match="second reviewer"):
        people["ben"].get(made.row.id)
    answer = made.app.test_client().delete(
        f"/api/v1/cases/{made.case}/reviewers", headers=bearer(people["ada"])
    )
    assert answer.status_code == 204
    assert people["ben"].get(made.row.id)["verdict"] is not None
