"""What asks for a job's state again and again tells silence of the server from mistakes of its listeners."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser

# Follows a job whose state the server says in these answers, one a request: JSON, null for none, a number for
# an error. What the listeners hear, and what nobody caught. With "break" the first of them fails.
_FOLLOWED = """async ([answers, breaks]) => {
    const { follow } = await import("/static/js/analyses/follow.js");
    const heard = [], uncaught = [];
    const fetch_ = window.fetch;
    const note = (event) => { uncaught.push(event.reason.message); event.preventDefault(); };
    window.addEventListener("unhandledrejection", note);
    window.fetch = async () => {
        const answer = answers.shift();
        if (answer === null) throw new TypeError("no connection");
        if (typeof answer === "number") return new Response("", { status: answer });
        return new Response(JSON.stringify(answer));
    };
    await new Promise((settle, fail) => {
        setTimeout(() => fail(new Error(`nothing more heard after ${heard}`)), 300_000);
        follow("/anywhere", {
            onStatus: (status) => {
                heard.push(status.state);
                if (breaks && heard.length === 1) throw new Error("a mistake");
            },
            onSilence: () => heard.push("silence"),
            onGone: () => { heard.push("gone"); settle(); },
            onSignedOut: () => { heard.push("signed out"); settle(); },
            onEnd: (status) => { heard.push(status.state); settle(); },
        }, true);
    });
    window.fetch = fetch_;
    window.removeEventListener("unhandledrejection", note);
    return { heard, uncaught };
}"""

_QUEUED, _RUNNING, _DONE = ({"state": state} for state in ("queued", "running", "done"))


@pytest.mark.parametrize(
    ("answers", "heard"),
    [
        ([_QUEUED, _RUNNING, _DONE], ["queued", "running", "done"]),
        ([None, 502, _RUNNING, 404], ["silence", "silence", "running", "gone"]),
        ([_QUEUED, 410], ["queued", "gone"]),
        ([_RUNNING, 401], ["running", "signed out"]),
    ],
)
def test_listeners_hear_states_and_silence(modules: Page, answers: list[Any], heard: list[str]) -> None:
    assert modules.evaluate(_FOLLOWED, [answers, False]) == {"heard": heard, "uncaught": []}


def test_a_mistake_of_a_listener_is_no_silence_and_ends_nothing(modules: Page) -> None:
    result = modules.evaluate(_FOLLOWED, [[_RUNNING, _RUNNING, _DONE], True])
    assert result == {"heard": ["running", "running", "done"], "uncaught": ["a mistake"]}


def test_a_mistake_in_showing_a_live_session_is_no_silence_either(modules: Page) -> None:
    """The server says that a segment closed, and sends no list of segments to take its words from."""
    result = modules.evaluate("""async () => {
        document.body.insertAdjacentHTML("beforeend", `<p id="silence" hidden></p><p id="announce"></p>
            <img id="picture" alt="">
            <div id="live" data-parts="/anywhere" data-segments="0" data-standing="running"></div>`);
        const uncaught = [], silent = [];
        const fetch_ = window.fetch;
        const note = (event) => { uncaught.push(event.reason.name); event.preventDefault(); };
        window.addEventListener("unhandledrejection", note);
        await new Promise((settle, fail) => {
            setTimeout(() => fail(new Error("too few questions")), 300_000);
            window.fetch = async () => {
                silent.push(!document.getElementById("silence").hidden);
                if (silent.length === 3) {
                    settle();
                    return new Response("", { status: 404 });
                }
                return new Response('<div id="live" data-standing="running" data-segments="1"></div>');
            };
            import("/static/js/live/live.js").catch(fail);
        });
        window.fetch = fetch_;
        window.removeEventListener("unhandledrejection", note);
        return { uncaught, silent };
    }""")
    assert result == {"uncaught": ["TypeError", "TypeError"], "silent": [False, False, False]}
