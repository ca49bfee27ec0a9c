"""
A fitted learner in front of a language model: texts in, verdicts out.

`normalize.py` undoes what hides a text from a classifier, `windows.py` cuts long texts, and `guard.py` scores them and
compares with the threshold of each class.
"""
