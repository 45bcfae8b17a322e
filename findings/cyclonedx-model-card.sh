#!/usr/bin/env bash
# cyclonedx-python-lib loses the model card of a machine-learning bill of materials, and the result is still valid.
#
# Guess:   reading a valid CycloneDX 1.6 document and writing it out again keeps what it says, or says what it does not
#          know; the library has the type "machine-learning-model" and the schema of 1.6.
# Happens: Bom.from_json drops modelCard (task, training data, AUROC, limitations), the data of a data set and the
#          compositions. It says so at the level DEBUG alone. The strict validator is content with the document before and
#          after: none of the three is required.
# Matters: tools that merge, sign or add a hash to a bill of materials read and write it so. What makes it one of a model is
#          gone, and the file that is published passes every check.
# Do:      change such documents as JSON, and count modelCard before and after.
#
# Seen on 2026-11-30, Python 3.11, cyclonedx-python-lib 11.12.0:
#   machine-learning-model read and written: lost modelCard; kept bom-ref, hashes, name, type, version
#   data read and written: lost data; kept bom-ref, name, type
#   lost in all: modelCard, data, compositions; valid before: True; valid after: True; said of it: nothing
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps cyclonedx-python-lib==11.12.0 \
    license-expression==30.4.4 packageurl-python==0.17.6 py-serializable==2.2.0 defusedxml==0.7.1 \
    sortedcontainers==2.4.0 typing-extensions==4.16.0 boolean.py==5.0 jsonschema==4.26.0 referencing==0.37.0 \
    rpds-py==2026.9.1 attrs==26.1.0 jsonschema-specifications==2025.9.1

venv/bin/python - <<'PY'
import importlib.metadata
import json
import logging
import sys
import warnings

from cyclonedx.model.bom import Bom
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

print("cyclonedx-python-lib", importlib.metadata.version("cyclonedx-python-lib"))
model = {
    "type": "machine-learning-model", "bom-ref": "model", "name": "lesions", "version": "1.0",
    "hashes": [{"alg": "SHA-256", "content": "0" * 64}],
    "modelCard": {
        "modelParameters": {"task": "classification", "datasets": [{"ref": "photos"}]},
        "quantitativeAnalysis": {"performanceMetrics": [{"type": "AUROC", "value": "0.91"}]},
        "considerations": {"technicalLimitations": ["dark photos"]},
    },
}
photos = {
    "type": "data", "bom-ref": "photos", "name": "photos",
    "data": [{"type": "dataset", "name": "training", "contents": {"url": "https://example.org/photos"}}],
}
document = {
    "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": [model, photos],
    "compositions": [{"aggregate": "complete", "assemblies": ["model"]}],
}


def is_valid(text):
    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


said = []
handler = logging.Handler()
handler.emit = said.append
logging.getLogger().addHandler(handler)
logging.getLogger().setLevel(logging.INFO)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    written = JsonV1Dot6(Bom.from_json(document)).output_as_string()
words = [str(warning.message) for warning in caught] + [record.getMessage() for record in said]
after = json.loads(written)
found = {component["type"]: component for component in after["components"]}
lost = []
for before in (model, photos):
    kept = found[before["type"]]
    gone = [key for key in before if key not in kept]
    lost += gone
    print(f"{before['type']} read and written: lost {', '.join(gone) or 'nothing'}; kept {', '.join(sorted(kept))}")
lost += [key for key in document if key not in after]
valid = is_valid(json.dumps(document)), is_valid(written)
print(f"lost in all: {', '.join(lost) or 'nothing'}; valid before: {valid[0]}; valid after: {valid[1]}; "
      f"said of it: {'; '.join(words) or 'nothing'}")
if lost != ["modelCard", "data", "compositions"]:
    sys.exit("no longer seen: modelCard, data and compositions are lost")
if valid != (True, True) or words:
    sys.exit("changed: the loss is said, or the validator sees it")
PY
