"""What could be found: the best ranking of a set, by a model that learned from labels which no strategy sees."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict


def likeness(vectors: np.ndarray, own: np.ndarray, seed: int) -> np.ndarray:
    """How much each text is like those of the class, learned from all others in five folds; shape `(texts,)`."""
    ranker = LogisticRegression(C=1.0, class_weight="balanced", max_iter=1000)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    return cross_val_predict(ranker, vectors, own, cv=folds, method="decision_function")


def found_first(scores: np.ndarray, own: np.ndarray, share: float) -> int:
    """How many of the class are among the first `share` of the ranking."""
    return int(own[np.argsort(-scores)[: round(share * len(own))]].sum())
