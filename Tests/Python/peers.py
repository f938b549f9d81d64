"""WaMIM with Swin and the methods that it is compared with, in plain PyTorch, as docs/methods.md tells of them.

Each takes the values at the top of its model in `graphs/`. Parameters have the names that trainers give them.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

import wamim
from swin import Swin
from wamim import EPSILON, Block, Perceptron, head, position_table, rescaled


def drawn(noise, ratio):
    """The indices of the visible units, those of the lowest noise in order, and the mask, 1 for hidden ones."""
    visible = noise.argsort(dim=1, stable=True)[:, : int(noise.shape[1] * (1 - ratio))]
    return visible, torch.ones_like(noise).scatter(1, visible, 0.0)


def square(mask):
    return mask.unflatten(1, (math.isqrt(mask.shape[1]), -1))


# Targets


def pixels(images, patch, normalized=True):
    """Cells of pixels as maps [batch, channels, side, side]."""
    side = images.shape[2] // patch
    x = images.unflatten(2, (side, patch)).unflatten(4, (side, patch))
    if not normalized:
        return x.permute(0, 1, 3, 5, 2, 4).flatten(1, 3)
    x = x.permute(0, 3, 5, 1, 2, 4).flatten(1, 3)
    variance, mean = torch.var_mean(x, 1, keepdim=True)
    return (x - mean) / (variance + EPSILON).sqrt()


def votes(images, bins, shift=None):
    """The size of each pixel's gradient in the bin of its direction, [batch, channels, bins, height, width]."""
    kernel = torch.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]])
    padded = F.pad(images, (1, 1, 1, 1), mode="reflect").flatten(0, 1)[:, None]
    gradients = F.conv2d(padded, torch.stack([kernel, kernel.T])[:, None], shift)
    angle = torch.atan2(gradients[:, 0], gradients[:, 1])
    bin = (angle * (bins / math.pi)).floor().long() % bins
    empty = torch.zeros(len(gradients), bins, *images.shape[2:])
    found = empty.scatter(1, bin[:, None], gradients.square().sum(1, keepdim=True).sqrt())
    return found.unflatten(0, images.shape[:2])


def histograms(found, cell):
    """The mean votes of cells, each of unit length, as maps [batch, channels · bins, side, side]."""
    return F.normalize(F.avg_pool2d(found.flatten(0, 1), cell), dim=1).unflatten(0, found.shape[:2]).flatten(1, 2)


# Losses


def masked_error(prediction, target, mask):
    error = (prediction - target).square().mean(1)
    weight = rescaled(square(mask), error.shape[-1])
    return (error * weight).sum() / weight.sum()


# Decoders


class Decoder(nn.Module):
    """Tokens where they belong, a learned one elsewhere, transformed, brought to a target's grid and its channels."""

    def __init__(self, inputs, width, heads, depth, grid, side, channels, class_token):
        super().__init__()
        self.grid, self.lead = grid, int(class_token)
        self.embed = nn.Linear(inputs, width)
        self.mask_token = nn.Parameter(torch.empty(1, 1, width))
        self.blocks = nn.ModuleList([Block(width, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(width, EPSILON)
        self.head = head(width, grid, side, channels)
        self.register_buffer("positions", position_table(width, grid)[1 - self.lead :], persistent=False)

    def forward(self, features, places):
        """`places` [batch, visible]: where in the grid the tokens behind the class token are."""
        x = self.embed(features)
        hidden = self.mask_token.expand(len(x), self.grid**2, -1)
        full = hidden.scatter(1, places[..., None].expand(-1, -1, x.shape[2]), x[:, self.lead :])
        x = torch.cat([x[:, : self.lead], full], dim=1) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, self.lead :].transpose(1, 2).unflatten(2, (self.grid, self.grid)))


class Method(nn.Module):
    """What decays, and how gradients are limited; `forward(images, noise)` gives the loss and that of each target."""

    betas, clip, spared = (0.9, 0.95), None, ()
    shares_mask = False

    def begin(self, deviation=None):
        for name, parameter in self.named_parameters():
            if "token" in name or "bias_table" in name:
                nn.init.normal_(parameter, std=0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif "gamma" in name:
                nn.init.constant_(parameter, 0.1)
            elif parameter.ndim > 1 and deviation:
                nn.init.normal_(parameter, std=deviation)
            elif parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter.data.flatten(1))
        return self

    def noise(self, batch):
        return torch.empty(1 if self.shares_mask else batch, self.units)

    def optimizer(self, rate):
        def decays(name, parameter):
            return parameter.ndim > 1 and not any(word in name for word in self.spared)

        named = [(name, p) for name, p in self.named_parameters() if p.requires_grad]
        groups = [
            dict(params=[p for name, p in named if decays(name, p) == decaying], weight_decay=0.05 if decaying else 0.0)
            for decaying in (True, False)
        ]
        return torch.optim.AdamW(groups, lr=rate, betas=self.betas, eps=1e-8, fused=True)


class VisibleViT(Method):
    """The encoder of visible patches with a class token, a norm for each tap."""

    def build(self, k, taps):
        self.k, self.taps = k, taps
        width, patch = k["dim"], k["patch"]
        self.grid = k["image"] // patch
        self.units = self.grid**2
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, patch, stride=patch)})
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.blocks = nn.ModuleList([Block(width, k["heads"]) for _ in range(k["depth"])])
        self.norms = nn.ModuleList([nn.LayerNorm(width, EPSILON) for _ in taps])
        self.register_buffer("positions", position_table(width, self.grid), persistent=False)

    def features(self, images, visible):
        patches = self.patch_embed["proj"](images).flatten(2).transpose(1, 2) + self.positions[1:]
        x = patches.gather(1, visible[..., None].expand(-1, -1, patches.shape[2]))
        x = torch.cat([(self.cls_token + self.positions[:1]).expand(len(x), -1, -1), x], dim=1)
        found = []
        for layer, block in enumerate(self.blocks, 1):
            x = block(x)
            if layer in self.taps:
                found.append(self.norms[len(found)](x))
        return found


class MAE(VisibleViT):
    def __init__(self, k):
        super().__init__()
        self.build(k, [k["depth"]])
        self.decoders = nn.ModuleList([
            Decoder(k["dim"], k["decoder_dim"], k["decoder_heads"], k["decoder_depth"], self.grid, self.grid, 3 * k["patch"] ** 2, True)
        ])
        self.begin()

    def forward(self, images, noise):
        visible, mask = drawn(noise, self.k["ratio"])
        prediction = self.decoders[0](self.features(images, visible)[0], visible)
        loss = masked_error(prediction, pixels(images, self.k["patch"]), mask)
        return loss, [loss]


class LocalMIM(VisibleViT):
    def __init__(self, k):
        super().__init__()
        self.build(k, k["taps"])
        channels = [3 * k["bins"] if k["target"] == "hog" else 3 * cell**2 for cell in k["cells"]]
        self.decoders = nn.ModuleList([
            Decoder(k["dim"], k["decoder_dim"], k["decoder_heads"], 1, self.grid, k["image"] // cell, count, True)
            for cell, count in zip(k["cells"], channels)
        ])
        self.begin()

    @torch.no_grad()
    def targets(self, images):
        if self.k["target"] == "pixels":
            return [pixels(images, cell) for cell in self.k["cells"]]
        found = votes(images, self.k["bins"])
        return [histograms(found, cell) for cell in self.k["cells"]]

    def forward(self, images, noise):
        visible, mask = drawn(noise, self.k["ratio"])
        losses = [
            masked_error(decoder(tap, visible), target, mask)
            for tap, decoder, target in zip(self.features(images, visible), self.decoders, self.targets(images))
        ]
        return sum(losses), losses


class VisibleSwin(Method, Swin):
    """The encoder of visible tokens with a norm for each of `taps`, what the stages hand on merged."""

    spared = ("token", "bias_table")
    shares_mask = True

    def build(self, k, taps, epsilon):
        Swin.__init__(self, k, epsilon)
        self.k, self.taps = k, taps
        self.levels = [min(tap + 1, self.stages - 1) for tap in taps]
        self.norms = nn.ModuleList([nn.LayerNorm(k["dim"] << level, epsilon) for level in self.levels])

    def noise(self, batch):
        return torch.empty(1 if self.shares_mask else batch, self.units**2)

    def features(self, images, visible):
        """The features [batch, visible, width] of each tap, and where they are in its grid."""
        results, found = self.ragged(images, visible), []
        for norm, tap, level in zip(self.norms, self.taps, self.levels):
            x = results[level][0] if tap < self.stages - 1 else results[-1][1]
            _, rows, columns = self.places(visible, level)
            places = (rows * (self.grid >> level) + columns).unflatten(0, (len(images), -1))
            found.append((norm(x).unflatten(0, (len(images), -1)), places))
        return found

    def add_decoders(self, widths, heads, sides, channels):
        k = self.k
        self.decoders = nn.ModuleList([
            Decoder(k["dim"] << level, width, heads, 1, self.grid >> level, side, count, False)
            for level, width, side, count in zip(self.levels, widths, sides, channels)
        ])
        self.begin()

    def forward(self, images, noise):
        visible, mask = drawn(noise.expand(len(images), -1), self.k["ratio"])
        losses = [
            masked_error(decoder(features, places), target, mask)
            for (features, places), decoder, target in zip(self.features(images, visible), self.decoders, self.targets(images))
        ]
        return sum(weight * loss for weight, loss in zip(self.k.get("weights", [1.0] * len(losses)), losses)), losses


class WaMIMSwin(VisibleSwin):
    spared = ("bias_table",)
    shares_mask = False

    def __init__(self, k):
        self.build(k, range(len(k["depths"])), 1e-5)
        count = 3 * (4 if k["subbands"] == "all" else 3)
        sides = [k["image"] >> level for level in k["levels"]]
        self.add_decoders([k["decoder_dim"]] * 4, k["decoder_heads"], sides, [count] * 4)

    def targets(self, images):
        return wamim.targets(images, Fields(self.k))


class Fields:
    """A dictionary's values as members."""

    def __init__(self, values):
        self.__dict__.update(values)


class LocalMIMSwin(VisibleSwin):
    def __init__(self, k):
        self.build(k, range(4), EPSILON)
        self.cells = [k["patch"] << level for level in self.levels]
        self.uses_histograms = k["target"] == "hog"
        channels = [3 * k["bins"] if self.uses_histograms else 3 * cell**2 for cell in self.cells]
        self.shifts = nn.ParameterList([torch.empty(2).uniform_(-1 / 3, 1 / 3) for _ in self.cells])
        self.shifts.requires_grad_(False)
        self.add_decoders(k["widths"], k["decoder_heads"], [k["image"] // cell for cell in self.cells], channels)

    @torch.no_grad()
    def targets(self, images):
        if not self.uses_histograms:
            return [pixels(images, cell) for cell in self.cells]
        bins = self.k["bins"]
        return [histograms(votes(images, bins, shift), cell) for shift, cell in zip(self.shifts, self.cells)]


class GreenMIM(VisibleSwin):
    def __init__(self, k):
        self.build(k, [3], EPSILON)
        unit = 8 * k["patch"]
        self.add_decoders([k["decoder_dim"]], k["decoder_heads"], [k["image"] // unit], [3 * unit**2])

    def targets(self, images):
        return [pixels(images, 8 * self.k["patch"])]


class PixelHead(Method):
    """SimMIM's: a linear layer from all tokens to their pixels, whose absolute error counts where they are hidden."""

    betas = (0.9, 0.999)

    def error(self, tokens, images, patch, mask):
        """`tokens` [batch, side · side, width]."""
        side = images.shape[2] // patch
        prediction = self.decoder[0](tokens).transpose(1, 2).unflatten(2, (side, side))
        hidden = rescaled(square(mask), side)[:, None]
        difference = (prediction - pixels(images, patch, normalized=False)).abs() * hidden
        loss = difference.sum() / (hidden.sum() * 3 * patch**2 + 1e-5)
        return loss, [loss]


class BeitBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.gamma_1, self.gamma_2 = nn.Parameter(torch.empty(width)), nn.Parameter(torch.empty(width))
        self.norm1, self.norm2 = nn.LayerNorm(width, EPSILON), nn.LayerNorm(width, EPSILON)
        self.attn = nn.Module()
        self.attn.qkv, self.attn.proj = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)
        self.attn.q_bias, self.attn.v_bias = nn.Parameter(torch.empty(width)), nn.Parameter(torch.empty(width))
        self.mlp = Perceptron(width)

    def forward(self, x, bias, kept):
        """`kept` [2, batch]: what each branch is times."""
        attn = self.attn
        bias_of_all = torch.cat([attn.q_bias, torch.zeros_like(attn.q_bias), attn.v_bias])
        query, key, value = F.linear(self.norm1(x), attn.qkv.weight, bias_of_all).unflatten(-1, (3, self.heads, -1)).permute(
            2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias).transpose(1, 2).flatten(2)
        x = x + kept[0][:, None, None] * self.gamma_1 * attn.proj(mixed)
        return x + kept[1][:, None, None] * self.gamma_2 * self.mlp(self.norm2(x))


class SimMIM(PixelHead):
    spared = ("cls_token",)

    def __init__(self, k):
        super().__init__()
        self.k, width, patch = k, k["dim"], k["patch"]
        self.clip = k["clip"]
        self.grid, self.units = k["image"] // patch, (k["image"] // k["unit"]) ** 2
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, patch, stride=patch)})
        self.cls_token, self.mask_token = nn.Parameter(torch.empty(1, 1, width)), nn.Parameter(torch.empty(1, 1, width))
        self.rel_pos_bias = nn.Module()
        rows = (2 * self.grid - 1) ** 2
        self.rel_pos_bias.relative_position_bias_table = nn.Parameter(torch.empty(rows + 3, k["heads"]))
        self.blocks = nn.ModuleList([BeitBlock(width, k["heads"]) for _ in range(k["depth"])])
        self.norm = nn.LayerNorm(width, EPSILON)
        self.decoder = nn.ModuleList([nn.Linear(width, 3 * patch**2)])
        at = torch.arange(self.grid)
        down, right = at.repeat_interleave(self.grid), at.repeat(self.grid)
        index = (down[:, None] - down + self.grid - 1) * (2 * self.grid - 1) + right[:, None] - right + self.grid - 1
        full = torch.full((self.grid**2 + 1,) * 2, rows)
        full[1:, 0], full[0, 0], full[1:, 1:] = rows + 1, rows + 2, index
        self.register_buffer("index", full, persistent=False)
        self.begin(0.02 * 0.5396)

    def forward(self, images, noise, drop=None):
        k, (_, mask) = self.k, drawn(noise, self.k["ratio"])
        hidden = rescaled(square(mask), self.grid).flatten(1)[..., None] > 0
        patches = self.patch_embed["proj"](images).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(images), -1, -1), torch.where(hidden, self.mask_token, patches)], dim=1)
        bias = F.embedding(self.index, self.rel_pos_bias.relative_position_bias_table).permute(2, 0, 1)[None]
        drop = torch.rand(2 * k["depth"], len(images)) if drop is None else drop
        for index, block in enumerate(self.blocks):
            rate = k["drop_path"] * index / max(1, k["depth"] - 1)
            x = block(x, bias, (drop[2 * index : 2 * index + 2] >= rate) / (1 - rate))
        return self.error(self.norm(x)[:, 1:], images, k["patch"], mask)


class SimMIMSwin(PixelHead, Swin):
    spared = ("mask_token",)

    def __init__(self, k):
        Swin.__init__(self, k, 1e-5)
        self.k, self.clip = k, k["clip"]
        self.mask_token = nn.Parameter(torch.empty(1, 1, k["dim"]))
        width, self.unit = k["dim"] << 3, 8 * k["patch"]
        self.norm = nn.LayerNorm(width, 1e-5)
        self.decoder = nn.ModuleList([nn.Linear(width, 3 * self.unit**2)])
        self.begin(0.02)

    def noise(self, batch):
        return torch.empty(batch, self.units**2)

    def forward(self, images, noise):
        _, mask = drawn(noise, self.k["ratio"])
        x = self.dense(images, rescaled(square(mask), self.grid), self.mask_token)
        return self.error(self.norm(x).flatten(1, 2), images, self.unit, mask)


METHODS = {
    "mae_vit": MAE,
    "localmim_vit": LocalMIM,
    "simmim_vit": SimMIM,
    "simmim_swin": SimMIMSwin,
    "localmim_swin": LocalMIMSwin,
    "greenmim_swin": GreenMIM,
    "wamim_swin": WaMIMSwin,
}
