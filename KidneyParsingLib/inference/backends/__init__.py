"""What computes a network: torch everywhere, OpenVINO or ONNX Runtime on a CPU where they are installed and faster."""
