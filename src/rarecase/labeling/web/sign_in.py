"""How one signs in: on a Space with Hugging Face, on one's own machine by name alone."""

import hashlib
import logging
import os
import secrets
import time
import unicodedata
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from rarecase.core.errors import ConfigError
from rarecase.labeling.store.desk import Desk
from rarecase.labeling.store.log import shown
from rarecase.labeling.store.roles import Roles, is_name
from rarecase.labeling.web.door import door
from rarecase.labeling.web.gate import SETTLE, SignIn

logger = logging.getLogger(__name__)

ENTER, LEAVE = "/sign-in", "/logout"
HOLDER = "rarecase.holder"  # of a request: the browser that its name belongs to
YEAR = 365 * 24 * 3600  # seconds; who loses the cookie loses the name

NEEDED = ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL")


def on_a_space() -> bool:
    """Whether this runs on a Space, or would be taken for one."""
    return bool(os.environ.get("SPACE_ID")) or os.environ.get("SYSTEM") == "spaces"


def with_hugging_face() -> SignIn:
    """
    The sign-in of a Space, by Gradio's own routes.

    Raises:
        `ConfigError`: where the Space has no sign-in: Gradio would then take whoever comes for the owner of the token.
    """
    from gradio import oauth, utils

    missing = [name for name in NEEDED if getattr(oauth, name) is None]
    if missing or utils.get_space() is None:
        raise ConfigError(
            f"this Space has no sign-in ({', '.join(missing) or 'SYSTEM'} not set), and by name alone nobody signs in "
            "on a Space; put `hf_oauth: true` into the front matter of its README.md"
        )
    return SignIn(
        who=_of_hugging_face,
        paths=frozenset({"/login/huggingface", "/login/callback", LEAVE}),
        attach=oauth.attach_oauth,
        form=_ask_hugging_face,
    )


def by_name(desk: Desk, roles: Roles) -> SignIn:
    """
    The sign-in of one's own machine: a name belongs to the first browser that took it.

    Args:
        desk (`Desk`): which remembers that.
        roles (`Roles`): who is listed.
    """

    def who(request: Any) -> str | None:
        name, browser = request.session.get("name"), request.session.get("browser")
        if not name or not browser:
            return None
        if HOLDER not in request.scope:  # the name may have been given free meanwhile; one look for each request
            request.scope[HOLDER] = desk.browser_of(name)
        return name if request.scope[HOLDER] == _hashed(browser) else None

    async def enter(request: Request) -> Response:
        form = await request.form()
        name = unicodedata.normalize("NFKC", str(form.get("name", ""))).strip()
        to = f"{SETTLE}/" if request.query_params.get("to") == f"{SETTLE}/" else "/"
        if not is_name(name):
            return door(_ask_name(to), "A name has 1 to 64 letters, digits and - _ . and no spaces.", status=400)
        if not roles.may_label(name):
            return door(_ask_name(to), f"{name} is not on the list of this page. Whoever runs it can add you.")
        browser = request.session.setdefault("browser", secrets.token_urlsafe(32))
        if not await run_in_threadpool(desk.bind, name, _hashed(browser)):
            return door(_ask_name(to), f"{name} signed in with another browser before: take another name.", status=409)
        request.session["name"] = name
        return RedirectResponse(to, 303)

    async def leave(request: Request) -> Response:
        request.session.pop("name", None)  # the browser keeps what its names are known by
        return RedirectResponse("/", 303)

    def attach(app: FastAPI) -> None:
        app.add_route(ENTER, enter, methods=["POST"])
        app.add_route(LEAVE, leave, methods=["GET"])
        app.add_middleware(
            SessionMiddleware,
            secret_key=session_key(desk),
            session_cookie=f"rarecase-{store_id(desk)}",
            max_age=YEAR,
            same_site="lax",
            https_only=False,
        )

    return SignIn(who=who, paths=frozenset({ENTER, LEAVE}), attach=attach, form=_ask_name)


def store_id(desk: Desk) -> str:
    """
    By which a browser tells what it keeps of this store from what it keeps of others: its cookies know no ports, and
    one port serves a store after another. It stays the same for as long as the store is where it is.
    """
    url = sa.make_url(desk.log.url)
    file = url.database if url.get_backend_name() == "sqlite" else None
    place = str(Path(file).resolve()) if file else shown(desk.log.url)
    return hashlib.sha256(place.encode()).hexdigest()[:12]


def session_key(desk: Desk) -> str:
    """
    What the cookies are signed with: RARECASE_SESSION_KEY, else a file beside an SQLite store, else new at each start.

    Raises:
        `ConfigError`: where the file holds no key.
    """
    url = sa.make_url(desk.log.url)
    if given := os.environ.get("RARECASE_SESSION_KEY"):
        return given
    if url.get_backend_name() != "sqlite" or not url.database:
        logger.warning("RARECASE_SESSION_KEY is not set: after a restart nobody is signed in, and names stay taken")
        return secrets.token_urlsafe(32)
    path = Path(f"{url.database}.key")
    try:
        with open(path, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(secrets.token_urlsafe(32))
    except FileExistsError:
        pass
    key = path.read_text(encoding="utf-8")
    if len(key) < 32:
        raise ConfigError(f"{path}: no key that cookies could be signed with; delete the file, and all sign in anew")
    return key


def _hashed(browser: str) -> str:
    return hashlib.sha256(browser.encode()).hexdigest()


def _of_hugging_face(request: Any) -> str | None:
    info = request.session.get("oauth_info") or {}
    if info.get("expires_at") is not None and info["expires_at"] < time.time():
        return None
    return (info.get("userinfo") or {}).get("preferred_username")


def _ask_hugging_face(to: str) -> str:
    # Hugging Face does not show its sign-in inside the frame that it shows a Space in.
    return f"""<p>
<a class="button" id="enter" href="/login/huggingface?_target_url={to}">Sign in with Hugging Face</a>
</p>
<script>if (self !== top) document.getElementById("enter").target = "_blank";</script>"""


def _ask_name(to: str) -> str:
    return f"""<form method="post" action="{ENTER}?to={to}">
<label for="name">Your name</label>
<input id="name" name="name" required maxlength="64" autocomplete="username" autofocus>
<button>Sign in</button>
</form>"""
