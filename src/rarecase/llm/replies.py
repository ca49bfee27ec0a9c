"""
Every reply of a language model, stored before it is parsed, so that none is paid for twice.

The store is one SQLite file with a rollback journal (`journal_mode=DELETE`) and `synchronous=FULL`. A commit is on the
disk when it returns, and a kill in the middle of one is undone by the next reader. The rollback journal costs about a
millisecond more a commit than a write-ahead log would, which is nothing beside a reply; in return the file is whole
between two commits (a run folder can be copied) and works on a network disk, where a write-ahead log does not.
"""

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from rarecase.core.errors import DataError, database_reason
from rarecase.core.files import disk_full, is_disk_full

TABLES = (
    "replies (request TEXT PRIMARY KEY, address TEXT NOT NULL, reply TEXT NOT NULL)",
    "ledger (entry INTEGER PRIMARY KEY, request TEXT NOT NULL, prompt INTEGER NOT NULL, completion INTEGER NOT NULL, "
    "cost REAL, answered INTEGER NOT NULL)",  # see `rarecase.llm.ledger`
)
NO_REPLY = "no-reply"  # the type of an error that we have stored, and no server


Change = tuple[str, tuple[str | int | float | None, ...]]  # a statement and its values


class Request(TypedDict):
    """The body of a chat completion request."""

    model: str
    messages: list[dict[str, str]]
    temperature: float
    seed: int
    max_tokens: int
    logprobs: NotRequired[bool]
    top_logprobs: NotRequired[int]
    response_format: NotRequired[dict[str, object]]


def request_key(request: Request) -> str:
    """The blake2b hash, 32 hexadecimal digits, of the whole request as canonical JSON (sorted keys, no spaces)."""
    canonical = json.dumps(request, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()


def text_of(reply: str) -> str:
    """The model's text in a reply, empty where it declined to write; a `ValueError` says what it lacks, no more."""
    try:
        written = json.loads(reply)["choices"][0]["message"].get("content")
    except ValueError:  # also of a number of too many digits
        raise ValueError("is not JSON") from None
    except (KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise ValueError("has no choices") from None
    if written is not None and not isinstance(written, str):
        raise ValueError("has no text")
    return written or ""


def reply_stored(request: Request, address: str, reply: str) -> Change:
    """The change of the store for the unparsed body of a reply from `address`."""
    return "INSERT OR REPLACE INTO replies VALUES (?, ?, ?)", (request_key(request), address, reply)


def no_reply_because(reason: str) -> str:
    """What is stored for a request that was given up; it has no choice, so the request counts as missing."""
    return json.dumps({"error": {"type": NO_REPLY, "message": reason}})


class Replies:
    """
    The store of replies: one file, shared by all cells of a grid that run in one process.

    The key is the whole request and not the address: a server that has moved is not asked again. The file is made with
    the first reply, so a folder stays as it is where no reply ever comes.

    Example:
        >>> replies = Replies("replies.sqlite")
        >>> request = {"model": "small", "messages": [], "temperature": 0.4, "seed": 0, "max_tokens": 200}
        >>> replies.put(request, "http://127.0.0.1:8080/v1", '{"choices": [{"message": {"content": "…"}}]}')
        >>> replies.missing([request])
        []
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def get(self, request: Request) -> str | None:
        """The stored reply to a request, as it came from whatever address; None where there is none."""
        found = self.read("SELECT reply FROM replies WHERE request = ?", request_key(request))
        return found[0][0] if found else None

    def put(self, request: Request, address: str, reply: str) -> None:
        """Stores the unparsed body of a reply; on the disk when this returns, or a `DiskFullError`."""
        self.write([reply_stored(request, address, reply)])

    def write(self, changes: Sequence[Change]) -> None:
        """Makes several changes at once, all or none; may be called by any thread."""
        if changes:
            self._execute(*changes)

    def read(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        """The rows that a statement finds; none where nothing was stored yet."""
        if self._connection is None and not self.path.exists():
            return []
        return self._execute((statement, values))

    def missing(self, requests: Iterable[Request]) -> list[Request]:
        """The requests, each once and in order, to which no reply with a choice is stored."""
        return [request for request in {request_key(r): r for r in requests}.values() if self.text(request) is None]

    def text(self, request: Request) -> str | None:
        """What the model wrote in its stored reply; None where there is no reply or it holds no choice."""
        reply = self.get(request)
        try:
            return None if reply is None else text_of(reply)
        except ValueError:  # a server that was not what it should be has answered; it may be by now
            return None

    def reason(self, request: Request) -> str | None:
        """Why there is no reply to a request that was asked; None where there is one, or it was never given up."""
        reply = self.get(request)
        try:
            error = json.loads(reply or "{}")["error"]
            return str(error["message"]) if error["type"] == NO_REPLY else None
        except (ValueError, LookupError, TypeError):
            return None

    def close(self) -> None:
        """Closes the file; the next call opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _execute(self, *changes: Change) -> list[tuple[Any, ...]]:
        """The rows that a statement finds; several are one transaction, of which nothing is read."""
        try:
            with self._lock:
                if self._connection is None:
                    self._connection = self._open()
                if len(changes) == 1:
                    return self._connection.execute(*changes[0]).fetchall()
                self._connection.execute("BEGIN IMMEDIATE")
                with self._connection:  # which commits, or rolls back
                    for change in changes:
                        self._connection.execute(*change)
                return []
        except (sqlite3.Error, OSError) as error:
            if is_disk_full(error):
                raise disk_full(self.path, "; the replies so far are kept") from None
            raise DataError(
                f"{self.path}: cannot be used as the store of replies ({database_reason(error)}); move it away to "
                "start a new one"
            ) from None

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Autocommit makes each statement a transaction of its own; SQLite is built to be called from any thread.
        connection = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = FULL")
        for table in TABLES:
            connection.execute(f"CREATE TABLE IF NOT EXISTS {table}")
        return connection
