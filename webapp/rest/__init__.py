"""The framework of the REST API: operations, idempotency, pagination, the OpenAPI document.

Features declare the routes.
"""
