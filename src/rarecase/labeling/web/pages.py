"""
The two pages, each one `gr.HTML` with a fixed template. They talk to the server by its `server_functions`, which
answer once what was asked has happened; Gradio's queue carries nothing. Texts and names of classes are put into the
page by `textContent` alone: a template would run or lose what is written in them.
"""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import HTTPException

from rarecase.data.taxonomy import Taxonomy
from rarecase.labeling.store.desk import Answer, Desk
from rarecase.labeling.store.roles import Roles
from rarecase.labeling.store.state import Item, State
from rarecase.labeling.store.store import Store
from rarecase.labeling.web.door import WARNING
from rarecase.labeling.web.live import Live
from rarecase.labeling.web.sign_in import store_id

HERE = Path(__file__).parent
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MOST = 50  # acts that a page may send at once; it sends fewer
UNKNOWN = "this was not understood; reload the page"


@dataclass(frozen=True)
class Behind:
    """
    What is behind the pages.

    Args:
        store (`Store`): the labels.
        roles (`Roles`): who may do what.
        who (`Callable`): the name behind a request; what a page says of itself counts for nothing.
        taxonomy (`Taxonomy`): definitions and examples, where a batch has none of its own.
    """

    store: Store
    roles: Roles
    who: Callable[[Any], str | None]
    taxonomy: Taxonomy


def label_page(behind: Behind, live: Live) -> gr.Blocks:
    """
    The page on which texts are labelled.

    Args:
        behind (`Behind`): what it talks to.
        live (`Live`): the agreement it shows.
    """
    desk, store = behind.store.desk, store_id(behind.store.desk)

    def say(data: Any, request: gr.Request) -> dict[str, Any]:
        """Does what somebody did, in order, and tells what is theirs next; with nothing done, how things stand."""
        person = _listed(behind.who(request), behind.roles.may_label)
        acts = [act for act in _list(data, "acts") if isinstance(act, dict)]
        if len(acts) > MOST:
            raise HTTPException(413, f"at most {MOST} acts at once")
        if not _is_for(data, me=person, store=store):
            acts = []
        answers = [(_done(desk, person, act), act) for act in acts]
        last = answers[-1][0] if answers else desk.queue(person)
        common = _common(behind, person, last.about) | {"store": store, "declined": last.declined}
        if not answers:
            found = live()
            common |= {"agreement": {"items": found.items, "kappa": found.kappa, "alpha": found.alpha}}
        told = [{"event": act.get("event"), **_told(answer)} for answer, act in answers]
        held = _ids(data, "have")  # texts that the page has already
        queue = [{**row, "text": None} if row["item"] in held else row for row in last.queue]
        return common | {"told": told, "queue": queue, "progress": last.progress}

    return _page("Labeling", "label", say)


def settle_page(behind: Behind, live: Live) -> gr.Blocks:
    """
    The page on which an adjudicator decides what annotators disagree on.

    Args:
        behind (`Behind`): what it talks to.
        live (`Live`): the agreement it shows.
    """
    desk = behind.store.desk

    def settle(data: Any, request: gr.Request) -> dict[str, Any]:
        """Decides an item, where one is named, and shows `now` or the next; none of `later` where there is another."""
        judge = _listed(behind.who(request), behind.roles.may_settle)
        match data:
            case {"item": _, "me": str(me)} if me != judge:  # of whoever was signed in when the key was pressed
                answer = Answer(False, f"{judge} is signed in now")
            case {"item": str(item), "label": (str() | None) as label, "event": str(event)} if UUID.fullmatch(event):
                answer = desk.settle(judge, item, label, event=event)
            case {"item": _}:
                answer = Answer(False, UNKNOWN)
            case _:
                answer = Answer()
        later, now = _ids(data, "later"), _ids(data, "now")
        waiting = desk.disputes(judge)
        # What is on the screen stays there; what was put off comes last.
        first = min(waiting, key=lambda item: (item.id in later, item.id not in now), default=None)
        with desk.state() as state:
            shown = first and _dispute(first, state)
            common = _common(behind, judge, state.about_classes())
        agreement = asdict(live())
        return common | {"told": _told(answer), "dispute": shown, "left": len(waiting), "agreement": agreement}

    return _page("Settling", "settle", settle)


def _page(title: str, name: str, function: Callable[..., Any]) -> gr.Blocks:
    html = (HERE / f"{name}.html").read_text(encoding="utf-8").replace("WARNING", WARNING)
    script = "".join((HERE / f"{part}.js").read_text(encoding="utf-8") for part in ("common", name))
    with gr.Blocks(title=title, analytics_enabled=False) as blocks:
        gr.HTML(
            html_template=html,
            js_on_load=script,
            server_functions=[function],
            apply_default_css=False,
            padding=False,
        )
    return blocks


def _listed(name: str | None, may: Callable[[str], bool]) -> str:
    """The gate has asked this before; a handler that is reached in another way asks again."""
    if name is None or not may(name):
        raise HTTPException(401, "Not authenticated")
    return name


def _done(desk: Desk, person: str, act: dict[str, Any]) -> Answer:
    if not (isinstance(event := act.get("event"), str) and UUID.fullmatch(event)):
        return replace(desk.queue(person), accepted=False, reason=UNKNOWN)
    match act:
        case {"kind": "vote", "item": str(item), "label": str(label), "seconds": int() | float() as seconds}:
            seconds = float(seconds) if 0 < seconds < 1e9 else 0.0  # JSON has numbers that are none of a clock
            return desk.vote(person, item, label, seconds=seconds, event=event)
        case {"kind": "skip", "item": str(item)}:
            return desk.skip(person, item, event=event)
        case {"kind": "flag", "item": str(item)}:
            return desk.flag(person, item, event=event)
        case {"kind": "comment", "item": str(item), "text": str(text)}:
            return desk.comment(person, item, text, event=event)
        case {"kind": "decline", "classes": list(classes)}:
            return desk.decline(person, classes)
        case {"kind": "undo", "of": str(of)}:
            return desk.undo(person, of=of, event=event)
        case {"kind": "undo"} if "of" not in act:
            return desk.undo(person, event=event)
        case _:
            return replace(desk.queue(person), accepted=False, reason=UNKNOWN)


def _list(data: Any, key: str) -> list[Any]:
    """What a page says under this key, whatever it says."""
    found = data.get(key) if isinstance(data, dict) else None
    return found if isinstance(found, list) else []


def _ids(data: Any, key: str) -> set[str]:
    return {found for found in _list(data, key) if isinstance(found, str)}


def _is_for(data: Any, **whose: str) -> bool:
    """
    Whether what a page sends is for this person and this store. It may have been opened before somebody else signed
    in, or another store was served at the same address.
    """
    said = data if isinstance(data, dict) else {}
    return all(said.get(key) in (None, value) for key, value in whose.items())


def _told(answer: Answer) -> dict[str, Any]:
    return {
        "accepted": answer.accepted,
        "reason": answer.reason,
        "item": answer.item,
        "suggestion": answer.suggestion,
    }


def _common(behind: Behind, person: str, about: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What both pages are told each time."""
    classes = behind.taxonomy.classes
    known = {c.name: {"definition": c.definition, "example": next(iter(c.examples), "")} for c in classes}
    return {
        "me": person,
        "settles": behind.roles.may_settle(person),
        "about": {name: said or known.get(name, {}) for name, said in about.items()},
        "unflushed": behind.store.unflushed(),
        "trouble": behind.store.trouble.partition(";")[0],  # the way out is that of a command
    }


def _dispute(item: Item, state: State) -> dict[str, Any]:
    """
    Without names, and in an order that says nothing of who gave which vote. The votes on a flagged text are shown once
    there are enough: else whoever looks here could still label it, and know what others said.
    """
    names = state.names[item.batch]
    votes = item.votes.values() if len(item.votes) >= state.settings.votes else ()
    return {
        "item": item.id,
        "text": item.text,
        "names": list(names),
        "votes": sorted((vote.label for vote in votes), key=names.index),
        "comments": sorted(text for _, text in item.comments),
        "flagged": bool(item.flags),
    }
