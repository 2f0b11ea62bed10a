"""What operations have in common: shapes, pages of lists, idempotency, the OpenAPI document; no operation.

:mod:`~webapp.api.contract.operation` makes a view one. Before the view it checks query and body
(:mod:`~webapp.api.contract.request_body`) against models of ``schemas``, and asks
:mod:`~webapp.api.contract.idempotency` whether the same request was answered already; afterwards it makes the
response. Views list by :mod:`~webapp.api.contract.pagination`. Of what all operations declare
:mod:`~webapp.api.contract.openapi` makes ``openapi.json``, with the messages of webhooks
(:mod:`~webapp.api.contract.openapi_webhooks`), and of that :mod:`~webapp.api.contract.docs_page` the page for
people.
"""
