"""A trained model as a file that runs without polymodal: ONNX, ExecuTorch, torch.export."""
