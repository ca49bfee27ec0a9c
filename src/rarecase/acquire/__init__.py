"""
Strategies: which texts to have labelled next.

A file for each strategy or family: `random`, `uncertainty` (`entropy`, `least_confidence`, `margin`, `bald`),
`coreset`, `clusters` (`assign_clusters` and `cluster`), `badge`, `contrastive`, `disagreement`, `typiclust`,
`probcover`, `rare` (and `rare_first`); `anchors` wraps any of them. `strategy` says what a strategy is, `find` gives
one by its name, `stopping` says when to stop. `selection`, `neighbours` and `kmeans_plusplus` are what several
strategies share.
"""
