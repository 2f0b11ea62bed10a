"""A small OpenID Connect provider on loopback, which signs in whoever the test names.

It checks what a real one checks: client and secret, redirect address, PKCE, and that a code is used once.
"""

from __future__ import annotations

import base64
import secrets
import threading
import time
from typing import Any
from urllib.parse import urlencode

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from flask import Flask, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from werkzeug.serving import make_server

CLIENT, SECRET = "reelproof", "s3cret"


class OpenIdProvider:
    """One provider; change its attributes to have it answer otherwise."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {"sub": "a1", "preferred_username": "ada", "groups": ["lab"]}
        self.answer: dict[str, Any] = {}  # of the ID token, instead of what is right
        self.algorithm, self.error = "RS256", ""
        self.has_way_out = True
        self.asked: list[str] = []  # paths of all requests
        self.key = RSAKey.generate_key(2048, {"kid": "one"})
        self._codes: dict[str, dict[str, str]] = {}
        app = Flask("provider")
        app.before_request(lambda: self.asked.append(request.path))
        app.add_url_rule("/.well-known/openid-configuration", view_func=self._describe)
        app.add_url_rule("/jwks", view_func=self._keys)
        app.add_url_rule("/authorize", view_func=self._authorize)
        app.add_url_rule("/token", view_func=self._token, methods=["POST"])
        self._server = make_server("127.0.0.1", 0, app, threaded=True)
        self.issuer = f"http://127.0.0.1:{self._server.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def change_key(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4)})

    def _describe(self):
        names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
        names |= {"end_session_endpoint": "leave"} if self.has_way_out else {}
        return jsonify({"issuer": self.issuer} | {k: f"{self.issuer}/{v}" for k, v in names.items()})

    def logout_token(self, typ: str | None = "logout+jwt", **changed: Any) -> str:
        """What it sends where somebody signed out; a claim or a type that is None is left out."""
        now = int(time.time())
        events = {"http://schemas.openid.net/event/backchannel-logout": {}}
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 60, "jti": secrets.token_hex(8)}
        claims |= {"events": events, "sub": self.claims["sub"]} | changed
        header = {"alg": self.algorithm, "kid": self.key.kid} | ({} if typ is None else {"typ": typ})
        payload = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(header, payload, self.key, algorithms=[self.algorithm, "RS512"], default_type=None)

    def _keys(self):
        return jsonify(KeySet([self.key]).as_dict(private=False))

    def _authorize(self):
        asked = request.args
        assert asked["client_id"] == CLIENT and asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256" and "openid" in asked["scope"]
        code = secrets.token_urlsafe(8)
        self._codes[code] = dict(asked)
        given = {"error": self.error} if self.error else {"code": code}
        more = urlencode(given | {"state": asked["state"], "iss": self.issuer})
        return redirect(f"{asked['redirect_uri']}?{more}")

    def _token(self):
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        right = scheme == "Basic" and base64.b64decode(credentials).decode() == f"{CLIENT}:{SECRET}"
        asked = self._codes.pop(request.form["code"], None)  # a code works once
        if asked is None or not right or request.form["redirect_uri"] != asked["redirect_uri"]:
            return jsonify(error="invalid_grant"), 400
        if create_s256_code_challenge(request.form["code_verifier"]) != asked["code_challenge"]:
            return jsonify(error="invalid_grant"), 400
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 60, "nonce": asked["nonce"]}
        if "max_age" in asked:
            claims["auth_time"] = now
        claims |= self.claims | self.answer
        header = {"alg": self.algorithm, "kid": self.key.kid}
        token = jwt.encode(header, claims, self.key, algorithms=[self.algorithm, "RS512"])
        return jsonify(access_token="x", token_type="Bearer", expires_in=60, id_token=token)
