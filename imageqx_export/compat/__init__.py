"""An artifact on something else than this machine's CPU: phones' accelerators, by their own compilers."""
