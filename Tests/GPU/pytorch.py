"""Images a second of a WaMIM model in plain PyTorch on a GPU: autocast to bf16 or float32, fused AdamW, eager and compiled; prints JSON."""
import argparse
import json
import os
import statistics
import sys
import time

import torch

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(REPOSITORY, "Tests/Python"))
from wamim import Configuration, WaMIM, optimizer  # noqa: E402


def measure(model, batch, precision, device, compiled, steps):
    """Images a second of the median step, the loss of the last one, and the most memory in MiB."""
    torch.manual_seed(0)
    configuration = Configuration.of_model(os.path.join(REPOSITORY, f"graphs/{model}.wg"), batch=batch)
    network = WaMIM(configuration).to(device)
    adamw = optimizer(network, rate=1e-4)
    images = torch.randn(batch, 3, configuration.image, configuration.image, device=device)
    noise = torch.rand(batch, configuration.grid**2, device=device)
    forward = torch.compile(network) if compiled else network
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None

    def step():
        images.normal_()
        noise.uniform_()
        wait()
        start = time.perf_counter()
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            loss = forward(images, noise)[0]
        loss.backward()
        adamw.step()
        adamw.zero_grad(set_to_none=True)
        wait()
        return time.perf_counter() - start, loss.item()

    # The first steps compile, and fill the allocator's pools.
    for _ in range(3):
        step()
    taken = [step() for _ in range(steps)]
    peak = torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else None
    return dict(images_per_second=batch / statistics.median(seconds for seconds, _ in taken), loss=taken[-1][1], memory=peak)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="wamim_vit_base")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--precision", default="bf16", choices=["f32", "bf16"])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--compiled", action="store_true")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("error: this PyTorch finds no GPU")
    torch.backends.cuda.matmul.allow_tf32 = False
    result = measure(options.model, options.batch, options.precision, options.device, options.compiled, options.steps)
    print(json.dumps(dict(version=torch.__version__, **result)))


main()
