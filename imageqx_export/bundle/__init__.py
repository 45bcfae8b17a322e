"""What an export wrote: manifest, golden files, names; parity, bench, report, releases and apps read it."""
