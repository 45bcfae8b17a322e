from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageqx_export.bench.emulator.kernels import OPCODES, find_chief, list_arguments, sum_work

# As LLVM 14's assembler encodes them: llvm-mc -triple=aarch64 -mattr=+v8.6a,+fp16fml,+fullfp16 -show-encoding.
ASSEMBLED = """
smmla v1.4s, v2.16b, v31.16b | 4e9fa441 | smmla
ummla v1.4s, v2.16b, v31.16b | 6e9fa441 | ummla
usmmla v1.4s, v2.16b, v31.16b | 4e9fac41 | usmmla
usdot v1.4s, v2.16b, v31.16b | 4e9f9c41 | usdot
usdot v1.2s, v2.8b, v31.8b | 0e9f9c41 | usdot-64
usdot v1.4s, v2.16b, v31.4b[3] | 4fbff841 | usdot-element
sudot v1.2s, v2.8b, v31.4b[1] | 0f3ff041 | sudot-element-64
sdot v1.4s, v2.16b, v31.16b | 4e9f9441 | sdot
sdot v1.2s, v2.8b, v31.8b | 0e9f9441 | sdot-64
udot v1.4s, v2.16b, v31.16b | 6e9f9441 | udot
sdot v1.4s, v2.16b, v31.4b[3] | 4fbfe841 | sdot-element
udot v1.2s, v2.8b, v31.4b[2] | 2f9fe841 | udot-element-64
bfmmla v1.4s, v2.8h, v31.8h | 6e5fec41 | bfmmla
bfdot v1.4s, v2.8h, v31.8h | 6e5ffc41 | bfdot
bfdot v1.2s, v2.4h, v31.2h[3] | 0f7ff841 | bfdot-element-64
bfmlalb v1.4s, v2.8h, v31.8h | 2edffc41 | bfmlal
bfmlalt v1.4s, v2.8h, v15.h[7] | 4ffff841 | bfmlal-element
fmla v1.8h, v2.8h, v31.8h | 4e5f0c41 | fmla-half
fmls v1.4h, v2.4h, v31.4h | 0edf0c41 | fmla-half-64
fmla v1.8h, v2.8h, v15.h[7] | 4f3f1841 | fmla-half-element
fmls v1.4h, v2.4h, v15.h[1] | 0f1f5041 | fmla-half-element-64
fmlal v1.4s, v2.4h, v31.4h | 4e3fec41 | fmlal
fmlsl v1.2s, v2.2h, v31.2h | 0ebfec41 | fmlal-64
fmlal2 v1.4s, v2.4h, v31.4h | 6e3fcc41 | fmlal2
fmlal v1.4s, v2.4h, v15.h[7] | 4fbf0841 | fmlal-element
fmlal2 v1.4s, v2.4h, v15.h[7] | 6fbf8841 | fmlal2-element
fmlsl2 v1.2s, v2.2h, v15.h[2] | 2fafc041 | fmlal2-element-64
fmla v1.4s, v2.4s, v31.4s | 4e3fcc41 | fmla
fmls v1.2s, v2.2s, v31.2s | 0ebfcc41 | fmla-64
fmla v1.4s, v2.4s, v31.s[3] | 4fbf1841 | fmla-element
fmls v1.2s, v2.2s, v31.s[0] | 0f9f5041 | fmla-element-64
smull v1.8h, v2.8b, v31.8b | 0e3fc041 | smull-8
umull2 v1.8h, v2.16b, v31.16b | 6e3fc041 | smull-8
smlal v1.8h, v2.8b, v31.8b | 0e3f8041 | smlal-8
umlsl2 v1.8h, v2.16b, v31.16b | 6e3fa041 | smlal-8
smull v1.4s, v2.4h, v31.4h | 0e7fc041 | smull
smlal v1.4s, v2.4h, v31.4h | 0e7f8041 | smlal
umlal2 v1.4s, v2.8h, v31.8h | 6e7f8041 | smlal
smull v1.4s, v2.4h, v15.h[7] | 0f7fa841 | smull-element
smlal v1.4s, v2.4h, v15.h[7] | 0f7f2841 | smlal-element
umlsl2 v1.4s, v2.8h, v15.h[3] | 6f7f6041 | smlal-element
mla v1.16b, v2.16b, v31.16b | 4e3f9441 | mla-8
mla v1.4h, v2.4h, v31.4h | 0e7f9441 | mla-16-64
mla v1.4s, v2.4s, v31.4s | 4ebf9441 | mla-32
mla v1.8h, v2.8h, v15.h[7] | 6f7f0841 | mla-16-element
mls v1.2s, v2.2s, v31.s[3] | 2fbf4841 | mla-32-element-64
fmul v1.4s, v2.4s, v31.s[3] | 4fbf9841 | -
fadd v1.4s, v2.4s, v31.4s | 4e3fd441 | -
smax v1.16b, v2.16b, v31.16b | 4e3f6441 | -
sqdmull v1.4s, v2.4h, v31.4h | 0e7fd041 | -
ldr q0, [x1] | 3dc00020 | -
fmadd s0, s1, s2, s3 | 1f020c20 | -
add x0, x1, x2 | 8b020020 | -
"""
WORDS = [tuple(part.strip() for part in line.split("|")) for line in ASSEMBLED.strip().splitlines()]
ROWS = [m.groups() for row in list_arguments() if (m := re.fullmatch(r"row=([a-z0-9-]+):([0-9a-f]+):([0-9a-f]+)", row))]


def row_of(word: int) -> str:
    """Match as the plugin does: the first row counts."""
    return next((name for name, mask, pattern in ROWS if word & int(mask, 16) == int(pattern, 16)), "-")


def test_the_plugin_can_read_every_row() -> None:
    assert len(ROWS) == len(list_arguments())
    assert len(list_arguments()) <= 128
    assert all(len(name) < 32 for name, _, _ in ROWS)
    assert len({name for name, _, _ in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("text", "word", "name"), WORDS)
def test_knows_what_the_assembler_wrote(text: str, word: str, name: str) -> None:
    assert row_of(int(word, 16)) == name


@given(st.sampled_from(ROWS), st.integers(0, 2**32 - 1))
def test_registers_do_not_change_the_row_and_no_row_hides_another(row: tuple[str, str, str], noise: int) -> None:
    name, mask, pattern = row[0], int(row[1], 16), int(row[2], 16)
    assert row_of((noise & ~mask) | pattern) == name


def test_every_row_is_accounted_for() -> None:
    for name, _, _ in ROWS:
        assert sum(sum_work({name: 1}).values()) > 0, name


def test_work_counts_products_by_instruction_set() -> None:
    # SMMLA: a 2×8 by 8×2 product, 32; SDOT: four lanes of four, 16, or two lanes on 64 bits, 8; FMLA .4s: 4.
    assert sum_work({"smmla": 2, "sdot": 1, "sdot-64": 1, "fmla": 5, "fmla-element": 0}) == {
        "i8mm": 64,
        "dotprod": 24,
        "neon": 20,
    }


@pytest.mark.parametrize(
    ("counts", "isa"),
    [
        ({"fmla": 10, "fmla-element": 100}, "neon"),
        ({"fmla-half": 10, "fmla": 3}, "fp16"),
        ({"sdot-element": 10, "smlal": 20}, "dotprod"),
        ({"sdot-element": 10, "smmla": 20}, "i8mm"),
        ({"smmla": 1, "fmla": 100}, "neon"),
        ({}, None),
        ({"fmla": 0}, None),
    ],
)
def test_the_chief_is_what_did_most_of_the_work(counts: dict[str, float], isa: str | None) -> None:
    assert find_chief(counts) == isa


def test_names_and_instruction_sets_are_plain_words() -> None:
    assert {op.isa for op in OPCODES} == {"i8mm", "dotprod", "bf16", "fp16", "neon"}
