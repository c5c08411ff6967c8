"""The price model: training, evaluation, its card, the ONNX file and the manifest of hashes.

Only training, evaluation and tests import this package; the agent reads the files beside it and
never imports the code. The features are in `shared.price`. Another recipe is a change in
`recipe.py`, then `python -m models.price.train` and new figures in MODEL_CARD.md.
"""
