#!/usr/bin/env bash
# Ray tells of a lost worker on the driver's standard output, whatever its logging was set to.
#
# Guess:   with log_to_driver=False and logging_level=ERROR a driver's standard output has what the program prints; a worker
#          that is lost and whose task is done again by another is at most a line on standard error.
# Happens: "(raylet) Task ... failed. There are 3 retries remaining, ..." is printed on standard output, between the
#          program's own lines. log_to_driver is about the workers' own output; the messages of Ray's daemons come by
#          another thread, which prints them as output and asks neither setting.
# Matters: a program whose output is JSON Lines or CSV for the next one is broken by a spot instance that was taken away,
#          though its result is right and its exit code 0: on a quiet day no test sees it.
# Do:      give sys.stdout to standard error while Ray is up, and print rows on the real one.
#
# Seen on 2026-11-30, x86-64, Python 3.11, ray 2.60.0:
#   3 lines of standard output: "(raylet) A worker died or was killed while executing a task ...", "(raylet) Task double
#   failed. There are 3 retries remaining ..." and the program's {"doubled": 42}
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps ray==2.60.0 click==8.5.1 filelock==4.2.11 \
    jsonschema==4.26.0 attrs==26.1.0 referencing==0.37.0 rpds-py==2026.9.1 jsonschema-specifications==2025.9.1 \
    msgpack==1.2.4 packaging==26.3 protobuf==7.36.2 pyyaml==6.0.3 requests==2.34.2 certifi==2026.10.18 idna==3.20 \
    urllib3==2.8.0 charset-normalizer==3.5.2 typing-extensions==4.12.2

cat >driver.py <<'PY'
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path

import ray

ray.init(num_cpus=1, include_dashboard=False, object_store_memory=80 * 2**20, log_to_driver=False,
         logging_level=logging.ERROR, _temp_dir=sys.argv[1])


@ray.remote(max_retries=3)
def double(value: int, mark: str) -> int:
    try:
        Path(mark).touch(exist_ok=False)
    except FileExistsError:
        return 2 * value
    os.kill(os.getpid(), signal.SIGKILL)  # the first time, as a machine that is taken away would
    return 0


print(json.dumps({"doubled": ray.get(double.remote(21, sys.argv[1] + "/mark"))}), flush=True)
time.sleep(3)
ray.shutdown()
PY
RAY_USAGE_STATS_ENABLED=0 venv/bin/python -W ignore driver.py "$work" >stdout 2>stderr
venv/bin/python - <<'PY'
import importlib.metadata
import re
import sys
from pathlib import Path

lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in Path("stdout").read_text().splitlines() if line.strip()]
print(f"ray {importlib.metadata.version('ray')}: {len(lines)} lines of standard output")
for line in lines:
    print(f"  {line[:110]}")
if '{"doubled": 42}' not in lines:
    sys.exit("no longer seen: the task's result is not printed")
if not any("raylet" in line for line in lines):
    sys.exit("no longer seen: standard output has the program's own line alone")
PY
