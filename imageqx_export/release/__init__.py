"""Releases: a tree of plain files that The Update Framework signs, which apps' own tools can pull from and trust."""
