"""One repository filled in one commit: in what order, how often, and whatever the Hub answers in between."""

import errno
import re
import threading
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, HfApi, hf_hub_download
from huggingface_hub.errors import HTTPError

from rarecase.core.errors import ConfigError, HubError
from rarecase.hub.commit import Snapshot, Target, base_snapshot, push, read_snapshot
from rarecase.hub.errors import RETRY

GUARD = Target(kind="model", repo_id="acme/guard")
FILES = {"README.md": b"---\nlicense: mit\n---\n# Guard\n", "model.safetensors": b"w" * 5000, "config.json": b"{}"}


def commits(repo_id: str = "acme/guard") -> list[str]:
    return [commit.title for commit in HfApi().list_repo_commits(repo_id)]


def contents(place: Target = GUARD, revision: str | None = None) -> dict[str, bytes]:
    repo = {"repo_id": place.repo_id, "repo_type": place.kind, "revision": revision}
    paths = set(HfApi().list_repo_files(**repo)) - {".gitattributes"}
    return {path: Path(hf_hub_download(filename=path, **repo)).read_bytes() for path in paths}


def asked(hub, *patterns: str) -> list[str]:
    """Which of these requests came, in order."""
    lines = [entry["request"] for entry in hub.log()]
    return [pattern for line in lines for pattern in patterns if re.search(pattern, line)]


@pytest.fixture
def impatient(monkeypatch):
    """The waiting between attempts, cut; how often is as ever."""
    monkeypatch.setattr(RETRY, "wait", lambda seconds: None)


def test_a_new_repository_is_filled_and_tagged_before_anybody_sees_it(fresh_hub):
    place = Target(kind="model", repo_id="acme/guard", public=True, gated="manual", tag="v1")
    pushed = push(place, lambda _: FILES, "A guard")
    steps = ["POST /api/repos/create", "PUT .*/settings", "POST .*/commit/", "POST .*/tag/"]
    assert asked(fresh_hub, *steps) == [*steps[:2], *steps[2:], steps[1]]
    info = HfApi().model_info("acme/guard", revision="v1")
    assert (info.sha, info.private, info.gated) == (pushed.revision, False, "manual")
    assert contents() == FILES
    assert commits()[0] == "A guard"
    assert len(commits()) == 2  # the first is the Hub's own
    assert pushed.files == ("README.md", "config.json", "model.safetensors")
    assert pushed.url == f"{fresh_hub.url}/acme/guard"


def test_a_repository_is_private_unless_said(fresh_hub):
    assert push(GUARD, lambda _: FILES, "A guard").private
    assert HfApi().model_info("acme/guard").private


def test_a_second_push_of_the_same_uploads_nothing(fresh_hub):
    first = push(GUARD, lambda _: FILES, "A guard")
    before = len(fresh_hub.log())
    again = push(GUARD, lambda _: FILES, "A guard")
    assert (first.changed, again.changed) == (True, False)
    assert again.revision == first.revision
    assert len(commits()) == 2
    later = [entry["request"] for entry in fresh_hub.log()[before:]]
    assert not [line for line in later if "/commit/" in line or line.startswith("PUT /_lfs")]


def test_what_is_none_goes_and_what_was_never_there_is_no_mistake(fresh_hub):
    push(GUARD, lambda _: FILES, "A guard")
    push(GUARD, lambda _: {"config.json": None, "absent.json": None, "new.json": b"[]"}, "Less")
    assert set(contents()) == {"README.md", "model.safetensors", "new.json"}


def test_nothing_reaches_a_public_repository_by_mistake(fresh_hub):
    HfApi().create_repo("acme/guard", private=False)
    with pytest.raises(ConfigError, match=r"acme/guard is public already, .* repeat with --public .*private=False"):
        push(GUARD, lambda _: FILES, "A guard")
    assert len(commits()) == 1
    push(Target(kind="model", repo_id="acme/guard", public=True), lambda _: FILES, "A guard")
    assert contents() == FILES


def test_nothing_reaches_a_repository_that_somebody_makes_public_meanwhile(fresh_hub):
    push(GUARD, lambda _: FILES, "A guard")

    def build(standing: Snapshot):
        if standing.private:
            push(Target(kind="model", repo_id="acme/guard", public=True), lambda _: {"new.json": b"[]"}, "Theirs")
        return {"mine.json": b"[]"}

    with pytest.raises(ConfigError, match=r"acme/guard is public already, .* repeat with --public"):
        push(GUARD, build, "Mine")
    assert set(contents()) == {*FILES, "new.json"}


def test_a_branch_and_a_pull_request_leave_main_alone(fresh_hub):
    first = push(GUARD, lambda _: FILES, "A guard")
    push(Target(kind="model", repo_id="acme/guard", revision="next"), lambda _: {"new.json": b"[]"}, "Next")
    asked_for = Target(kind="model", repo_id="acme/guard", create_pr=True)
    request = push(asked_for, lambda _: {"other.json": b"[]"}, "Please")
    assert read_snapshot(GUARD).sha == first.revision
    assert "new.json" in contents(revision="next")
    assert "other.json" in contents(revision="refs/pr/1")
    assert request.url.endswith("/acme/guard/discussions/1")


def test_a_tag_never_moves(fresh_hub):
    place = Target(kind="model", repo_id="acme/guard", tag="v1")
    push(place, lambda _: FILES, "A guard")
    push(place, lambda _: FILES, "The same again")
    with pytest.raises(ConfigError, match=r"--tag v1: acme/guard has this tag on another state .*; nothing was comm"):
        push(place, lambda _: {"new.json": b"[]"}, "More")
    assert contents() == FILES
    push(GUARD, lambda _: {"new.json": b"[]"}, "More, without a tag")
    with pytest.raises(ConfigError, match=r"--tag v1: acme/guard has this tag on another state"):
        push(place, lambda _: {"new.json": b"[]"}, "Nothing to commit, but the tag is elsewhere")


def test_a_tag_that_somebody_sets_in_between_is_told(fresh_hub, monkeypatch):
    push(GUARD, lambda _: FILES, "A guard")
    commit = HfApi.create_commit

    def slowly(*args, **how):
        HfApi().create_tag("acme/guard", tag="v1")
        return commit(*args, **how)

    monkeypatch.setattr(HfApi, "create_commit", slowly)
    with pytest.raises(ConfigError, match=r"--tag v1: .* the data is pushed \(\w{8}\), give it another --tag"):
        push(Target(kind="model", repo_id="acme/guard", tag="v1"), lambda _: {"new.json": b"[]"}, "More")


def test_a_pull_request_takes_no_tag_and_makes_nothing_public(fresh_hub):
    with pytest.raises(ConfigError, match=r"--tag v1: a pull request gets no tag"):
        Target(kind="model", repo_id="acme/guard", tag="v1", create_pr=True)
    push(GUARD, lambda _: FILES, "A guard")
    shown = Target(kind="model", repo_id="acme/guard", public=True, create_pr=True)
    with pytest.raises(ConfigError, match="acme/guard is private, and a pull request makes nothing public"):
        push(shown, lambda _: {"new.json": b"[]"}, "Please")
    assert HfApi().model_info("acme/guard").private
    assert not list(HfApi().get_repo_discussions("acme/guard"))
    HfApi().update_repo_settings("acme/guard", private=False)
    assert push(shown, lambda _: {"new.json": b"[]"}, "Please").url.endswith("/discussions/1")


def test_a_space_is_never_gated():
    with pytest.raises(ConfigError, match=r"--gated auto: there are no gated Spaces"):
        Target(kind="space", repo_id="acme/guard", gated="auto")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("base", [None, "next"])
def test_a_pull_request_whose_answer_is_lost_is_opened_once(fresh_hub, base):
    push(Target(kind="model", repo_id="acme/guard", revision=base), lambda _: FILES, "A guard")
    change = {"README.md": b"# Another\n", "model.safetensors": b"v" * 5000, "config.json": None}
    place = Target(kind="model", repo_id="acme/guard", revision=base, create_pr=True)
    fresh_hub.fault("/commit/", drop="after")
    lost, again = (push(place, lambda _: change, "Please") for _ in range(2))
    assert (lost.url, lost.revision) == (again.url, again.revision)
    assert lost.url.endswith("/acme/guard/discussions/1")
    assert contents(revision="refs/pr/1") == {"README.md": change["README.md"], "model.safetensors": b"v" * 5000}
    other = push(place, lambda _: {**change, "README.md": b"# A third\n"}, "Please")
    assert other.url.endswith("/discussions/2")
    HfApi().change_discussion_status("acme/guard", 1, "closed")
    assert push(place, lambda _: change, "Please").url.endswith("/discussions/3")


def test_a_request_of_somebody_else_or_for_another_branch_is_another_one(fresh_hub, monkeypatch):
    push(Target(kind="model", repo_id="acme/guard", revision="next"), lambda _: FILES, "A guard")
    change = {"new.json": b"[]"}
    urls = [
        push(
            Target(kind="model", repo_id="acme/guard", revision=branch, create_pr=True), lambda _: change, "Please"
        ).url
        for branch in ("main", "next")
    ]
    HfApi().update_repo_settings("acme/guard", private=False)
    monkeypatch.setenv("HF_TOKEN", "hf_bob")
    public = Target(kind="model", repo_id="acme/guard", public=True, create_pr=True)
    urls.append(push(public, lambda _: change, "Please").url)
    assert [url[-1] for url in urls] == ["1", "2", "3"]


def test_a_revision_that_is_not_there_is_not_main(fresh_hub):
    push(GUARD, lambda _: FILES, "A guard")
    place = Target(kind="model", repo_id="acme/guard", revision="v7")
    with pytest.raises(ConfigError, match="acme/guard@v7: no such branch, tag or commit"):
        read_snapshot(place)
    assert base_snapshot(place).sha == read_snapshot(GUARD).sha, "from which the branch would be made"
    push(place, lambda _: {"new.json": b"[]"}, "Seven")
    assert "new.json" in read_snapshot(place).files


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("status", [412, 429, 500, 503])
@pytest.mark.parametrize("request_", ["POST /api/models/acme/guard/commit/main"])
def test_a_commit_that_fails_is_repeated(fresh_hub, request_, status):
    fresh_hub.fault(request_, status, times=2)
    push(GUARD, lambda _: FILES, "A guard")
    assert contents() == FILES
    assert len(commits()) == 2


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_commit_whose_connection_is_reset_is_there_once(fresh_hub, drop):
    fresh_hub.fault("/commit/main", drop=drop)
    push(GUARD, lambda _: FILES, "A guard")
    assert contents() == FILES
    assert len(commits()) == 2


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("drop", ["before", "after"])
@pytest.mark.parametrize(
    "request_",
    ["/api/repos/create", "/preupload/", "info/lfs/objects/batch", "PUT /_lfs", "/tree/", "PUT .*/settings", "/tag/"],
)
def test_any_other_connection_may_be_reset_too(fresh_hub, request_, drop):
    fresh_hub.fault(request_, drop=drop)
    push(Target(kind="model", repo_id="acme/guard", gated="auto", tag="v1", public=True), lambda _: FILES, "A guard")
    assert contents(revision="v1") == FILES
    assert not HfApi().model_info("acme/guard").private


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "request_",
    ["/api/repos/create", "/preupload/", "info/lfs/objects/batch", "PUT /_lfs", "/tree/", "PUT .*/settings"],
)
def test_every_other_request_of_a_push_may_fail_too(fresh_hub, request_):
    fresh_hub.fault(request_, 500, times=1)
    push(Target(kind="model", repo_id="acme/guard", gated="auto", tag="v1", public=True), lambda _: FILES, "A guard")
    assert contents(revision="v1") == FILES
    assert not HfApi().model_info("acme/guard").private


@pytest.mark.usefixtures("impatient")
def test_trouble_that_stays_is_one_line(fresh_hub):
    fresh_hub.fault("/commit/", 503, times=100)
    with pytest.raises(
        HubError, match=r"^acme/guard: the Hub is in trouble \(status 503\); repeat the command"
    ) as said:
        push(GUARD, lambda _: FILES, "A guard")
    assert "\n" not in str(said.value)


@pytest.mark.usefixtures("impatient")
def test_a_repository_that_is_made_in_vain_is_taken_back_and_no_other(fresh_hub, monkeypatch):
    def refused(place: Target = GUARD) -> str:
        fresh_hub.fault("/commit/", 400, message="no")
        with pytest.raises(HubError, match=r"^acme/guard: the Hub refuses it \(status 400\): no") as said:
            push(place, lambda _: FILES, "A guard")
        return str(said.value).partition(": no")[2]

    gone = "; acme/guard, created for this, is deleted again"
    for place in (GUARD, Target(kind="model", repo_id="acme/guard", gated="auto", revision="next")):
        assert refused(place) == gone
        assert not HfApi().repo_exists("acme/guard")
    fresh_hub.fault("DELETE /api/repos/delete", 403)
    assert (
        refused() == "; acme/guard, created for this, is left, delete it (`hf repos delete acme/guard --type model`)"
    )
    assert refused() == "", "another command has made it"
    HfApi().delete_repo("acme/guard")
    commit = HfApi.create_commit

    def late(*args, **how):
        mine = CommitOperationAdd("mine.txt", b"mine")
        commit(HfApi(), "acme/guard", operations=[mine], commit_message="Mine", create_pr=True)
        return commit(*args, **how)

    monkeypatch.setattr(HfApi, "create_commit", late)
    fresh_hub.fault("/commit/main", 400, message="no", skip=1)
    with pytest.raises(HubError, match=r": no$"):
        push(GUARD, lambda _: FILES, "A guard")
    assert len(list(HfApi().get_repo_discussions("acme/guard"))) == 1, "somebody's work is in it"


@pytest.mark.usefixtures("impatient")
def test_a_new_repository_stays_after_a_temporary_error_and_goes_at_ctrl_c(fresh_hub, monkeypatch):
    fresh_hub.fault("/commit/", 503, times=RETRY.attempts)
    with pytest.raises(HubError, match=r"repeat the command: nothing is half-published$"):
        push(GUARD, lambda _: FILES, "A guard")
    assert push(GUARD, lambda _: FILES, "A guard").changed

    def interrupted(_):
        if HfApi().repo_exists("acme/other"):
            raise KeyboardInterrupt
        return FILES

    with pytest.raises(KeyboardInterrupt):
        push(Target(kind="model", repo_id="acme/other"), interrupted, "A guard")
    assert not HfApi().repo_exists("acme/other")


@pytest.mark.usefixtures("impatient")
def test_a_refused_card_leaves_no_new_branch(fresh_hub):
    push(GUARD, lambda _: FILES, "A guard")
    bad = {"README.md": b"---\nlicense: cc-by\n---\n"}
    with pytest.raises(HubError, match="status 400"):
        push(Target(kind="model", repo_id="acme/guard", revision="next", gated="auto"), lambda _: bad, "A guard")
    assert [ref.name for ref in HfApi().list_repo_refs("acme/guard").branches] == ["main"]
    assert not HfApi().model_info("acme/guard").gated


@pytest.mark.parametrize(
    ("repo_id", "token", "says"),
    [
        ("bob/guard", "hf_alice", r"this token may not write there \(403\)"),
        ("acme/guard", "hf_wrong", r"the Hub does not know this token \(401\)"),
        ("acme/guard", "hf_alice_read", r"this token may not write there \(403\)"),
        ("no id", "hf_alice", "not an id of the Hub; expected OWNER/NAME"),
        ("acme/guard/more", "hf_alice", "not an id of the Hub; expected OWNER/NAME"),
    ],
)
def test_who_may_not_is_told_the_way_out(fresh_hub, monkeypatch, repo_id, token, says):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(HubError, match=f"^{re.escape(repo_id)}: {says}"):
        push(Target(kind="model", repo_id=repo_id), lambda _: FILES, "A guard")


def test_a_card_that_the_hub_refuses_is_refused_before_a_repository_is_made(fresh_hub):
    with pytest.raises(HubError, match=r"acme/guard: the Hub refuses it \(status 400\)"):
        push(GUARD, lambda _: {**FILES, "README.md": b"---\nlicense: [\n---\n"}, "A guard")
    assert not HfApi().repo_exists("acme/guard")


WHATEVER = [
    UnicodeDecodeError("utf-8", b"\xd3", 0, 1, "invalid continuation byte"),
    OSError("Consistency check failed: file should be of size 3 but has size 5"),
    ValueError("preupload_info is improperly formatted"),
    OSError(errno.ENAMETOOLONG, "File name too long", "a" * 3000),
    RecursionError("maximum recursion depth exceeded"),
    AttributeError("'list' object has no attribute 'get'"),
]
WHATEVER[-1].__context__ = HTTPError("500")  # its body was read


@pytest.mark.parametrize("error", WHATEVER, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("call", ["repo_info", "create_commit"])
def test_whatever_the_client_raises_over_an_answer_is_one_line(fresh_hub, monkeypatch, call, error):
    def junk(*_, **__):
        raise error

    monkeypatch.setattr(HfApi, call, junk)
    for act in [base_snapshot] * (call == "repo_info") + [lambda target: push(target, lambda _: FILES, "A guard")]:
        with pytest.raises(
            HubError, match=r"^acme/guard: the answer is not a Hub's; check HF_ENDPOINT(; .* deleted again)?$"
        ):
            act(GUARD)


def test_a_defect_of_what_is_pushed_is_not_taken_for_the_hubs(fresh_hub):
    def build(_):
        raise TypeError("ours")

    with pytest.raises(TypeError, match="ours"):
        push(GUARD, build, "A guard")


def test_four_at_once_all_succeed_and_a_reader_only_sees_whole_states(fresh_hub):
    """Each adds a line to two files, which must always say the same."""
    push(GUARD, lambda _: {"a.txt": b"", "b.txt": b""}, "Begin")

    def build(name: str):
        def add(standing: Snapshot):
            lines = standing.read("a.txt").read_bytes() + f"{name}\n".encode()
            return {"a.txt": lines, "b.txt": lines}

        return add

    states, seen_once, done = [], threading.Event(), threading.Event()

    def watch():
        while not done.is_set():
            seen = contents(revision=HfApi().model_info("acme/guard").sha)
            states.append((seen["a.txt"], seen["b.txt"]))
            seen_once.set()

    threads = [threading.Thread(target=push, args=(GUARD, build(name), name)) for name in "ABCD"]
    reader = threading.Thread(target=watch)
    reader.start()
    assert seen_once.wait(30), "the reader is at it before anybody writes"
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    reader.join()
    assert sorted(contents()["a.txt"].split()) == [b"A", b"B", b"C", b"D"]
    assert len(commits()) == 6
    assert len(states) > 1
    assert all(a == b for a, b in states)
