"""The certificate of a model on its card."""

from dataclasses import replace
from pathlib import Path

import certified
import first_layout
import pytest
import releases
import small
from small import NAMES

from rarecase.core.errors import ModelError
from rarecase.core.markdown import plain
from rarecase.guard.certificate import Certificate, ClassCertificate, Difference, Rate, Rows, Windows, model_sha256
from rarecase.guard.guard import PREPROCESSING
from rarecase.guard.wording import explained
from rarecase.publish.model import model_files
from rarecase.runs.train import train
from rarecase.settings.config import TrainConfig


def card_of(folder: Path) -> str:
    return model_files(folder, repo_id="acme/guard", license="mit")["README.md"].decode()


def test_a_certificate_is_published_and_stands_on_the_card_in_plain_words(tmp_path):
    folder = tmp_path / "guard"
    train(str(releases.write(tmp_path / "data")), TrainConfig(config_name="bootstrap", out=folder))
    assert "Its thresholds are not certified" in card_of(folder)
    rate = Rate(0.1, 0.05, 0.15)
    found = ClassCertificate(0.9, 0.25, 200, 12, 0.901, Windows(198, 2), rate, rate, None)
    refused = replace(found, threshold=None, alarm_rate=None, alarm_harmless=None, misses=0, refused="only 6")
    rows = Rows(drawn=2000, labelled=1990, uses=1, ids_sha256="0" * 64, known=True)
    measured = (Difference("batches of one", 0.0001),)
    classes = {"self-harm": found, "legal-advice": refused}
    model = (PREPROCESSING, model_sha256(folder, NAMES), "fp32", "torch", 1.0)
    certificate = Certificate(0.95, 0.2, *model, measured, classes, ("medical-advice",), rate, rate, rows)
    certificate.write(folder)
    files = model_files(folder, repo_id="acme/guard", license="mit")
    card = files["README.md"].decode()
    assert files["certificate.json"] == folder / "certificate.json"
    section = card.partition("## Certificate\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("- ")]
    assert lines == [f"- {plain(line)}" for line in explained(certificate)]
    assert "self-harm: recall at least 0.901 at the threshold 0.25 (in the sample 12 or fewer of 200 score" in section
    assert "legal-advice: refused, only 6" in section
    assert "medical-advice: not asked for, so nothing is promised" in section
    assert "at the thresholds of `rarecase.json`, which are not those of the certificate, it also judged" in card
    assert "`SentenceTransformer` and `handler.py` do none of this, so nothing here holds for them." in section
    assert "Recall is measured against what the people said who labelled these rows. It holds only if" in section
    assert "Its thresholds are not certified" not in card
    replace(certificate, classes={"legal-advice": refused}).write(folder)
    card = card_of(folder)
    assert "- Nothing is certified; every class keeps its old, uncertified threshold" in card
    assert "Its thresholds are not certified" in card
    assert "Recall is measured against" not in card
    (folder / "certificate.json").write_text("{}")
    with pytest.raises(ModelError, match=r"certificate\.json: of another format"):
        model_files(folder, repo_id="acme/guard", license="mit")


def test_a_certificate_that_is_not_of_what_is_published_is_refused(tmp_path):
    folder = certified.write(small.model(tmp_path / "guard"), {"self-harm": 0.3})
    old = certified.write(first_layout.write(folder, tmp_path / "old"), {"self-harm": 0.3})
    with pytest.raises(ModelError, match=r"old: certificate\.json is of the files of an old layout; save the learner"):
        model_files(old, repo_id="acme/guard", license="mit")
    assert "certificate.json" in model_files(folder, repo_id="acme/guard", license="mit")
    made = Certificate.read(folder)
    assert made
    for change, reason in (
        ({"model_sha256": "0" * 64}, "of other weights or classes; calibrate again with `rarecase guard calibrate`"),
        ({"preprocessing": "another"}, r"of another preprocessing \(another, today's is "),
    ):
        replace(made, **change).write(folder)
        with pytest.raises(ModelError, match=f"guard: certificate.json is {reason}"):
            model_files(folder, repo_id="acme/guard", license="mit")
