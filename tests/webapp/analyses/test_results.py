"""The cache of finished results, limited by bytes."""

from __future__ import annotations

from made_results import finished

from webapp.exhibits import results
from webapp.storage.data_folder import Folders


def test_the_cache_is_limited_by_bytes(app, monkeypatch):
    folders = Folders.local(app.extensions["settings"].data)
    folder, two, three = (folders.result(finished(app, file=f"{number}.mp4").id) for number in range(3))
    size = (folder / "analysis.json").stat().st_size
    monkeypatch.setattr(results, "_MAX_CACHED_BYTES", int(2.5 * size))
    first, second = results.load_result(folder), results.load_result(two)
    assert results.load_result(folder) is first and results.load_result(two) is second
    results.load_result(three)  # no room for three: the one used longest ago goes
    assert results.load_result(two) is second
    again = results.load_result(folder)
    assert again is not first and again.sha256 == first.sha256


def test_one_result_is_cached_at_any_size(app, monkeypatch):
    monkeypatch.setattr(results, "_MAX_CACHED_BYTES", 10)
    folder = Folders.local(app.extensions["settings"].data).result(finished(app).id)
    assert results.load_result(folder) is results.load_result(folder)
