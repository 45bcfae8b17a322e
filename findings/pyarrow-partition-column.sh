#!/usr/bin/env bash
# A data set of pyarrow takes a column's values from a folder's name, where the files have that column themselves.
#
# Guess:   partitioning="hive" adds the column "site" that a path such as site=north/a.parquet names. Where a file has a
#          column "site" of its own, that one is read, or the two are refused as a contradiction.
# Happens: every value of the file's own column is replaced by the folder's, in silence, if the types are the same, as
#          two texts are; a filter for a value that is in the files finds no row. Where they differ (the file's whole
#          numbers have 64 bits, a folder's 32) it is an error, so that a test with numbers may pass. The file by
#          itself, or the same folder without partitioning, gives what was written.
# Matters: tables of photos are split by site, split or date, and keep that column for whoever has one file alone. A
#          file that was moved or renamed into another folder, or a column of the same name that means something else
#          (the site of the lesion), is overwritten when it is read.
# Do:      read single files with ParquetFile(path).read(); drop the column before a partitioned write, as
#          write_dataset does; or compare one file's column with the data set's.
#
# Seen on 2026-11-30, x86-64, Python 3.11 (rows of site=north/a.parquet):
#   pyarrow 26.0.1, the file itself:         ['arm', 'leg']
#   pyarrow 26.0.1, the folder:              ['arm', 'leg']
#   pyarrow 26.0.1, partitioning="hive":     ['north', 'north']
#   pyarrow 26.0.1, its rows where site is arm: 0
#   pyarrow 26.0.1, numbers of 64 bits and a folder's of 32: ArrowTypeError
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps pyarrow==26.0.1

venv/bin/python -W error - <<'PY'
import os
import sys

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq


def read(place, **how):
    return ds.dataset(place, **how).to_table()["site"].to_pylist()


os.makedirs("text/site=north")
pq.write_table(pa.table({"photo": ["a.jpg", "b.jpg"], "site": ["arm", "leg"]}), "text/site=north/a.parquet")
os.makedirs("number/site=3")
pq.write_table(pa.table({"photo": ["a.jpg", "b.jpg"], "site": [1, 2]}), "number/site=3/a.parquet")

own = pq.ParquetFile("text/site=north/a.parquet").read()["site"].to_pylist()
plain, hive = read("text"), read("text", partitioning="hive")
arms = ds.dataset("text", partitioning="hive").count_rows(filter=ds.field("site") == "arm")
try:
    number = str(read("number", partitioning="hive"))
except pa.ArrowTypeError as error:
    number = type(error).__name__
name = f"pyarrow {pa.__version__}"
print(f"{name}, the file itself:         {own}")
print(f"{name}, the folder:              {plain}")
print(f'{name}, partitioning="hive":     {hive}')
print(f"{name}, its rows where site is arm: {arms}")
print(f"{name}, numbers of 64 bits and a folder's of 32: {number}")
if own != ["arm", "leg"] or plain != own:
    sys.exit("changed: what was written is not read without partitioning either")
if hive != ["north", "north"] or arms != 0:
    sys.exit("no longer seen: the folder's name replaces a column of the file")
if number != "ArrowTypeError":
    sys.exit("changed: columns of other types are no longer refused")
PY
