"""
The label service: who gets which text, and which votes count. Every call that writes is a transaction of the event
log: a killed server loses nothing that was answered, and two servers at one store do not get in each other's way.
"""

import hashlib
import math
import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Literal

from rarecase.labeling.store import device_codes
from rarecase.labeling.store.agreement import Agreement, agreement
from rarecase.labeling.store.consensus import Decisions
from rarecase.labeling.store.device_codes import hashed
from rarecase.labeling.store.events import EventLog
from rarecase.labeling.store.kinds import Event
from rarecase.labeling.store.limit import PerMinute
from rarecase.labeling.store.names import alike
from rarecase.labeling.store.settings import Settings
from rarecase.labeling.store.state import ClassInfo, Decision, Item, Row, State
from rarecase.labeling.store.transaction import NOT_YOURS, Answer, GroupCommit, Transaction

MAX_COMMENT = 2_000  # characters
COMMENTS = 30  # a minute of a person: nobody who reads a text types as many
MOST_BROWSERS = 5  # that somebody is signed in with at once
NO_CLASS = "there is no such class"
IMPORTED = "import"  # as the browser of a name that came with imported votes; no hash of a secret is this


class LabelService:
    """
    Where people ask for texts and hand in labels.

    Example:
        >>> service = LabelService(EventLog("labels.sqlite"))
        >>> service.add("4f1c", ["harmful", "not-harmful"], [Row("p1", "…")])
        1
        >>> service.start(Settings(votes=1))
        >>> item = service.queue("ann").queue[0]["item"]
        >>> service.vote("ann", item, "harmful", seconds=3.0).accepted
        True
        >>> service.decisions("4f1c")[0].label
        'harmful'
    """

    def __init__(self, log: EventLog):
        self.log = log
        self._commits = GroupCommit(log, on_rollback=self._reset)
        self._reset()
        # Whoever only reads has a state of their own, of what is committed: no transaction has to end for them.
        self._read = Decisions(State())
        self._reading = threading.RLock()
        self._read_at = 0.0
        self._comments = PerMinute(COMMENTS)
        self._computing = threading.Lock()
        self._agreement, self._agreement_of, self._agreement_at = agreement([], []), 0, -math.inf

    def _reset(self) -> None:
        """The state may hold what was never committed."""
        self._decisions = Decisions(State())

    @contextmanager
    def state(self) -> Iterator[State]:
        """Everything that is in the log now, to be read while the block lasts; no transaction waits for it."""
        asked = time.monotonic()
        with self._reading:
            state = self._read.state
            if self._read_at <= asked:  # else another thread has read the log while this one waited
                begun = time.monotonic()
                state.apply(self.log.since(state.seq))
                self._read_at = begun
            yield state

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Locks the log, and commits what was appended when the block ends."""
        with self._commits.writer() as writer:
            state = self._decisions.state
            yield Transaction(writer, state.apply(writer.since(state.seq)), self._decisions)

    # What the loop does.

    def add(
        self,
        batch: str,
        names: Sequence[str],
        rows: Sequence[Row],
        use: Literal["work", "qualify", "calibrate"] = "work",
        about: Mapping[str, ClassInfo] | None = None,
    ) -> int:
        """Puts texts of these classes into the store, as a batch, unless they are there already; how many are new."""
        with self.transaction() as transaction:
            events = []
            if batch not in transaction.state.names:
                events.append(Event("batch", data={"batch": batch, "names": list(names), "about": dict(about or {})}))
            for row in rows:
                text, cleaned = clean(row.text)
                data = {name: value for name, value in asdict(row).items() if value is not None}
                data |= {"batch": batch, "use": use, "text": text, "cleaned": cleaned}
                events.append(Event("item", item_id(batch, row.row), data=data))
            new = [event for event in events if event.item not in transaction.state.items]
            transaction.extend(new)
            return sum(event.kind == "item" for event in new)

    def take(self, batch: str) -> list[tuple[Item, Decision]] | None:
        """The labels of a batch in the order it was asked, once all are decided; nothing changes them afterwards."""
        with self.state() as state:  # so that whoever waits for people locks nothing
            if len(self._read.of(batch)) < max(len(state.of_batch(batch)), 1):
                return None
        with self.transaction() as transaction:
            items, found = transaction.state.of_batch(batch), transaction.decisions.of(batch)
            if len(found) < len(items):
                return None
            if batch not in transaction.state.taken:
                transaction.append("taken", batch=batch, decisions=dict(found))
            return [(item, found[item.id]) for item in items]

    def withdraw(self, batch: str) -> bool:
        """Has nobody asked for a batch any more; False, and all stays, where somebody has labelled some of it."""
        with self.transaction() as transaction:
            items = transaction.state.of_batch(batch)
            if any(item.votes or item.flags or item.verdict for item in items):
                return False
            if items and batch not in transaction.state.taken:
                transaction.append("taken", batch=batch, decisions={})
            return True

    def decisions(self, batch: str) -> list[Decision]:
        """What is decided of a batch so far, in the order it was asked."""
        with self.state() as state:
            found = self._read.of(batch)
            return [found[item.id] for item in state.of_batch(batch) if item.id in found]

    def in_review(self, batch: str) -> int:
        """How many texts of a batch wait for a reviewer."""
        with self.state() as state:
            return sum(self._read.needs_review(item) for item in state.of_batch(batch))

    # What the server does.

    def start(self, settings: Settings) -> None:
        """Labels by these settings from now on, and reads all that has happened, so that nobody waits for it."""
        with self.transaction() as transaction:
            if settings != transaction.state.settings:
                transaction.append("settings", **asdict(settings))
        with self.state():
            pass

    def bind(self, name: str, browser: str, proof: str | None = None, *, code: str = "") -> str | None:
        """
        Signs a browser in by a hash of its secret, and says why it cannot be; None where it is. The other browsers of
        the name stay signed in. The name is free, or shown to be theirs by the browser, by `proof` (a hash of its
        secret until now) or by the `code` that another one shows.
        """
        wanted = code and self._kept_code(code, name)
        with self.transaction() as transaction:
            person, now = transaction.state.person(name), transaction.writer.now
            if code:
                offered, until = person.device_code or ("", 0.0)
                if wanted != offered or not now < until <= now + device_codes.LASTS:
                    return "has no such code, or not any more: let the other device show a new one"
            elif person.browsers == (IMPORTED,):
                return "has votes that were imported: choose another name, or have it released (rarecase label forget)"
            elif person.browsers and not {proof, browser} & {*person.browsers}:
                return "has signed in with another browser: enter a code that it shows, or choose another name"
            elif name not in transaction.state.people and alike([name], transaction.state.people):
                return "looks like the name of somebody else here: choose another name"
            if browser not in person.browsers:
                others = [other for other in person.browsers if other != proof]
                transaction.append("bind", None, name, browser=browser, others=others[: MOST_BROWSERS - 1])
            return None

    def _kept_code(self, code: str, name: str) -> str:
        """What is kept of a code: it takes its time, so before the log is locked, and of a name that waits for one."""
        with self.state() as state:
            is_offered = state.person(name).device_code is not None
        return device_codes.kept(code, name) if is_offered else ""

    def bind_alone(self, name: str, browser: str) -> None:
        """Signs a browser in as somebody who has shown their own code, and all others out."""
        with self.transaction() as transaction:
            transaction.append("bind", None, name, browser=browser)

    def unbind(self, name: str, browser: str) -> None:
        """Signs a browser out for good; the name stays claimed, if by none that exists."""
        with self.transaction() as transaction:
            signed_in = transaction.state.person(name).browsers
            if browser not in signed_in:  # the name was released meanwhile
                return
            others = [other for other in signed_in if other != browser]
            first, *rest = others or [hashed(secrets.token_urlsafe(32))]
            transaction.append("bind", None, name, browser=first, others=rest)

    def browsers_of(self, name: str) -> tuple[str, ...]:
        """The browsers that are signed in by a name, see `bind`; none where it is free."""
        with self.state() as state:
            return state.person(name).browsers

    def device_code(self, name: str) -> str:
        """A code by which one more browser can sign in as somebody, once and soon; only the last one works."""
        code = device_codes.new_code()
        kept = device_codes.kept(code, name)
        with self.transaction() as transaction:
            until = transaction.writer.now + device_codes.LASTS
            transaction.append("device_code", None, name, hash=kept, until=until)
        return code

    def give_codes(self, names: Iterable[str], *, anew: bool = False) -> dict[str, str]:
        """A code to sign in with for each of these people who has none, or anew for all; hashes alone are kept."""
        with self.transaction() as transaction:
            wanted = [name for name in names if anew or transaction.state.person(name).code is None]
            codes = {name: secrets.token_urlsafe(16) for name in wanted}
            transaction.extend(Event("code", None, name, {"hash": hashed(code)}) for name, code in codes.items())
            return codes

    def person_of(self, code: str) -> str | None:
        """Whose code this is; None where it is nobody's."""
        with self.state() as state:
            return next((person.name for person in state.people.values() if person.code == hashed(code)), None)

    def forget(self, name: str) -> bool:
        """Releases a name so that another browser can claim it; False where it was free."""
        with self.transaction() as transaction:
            if not transaction.state.person(name).browsers:
                return False
            transaction.append("forget", None, name)
            return True

    def agreement(self, max_age: float = 0.0) -> Agreement:
        """How far people agree on all that was ever to be labelled here; as of so many seconds ago at most."""
        with self._computing:
            if time.monotonic() - self._agreement_at < max_age:
                return self._agreement
            with self.state() as state:
                # Of one that was withdrawn the classes are not asked for any more; a vote may have come too late.
                items = [i for i in state.items.values() if i.use == "work" and not state.is_withdrawn(i.batch)]
                votes = [{vote.person: vote.label for vote in item.votes.values()} for item in items]
                seq, names = state.seq, state.classes()
            if seq != self._agreement_of:
                self._agreement = agreement(votes, names)
            self._agreement_of, self._agreement_at = seq, time.monotonic()
            return self._agreement

    # What people do.

    def queue(self, person: str) -> Answer:
        """The next items of this person, which are reserved for them; a page asks this by itself."""
        with self.transaction() as transaction:
            return transaction.answer(person, idle=True)

    def vote(self, person: str, item: str, label: str, *, seconds: float = 0.0, event: str = "") -> Answer:
        """
        Labels an item that was reserved for this person, whom the server knows and the page does not name; the vote is
        in the log once this returns, and is still one where its id (`event`) is sent again.
        """
        with self.transaction() as transaction:
            state, now = transaction.state, transaction.writer.now
            refusal = transaction.refusal(event, "vote", person, item, label=label)
            if refusal is None:
                found = state.items[item]
                if label not in state.names[found.batch]:
                    refusal = NO_CLASS
                elif found.known is None and not found.has_room(state.settings.votes, now, person):
                    refusal = "your reservation expired, and others have labelled this text"
                else:
                    # It cannot have been on the screen for longer than since it was reserved.
                    limit = now - found.first_reserved.get(person, now - state.settings.lease)
                    seconds = round(max(0.0, min(seconds, limit)), 2)
                    seen = item in state.person(person).shown
                    transaction.append("vote", item, person, event, label=label, seconds=seconds, seen=seen)
            suggestion = None if refusal else state.items[item].suggestion
            return transaction.answer(person, refusal, item=item, suggestion=suggestion)

    def skip(self, person: str, item: str, *, event: str = "") -> Answer:
        """Moves an item to the end of the person's own queue."""
        return self._mark("skip", person, item, event)

    def flag(self, person: str, item: str, *, event: str = "") -> Answer:
        """Marks a text as wrong in some way: an adjudicator decides, and may leave it out."""
        return self._mark("flag", person, item, event)

    def _mark(self, kind: Literal["skip", "flag"], person: str, item: str, event: str) -> Answer:
        with self.transaction() as transaction:
            refusal = transaction.refusal(event, kind, person, item)
            if refusal is None:
                transaction.append(kind, item, person, event)
            return transaction.answer(person, refusal, item=item)

    def comment(self, person: str, item: str, text: str, *, event: str = "") -> Answer:
        """Writes to the adjudicator about an item, which stays where it is."""
        with self.transaction() as transaction:
            found = transaction.state.items.get(item)
            refusal = transaction.refusal_of_repeat(event, "comment", person, item)
            if refusal is None and (found is None or not transaction.is_reserved(found, person)):
                refusal = NOT_YOURS
            if refusal is None and not self._comments.allows(person):
                refusal = "that is too many comments: wait a minute"
            if refusal is None:
                text, cleaned = clean(text[:MAX_COMMENT])
                transaction.append("comment", item, person, event, text=text, cleaned=cleaned)
            return transaction.answer(person, refusal, item=item)

    def decline(self, person: str, classes: Sequence[str]) -> Answer:
        """Sets the classes the person would rather not see: what a model takes for one of them goes to others."""
        with self.transaction() as transaction:
            known = [name for name in transaction.state.classes() if name in classes]
            transaction.append("decline", None, person, classes=known)
            return transaction.answer(person)

    def undo(self, person: str, *, of: str = "", event: str = "") -> Answer:
        """Undoes the last vote, skip or flag of this person, unless another is meant (`of`); again, the one before."""
        with self.transaction() as transaction:
            acts = [(id_, item) for _, id_, item in transaction.state.person(person).acts]
            refusal, item = _undo(transaction, person, acts, of, event)
            return transaction.answer(person, refusal, item=item)

    # What adjudicators do.

    def to_review(self, reviewer: str) -> list[Item]:
        """The items that are flagged or whose votes differ, without those that the reviewer has voted on."""
        with self.state() as state:
            return [item for item in state.work() if self._read.needs_review(item) and reviewer not in item.votes]

    def review(self, reviewer: str, item: str, label: str | None, *, event: str = "") -> Answer:
        """Decides one of the items of `to_review`; None leaves it out."""
        with self.transaction() as transaction:
            found = transaction.state.items.get(item)
            refusal = transaction.refusal_of_repeat(event, "settle", reviewer, item, label=label)
            if refusal is None:
                if found is None or not transaction.decisions.needs_review(found) or reviewer in found.votes:
                    refusal = "this text does not wait for your review"
                elif label is not None and label not in transaction.state.names[found.batch]:
                    refusal = NO_CLASS
                else:
                    transaction.append("settle", item, reviewer, event, label=label)
            return Answer(not refusal, refusal or "", item)

    def undo_review(self, reviewer: str, *, of: str = "", event: str = "") -> Answer:
        """Undoes the last review of this reviewer, unless another is meant (`of`): its item waits for one again."""
        with self.transaction() as transaction:
            refusal, item = _undo(transaction, reviewer, transaction.state.person(reviewer).verdicts, of, event)
            return Answer(not refusal, refusal or "", item)


def _undo(
    transaction: Transaction, person: str, acts: Sequence[tuple[str, str]], of: str, event: str
) -> tuple[str | None, str | None]:
    """Undoes the last of these acts (event, item); its refusal, as that of `Transaction.refusal`, and the item."""
    meant = {"event": of} if of else {}
    refusal = transaction.refusal_of_repeat(event, "undo", person, **meant)
    if refusal is not None:
        found = None if refusal else transaction.writer.find(event)
        return refusal, found.item if found else None
    if not acts:
        return "there is nothing to undo", None
    last, item = acts[-1]
    if of not in ("", last):
        return "the answer that you want to undo was not counted, or is not your last one", None
    refusal = _refusal_to_undo(transaction.state, person, transaction.state.items[item], last)
    if refusal is None:
        transaction.append("undo", item, person, event, event=last)
    return refusal, item


def _refusal_to_undo(state: State, person: str, item: Item, event: str) -> str | None:
    if item.batch in state.taken or (item.verdict and item.verdict.event != event):
        return "your last label is in use already"
    if item.use == "qualify" and all(person in {*c.votes, *c.flags} for c in state.checks("qualify")):
        return "the qualification round is over"
    return None


def item_id(batch: str, row: str) -> str:
    """The id of an item in the store: it tells nothing of the row's own, which may be a post."""
    return hashlib.blake2b(f"{batch}\0{row}".encode(errors="surrogatepass"), digest_size=8).hexdigest()


def clean(text: str) -> tuple[str, dict[str, int]]:
    """A text as it can be stored and sent, and how many NULs were removed and lone surrogates replaced."""
    found = {"nul": text.count("\0"), "surrogates": sum("\ud800" <= sign <= "\udfff" for sign in text)}
    if not any(found.values()):
        return text, {}
    kept = "".join("�" if "\ud800" <= sign <= "\udfff" else sign for sign in text if sign != "\0")
    return kept, {name: count for name, count in found.items() if count}
