"""An exported model run by ONNX Runtime: no PyTorch, a fraction of a second to start."""

from polymodal.onnx_runner.onnx_predictor import OnnxPredictor

__all__ = ["OnnxPredictor"]
