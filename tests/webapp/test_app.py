"""The factory, and what the web process must never load."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

from flask import Blueprint

import webapp
from detector.files import ROOT
from webapp import create_app


def test_the_data_folder_is_private(tmp_path):
    app = create_app({"REELPROOF_DATA": tmp_path / "new" / "data"})
    data = app.extensions["settings"].data
    assert data == tmp_path / "new" / "data"
    assert data.stat().st_mode & 0o077 == 0
    app.extensions["database"].close()


def test_every_blueprint_is_registered(app):
    """What nobody registers has no addresses, and is missing from every table that is made of them."""
    for module in pkgutil.walk_packages(webapp.__path__, "webapp."):
        if ".migrations." in module.name or module.name.endswith("__main__"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Blueprint):
                assert app.blueprints.get(value.name) is value, module.name


def test_flask_signs_nothing(app):
    """Sessions are rows on the server; what the app signs has keys of its own."""
    assert app.secret_key is None


def test_two_apps_do_not_share_anything(tmp_path):
    first = create_app({"REELPROOF_DATA": tmp_path / "a"})
    second = create_app({"REELPROOF_DATA": tmp_path / "b"})
    assert first.extensions["database"] is not second.extensions["database"]
    for app in (first, second):
        app.extensions["database"].close()


def test_creating_the_app_imports_no_heavy_package(tmp_path):
    """By what is imported, not by the clock. Alembic comes with the migration of new tables."""
    program = (
        "import sys; from webapp import create_app\n"
        "later = {'alembic', 'cryptography'}\n"
        "heavy = {'scipy', 'torch', 'cv2', 'weasyprint', 'celery', 'av', 'matplotlib', 'openvino', 'PIL',\n"
        "         'pyhanko', 'pikepdf', 's3fs', 'psycopg', 'authlib', 'zxcvbn'}\n"
        "loaded = (heavy | later) & set(sys.modules)\n"
        "create_app()\n"
        "loaded |= heavy & set(sys.modules)\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)\n"
    )
    environment = {"PATH": "", "REELPROOF_DATA": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True, timeout=200)


def test_web_process_loads_no_network_and_no_renderer(tmp_path):
    """Nor, without an object store, what asks one."""
    program = (
        "import sys; from webapp import create_app; from large_library import fill\n"
        "app = create_app(); fill(app.extensions['database'], 40)\n"
        "for path in ('/', '/analyses', '/statistics'):\n"
        "    assert app.test_client().get(path).status_code == 200\n"
        "heavy = {'torch', 'cv2', 'weasyprint', 'celery', 'av', 'matplotlib', 'fsspec', 's3fs', 'botocore'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)\n"
    )
    environment = {
        "PATH": "",
        "REELPROOF_DATA": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).resolve().parent),  # judged analyses are among what they list
    }
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True, timeout=200)
