"""Trains with a compiled trainer and with PyTorch in turn, and tells images a second and memory of each."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from trainer import REPOSITORY, compile_model, run

MODELS = {"pretrain": ["wamim_vit_base", "wamim_vit_tiny", "wamim_vit_demo"], "finetune": ["vit_base", "vit_tiny"]}
# Seconds of a round for each side, more or less.
ROUND = 3


def peak_bytes():
    """The most memory that this process has had in use: what `getrusage` tells may be of the process that started it."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


def pretraining(model, batch):
    """A network, its optimiser, and what draws a batch and computes its loss."""
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


def work(task, model, batch, threads):
    """Takes as many steps as each line of the input says, and answers with their seconds and the peak memory."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    adamw, draw, forward = {"pretrain": pretraining, "finetune": finetuning}[task](model, batch)

    def step():
        draw()
        start = time.perf_counter()
        loss = forward()
        loss.backward()
        adamw.step()
        adamw.zero_grad(set_to_none=True)
        loss = loss.item()
        seconds = time.perf_counter() - start
        assert loss == loss, "the loss is not a number"
        return seconds

    for line in sys.stdin:
        seconds = [step() for _ in range(int(line))]
        print(json.dumps(dict(seconds=seconds, peak=peak_bytes(), version=torch.__version__)), flush=True)


class PyTorch:
    """A process that trains with PyTorch when it is told to, and waits otherwise."""

    def __init__(self, task, model, batch, threads):
        words = [sys.executable, __file__, "--work", model, "--task", task, "--batch", str(batch), "--threads", str(threads)]
        # Threads that wait let others work.
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OMP_WAIT_POLICY="passive")
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def steps(self, count):
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit("error: the process that trains with PyTorch has ended; its message stands above")
        return json.loads(line)

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def spread(values, digits):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def source(task, model, batch):
    """The model's file, and the values to replace in it."""
    if task == "finetune":
        return "graphs/finetune_vit.wg", dict(batch=batch, size=json.dumps(model.removeprefix("vit_")))
    return f"graphs/{model}.wg", dict(batch=batch)


def compare(task, model, batch, rounds, threads):
    """Prints each round, and returns the row of the table."""
    print(f"{task} {model}, batch {batch}, {threads} threads")
    torch = PyTorch(task, model, batch, threads)
    ours, theirs, others, peak = [], [], [], 0
    with tempfile.TemporaryDirectory() as folder:
        trainer = os.path.join(folder, "train")
        compile_model(*source(task, model, batch), trainer)
        # The first step is slower, the second one tells how many make a round.
        usual = torch.steps(2)["seconds"][-1]
        count = max(1, round(ROUND / usual))
        for index in range(rounds):
            # Whoever comes first may find the machine in another state, so they take turns.
            for side in ("wamimc", "PyTorch") if index % 2 == 0 else ("PyTorch", "wamimc"):
                if side == "PyTorch":
                    answer = torch.steps(count)
                    theirs.append(batch / statistics.median(answer["seconds"]))
                else:
                    result = json.loads(run(trainer, "bench", "--json", "--steps", count, "--threads", threads))
                    ours.append(result["images_per_second"])
                    others.append(result.get("share_of_other_processes", 0))
                    peak = max(peak, result["peak_rss_bytes"])
            print(f"  round {index + 1}: wamimc {ours[-1]:.2f} images/s, PyTorch {theirs[-1]:.2f}, ratio {ours[-1] / theirs[-1]:.2f}")
    torch.stop()
    ratios = [mine / other for mine, other in zip(ours, theirs)]
    memory = [size / 2**20 for size in (peak, answer["peak"])]
    print(f"  wamimc           {spread(ours, 2)} images/s, at most {memory[0]:.0f} MiB")
    print(f"  PyTorch {answer['version']:8} {spread(theirs, 2)} images/s, at most {memory[1]:.0f} MiB")
    print(f"  ratio            {spread(ratios, 2)}, memory {memory[0] / memory[1]:.2f}")
    if max(others) > 0.05:
        print(f"  other processes used up to {100 * max(others):.0f} % of the machine: measure again when it has nothing else to do")
    return [
        model, str(batch), spread(ours, 1), spread(theirs, 1), spread(ratios, 2), f"{memory[0]:,.0f} MiB", f"{memory[1]:,.0f} MiB",
        f"{memory[0] / memory[1]:.2f}",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="pretrain", choices=list(MODELS))
    parser.add_argument("--model", help="a model of graphs/, of finetune vit_tiny to vit_large; or all")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--work", metavar="MODEL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        return work(options.task, options.work, options.batch, options.threads)
    models = MODELS[options.task] if options.model in (None, "", "all") else [options.model]
    rows = [compare(options.task, model, options.batch, options.rounds, options.threads) for model in models]
    titles = ["model", "batch", "wamimc, images/s", "PyTorch, images/s", "ratio", "wamimc, memory", "PyTorch, memory", "ratio"]
    print()
    for row in [titles, ["---"] * len(titles)] + rows:
        print(f"| {' | '.join(row)} |")


main()
