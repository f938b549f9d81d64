"""Fine-tuning of a ViT classifier in plain PyTorch, as graphs/finetune_vit.wg describes it; parameters have timm's names."""
import torch
import torch.nn.functional as F
from torch import nn

from wamim import EPSILON, Block, position_table

# Width, blocks and heads by what finetune_vit.wg calls the size.
SIZES = {"tiny": (192, 12, 3), "small": (384, 12, 6), "base": (768, 12, 12), "large": (1024, 24, 16)}


class DroppedBlock(Block):
    """A block whose branches are left out for a share `rate` of the samples."""

    def __init__(self, width, heads, rate):
        super().__init__(width, heads)
        self.rate = rate

    def kept(self, branch):
        if not self.training or self.rate == 0:
            return branch
        kept = torch.rand(len(branch), 1, 1) >= self.rate
        return branch * (kept / (1 - self.rate))

    def forward(self, x):
        x = x + self.kept(self.attn(self.norm1(x)))
        return x + self.kept(self.mlp(self.norm2(x)))


class Classifier(nn.Module):
    def __init__(self, size, classes=1000, image=224, patch=16, drop_path=0.1):
        super().__init__()
        width, depth, heads = SIZES[size]
        grid = image // patch
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, patch, stride=patch)})
        self.cls_token = nn.Parameter(torch.empty(1, 1, width).normal_(std=0.02))
        self.pos_embed = nn.Parameter(position_table(width, grid)[None])
        self.blocks = nn.ModuleList([DroppedBlock(width, heads, drop_path * index / (depth - 1)) for index in range(depth)])
        self.fc_norm = nn.LayerNorm(width, EPSILON)
        self.head = nn.Linear(width, classes)
        nn.init.normal_(self.head.weight, std=2e-5)
        nn.init.zeros_(self.head.bias)

    def forward(self, images):
        patches = self.patch_embed["proj"](images).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(patches), -1, -1), patches], dim=1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.head(self.fc_norm(x[:, 1:].mean(1)))


def loss(model, images, targets):
    """The mean cross-entropy with targets that are shares of the classes."""
    return F.cross_entropy(model(images), targets)


def optimizer(model, rate, layer_decay=0.65):
    """AdamW whose learning rate falls from the head to the embedding, with weight decay for weights."""
    layers = len(model.blocks) + 1
    groups = {}
    for name, parameter in model.named_parameters():
        above = layers - int(name.split(".")[1]) - 1 if name.startswith("blocks.") else layers
        above = 0 if name.startswith(("fc_norm.", "head.")) else above
        decays = parameter.ndim > 1 and name not in ("cls_token", "pos_embed")
        groups.setdefault((above, decays), []).append(parameter)
    return torch.optim.AdamW(
        [dict(params=parameters, lr=rate * layer_decay**above, weight_decay=0.05 if decays else 0.0)
         for (above, decays), parameters in groups.items()], lr=rate, betas=(0.9, 0.999), eps=1e-8, fused=True)
