"""Swin in plain PyTorch, twice: on all tokens, and on visible tokens alone, in windows that hold as many as there are."""
import torch
import torch.nn.functional as F
from torch import nn

from wamim import Perceptron


def neighbours_bias(table, rows, columns, window):
    """The biases […, heads, n, n] of n tokens at rows and columns [..., n] over each other, query by key."""
    down = rows[..., :, None] - rows[..., None, :] + window - 1
    right = columns[..., :, None] - columns[..., None, :] + window - 1
    return F.embedding(down * (2 * window - 1) + right, table).movedim(-1, -3)


class WindowAttention(nn.Module):
    def __init__(self, width, heads, window):
        super().__init__()
        self.heads, self.window = heads, window
        self.relative_position_bias_table = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def among(self, qkv, bias):
        """Attention of n tokens over each other: [windows, n, 3 · width] to [windows, n, width]."""
        query, key, value = qkv.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias).transpose(1, 2).flatten(2)


class Block(nn.Module):
    def __init__(self, width, heads, window, shift, epsilon):
        super().__init__()
        self.shift = shift
        self.norm1 = nn.LayerNorm(width, epsilon)
        self.attn = WindowAttention(width, heads, window)
        self.norm2 = nn.LayerNorm(width, epsilon)
        self.mlp = Perceptron(width)

    def ragged(self, x, rows, columns, groups):
        """Tokens [tokens, width] of all samples, in `groups` of tokens [windows, n], one for each n that there is."""
        attention = self.attn
        qkv, mixed = attention.qkv(self.norm1(x)), torch.empty_like(x)
        order = torch.cat([group.flatten() for group in groups])
        parts = [
            attention.among(
                qkv[group], neighbours_bias(attention.relative_position_bias_table, rows[group], columns[group], attention.window)
            ).flatten(0, 1)
            for group in groups
        ]
        mixed = torch.cat(parts)[order.argsort()]
        x = x + attention.proj(mixed)
        return x + self.mlp(self.norm2(x))

    def dense(self, x):
        """All tokens [batch, side, side, width], with the cyclic shift."""
        attention, window, shift = self.attn, self.attn.window, self.shift
        batch, side, _, width = x.shape
        count = side // window
        qkv = attention.qkv(self.norm1(x))
        if shift:
            qkv = qkv.roll((-shift, -shift), (1, 2))
        cut = qkv.unflatten(1, (count, window)).unflatten(3, (count, window)).transpose(2, 3).flatten(3, 4).flatten(0, 2)
        at = torch.arange(window)
        bias = neighbours_bias(
            attention.relative_position_bias_table, at.repeat_interleave(window), at.repeat(window), window)
        if shift:
            bias = (bias + self.blocked(side, window)[:, None]).repeat(batch, 1, 1, 1)
        mixed = attention.among(cut, bias if shift else bias[None])
        mixed = mixed.unflatten(1, (window, window)).unflatten(0, (batch, count, count)).transpose(2, 3).reshape(x.shape)
        if shift:
            mixed = mixed.roll((shift, shift), (1, 2))
        x = x + attention.proj(mixed)
        return x + self.mlp(self.norm2(x))

    def blocked(self, side, window):
        """Minus infinity for pairs of tokens that the shift brought together, [windows, n, n]."""
        at = torch.arange(side)
        strip = (at >= side - window).long() + (at >= side - self.shift)
        region = (3 * strip[:, None] + strip).unflatten(0, (-1, window)).unflatten(2, (-1, window)).transpose(1, 2).reshape(
            -1, window * window)
        return torch.zeros(()).masked_fill(region[:, :, None] != region[:, None, :], -torch.inf)


class Merging(nn.Module):
    """Four tokens, those at (0, 0), (1, 0), (0, 1) and (1, 1), to one of twice the width."""

    def __init__(self, width, epsilon):
        super().__init__()
        self.norm = nn.LayerNorm(4 * width, epsilon)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, fours):
        return self.reduction(self.norm(fours))


class Stage(nn.Module):
    def __init__(self, width, depth, heads, window, grid, merges, epsilon):
        super().__init__()
        if merges:
            self.downsample = Merging(width // 2, epsilon)
        shifts = [window // 2 if index % 2 == 1 and grid > window else 0 for index in range(depth)]
        self.blocks = nn.ModuleList([Block(width, heads, min(window, grid), shift, epsilon) for shift in shifts])


class Swin(nn.Module):
    """The encoder of `k`, the values at the top of a model."""

    def __init__(self, k, epsilon):
        super().__init__()
        self.patch, self.grid, self.stages = k["patch"], k["image"] // k["patch"], len(k["depths"])
        self.units = self.grid >> (self.stages - 1)
        self.patch_embed = nn.ModuleDict(
            {"proj": nn.Conv2d(3, k["dim"], k["patch"], stride=k["patch"]), "norm": nn.LayerNorm(k["dim"], epsilon)})
        self.layers = nn.ModuleList([
            Stage(k["dim"] << i, k["depths"][i], k["heads"][i], k["window"], self.grid >> i, i > 0, epsilon)
            for i in range(self.stages)
        ])

    def places(self, visible, stage):
        """Where the visible tokens of a stage are: sample, row and column of each.

        A unit's tokens follow each other so that the four of each merging do, at every stage.
        """
        rows = columns = torch.zeros(1, dtype=torch.long)
        for _ in range(self.stages - 1 - stage):
            rows = (2 * rows[:, None] + torch.tensor([0, 1, 0, 1])).flatten()
            columns = (2 * columns[:, None] + torch.tensor([0, 0, 1, 1])).flatten()
        side = 1 << (self.stages - 1 - stage)
        down = (visible // self.units * side)[..., None] + rows
        right = (visible % self.units * side)[..., None] + columns
        sample = torch.arange(len(visible))[:, None, None].expand_as(down)
        return sample.flatten(), down.flatten(), right.flatten()

    def groups(self, place, window, shift):
        """The tokens of each window, windows of as many tokens together: a list of [windows, n]."""
        sample, rows, columns = place
        lead = (window - shift) % window
        row, column = (rows + lead) // window, (columns + lead) // window
        count = (self.grid + 2 * window) // window
        order = torch.argsort((sample * count + row) * count + column, stable=True)
        key = ((sample * count + row) * count + column)[order]
        sizes = key.unique_consecutive(return_counts=True)[1]
        starts = sizes.cumsum(0) - sizes
        return [order[starts[sizes == n][:, None] + torch.arange(n)] for n in sizes.unique().tolist()]

    def ragged(self, images, visible):
        """What each stage gets merged and ends with, [batch · visible tokens, width], of visible tokens alone."""
        projection, patch = self.patch_embed["proj"], self.patch
        place = self.places(visible, 0)
        patches = images.unfold(2, patch, patch).unfold(3, patch, patch)[place[0], :, place[1], place[2]].flatten(1)
        x = self.patch_embed["norm"](F.linear(patches, projection.weight.flatten(1), projection.bias))
        results = []
        for index, stage in enumerate(self.layers):
            x = stage.downsample(x.reshape(-1, 4 * x.shape[1])) if index else x
            merged, place, groups = x, self.places(visible, index), {}
            for block in stage.blocks:
                if block.shift not in groups:
                    groups[block.shift] = self.groups(place, block.attn.window, block.shift)
                x = block.ragged(x, place[1], place[2], groups[block.shift])
            results.append((merged, x))
        return results

    def dense(self, images, hidden=None, token=None):
        """What the last stage ends with on all tokens, [batch, side, side, width]; `token` stands where `hidden` [batch, grid, grid] is 1."""
        x = self.patch_embed["norm"](self.patch_embed["proj"](images).permute(0, 2, 3, 1))
        if hidden is not None:
            x = torch.where(hidden[..., None] > 0, token, x)
        for index, stage in enumerate(self.layers):
            if index:
                half = x.shape[1] // 2
                x = stage.downsample(x.unflatten(1, (half, 2)).unflatten(3, (half, 2)).permute(0, 1, 3, 4, 2, 5).flatten(3))
            for block in stage.blocks:
                x = block.dense(x)
        return x
