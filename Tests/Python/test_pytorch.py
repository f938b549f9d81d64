"""The models in plain PyTorch agree with the golden cases, and compiled trainers agree with WaMIM's at real sizes."""
import os
import tempfile

import torch
from safetensors.torch import load_file, save_file

from knobs import knobs
from peers import METHODS
from trainer import REPOSITORY, compile_model, run
from wamim import Configuration, WaMIM, optimizer, targets

GOLDEN = dict(image=32, patch=4, dim=48, depth=4, heads=3, taps=[1, 2, 3, 4], levels=[1, 2, 3, 4], decoder_dim=32,
              decoder_heads=4, batch=3)


VIT = dict(image=32, patch=4, dim=48, heads=3, batch=2)
SWIN = dict(image=48, patch=2, window=6, dim=6, depths=[2, 2, 3, 1], heads=[1, 2, 2, 4], batch=2)
METHOD_CASES = {
    "mae-vit": VIT | dict(depth=2, decoder_dim=32, decoder_depth=2, decoder_heads=4),
    "localmim-vit": VIT | dict(image=48, patch=8, dim=24, depth=4, taps=[1, 2, 3, 4], cells=[2, 4, 8, 16], decoder_dim=32,
                               decoder_heads=4),
    "simmim-vit": VIT | dict(depth=3, unit=8, drop_path=0.4),
    "simmim-swin": SWIN,
    "localmim-swin": SWIN | dict(ratio=0.6, widths=[8, 16, 16, 16], decoder_heads=2),
    "greenmim-swin": SWIN | dict(image=80, window=5, decoder_dim=24, decoder_heads=4),
}


def determined(name, tensor):
    """What has a value to agree on: the gradient for the keys' bias is zero but for rounding, which Adam scales up."""
    if not name.endswith("attn.qkv.bias"):
        return tensor
    query, _, value = tensor.chunk(3)
    return torch.cat([query, value])


def check(expected, actual, tolerance):
    worst = 0
    for name, tensor in expected.items():
        want, found = determined(name, tensor), determined(name, actual[name].reshape(tensor.shape))
        error = ((found - want).abs().max() / want.abs().max().clamp_min(1e-30)).item()
        assert error <= tolerance, f"{name}: {error}"
        worst = max(worst, error)
    print("    differ by", worst)


def results(model, images, noise):
    """What `train grad` writes."""
    loss, losses = model(images, noise)
    loss.backward()
    found = {"loss": loss.detach()}
    found.update({f"loss.{index}": loss.detach() for index, loss in enumerate(losses)})
    found.update({f"target.{index}": target for index, target in enumerate(targets(images, model.configuration))})
    found.update({f"grad.{name}": parameter.grad.clone() for name, parameter in model.named_parameters()})
    return found


def golden():
    print("golden case")
    inputs, expected = (load_file(os.path.join(REPOSITORY, f"Tests/Golden/vit-tiny.{side}.safetensors")) for side in ("in", "out"))
    images, noise = inputs.pop("images"), inputs.pop("noise")
    model = WaMIM(Configuration.of_model(os.path.join(REPOSITORY, "graphs/wamim_vit_demo.wg"), **GOLDEN))
    model.load_state_dict(inputs, strict=True)
    found = results(model, images, noise)
    adamw, losses = optimizer(model, rate=1e-3), []
    for _ in range(3):
        adamw.zero_grad()
        loss, _ = model(images, noise)
        loss.backward()
        adamw.step()
        losses.append(loss.item())
    found["adamw.losses"] = torch.tensor(losses)
    found.update({f"adamw.{name}": parameter.detach() for name, parameter in model.named_parameters()})
    # Adam's first steps make much of gradients that are nearly zero.
    check({name: tensor for name, tensor in expected.items() if name.startswith("adamw.")}, found, tolerance=1e-4)
    check({name: tensor for name, tensor in expected.items() if not name.startswith("adamw.")}, found, tolerance=1e-5)


def methods():
    for case, settings in METHOD_CASES.items():
        print(case)
        model = case.replace("-", "_")
        inputs, expected = (load_file(os.path.join(REPOSITORY, f"Tests/Golden/{case}.{side}.safetensors")) for side in ("in", "out"))
        images, noise = inputs.pop("images"), inputs.pop("noise")
        drop = [inputs.pop("drop")] if "drop" in inputs else []
        network = METHODS[model](knobs(os.path.join(REPOSITORY, f"graphs/{model}.wg"), **settings))
        network.load_state_dict({name.replace("hog_enc.", "shifts.").removesuffix(".conv.bias") if "hog" in name else name: tensor
                                 for name, tensor in inputs.items()}, strict=True)
        loss, losses = network(images, noise, *drop)
        loss.backward()
        found = {"loss": loss.detach()} | {f"loss.{index}": loss.detach() for index, loss in enumerate(losses)}
        found |= {f"grad.{name}": p.grad for name, p in network.named_parameters() if p.grad is not None}
        check({name: tensor for name, tensor in expected.items() if name in found}, found, tolerance=1e-5)


def compiled(name, folder, **settings):
    print(name, settings)
    torch.manual_seed(3)
    path = os.path.join(REPOSITORY, f"graphs/{name}.wg")
    configuration = Configuration.of_model(path, **settings)
    model = WaMIM(configuration)
    images = torch.randn(configuration.batch, 3, configuration.image, configuration.image)
    noise = torch.rand(configuration.batch, configuration.grid**2)
    at = lambda file: os.path.join(folder, file)
    save_file(dict(images=images, noise=noise, **model.state_dict()), at("in.safetensors"))
    compile_model(path, settings, at("train"))
    run(at("train"), "grad", "--input", at("in.safetensors"), "--output", at("out.safetensors"))
    check(results(model, images, noise), load_file(at("out.safetensors")), tolerance=1e-4)


golden()
methods()
with tempfile.TemporaryDirectory() as folder:
    compiled("wamim_vit_demo", folder, batch=3)
    compiled("wamim_vit_tiny", folder, batch=2, subbands="all")
    compiled("wamim_vit_base", folder, batch=1, normalization="token")
