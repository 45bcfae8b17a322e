"""What other people's tools make of the same checkpoint at their best, each in an environment of its own."""
