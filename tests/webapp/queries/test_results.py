"""Finished results are remembered, as many as have room."""

from __future__ import annotations

from made_results import finished

from webapp.queries import results
from webapp.storage.data_folder import Folders


def test_results_are_remembered_by_what_they_weigh(app, monkeypatch):
    folders = Folders.local(app.extensions["settings"].data)
    one, two, three = (folders.result(finished(app, file=f"{number}.mp4").id) for number in range(3))
    size = (one / "analysis.json").stat().st_size
    monkeypatch.setattr(results, "_MOST_CACHED", int(2.5 * size))
    first, second = results.load(one), results.load(two)
    assert results.load(one) is first and results.load(two) is second
    results.load(three)  # no room for three: the one used longest ago goes
    assert results.load(two) is second
    again = results.load(one)
    assert again is not first and again.sha256 == first.sha256


def test_one_result_is_remembered_however_large(app, monkeypatch):
    monkeypatch.setattr(results, "_MOST_CACHED", 10)
    folder = Folders.local(app.extensions["settings"].data).result(finished(app).id)
    assert results.load(folder) is results.load(folder)
