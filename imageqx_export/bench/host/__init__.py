"""The host as a target: the machine that the command runs on."""
