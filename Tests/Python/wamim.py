"""WaMIM with a vision transformer in plain PyTorch, as docs/model.md describes it; parameters have the names that trainers give them."""
import re
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

EPSILON = 1e-6


@dataclass(frozen=True)
class Configuration:
    """The values at the top of a model in `graphs/`, under the names that they have there."""

    image: int
    patch: int
    dim: int
    depth: int
    heads: int
    ratio: float
    taps: list
    levels: list
    weights: list
    wavelet: str
    subbands: str
    normalization: str
    decoder_dim: int
    decoder_heads: int
    batch: int

    @classmethod
    def of_model(cls, path, **settings):
        """The values of the model at `path`, with `settings` in place of its own."""
        with open(path) as file:
            lines = re.findall(r"^let (\w+) *= *([\w.\[\], ]+?) *$", file.read(), re.MULTILINE)
        values = {name: value(text) for name, text in lines if name in cls.__dataclass_fields__}
        return cls(**{**values, **settings})

    @property
    def grid(self):
        return self.image // self.patch

    @property
    def visible(self):
        return int(self.grid**2 * (1 - self.ratio))


def value(text):
    """A number, a list of numbers, or a word."""
    if text.startswith("["):
        return [value(item) for item in text[1:-1].split(", ")]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def position_table(width, grid):
    """Sines and cosines of the column, then of the row, for a class token of zeros and each position of the grid."""
    count = width // 4
    frequencies = 10000.0 ** (-torch.arange(count, dtype=torch.float64) / count)
    angles = torch.arange(grid, dtype=torch.float64)[:, None] * frequencies
    axis = torch.cat([angles.sin(), angles.cos()], dim=1)
    columns, rows = axis.repeat(grid, 1), axis.repeat_interleave(grid, 0)
    return torch.cat([torch.zeros(1, width), torch.cat([columns, rows], dim=1)]).float()


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        query, key, value = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class Perceptron(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, EPSILON)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, EPSILON)
        self.mlp = Perceptron(width)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of maps [batch, channels, height, width]."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def head(width, grid, side, channels):
    """From a grid of tokens to the target's grid, and to its channels."""
    layers, at = [], grid
    while at < side:
        if at != grid:
            layers += [ChannelNorm(width, EPSILON), nn.GELU()]
        layers.append(nn.ConvTranspose2d(width, width // 2, 2, stride=2))
        width, at = width // 2, 2 * at
    while at > side:
        layers.append(nn.AvgPool2d(2))
        at //= 2
    return nn.Sequential(*layers, nn.Conv2d(width, channels, 1))


class Decoder(nn.Module):
    def __init__(self, configuration, level):
        super().__init__()
        width, self.grid = configuration.decoder_dim, configuration.grid
        self.embed = nn.Linear(configuration.dim, width)
        self.mask_token = nn.Parameter(torch.empty(1, 1, width))
        self.blocks = nn.ModuleList([Block(width, configuration.decoder_heads)])
        self.norm = nn.LayerNorm(width, EPSILON)
        channels = 3 * (4 if configuration.subbands == "all" else 3)
        self.head = head(width, self.grid, configuration.image >> level, channels)
        self.register_buffer("positions", position_table(width, self.grid), persistent=False)

    def forward(self, features, restore):
        x = self.embed(features)
        hidden = self.mask_token.expand(len(x), restore.shape[1] + 1 - x.shape[1], -1)
        ordered = torch.cat([x[:, 1:], hidden], dim=1).gather(1, restore[..., None].expand(-1, -1, x.shape[2]))
        x = torch.cat([x[:, :1], ordered], dim=1) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 1:].transpose(1, 2).unflatten(2, (self.grid, self.grid)))


class WaMIM(nn.Module):
    def __init__(self, configuration):
        super().__init__()
        if configuration.wavelet != "haar":
            raise ValueError(f"there is no {configuration.wavelet} here, only haar")
        self.configuration = configuration
        width, patch = configuration.dim, configuration.patch
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, patch, stride=patch)})
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.blocks = nn.ModuleList([Block(width, configuration.heads) for _ in range(configuration.depth)])
        self.norms = nn.ModuleList([nn.LayerNorm(width, EPSILON) for _ in configuration.taps])
        self.decoders = nn.ModuleList([Decoder(configuration, level) for level in configuration.levels])
        self.register_buffer("positions", position_table(width, configuration.grid), persistent=False)
        self.initialize()

    def initialize(self):
        for name, parameter in self.named_parameters():
            if name.endswith("token"):
                nn.init.normal_(parameter, std=0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter.data.flatten(1))

    def features(self, images, visible):
        """What each tap has of the class token and the visible patches."""
        patches = self.patch_embed["proj"](images).flatten(2).transpose(1, 2) + self.positions[1:]
        x = patches.gather(1, visible[..., None].expand(-1, -1, patches.shape[2]))
        x = torch.cat([(self.cls_token + self.positions[:1]).expand(len(x), -1, -1), x], dim=1)
        taps = []
        for layer, block in enumerate(self.blocks, 1):
            x = block(x)
            if layer in self.configuration.taps:
                taps.append(self.norms[len(taps)](x))
        return taps

    def forward(self, images, noise):
        """The loss, and that of each target; the patches with the lowest noise are visible."""
        configuration = self.configuration
        order = noise.argsort(dim=1, stable=True)
        restore = order.argsort(dim=1)
        mask = (restore >= configuration.visible).float()
        features = self.features(images, order[:, : configuration.visible])
        losses = []
        for tap, decoder, target in zip(features, self.decoders, targets(images, configuration)):
            error = (decoder(tap, restore) - target).square().mean(1)
            weight = rescaled(mask.unflatten(1, (configuration.grid, -1)), error.shape[-1])
            losses.append((error * weight).sum() / weight.sum())
        return sum(weight * loss for weight, loss in zip(configuration.weights, losses)), losses


@torch.no_grad()
def targets(images, configuration):
    """The normalised wavelet coefficients of each level, [batch, channels · subbands, height, width]."""
    found, approximation = {}, images
    for level in range(1, max(configuration.levels) + 1):
        top, bottom = approximation[..., 0::2, :], approximation[..., 1::2, :]
        a, b, c, d = top[..., 0::2], top[..., 1::2], bottom[..., 0::2], bottom[..., 1::2]
        approximation = (a + b + c + d) / 2
        details = [(a + b - c - d) / 2, (a - b + c - d) / 2, (a - b - c + d) / 2]
        subbands = [approximation] + details if configuration.subbands == "all" else details
        found[level] = normalized(torch.stack(subbands, dim=2).flatten(1, 2), configuration.normalization)
    return [found[level] for level in configuration.levels]


def normalized(target, over):
    axes = {"none": None, "subband": (2, 3), "token": (1,)}[over]
    if axes is None:
        return target
    variance, mean = torch.var_mean(target, axes, correction=0, keepdim=True)
    return (target - mean) / (variance + EPSILON).sqrt()


def rescaled(mask, side):
    """The mask [batch, grid, grid] on the target's grid; a coarser cell has the hidden share of its patches."""
    grid = mask.shape[-1]
    if side >= grid:
        return mask.repeat_interleave(side // grid, 1).repeat_interleave(side // grid, 2)
    return F.avg_pool2d(mask[:, None], grid // side)[:, 0]


def optimizer(model, rate):
    """AdamW with weight decay for tensors of two or more axes."""
    groups = [
        dict(params=[p for p in model.parameters() if (p.ndim > 1) == decays], weight_decay=0.05 if decays else 0.0)
        for decays in (True, False)
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), eps=1e-8, fused=True)
