"""What lies on a picture or is done to its file: shadows' edges, highlights, hairs, pen, rulers, bars, grey scale."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imageqx_export.data.kinds import BARS, GREY, HAIRS, PEN, RULER

_GAMMA = 2.2
_INKS = ((0.22, 0.15, 0.45), (0.10, 0.15, 0.40), (0.08, 0.08, 0.10))  # gentian violet, blue, black
_STRIPS = ((0.93, 0.93, 0.90), (0.85, 0.80, 0.35))
_LUMA = (0.299, 0.587, 0.114)

Array = NDArray[Any]


def cast_edges(picture: Tensor, plan: Array) -> Tensor:
    """Darken what lies behind a straight edge, in linear intensities.

    Args:
        picture: [B,3,H,H] in [0, 1]; changed in place.
        plan: Angle, place from the middle and softness in half sides, and shade (0: none), [B,4].
    """
    for rows, part in _select_affected(picture, plan, plan[:, 3] > 0):
        angle, place, soft, shade = part
        x, y = _make_axes(picture)
        across = x * angle.cos() + y * angle.sin() - place
        shadow = torch.sigmoid(across / soft * 4)
        picture[rows] = picture[rows] * (1 - shade * shadow).pow(1 / _GAMMA)
    return picture


def shine(picture: Tensor, plan: Array) -> Tensor:
    """Add a highlight, in linear intensities: a bell that is white where it is brightest.

    Args:
        picture: [B,3,H,H] in [0, 1]; changed in place.
        plan: x and y in [-1, 1], radius in half sides, and strength (0: none), [B,4].
    """
    for rows, part in _select_affected(picture, plan, plan[:, 3] > 0):
        centre_x, centre_y, radius, strength = part
        x, y = _make_axes(picture)
        bell = torch.exp(-((x - centre_x) ** 2 + (y - centre_y) ** 2) / (2 * radius**2))
        picture[rows] = (picture[rows].pow(_GAMMA) + strength * bell).clamp(0, 1).pow(1 / _GAMMA)
    return picture


def draw_on_skin(picture: Tensor, marks: Array, generator: torch.Generator) -> Tensor:
    """Draw hairs, a dashed ring of a pen, and a ruler at a border.

    Args:
        picture: [B,3,H,H] in [0, 1]; changed in place.
        marks: As a plan's, [B,5].
        generator: Of where and in which colour.
    """
    for column, draw in ((HAIRS, _draw_hairs), (PEN, _draw_ring), (RULER, _draw_ruler)):
        for rows, part in _select_affected(picture, marks, marks[:, column] > 0):
            picture[rows] = draw(picture[rows], part[column], generator)
    return picture


def edit(picture: Tensor, marks: Array) -> Tensor:
    """Take the colours away, and lay black bars over two borders, as a file that was edited has.

    Args:
        picture: [B,3,H,H] in [0, 1]; changed in place.
        marks: As a plan's, [B,5].
    """
    for rows, _ in _select_affected(picture, marks, marks[:, GREY] > 0):
        weights = torch.tensor(_LUMA, device=picture.device).view(1, 3, 1, 1)
        picture[rows] = (picture[rows] * weights).sum(1, keepdim=True).expand(-1, 3, -1, -1)
    for rows, part in _select_affected(picture, marks, marks[:, BARS] != 0):
        share = part[BARS]
        x, y = _make_axes(picture)
        reach = torch.where(share > 0, y.expand(1, 1, *picture.shape[2:]), x.expand(1, 1, *picture.shape[2:])).abs()
        picture[rows] = picture[rows] * (reach <= 1 - 2 * share.abs())
    return picture


def _select_affected(
    picture: Tensor, plan: Array, chosen: NDArray[np.bool_]
) -> Iterator[tuple[Tensor, tuple[Tensor, ...]]]:
    """Yield once, or not at all, the affected rows and the columns of their plan as [R,1,1,1]."""
    rows = np.flatnonzero(chosen)
    if len(rows):
        values = torch.as_tensor(plan[rows], device=picture.device)
        yield torch.from_numpy(rows).to(picture.device), values[:, :, None, None, None].unbind(1)


def _make_axes(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Return x [1,1,1,H] and y [1,1,H,1] of the pixels' middles, in [-1, 1]."""
    size = picture.shape[2]
    axis = (torch.arange(size, device=picture.device) + 0.5) * 2 / size - 1
    return axis.view(1, 1, 1, -1), axis.view(1, 1, -1, 1)


def _draw(generator: torch.Generator, count: int, low: float, high: float) -> Tensor:
    drawn = torch.rand((count, 1, 1, 1), generator=generator, device=generator.device)
    return low + (high - low) * drawn


def _pick(generator: torch.Generator, count: int, colours: tuple[tuple[float, ...], ...]) -> Tensor:
    number = torch.randint(len(colours), (count,), generator=generator, device=generator.device)
    return torch.tensor(colours, device=generator.device)[number][:, :, None, None]


def _draw_hairs(picture: Tensor, hairs: Tensor, generator: torch.Generator) -> Tensor:
    """Draw bent strands that lean one way, each a pixel or two wide."""
    count, size = len(picture), picture.shape[2]
    x, y = _make_axes(picture)
    lean, ink = _draw(generator, count, 0, torch.pi), _draw(generator, count, 0.05, 0.3)
    cover = torch.zeros_like(picture[:, :1])
    for number in range(int(hairs.max())):
        angle = lean + _draw(generator, count, -0.5, 0.5)
        dx, dy = x - _draw(generator, count, -0.8, 0.8), y - _draw(generator, count, -0.8, 0.8)
        along, across = dx * angle.cos() + dy * angle.sin(), dy * angle.cos() - dx * angle.sin()
        bend, half = _draw(generator, count, -0.5, 0.5), _draw(generator, count, 0.2, 0.7)
        near = (_draw(generator, count, 1.2, 2) - (across - bend * along**2).abs() * size / 2).clamp(0, 1)
        strand = near * (along.abs() < half) * (hairs > number)
        cover = torch.maximum(cover, strand)
    return torch.lerp(picture, ink.expand_as(picture), cover * 0.85)


def _draw_ring(picture: Tensor, _: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a dashed ring, as surgeons mark where to cut."""
    count, size = len(picture), picture.shape[2]
    x, y = _make_axes(picture)
    dx, dy = x - _draw(generator, count, -0.15, 0.15), y - _draw(generator, count, -0.15, 0.15)
    radius, width = _draw(generator, count, 0.45, 0.85), _draw(generator, count, 1, 2.5)
    dashes = torch.sin(torch.atan2(dy, dx) * _draw(generator, count, 4, 12).round()) > _draw(generator, count, -1, 0)
    line = (width + 0.5 - (torch.hypot(dx, dy) - radius).abs() * size / 2).clamp(0, 1) * dashes
    return torch.lerp(picture, _pick(generator, count, _INKS).expand_as(picture), line * 0.8)


def _draw_ruler(picture: Tensor, _: Tensor, generator: torch.Generator) -> Tensor:
    """Lay a strip with ticks along one of the four borders."""
    count = len(picture)
    x, y = _make_axes(picture)
    side = _draw(generator, count, 0, 4).floor()
    shape = (1, 1, *picture.shape[2:])
    along = torch.where(side < 2, x.expand(shape), y.expand(shape))
    inward = torch.where(side < 2, y.expand(shape), x.expand(shape)) * torch.where(side % 2 == 0, 1.0, -1.0)
    depth = (inward + 1) / 2  # from the border, in sides
    width, step = _draw(generator, count, 0.08, 0.16), _draw(generator, count, 0.06, 0.14)
    phase = along.remainder(step) / step
    ticks = (phase < 0.12) & (depth > width * 0.45)
    strip = torch.where(ticks, 0.1, _pick(generator, count, _STRIPS).expand_as(picture))
    return torch.where(depth < width, strip, picture)
