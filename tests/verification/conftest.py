"""Bundles as they lie on a disk, and a key."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from evidence import small_bundle
from keys import make_key
from report_fixtures import unconfined  # noqa: F401

from reports.signing.keys import SigningKey, read_key


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle without a PDF, which takes longest to check."""
    return small_bundle(tmp_path_factory.mktemp("light"), pdf=False)


@pytest.fixture(scope="module")
def key_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    return make_key(tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="module")
def key(key_files: tuple[Path, Path, Path]) -> SigningKey:
    return read_key(*key_files[:2])


@pytest.fixture
def folder(bundle: Path, tmp_path: Path) -> Path:
    """The ``bundle`` of the tests that ask for it, unpacked."""
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(tmp_path / "unpacked")
    return tmp_path / "unpacked"
