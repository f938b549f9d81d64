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
# The same of Swin: those that timm has names for, and one whose last grid is smaller than its window.
SWINS = {
    "swin_tiny": dict(dim=96, depths=[2, 2, 6, 2], heads=[3, 6, 12, 24], batch=1),
    "swin_base": dict(dim=128, depths=[2, 2, 18, 2], heads=[4, 8, 16, 32], batch=1),
    "swin_unnamed": dict(image=64, window=4, dim=24, depths=[2, 1, 2, 1], heads=[2, 2, 4, 4]),
}
# The same of Beit, SimMIM's ViT.
BEITS = {
    "beit_base": dict(batch=1),
    "beit_unnamed": dict(image=64, patch=16, dim=48, depth=3, heads=4),
}
# Classifiers' encoders, and what they are made of.
CLASSIFIERS = [
    ("vit", dict(patch=16, dim=48, depth=3, heads=4, pool="mean")),
    ("vit", dict(patch=16, dim=48, depth=3, heads=4, pool="token")),
    ("swin", dict(patch=4, window=4, dim=24, depths=[2, 1, 2, 1], heads=[2, 2, 4, 4])),
    # Windows that do not tile the grids; timm shifts windows before it adds zeros, so that only blocks without a shift are the same.
    ("swin", dict(patch=4, window=3, dim=24, depths=[1, 1, 1, 1], heads=[2, 2, 4, 4])),
]
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


def check_classifier(encoder, knobs, folder):
    """A fine-tuned classifier loads strictly, and gives the logits that `predict` would."""
    print("classifier,", encoder, knobs.get("pool", ""))
    at = lambda file: os.path.join(folder, file)
    blocks = knobs["depth"] if "depth" in knobs else sum(knobs["depths"])
    compile_model(f"graphs/finetune_{encoder}.wg", dict(knobs, image=64, classes=5, batch=4, drop_path=0.2), at("tune"))
    # A rate that moves all that there is, and yet ends with logits of some size.
    run(at("tune"), "fit", "--data", "synthetic:16", "--epochs", 2, "--base-lr", 1, "--warmup", 0, "--ema", 0.5,
        "--out", at("tuned"), "--overwrite")
    model, _ = create(run(at("tune"), "export", "--timm", "--checkpoint", at("tuned"), "-o", at("classifier.safetensors")))
    model.load_state_dict(load_file(at("classifier.safetensors")), strict=True)
    parameters = {k: v for k, v in load_file(at("tuned/checkpoint.safetensors")).items() if "_moment." not in k}
    images, labels = torch.randn(4, 3, 64, 64), torch.eye(5)[:4]
    parameters = {name: value for name, value in parameters.items() if not name.startswith("ema.")}
    save_file(parameters | {"images": images, "labels": labels, "drop": torch.rand(2 * blocks, 4)}, at("in.safetensors"))
    run(at("tune"), "grad", "--input", at("in.safetensors"), "--output", at("out.safetensors"))
    with torch.no_grad():
        found = error(load_file(at("out.safetensors"))["eval.logits"], model(images))
    print(f"    logits differ by {found:.1e}")
    assert found < TOLERANCE


def export(source, name, shape, at):
    """Compiles and trains a little, exports, loads strictly: the trainer, timm's model and the call that makes it."""
    print(name)
    train = at(name)
    compile_model(source, shape, train)
    # A step or two, so that no bias is zero and no scale is one.
    run(train, "fit", "--data", "synthetic:2", "--epochs", 2, "--out", at("run"), "--overwrite")
    model, call = create(run(train, "export", "--timm", "--checkpoint", at("run"), "-o", at("encoder.safetensors")))
    model.load_state_dict(load_file(at("encoder.safetensors")), strict=True)
    with safe_open(at("encoder.safetensors"), "pt") as file:
        assert file.metadata() == {"format": "pt", "model": call}
    return train, model, call


def evaluate(train, inputs, at):
    """What the trainer computes from its checkpoint's parameters and `inputs`."""
    parameters = {name: value for name, value in load_file(at("run/checkpoint.safetensors")).items() if "_moment." not in name}
    save_file({**parameters, **inputs}, at("in.safetensors"))
    run(train, "grad", "--input", at("in.safetensors"), "--output", at("out.safetensors"))
    return load_file(at("out.safetensors"))


def check_initial(train, call, block, at):
    """A model of timm's, with names as a wrapper leaves them and a head, is what a run begins with."""
    torch.manual_seed(2)
    other, _ = create(call)
    for parameter in other.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    theirs = {f"module.{name}": value for name, value in other.state_dict().items()}
    save_file({**theirs, "module.head.weight": torch.zeros(10, 3)}, at("timm.safetensors"))
    said = run(train, "fit", "--init", at("timm.safetensors"), "--data", "synthetic:2", "--epochs", 1, "--base-lr", 0,
               "--weight-decay", 0, "--out", at("run"), "--overwrite")
    assert said.count("module.head.weight") == 1, said
    run(train, "export", "--timm", "--checkpoint", at("run"), "-o", at("back.safetensors"))
    back = load_file(at("back.safetensors"))
    for name, value in other.state_dict().items():
        assert name == "pos_embed" or torch.equal(back[name], value), name

    # What does not fit is named with both shapes.
    expected = list(theirs[f"module.{block}.mlp.fc1.weight"].shape)
    theirs[f"module.{block}.mlp.fc1.weight"] = torch.zeros(3, 5)
    del theirs[f"module.{block}.norm1.bias"]
    save_file(theirs, at("timm.safetensors"))
    said = run(train, "fit", "--init", at("timm.safetensors"), "--data", "synthetic:2", "--out", at("run"), "--overwrite", status=1)
    assert f"`module.{block}.mlp.fc1.weight` has the shape [3, 5], and this model needs {expected}" in said
    assert f"lacks `module.{block}.norm1.bias`, which this model needs in the shape [{expected[1]}]" in said


def check_whole(name, shape, at):
    """An encoder of all tokens: Swin or Beit."""
    is_swin = name in SWINS
    train, model, call = export(f"Tests/Python/{'swin' if is_swin else 'beit'}_features.wg", name, shape, at)
    if is_swin and "unnamed" not in name:
        assert call == f"timm.create_model('{name}_patch4_window7_224', num_classes=0)", call
    image = shape.get("image", 224)
    images = torch.randn(shape.get("batch", 2), 3, image, image, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        features = model.forward_features(images)
        # Of Beit's tokens the trainer gives those of the patches.
        features = features.flatten(1, 2) if is_swin else features[:, 1:]
    worst = error(evaluate(train, dict(images=images), at)["tokens"], features)
    print("    features differ by", worst)
    assert worst < TOLERANCE
    check_initial(train, call, "layers.0.blocks.0" if is_swin else "blocks.1", at)


def check(name, shape, at):
    train, model, call = export("Tests/Python/features.wg", name, shape, at)

    # The same features as the trainer computes.
    generator = torch.Generator().manual_seed(1)
    batch, image = shape.get("batch", 2), shape["image"]
    inputs = dict(
        images=torch.randn(batch, 3, image, image, generator=generator),
        noise=torch.rand(batch, (image // shape["patch"]) ** 2, generator=generator))
    outputs = evaluate(train, inputs, at)
    with torch.no_grad():
        features = visible_features(model, inputs["images"], outputs["visible"])
        worst = error(outputs["tokens"], features)
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
    check_initial(train, call, "blocks.1", at)


for name in [name for name in sys.argv[1:] if name != "classifiers"] if sys.argv[1:] else [*SHAPES, *SWINS, *BEITS]:
    with tempfile.TemporaryDirectory() as folder:
        at = lambda file: os.path.join(folder, file)
        if name in SWINS | BEITS:
            check_whole(name, (SWINS | BEITS)[name], at)
        else:
            check(name, SHAPES[name], at)

if not sys.argv[1:] or "classifiers" in sys.argv[1:]:
    for encoder, knobs in CLASSIFIERS:
        with tempfile.TemporaryDirectory() as folder:
            check_classifier(encoder, knobs, folder)
