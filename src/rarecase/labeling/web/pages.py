"""
The two pages, each one `gr.HTML` with a fixed template. They talk to the server by its `server_functions`, which
answer once what was asked has happened; Gradio's queue carries nothing. Texts and names of classes are put into the
page by `textContent` alone: a template would run or lose what is written in them.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import HTTPException

from rarecase.labeling.store.agreement import Agreement
from rarecase.labeling.store.label_store import LabelStore
from rarecase.labeling.store.roles import Roles
from rarecase.labeling.store.service import LabelService
from rarecase.labeling.store.state import ClassInfo, Item, State
from rarecase.labeling.store.transaction import Answer
from rarecase.labeling.web.access import WARNING
from rarecase.labeling.web.sign_in import store_id

HERE = Path(__file__).parent
# Those of version 5 are ids of imported votes, which are no secret. Pages make version 4, and made any version before,
# while an answer can wait in a browser for long.
UUID = re.compile(r"(?!.{14}5)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MAX_ACTS = 50  # that a page may send at once; it sends fewer
MAX_AGE = 2.0  # seconds: of the agreement that is shown, however many ask
NOT_UNDERSTOOD = "this was not understood; reload the page"

Reply = dict[str, Any]  # as JSON to the page


@dataclass(frozen=True)
class PageContext:
    """What the pages work with."""

    store: LabelStore
    roles: Roles
    who: Callable[[Any], str | None]  # the name behind a request; what a page says of itself counts for nothing
    about: Mapping[str, ClassInfo]  # where a batch does not describe its classes
    moves: bool  # whether a second device signs in by a code


def label_page(context: PageContext) -> gr.Blocks:
    """The page on which texts are labelled."""
    service, store = context.store.service, store_id(context.store.service)

    def say(data: Any, request: gr.Request) -> Reply:
        """Does what somebody did, in order, and answers what is theirs next; with nothing done, how things are."""
        person = _listed(context.who(request), context.roles.may_label)
        acts = [act for act in _list(data, "acts") if isinstance(act, dict)]
        if len(acts) > MAX_ACTS:
            raise HTTPException(413, f"at most {MAX_ACTS} acts at once")
        if not _is_for(data, me=person, store=store):
            acts = []
        answers = [(_do(service, person, act), act) for act in acts]
        last = answers[-1][0] if answers else service.queue(person)
        held = _ids(data, "have")  # texts that the page has already
        reply = _common(context, person, last.about) | {
            "store": store,
            "moves": context.moves,
            "declined": last.declined,
            "told": [{"event": _event(act), **_told(answer)} for answer, act in answers],
            "queue": [{**entry, "text": None} if entry["item"] in held else entry for entry in last.queue],
            "progress": last.progress,
        }
        if not answers:
            agreed = service.agreement(MAX_AGE)
            reply["agreement"] = {"items": agreed.items, "kappa": agreed.kappa, "alpha": agreed.alpha}
        return reply

    return _page("Labeling", "label", say)


def review_page(context: PageContext) -> gr.Blocks:
    """The page on which an adjudicator decides what annotators disagree on."""
    service = context.store.service

    def settle(data: Any, request: gr.Request) -> Reply:
        """
        Decides an item or undoes a decision, where one is named, and shows `now` or the next; none of `later` where
        there is another.
        """
        reviewer = _listed(context.who(request), context.roles.may_review)
        match data:
            # Of whoever was signed in when the key was pressed.
            case {"item": _, "me": str(me)} | {"undo": _, "me": str(me)} if me != reviewer:
                answer = Answer(False, f"{reviewer} is signed in now")
            case {"item": str(item), "label": (str() | None) as label, "event": str(event)} if UUID.fullmatch(event):
                answer = service.review(reviewer, item, label, event=event)
            case {"undo": str(of), "event": str(event)} if UUID.fullmatch(event):
                answer = service.undo_review(reviewer, of=of, event=event)
            case {"item": _} | {"undo": _}:
                answer = Answer(False, NOT_UNDERSTOOD)
            case _:
                answer = Answer()
        later = {item: place for place, item in enumerate(_list(data, "later"), 1) if isinstance(item, str)}
        now = _ids(data, "now")
        waiting = service.to_review(reviewer)
        # What was undone is shown; else what is on the screen stays there; what was put off comes last, in that order.
        first = min(
            waiting,
            key=lambda item: (item.id != answer.item, later.get(item.id, 0), item.id not in now),
            default=None,
        )
        with service.state() as state:
            shown = first and _to_review(first, state)
            common = _common(context, reviewer, state.about_classes())
        agreement = _of_used_classes(service.agreement(MAX_AGE))
        return common | {"told": _told(answer), "dispute": shown, "left": len(waiting), "agreement": agreement}

    return _page("Review", "settle", settle)


def _page(title: str, name: str, function: Callable[..., Reply]) -> gr.Blocks:
    html, classes = ((HERE / f"{part}.html").read_text(encoding="utf-8") for part in (name, "classes"))
    html = html.replace("WARNING", WARNING).replace("CLASSES", classes)
    script = "".join((HERE / f"{part}.js").read_text(encoding="utf-8") for part in ("common", name))
    with gr.Blocks(title=title, analytics_enabled=False) as blocks:
        gr.HTML(
            html_template=html, js_on_load=script, server_functions=[function], apply_default_css=False, padding=False
        )
    blocks.blocks = _Components(blocks.blocks)
    return blocks


class _Components(dict[int, Any]):
    """The components of a page; Gradio looks up whatever number a request names."""

    def __missing__(self, number: int) -> Any:
        raise HTTPException(404, "no such component")


def _listed(name: str | None, may: Callable[[str], bool]) -> str:
    """The middleware has checked this before; a handler that is reached in another way checks again."""
    if name is None or not may(name):
        raise HTTPException(401, "Not authenticated")
    return name


def _event(act: Mapping[str, Any]) -> str | None:
    """The id of an act; None of one that is no id, which JSON may not be able to say again."""
    event = act.get("event")
    return event if isinstance(event, str) and UUID.fullmatch(event) else None


def _do(service: LabelService, person: str, act: Mapping[str, Any]) -> Answer:
    if event := _event(act):
        match act:
            case {"kind": "vote", "item": str(item), "label": str(label), "seconds": int() | float() as seconds}:
                seconds = float(seconds) if 0 < seconds < 1e9 else 0.0  # JSON has numbers that are none of a clock
                return service.vote(person, item, label, seconds=seconds, event=event)
            case {"kind": "skip", "item": str(item)}:
                return service.skip(person, item, event=event)
            case {"kind": "flag", "item": str(item)}:
                return service.flag(person, item, event=event)
            case {"kind": "comment", "item": str(item), "text": str(text)}:
                return service.comment(person, item, text, event=event)
            case {"kind": "decline", "classes": list(classes)}:
                return service.decline(person, classes)
            case {"kind": "undo", "of": str(of)}:
                return service.undo(person, of=of, event=event)
            case {"kind": "undo"} if "of" not in act:
                return service.undo(person, event=event)
    return replace(service.queue(person), accepted=False, reason=NOT_UNDERSTOOD)


def _list(data: Any, key: str) -> list[Any]:
    """What a page sends under this key, whatever it sends."""
    found = data.get(key) if isinstance(data, dict) else None
    return found if isinstance(found, list) else []


def _ids(data: Any, key: str) -> set[str]:
    return {found for found in _list(data, key) if isinstance(found, str)}


def _is_for(data: Any, **whose: str) -> bool:
    """
    Whether what a page sends is for this person and this store. It may have been opened before somebody else signed
    in, or another store was served at the same address.
    """
    return not isinstance(data, dict) or all(data.get(key) in (None, value) for key, value in whose.items())


def _told(answer: Answer) -> Reply:
    return {name: getattr(answer, name) for name in ("accepted", "reason", "suggestion")}


def _common(context: PageContext, person: str, about: Mapping[str, ClassInfo]) -> Reply:
    """What both pages are sent each time."""
    return {
        "me": person,
        "settles": context.roles.may_review(person),
        "about": {name: info or context.about.get(name, {}) for name, info in about.items()},
        "unflushed": context.store.unflushed(),
        "trouble": context.store.trouble.partition(";")[0],  # the way out is that of a command
    }


def _of_used_classes(found: Agreement) -> Reply:
    """The agreement without classes that no pair of votes is about, and without zeros: of 151 classes most are."""
    counts = {one: {other: n for other, n in row.items() if n} for one, row in found.confusion.items()}
    used = {name: row for name, row in counts.items() if row}
    return asdict(found) | {"confusion": used, "per_class": {name: found.per_class[name] for name in used}}


def _to_review(item: Item, state: State) -> Reply:
    """
    Without names, and in an order that does not tell who gave which vote. The votes on a flagged text are shown once
    there are enough: else whoever looks here could still label it, and know the votes of others.
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
