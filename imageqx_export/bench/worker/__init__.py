"""What runs in a process of its own, on any target: it stands alone, as it is copied to phones."""
