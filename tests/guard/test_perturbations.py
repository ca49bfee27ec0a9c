"""What writes a text in another way is undone, however it was drawn; how much that matters is in `test_published`."""

import pytest
import small
from perturbations import LATER, UNDONE, perturbed

from rarecase.guard.normalize import normalize

# Of the look-alikes of `l` and `o` some are a capital or a digit in a style of their own, which are read as such.
RESTORED = {"look-alike": 0.75}


@pytest.mark.parametrize("kind", [*UNDONE, *LATER])
def test_most_texts_read_as_before(kind):
    texts = small.table("pool")["text"][:] + small.table("test")["text"][:]
    read = [normalize(text).text for text in perturbed(kind, texts)]
    same = [" ".join(a.lower().split()) == " ".join(b.lower().split()) for a, b in zip(texts, read, strict=True)]
    changed = [a != b for a, b in zip(texts, perturbed(kind, texts), strict=True)]
    assert all(changed)
    assert sum(same) / len(same) >= RESTORED.get(kind, 0.95)


def test_texts_that_nobody_hid_stay_as_they_are():
    texts = [text for name in ("pool", "bootstrap", "dev", "test") for text in small.table(name)["text"][:]]
    assert [normalize(text).text for text in texts] == texts
