"""Reddit dumps: what is read, what is skipped, what is drawn, and in how much memory."""

import io
import json
import tracemalloc
from collections import Counter

import numpy as np
import pytest
import zstandard

from rarecase.core.errors import DataError
from rarecase.data.pool import make_pool
from rarecase.data.read import read_table
from rarecase.data.read.reddit import Reservoir, is_dump, posts


def post(id_: str, title: str, subreddit: str = "cooking", **others: object) -> dict[str, object]:
    body = {"selftext": "a body", "author": "somebody", "score": 3}
    return {"id": id_, "title": title, "subreddit": subreddit, **body, **others}


def pack(records, *, window: int = 31) -> bytes:
    """As the dumps are: a stream of unknown length with a window of 2 GiB."""
    settings = zstandard.ZstdCompressionParameters.from_level(3, window_log=window, enable_ldm=True)
    packed = io.BytesIO()
    with zstandard.ZstdCompressor(compression_params=settings).stream_writer(packed, closefd=False) as writer:
        for record in records:
            writer.write(json.dumps(record).encode() + b"\n")
    return packed.getvalue()


def read(path):
    return read_table(path, split="train", labeled=False)


def test_a_dump_with_its_long_window_gives_titles_and_subreddits_and_no_author(tmp_path):
    path = tmp_path / "RS_2023-01.zst"
    path.write_bytes(pack([post("a", "Soup?"), post("b", "Café – 🐢", "Tea")]))
    with pytest.raises(zstandard.ZstdError, match="too much memory"):  # the default limit refuses it
        zstandard.ZstdDecompressor().stream_reader(path.open("rb")).read()
    found = read(path)
    assert found.to_dict() == {
        "id": ["a", "b"],
        "text": ["Soup?", "Café – 🐢"],
        "label": [None, None],
        "source": ["cooking", "Tea"],
    }


@pytest.mark.parametrize(
    "taken_back",
    [
        {"title": "[deleted]"},
        {"title": "[deleted by user]"},
        {"title": "[ Removed by Reddit ]"},
        {"selftext": "[removed]"},
        {"selftext": "[deleted]"},
        {"author": "[deleted]"},
    ],
)
def test_what_was_taken_back_is_skipped_and_counted(tmp_path, taken_back):
    path = tmp_path / "RS_2023-01.zst"
    path.write_bytes(pack([post("a", "Soup?"), {**post("b", "Stew?"), **taken_back}, post("c", "What is [removed]?")]))
    assert read(path)["id"][:] == ["a", "c"]
    pool, counts = make_pool([path])
    assert pool["id"][:] == ["a", "c"]
    assert (counts.read, counts.taken_back, counts.kept) == (3, 1, 2)


def test_only_the_wanted_subreddits_are_kept_in_any_case_of_letters(tmp_path):
    path = tmp_path / "RS_2023-01.zst"
    path.write_bytes(pack([post("a", "Soup", "Cooking"), post("b", "Taxes", "tax"), post("c", "Pu-erh", "tea")]))
    pool, counts = make_pool([path], wanted=["COOKING", "Tea"])
    assert pool["source"][:] == ["Cooking", "tea"]
    assert counts.other_sources == 1
    with pytest.raises(DataError, match="no post is left of the 3"):
        make_pool([path], wanted=["cokking"])


def different(number: int) -> str:
    """A title unlike every other."""
    return np.random.default_rng(number).bytes(20).hex()


def test_the_sample_of_a_source_hangs_on_the_seed_and_on_no_other_source(tmp_path):
    path, more = tmp_path / "RS_2023-01.zst", tmp_path / "RS_2023-02.zst"
    tea = [post(f"t{place}", different(place), "tea") for place in range(200)]
    soup = [post(f"s{place}", different(1000 + place), "Soup") for place in range(50)]
    path.write_bytes(pack(tea))
    more.write_bytes(pack(soup))
    alone, counts = make_pool([path], per_source=20, seed=3)
    assert counts.beyond_sample == 180
    both, _ = make_pool([more, path], per_source=20, seed=3)
    assert Counter(both["source"][:]) == {"tea": 20, "Soup": 20}
    assert both["id"][20:] == alone["id"][:]
    assert alone["id"][:] == sorted(alone["id"][:], key=lambda id_: int(id_[1:]))  # the order in which they came
    assert make_pool([path], per_source=20, seed=4)[0]["id"][:] != alone["id"][:]


def test_two_dumps_share_one_reservoir(tmp_path):
    for month in (1, 2):
        records = [post(f"{month}-{place}", different(1000 * month + place)) for place in range(100)]
        (tmp_path / f"RS_2023-0{month}.zst").write_bytes(pack(records))
    pool, _ = make_pool([tmp_path], per_source=40)
    assert len(pool) == 40
    months = Counter(id_[0] for id_ in pool["id"][:])
    assert min(months.values()) >= 8  # 20 expected; under 8 has a chance below one in a million


def test_every_row_is_drawn_with_the_same_chance():
    drawn = Counter()
    for seed in range(2000):
        reservoir = Reservoir[int](5, seed)
        for row in range(20):
            reservoir.offer("tea", row)
        drawn.update(reservoir.rows())
    counts = np.array([drawn[row] for row in range(20)])
    assert counts.sum() == 2000 * 5
    assert np.sum((counts - 500) ** 2 / 500) < 43.8  # chi-square, 19 degrees of freedom, one in a thousand


def test_a_dump_many_times_larger_than_the_memory_it_takes(tmp_path):
    path = tmp_path / "RS_2023-01.zst"
    body = "z" * 1000
    records = (post(str(place), different(place % 500), selftext=body) for place in range(40_000))
    path.write_bytes(pack(records, window=20))
    tracemalloc.start()
    reservoir = Reservoir(100, seed=0)
    for entry in posts(path):
        reservoir.offer(entry.source, entry)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(reservoir.rows()) == 100
    assert peak < 20e6  # of 46 MB


def test_a_broken_line_is_an_error_with_its_number_and_without_its_text(tmp_path):
    path = tmp_path / "RS_2023-01.zst"
    lines = json.dumps(post("a", "Soup?")) + '\n{"id": "b", "title": "my neighbour\n'
    path.write_bytes(zstandard.ZstdCompressor().compress(lines.encode()))
    with pytest.raises(DataError, match=r"RS_2023-01\.zst line 2: invalid JSON") as caught:
        read(path)
    assert "neighbour" not in str(caught.value)
    path.write_bytes(pack([post("a", "Soup?")] * 1000)[:-20])
    with pytest.raises(DataError, match="truncated"):
        read(path)


def test_half_an_emoji_in_a_dump_is_replaced(tmp_path):
    path = tmp_path / "RS_2023-01.zst"
    path.write_bytes(pack([post("a\ud83d", "Soup \ud83d", "b\ud83d")]))
    assert [read(path)[name][:] for name in ("id", "text", "source")] == [["a�"], ["Soup �"], ["b�"]]


def test_a_dump_is_known_by_its_name_and_keys(tmp_path):
    dump = tmp_path / "RS_2023-01.jsonl"
    dump.write_text(json.dumps(post("a", "Soup?")) + "\n", encoding="utf-8")
    plain = tmp_path / "RS_posts.jsonl"
    plain.write_text('{"id": "a", "text": "Soup?"}\n', encoding="utf-8")
    other = tmp_path / "posts.zst"
    other.write_bytes(b"")
    assert [is_dump(path) for path in (dump, plain, other)] == [True, False, False]
    assert read(dump)["text"][:] == read(plain)["text"][:] == ["Soup?"]
