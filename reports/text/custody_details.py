"""Details of entries of the custody log about an exhibit, as pages and reports name them.

The log keeps names and words in English: entries are hashed, and the log is the same in every language.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reports.text.translation.language import N_, translated

NAMES = (
    # intake, export, deletion
    N_("name"), N_("bytes"), N_("first name"), N_("first handed in"), N_("kept file"), N_("file"),
    N_("sha256"), N_("log count"), N_("log head"), N_("state"), N_("judgements"), N_("exhibit"), N_("what"),
    N_("reason"),
    # analyses and comparisons
    N_("model"), N_("settings"), N_("priority"), N_("before"), N_("attempt"), N_("worker"), N_("process"),
    N_("error"), N_("verdict"), N_("probability"), N_("finding sha256"), N_("model sha256"),
    N_("manifest sha256"), N_("reference"), N_("related"), N_("segments"), N_("outcome"),
    N_("comparison sha256"), N_("sha256sums sha256"),
    # annotations and second reviews
    N_("kind"), N_("id"), N_("about"), N_("said to be by"), N_("new"), N_("known"), N_("unverified"),
    N_("case"), N_("case name"), N_("first"), N_("second"), N_("third"), N_("hidden from the second"),
    N_("named"), N_("part"), N_("hidden until then"), N_("conclusion"),
    # case details
    N_("case number"), N_("exhibit number"), N_("examiner"), N_("organisation"), N_("paper"), N_("time zone"),
    # integrity checks
    N_("result"), N_("sha256 found"), N_("bytes found"), N_("problem"),
)  # fmt: skip
"""Names of details; ``reelproof``, the version, is not translated."""

_WORDS = (
    N_("its worker ended"), N_("the exhibit was deleted"), N_("the reference was deleted"),
    N_("deleted with it"), N_("kept, other analyses use it"),
    N_("was missing or damaged; put back from what was handed in now"), N_("removed"), N_("comparison"),
    N_("segment"), N_("span"), N_("rename"), N_("merge"), N_("split"), N_("withdrawal"), N_("judgement"),
    N_("message"), N_("proposal"), N_("acceptance"), N_("decision"), N_("stretch"), N_("findings"),
    N_("unrelated"), N_("faces differ"), N_("shows more"), N_("no face compared"), N_("parts differ"),
    N_("no difference"), N_("fits"), N_("changed"), N_("missing"), N_("unreadable"), N_("nobody"),
)  # fmt: skip
"""What Reelproof itself says in a detail, beside :data:`reports.text.translation.words.WORDS`."""

# Whose values Reelproof gives; all others are names, numbers, checksums and what somebody wrote.
_IN_WORDS = frozenset(
    (
        "kept file", "state", "exhibit", "what", "reason", "priority", "before", "error", "verdict",
        "related", "outcome", "kind", "about", "hidden from the second", "part", "hidden until then",
        "conclusion", "result", "named",
    )
)  # fmt: skip


def details_in_words(details: Mapping[str, str | int]) -> Iterator[tuple[str, str]]:
    """Names and values of an entry's details in the language spoken now, without what is blank.

    Reviewers are told by their names; what the log is checked by holds numbers of accounts.
    """
    for name, value in details.items():
        said = str(value)
        if name == "named" and said != "nobody":
            continue
        if name in _IN_WORDS or said == "removed":  # the latter of case details
            said = translated(said)
        if said:
            yield translated(name), said
