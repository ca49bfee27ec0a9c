"""`rarecase label …`: thin, and a part of `rarecase.cli.main`; nothing heavy is imported before a command runs."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from rarecase.cli.formats import Format
from rarecase.core.errors import ConfigError, DataError, did_you_mean
from rarecase.core.installed import needs
from rarecase.labeling.store.address import file_of, without_password
from rarecase.labeling.store.label_store import open_store
from rarecase.labeling.store.settings import Settings, check_settings

if TYPE_CHECKING:
    from rarecase.labeling.store.service import LabelService

app = App(name="label", help="Have texts labelled by people, on a page that this machine or a Space serves.")
StoreAddress = Annotated[str, Parameter(help="a file, `postgresql://…` or `hf://datasets/OWNER/NAME`.")]


@app.command
def serve(
    *,
    store: str,
    host: str = "127.0.0.1",
    port: int = 7860,
    votes: int = 2,
    lease: float = 600,
    consensus: Literal["adjudication", "majority", "model"] = "adjudication",
    qualify: Path | None = None,
    calibrate_every: int = 0,
    roles: Path | None = None,
    links: bool = False,
    public_url: str = "",
) -> None:
    """
    Show the texts of a label store to people, until it is stopped.

    Args:
        store: a file, `postgresql://…` or `hf://datasets/OWNER/NAME`; where `rarecase run --store` puts its texts.
        host: 127.0.0.1 is for people at this machine only. Beyond it each person of `--roles` gets a link to sign in
            with, which is printed once; without roles whoever reaches the page can take any free name.
        port: of the page.
        votes: annotators for each text.
        lease: seconds that a text is reserved for whoever was given it.
        consensus: who decides where votes differ: `adjudication` (a person), `majority` (a tie goes to a person) or
            `model` (of how good each annotator is).
        qualify: a table of texts with known labels, which everybody labels first; 70 % have to be right.
        calibrate_every: after so many votes of a person, a text of `--qualify`; every second one there is kept for
            this. 0 is never.
        roles: a YAML file with the lists `owners`, `adjudicators` and `annotators`; without it anybody who reaches the
            page may label and review.
        links: print new links for all of `--roles`; the earlier ones are no longer valid.
        public_url: `https://HOST` or `https://HOST/PATH` where a proxy that people reach leads to this page; what it
            says of a client (`X-Forwarded-For`) counts then, from this machine or from `FORWARDED_ALLOW_IPS`.
    """
    check_settings(votes=votes, lease=lease, calibrate_every=calibrate_every, qualify=qualify)
    _require_file(store)
    open_store(store).close()  # so that what is wrong with it, or not installed, is reported before the page is loaded
    with needs("app", "the page"):
        from rarecase.labeling.web import serve as serve_page
    settings = Settings(votes=votes, lease=lease, consensus=consensus, calibrate_every=calibrate_every)
    serve_page(
        store,
        host=host,
        port=port,
        settings=settings,
        qualify=qualify,
        roles=roles,
        links=links,
        public_url=public_url,
    )


@app.command
def status(*, store: StoreAddress, format: Format = "text") -> None:
    """
    Report how far a label store is, and how far people agree.

    Args:
        format: `json` for programs.
    """
    with _service(store) as service:
        from rarecase.labeling.store.export import status as status_of

        found = status_of(service)
    print(json.dumps(asdict(found), indent=2) if format == "json" else found.as_lines())


@app.command
def export(*, store: StoreAddress, out: Path) -> None:
    """
    Write every vote to a CSV file, under A1, A2, …, without the texts.

    Args:
        out: the file to write.
    """
    with _service(store) as service:
        from rarecase.labeling.store.export import export_votes

        written = export_votes(service, out)
    print(f"{out}: {written} votes", file=sys.stderr)


@app.command(name="import")
def import_(file: Path, /, *, store: StoreAddress) -> None:
    """
    Read votes that were given elsewhere.

    Args:
        file: CSV with the columns `item`, `annotator` and `label`, and perhaps `seconds` and `batch`.
    """
    with _service(store, writes=True) as service:
        from rarecase.labeling.store.export import import_votes

        new = import_votes(service, file)
        print(f"{without_password(store)}: {new} new votes", file=sys.stderr)


@app.command
def forget(name: str, /, *, store: StoreAddress) -> None:
    """
    Release a name so that another browser can claim it, for somebody whose browser has lost its cookie, or whose votes
    were imported.

    Args:
        name: as they sign in.
    """
    with _service(store, writes=True) as service:
        if not service.forget(name):
            with service.state() as state:
                claimed = [person.name for person in state.people.values() if person.browsers]
            raise DataError(f"nobody has signed in as {name!r}{did_you_mean(name, claimed)}")


def _require_file(store: str) -> None:
    """A file that is not there would be made, and found empty; and be in the way of the folder of a run."""
    if store and "://" not in store and not os.path.isfile(file_of(store)):
        raise _no_store(store)


def _no_store(store: str) -> ConfigError:
    return ConfigError(
        f"--store {without_password(store)}: no label store there yet; expected that of a run or start that waits for "
        "people, as its line `rarecase label serve --store …` names it"
    )


@contextmanager
def _service(store: str, *, writes: bool = False) -> "Iterator[LabelService]":
    _require_file(store)
    found = open_store(store)
    try:
        with found.service.state() as state:
            if not state.seq:
                raise _no_store(store)
        yield found.service
        if writes:  # what the Hub does not take would else seem to be there
            found.sync()
    finally:
        found.close()
