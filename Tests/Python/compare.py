"""All methods of graphs/ beside each other and beside PyTorch: arithmetic, images a second, memory, and time to compile."""
import argparse
import os
import statistics
import subprocess
import tempfile
import time

from knobs import knobs
from trainer import REPOSITORY, compile_model
from turns import PyTorch, serve, take_turns, timed

# The method, the encoder and the model, with what chooses the size; multiply-adds a training step of an image, 10⁹, at base size: the
# least that gives the same numbers, and those of the original, where they are known.
ROWS = [
    ("WaMIM", "ViT", "wamim_vit_{size}", 14.66, 15.57),
    ("LocalMIM", "ViT", "localmim_vit", 14.68, 15.60),
    ("MAE", "ViT", "mae_vit", 28.24, 29.23),
    ("SimMIM", "ViT", "simmim_vit", 50.57, 52.92),
    ("WaMIM", "Swin", "wamim_swin_{size}", 12.08, None),
    ("LocalMIM", "Swin", "localmim_swin", 11.61, None),
    ("GreenMIM", "Swin", "greenmim_swin", 11.67, None),
    ("SimMIM", "Swin", "simmim_swin", 33.36, None),
]


def file_and_settings(model, size, batch):
    """The file of a model, and what makes it of a size: a file of its own or a value."""
    if "{size}" in model:
        return f"graphs/{model.format(size=size)}.wg", dict(batch=batch)
    return f"graphs/{model}.wg", dict(size=size, batch=batch)


def network_of(model, path, settings):
    """A PyTorch network, its noise for a step, and its optimiser."""
    import torch

    if model.startswith("wamim_vit"):
        from wamim import Configuration, WaMIM, optimizer

        configuration = Configuration.of_model(path, batch=settings["batch"])
        network = WaMIM(configuration)
        return network, torch.empty(configuration.batch, configuration.grid**2), optimizer(network, rate=1e-4)
    from peers import METHODS

    network = METHODS[model.removesuffix("_{size}")](knobs(path, **settings))
    return network, network.noise(settings["batch"]), network.optimizer(rate=1e-4)


def work(index, size, batch, threads):
    """Trains with PyTorch as often as it is told to."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = ROWS[index][2]
    file, settings = file_and_settings(model, size, batch)
    path = os.path.join(REPOSITORY, file)
    network, noise, adamw = network_of(model, path, settings)
    images = torch.empty(batch, 3, knobs(path, **settings)["image"], knobs(path, **settings)["image"])

    def draw():
        images.normal_()
        noise.uniform_()

    step = timed(adamw, draw, lambda: network(images, noise)[0], clip=getattr(network, "clip", None))
    with FlopCounterMode(display=False) as counter:
        step()
    serve(step, multiply_adds=counter.get_total_flops() / 2 / batch)


def thousand_millions(number):
    return "–" if number is None else f"{number:.2f}"


def compare(index, size, batch, rounds, threads, seconds):
    """The row of the table."""
    method, encoder, model, least, original = ROWS[index]
    print(f"{method}, {encoder}, {size}, batch {batch}, {threads} threads", flush=True)
    torch = PyTorch(__file__, "--work", index, "--size", size, "--batch", batch, threads=threads)
    file, settings = file_and_settings(model, size, batch)
    with tempfile.TemporaryDirectory() as folder:
        trainer = os.path.join(folder, "train")
        start = time.perf_counter()
        compile_model(file, {name: f'"{value}"' if name == "size" else value for name, value in settings.items()}, trainer)
        compiled = time.perf_counter() - start
        measured = take_turns(torch, trainer, batch, rounds, threads, seconds)
    torch.stop()
    executed = measured.bench["multiply_add_flops"] / 2 / batch / 1e9
    ours, theirs, ratio = (statistics.median(values) for values in (measured.ours, measured.theirs, measured.ratios))
    return [
        method, encoder, *map(thousand_millions, (least, original) if size == "base" else (None, None)),
        thousand_millions(executed), thousand_millions(measured.answer["multiply_adds"] / 1e9), f"{ours:.1f}", f"{theirs:.1f}",
        f"{ratio:.2f}", f"{measured.memory[0]:,.0f}", f"{measured.memory[1]:,.0f}",
        f"{measured.memory[0] / measured.memory[1]:.2f}", f"{compiled:.1f}",
    ]


TITLES = [
    "method", "encoder", "least", "original", "wamimc", "PyTorch", "wamimc, images/s", "PyTorch", "ratio", "wamimc, MiB", "PyTorch",
    "ratio", "compiles in s",
]


def processor():
    """The processor's name."""
    listed = subprocess.run(["lscpu"], capture_output=True, text=True).stdout.splitlines()
    return next((line.split(":", 1)[1].strip() for line in listed if line.startswith("Model name")), "unknown")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="base", choices=["base", "demo"])
    parser.add_argument("--methods", default="", help="models of the table to measure, such as mae_vit,simmim_vit; all where none are named")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="of a round for each side, more or less")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--work", metavar="ROW", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work is not None:
        return work(options.work, options.size, options.batch, options.threads)
    names = options.methods.split(",") if options.methods else []
    chosen = [index for index, row in enumerate(ROWS) if not names or row[2].removesuffix("_{size}") in names]
    rows = [compare(index, options.size, options.batch, options.rounds, options.threads, options.seconds) for index in chosen]
    print(f"\n{processor()}, {options.threads} threads, batch {options.batch}, size {options.size}; multiply-adds an image in 10⁹\n")
    for row in [TITLES, ["---"] * len(TITLES)] + rows:
        print(f"| {' | '.join(row)} |")


main()
