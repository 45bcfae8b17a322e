"""Assess an archive of photos into one Parquet table: in blocks that are kept as they come, so that a run goes on."""
