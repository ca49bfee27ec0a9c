"""Ways to sign in: on a Space with Hugging Face, on one's own machine by name alone."""

import contextlib
import hashlib
import logging
import os
import secrets
import time
import unicodedata
from collections.abc import Callable
from functools import partial
from pathlib import Path
from string import Template
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from rarecase.core.errors import ConfigError
from rarecase.labeling.store.address import without_password
from rarecase.labeling.store.roles import Roles, is_name
from rarecase.labeling.store.service import LabelService
from rarecase.labeling.web.access import REVIEW, SignIn, sign_in_page

logger = logging.getLogger(__name__)

ENTER, LEAVE = "/sign-in", "/logout"
OWNER = "rarecase.owner"  # of a request: the browser that its name belongs to
YEAR = 365 * 24 * 3600  # seconds; who loses the cookie loses the name

NEEDED = ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL")


def on_a_space() -> bool:
    """Whether this runs on a Space, or Gradio would take it for one."""
    return bool(os.environ.get("SPACE_ID")) or os.environ.get("SYSTEM") == "spaces"


def with_hugging_face() -> SignIn:
    """The sign-in of a Space; a `ConfigError` without one, as Gradio then takes everybody for the token's owner."""
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
        form=_form("hugging_face"),
    )


def by_name(service: LabelService, roles: Roles) -> SignIn:
    """The sign-in of one's own machine: a name belongs to the first browser that claimed it."""

    ask_name = _form("by_name")

    def who(request: Any) -> str | None:
        name, browser = request.session.get("name"), request.session.get("browser")
        if not name or not browser:
            return None
        if OWNER not in request.scope:  # the name may have been released meanwhile; one look for each request
            request.scope[OWNER] = service.browser_of(name)
        return name if request.scope[OWNER] == _hashed(browser) else None

    async def enter(request: Request) -> Response:
        form = await request.form()
        name = unicodedata.normalize("NFKC", str(form.get("name", ""))).strip()
        to = f"{REVIEW}/" if request.query_params.get("to") == f"{REVIEW}/" else "/"
        if not is_name(name):
            return sign_in_page(
                ask_name(to), "A name has 1 to 64 letters, digits and - _ . and no spaces.", status=400
            )
        if not roles.may_label(name):
            return sign_in_page(ask_name(to), f"{name} is not on the list of this page. Its owner can add you.")
        browser = request.session.setdefault("browser", secrets.token_urlsafe(32))
        if not await run_in_threadpool(service.bind, name, _hashed(browser)):
            return sign_in_page(
                ask_name(to), f"{name} has signed in with another browser: choose another name.", status=409
            )
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
            secret_key=session_key(service),
            session_cookie=f"rarecase-{store_id(service)}",
            max_age=YEAR,
            same_site="lax",
            https_only=False,
        )

    return SignIn(who=who, paths=frozenset({ENTER, LEAVE}), attach=attach, form=ask_name)


def store_id(service: LabelService) -> str:
    """
    The hash of its address, which tells what a browser keeps of this store from what it keeps of others: cookies do
    not depend on the port, and one port serves a store after another.
    """
    file = _file(service)
    address = str(Path(file).resolve()) if file else without_password(service.log.url)
    return _hashed(address)[:12]


def session_key(service: LabelService) -> str:
    """What signs the cookies: RARECASE_SESSION_KEY, else a file beside an SQLite store, else new at each start."""
    if given := os.environ.get("RARECASE_SESSION_KEY"):
        return given
    if not (file := _file(service)):
        logger.warning("RARECASE_SESSION_KEY is not set: after a restart nobody is signed in, and names stay claimed")
        return secrets.token_urlsafe(32)
    path = Path(f"{file}.key")
    with contextlib.suppress(FileExistsError), open(path, "x", opener=partial(os.open, mode=0o600)) as new:
        new.write(secrets.token_urlsafe(32))
    key = path.read_text(encoding="utf-8")
    if len(key) < 32:
        raise ConfigError(f"{path}: too short a key to sign cookies; delete the file, and all sign in again")
    return key


def _file(service: LabelService) -> str | None:
    """The file of an SQLite store."""
    url = sa.make_url(service.log.url)
    return url.database if url.get_backend_name() == "sqlite" else None


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _of_hugging_face(request: Any) -> str | None:
    info = request.session.get("oauth_info") or {}
    if info.get("expires_at") is not None and info["expires_at"] < time.time():
        return None
    return (info.get("userinfo") or {}).get("preferred_username")


def _form(name: str) -> Callable[[str], str]:
    """The HTML by which one signs in, given where one wanted to go."""
    template = Template(Path(__file__).with_name(f"{name}.html").read_text(encoding="utf-8"))
    return lambda to: template.substitute(to=to)
