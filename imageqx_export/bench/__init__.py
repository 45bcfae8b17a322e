"""Measure artifacts: size, latency, memory and instructions, here, on emulated phones and on attached ones."""
