"""Core ML: the exporter, and how MIL says what is quantized."""
