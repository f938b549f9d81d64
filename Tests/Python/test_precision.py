"""Gradients in bf16 are no farther from those in float64 than PyTorch's autocast has them."""
import os
import statistics
import tempfile

import torch
from safetensors.torch import load_file, save_file

from trainer import REPOSITORY, compile_model, run
from wamim import Configuration, WaMIM

GOLDEN = dict(image=32, patch=4, dim=48, depth=4, heads=3, taps=[1, 2, 3, 4], levels=[1, 2, 3, 4], decoder_dim=32,
              decoder_heads=4, batch=3)


def gradients(model, images, noise):
    model.zero_grad()
    model(images, noise)[0].backward()
    return {f"grad.{name}": parameter.grad.double() for name, parameter in model.named_parameters()}


def autocast(model, images, noise):
    model.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(images, noise)[0]
    loss.backward()
    return {f"grad.{name}": parameter.grad.double() for name, parameter in model.named_parameters()}


def errors(exact, found):
    """The distance of all gradients together from the exact ones, over their length, and each tensor's."""
    distance = lambda name: (found[name].double().reshape(exact[name].shape) - exact[name]).norm().item()
    length = {name: tensor.norm().item() for name, tensor in exact.items()}
    total = sum(distance(name) ** 2 for name in exact) ** 0.5 / sum(value**2 for value in length.values()) ** 0.5
    # The gradient for the keys' bias is zero but for rounding.
    return total, {name: distance(name) / length[name] for name in exact if length[name] > 0 and not name.endswith("qkv.bias")}


def compare(title, model, folder, settings, images, noise, file):
    at = lambda name: os.path.join(folder, name)
    save_file(dict(images=images, noise=noise, **model.state_dict()), at("in.safetensors"))
    compile_model(file, settings | dict(precision="bf16"), at("train"))
    run(at("train"), "grad", "--input", at("in.safetensors"), "--output", at("out.safetensors"))
    theirs = autocast(model, images, noise)
    exact = gradients(model.double(), images.double(), noise.double())
    (ours_all, ours), (theirs_all, theirs) = errors(exact, load_file(at("out.safetensors"))), errors(exact, theirs)
    ratio = statistics.median(ours[name] / theirs[name] for name in ours)
    nearer = sum(ours[name] <= theirs[name] for name in ours)
    print(f"{title}: all gradients {ours_all:.2e}, autocast's {theirs_all:.2e}; of {len(ours)} tensors {nearer} are nearer, "
          f"the median of their errors' ratios is {ratio:.2f}")
    assert ours_all <= theirs_all, "autocast is nearer"


with tempfile.TemporaryDirectory() as folder:
    torch.manual_seed(3)
    inputs = load_file(os.path.join(REPOSITORY, "Tests/Golden/vit-tiny.in.safetensors"))
    images, noise = inputs.pop("images"), inputs.pop("noise")
    file = os.path.join(REPOSITORY, "graphs/wamim_vit_demo.wg")
    model = WaMIM(Configuration.of_model(file, **GOLDEN))
    model.load_state_dict(inputs, strict=True)
    compare("golden case", model, folder, GOLDEN, images, noise, file)
    for name, batch in [("wamim_vit_demo", 8), ("wamim_vit_base", 4)]:
        file = os.path.join(REPOSITORY, f"graphs/{name}.wg")
        configuration = Configuration.of_model(file, batch=batch)
        images = torch.randn(batch, 3, configuration.image, configuration.image)
        noise = torch.rand(batch, configuration.grid**2)
        compare(f"{name}, batch {batch}", WaMIM(configuration), folder, dict(batch=batch), images, noise, file)
