"""What may be a password, and how it is kept."""

from __future__ import annotations

import pytest
import zxcvbn
from people import CHEAP
from quick_apps import Quick

from language import translation
from webapp.accounts import passwords
from webapp.accounts.passwords import Cost, Passwords, generate_password, password_weakness


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("", "too short"),
        ("elevenchars", "too short"),
        ("x" * 257, "too long"),
        ("password1234", "Common words"),
        ("qwertyuiop123", "Common words"),
        ("aaaaaaaaaaaaaa", "Repeated"),
        ("abcdefghijkl", "Sequences"),
        ("23.11.1987  ", "dates"),
        ("123456789012345", "easy to guess"),
        ("reelproof2026", "easy to guess"),
        ("adalovelace12", "easy to guess"),
        ("iloveyou12345", "easy to guess"),
    ],
)
def test_weak_passwords_are_rejected(password, words):
    assert words in (password_weakness(password, ("ada", "Ada Lovelace")) or "")


@pytest.mark.parametrize(
    "password",
    [
        "otter velvet ladder 93",
        "correct horse battery staple",
        "zwölf Boxkämpfer jagen",
        "日本語のとても長い合言葉です",
        "x7!Kq0vLr2#f",
        "kf83hgpqzmwt",  # small letters and digits alone: no rules on kinds of characters
        "v" + "w8rT" * 60,
        "with spaces at the end   ",
    ],
)
def test_strong_passwords_are_accepted(password):
    assert password_weakness(password, ("ada", "Ada Lovelace")) is None
    kept = CHEAP.hash(password)
    assert CHEAP.verify(kept, password)
    assert not CHEAP.verify(kept, password.upper() if password != password.upper() else password + "x")
    assert not CHEAP.verify(kept, password.strip() + ".")


@pytest.mark.parametrize("code", [code for code in translation.LANGUAGES if code != translation.DEFAULT])
@pytest.mark.parametrize(
    "password",
    ["", "x" * 257, "password1234", "qwertyuiop123", "aaaaaaaaaaaaaa", "123456789012345", "reelproof2026"],
)
def test_the_weakness_is_explained_in_the_current_language(code, password):
    english = password_weakness(password)
    with translation.speaking(code):
        explanation = password_weakness(password)
    assert (
        english != explanation
        and "tried first" not in explanation
        and "almost no strength" not in explanation
    )


def test_only_the_beginning_of_a_long_password_is_estimated(monkeypatch):
    """What it takes to try all ways to write symbols for letters doubles every few characters."""
    seen: list[str] = []
    guess = zxcvbn.zxcvbn
    monkeypatch.setattr(
        zxcvbn, "zxcvbn", lambda text, **more: seen.append(text) or guess("otter velvet ladder", **more)
    )
    assert password_weakness("@4({[<69!|1/0$5+7%2" * 10) is None
    assert [len(text) for text in seen] == [40]


def test_the_default_cost_matches_the_documentation(not_quick):
    assert Cost() == Cost(memory=65536, passes=3, lanes=1)
    kept = Passwords().hash("otter velvet ladder 93")
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=1$")


def test_the_default_cost_is_independent_of_other_instances(quick, tmp_path):
    """Browser tests of the same process lower it as well."""
    another = Quick(tmp_path)  # while one is installed
    another.install()
    another.remove()
    assert Passwords.__init__.__defaults__ == (Cost(),)
    quick.install()


def test_two_hashes_of_one_password_differ():
    assert CHEAP.hash("otter velvet ladder 93") != CHEAP.hash("otter velvet ladder 93")


def test_a_hash_of_other_parameters_is_outdated():
    dearer = Passwords(Cost(memory=16, passes=1, lanes=1))
    assert dearer.outdated(CHEAP.hash("x")) and not dearer.outdated(dearer.hash("x"))


@pytest.mark.parametrize("kept", [None, "", "no hash at all", "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA"])
def test_an_invalid_hash_matches_no_password(kept):
    assert not CHEAP.verify(kept, "x")


def test_generated_passwords_are_strong_and_differ():
    given = {generate_password() for _ in range(50)}
    assert len(given) == 50
    assert all(password_weakness(password) is None for password in given)
    assert len(passwords._ALPHABET) ** 20 > 2**98
