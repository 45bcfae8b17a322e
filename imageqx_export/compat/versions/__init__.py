"""Artifacts × versions of runtimes: where the same file gives the same answer, and where it does not."""
