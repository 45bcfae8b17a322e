"""Read each kind of file into one kind of graph; what is malformed is refused by name."""
