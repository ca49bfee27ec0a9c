"""Models, encoders and endpoints that cannot be used."""

from bad_input.cases import Case, ask, run

MODELS = [
    Case(
        "model without weights",
        run(model="model-weightless"),
        r"model-weightless: no weights in it, expected model\.safe",
    ),
    Case("encoder without weights", run(encoder="model-weightless"), r"model-weightless: no weights in it, expected"),
    Case(
        "pickled weights",
        run(model="model-pickled"),
        r"model-pickled: only pickled weights.*expected safetensors: save",
    ),
    Case(
        "own code",
        run(model="model-own-code"),
        r"model-own-code: config\.json names code .*\(auto_map\).*give a model",
    ),
    Case("truncated weights", run(model="model-cut"), r"model-cut: cannot be loaded: .*"),
    Case(
        "NaN in embeddings",
        run(encoder="model-nan", strategy="coreset"),
        r"encoder model-nan: the vector of row 0 .*give",
    ),
    Case(
        "NaN in embeddings of the learner",
        run(model="model-nan"),
        r"encoder model-nan: .* is not finite; give another",
    ),
    Case(
        "NaN in weights",
        run(model="model-nan", learner="finetune"),
        r"model-nan: the training loss is not finite; .*give",
    ),
    Case(
        "no such model",
        run(model="absent/model"),
        r"absent/model: neither a folder nor in the cache.*give a model folder",
    ),
    Case(
        "no such model, and a Hub that is dead",
        run(model="absent/model"),
        r"absent/model: neither a folder nor in the cache, and the Hub cannot be reached; give a model folder",
        environment={"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "{dead}"},
    ),
    Case(
        "dead endpoint", ask("{dead}/v1"), r"http://127\.0\.0\.1:\d+/v1: no answer; start the server .*--generator-url"
    ),
    Case("endless endpoint", ask("{endless}/v1"), r"http://\S+: the reply is longer than 4 MiB; --generator-url"),
    Case("endpoint of HTML", ask("{html}"), r"http://\S+: the reply is not JSON; --generator-url takes the address"),
    Case("endpoint that refuses", ask("{refusing}"), r"http://\S+: rejects the key \(401\); set OPENAI_API_KEY"),
    Case(
        "endpoint elsewhere",
        ask("https://example.com/v1"),
        r"posts would leave this machine for example\.com; add --send-to",
    ),
    Case("no address", ask("example"), r"--generator-url 'example' is not an address; expected http"),
    Case("no endpoint", run(generator="openai"), r"--generator openai needs --generator-url \(or --generator none"),
    Case(
        "replay of no variations",
        run(generator="replay", generator_data="dev.csv"),
        r"--generator-data dev\.csv: column 'parent_id' is missing.*expected a table of variations",
    ),
]
