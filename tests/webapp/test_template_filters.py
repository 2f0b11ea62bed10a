"""Filters of templates answer in the language of the request, whichever was asked for first."""

from __future__ import annotations

import pytest
from flask import Flask

from language import translation


@pytest.mark.parametrize(
    ("template", "german", "english"),
    [
        ('{{ 0.25|shown("g") }}', "0,25", "0.25"),
        ("{{ 1204|grouped }}", "1.204", "1,204"),
        ("{{ 2500000|size }}", "2,5 MB", "2.5 MB"),
    ],
)
def test_numbers_are_formatted_at_each_rendering(
    app: Flask, template: str, german: str, english: str
) -> None:
    compiled = app.jinja_env.from_string(template)
    with translation.speaking("de"):
        assert compiled.render() == german
    assert compiled.render() == english
