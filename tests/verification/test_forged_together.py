"""Files that were forged together: each fits in itself, manifest and sums were made anew, and it shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from evidence import ANALYSIS_ID, logged, small_analysis, small_result
from keys import make_key

from reports.bundle.manifest import file_entries, manifest_files, read_manifest, sums
from reports.file_names import MANIFEST, MANIFEST_SIGNATURE, MANIFEST_SUM
from reports.signing.keys import read_key
from verification.checks import CheckResults
from verification.consistency import check_analysis
from verification.trusted_time import read_trust
from verification.verify import verify

pytestmark = pytest.mark.usefixtures("unconfined")


def whys(path: Path, *trusted: Path) -> list[str]:
    return [str(problem) for problem in verify(path, read_trust(trusted)).results.problems]


def test_a_log_must_end_where_the_manifest_says(tmp_path: Path) -> None:
    """A log of the same exhibit, whole in itself, that another entry was written into."""
    acts = (("intake", None, {}), ("analysis queued", ANALYSIS_ID, {}))
    folder = small_result(tmp_path / "result", annotations=(), entries=acts)
    assert whys(folder) == []
    made = read_manifest((folder / MANIFEST).read_bytes())
    (folder / "custody.json").write_bytes(logged(made.exhibit.sha256, *acts, ("view", ANALYSIS_ID, {})))
    entries = file_entries(folder, [entry.path for entry in made.files])
    changed, case = made.model_copy(update={"files": entries}), (folder / "case.json").read_bytes()
    for name, data in manifest_files(changed, case=case).items():
        (folder / name).write_bytes(data)
    assert whys(folder) == ["custody.json: does not fit: the manifest gives another head of the custody log"]


def test_the_signer_must_be_the_one_in_the_manifest(tmp_path: Path) -> None:
    """Of somebody who is trusted, too."""
    keys = []
    for name in ("Ada Examiner", "Ben Examiner"):
        (tmp_path / name).mkdir()
        keys.append(make_key(tmp_path / name, name=name))
    folder = small_result(tmp_path / "result", read_key(*keys[0][:2]))
    trusted = [key[2] for key in keys]
    assert whys(folder, *trusted) == []
    text = (folder / MANIFEST).read_bytes()
    signature = read_key(*keys[1][:2]).sign(text)
    (folder / MANIFEST_SIGNATURE).write_bytes(signature)
    (folder / MANIFEST_SUM).write_bytes(sums({MANIFEST: text, MANIFEST_SIGNATURE: signature}))
    for trust in ((), trusted):
        assert whys(folder, *trust) == [
            "manifest.sig: does not fit: manifest.json does not name this certificate as the signer's"
        ]


@pytest.mark.parametrize("change", [{"person": "Z"}, {"start": 1e6}, {"end": 1e6}])
def test_a_segment_must_belong_to_a_person_and_lie_within_the_exhibit(
    tmp_path: Path, change: dict[str, object]
) -> None:
    analysis = small_analysis(tmp_path)
    (segment,) = analysis.segments
    other = segment.model_copy(update={**change, "peaks": ()})
    results = CheckResults()
    text = analysis.model_copy(update={"segments": (other,)}).to_json()
    check_analysis("analysis.json", text.encode(), results)
    why = f"segment {segment.id} is of no person, or outside the exhibit"
    assert why in [problem.why for problem in results.problems]
