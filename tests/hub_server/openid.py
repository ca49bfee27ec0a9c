"""
The sign-in of the Hub for tests: an OpenID provider that a Space's sign-in talks to unchanged.

Whoever comes says who they are by a click, where a real provider asks for a password; all else is checked as it does:
id and secret of the Space, where it sends people back to, each code once.
"""

import base64
import contextlib
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from html import escape
from urllib.parse import urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from hub_server.server import bound

CLIENT, SECRET = "a-space", "the-secret-of-a-space"
SCOPES = "openid profile"


class Provider:
    """
    Who may sign in, and what was asked for.

    Args:
        people (`Sequence[str]`): names of users.
    """

    def __init__(self, people: Sequence[str]):
        self.people = people
        self.url = ""
        self.key = RSAKey.generate_key(2048, {"kid": "test", "use": "sig", "alg": "RS256"})
        self.codes: dict[str, dict[str, str]] = {}
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.configuration),
                Route("/oauth/authorize", self.authorize),
                Route("/oauth/allow", self.allow, methods=["POST"]),
                Route("/oauth/token", self.token, methods=["POST"]),
                Route("/oauth/jwks", self.keys),
            ]
        )

    @property
    def environment(self) -> dict[str, str]:
        """What a Space with `hf_oauth: true` finds in its environment."""
        return {
            "SYSTEM": "spaces",
            "SPACE_ID": "acme/labeling",
            "OAUTH_CLIENT_ID": CLIENT,
            "OAUTH_CLIENT_SECRET": SECRET,
            "OAUTH_SCOPES": SCOPES,
            "OPENID_PROVIDER_URL": self.url,
        }

    async def configuration(self, request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/oauth/authorize",
                "token_endpoint": f"{self.url}/oauth/token",
                "jwks_uri": f"{self.url}/oauth/jwks",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": SCOPES.split(),
            }
        )

    async def authorize(self, request: Request) -> Response:
        """Asks who it is."""
        asked = request.query_params
        if asked.get("client_id") != CLIENT or asked.get("response_type") != "code":
            return JSONResponse({"error": "invalid_client"}, 400)
        if not asked["redirect_uri"].startswith("http://127.0.0.1:"):
            return JSONResponse({"error": "invalid redirect_uri"}, 400)
        kept = "".join(
            f'<input type="hidden" name="{name}" value="{escape(asked.get(name, ""))}">'
            for name in ("redirect_uri", "state", "nonce")
        )
        people = "".join(f'<button name="person" value="{name}">{name}</button>' for name in self.people)
        return HTMLResponse(f'<form method="post" action="/oauth/allow">{kept}{people}</form>')

    async def allow(self, request: Request) -> Response:
        """Sends the person back with a code."""
        form = {key: str(value) for key, value in (await request.form()).items()}
        code = secrets.token_urlsafe(16)
        self.codes[code] = form
        return RedirectResponse(f"{form['redirect_uri']}&{urlencode({'code': code, 'state': form['state']})}", 303)

    async def token(self, request: Request) -> Response:
        """Takes a code, once, for what the person is called."""
        given = base64.b64decode(request.headers.get("authorization", "").removeprefix("Basic ")).decode()
        form = await request.form()
        known = self.codes.pop(str(form.get("code")), None)
        if given != f"{CLIENT}:{SECRET}" or known is None or known["redirect_uri"] != form.get("redirect_uri"):
            return JSONResponse({"error": "invalid_grant"}, 400)
        name, now = known["person"], int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": f"id-of-{name}",
            "iat": now,
            "exp": now + 3600,
            "nonce": known["nonce"],
            "name": name.title(),
            "preferred_username": name,
            "profile": f"{self.url}/{name}",
            "picture": f"{self.url}/{name}.png",
        }
        signed = jwt.encode({"alg": "RS256", "kid": "test"}, claims, self.key)
        answer = {"access_token": f"hf_oauth_{name}", "token_type": "bearer", "expires_in": 3600, "scope": SCOPES}
        return JSONResponse(answer | {"id_token": signed})

    async def keys(self, request: Request) -> Response:
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})


@contextlib.contextmanager
def providing(people: Sequence[str]) -> Iterator[Provider]:
    """A provider for the length of a `with` block."""
    provider, held = Provider(people), bound()
    provider.url = f"http://127.0.0.1:{held.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(provider.app, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [held]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield provider
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)
