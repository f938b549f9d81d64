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

MODELS = ["wamim_vit_base", "wamim_vit_tiny", "wamim_vit_demo"]
# Seconds of a round for each side, more or less.
ROUND = 3


def peak_bytes():
    """The most memory that this process has had in use: what `getrusage` tells may be of the process that started it."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


def work(model, batch, threads):
    """Takes as many steps as each line of the input says, and answers with their seconds and the peak memory."""
    import torch

    from wamim import Configuration, WaMIM, optimizer

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    configuration = Configuration.of_model(os.path.join(REPOSITORY, f"graphs/{model}.wg"), batch=batch)
    network = WaMIM(configuration)
    adamw = optimizer(network, rate=1e-4)
    images = torch.empty(batch, 3, configuration.image, configuration.image)
    noise = torch.empty(batch, configuration.grid**2)

    def step():
        images.normal_()
        noise.uniform_()
        start = time.perf_counter()
        loss, _ = network(images, noise)
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

    def __init__(self, model, batch, threads):
        words = [sys.executable, __file__, "--work", model, "--batch", str(batch), "--threads", str(threads)]
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


def compare(model, batch, rounds, threads):
    """Prints each round, and returns the row of the table."""
    print(f"{model}, batch {batch}, {threads} threads")
    torch = PyTorch(model, batch, threads)
    ours, theirs, others, peak = [], [], [], 0
    with tempfile.TemporaryDirectory() as folder:
        trainer = os.path.join(folder, "train")
        compile_model(f"graphs/{model}.wg", dict(batch=batch), trainer)
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
    graphs = sorted(os.path.splitext(name)[0] for name in os.listdir(os.path.join(REPOSITORY, "graphs")))
    parser.add_argument("--model", default="wamim_vit_tiny", choices=graphs + ["all"], help="a model of graphs/, or all")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--work", metavar="MODEL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        return work(options.work, options.batch, options.threads)
    models = MODELS if options.model == "all" else [options.model]
    rows = [compare(model, options.batch, options.rounds, options.threads) for model in models]
    titles = ["model", "batch", "wamimc, images/s", "PyTorch, images/s", "ratio", "wamimc, memory", "PyTorch, memory", "ratio"]
    print()
    for row in [titles, ["---"] * len(titles)] + rows:
        print(f"| {' | '.join(row)} |")


main()
