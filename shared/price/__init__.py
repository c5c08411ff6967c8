"""The price forecast: market data, its features and the forecast itself, as pure values.

The agent (inference), the model's training and the tests import this package, so that the features
are the same code at the edge and in training; no numpy, no I/O, no clock. A new feature is one row
in `features.FEATURES`; the model must then be trained again, for its manifest names the features in
their order.
"""
