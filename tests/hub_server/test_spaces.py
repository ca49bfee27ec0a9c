"""Spaces: how they are run is told, their secrets are not."""

import pytest
from huggingface_hub import get_session

PAGE = b"---\ntitle: X\nsdk: gradio\napp_file: app.py\n---\n"


@pytest.fixture
def space(alice) -> str:
    options = {"space_sdk": "gradio", "space_variables": [{"key": "A", "value": "1"}]}
    alice.create_repo("acme/x", repo_type="space", space_secrets=[{"key": "B", "value": "2"}], **options)
    return "acme/x"


def test_variables_are_read_back(alice, space):
    alice.add_space_variable(space, "RARECASE_DATASET", "acme/data", description="which one")
    told = alice.get_space_variables(space)
    assert {key: variable.value for key, variable in told.items()} == {"A": "1", "RARECASE_DATASET": "acme/data"}
    assert told["RARECASE_DATASET"].description == "which one"
    assert told["RARECASE_DATASET"].updated_at is not None
    alice.add_space_variable(space, "A", "3")
    alice.delete_space_variable(space, "RARECASE_DATASET")
    assert {key: variable.value for key, variable in alice.get_space_variables(space).items()} == {"A": "3"}


def test_secrets_can_be_set_and_deleted_and_never_read(alice, space, fresh_hub):
    alice.add_space_secret(space, "HF_TOKEN", "hf_s3cret")
    told = alice.get_space_secrets(space)
    assert set(told) == {"B", "HF_TOKEN"}
    for path in ("", "/secrets", "/variables", "/runtime"):
        url = f"{fresh_hub.url}/api/spaces/{space}{path}"
        answer = get_session().get(url, headers={"Authorization": "Bearer hf_alice"})
        assert answer.status_code == 200
        assert "hf_s3cret" not in answer.text
    assert fresh_hub.app.state.repos["space", space].secrets["HF_TOKEN"]["value"] == "hf_s3cret"
    alice.delete_space_secret(space, "HF_TOKEN")
    assert set(alice.get_space_secrets(space)) == {"B"}


def test_they_are_for_members_alone_and_of_spaces_alone(alice, bob, space, refused):
    for ask in (bob.get_space_variables, bob.get_space_secrets):
        with refused(403):
            ask(space)
    with refused(400, "fails to match"):
        alice.add_space_variable(space, "no name", "1")
    with refused(404):
        alice.get_space_variables("acme/none")


def test_a_protected_space_keeps_its_files_private(alice, bob, space, fresh_hub):
    alice.create_repo("acme/open", repo_type="space", space_sdk="gradio", visibility="protected")
    alice.update_repo_settings(space, repo_type="space", visibility="protected")
    for name in ("acme/open", space):
        assert fresh_hub.app.state.repos["space", name].protected
        assert alice.space_info(name).private
        assert not bob.repo_exists(name, repo_type="space")
    alice.update_repo_settings(space, repo_type="space", visibility="private")
    assert not fresh_hub.app.state.repos["space", space].protected


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_nothing_but_a_space_is_protected(alice, put, fresh_hub, method):
    put("acme/x", {"a.txt": b"a"})
    path = {"POST": "/api/repos/create", "PUT": "/api/datasets/acme/x/settings"}[method]
    body = {"name": "y", "organization": "acme", "type": "dataset", "visibility": "protected"}
    answer = get_session().request(
        method, f"{fresh_hub.url}{path}", json=body, headers={"Authorization": "Bearer hf_alice"}
    )
    assert answer.status_code == 400
    assert "Only Spaces" in answer.text


def test_a_space_says_whether_it_could_run(alice, space, put):
    assert alice.get_space_runtime(space).stage == "NO_APP_FILE"
    put(space, {"README.md": PAGE, "app.py": b"print()"}, "space")
    assert alice.get_space_runtime(space).stage == "BUILDING"
    put(space, {"README.md": b"---\ntitle: X\n---\n"}, "space")
    assert alice.get_space_runtime(space).stage == "CONFIG_ERROR"


def test_a_space_is_not_made_with_an_unknown_sdk(alice, fresh_hub):
    with pytest.raises(ValueError, match="Invalid space_sdk"):
        alice.create_repo("acme/y", repo_type="space", space_sdk="flask")
