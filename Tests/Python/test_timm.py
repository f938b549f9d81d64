"""Encoders that `train export --timm` writes load into timm and give the features that the trainer computes, and back."""
import os
import re
import sys
import tempfile

import timm
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from trainer import compile_model, run

# The shapes of vit_demo, vit_tiny and vit_base, and one that timm has no name for.
SHAPES = {
    "vit_demo": dict(image=96, patch=8, dim=192, depth=12, heads=3),
    "vit_tiny": dict(image=224, patch=16, dim=192, depth=12, heads=3),
    "vit_base": dict(image=224, patch=16, dim=768, depth=12, heads=12, batch=1),
    "unnamed": dict(image=64, patch=16, dim=48, depth=3, heads=4),
}
TOLERANCE = 1e-5


def create(text):
    """Makes the model that the trainer's words describe."""
    call = re.search(r"timm\.create_model\(.*\)", text).group(0)
    print("   ", call)
    return eval(call, {"timm": timm}).eval(), call


def visible_features(model, images, visible):
    """What timm's layers make of the visible patches."""
    tokens = model.patch_embed(images) + model.pos_embed[:, 1:]
    tokens = tokens.gather(1, visible.long()[..., None].expand(-1, -1, tokens.shape[2]))
    first = (model.cls_token + model.pos_embed[:, :1]).expand(len(images), -1, -1)
    return model.norm(model.blocks(torch.cat([first, tokens], dim=1)))


def error(actual, expected):
    return ((actual - expected).abs().max() / expected.abs().max()).item()


def check(name, shape, folder):
    print(name)
    train, at = os.path.join(folder, name), lambda file: os.path.join(folder, file)
    compile_model("Tests/Python/features.wg", shape, train)
    # A step or two, so that no bias is zero and no scale is one.
    run(train, "fit", "--data", "synthetic:2", "--epochs", 2, "--out", at("run"), "--overwrite")
    model, call = create(run(train, "export", "--timm", "--checkpoint", at("run"), "-o", at("encoder.safetensors")))
    model.load_state_dict(load_file(at("encoder.safetensors")), strict=True)
    with safe_open(at("encoder.safetensors"), "pt") as file:
        assert file.metadata() == {"format": "pt", "model": call}

    # The same features as the trainer computes.
    generator = torch.Generator().manual_seed(1)
    batch, image = shape.get("batch", 2), shape["image"]
    parameters = {name: value for name, value in load_file(at("run/checkpoint.safetensors")).items() if "_moment." not in name}
    inputs = dict(
        images=torch.randn(batch, 3, image, image, generator=generator),
        noise=torch.rand(batch, (image // shape["patch"]) ** 2, generator=generator))
    save_file({**parameters, **inputs}, at("in.safetensors"))
    run(train, "grad", "--input", at("in.safetensors"), "--output", at("out.safetensors"))
    outputs = load_file(at("out.safetensors"))
    with torch.no_grad():
        features = visible_features(model, inputs["images"], outputs["visible"])
        worst = error(outputs["features"], features)
        print("    features differ by", worst)
        assert worst < TOLERANCE
        # What a user calls: all patches, through timm's own way of loading.
        loaded = eval(call[:-1] + f", checkpoint_path={at('encoder.safetensors')!r})", {"timm": timm}).eval()
        every = torch.arange(model.patch_embed.num_patches).expand(batch, -1)
        assert error(loaded.forward_features(inputs["images"]), visible_features(model, inputs["images"], every)) < TOLERANCE
        # The mean of the patches' features instead of the class token's.
        pooled = eval(call[:-1] + ", global_pool='avg', fc_norm=False)", {"timm": timm}).eval()
        pooled.load_state_dict(load_file(at("encoder.safetensors")), strict=True)
        assert error(pooled(inputs["images"]), loaded.forward_features(inputs["images"])[:, 1:].mean(1)) < TOLERANCE

    # A model of timm's, with names as a wrapper leaves them and a head, is what a run begins with.
    torch.manual_seed(2)
    other, _ = create(call)
    for parameter in other.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    theirs = {f"module.{name}": value for name, value in other.state_dict().items()}
    save_file({**theirs, "module.head.weight": torch.zeros(10, shape["dim"])}, at("timm.safetensors"))
    said = run(train, "fit", "--init", at("timm.safetensors"), "--data", "synthetic:2", "--epochs", 1, "--base-lr", 0,
               "--weight-decay", 0, "--out", at("run"), "--overwrite")
    assert said.count("module.head.weight") == 1, said
    run(train, "export", "--timm", "--checkpoint", at("run"), "-o", at("back.safetensors"))
    back = load_file(at("back.safetensors"))
    for name, value in other.state_dict().items():
        assert name == "pos_embed" or torch.equal(back[name], value), name

    # What does not fit is named with both shapes.
    theirs["module.blocks.1.mlp.fc1.weight"] = torch.zeros(3, 5)
    del theirs["module.blocks.2.norm1.bias"]
    save_file(theirs, at("timm.safetensors"))
    said = run(train, "fit", "--init", at("timm.safetensors"), "--data", "synthetic:2", "--out", at("run"), "--overwrite", status=1)
    assert f"`module.blocks.1.mlp.fc1.weight` has the shape [3, 5], and this model needs [{4 * shape['dim']}, {shape['dim']}]" in said
    assert f"lacks `module.blocks.2.norm1.bias`, which this model needs in the shape [{shape['dim']}]" in said


for name in sys.argv[1:] or SHAPES:
    with tempfile.TemporaryDirectory() as folder:
        check(name, SHAPES[name], folder)
