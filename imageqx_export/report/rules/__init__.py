"""The rules by which a report decides what regressed."""
