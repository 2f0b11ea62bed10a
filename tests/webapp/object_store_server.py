"""A real S3-compatible server on loopback, and machines that share nothing but it and the rows."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import servers
from botocore.config import Config
from flask import Flask
from flask.testing import FlaskClient
from made_results import digest

from webapp.settings import Settings, read_settings

BUCKET = "evidence"
CONTENT = b"the bytes of a clip"
NAME = f"lab/exhibits/{digest(CONTENT)[:2]}/{digest(CONTENT)}"  # of that content in the store
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


class Bucket:
    """One bucket on a server of its own."""

    def __init__(self) -> None:
        port = servers.free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        # A process of its own: it leaves its files to the garbage collector.
        self._server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        servers.listening(port)
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        self._client = boto3.client(
            "s3", endpoint_url=self.endpoint, config=Config(retries={"max_attempts": 0}), **keys
        )
        self._client.create_bucket(Bucket=BUCKET)

    @property
    def settings(self) -> dict[str, str]:
        """What names it."""
        return {"REELPROOF_STORE": f"s3://{BUCKET}/lab", "REELPROOF_STORE_ENDPOINT": self.endpoint}

    def names(self) -> list[str]:
        """Of all it holds."""
        objects = self._client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return [entry["Key"] for entry in objects]

    def read(self, name: str) -> bytes:
        """The bytes of one file."""
        content: bytes = self._client.get_object(Bucket=BUCKET, Key=name)["Body"].read()
        return content

    def write(self, name: str, content: bytes) -> None:
        """Other bytes under a name."""
        self._client.put_object(Bucket=BUCKET, Key=name, Body=content)

    def remove(self, name: str) -> None:
        """Remove one file."""
        self._client.delete_object(Bucket=BUCKET, Key=name)

    def empty(self) -> None:
        """Remove all it holds."""
        for name in self.names():
            self.remove(name)

    @contextmanager
    def asking_for_keys(self) -> Iterator[None]:
        """The server knows nobody, for the ``with`` block."""
        self._allow("0")
        try:
            yield
        finally:
            self._allow("inf")

    def _allow(self, unauthorised: str) -> None:
        """How many requests of nobody known are answered from now on."""
        address = f"{self.endpoint}/moto-api/reset-auth"
        kind = {"Content-Type": "text/plain"}  # or it is read as a form
        urllib.request.urlopen(urllib.request.Request(address, unauthorised.encode(), kind)).close()

    def close(self) -> None:
        """Stop the server."""
        self._client.close()
        self._server.terminate()
        self._server.wait()


def other_machine(app: Flask, data: Path) -> Settings:
    """A machine with a data folder of its own, the rows and the custody key of the app's, and its store."""
    settings: Settings = app.extensions["settings"]
    data.mkdir()
    (data / "reelproof.sqlite3").symlink_to(settings.data / "reelproof.sqlite3")
    shutil.copy(settings.custody_key, data)
    there = read_settings(
        {
            "REELPROOF_DATA": data,
            "REELPROOF_STORE": settings.store,
            "REELPROOF_STORE_ENDPOINT": settings.store_endpoint,
        }
    )
    return there


def upload(client: FlaskClient, content: bytes = CONTENT) -> str:
    """The id of the analysis of a clip handed in."""
    answer = client.post("/analyses", data={"file": (io.BytesIO(content), "clip.mp4")})
    assert answer.status_code == 303, answer.text
    return answer.location.split("?")[0].rsplit("/", 1)[1]


def kept(folder: Path) -> list[str]:
    """Names of all files in a folder and below."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())
