"""Read Content Credentials (C2PA 2.x) with c2pa-python, without a network and without a trust list."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, BinaryIO

from detector.schema.causes.declarations import NoteCode
from detector.schema.metadata import Credentials, clean_text

# Fetch no manifest and check no revocation online. Verify trust although there is no trust list, so that an
# unknown signer never passes as trusted.
OFFLINE = {
    "verify": {
        "verify_after_reading": True,
        "verify_trust": True,
        "verify_timestamp_trust": True,
        "remote_manifest_fetch": False,
        "ocsp_fetch": False,
    },
    "core": {"allowed_network_hosts": []},
}
_TYPES = {
    "jpeg_pipe": "image/jpeg",
    "png_pipe": "image/png",
    "webp_pipe": "image/webp",
    "webp": "image/webp",
    "mov,mp4,m4a,3gp,3g2,mj2": "video/mp4",
    "avi": "video/avi",
    "heif": "image/heif",
    "avif": "image/avif",
    "tiff_pipe": "image/tiff",
    "gif": "image/gif",
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "flac": "audio/flac",
}
_MOST = 32
# Failures that mean an unknown signer, not a broken signature.
_TRUST = frozenset({"signingCredential.untrusted", "timeStamp.untrusted"})


class IngredientRole(StrEnum):
    """Relation of a manifest's picture to that of the file."""

    OWN = "own"
    PARENT = "parent"
    COMPONENT = "component"


@dataclass(frozen=True)
class Claim:
    """One action, or one digital source type, that a manifest states; texts are clean."""

    role: IngredientRole
    action: str
    agent: str | None
    source_type: str | None
    generator: str | None


def read_store(file: BinaryIO, container: str) -> tuple[Credentials, tuple[Claim, ...]]:
    """Read and verify the manifest store of an open file.

    Returns the published credentials, and the claims of all manifests, those of the file itself first.
    ``container`` is FFmpeg's name of the format. No content of a file makes this raise.
    """
    kind = _TYPES.get(container)
    if kind is None:
        return Credentials(checked=False, cause=NoteCode.CREDENTIALS_UNDEFINED.cause()), ()
    try:
        import c2pa
    except (ImportError, OSError) as error:
        note = NoteCode.CREDENTIALS_LIBRARY_MISSING.cause(import_error=clean_text(error, 120))
        return Credentials(checked=False, cause=note), ()
    library = f"c2pa-python {clean_text(c2pa.__version__, 40)} (c2pa-rs {clean_text(c2pa.sdk_version(), 40)})"
    file.seek(0)
    try:
        with c2pa.Context.from_dict(OFFLINE) as context, c2pa.Reader(kind, file, context=context) as reader:
            store = json.loads(reader.json())
            return _credentials(store, library), _claims(store)
    except c2pa.C2paError.ManifestNotFound:
        return Credentials(checked=True, library=library), ()
    except (c2pa.C2paError, ValueError, RecursionError) as error:
        # The library raises the base class for a remote manifest.
        kind_of_error, _, message = str(error).partition(": ")
        if kind_of_error.startswith("Remote"):
            remote = Credentials(
                checked=True,
                library=library,
                remote=clean_text(message.rpartition(" ")[2]),
                cause=NoteCode.CREDENTIALS_ELSEWHERE.cause(),
            )
            return remote, ()
        unreadable = Credentials(
            checked=True,
            found=True,
            valid=False,
            failed=(f"the manifest cannot be read: {clean_text(error, 200)}",),
            library=library,
        )
        return unreadable, ()


def _credentials(store: dict[str, Any], library: str) -> Credentials:
    manifest = _dict(_dict(store.get("manifests")).get(store.get("active_manifest") or ""))
    signature = _dict(manifest.get("signature_info"))
    results = _dict(store.get("validation_results"))
    failures = _list(_dict(results.get("activeManifest")).get("failure"))
    for ingredient in _list(results.get("ingredientDeltas")):
        failures += _list(_dict(_dict(ingredient).get("validationDeltas")).get("failure"))
    statuses = map(_dict, failures if results else _list(store.get("validation_status")))
    broken = [status for status in statuses if status.get("code") not in _TRUST]
    return Credentials(
        checked=True,
        found=True,
        valid=store.get("validation_state") in {"Valid", "Trusted"} and not broken,
        trusted=store.get("validation_state") == "Trusted",
        failed=tuple(
            _bounded(f"{f.get('code', 'check')}: {f.get('explanation') or 'failed'}" for f in broken)
        ),
        signer=_text(signature.get("common_name")),
        issuer=_text(signature.get("issuer")),
        signed=_text(signature.get("time")),
        generator=_generator(manifest),
        actions=tuple(_bounded(_actions(manifest))),
        ingredients=len(_list(manifest.get("ingredients"))),
        library=library,
    )


def _generator(manifest: dict[str, Any]) -> str | None:
    infos = map(_dict, _list(manifest.get("claim_generator_info")))
    texts = [f"{info.get('name', '')} {info.get('version', '')}".strip() for info in infos]
    return _text(", ".join(text for text in texts if text) or manifest.get("claim_generator"))


def _actions(manifest: dict[str, Any]) -> Iterable[str]:
    for action in _raw_actions(manifest):
        source = str(action.get("digitalSourceType", "")).rpartition("/")[2]
        parts = (action.get("action", "unnamed"), _agent(action), source)
        yield ", ".join(str(part) for part in parts if part)


def _raw_actions(manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for assertion in map(_dict, _list(manifest.get("assertions"))):
        if str(assertion.get("label", "")).startswith("c2pa.actions"):
            yield from map(_dict, _list(_dict(assertion.get("data")).get("actions")))


def _agent(action: dict[str, Any]) -> object:
    agent = action.get("softwareAgent")
    return _dict(agent).get("name") if isinstance(agent, dict) else agent


def _claims(store: dict[str, Any]) -> tuple[Claim, ...]:
    """Return the claims of the active manifest, then those of its ingredients, up to a limit."""
    manifests = _dict(store.get("manifests"))
    claims: list[Claim] = []
    waiting = [(str(store.get("active_manifest") or ""), IngredientRole.OWN)]
    seen: set[str] = set()
    while waiting and len(seen) < _MOST:
        label, role = waiting.pop(0)
        if label in seen or label not in manifests:
            continue
        seen.add(label)
        manifest = _dict(manifests[label])
        claims += _claims_of(manifest, role)
        for ingredient in map(_dict, _list(manifest.get("ingredients"))[:_MOST]):
            is_parent = ingredient.get("relationship") == "parentOf" and role is not IngredientRole.COMPONENT
            waiting.append(
                (
                    str(ingredient.get("active_manifest") or ""),
                    IngredientRole.PARENT if is_parent else IngredientRole.COMPONENT,
                )
            )
    return tuple(claims[:_MOST])


def _claims_of(manifest: dict[str, Any], role: IngredientRole) -> Iterator[Claim]:
    generator = _generator(manifest)
    for action in _raw_actions(manifest):
        named, source = str(action.get("action", "unnamed")), action.get("digitalSourceType")
        yield Claim(role, clean_text(named), _text(_agent(action)), _text(source), generator)
    for assertion in map(_dict, _list(manifest.get("assertions"))):
        # IPTC properties are in an assertion of their own.
        for name, value in _dict(assertion.get("data")).items():
            if name.rpartition(":")[2].lower() == "digitalsourcetype" and isinstance(value, str):
                yield Claim(role, clean_text(assertion.get("label", "")), None, _text(value), generator)


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, list) else []


def _bounded(texts: Iterable[str]) -> Iterable[str]:
    return map(clean_text, islice(texts, _MOST))


def _text(value: object) -> str | None:
    return clean_text(value) if value else None
