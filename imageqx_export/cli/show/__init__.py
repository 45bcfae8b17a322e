"""Print results: one file per command or group of commands, one console for all."""
