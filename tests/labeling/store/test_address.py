"""Whatever form the address of a store has: no password is shown or written, and what is wrong is one line."""

import pytest

from rarecase.cli.main import command
from rarecase.core.errors import ConfigError
from rarecase.labeling.store.address import without_password
from rarecase.settings.checks import check
from rarecase.settings.config import RunConfig

MISTYPED = ["postgresql:/u:PWMARK@h/db", "//u:PWMARK@h/db", "postgresql//u:PWMARK@h"]
WITH_PASSWORD = [
    "postgresql://u:PWMARK@127.0.0.1:1/db",
    "postgresql://u@127.0.0.1:1/db?password=PWMARK",
    "postgresql://u@127.0.0.1:1/db?sslpassword=PWMARK",
    "postgresql://u@127.0.0.1:1/db?pass%77ord=PWMARK",
    "postgres://u:PW:PWMARK@127.0.0.1:1/db",
    "postgresql://u:PWMARK/x@127.0.0.1:1/db",
    "postgresql://u:PWMARK@[::1/db",
    "mysql://u:PWMARK@h/db",
    "postgresql+psycopg://u:PWMARK@127.0.0.1:1/db",
    "POSTGRESQL://u:PWMARK@127.0.0.1:1/db",
    "postgresql://u:PWMARK@127.0.0.1:99999999/db",
    "postgresql://u:PW%4DARKPWMARK@127.0.0.1:1/db",
    "postgresql://u:PWMARK@h:port/db",
    "host=127.0.0.1 password=PWMARK",
    "host=127.0.0.1 PASSWORD = 'PWMARK'",
    *MISTYPED,
]
BROKEN = [
    "",
    "postgresql://",
    "postgresql://u@127.0.0.1:99999999/db",
    "postgresql://u@h:port/db",
    "postgresql://[::1/db",
    "postgresql://u@127.0.0.1:1/db?connect_timeout=soon",
    "sqlite:///no/such/folder/x.sqlite?timeout=soon",
    "nothing://x",
    "://x",
    "hf://datasets/acme",
    "host=127.0.0.1 user=u",
    "x" * 300,
    f"{'x' * 300}/labels.sqlite",
]


@pytest.mark.parametrize("address", WITH_PASSWORD + BROKEN)
def test_a_wrong_address_is_one_line_without_a_password(tmp_path, monkeypatch, capsys, address):
    monkeypatch.chdir(tmp_path)
    for asked in (["status"], ["serve"], ["forget", "ann"]):
        assert command(["label", *asked, "--store", address]) == 2
        said = capsys.readouterr()
        assert len([line for line in said.err.splitlines() if line.startswith("rarecase: ")]) == 1
        assert "Traceback" not in said.err
        assert "PWMARK" not in said.err + said.out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("address", WITH_PASSWORD)
def test_settings_that_are_written_down_hold_no_password(address):
    with pytest.raises(ConfigError, match="the password in the address would be written down") as said:
        check(RunConfig(annotator="people", generator="none", store=address))
    assert "PWMARK" not in str(said.value)
    assert "PWMARK" not in without_password(address)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://ann:secret@db:5432/x", "postgresql://ann:***@db:5432/x"),
        ("postgresql://ann@[::1]:5432/x?a=b", "postgresql://ann@[::1]:5432/x"),
        ("postgresql://db1:5432,db2:5432/x", "postgresql://…"),
        ("sqlite:////srv/a:b@c.sqlite", "sqlite:////srv/a:b@c.sqlite"),
        ("runs/a:b@c", "runs/a:b@c"),
    ],
)
def test_the_rest_of_an_address_is_shown(address, shown):
    assert without_password(address) == shown


@pytest.mark.parametrize("address", MISTYPED)
def test_a_mistyped_address_shows_no_password_either(address):
    assert without_password(address) == "…"
