"""
What happened, in order, and never changed: the log behind the labeling page.

One table, one row an event. Whoever appends holds the log alone (`turn`), so that what an event is decided on cannot
change before it is written, and the order of the rows is the order in which things happened. An event has happened
once its turn has been committed: SQLite with `synchronous=FULL`, PostgreSQL as it comes. Each has an id of its own, so
that the same event sent twice, by a nervous click or after a lost connection, is there once.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError

from rarecase.core.errors import ConfigError, DataError, DiskFullError
from rarecase.core.files import is_disk_full
from rarecase.labeling.store import file_of

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
_LOCK = 0x7261_7265  # "rare": the advisory lock that a turn holds in PostgreSQL
PATIENCE = 30_000  # milliseconds to wait for the log, and that PostgreSQL waits for whoever holds it and is silent
_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@dataclass(frozen=True)
class Event:
    """
    Something that happened.

    Args:
        kind (`str`): what, see `rarecase.labeling.store.state`.
        item (`str`, *optional*): to which item.
        person (`str`, *optional*): who did it, by the name they signed in with.
        data (`dict`): the rest, as JSON can hold it.
        at (`float`): when, in seconds since 1970.
        id (`str`): its own, given by whoever caused it.
        seq (`int`): its place in this log, given by the log.
    """

    kind: str
    item: str | None = None
    person: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    at: float = 0.0
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    seq: int = 0


class Log:
    """
    The log in a database.

    Args:
        url (`str`): `sqlite:///FILE`, `postgresql://…`, the path of a file, or a folder whose `labels.sqlite` is
            meant.
        clock (`Callable`): the time of day, for tests.

    Raises:
        `ConfigError`: where nothing can be opened there.

    Example:
        >>> log = Log("run/labels.sqlite")
        >>> with log.turn() as turn:
        ...     turn.append(Event("vote", item="3f2a", person="ann", data={"label": "legal-advice"}))
        >>> [event.kind for event in log.since(0)]
        ['vote']
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time):
        self.url = database(url)
        self.clock = clock
        try:
            self._engine = _engine(self.url)
            with self._engine.begin() as connection:
                self._alone(connection)
                _EVENTS.metadata.create_all(connection)
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"--store {shown(url)}: needs {error.name}, which is not installed; pip install 'rarecase[app]'"
            ) from None
        except (ArgumentError, DBAPIError) as error:
            raise ConfigError(f"--store {shown(url)}: {_reason(error)}; expected a file or postgresql://…") from None

    @contextmanager
    def turn(self) -> Iterator["Turn"]:
        """
        Holds the log alone; what is appended has happened when the block ends, or nothing of it where it raises.

        Raises:
            `DataError`: where the database fails.
            `DiskFullError`: where it has no space left.
        """
        with self._failing(), self._engine.begin() as connection:
            self._alone(connection)
            yield Turn(connection, self.clock())

    def since(self, seq: int) -> list[Event]:
        """The events after this place, in order."""
        with self._failing():
            with self._engine.connect() as connection:
                rows = _rows(connection, seq)
            return _events(rows)  # what takes long, when the log is free again

    def close(self) -> None:
        """Gives the connections back."""
        self._engine.dispose()

    def _alone(self, connection: sa.Connection) -> None:
        if self._engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if error.orig is not None and is_disk_full(error.orig):
                raise DiskFullError(f"label store {shown(self.url)}: no space left on the disk; free some") from None
            raise DataError(f"label store {shown(self.url)}: {_reason(error)}; repeat the command") from None


class Turn:
    """What can be done while a log is held: read what is new, and append."""

    def __init__(self, connection: sa.Connection, now: float):
        self._connection = connection
        self.now = now

    def since(self, seq: int) -> list[Event]:
        """The events after this place, in order."""
        return _events(_rows(self._connection, seq))

    def find(self, id_: str) -> Event | None:
        """The event with this id, where it has happened already."""
        found = _events(self._connection.execute(sa.select(_EVENTS).where(_EVENTS.c.id == id_)).all())
        return found[0] if found else None

    def append(self, event: Event) -> Event | None:
        """The event as it stands in the log, with time and place; None where it stood there already."""
        return next(iter(self.extend([event])), None)

    def extend(self, events: Iterable[Event]) -> list[Event]:
        """The events as they stand in the log, with time and place, but for those that stood there already."""
        by_id = {event.id: replace(event, at=event.at or self.now) for event in events}
        if not by_id:
            return []
        columns = ("id", "kind", "at", "item", "person")
        values = [{**{c: getattr(e, c) for c in columns}, "data": json.dumps(e.data)} for e in by_id.values()]
        insert = _INSERT[self._connection.dialect.name](_EVENTS).on_conflict_do_nothing(index_elements=["id"])
        placed = self._connection.execute(insert.returning(_EVENTS.c.seq, _EVENTS.c.id), values)
        return [replace(by_id[id_], seq=seq) for seq, id_ in sorted(placed.tuples())]


def database(url: str) -> str:
    """
    The address as SQLAlchemy takes it.

    Example:
        >>> database("postgresql://label@db/rarecase")
        'postgresql+psycopg://label@db/rarecase'
    """
    scheme, found, rest = url.partition("://")
    if not found:
        return f"sqlite:///{file_of(url)}"
    return f"postgresql+psycopg://{rest}" if scheme in ("postgres", "postgresql") else url


def shown(url: str) -> str:
    """The address without the password that may stand in it."""
    if "://" not in url:
        return url
    try:
        return sa.make_url(url).render_as_string(hide_password=True).partition("?")[0]
    except ArgumentError:
        return url.partition("://")[0] + "://…"


def _engine(url: str) -> sa.Engine:
    backend = sa.make_url(url).get_backend_name()
    if backend not in _INSERT:
        raise ArgumentError(backend)
    if backend == "postgresql":
        # A machine that is lost while it holds the log is let go of, and the others do not wait for ever.
        waits = f"-c lock_timeout={PATIENCE} -c idle_in_transaction_session_timeout={PATIENCE}"
        return sa.create_engine(
            url, isolation_level="READ COMMITTED", pool_pre_ping=True, connect_args={"options": waits}
        )
    engine = sa.create_engine(url)
    sa.event.listen(engine, "connect", _careful)
    return engine


def _careful(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # else the driver begins transactions of its own, and too late
    # DELETE works on every file system, also on the volume of a Space; WAL needs memory shared between its readers.
    for pragma in (f"busy_timeout={PATIENCE}", "journal_mode=DELETE", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}").close()


def _rows(connection: sa.Connection, seq: int) -> Sequence[sa.Row]:
    return connection.execute(sa.select(_EVENTS).where(_EVENTS.c.seq > seq).order_by(_EVENTS.c.seq)).all()


def _events(rows: Iterable[sa.Row]) -> list[Event]:
    return [Event(**{**row._mapping, "data": json.loads(row.data)}) for row in rows]


def _reason(error: Exception) -> str:
    """The first line of what the driver says; of statements and values, which hold texts, nothing."""
    if not isinstance(error, DBAPIError):
        return "no address of a database"  # what SQLAlchemy says may hold the address, and with it a password
    said = str(error.orig).strip()
    return said.splitlines()[0] if said else type(error.orig).__name__
