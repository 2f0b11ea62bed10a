"""The REST API, below ``/api/v1``: one small file an area, each a blueprint.

From a file to what is handed out: :mod:`~webapp.api.uploads` (in parts; :mod:`~webapp.api.tus_headers` reads
what such requests say) or :mod:`~webapp.api.analyses` (in one request) take it in;
:mod:`~webapp.api.analyses` says where its analysis stands, :mod:`~webapp.api.findings` what was found,
:mod:`~webapp.api.annotations` and :mod:`~webapp.api.reviews` what people say of it;
:mod:`~webapp.api.downloads` hands out reports, bundles and exports. About :mod:`~webapp.api.exhibits`
themselves, and with their help: :mod:`~webapp.api.comparisons`, :mod:`~webapp.api.copies`,
:mod:`~webapp.api.custody`. About the installation: :mod:`~webapp.api.models`, :mod:`~webapp.api.webhooks`,
:mod:`~webapp.api.about`.

What those about an analysis share is in :mod:`~webapp.api.analysis_requests`, what all operations have in
common in ``contract``. What they do is mostly in `services`, `queries` and `downloads`, which pages call as
well.
"""

from flask import Flask


def install(app: Flask) -> None:
    """Register the areas. Imported here: whoever needs a part of ``contract`` alone does without them."""
    from webapp.api import (
        about,
        analyses,
        annotations,
        comparisons,
        copies,
        custody,
        downloads,
        exhibits,
        findings,
        models,
        reviews,
        uploads,
        webhooks,
    )
    from webapp.api.contract import operation

    for area in (
        analyses,
        uploads,
        findings,
        annotations,
        downloads,
        exhibits,
        comparisons,
        copies,
        custody,
        reviews,
        models,
        webhooks,
        about,
    ):
        app.register_blueprint(area.blueprint, url_prefix=operation.PREFIX)
