"""Carry out a plan on a whole batch, on whatever device the pictures are: a camera's five ways to degrade a photo."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from imageqx_export.data import overlays
from imageqx_export.data.bank import Bank
from imageqx_export.data.jpeg import recompress
from imageqx_export.data.sample_plan import SamplePlan
from imageqx_export.data.severities import DISC, GAUSSIAN, MOTION
from imageqx_export.data.skin import FITZPATRICK

_UNCOMPRESSED = 100
_RIM = 5  # pixels over which the blur of a lesion ends


class Degrader:
    """A maker of samples from a bank, on a device.

    Args:
        bank: The pictures. They are put on the device if they take less than a quarter of its free memory, and
            fetched batch by batch otherwise.
        device: Where to work.
    """

    def __init__(self, bank: Bank, device: torch.device) -> None:
        self.device = device
        self.images, self.masks = torch.from_numpy(bank.images), torch.from_numpy(bank.masks)
        self.mask = bank.mask
        if device.type == "cuda" and bank.images.nbytes + bank.masks.nbytes < torch.cuda.mem_get_info(device)[0] / 4:
            self.images, self.masks = self.images.to(device), self.masks.to(device)

    def degrade(self, plan: SamplePlan, size: int) -> Tensor:
        """Carry out ``plan``.

        Args:
            plan: What to do.
            size: Pixels a side, a multiple of 16, at most the bank's.

        Returns:
            float32 [B,size,size,3] in 0…255, whole numbers, as in a photo's file.
        """
        noise = torch.Generator(self.device)
        noise.manual_seed(plan.seed)
        picture = self._compose(plan, size, noise)
        picture = overlays.draw_on_skin(picture, plan.marks, noise)
        picture = change_light(picture, self._to_tensor(plan.light), noise)
        picture = overlays.cast_edges(picture, plan.shadow)
        picture = overlays.shine(picture, plan.glare)
        picture = self._apply_blur(picture, plan, size)
        picture = reduce_resolution(picture, self._to_tensor(plan.resolution))
        picture = overlays.edit(picture, plan.marks)
        return picture.mul(255).round_().clamp_(0, 255).permute(0, 2, 3, 1)

    def _to_tensor(self, values: object) -> Tensor:
        return torch.as_tensor(values, device=self.device)

    def _fetch(self, store: Tensor, indices: object, size: int) -> Tensor:
        """Fetch pictures or masks as float32 [B,C,size,size] in [0, 1]."""
        chosen = store[torch.as_tensor(indices, device=store.device)].to(self.device, non_blocking=True)
        chosen = (chosen.permute(0, 3, 1, 2) if chosen.ndim == 4 else chosen[:, None]).float().div_(255)
        if size != store.shape[1]:
            chosen = functional.interpolate(chosen, (size, size), mode="bilinear", antialias=True)
        return chosen

    def _apply_blur(self, picture: Tensor, plan: SamplePlan, size: int) -> Tensor:
        """Blur the whole frame, or what the masks say; a lesion's blur runs over its border as a lens's does."""
        blurred = blur(picture, self._to_tensor(plan.blur))
        local = np.flatnonzero((plan.focus > 0) & (self.mask[plan.subject] >= 0))
        if len(local) == 0:
            return blurred
        rows = torch.from_numpy(local)
        masks = self._fetch(self.masks, self.mask[plan.subject[local]], size)
        shape = [len(local), 1, size, size]
        grid = functional.affine_grid(self._to_tensor(plan.affine[local]), shape, align_corners=False)
        where = functional.grid_sample(masks, grid, align_corners=False)
        where = functional.avg_pool2d(where, _RIM, 1, _RIM // 2).mul_(2).clamp_(0, 1)
        where = torch.where(self._to_tensor(plan.focus[local] > 1)[:, None, None, None], 1 - where, where)
        blurred[rows] = torch.lerp(picture[rows], blurred[rows], where)
        return blurred

    def _compose(self, plan: SamplePlan, size: int, noise: torch.Generator) -> Tensor:
        """Put each subject in its place; one that was moved, in front of something."""
        tone = self._to_tensor(plan.tone)[:, :, None, None]
        subject = self._fetch(self.images, plan.subject, size)
        toned = torch.from_numpy((plan.tone != 1).any(1))
        if toned.any():
            subject[toned] = (subject[toned].pow(tone[toned, :1]) * tone[toned, 1:]).clamp_(0, 1)
        cut = plan.cut > 0
        if cut.any():
            where = torch.from_numpy(cut)
            mask = self._fetch(self.masks, self.mask[plan.subject[cut]], size)
            behind = self._fetch(self.images, plan.behind[cut], size)
            plain = torch.from_numpy(plan.ground[cut, 0] > 0)
            if plain.any():
                behind[plain] = self._to_tensor(plan.ground[cut])[plain, 1:, None, None].expand(-1, -1, size, size)
            subject[where] = torch.lerp(behind, subject[where], mask)
        front, grid = _warp(subject, self._to_tensor(plan.affine), size, self._to_tensor(plan.shrink))
        mirrored = torch.from_numpy(plan.mirror > 0)
        if mirrored.any():
            front[mirrored] = functional.grid_sample(
                subject[mirrored], grid[mirrored], padding_mode="reflection", align_corners=False
            )
        moved = torch.from_numpy(plan.edge[:, 0] > 0)
        if moved.any():
            rows = moved.numpy()
            behind = self._fetch(self.images, plan.behind[rows], size)
            back, _ = _warp(behind, self._to_tensor(plan.behind_affine[rows]), size)
            skin = torch.from_numpy(plan.skin_behind[rows] > 0)
            if skin.any():
                back[skin] = _extend_skin(subject[moved][skin], size, noise)
            visible = _draw_border(grid[moved], self._to_tensor(plan.edge[rows]))
            front[moved] = torch.lerp(back, front[moved], visible[:, None])
        return front


def _draw_border(grid: Tensor, edge: Tensor) -> Tensor:
    """Return how much of a subject is to be seen, [B,H,W] in [0, 1]: a rounded square with a soft border."""
    power, soft = edge[:, :, None, None].unbind(1)
    reach = grid.abs().clamp(1e-4).pow(power[..., None]).sum(3).pow(1 / power)
    return ((1 - reach) / soft).clamp(0, 1)


def _warp(picture: Tensor, affine: Tensor, size: int, shrink: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Warp to [B,3,size,size]; of a picture that shrinks, one half or a quarter as large is sampled instead.

    Returns:
        The warped pictures, and where their pixels come from, [B,size,size,2] in [-1, 1].
    """
    grid = functional.affine_grid(affine, [len(picture), 3, size, size], align_corners=False)
    out = functional.grid_sample(picture, grid, padding_mode="border", align_corners=False)
    if shrink is not None:
        for factor, chosen in ((2, (shrink >= 1.5) & (shrink < 3)), (4, shrink >= 3)):
            if chosen.any():
                small = functional.avg_pool2d(picture[chosen], factor)
                out[chosen] = functional.grid_sample(small, grid[chosen], padding_mode="border", align_corners=False)
    return out, grid


def _draw_noise(shape: tuple[int, int, int], size: int, generator: torch.Generator) -> Tensor:
    """Return smooth noise [B,C,size,size], standard deviation 1 in each picture."""
    batch, channels, cells = shape
    small = torch.randn((batch, channels, cells + 3, cells + 3), generator=generator, device=generator.device)
    big = functional.interpolate(small, (size, size), mode="bicubic")
    flat = (1, 2, 3)
    return (big - big.mean(flat, keepdim=True)) / (big.std(flat, keepdim=True) + 1e-6)


def _extend_skin(picture: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Continue a close-up past its border: skin of the border's own colour, [B,3,size,size]."""
    edges = (picture[:, :, 0], picture[:, :, -1], picture[:, :, :, 0], picture[:, :, :, -1])
    base = torch.cat(edges, 2).mean(2)[:, :, None, None]
    grain = _draw_noise((len(picture), 1, size // 3), size, generator) * 4 / 255
    patches = _draw_noise((len(picture), 1, 6 + len(FITZPATRICK) // 2), size, generator) * 6 / 255
    return (base + grain + patches).clamp(0, 1)


def change_light(picture: Tensor, plan: Tensor, generator: torch.Generator) -> Tensor:
    """Change the light, in linear intensities (a gamma of 2.2).

    Args:
        picture: [B,3,H,H] in [0, 1].
        plan: See :class:`~imageqx_export.data.sample_plan.SamplePlan`, [B,7].
        generator: Of the shadow's shape and of the noise.
    """
    gain, red, green, blue, shade, after, sigma = plan[:, :, None, None, None].unbind(1)
    linear = picture.pow(2.2) * (gain * after * torch.cat([red, green, blue], 1))
    shaded, noisy = (shade > 0).flatten(), (sigma > 0).flatten()
    if shaded.any():
        count, size = int(shaded.sum()), picture.shape[2]
        offset = torch.rand((count, 1, 1, 1), generator=generator, device=picture.device) - 0.5
        shadow = torch.sigmoid((_draw_noise((count, 1, 1), size, generator) + offset) * 12)
        linear[shaded] *= 1 - shade[shaded] * shadow
    if noisy.any():
        shape = (int(noisy.sum()), *picture.shape[1:])
        linear[noisy] += sigma[noisy] * torch.randn(shape, generator=generator, device=picture.device)
    return linear.clamp(0, 1).pow(1 / 2.2)


def blur(picture: Tensor, plan: Tensor) -> Tensor:
    """Convolve with a disc, a bent line or a Gaussian.

    Args:
        picture: [B,3,H,H].
        plan: Kind, radius, length or standard deviation in 256ths of H, angle, bend; [B,4].
    """
    kind = plan[:, 0]
    extent = plan[:, 1] * picture.shape[2] / 256
    reach = torch.where(kind == DISC, extent, torch.where(kind == GAUSSIAN, 3 * extent, extent / 2)).ceil().int() + 1
    reach = torch.where(kind == 0, 0, reach)
    out = picture.clone()
    # A large kernel costs a hundred times what a small one does: three groups.
    for low, high in ((0, 3), (3, 8), (8, 64)):
        rows = torch.nonzero((reach > low) & (reach <= high))[:, 0]
        if len(rows):
            out[rows] = _convolve(picture[rows], _make_kernels(plan[rows], extent[rows], int(reach[rows].max())))
    return out


def _convolve(picture: Tensor, kernels: Tensor) -> Tensor:
    count, channels, size, _ = picture.shape
    reach = kernels.shape[1] // 2
    padded = functional.pad(picture, (reach,) * 4, mode="reflect")
    # The batch is made channels: each picture has a kernel of its own.
    weight = kernels.repeat_interleave(channels, 0)[:, None]
    flat = padded.reshape(1, count * channels, *padded.shape[2:])
    return functional.conv2d(flat, weight, groups=count * channels).reshape(count, channels, size, size)


def _make_kernels(plan: Tensor, extent: Tensor, reach: int) -> Tensor:
    """Draw blur kernels [B,2·reach+1,2·reach+1] that sum to 1."""
    kind, _, angle, bend = plan.unbind(1)
    axis = torch.arange(-reach, reach + 1, device=plan.device, dtype=torch.float32)
    ys, xs = torch.meshgrid(axis, axis, indexing="ij")
    radius = torch.hypot(xs, ys)
    discs = (extent[:, None, None] + 0.5 - radius).clamp(0, 1)
    bells = torch.exp(-0.5 * (radius / extent[:, None, None].clamp(1e-3)) ** 2)
    discs = torch.where((kind == GAUSSIAN)[:, None, None], bells, discs)
    along = torch.linspace(-0.5, 0.5, 48, device=plan.device) * extent[:, None]
    turn = angle[:, None] + bend[:, None] * along / extent[:, None].clamp(1)
    px, py = along * turn.cos(), along * turn.sin()
    # Each of the line's points falls on the four pixels around it.
    near = (1 - (xs[None, None] - px[:, :, None, None]).abs()).clamp(0) * (1 - (ys - py[:, :, None, None]).abs()).clamp(
        0
    )
    kernels = torch.where((kind == MOTION)[:, None, None], near.sum(1), discs)
    return kernels / kernels.sum((1, 2), keepdim=True)


def reduce_resolution(picture: Tensor, plan: Tensor) -> Tensor:
    """Throw pixels away, compress as JPEG, and enlarge again.

    Args:
        picture: [B,3,H,H] in [0, 1]; H a multiple of 16.
        plan: Pixels a side for H = 256, JPEG quality (100: none), and whether to enlarge without smoothing; [B,3].
    """
    size = picture.shape[2]
    pixels = (plan[:, 0] * size / 256).round()
    smaller, compressed = pixels < size - 4, plan[:, 1] < _UNCOMPRESSED
    out = picture.clone()
    if smaller.any():
        out[smaller] = _resample(out[smaller], _weigh_shrinking(pixels[smaller], size))
    if compressed.any():
        out[compressed] = recompress(out[compressed], plan[compressed, 1])
    if smaller.any():
        out[smaller] = _resample(out[smaller], _weigh_enlarging(pixels[smaller], size, plan[smaller, 2] > 0))
    return out


def _resample(picture: Tensor, matrix: Tensor) -> Tensor:
    """Apply one matrix [B,H,H] to rows and columns."""
    return matrix[:, None] @ picture @ matrix.mT[:, None]


def _weigh_shrinking(pixels: Tensor, size: int) -> Tensor:
    """Return antialiased bilinear weights [B,size,size] to ``pixels`` [B] rows; the last is repeated."""
    row = torch.minimum(torch.arange(size, device=pixels.device)[None], pixels[:, None] - 1)
    scale = (size / pixels)[:, None, None]
    centre = (row[:, :, None] + 0.5) * scale - 0.5
    weights = (1 - (torch.arange(size, device=pixels.device) - centre).abs() / scale).clamp(0)
    return weights / weights.sum(2, keepdim=True)


def _weigh_enlarging(pixels: Tensor, size: int, blocky: Tensor) -> Tensor:
    """Return bilinear, or nearest, weights from the first ``pixels`` [B] of ``size`` back to ``size``."""
    at = ((torch.arange(size, device=pixels.device)[None] + 0.5) * pixels[:, None] / size - 0.5).clamp(0)
    at = torch.minimum(at, pixels[:, None] - 1)
    at = torch.where(blocky[:, None], (at + 0.5).floor(), at)
    return (1 - (torch.arange(size, device=pixels.device) - at[:, :, None]).abs()).clamp(0)
