"""Times the matrix products of a model as generated code and in OpenBLAS, beside what `--emit matmuls` estimates of both."""
import argparse
import collections
import json
import os
import re
import tempfile

from trainer import COMPILER, REPOSITORY, run

# Rows, columns and terms of the products of `--model shapes`: the gradients' are the same, transposed.
WIDTHS = [1, 2, 5, 9, 16, 17, 27, 40, 56, 72, 100, 200, 513]
TERMS = [8, 24, 72, 200, 768, 3000]


def shapes(batch):
    """A model that has a linear layer for each pair of widths, on 49 rows of each sample."""
    lines = ["model shapes", f"input images: f32[{batch}, 3, 56, 56]", "let x = patches(images, 8)"]
    losses = []
    for terms in TERMS:
        lines.append(f'let h{terms} = tanh(linear(x, width: {terms}, name: "in{terms}"))')
        for width in WIDTHS:
            name = f"{terms}_{width}"
            lines.append(f'let l{name} = sum(tanh(linear(h{terms}, width: {width}, name: "out{name}")), axes: [0, 1, 2])')
            losses.append(f"l{name}")
    lines.append(f"loss weighted_sum([{', '.join(losses)}], [{', '.join('1.0' for _ in losses)}])")
    return "\n".join(lines) + "\n"


def estimates(table):
    """Kernels of a table with their product and the cycles of a step, generated and in OpenBLAS."""
    found = {}
    for line in table.splitlines():
        match = re.match(r"(k\d+)\s+\d+\s+([\d.]+)\s+([\d.]+)\s+(\d.*)", line)
        if match:
            found[match[1]] = (match[4], 1e6 * float(match[2]), 1e6 * float(match[3]))
    return found


def kernel_times(trainer, steps, durations):
    """Adds the microseconds of each call of a kernel to `durations`."""
    profile = trainer + ".json"
    run(trainer, "bench", "--threads", 1, "--steps", steps, "--profile", profile)
    with open(profile) as file:
        events = json.load(file)["traceEvents"]
    for event in events:
        if "kernel" in event.get("args", {}):
            durations[event["args"]["kernel"], event["args"]["flops"]].append(event["dur"])


def step_times(durations, steps):
    """Microseconds of a step for each kernel: a low percentile of its calls stands for all, so that others' work counts little."""
    times = collections.Counter()
    for (kernel, _), values in durations.items():
        times[kernel] += sorted(values)[len(values) // 10] * len(values) / steps
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="wamim_vit_tiny", help="a model of graphs/, or shapes, which has many widths")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--cpu", default="native", help="the processor to compile for")
    parser.add_argument("--clock", type=float, default=2.8, help="the cycles of a nanosecond")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.model == "shapes":
            model = os.path.join(folder, "shapes.wg")
            with open(model, "w") as file:
                file.write(shapes(options.batch))
            words = [model]
        else:
            words = [os.path.join(REPOSITORY, "graphs", options.model + ".wg"), "--set", f"batch={options.batch}"]
        words += ["--cpu", options.cpu]
        table = run(COMPILER, *words, "--emit", "matmuls")
        sources = ["generated", "openblas"]
        trainers = [os.path.join(folder, source) for source in sources]
        for source, trainer in zip(sources, trainers):
            run(COMPILER, *words, "--matmul", source, "-o", trainer)
        durations = [collections.defaultdict(list) for _ in sources]
        for _ in range(options.rounds):
            for trainer, found in zip(trainers, durations):
                kernel_times(trainer, options.steps, found)
    times = [step_times(found, options.rounds * options.steps) for found in durations]
    report(table, times, options.clock)


def report(table, times, clock):
    print(table.splitlines()[0])
    print("microseconds of a step on one thread, measured and by estimate, and the ratio of OpenBLAS to generated code")
    print(f"{'kernel':6}{'generated':>11}{'estimate':>11}{'openblas':>11}{'estimate':>11}{'ratio':>7}{'est.':>7}  rows x columns x terms")
    totals = [0] * 4

    def line(name, numbers, product):
        measured, estimated = numbers[1] / numbers[0], numbers[3] / numbers[2]
        print(
            f"{name:6}{numbers[0]:11.0f}{numbers[2]:11.0f}{numbers[1]:11.0f}{numbers[3]:11.0f}{measured:7.2f}{estimated:7.2f}  {product}")

    for kernel, (product, *cycles) in estimates(table).items():
        numbers = [times[0][kernel], times[1][kernel], *(count / clock / 1000 for count in cycles)]
        totals = [total + number for total, number in zip(totals, numbers)]
        line(kernel, numbers, product)
    line("all", totals, "")


main()
