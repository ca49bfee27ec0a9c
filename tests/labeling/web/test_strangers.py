"""The label server and whoever reaches it: who may be whom, how often, how slowly, and through which proxy."""

import os
import re
import shutil
import subprocess
import sys
import time

import httpx
import labelers
import pytest
import uvicorn
from labelers import Client, act, press, signed_in
from starlette.testclient import TestClient

import rarecase.labeling.web.access
import rarecase.labeling.web.sign_in
from rarecase.cli.main import command
from rarecase.labeling.store.names import alike
from rarecase.labeling.store.service import COMMENTS

ROLES = "owners: [olga]\nannotators: [ann, bob]\n"
LINK = re.compile(r"rarecase: (\w+) signs in at (\S+)/sign-in\?code=(\S+)")


@pytest.fixture
def store(tmp_path):
    labelers.fill(tmp_path / "labels.sqlite", labelers.posts(3))
    (tmp_path / "roles.yaml").write_text(ROLES)
    return tmp_path / "labels.sqlite"


@pytest.fixture
def serve(store, monkeypatch, capsys):
    """Runs `label serve` with these flags while a function has its page; what it printed."""

    def serve(*flags, during=lambda client: None, host="127.0.0.1"):
        def run(server, sockets):
            during(TestClient(server.config.app, f"http://{host}:7860", follow_redirects=False))

        monkeypatch.setattr(uvicorn.Server, "run", run)
        assert command(["label", "serve", "--store", str(store), "--port", "0", *flags]) == 0
        return capsys.readouterr().err

    return serve


def sign_in(client, **form):
    client.cookies.clear()
    return client.post("/sign-in", data=form).status_code


def test_beyond_this_machine_each_person_needs_their_link(store, tmp_path):
    """By the installed command, from the address that it prints."""
    arguments = ["--store", str(store), "--host", "0.0.0.0", "--port", "0", "--roles", str(tmp_path / "roles.yaml")]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "rarecase", "label", "serve", *arguments], stderr=log)
    try:
        while len(found := LINK.findall((tmp_path / "log").read_text())) < 3:
            assert process.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.1)
        codes = {name: code for name, _, code in found}
        assert codes.keys() == {"olga", "ann", "bob"}
        with httpx.Client(base_url=f"http://127.0.0.1:{found[0][1].split(':')[-1]}", timeout=60) as http:
            for form in ({"name": "ann"}, {"name": "ann", "code": "x"}, {"code": codes["ann"][:-1]}, {}):
                assert http.post("/sign-in", data=form).status_code == 401
            page = http.get("/sign-in", params={"code": codes["ann"]})
            assert "Sign in as ann" in page.text
            assert page.headers["referrer-policy"] == "same-origin"
            assert http.get("/config").status_code == 401  # who only follows the link has signed in nobody
            assert http.post("/sign-in", data={"code": codes["ann"]}).status_code == 303
            assert http.get("/config").json()["username"] == "ann"
            phone = httpx.Client(base_url=http.base_url, timeout=60)
            assert phone.post("/sign-in", data={"code": codes["ann"]}).status_code == 303
            assert [client.get("/config").status_code for client in (phone, http)] == [
                200,
                401,
            ]  # not both
            copied = httpx.Client(base_url=http.base_url, cookies=dict(phone.cookies), timeout=60)
            assert phone.post("/logout").status_code == 303
            assert [client.get("/config").status_code for client in (phone, copied)] == [401, 401]
            assert phone.post("/sign-in", data={"name": "ann"}).status_code == 401  # and needs the link again
    finally:
        process.terminate()
        assert process.wait(60) == 0
    assert not any(code.encode() in path.read_bytes() for code in codes.values() for path in tmp_path.glob("labels*"))


def test_links_are_printed_once_and_anew_when_asked_for(serve, tmp_path):
    flags = ["--host", "0.0.0.0", "--roles", str(tmp_path / "roles.yaml")]
    first = {name: code for name, _, code in LINK.findall(serve(*flags))}
    assert first.keys() == {"olga", "ann", "bob"}
    (tmp_path / "roles.yaml").write_text(ROLES.replace("bob", "bob, cid"))
    assert [name for name, *_ in LINK.findall(serve(*flags))] == ["cid"]
    assert "all who are listed have their links; --links makes new ones" in serve(*flags)

    def check(client):
        assert [sign_in(client, code=codes["ann"]) for codes in (first, second)] == [401, 303]

    second = {name: code for name, _, code in LINK.findall(serve(*flags, "--links"))}
    assert second.keys() == {"olga", "ann", "bob", "cid"}
    serve(*flags, during=check)
    (tmp_path / "roles.yaml").write_text("annotators: [bob]\n")

    def check_who_is_left(client):
        assert [sign_in(client, code=second[name]) for name in ("ann", "bob")] == [401, 303]

    serve(*flags, during=check_who_is_left)


def test_without_a_list_it_says_what_anybody_can_do(serve):
    said = serve("--host", "0.0.0.0")
    assert re.search(
        r"rarecase: whoever reaches http://\S+ can sign in by any free name, label and review; list", said
    )
    assert "whoever" not in serve()
    assert command(["label", "serve", "--store", "x", "--links", "--port", "0"]) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *[("ann", "ANN"), ("ann", "Ann"), ("ann", "аnn"), ("ann", "ɑnn"), ("ANN", "ꓮꓠꓠ"), ("ANNA", "ΑΝΝΑ")],
        *[("cop", "сор"), ("Макс", "МАКС"), ("MAKC", "МАКС"), ("ann1", "annl"), ("ANI", "ANl"), ("ann", "ann\u1160")],
        *[
            ("emma", "ernma"),
            ("emma", "ernrna"),
            ("mia", "RNIA"),
            ("mæx", "maex"),
            ("Юla", "10la"),
            ("zoë", "zoё"),
            ("naïve", "naїve"),
        ],
    ],
)
def test_names_that_look_alike_are_not_both_claimed(one, other):
    assert alike([one], [other]) == alike([other, one]) == (one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("p1", "p2"), ("ann", "anne"), ("zoe", "zoё"), ("max", "rax"), ("max", "nax"), ("arne", "ane"), ("田中", "田口")],
)
def test_others_are(one, other):
    assert alike([one], [other]) is None


def test_a_name_like_that_of_somebody_else_is_refused_and_stored_names_stay(serve, store):
    service = labelers.service(store)
    with service.transaction() as transaction:  # of an earlier version
        for name in ("bob", "BOB"):
            transaction.append("bind", None, name, browser="x")

    def check(client):
        assert [sign_in(client, name=name) for name in ("ann", "ANN", "аnn", "ａｎｎ", "ann\u3164")] == [
            303,
            *[409] * 4,
        ]
        assert "looks like the name of somebody else" in client.post("/sign-in", data={"name": "ANN"}).text
        for name in ("bob", "BOB"):
            service.forget(name)
            assert sign_in(client, name=name) == 303

    serve(during=check)


def test_a_planted_cookie_is_worth_nothing_once_somebody_signs_in(serve):
    def check(client):
        assert sign_in(client, name="mallory") == 303
        planted = dict(client.cookies)
        assert client.post("/sign-in", data={"name": "victim"}).status_code == 303  # in a browser with that cookie
        copies = [dict(client.cookies)]
        client.cookies = planted
        assert client.post("/sign-in", data={"name": "victim"}).status_code == 409
        client.cookies = copies[0]
        assert client.post("/sign-in", data={"name": "victim"}).status_code == 303  # who came back has a new secret
        assert client.get("/config").status_code == 200
        client.cookies = copies[0]
        assert client.get("/config").status_code == 401

    serve(during=check)


def test_one_browser_keeps_several_names(serve):
    def check(client):
        for name in ("ann", "bob", "ann", "cid", "bob"):
            assert client.post("/sign-in", data={"name": name}).status_code == 303
            assert client.get("/config").json()["username"] == name
            assert client.post("/logout").status_code == 303
            assert client.get("/config").status_code == 401

    serve(during=check)


def test_sign_ins_of_an_address_are_limited(serve, monkeypatch):
    monkeypatch.setattr(rarecase.labeling.web.sign_in, "SIGN_INS", 5)

    def check(client):
        found = [sign_in(client, name=f"n{number}") for number in range(11)]  # a minute may begin meanwhile
        assert found[:5] == [303] * 5
        assert found.count(303) <= 10
        assert 429 in found
        assert 429 in [sign_in(client, name=f"n{number}") for number in range(11, 17)]  # also where one has begun
        assert client.post("/another-device").status_code == 429

    serve(during=check)


@pytest.mark.parametrize("way", ["by name", "by link"])
def test_a_second_device_signs_in_by_a_code_of_the_first_and_both_stay(serve, tmp_path, way):
    flags = ["--host", "0.0.0.0", "--roles", str(tmp_path / "roles.yaml")] if way == "by link" else []
    links = {name: code for name, _, code in LINK.findall(serve(*flags))}

    def check(laptop):
        phone = TestClient(laptop.app, laptop.base_url, follow_redirects=False)
        first = {"code": links["ann"]} if links else {"name": "ann"}

        def shown_by(client):
            return re.findall(r'class="code">([\w-]+)<', client.post("/another-device").text)

        def enter(code, name="ann"):
            return phone.post("/sign-in", data={"name": name, "device_code": code}).status_code

        def signed_in():
            return [client.get("/config").status_code == 200 for client in (laptop, phone)]

        assert shown_by(laptop) == []  # nobody has signed in
        assert laptop.post("/sign-in", data=first).status_code == 303
        assert laptop.get("/another-device").status_code == 405
        assert laptop.post("/another-device", headers={"Origin": "https://evil.example"}).status_code == 403
        (code,) = shown_by(laptop)
        assert [enter("AAAA-AAAA"), enter(code, "bob"), enter(code, "<b>")] == [409, 409, 400]
        assert enter("") == (401 if links else 409)
        assert signed_in() == [True, False]
        assert enter(code.lower()) == 303
        assert enter(code) == 409
        assert signed_in() == [True, True]
        copied = TestClient(laptop.app, laptop.base_url, cookies=dict(laptop.cookies))
        (unused,) = shown_by(laptop)
        assert laptop.post("/logout").status_code == 303
        assert [enter(unused), copied.get("/config").status_code] == [409, 401]  # a code ends with its session
        assert signed_in() == [False, True]
        assert laptop.post("/sign-in", data=first).status_code == 303
        assert signed_in() == [True, not links]  # whoever has the link signs all others out

    serve(*flags, during=check)


def test_comments_of_a_person_are_limited_and_those_of_others_are_not(store):
    with labelers.running(store) as url:
        ann, bob = Client(url, "ann"), Client(url, "bob")
        first = ann.say()["queue"][0]["item"]
        comments = [act("comment", item=first, text="x") for _ in range(2 * COMMENTS + 1)]
        told = [answer for start in (0, 50) for answer in ann.say(*comments[start : start + 50])["told"]]
        assert all(answer["accepted"] for answer in told[:COMMENTS])
        assert told[-1]["reason"] == "that is too many comments: wait a minute"
        assert ann.say(comments[0])["told"][0]["accepted"]  # sent again, it is known
        assert bob.say(act("comment", item=bob.say()["queue"][0]["item"], text="x"))["told"][0]["accepted"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.9", "::1"])
def test_all_names_of_this_machine_are_guarded_alike(serve, host):
    def check(client):
        for name in ("evil.example", "127.0.0.1.evil.example", "localhost.evil:7860", "[::1", "", "10.0.0.1"):
            assert client.get("/health", headers={"Host": name}).status_code == 400
        for name in ("localhost", "LOCALHOST:1", "127.0.0.1:7860", "127.1.2.3", "[::1]:7860"):
            assert client.get("/health", headers={"Host": name}).status_code == 200

    serve("--host", host, during=check)


def test_what_a_proxy_says_counts_for_nothing_without_one(serve):
    def check(client):
        assert sign_in(client, name="ann") == 303
        for name in ("X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "Forwarded"):
            found = client.get("/config", headers={name: "evil.example" if "Proto" not in name else "https"}).json()
            assert found["root"] == "http://127.0.0.1:7860"

    serve(during=check)


def test_behind_a_proxy_people_stay_at_its_address_whether_it_takes_the_path_away_or_not(serve, tmp_path):
    flags = ["--public-url", "https://labels.example/safety/", "--roles", str(tmp_path / "roles.yaml")]

    def check(client):
        for path, host in (("", "labels.example"), ("/safety", "labels.example"), ("", "127.0.0.1:7860")):
            at = {"Host": host, "Origin": "https://labels.example"}
            client.cookies.clear()
            page = client.get(f"{path}/", headers={**at, "Accept": "text/html"})
            assert page.status_code == 401
            link = client.get(f"{path}/sign-in", params={"code": codes["olga"]}, headers=at)
            assert 'action="/safety/sign-in?to=/"' in link.text
            signed = client.post(f"{path}/sign-in?to=/settle/", data={"code": codes["olga"]}, headers=at)
            assert (signed.status_code, signed.headers["location"]) == (303, "/safety/settle/")
            cookie = signed.headers["set-cookie"]
            assert "path=/safety/;" in cookie
            assert "secure" in cookie
            at["Cookie"] = cookie.split(";")[0]
            for page in ("", "/settle"):
                spoken = client.get(f"{path}{page}/config", headers=at | {"X-Forwarded-Host": "evil.example"})
                assert spoken.json()["root"] == f"https://labels.example/safety{page}"
            assert client.post(f"{path}/logout", headers=at | {"Origin": "https://evil.example"}).status_code == 403
            assert client.post(f"{path}/logout", headers=at).headers["location"] == "/safety/"
        assert client.get("/safety").headers["location"] == "/safety/"
        assert client.get("/health", headers={"Host": "evil.example"}).status_code == 400

    def first(client):
        assert client.get("/health").status_code == 200

    said = serve(*flags, during=first)
    codes = {name: code for name, _, code in LINK.findall(said)}
    assert "rarecase: olga signs in at https://labels.example/safety/sign-in?code=" in said
    serve(*flags, during=check)


@pytest.mark.parametrize("url", ["labels.example", "ftp://x", "https://u:p@x", "https://x/?a", "https://x/#a", "/x"])
def test_a_public_url_is_one(store, capsys, url):
    assert command(["label", "serve", "--store", str(store), "--public-url", url]) == 2
    assert "--public-url: expected https://HOST or https://HOST/PATH" in capsys.readouterr().err


def test_the_pages_work_below_a_path(browser, store):
    with labelers.running(store, base="/deep/labels") as url, signed_in(browser, url, "ann") as page:
        press(page, "1")
        page.get_by_text("You said self-harm.").wait_for()
        page.get_by_role("link", name="Review").click()
        page.get_by_text("Nothing to review").wait_for()
        page.get_by_role("link", name="Label").click()
        page.locator("#post[data-item]").wait_for()
        page.get_by_role("button", name="Another device").click()
        code = page.locator(".code").inner_text()
        phone = browser.new_context().new_page()
        phone.goto(f"{url}/", wait_until="domcontentloaded")
        phone.get_by_text("Signed in on another device already?").click()
        phone.get_by_label("Your name").fill("ann")
        phone.get_by_label("Code that it shows").fill(code)
        phone.keyboard.press("Enter")
        page.get_by_role("link", name="Back to labeling").click()
        for device in (phone, page):
            device.locator("#me", has_text="ann").wait_for()
        phone.context.close()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_label("Your name").wait_for()
        assert page.url == f"{url}/"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--port", "99999"], "--port 99999: expected 0 to 65535"),
        (["--port", "-1"], "--port -1: expected 0 to 65535"),
        (["--host", "x" * 300], "); choose another --host"),
        (["--host", "é" * 70], "(no name of a host); choose another --host"),
        (["--host", "a..b"], "cannot listen at a..b:7860"),
        (["--host", "nosuch.invalid"], "cannot listen at nosuch.invalid:7860"),
        (["--host", "999.1.1.1"], "cannot listen at 999.1.1.1:7860"),
        (["--roles", "x" * 300], "File name too long; expected a YAML file"),
        (["--links", "--port", "0"], "--links needs --roles FILE, and a --host or a --public-url"),
    ],
)
def test_an_address_that_cannot_be_listened_at_is_one_line(store, capsys, flags, message):
    assert command(["label", "serve", "--store", str(store), *flags]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert message in said


def test_a_key_that_cannot_be_kept_is_one_line(store, capsys):
    (store.parent / "labels.sqlite.key").mkdir()
    assert command(["label", "serve", "--store", str(store), "--port", "0"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert re.match(r"rarecase: .*labels\.sqlite\.key: Is a directory; what signs cookies must be kept there", said)


@pytest.mark.parametrize("disk", ["read-only", "full"])
def test_a_disk_that_cannot_be_written_is_one_line(store, small_disk, capsys, disk):
    place, votes = small_disk("1m"), store.parent / "votes.csv"
    shutil.copy(store, place)
    votes.write_text("item,annotator,label\nr0,fay,self-harm\n")
    if disk == "read-only":
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
    else:
        with (place / "filler").open("wb") as filler:
            os.posix_fallocate(filler.fileno(), 0, shutil.disk_usage(place).free)
    there = ["--store", str(place)]
    for asked in (
        ["serve", "--port", "0", *there],
        ["import", str(votes), *there],
        ["export", "--store", str(store), "--out", str(place / "votes.csv")],
    ):
        assert command(["label", *asked]) == 2
        said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("rarecase: ")]
        assert re.search("[Rr]ead-?only|[Nn]o space left on", said[-1])
