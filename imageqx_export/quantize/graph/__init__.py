"""The network as a torch.fx graph: captured, annotated, built with a recipe's integers, simulated."""
