"""Ways to sign in: on a Space with Hugging Face, on one's own machine by name alone, elsewhere by a link for each."""

import contextlib
import json
import logging
import os
import secrets
import time
import unicodedata
from collections.abc import Callable
from functools import partial
from html import escape
from math import inf
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
from rarecase.labeling.store.device_codes import LASTS, hashed
from rarecase.labeling.store.limit import PerMinute
from rarecase.labeling.store.names import is_name
from rarecase.labeling.store.roles import Everybody, Roles
from rarecase.labeling.store.service import LabelService
from rarecase.labeling.web.access import DEVICE, LEAVE, REVIEW, SignIn, sign_in_page, title_of
from rarecase.labeling.web.site import Site

logger = logging.getLogger(__name__)

ENTER = "/sign-in"
OWNER = "rarecase.owner"  # of a request: the browsers that its name belongs to
# A minute of an address: a class of fifty has one, and nobody guesses a code or takes all names with so many.
SIGN_INS = 100
MOST_NAMES = 10  # that a browser can have claimed: a cookie has 4 kB
YEAR = 365 * 24 * 3600  # seconds; who loses the cookie loses the name

NO_LINK = "This link is not valid, or not any more. The owner of this page can give you a new one."

NEEDED = ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL")


def with_hugging_face() -> SignIn:
    """The sign-in of a Space; a `ConfigError` without one, as Gradio then takes everybody for the token's owner."""
    from gradio import oauth, utils

    missing = [name for name in NEEDED if getattr(oauth, name) is None]
    if missing or utils.get_space() is None:
        raise ConfigError(
            f"this Space has no sign-in ({', '.join(missing) or 'SYSTEM'} not set), and by name alone nobody signs in "
            "on a Space; put `hf_oauth: true` into the front matter of its README.md"
        )

    ended: dict[str, float] = {}  # sessions that were signed out, of which there may be copies, and when they expire

    def who(request: Any) -> str | None:
        return None if _session(request) in ended else _of_hugging_face(request)

    async def leave(request: Request) -> Response:
        now = time.time()
        for session in [session for session, until in ended.items() if until < now]:
            del ended[session]
        if _of_hugging_face(request):
            ended[_session(request)] = request.session["oauth_info"].get("expires_at") or inf
        request.session.pop("oauth_info", None)
        return RedirectResponse("/", 303)

    def attach(app: FastAPI) -> None:
        app.add_route(LEAVE, leave, methods=["POST"])
        oauth.attach_oauth(app)

    return SignIn(
        who=who,
        paths=frozenset({"/login/huggingface", "/login/callback", LEAVE}),
        attach=attach,
        form=_form("hugging_face"),
    )


def on_this_server(service: LabelService, roles: Roles, site: Site) -> SignIn:
    """The sign-in without Hugging Face."""
    found = _OnThisServer(service, roles, site)
    paths = frozenset({ENTER, LEAVE, DEVICE})
    return SignIn(who=found.who, paths=paths, attach=found.attach, form=found.form, moves=True)


class _OnThisServer:
    """
    A name belongs to the browser that claimed it, which needs the code of that person where others can reach the page
    and it lists who may use it; and to those that were given a code by one of the name's browsers.
    """

    def __init__(self, service: LabelService, roles: Roles, site: Site):
        self.service, self.roles, self.site = service, roles, site
        self.needs_code = needs_code(roles, site)
        self.form = _form("by_code" if self.needs_code else "by_name", site.base)
        self.limit = PerMinute(SIGN_INS)

    def attach(self, app: FastAPI) -> None:
        app.add_route(ENTER, self.enter, methods=["POST"])
        app.add_route(ENTER, self.follow_link, methods=["GET"])
        app.add_route(LEAVE, self.leave, methods=["POST"])
        app.add_route(DEVICE, self.offer, methods=["POST"])
        app.add_middleware(
            SessionMiddleware,
            secret_key=session_key(self.service),
            session_cookie=f"rarecase-{store_id(self.service)}",
            max_age=YEAR,
            path=f"{self.site.base}/",
            same_site="lax",
            https_only=self.site.public.startswith("https:"),
        )

    def who(self, request: Any) -> str | None:
        name = request.session.get("name")
        if not (secret := request.session.get("secrets", {}).get(name)):
            return None
        if OWNER not in request.scope:  # the name may have been released meanwhile; one look for each request
            request.scope[OWNER] = self.service.browsers_of(name)
        return name if hashed(secret) in request.scope[OWNER] else None

    async def follow_link(self, request: Request) -> Response:
        """Asks whoever has opened a link to sign in: a program that looks at all links does not press a button."""
        code = request.query_params.get("code", "")
        if not (self.needs_code and code):
            return RedirectResponse(f"{self.site.base}/", 303)
        if refusal := self._too_often(request):
            return refusal
        if not (name := await run_in_threadpool(self.service.person_of, code)):
            return sign_in_page(self.form("/"), NO_LINK)
        return sign_in_page(_form("with_link", self.site.base)("/", code=escape(code), name=escape(name)), status=200)

    async def enter(self, request: Request) -> Response:
        """Signs a browser in: by a name, by the code of a link, or by a name and a code that another device shows."""
        if refusal := self._too_often(request):
            return refusal
        given = {key: str(value) for key, value in (await request.form()).items()}
        to = f"{REVIEW}/" if request.query_params.get("to") == f"{REVIEW}/" else "/"
        code = given.get("device_code", "").strip()
        if self.needs_code and not code:
            name = await run_in_threadpool(self.service.person_of, given.get("code", "")) or ""
            if not name:
                return self._refused(to, NO_LINK)
        else:
            name = unicodedata.normalize("NFKC", given.get("name", "")).strip()
        if not is_name(name):
            return self._refused(
                to, "A name has 1 to 64 letters, digits, dots, hyphens and underscores, and no spaces.", 400
            )
        if not code and not self.roles.may_label(name):  # who is not listed is shown no code
            return self._refused(to, f"{name} is not on the list of this page. Its owner can add you.")
        if refused := await run_in_threadpool(self._claim, request.session, name, code):
            return self._refused(to, f"{name} {refused}.", 409, name=escape(name), opened="open")
        request.session["name"] = name
        return RedirectResponse(f"{self.site.base}{to}", 303)

    async def offer(self, request: Request) -> Response:
        """Shows whoever is signed in a code for another device."""
        if refusal := self._too_often(request):
            return refusal
        name = await run_in_threadpool(self.who, request)
        if not (name and self.roles.may_label(name)):
            return RedirectResponse(f"{self.site.base}/", 303)
        code = await run_in_threadpool(self.service.device_code, name)
        shown = _form("device", self.site.base)("/", name=escape(name), code=code, minutes=f"{LASTS / 60:.0f}")
        return sign_in_page(shown, title="Another device", status=200)

    async def leave(self, request: Request) -> Response:
        if name := await run_in_threadpool(self.who, request):
            if self.needs_code:
                await run_in_threadpool(self.service.unbind, name, hashed(request.session["secrets"][name]))
            else:  # the browser keeps a new secret, to claim its name by again
                await run_in_threadpool(self._claim, request.session, name)
        request.session.pop("name", None)
        if self.needs_code:
            request.session.clear()
        return RedirectResponse(f"{self.site.base}/", 303)

    def _claim(self, session: dict[str, Any], name: str, code: str = "") -> str | None:
        """Claims a name with a new secret, which makes copies of an earlier cookie worthless; why not, or None."""
        secret, kept = secrets.token_urlsafe(32), session.get("secrets", {})
        refusal = None
        if self.needs_code and not code:  # by their link, which was looked up
            self.service.bind_alone(name, hashed(secret))
        else:
            proof = hashed(kept[name]) if name in kept else None  # not of "", which anybody could bind a name to
            refusal = self.service.bind(name, hashed(secret), proof, code=code)
        if refusal is None:
            others = [(other, of_other) for other, of_other in kept.items() if other != name]
            session["secrets"] = dict([*others, (name, secret)][-MOST_NAMES:])
        return refusal

    def _refused(self, to: str, message: str, status: int = 401, **values: str) -> Response:
        return sign_in_page(self.form(to, **values), message, title=title_of(to), status=status)

    def _too_often(self, request: Request) -> Response | None:
        if self.limit.allows(request.client.host if request.client else ""):
            return None
        return sign_in_page("", "Too many have signed in from your address: wait a minute.", status=429)


def needs_code(roles: Roles, site: Site) -> bool:
    """Whether a name alone is not enough: others can reach the page, and it says who they may be."""
    return site.is_open and not isinstance(roles, Everybody)


def store_id(service: LabelService) -> str:
    """
    The hash of its address, which tells what a browser keeps of this store from what it keeps of others: cookies do
    not depend on the port, and one port serves a store after another.
    """
    file = _file(service)
    address = str(Path(file).resolve()) if file else without_password(service.log.url)
    return hashed(address)[:12]


def session_key(service: LabelService) -> str:
    """What signs the cookies: RARECASE_SESSION_KEY, else a file beside an SQLite store, else new at each start."""
    if given := os.environ.get("RARECASE_SESSION_KEY"):
        if len(given) < 32:
            raise ConfigError("RARECASE_SESSION_KEY is too short to sign cookies; expected 32 characters or more")
        return given
    if not (file := _file(service)):
        logger.warning("RARECASE_SESSION_KEY is not set: after a restart nobody is signed in, and names stay claimed")
        return secrets.token_urlsafe(32)
    path = Path(f"{file}.key")
    try:
        with contextlib.suppress(FileExistsError), open(path, "x", opener=partial(os.open, mode=0o600)) as new:
            new.write(secrets.token_urlsafe(32))
        key = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no UTF-8"
        raise ConfigError(
            f"{path}: {reason}; what signs cookies must be kept there, or in RARECASE_SESSION_KEY"
        ) from None
    if len(key) < 32:
        raise ConfigError(f"{path}: too short a key to sign cookies; delete the file, and all sign in again")
    return key


def _file(service: LabelService) -> str | None:
    """The file of an SQLite store."""
    url = sa.make_url(service.log.url)
    return url.database if url.get_backend_name() == "sqlite" else None


def _session(request: Any) -> str:
    """What tells a session with Hugging Face from all others: each has a nonce of its own."""
    return hashed(json.dumps(request.session.get("oauth_info")))


def _of_hugging_face(request: Any) -> str | None:
    info = request.session.get("oauth_info") or {}
    if info.get("expires_at") is not None and info["expires_at"] < time.time():
        return None
    return (info.get("userinfo") or {}).get("preferred_username")


def _form(name: str, base: str = "") -> Callable[..., str]:
    """The HTML by which one signs in, given where one wanted to go and what else it shows."""
    template = Template(Path(__file__).with_name(f"{name}.html").read_text(encoding="utf-8"))
    return lambda to, **values: template.substitute({"name": "", "opened": "", "to": to, "base": base} | values)
