"""Trains with a compiled trainer and with PyTorch in turn, and tells images a second and memory of each."""
import argparse
import json
import os
import tempfile

from trainer import REPOSITORY, compile_model
from turns import PyTorch, serve, spread, take_turns, timed

MODELS = {"pretrain": ["wamim_vit_base", "wamim_vit_tiny", "wamim_vit_demo"], "finetune": ["vit_base", "vit_tiny"]}


def pretraining(model, batch):
    """An optimiser, what draws a batch, and what computes its loss."""
    import torch

    from wamim import Configuration, WaMIM, optimizer

    configuration = Configuration.of_model(os.path.join(REPOSITORY, f"graphs/{model}.wg"), batch=batch)
    network = WaMIM(configuration)
    images = torch.empty(batch, 3, configuration.image, configuration.image)
    noise = torch.empty(batch, configuration.grid**2)

    def draw():
        images.normal_()
        noise.uniform_()

    return optimizer(network, rate=1e-4), draw, lambda: network(images, noise)[0]


def finetuning(model, batch):
    """The same of a classifier."""
    import torch

    from classifier import Classifier, loss, optimizer

    network = Classifier(model.removeprefix("vit_")).train()
    images, targets = torch.empty(batch, 3, 224, 224), torch.full((batch, 1000), 1 / 1000)
    return optimizer(network, rate=1e-4), images.normal_, lambda: loss(network, images, targets)


def work(task, model, batch, threads, precision):
    """Trains with PyTorch as often as it is told to; bf16 is its autocast."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    optimizer, draw, loss = {"pretrain": pretraining, "finetune": finetuning}[task](model, batch)

    def mixed():
        with torch.autocast("cpu", torch.bfloat16):
            return loss()

    serve(timed(optimizer, draw, mixed if precision == "bf16" else loss))


def source(task, model, batch):
    """The model's file, and the values to replace in it."""
    if task == "finetune":
        return "graphs/finetune_vit.wg", dict(batch=batch, size=json.dumps(model.removeprefix("vit_")))
    return f"graphs/{model}.wg", dict(batch=batch)


def compare(task, model, batch, rounds, threads, precision):
    """Prints each round, and returns the row of the table."""
    print(f"{task} {model}, batch {batch}, {threads} threads, {precision}")
    torch = PyTorch(__file__, "--work", model, "--task", task, "--batch", batch, "--precision", precision, threads=threads)
    with tempfile.TemporaryDirectory() as folder:
        trainer = os.path.join(folder, "train")
        file, values = source(task, model, batch)
        compile_model(file, values | dict(precision=precision), trainer)
        measured = take_turns(torch, trainer, batch, rounds, threads)
    torch.stop()
    memory = measured.memory
    return [
        model, str(batch), spread(measured.ours, 1), spread(measured.theirs, 1), spread(measured.ratios, 2), f"{memory[0]:,.0f} MiB",
        f"{memory[1]:,.0f} MiB", f"{memory[0] / memory[1]:.2f}",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="pretrain", choices=list(MODELS))
    parser.add_argument("--model", help="a model of graphs/, of finetune vit_tiny to vit_large; or all")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--precision", default="f32", choices=["f32", "bf16"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--work", metavar="MODEL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        return work(options.task, options.work, options.batch, options.threads, options.precision)
    models = MODELS[options.task] if options.model in (None, "", "all") else [options.model]
    rows = [compare(options.task, model, options.batch, options.rounds, options.threads, options.precision) for model in models]
    titles = ["model", "batch", "wamimc, images/s", "PyTorch, images/s", "ratio", "wamimc, memory", "PyTorch, memory", "ratio"]
    print()
    for row in [titles, ["---"] * len(titles)] + rows:
        print(f"| {' | '.join(row)} |")


main()
