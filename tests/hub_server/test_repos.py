"""Who may see, make and change a repository."""

from pathlib import Path

import pytest
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

CARD = b"---\nlicense: mit\n---\n# open"


def test_a_token_says_who_one_is(alice, refused):
    assert alice.whoami()["name"] == "alice"
    assert [org["name"] for org in alice.whoami()["orgs"]] == ["acme"]
    with refused(401, "Invalid user token"):
        HfApi(token="hf_nobody").whoami()


def test_repositories_of_each_kind_are_made_with_their_first_files(alice):
    assert alice.create_repo("model").repo_id == "alice/model"
    assert alice.create_repo("acme/data", repo_type="dataset").repo_type == "dataset"
    alice.create_repo("acme/page", repo_type="space", space_sdk="gradio")
    assert alice.list_repo_files("alice/model") == [".gitattributes"]
    assert alice.list_repo_files("acme/page", repo_type="space") == [".gitattributes", "README.md"]
    assert alice.space_info("acme/page").sdk == "gradio"
    assert not alice.repo_exists("acme/data")  # kinds have names of their own


@pytest.mark.parametrize("before", [True, False])
def test_making_a_repository_that_is_there_keeps_its_visibility(alice, refused, before):
    alice.create_repo("acme/x", private=before)
    alice.create_repo("acme/x", private=not before, exist_ok=True)
    assert alice.repo_info("acme/x").private is before
    with refused(409, "already created"):
        alice.create_repo("acme/x")


def test_a_repository_is_public_unless_said_otherwise(alice, anybody):
    alice.create_repo("acme/x")
    assert not anybody.repo_info("acme/x").private


def test_a_private_repository_is_none_to_strangers(alice, carol, bob, anybody, put):
    alice.create_repo("acme/x", repo_type="dataset", private=True)
    put("acme/x", {"a.txt": b"a"})
    assert carol.repo_info("acme/x", repo_type="dataset").private
    for stranger in (bob, anybody):
        for ask in (stranger.repo_info, stranger.list_repo_files, stranger.list_repo_refs, stranger.list_repo_commits):
            with pytest.raises(RepositoryNotFoundError):
                ask("acme/x", repo_type="dataset")
        assert not list(stranger.list_datasets(author="acme"))
        with pytest.raises(RepositoryNotFoundError):
            hf_hub_download("acme/x", "a.txt", repo_type="dataset", token=stranger.token)
    with pytest.raises(RepositoryNotFoundError) as nothing:
        bob.repo_info("acme/none", repo_type="dataset")
    with pytest.raises(RepositoryNotFoundError) as hidden:
        bob.repo_info("acme/x", repo_type="dataset")
    assert str(nothing.value.server_message) == str(hidden.value.server_message)
    assert nothing.value.response.status_code == hidden.value.response.status_code == 404


def test_only_who_owns_a_name_writes_there_and_a_token_to_read_does_not(alice, carol, bob, put, refused):
    put("acme/x", {"a.txt": b"a"})
    carol.upload_file(path_or_fileobj=b"b", path_in_repo="b.txt", repo_id="acme/x", repo_type="dataset")
    for stranger in (bob, HfApi(token="hf_alice_read")):
        with refused(403):
            stranger.create_repo("acme/y")
        with refused(403):
            stranger.upload_file(path_or_fileobj=b"c", path_in_repo="c.txt", repo_id="acme/x", repo_type="dataset")
        with refused(403):
            stranger.update_repo_settings("acme/x", repo_type="dataset", private=True)
        with refused(403):
            stranger.create_tag("acme/x", repo_type="dataset", tag="v1")
        with refused(403):
            stranger.delete_repo("acme/x", repo_type="dataset")
    with refused(401):
        HfApi(token=False).create_repo("acme/y")


def test_visibility_is_changed_by_its_own_call(alice, anybody):
    alice.create_repo("acme/x", private=True)
    alice.update_repo_settings("acme/x", private=False)
    assert anybody.repo_exists("acme/x")
    alice.update_repo_settings("acme/x", private=True)
    assert not anybody.repo_exists("acme/x")


def test_a_gated_repository_is_listed_for_all_and_read_by_those_let_in(alice, carol, bob, anybody, put):
    put("acme/x", {"README.md": CARD, "a.txt": b"a", "b.parquet": b"\0b"})
    alice.update_repo_settings("acme/x", repo_type="dataset", gated="manual")

    def read(path, token):
        return Path(hf_hub_download("acme/x", path, repo_type="dataset", token=token)).read_bytes()

    for stranger, status in ((bob, 403), (anybody, 401)):
        assert stranger.dataset_info("acme/x").gated == "manual"
        assert "a.txt" in stranger.list_repo_files("acme/x", repo_type="dataset")
        assert read("README.md", stranger.token) == CARD
        for path in ("a.txt", "b.parquet"):
            with pytest.raises(GatedRepoError) as gate:
                read(path, stranger.token)
            assert gate.value.response.status_code == status
        with pytest.raises(GatedRepoError):
            stranger.auth_check("acme/x", repo_type="dataset")
    assert read("a.txt", "hf_carol") == b"a"
    alice.grant_access("acme/x", "bob", repo_type="dataset")
    assert read("b.parquet", "hf_bob") == b"\0b"
    alice.update_repo_settings("acme/x", repo_type="dataset", gated=False)
    assert read("a.txt", False) == b"a"


def test_a_repository_is_deleted_once_and_its_files_go_with_it(alice, fresh_hub, put):
    put("acme/x", {"a.txt": b"a", "b.parquet": b"\0b"})
    alice.delete_repo("acme/x", repo_type="dataset")
    assert not list(fresh_hub.app.state.blobs.iterdir())
    with pytest.raises(RepositoryNotFoundError):
        alice.delete_repo("acme/x", repo_type="dataset")
    alice.delete_repo("acme/x", repo_type="dataset", missing_ok=True)


def test_a_repository_moves_with_what_is_in_it(alice, put, refused):
    put("alice/x", {"a.txt": b"a"})
    alice.create_repo("acme/taken", repo_type="dataset")
    with refused(409):
        alice.move_repo("alice/x", "acme/taken", repo_type="dataset")
    alice.move_repo("alice/x", "acme/x", repo_type="dataset")
    assert "a.txt" in alice.list_repo_files("acme/x", repo_type="dataset")
    assert not alice.repo_exists("alice/x", repo_type="dataset")


def test_repositories_are_found_by_author_name_and_tag(alice, put):
    put("acme/one", {"README.md": b"---\nlicense: mit\ntags: [safety]\n---\n"})
    put("acme/two", {"a.txt": b"a"})
    put("alice/one", {"a.txt": b"a"})
    assert {found.id for found in alice.list_datasets(author="acme")} == {"acme/one", "acme/two"}
    assert {found.id for found in alice.list_datasets(search="one")} == {"acme/one", "alice/one"}
    assert [found.id for found in alice.list_datasets(filter=["safety", "license:mit"])] == ["acme/one"]


def test_an_endpoint_that_is_not_there_says_so(alice):
    with pytest.raises(HfHubHTTPError, match="No such endpoint: GET /api/collections/acme"):
        alice.get_collection("acme")
