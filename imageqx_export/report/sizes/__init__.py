"""Where a file's bytes are, and what changed."""
