"""The documentation's site: what is staged, generated, built, served and checked."""
