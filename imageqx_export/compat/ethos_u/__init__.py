"""Arm's Ethos-U: the Vela compiler, and TOSA's reference model for the integers."""
