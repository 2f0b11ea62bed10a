"""What is looked at before a view runs, above all by :mod:`~webapp.security.requests.request_guard`.

It finds out who asks; :mod:`~webapp.security.requests.csrf` checks the token of forms,
:mod:`~webapp.security.requests.rate_limits` how often somebody asks, and
:mod:`~webapp.security.requests.upload_admission` large uploads before their bodies are taken in.
"""
