"""Trains with a compiled trainer and with PyTorch in turn."""
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

from trainer import run

# Seconds of a round for each side, more or less.
ROUND = 3


def peak_bytes():
    """The most memory that this process has had in use: what `getrusage` tells may be of the process that started it."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


def serve(step, **facts):
    """Takes as many steps as each line of the input says, and answers with their seconds, the peak memory and `facts`."""
    import torch

    for line in sys.stdin:
        seconds = [step() for _ in range(int(line))]
        print(json.dumps(dict(seconds=seconds, peak=peak_bytes(), version=torch.__version__, **facts)), flush=True)


def timed(adamw, draw, forward, clip=None):
    """A step, which gives its seconds: `draw` fills what `forward` computes a loss of, and gradients are cut to the norm `clip`."""
    import torch

    def step():
        draw()
        start = time.perf_counter()
        loss = forward()
        loss.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_([p for group in adamw.param_groups for p in group["params"]], clip)
        adamw.step()
        adamw.zero_grad(set_to_none=True)
        loss = loss.item()
        seconds = time.perf_counter() - start
        assert loss == loss, "the loss is not a number"
        return seconds

    return step


class PyTorch:
    """A process that trains with PyTorch when it is told to, and waits otherwise."""

    def __init__(self, *words, threads):
        # Threads that wait let others work.
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OMP_WAIT_POLICY="passive")
        words = [sys.executable, *map(str, words), "--threads", str(threads)]
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


@dataclass
class Measured:
    """Images a second in each round, the largest memory in MiB, and what both sides told last."""

    ours: list
    theirs: list
    memory: tuple
    bench: dict
    answer: dict

    @property
    def ratios(self):
        return [mine / other for mine, other in zip(self.ours, self.theirs)]


def take_turns(torch, trainer, batch, rounds, threads, seconds=ROUND):
    """Lets both sides train in turn, and prints each round."""
    ours, theirs, others, peak = [], [], [], 0
    # The first step is slower, the second one tells how many make a round.
    count = max(1, round(seconds / torch.steps(2)["seconds"][-1]))
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
        print(
            f"  round {index + 1}: wamimc {ours[-1]:.2f} images/s, PyTorch {theirs[-1]:.2f}, ratio {ours[-1] / theirs[-1]:.2f}",
            flush=True)
    measured = Measured(ours, theirs, (peak / 2**20, answer["peak"] / 2**20), result, answer)
    memory = measured.memory
    print(f"  wamimc           {spread(ours, 2)} images/s, at most {memory[0]:.0f} MiB")
    print(f"  PyTorch {answer['version']:8} {spread(theirs, 2)} images/s, at most {memory[1]:.0f} MiB")
    print(f"  ratio            {spread(measured.ratios, 2)}, memory {memory[0] / memory[1]:.2f}")
    if max(others) > 0.05:
        print(f"  other processes used up to {100 * max(others):.0f} % of the machine: measure again when it has nothing else to do")
    return measured
