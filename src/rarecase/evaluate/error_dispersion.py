"""
How unevenly a classifier errs, as a module of `evaluate`: Table 8 of Hassan, Sicilia and Alikhani (2024).

`evaluate.load` takes the path of this file and downloads nothing. The formulas are those of `rarecase.evaluate`.
"""

from typing import Any

import datasets
import evaluate
import numpy as np

from rarecase.data.counts import class_count_std
from rarecase.evaluate.metrics import error_rates, error_std

_DESCRIPTION = """
The sample standard deviation (ddof 1) of the per-class error rates, in percentage points, over the classes that have
rows: the smaller, the more evenly the errors fall on common and on rare classes. Beside it, that of the class counts.
"""

_INPUTS = """
Args:
    predictions (`list[int]`): the predicted classes, shape `(rows,)`.
    references (`list[int]`): the true classes, shape `(rows,)`.
    classes (`int`): how many classes there are, those without any row included.

Returns:
    `dict`: `error_std` (percentage points), `class_count_std` (rows), `error_rates` (percent, None for a class
    without any row) and `class_counts`, both in the order of the classes.

Example:
    >>> import evaluate, rarecase
    >>> from pathlib import Path
    >>> metric = evaluate.load(str(Path(rarecase.__file__).parent / "evaluate" / "error_dispersion.py"))
    >>> metric.compute(predictions=[0, 1, 1, 1], references=[0, 0, 1, 1], classes=2)["error_rates"]
    [50.0, 0.0]
"""

_CITATION = """
@inproceedings{hassan-etal-2024-active,
    title = "Active Learning for Robust and Representative {LLM} Generation in Safety-Critical Scenarios",
    author = "Hassan, Sabit and Sicilia, Anthony and Alikhani, Malihe",
    booktitle = "Proceedings of the 1st Workshop on Customizable NLP (CustomNLP4U)",
    year = "2024",
    pages = "113--123",
}
"""


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _INPUTS)
class ErrorDispersion(evaluate.Metric):
    """The standard deviation of per-class error rates and of class counts."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=datasets.Features(
                {"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}
            ),
        )

    def _compute(self, predictions: list[int], references: list[int], classes: int) -> dict[str, Any]:
        rates = error_rates(references, predictions, classes)
        counts = np.bincount(np.asarray(references, int), minlength=classes).tolist()
        return {
            "error_std": error_std(rates),
            "class_count_std": class_count_std(dict(enumerate(counts))),
            "error_rates": [None if np.isnan(rate) else float(rate) for rate in rates],
            "class_counts": counts,
        }
