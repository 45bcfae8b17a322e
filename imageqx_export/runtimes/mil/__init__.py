"""Core ML anywhere: MIL programs evaluated with torch."""
