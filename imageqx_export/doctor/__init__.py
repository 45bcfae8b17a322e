"""Say what this machine can do of what the package offers, and how to close each gap."""
