"""Settings: defaults, units, refusals, and that each one is documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli.web import main as cli
from detector.files import ROOT
from detector.process.signals import PARENT_VARIABLE
from reports.untrusted_input import is_loopback
from webapp.custody import custody_log
from webapp.settings import SETTINGS, SettingError, read_settings, refuse_unprotected, unknown_variables

_TEXTS = {".py", ".md", ".yaml", ".service", ".timer"}
_VARIABLE = re.compile(r"\bREELPROOF_[A-Z_]*[A-Z]\b(?!_)")


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
def test_the_listening_address_is_an_allowed_host(host, shown):
    settings = read_settings({"REELPROOF_HOST": host})
    assert settings.host == shown and shown in settings.allowed_hosts
    refuse_unprotected(settings, 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "80a"),
        ("PORT", "70000"),
        ("REELPROOF_WORKERS", "-1"),
        ("REELPROOF_BACKEND", "tensorflow"),
        ("REELPROOF_TIME_LIMIT", "-1"),
        ("REELPROOF_LOGIN", "yes"),
        ("REELPROOF_PROXY", "proxy.example"),
        ("REELPROOF_IDLE_MINUTES", "0"),
        ("REELPROOF_WORKERS", "1.5"),
        ("REELPROOF_READY_SECONDS", "0.5"),
        ("REELPROOF_UPLOAD_LIMIT_MB", "0"),
        ("REELPROOF_OIDC_CLAIM", " "),
        ("REELPROOF_OIDC_ISSUER", "https://lab.example/?realm=x"),
        ("REELPROOF_OIDC_ROLES", "a=examiner,a=reader"),
        ("REELPROOF_OIDC_SECRET_FILE", "nowhere/secret"),
        ("REELPROOF_SIGNING_PASSWORD_FILE", "nowhere/password"),
        ("REELPROOF_STORE_ENDPOINT", "https://store.example:9000"),
        ("REELPROOF_STORE_ENDPOINT", "https://store.example:port"),
        ("REELPROOF_STORE_ENDPOINT", "https://[::1"),
        ("REELPROOF_TIMESTAMP_URL", "https://"),
        ("REELPROOF_TIMESTAMP_URL", "https://tsa.example:port/"),
        ("REELPROOF_TIMESTAMP_URL", "https://tsa.example/a b"),
    ],
)
def test_invalid_values_are_refused_by_name(name, value):
    with pytest.raises(SettingError, match=name):
        read_settings({name: value})


def test_a_password_in_an_address_is_not_repeated():
    with pytest.raises(SettingError, match="without a user") as refused:
        read_settings({"REELPROOF_TIMESTAMP_URL": "https://lab:hunter2@tsa.example/"})
    assert "hunter2" not in str(refused.value)


def test_a_tiny_quota_is_not_unlimited():
    assert read_settings({"REELPROOF_QUOTA_MB": "0.0000001"}).quota == 1
    assert read_settings({"REELPROOF_QUOTA_MB": "0"}).quota is None


@pytest.mark.parametrize("host", ["host name", "http://x", "0.0.0.0:8000", "::1:x:y", "lab.example/", "a."])
def test_invalid_hosts_are_refused(host):
    with pytest.raises(SettingError, match=r"^REELPROOF_HOST=.* is not a host name or address"):
        read_settings({"REELPROOF_HOST": host})


@pytest.mark.parametrize(
    "names",
    ["a.example b.example", "*.example", "*", "a.example:443", "a.example.", "[x]", "a.example;b.example"],
)
def test_invalid_allowed_hosts_are_refused(names):
    with pytest.raises(SettingError, match=r"^REELPROOF_ALLOWED_HOSTS holds .* not a host name"):
        read_settings({"REELPROOF_ALLOWED_HOSTS": names})


@pytest.mark.parametrize(
    "broker",
    [
        "redis://host",
        "redis://:p@ss@host/",
        "rediss://user:p%2Fss@host:6380/1?ssl_cert_reqs=required",
        "redis://[::1]:6379/0",
        "redis:///2",
        "unix:///run/redis.sock",
    ],
)
def test_redis_urls(broker):
    given = {"REELPROOF_BROKER": broker, "REELPROOF_DATABASE": "postgresql://u@db/d"}
    assert read_settings(given).broker == broker


def test_valid_hosts():
    hosts = read_settings({"REELPROOF_ALLOWED_HOSTS": "Lab, a-b.example ,10.0.0.1,[FD00::1],bücher.example,"})
    assert hosts.allowed_hosts[-5:] == ("lab", "a-b.example", "10.0.0.1", "[fd00::1]", "bücher.example")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_loopback_is_allowed(host):
    assert is_loopback(host)
    refuse_unprotected(read_settings({"REELPROOF_HOST": host}), 0)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", ""])
def test_other_addresses_are_refused_until_login_is_on_and_somebody_administers(host):
    with pytest.raises(SettingError, match="REELPROOF_LOGIN=on"):
        refuse_unprotected(read_settings({"REELPROOF_HOST": host}), 1)
    with_login = read_settings({"REELPROOF_HOST": host, "REELPROOF_LOGIN": "on"})
    with pytest.raises(SettingError, match="add-user NAME --role administrator"):
        refuse_unprotected(with_login, 0)
    refuse_unprotected(with_login, 1)


@pytest.mark.parametrize("name", ["REELPROOF_OIDC_ISSUER", "REELPROOF_TIMESTAMP_URL"])
@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://lab.example/x", True),
        ("http://127.0.0.1:99/x", True),
        ("http://127.8.8.8/x", True),
        ("http://[::1]/x", True),
        ("http://lab.example/x", False),
        ("http://localhost.lab.example/x", False),
        ("http://127.0.0.1:80@lab.example/x", False),
        ("ftp://localhost/x", False),
        ("https://[/x", False),
    ],
)
def test_plain_http_is_allowed_on_this_machine_alone(name, url, fits):
    given = {"REELPROOF_OIDC_CLIENT": "c", "REELPROOF_OIDC_ROLES": "lab=examiner", name: url}
    if fits:
        assert url in vars(read_settings(given)).values()
    else:
        with pytest.raises(SettingError, match=name):
            read_settings(given)


def test_login_on_loopback_needs_an_administrator_too():
    with pytest.raises(SettingError, match=r"no administrator yet in the data folder /srv/data\."):
        refuse_unprotected(read_settings({"REELPROOF_LOGIN": "on", "REELPROOF_DATA": "/srv/data"}), 0)


def test_times_and_quota():
    settings = read_settings({"REELPROOF_IDLE_MINUTES": "5", "REELPROOF_QUOTA_MB": "2"})
    assert settings.idle.total_seconds() == 300
    assert settings.longest_session.total_seconds() == 12 * 3600
    assert settings.quota == 2_000_000
    assert read_settings({}).quota is None


ESCAPED = "in a password write / as %2F, ? as %3F, # as %23 and @ as %40."


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"PORT": "80a"}, "PORT=80a is not a number."),
        ({"PORT": "70000"}, "PORT=70000 is outside 0 to 65535."),
        ({"REELPROOF_GPU_FROM_MB": "-1"}, "REELPROOF_GPU_FROM_MB=-1 is outside 0 to 1e+07."),
        ({"REELPROOF_LOG": "xml"}, "REELPROOF_LOG=xml is neither json nor text."),
        ({"REELPROOF_QUEUES": "tpu"}, "REELPROOF_QUEUES=tpu must name one or more of cpu, gpu."),
        ({"REELPROOF_PROXY": "here"}, "REELPROOF_PROXY=here is not a network address, such as 127.0.0.1."),
        (
            {"REELPROOF_DATABASE": "mysql://u:secret@h/d"},
            "REELPROOF_DATABASE must be like postgresql://user@host/name; for SQLite, leave it out.",
        ),
        (
            {"REELPROOF_BROKER": "redis://:secret@host"},
            "REELPROOF_BROKER needs REELPROOF_DATABASE beside it: workers on several machines cannot share "
            "a SQLite file.",
        ),
        (
            {"REELPROOF_HOST": "http://x"},
            "REELPROOF_HOST=http://x is not a host name or address, such as 127.0.0.1.",
        ),
        (
            {"REELPROOF_ALLOWED_HOSTS": "a.example, https://b.example"},
            "REELPROOF_ALLOWED_HOSTS holds https://b.example, which is not a host name. Write names such "
            "as reelproof.example, separated by commas, without https://, port or *.",
        ),
        (
            {"REELPROOF_WEBHOOKS": "https://a/, https://b/"},
            "REELPROOF_WEBHOOKS holds https://a/,, which is not an address of a webhook: a comma at its end. "
            "Write addresses such as https://lab.example/hooks/, separated by spaces.",
        ),
        (
            {"REELPROOF_SECOND_FACTOR": " , "},
            "REELPROOF_SECOND_FACTOR= ,  must name roles out of reader, reviewer, examiner, administrator, "
            "or be all.",
        ),
        (
            {"REELPROOF_WEBHOOKS": "https://a/,https://b/"},
            "REELPROOF_WEBHOOKS holds https://a/,https://b/, which is not an address of a webhook: more "
            "than one address. Write addresses such as https://lab.example/hooks/, separated by spaces.",
        ),
        *(
            (
                {"REELPROOF_DATABASE": f"postgresql://u:{rest}/d"},
                "REELPROOF_DATABASE is no URL such as postgresql://user@host:5432/name; " + ESCAPED,
            )
            for rest in ("secret@db:5432x", "sec@ret@db")
        ),
        *(
            (
                {"REELPROOF_BROKER": f"redis://{rest}", "REELPROOF_DATABASE": "postgresql://u@db/d"},
                "REELPROOF_BROKER is no URL such as redis://:password@host:6379/0; " + ESCAPED,
            )
            for rest in (
                *(f":pa{char}ss@host:6379/0" for char in "/?#"),
                ":12/3@host:6379/0",
                ":12?3@host:6379/0",
                ":12#3@host:6379/0",
                "host:abc/0",
                "host:6379/zero",
                "[::1/0",
            )
        ),
    ],
)
def test_refusals_are_one_sentence_each(given, words):
    with pytest.raises(SettingError) as refused:
        read_settings(given)
    assert str(refused.value) == words


def test_all_invalid_settings_are_reported_at_once():
    with pytest.raises(
        SettingError, match=r"^PORT=x is not a number\. REELPROOF_LOGIN=1 is neither on nor off\.$"
    ):
        read_settings({"PORT": "x", "REELPROOF_LOGIN": "1"})


def test_an_empty_variable_counts_as_not_set_and_names_are_exact(monkeypatch):
    for setting in SETTINGS:
        monkeypatch.setenv(setting.name, "")
    monkeypatch.setenv("port", "9001")
    monkeypatch.setenv("reelproof_workers", "9")
    settings = read_settings()
    assert (settings.port, settings.workers, settings.gpu_from, settings.store) == (8000, 1, None, None)
    assert settings.custody_key == settings.data / "custody.key"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "REELPROOF_LOGN",
            "REELPROOF_LOGN is not a setting and has no effect; did you mean REELPROOF_LOGIN?",
        ),
        ("reelproof_workers", "reelproof_workers is not a setting .* REELPROOF_WORKERS"),
        ("REELPROOF_ZZZZZZZZZZZZ", "REELPROOF_ZZZZZZZZZZZZ is .*docs/settings.md lists all"),
    ],
)
def test_unknown_variables_are_named(name, words, monkeypatch, capsys):
    monkeypatch.setenv(name, "on")
    assert cli.run(["settings-doc"]) == 0
    assert re.match(f"reelproof: {words}", capsys.readouterr().err)


def test_names_in_code_and_documents_are_settings():
    """Variables that another part reads would be called unknown at every start."""
    folders = ("cli", "detector", "language", "reports", "verification", "webapp", "docs", "tests")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.*") if path.suffix in _TEXTS]
    files = [path for path in files if path != Path(__file__)]
    assert len(files) > 500
    names = {name for path in files for name in _VARIABLE.findall(path.read_text(encoding="utf-8"))}
    assert len(names) > 30
    assert list(unknown_variables(names)) == []
    assert list(unknown_variables({PARENT_VARIABLE, custody_log.STARTED_BY, "PATH"})) == []


def test_lists_are_words_and_not_json(monkeypatch):
    monkeypatch.setenv("REELPROOF_QUEUES", "gpu, cpu,gpu")
    monkeypatch.setenv("REELPROOF_WEBHOOKS", "https://lab.example/hooks/ https://other.example/")
    settings = read_settings()
    assert settings.queues == ("gpu", "cpu")
    assert settings.webhooks == ("https://lab.example/hooks/", "https://other.example/")


def test_every_setting_is_documented(capsys):
    assert cli.run(["settings-doc"]) == 0
    text = capsys.readouterr().out
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == text, "run `make settings`"
    assert len(SETTINGS) == len({setting.name for setting in SETTINGS}) > 25
    assert all(setting.meaning and f"| `{setting.name}` |" in text for setting in SETTINGS)
