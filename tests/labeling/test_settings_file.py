"""`labeling.json` of a Space, which may be somebody else's."""

import pytest

from rarecase.core.errors import RarecaseError
from rarecase.labeling.store.settings import SpaceFile

OUT_OF_RANGE = ['{"votes": 0}', '{"lease": -1.5}', '{"calibrate_every": -1}', '{"consensus": "majorty"}']


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        '{"votes": "x"}',
        '{"lease": null}',
        '{"calibrate_every": 1.5}',
        "[]",
        f'{{"{"7" * 5000}": 1}}',
        *OUT_OF_RANGE,
    ],
)
def test_what_is_no_file_of_ours_is_one_line(content):
    with pytest.raises(RarecaseError, match=r"^labeling\.json[^\n]{1,200}$"):
        SpaceFile.parse(content.encode())
