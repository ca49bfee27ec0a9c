"""
Which texts to have labelled: strategies, and what they are made of.

- `strategies`: `random`, `entropy`, `coreset` (by `kcenter`) and `cluster`, the four of the paper
- `uncertainty`: `least_confidence`, `margin` and `bald`
- `badge`: `badge` (by `seeding`)
- `contrast`: `contrastive` and `disagreement`
- `diversity`: `typiclust` and `probcover`
- `rare`: `rare`
- `anchors`: what `anchors-NAME` wraps around any of them

`find` gives a strategy by its name, `stopping` says when to stop asking. `embed` and `clusters` make columns that
strategies read; `measures`, `neighbours` and `picks` are what several of them share.
"""
