"""Checkpoint -> network -> ONNX and spec -> engine: all of build time. The run time never imports this package."""
