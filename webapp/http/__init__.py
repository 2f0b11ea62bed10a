"""How answers go out: error pages, problem details, byte ranges, static files, security headers.

Routes are in `pages` and `api`.
"""
