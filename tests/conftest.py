"""The environment of all tests, and what several of them share. The libraries read these variables at import."""

import atexit
import importlib.util
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browsers import browser  # noqa: F401 - a fixture
from forks import VECTORS, Forks
from hub_server import client, serving
from hub_server.server import bound, free_port
from small_model import language_model  # noqa: F401 - a fixture

CACHE = tempfile.mkdtemp(prefix="rarecase-tests-")
atexit.register(shutil.rmtree, CACHE, ignore_errors=True)

for name, value in {
    "HF_HUB_OFFLINE": "1",  # nothing here may depend on a Hub; a test that needs one asks for `fresh_hub`
    "HF_HOME": CACHE,  # what `load_dataset` caches goes with the tests
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}.items():
    os.environ.setdefault(name, value)

# The clients in this process learn one address only, so it is settled here; a Hub comes to it when a test asks.
PORT = bound()
os.environ |= {**client.SETTINGS, "HF_ENDPOINT": f"http://127.0.0.1:{PORT.getsockname()[1]}"}

ENVIRONMENT = dict(os.environ)
# What takes longest of all begins first: at the end of `make test`, one core would wait for the other.
LONGEST = (
    *("test_readme.py", "test_resume.py", "test_experiment_killed.py", "test_experiment.py", "test_simulate.py"),
    *("test_no_text.py", "test_no_text_labels.py", "test_text_only.py", "test_histories.py"),
    *("demo_space/test_page.py", "web/test_interruptions.py", "web/test_looks.py", "web/test_run.py"),
)


@pytest.fixture(scope="session", autouse=True)
def _vectors() -> None:
    """What the packaged encoder made of some texts is not computed again."""
    import vectors  # it imports the libraries, which have to find the environment as it is now

    vectors.remember(VECTORS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not str(item.path).endswith(LONGEST))


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys) -> Callable[..., str]:
    """Runs a command in an empty folder, and gives the one line that refuses it."""
    from rarecase.cli.main import command

    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> str:
        capsys.readouterr()
        assert command([*map(str, arguments)]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        *told, line = printed.err.splitlines(keepends=True)
        assert line.startswith("rarecase: ")
        assert all(other.startswith("classes to label by: ") for other in told)  # which `start` says first
        return line

    return run


@pytest.fixture
def typed(tmp_path, monkeypatch, capsys) -> Callable[..., str]:
    """Types a command in an empty folder, and gives what it says on stderr."""
    from rarecase.cli.main import command

    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, status: int = 0) -> str:
        capsys.readouterr()
        assert command([*arguments]) == status
        return capsys.readouterr().err

    return run


@pytest.fixture(scope="session")
def forks(tmp_path_factory) -> Iterator[Forks]:
    """Runs the installed `rarecase` offline, in processes that have imported the libraries."""
    with Forks(ENVIRONMENT, tmp_path_factory.mktemp("printed")) as running:
        yield running


@pytest.fixture(scope="session")
def hub(tmp_path_factory):
    """A Hub for clients in processes of their own (`hub.environment`); it holds what earlier tests left there."""
    with serving(tmp_path_factory.mktemp("hub"), PORT.getsockname()[1]) as running:
        yield running


@pytest.fixture
def fresh_hub(hub):
    """The same Hub, emptied, and within reach of the clients in this process too."""
    hub.reset()
    with hub.in_process():
        yield hub
    assert not hub.crashes, hub.crashes


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[str]:
    """The address of a PostgreSQL of the tests' own; one that needs it says what to install, and skips outside CI."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3]))
    control = str(found[-1]) if found else shutil.which("pg_ctl")
    if not os.environ.get("CI"):
        if not importlib.util.find_spec("psycopg"):
            pytest.skip("needs psycopg: pip install 'psycopg[binary]'")
        if not control:
            pytest.skip("needs PostgreSQL: apt-get install postgresql")
    assert control is not None, "PostgreSQL is not installed"
    folder = tempfile.mkdtemp(prefix="rarecase-postgres-")  # pytest's own folders let nobody else in
    root = os.geteuid() == 0
    if root:
        shutil.chown(folder, "postgres")
    port = free_port()

    def run(command: str) -> None:
        """As somebody for whom PostgreSQL runs; for root it does not."""
        shell = ["su", "postgres", "-s", "/bin/sh", "-c", command] if root else ["sh", "-c", command]
        subprocess.run(shell, check=True, stdout=subprocess.DEVNULL, cwd="/")

    run(f"{Path(control).with_name('initdb')} -D {folder}/data -A trust -U postgres")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    run(f"{control} -D {folder}/data -l {folder}/log -o '{options}' -w start")
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}"
    finally:
        run(f"{control} -D {folder}/data -m immediate -w stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(postgres_cluster) -> Callable[[], str]:
    """Makes empty databases in it, and gives their addresses."""
    import psycopg

    def database() -> str:
        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(f"{postgres_cluster}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"{postgres_cluster}/{name}"

    return database


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Callable[[str], Path]]:
    """Mounts a file system in memory of a given size."""
    mounted = tmp_path / "disk"
    mounted.mkdir()

    def mount(size: str) -> Path:
        if os.geteuid():
            pytest.skip("mounting a small disk takes root")
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(mounted)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
        return mounted

    yield mount
    if os.path.ismount(mounted):
        subprocess.run(["umount", "--lazy", str(mounted)], check=True)  # a model may hold its weights open
