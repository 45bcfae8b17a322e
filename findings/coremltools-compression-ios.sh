#!/usr/bin/env bash
# coremltools raises the oldest iOS of a package from 15 to 16 when it compresses the weights, without a word.
#
# Guess:   a minimum_deployment_target that was asked for is kept, or it is said that it cannot be.
# Happens: linear_quantize_weights, palettize_weights and prune_weights return a package of specification version 7
#          (iOS 16) for one of version 6 (iOS 15), with no warning and nothing logged.
# Matters: a phone on iOS 15 refuses the smaller file when it is opened, after the app is in the store; the float file,
#          which was tested there, opens.
# Do:      read specificationVersion from the file that ships, and write the iOS that it needs beside it.
#
# Seen on 2026-11-30, x86-64, Python 3.11:
#   coremltools 9.0: as converted: version 6, iOS 15
#   coremltools 9.0: linear_quantize_weights: version 7, iOS 16
#   coremltools 9.0: palettize_weights: version 7, iOS 16
#   coremltools 9.0: prune_weights: version 7, iOS 16
#   coremltools 9.0: said of it: nothing
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps coremltools==9.0 numpy==2.3.5 \
    attrs==26.1.0 cattrs==26.2.1 mpmath==1.3.0 packaging==26.4 protobuf==7.36.2 pyaml==26.7.0 pyyaml==6.0.4 \
    sympy==1.14.0 tqdm==4.70.1 typing-extensions==4.16.0

cat > compress.py <<'PY'
import logging
import sys
import warnings

logged: list[str] = []


class Keep(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        logged.append(record.getMessage())


import coremltools as ct  # noqa: E402
import coremltools.optimize.coreml as compress  # noqa: E402
import numpy as np  # noqa: E402
from coremltools.converters.mil import Builder  # noqa: E402

weight = np.random.default_rng(0).normal(size=(64, 64, 3, 3)).astype(np.float32)


@Builder.program(input_specs=[Builder.TensorSpec((1, 64, 32, 32))], opset_version=ct.target.iOS15)
def program(x):
    return Builder.conv(x=x, weight=weight, pad_type="same", name="y")


float32 = ct.convert(program, minimum_deployment_target=ct.target.iOS15, skip_model_load=True)
logging.getLogger().addHandler(Keep())
ways = {
    "linear_quantize_weights": compress.OpLinearQuantizerConfig(mode="linear_symmetric"),
    "palettize_weights": compress.OpPalettizerConfig(nbits=4, mode="uniform"),
    "prune_weights": compress.OpMagnitudePrunerConfig(target_sparsity=0.6),
}
found = {"as converted": float32.get_spec().specificationVersion}
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    for name, config in ways.items():
        smaller = getattr(compress, name)(float32, compress.OptimizationConfig(global_config=config))
        found[name] = smaller.get_spec().specificationVersion
said = [text for text in [*map(str, (one.message for one in warned)), *logged] if "iOS" in text or "specification" in text]
systems = {6: "iOS 15", 7: "iOS 16"}
for name, version in found.items():
    print(f"coremltools {ct.__version__}: {name}: version {version}, {systems.get(version, 'another')}")
print(f"coremltools {ct.__version__}: said of it: {said or 'nothing'}")
if list(found.values()) != [6, 7, 7, 7] or said:
    sys.exit("no longer seen: compressed weights take a package from iOS 15 to 16, and nothing is said")
PY
venv/bin/python compress.py 2>compress.err || { tail -5 compress.err >&2; exit 1; }
if grep -iE 'ios ?1[56]|specification|deployment' compress.err >&2; then
    echo "no longer seen: it is said on standard error" >&2
    exit 1
fi
