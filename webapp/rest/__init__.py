"""The framework of the REST API: operations, idempotency, cursors, the OpenAPI document.

Features declare their routes with :func:`webapp.rest.operation.operation` in modules named ``api``.
"""
