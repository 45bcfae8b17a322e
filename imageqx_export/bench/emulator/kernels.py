"""Tell from executed instructions which of Arm's instruction sets multiplied and added.

Source: Arm Architecture Reference Manual for A-profile (DDI 0487), C4.1 "A64 instruction set encoding": Advanced SIMD
"three same", "three same (FP16)", "three-register extension", "three different" and "vector x indexed element".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Opcode:
    """A family of multiply–accumulate instructions.

    Attributes:
        name: The mnemonic, and ``.4s`` or the like where it matters; no colon, comma or space.
        isa: The instruction set that it belongs to.
        mask: The bits that tell, of 32.
        pattern: Their values.
        work: Multiply–accumulates of one instruction on 128-bit registers.
        short: Bit 30, Q, says whether the registers have 128 bits or 64, which is half the work.
    """

    name: str
    isa: str
    mask: int
    pattern: int
    work: int
    short: bool = True


I8MM, DOTPROD, BF16, FP16, NEON = "i8mm", "dotprod", "bf16", "fp16", "neon"

# The first that fits counts.
OPCODES = (
    Opcode("smmla", I8MM, 0xFFE0FC00, 0x4E80A400, 32, short=False),
    Opcode("ummla", I8MM, 0xFFE0FC00, 0x6E80A400, 32, short=False),
    Opcode("usmmla", I8MM, 0xFFE0FC00, 0x4E80AC00, 32, short=False),
    Opcode("usdot", I8MM, 0xBFE0FC00, 0x0E809C00, 16),
    Opcode("usdot-element", I8MM, 0xBFC0F400, 0x0F80F000, 16),
    Opcode("sudot-element", I8MM, 0xBFC0F400, 0x0F00F000, 16),
    Opcode("sdot", DOTPROD, 0xBFE0FC00, 0x0E809400, 16),
    Opcode("udot", DOTPROD, 0xBFE0FC00, 0x2E809400, 16),
    Opcode("sdot-element", DOTPROD, 0xBFC0F400, 0x0F80E000, 16),
    Opcode("udot-element", DOTPROD, 0xBFC0F400, 0x2F80E000, 16),
    Opcode("bfmmla", BF16, 0xFFE0FC00, 0x6E40EC00, 16, short=False),
    Opcode("bfdot", BF16, 0xBFE0FC00, 0x2E40FC00, 8),
    Opcode("bfdot-element", BF16, 0xBFC0F400, 0x0F40F000, 8),
    Opcode("bfmlal", BF16, 0xBFE0FC00, 0x2EC0FC00, 4, short=False),  # Q chooses the even or the odd elements
    Opcode("bfmlal-element", BF16, 0xBFC0F400, 0x0FC0F000, 4, short=False),
    Opcode("fmla-half", FP16, 0xBF60FC00, 0x0E400C00, 8),  # FMLA and FMLS, which bit 23 tells apart; and so below
    Opcode("fmla-half-element", FP16, 0xBFC0B400, 0x0F001000, 8),
    Opcode("fmlal", FP16, 0xBF60FC00, 0x0E20EC00, 4),
    Opcode("fmlal2", FP16, 0xBF60FC00, 0x2E20CC00, 4),
    Opcode("fmlal-element", FP16, 0xBFC0B400, 0x0F800000, 4),
    Opcode("fmlal2-element", FP16, 0xBFC0B400, 0x2F808000, 4),
    Opcode("fmla", NEON, 0xBF60FC00, 0x0E20CC00, 4),
    Opcode("fmla-element", NEON, 0xBFC0B400, 0x0F801000, 4),
    Opcode("smull-8", NEON, 0x9FE0FC00, 0x0E20C000, 8, short=False),
    Opcode("smlal-8", NEON, 0x9FE0DC00, 0x0E208000, 8, short=False),
    Opcode("smull", NEON, 0x9FE0FC00, 0x0E60C000, 4, short=False),
    Opcode("smlal", NEON, 0x9FE0DC00, 0x0E608000, 4, short=False),
    Opcode("smull-element", NEON, 0x9FC0F400, 0x0F40A000, 4, short=False),
    Opcode("smlal-element", NEON, 0x9FC0B400, 0x0F402000, 4, short=False),
    Opcode("mla-8", NEON, 0xBFE0FC00, 0x0E209400, 16),
    Opcode("mla-16", NEON, 0xBFE0FC00, 0x0E609400, 8),
    Opcode("mla-32", NEON, 0xBFE0FC00, 0x0EA09400, 4),
    Opcode("mla-16-element", NEON, 0xBFC0B400, 0x2F400000, 8),
    Opcode("mla-32-element", NEON, 0xBFC0B400, 0x2F800000, 4),
)
Q = 1 << 30


def list_arguments() -> list[str]:
    """Return the plugin's arguments: one row an opcode, and two where the width halves the work."""
    lines = []
    for op in OPCODES:
        if op.short:
            mask = op.mask | Q
            lines += [f"row={op.name}:{mask:x}:{op.pattern | Q:x}", f"row={op.name}-64:{mask:x}:{op.pattern:x}"]
        else:
            lines.append(f"row={op.name}:{op.mask:x}:{op.pattern:x}")
    return lines


def sum_work(counts: Mapping[str, float]) -> dict[str, float]:
    """Return the multiply–accumulates of each instruction set that did any.

    Args:
        counts: Executed instructions, by the names in :func:`list_arguments`.
    """
    total: dict[str, float] = {}
    for op in OPCODES:
        done = op.work * counts.get(op.name, 0) + op.work / 2 * counts.get(f"{op.name}-64", 0)
        if done:
            total[op.isa] = total.get(op.isa, 0.0) + done
    return total


def find_chief(counts: Mapping[str, float]) -> str | None:
    """Name the instruction set that did most of the multiply–accumulates; None where nothing was counted."""
    done = sum_work(counts)
    return max(done, key=lambda isa: done[isa]) if done else None
