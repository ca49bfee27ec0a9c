"""What tests of the labeling Space share: its name, its secrets, and how it is on the Hub."""

from rarecase.hub.commit import Target

SPACE = Target(kind="space", repo_id="acme/labeling")
TOKEN = "hf_of_the_space_alone"
ROLES = "owners: [alice]\nannotators: [ann, bob]\n"


def space_on(hub):
    """The repository of the Space."""
    return hub.app.state.repos["space", "acme/labeling"]
