"""
Learners: what is trained on the labelled texts and scores the pool.

`frozen` embeds every text once and fits a logistic head; `setfit` fine-tunes the encoder before; `finetune` trains a
whole `transformers` classifier.
"""

from rarecase.learn.hyperparameters import FitOptions
from rarecase.learn.learner import Learner
from rarecase.learn.make import load_learner, make_learner

__all__ = ["FitOptions", "Learner", "load_learner", "make_learner"]
