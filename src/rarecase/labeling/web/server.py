"""From the address of a store to a page that people label on."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import gradio as gr
import uvicorn
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from rarecase.core.errors import ConfigError
from rarecase.data.taxonomy import Taxonomy
from rarecase.hub.client import limit_waiting
from rarecase.labeling.store.label_store import LabelStore, open_store
from rarecase.labeling.store.roles import Everybody, Roles, read_roles, roles_text
from rarecase.labeling.store.service import LabelService
from rarecase.labeling.store.settings import FILE, Settings, SpaceFile
from rarecase.labeling.store.state import class_infos
from rarecase.labeling.web.access import ANYWHERE, HEALTH, REVIEW, AccessControl, SignIn
from rarecase.labeling.web.pages import HERE, PageContext, label_page, review_page
from rarecase.labeling.web.sign_in import ENTER, needs_code, on_this_server, with_hugging_face
from rarecase.labeling.web.site import Site, checked_url, on_a_space
from rarecase.web.address import address_of, bound, is_loopback
from rarecase.web.connections import BACKLOG, ImpatientProtocol

ROLES = "RARECASE_ROLES"
THEME = gr.themes.Default(
    primary_hue="blue",
    font=["system-ui", "sans-serif"],  # those of the machine: none is fetched from elsewhere
    font_mono=["ui-monospace", "monospace"],
).set(body_text_color_subdued="*neutral_600")  # too pale to read otherwise


def serve(
    store: str,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    settings: Settings,
    qualify: Path | None = None,
    roles: Path | None = None,
    taxonomy: Taxonomy | None = None,
    public_url: str = "",
    links: bool = False,
) -> None:
    """
    Serves the labeling page of a store until it is stopped.

    Without `roles`, on one's own machine, everybody labels, and reviews what they did not vote on; on a Space the
    secret RARECASE_ROLES says who may. `qualify` is a table with the labels of texts that only tell how well people
    do. `public_url` is that of a proxy, whose headers count then; `links` gives all who are listed new links.
    """
    who, listening = _roles(roles), bound(host, port)
    site = Site(local=is_loopback(listening.getsockname()[0]), public=checked_url(public_url))
    if links and not needs_code(who, site):
        raise ConfigError("--links needs --roles FILE, and a --host or a --public-url that others reach")
    with listening, contextlib.closing(open_store(store)) as opened:
        opened.service.start(settings)
        if qualify:
            from rarecase.labeling.store.known_answers import add_known_answers  # reads tables, which a Space cannot

            add_known_answers(opened.service, qualify, calibrate=settings.calibrate_every > 0)
        app = application(opened, who, taxonomy or Taxonomy.default(), site)
        shown = f"[{host}]" if ":" in host else host
        print(f"rarecase: the labeling page is at http://{shown}:{listening.getsockname()[1]}", file=sys.stderr)
        if site.is_open and not on_a_space():
            _invite(opened.service, who, site, site.public or address_of(listening, host), anew=links)
        opened.start_syncing(report=_report)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # so that the store is closed, and sends what is left
        with contextlib.suppress(KeyboardInterrupt):  # the way to stop it
            server(app, site).run(sockets=[listening])


def _invite(service: LabelService, roles: Roles, site: Site, address: str, anew: bool) -> None:
    """Prints a link for each person who has none yet, or what anybody can do where nobody is listed."""
    if not needs_code(roles, site):
        print(
            f"rarecase: whoever reaches {address} can sign in by any free name, label and review; list people with "
            "--roles FILE, and each gets a link",
            file=sys.stderr,
        )
        return
    codes = service.give_codes(roles.names, anew=anew)
    for name, code in codes.items():
        print(f"rarecase: {name} signs in at {address}{ENTER}?code={code}", file=sys.stderr)
    if not codes:
        print("rarecase: all who are listed have their links; --links makes new ones", file=sys.stderr)


def launch(space: Path) -> None:
    """Serves the page of a Space: the folder of app.py, labeling.json and perhaps taxonomy.yaml."""
    limit_waiting()
    file = SpaceFile.parse((space / FILE).read_bytes()) if (space / FILE).is_file() else SpaceFile({})
    store = file.store or os.environ.get("RARECASE_STORE")
    if not store:
        raise ConfigError(f"{FILE} names no store, and RARECASE_STORE is not set; set one of them")
    classes = space / "taxonomy.yaml"
    taxonomy = Taxonomy.load(classes) if classes.is_file() else None
    port = int(os.environ.get("GRADIO_SERVER_PORT", "7860"))
    serve(store, host="0.0.0.0", port=port, settings=file.settings, taxonomy=taxonomy)  # noqa: S104 - as Spaces want it


def application(store: LabelStore, roles: Roles, taxonomy: Taxonomy, site: Site = ANYWHERE) -> FastAPI:
    """The pages behind their access control; the taxonomy describes classes that a batch does not."""
    sign_in = with_hugging_face() if on_a_space() else on_this_server(store.service, roles, site)
    context = PageContext(store, roles, sign_in.who, class_infos(taxonomy), sign_in.moves)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_route(HEALTH, _healthy, methods=["GET", "HEAD"])
    app.add_route(REVIEW, _with_slash, methods=["GET", "HEAD"])
    app.add_middleware(AccessControl, sign_in=sign_in, roles=roles, site=site)
    sign_in.attach(app)  # after the access control, so that the session is read before it
    _mount(app, review_page(context), REVIEW, sign_in, roles.may_review)
    _mount(app, label_page(context), "/", sign_in, roles.may_label)
    return app


def server(app: FastAPI, site: Site) -> uvicorn.Server:
    """What serves an app; what a proxy says of a client counts where there is one."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
        backlog=BACKLOG,
        http=ImpatientProtocol,
        ws="none",
        proxy_headers=bool(site.public) or on_a_space(),
        workers=1,  # else it reads WEB_CONCURRENCY, whatever that holds
    )
    return uvicorn.Server(config)


def _mount(app: FastAPI, page: gr.Blocks, path: str, sign_in: SignIn, may: Callable[[str], bool]) -> None:
    async def listed(request: Request) -> str | None:
        name = await run_in_threadpool(sign_in.who, request)
        return name if name and may(name) else None

    gr.mount_gradio_app(
        app,
        page,
        path,
        auth_dependency=listed,
        theme=THEME,
        css_paths=HERE / "style.css",
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        max_file_size=1,  # byte: the pages take no files
        show_error=False,
        ssr_mode=False,
    )


def _report(trouble: str) -> None:
    print(f"rarecase: {trouble or 'labels reach the Hub again'}", file=sys.stderr, flush=True)


def _roles(path: Path | None) -> Roles:
    if on_a_space():
        if not (secret := os.environ.get(ROLES)):
            raise ConfigError(f"on a Space the secret {ROLES} lists who may label: names under owners, annotators, …")
        return read_roles(secret, ROLES)
    if path is None:
        return Everybody()
    return read_roles(roles_text(path), f"--roles {path}")


async def _healthy(request: Request) -> Response:
    return PlainTextResponse("ok")


async def _with_slash(request: Request) -> Response:
    return RedirectResponse(f"{REVIEW.removeprefix('/')}/")  # relative, whatever path a proxy has before it
