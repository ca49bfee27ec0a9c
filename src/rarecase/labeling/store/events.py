"""
The event log of a label store: one table, one row an event, only appended to.

A writer holds the log exclusively, so that what an event was decided on cannot change before it is written, and the
order of the rows is the order of the events. An event has happened once it is committed: SQLite with
`synchronous=FULL`, PostgreSQL by default. Each has an id of its own, so that an event that is sent twice, by a double
click or after a lost connection, is stored once.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from rarecase.core.errors import ConfigError, DataError, DiskFullError, database_reason
from rarecase.core.files import is_disk_full
from rarecase.core.installed import needs
from rarecase.labeling.store.address import database_url, without_password
from rarecase.labeling.store.kinds import FIELDS, Event, damaged

_EVENTS = sa.Table(
    "events",
    sa.MetaData(),
    sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(36), nullable=False, unique=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("item", sa.String(64)),
    sa.Column("person", sa.String(128)),
    sa.Column("data", sa.Text, nullable=False),
)
# A file of SQLite may be somebody else's, and the rows of a view, or what a trigger does, may have no end.
_STRANGE = "SELECT 1 FROM sqlite_master WHERE lower(tbl_name) = 'events' AND type IN ('view', 'trigger')"
_LOCK = 0x7261_7265  # "rare": the advisory lock of the writer in PostgreSQL
LONGEST = 16 << 20  # bytes of an event: many times those of the longest text
TIMEOUT = 30_000  # milliseconds to wait for the log, and that PostgreSQL waits for a writer that is silent
_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class EventLog:
    """The event log in a database at an address (see `database_url`); a `ConfigError` where none can be opened."""

    def __init__(self, address: str, *, clock: Callable[[], float] = time.time):
        self.url = database_url(address)
        self.clock = clock
        shown = f"--store {without_password(address)}"
        try:
            with needs("app", f"{shown}:"):
                self._engine = _engine(self.url)
            with self._engine.begin() as connection:
                self._lock(connection)
                if self._engine.dialect.name == "sqlite" and connection.exec_driver_sql(_STRANGE).first():
                    raise ConfigError(f"{shown}: its `events` is a view or has a trigger; expected a label store")
                _EVENTS.metadata.create_all(connection)
        except (SQLAlchemyError, ValueError, TypeError) as error:  # the last two of a driver's options
            raise ConfigError(f"{shown}: {_reason(error)}; expected a file or postgresql://…") from None

    @contextmanager
    def exclusive(self) -> Iterator["EventWriter"]:
        """Locks the log; what is appended is committed when the block ends, and nothing of it where it raises."""
        with self._one_line_errors(), self._engine.begin() as connection:
            self._lock(connection)
            yield EventWriter(connection, self.clock())

    def since(self, seq: int) -> list[Event]:
        """The events after this position, in order."""
        with self._one_line_errors():
            with self._engine.connect() as connection:
                rows = _rows(connection, seq)
            return _events(rows)  # what takes long, when the log is free again

    def close(self) -> None:
        """Closes the connections."""
        self._engine.dispose()

    def _lock(self, connection: sa.Connection) -> None:
        if self._engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))

    @contextmanager
    def _one_line_errors(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            shown = f"label store {without_password(self.url)}"
            if error.orig is not None and is_disk_full(error.orig):
                raise DiskFullError(f"{shown}: no space left on the disk; free some") from None
            raise DataError(f"{shown}: {_reason(error)}; repeat the command") from None


class EventWriter:
    """Reads and appends while the log is locked."""

    def __init__(self, connection: sa.Connection, now: float):
        self._connection = connection
        self.now = now

    def since(self, seq: int) -> list[Event]:
        """The events after this position, in order."""
        return _events(_rows(self._connection, seq))

    def find(self, id_: str) -> Event | None:
        """The event with this id, where it has happened already."""
        found = _events(self._connection.execute(sa.select(_EVENTS).where(_EVENTS.c.id == id_)).all())
        return found[0] if found else None

    def append(self, events: Iterable[Event]) -> list[Event]:
        """The events as stored, with time and position, without those that were stored before."""
        by_id = {event.id: replace(event, at=event.at or self.now) for event in events}
        if not by_id:
            return []
        values = [{**{c: getattr(e, c) for c in FIELDS}, "data": json.dumps(e.data)} for e in by_id.values()]
        insert = _INSERT[self._connection.dialect.name](_EVENTS).on_conflict_do_nothing(index_elements=["id"])
        placed = self._connection.execute(insert.returning(_EVENTS.c.seq, _EVENTS.c.id), values)
        return [replace(by_id[id_], seq=seq) for seq, id_ in sorted(placed.tuples())]


def _engine(url: str) -> sa.Engine:
    backend = sa.make_url(url).get_backend_name()
    if backend not in _INSERT:
        raise ArgumentError(backend)
    if backend == "postgresql":
        # The lock of a machine that is lost while it writes ends, and the others do not wait for ever.
        waits = f"-c lock_timeout={TIMEOUT} -c idle_in_transaction_session_timeout={TIMEOUT}"
        return sa.create_engine(
            url, isolation_level="READ COMMITTED", pool_pre_ping=True, connect_args={"options": waits}
        )
    engine = sa.create_engine(url)
    sa.event.listen(engine, "connect", _configure_sqlite)
    return engine


def _configure_sqlite(connection: Any, _: Any) -> None:
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
    connection.isolation_level = None  # else the driver begins transactions of its own, and too late
    # DELETE works on every file system, also on the volume of a Space; WAL needs memory shared between its readers.
    for pragma in (f"busy_timeout={TIMEOUT}", "journal_mode=DELETE", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}").close()


def _rows(connection: sa.Connection, seq: int) -> Sequence[sa.Row]:
    return connection.execute(sa.select(_EVENTS).where(_EVENTS.c.seq > seq).order_by(_EVENTS.c.seq)).all()


def _events(rows: Iterable[sa.Row]) -> list[Event]:
    return list(map(_event, rows))


def _event(row: sa.Row) -> Event:
    try:
        return Event(**{**row._mapping, "data": json.loads(row.data)})
    except (ValueError, TypeError, RecursionError):
        raise damaged(row.seq) from None


def _reason(error: Exception) -> str:
    """The first line of what the driver reports; of statements and values, which contain texts, nothing."""
    if not isinstance(error, DBAPIError):
        return "no address of a database"  # SQLAlchemy's own message may contain the address, and with it a password
    return database_reason(error.orig) or type(error.orig).__name__
