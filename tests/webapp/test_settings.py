"""Settings: defaults, units, refusals, and that each one is documented."""

from __future__ import annotations

from pathlib import Path

import pytest

from webapp.settings import SETTINGS, SettingError, read_settings, refuse_beyond_loopback

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for setting in SETTINGS:
        monkeypatch.delenv(setting.name, raising=False)


def test_defaults():
    settings = read_settings()
    assert (settings.port, settings.host, settings.workers) == (8000, "127.0.0.1", 1)
    assert settings.data == Path("instance").absolute()
    assert settings.database_url.database == str(settings.data / "reelproof.sqlite3")
    assert settings.upload_limit == 8_192_000_000


def test_environment_then_overrides(monkeypatch):
    monkeypatch.setenv("PORT", "9001")
    assert read_settings().port == 9001
    assert read_settings({"PORT": 9002, "TESTING": True}).port == 9002


def test_units_and_names():
    settings = read_settings({"REELPROOF_UPLOAD_LIMIT_MB": "2.5", "REELPROOF_ALLOWED_HOSTS": "Lab.Example"})
    assert settings.upload_limit == 2_500_000
    assert "lab.example" in settings.allowed_hosts


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.2", "127.0.0.2"), ("::1", "[::1]"), ("[::1]", "[::1]")]
)
def test_the_address_listened_on_is_answered_to(host, shown):
    settings = read_settings({"REELPROOF_HOST": host})
    assert settings.host == shown and shown in settings.allowed_hosts
    refuse_beyond_loopback(settings.host)


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "80a"), ("PORT", "70000"), ("REELPROOF_WORKERS", "-1"), ("REELPROOF_TIME_LIMIT", "-1")],
)
def test_refuses_values_by_name(name, value):
    with pytest.raises(SettingError, match=name):
        read_settings({name: value})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_loopback_is_allowed(host):
    refuse_beyond_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", ""])
def test_other_addresses_are_refused_with_the_reason(host):
    with pytest.raises(SettingError, match="no accounts"):
        refuse_beyond_loopback(host)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_documented(setting):
    documents = [ROOT / "README.md", ROOT / "docs" / "ARCHITECTURE.md"]
    text = "".join(path.read_text() for path in documents if path.exists())
    assert f"`{setting.name}`" in text, f"{setting.name} is in neither README.md nor docs/ARCHITECTURE.md"
