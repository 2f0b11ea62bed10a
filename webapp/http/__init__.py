"""How requests come in and answers go out: connections, addresses of clients; error pages, problem details,
byte ranges, static files, security headers.

Routes are in `pages` and `api`.
"""
