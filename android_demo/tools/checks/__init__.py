"""One file a proof, each with what must fail."""
