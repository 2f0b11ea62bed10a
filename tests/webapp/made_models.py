"""Models to be added, handed in, put in their place or found on the disk, for tests of the web app."""

from __future__ import annotations

import io
import json

from flask import Flask
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from detector.models.model_files import DEFAULT_MODEL, MODELS_FOLDER
from webapp.storage.data_folder import Folders


def pair(name: str, /, **changes: object) -> tuple[bytes, bytes]:
    """The shipped default model under another name: its card, changed, and its weights."""
    card = json.loads((MODELS_FOLDER / f"{DEFAULT_MODEL}.json").read_bytes())
    weights = (MODELS_FOLDER / f"{DEFAULT_MODEL}.safetensors").read_bytes()
    return json.dumps(card | {"name": name, "title": f"Model {name}"} | changes).encode(), weights


def put_model(app: Flask, name: str, /, **changes: object) -> None:
    """An added model in its place, unchecked."""
    place = Folders.local(app.extensions["settings"].data).models / name
    place.mkdir()
    card, weights = pair(name, **changes)
    (place / f"{name}.json").write_bytes(card)
    (place / f"{name}.safetensors").write_bytes(weights)


def add_model(client, card: bytes, weights: bytes, file: str = "weights.safetensors", **headers: str):
    """The answer to handing in a model's two files."""
    # Encoded here: the test client would spool a large form to a file it forgets to close.
    boundary, body = encode_multipart(
        {
            "card": FileStorage(io.BytesIO(card), "card.json", "card"),
            "weights": FileStorage(io.BytesIO(weights), file, "weights"),
        }
    )
    form = f"multipart/form-data; boundary={boundary}"
    return client.post("/models", data=body, content_type=form, headers=headers)


def kept_models(folders: Folders) -> list[str]:
    """Everything of added models on the disk, and what is left in the way in."""
    return [path.name for path in (*folders.models.rglob("*"), *folders.incoming.iterdir())]
