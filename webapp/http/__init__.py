"""How requests come in and answers go out. Routes are in `pages` and `api`.

On the way in: :mod:`~webapp.http.connections`, :mod:`~webapp.http.client_address`,
:mod:`~webapp.http.nul_characters` and :mod:`~webapp.http.row_numbers` in addresses,
:mod:`~webapp.http.interface_language`. On the way out: :mod:`~webapp.http.error_pages`, below ``/api``
:mod:`~webapp.http.problem_details`, with what was typed (:mod:`~webapp.http.unsent_texts`);
:mod:`~webapp.http.range_responses`, :mod:`~webapp.http.static_files`, :mod:`~webapp.http.security_headers`.
"""
