"""A comparison is visible to those who may see both exhibits."""

from __future__ import annotations

import pytest
from made_comparisons import compared
from made_results import finished
from people import account, signed_in, with_login

from webapp.accounts.permissions import Role
from webapp.exhibits import reference_comparisons
from webapp.jobs import states
from webapp.storage.tables import AnalysisRow


class TestWhoMaySee:
    @pytest.fixture
    def lab(self, tmp_path, sent):
        """A comparison of the boss; Ada sees its exhibit, Ben its reference, Cleo both."""
        app = with_login(tmp_path / "data", sent)
        account(app, "boss", Role.ADMINISTRATOR)
        pair = finished(app, file="altered.mp4"), finished(app, file="original.mp4")
        done = compared(app, *pair)
        who = {name: account(app, name, Role.EXAMINER).id for name in ("ada", "ben", "cleo")}
        again = {}
        with app.extensions["database"].begin() as session:
            for number, (name, row) in enumerate(
                [("ada", pair[0]), ("ben", pair[1]), ("cleo", pair[0]), ("cleo", pair[1])]
            ):
                exhibit = session.get_one(AnalysisRow, row.id).exhibit
                made = states.create_analysis(session, exhibit, f"{name}-{number}.mp4")
                made.owner_id = who[name]
                again[name, row.file] = made.id
        yield app, pair, done, again
        app.extensions["database"].close()

    @pytest.mark.parametrize("name", ["ada", "ben"])
    def test_comparison_is_hidden_without_access_to_both_exhibits(self, lab, name):
        app, pair, done, again = lab
        client = signed_in(app, name)
        for address in (
            f"/comparisons/{done.id}",
            f"/comparisons/{done.id}/comparison.json",
            f"/comparisons/{done.id}/pictures/A1-1.png",
            f"/api/v1/comparisons/{done.id}",
            f"/api/v1/comparisons/{done.id}/comparison.json",
        ):
            assert client.get(address).status_code == 404, address
        own, other = pair if name == "ada" else pair[::-1]
        of = f"/api/v1/exhibits/{own.exhibit.sha256}/comparisons"
        assert client.get(of).json == {"comparisons": []}
        assert client.post(of, json={"reference": other.exhibit.sha256}).status_code == 400
        mine = again[name, own.file]
        assert other.exhibit.sha256 not in client.get(f"/analyses/{mine}/custody").text
        chosen = client.post(f"/analyses/{mine}/compare", data={"reference": other.id})
        assert chosen.status_code == 404

    def test_comparison_is_visible_with_access_to_both_exhibits(self, lab):
        app, pair, done, _again = lab
        client = signed_in(app, "cleo")
        assert "One face differs" in client.get(f"/comparisons/{done.id}").text
        listed = client.get(f"/api/v1/exhibits/{pair[0].exhibit.sha256}/comparisons").json
        assert [comparison["id"] for comparison in listed["comparisons"]] == [done.id]

    def test_reports_contain_only_visible_comparisons(self, lab):
        app, pair, done, _again = lab
        for name, wanted in (("ada", []), ("cleo", [done.id])):
            client = signed_in(app, name)
            with client:
                client.get("/analyses")
                comparisons = reference_comparisons.comparisons_for_report(pair[0].exhibit_id)
            assert [row.id for row in comparisons] == wanted

    def test_kind_of_an_exhibit_is_not_known_from_analyses_of_others(self, lab):
        """Ben hands in the bytes of a photo that only the boss has analysed."""
        app, pair, _done, again = lab
        photo = finished(app, file="photo.jpg", segments=0)
        with app.extensions["database"].begin() as session:
            kept = session.get_one(AnalysisRow, photo.id)
            kept.duration, exhibit = 0.0, kept.exhibit
            probe = states.create_analysis(session, exhibit, "probe.jpg")
            own = session.get_one(AnalysisRow, again["ben", pair[1].file])
            probe.owner_id, own.duration = own.owner_id, 8.0
        ben = signed_in(app, "ben")
        chosen = ben.post(f"/analyses/{own.id}/compare", data={"reference": probe.id})
        assert chosen.status_code == 303
        posted = ben.post(
            f"/api/v1/exhibits/{pair[1].exhibit.sha256}/comparisons", json={"reference": exhibit.sha256}
        )
        assert posted.status_code == 202
        with app.extensions["database"].begin() as session:
            session.get_one(AnalysisRow, probe.id).duration = 0.0
        chosen = ben.post(f"/analyses/{own.id}/compare", data={"reference": probe.id})
        assert chosen.status_code == 400 and "is a photo" in chosen.text
