"""Runs local ONNX models at the edge: loads what its manifest names, nothing else.

Only the agent imports this package. `loader` checks and opens a model file, `price` turns market
history into a forecast. onnxruntime is imported when a model is loaded, so that an agent without a
model never pays for it. Another model is one more module here beside its folder under `models`.
"""
