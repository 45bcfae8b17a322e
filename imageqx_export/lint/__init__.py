"""What in a model file keeps phones' accelerators from taking it, or from computing it right, without running it."""
