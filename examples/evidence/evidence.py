"""Shows in small what WaMIM's encoders are worth: beside MAE and no pre-training, on two sets of images, and the paper's ablations.

Results go to docs/evidence.json row by row, so that it can be interrupted and gone on with; docs/evidence.md and docs/evidence.svg are made
of that file. Nothing looks at test images before the recipes stand: `--tune` shows what they were chosen by, on a fifth of the training images.
"""
import argparse
import fcntl
import itertools
import json
import os
import shutil
import sys
import time

from datasets import Cells, Fashion
from report import write_report
from training import PRETRAINING, REPOSITORY, Workshop

RESULTS = os.path.join(REPOSITORY, "docs/evidence.json")
METHODS = ["scratch", "mae", "wamim"]
# The paper's ablations (arXiv 2503.00782, table 4): what is changed of the model that the other experiments have.
ABLATIONS = {
    "as the others": {},
    "ratio 0.6": dict(ratio=0.6),
    "ratio 0.9": dict(ratio=0.9),
    "db2": dict(wavelet="db2"),
    "bior4.4": dict(wavelet="bior4.4"),
    "decoder of 48": dict(decoder_dim=48),
    "decoder of 192": dict(decoder_dim=192),
    "decoder of two blocks": dict(decoder_depth=2),
    "equal weights": dict(weights="[1, 1, 1, 1]"),
    "falling weights": dict(weights="[1.2, 1.1, 0.9, 0.8]"),
    "levels 1 and 2": dict(levels="[1, 2]", taps="[3, 6]", weights="[0.9, 1.1]"),
    "levels 3 and 4": dict(levels="[3, 4]", taps="[3, 6]", weights="[0.9, 1.1]"),
    "level 2 alone": dict(levels="[2]", taps="[6]", weights="[1]"),
    "no normalisation": dict(normalization="none"),
    "normalised by token": dict(normalization="token"),
}


class Results:
    """Rows of figures by their keys, on the disk after each; processes that make different rows may share the file."""

    def __init__(self, path):
        self.path = path

    @property
    def rows(self):
        if not os.path.exists(self.path): return {}
        with open(self.path) as file:
            return json.load(file)

    def add(self, key, make):
        """Makes the row of `key` where it is missing."""
        if key in self.rows: return
        start = time.time()
        row = dict(make(), seconds=round(time.time() - start))
        folder = os.open(os.path.dirname(self.path), os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            rows = dict(self.rows, **{key: row})
            with open(self.path + ".new", "w") as file:
                json.dump(rows, file, indent=1, sort_keys=True)
            os.rename(self.path + ".new", self.path)
        finally:
            os.close(folder)
        print(key, row, flush=True)


class Evidence:
    def __init__(self, options):
        self.options = options
        self.work = options.work
        self.results = Results(options.results)
        self.shop = Workshop(os.path.join(self.work, "runs"), options.threads)

    def images(self, data, trainers, minutes):
        """Images of each method's pre-training, so that all take the same time, measured once."""
        key = f"speed {data.name} {' '.join(sorted(trainers))}"
        self.results.add(key, lambda: self.shop.speeds(trainers))
        return {name: self.results.rows[key][name] * 60 * minutes for name in trainers}

    def cells(self, seed, method, tuning=False, **changes):
        """One run of the protocol of the solar cells."""
        data = Cells(self.work, seed, tuning)
        name = f"{'tuning-' if tuning else ''}elpv-{method}-{seed}{self._suffix(changes)}"
        images = self.images(data, {name: self.shop.pretrainer(data, name) for name in METHODS[1:]}, self.options.minutes)

        def make():
            epochs = changes.get("epochs")
            if method == "scratch": return self.shop.fine_tuned(data, seed, f"{name}-tuned", epochs=epochs)
            trainer, run = self.shop.pretrained(
                data, method, seed, images[method], name, count=len(data.train_rows))
            figures = self.shop.fine_tuned(data, seed, f"{name}-tuned", initial=run, epochs=epochs)
            return {**figures, **self.shop.worth(trainer, run, data)}

        self.results.add(name, lambda: self._cleared(make, name))

    def fashion(self, seed, method):
        """One run on pictures of clothes: neighbours, probe, and fine-tuning with a hundredth of the labels and with all."""
        data = Fashion(self.work, seed, tuning=False)
        name = f"fashion-{method}-{seed}"
        images = self.images(data, {name: self.shop.pretrainer(data, name) for name in METHODS[1:]}, self.options.minutes)

        def make():
            initial, row = None, {}
            if method != "scratch":
                trainer, initial = self.shop.pretrained(data, method, seed, images[method], name)
                for part, train in (("", data.train), (" 1 %", data.hundredth)):
                    row |= {figure + part: share for figure, share in self.shop.worth(trainer, initial, data, train).items()}
            for part, train, epochs in ((" 1 %", data.hundredth, 60), ("", data.train, 2)):
                figures = self.shop.fine_tuned(data, seed, f"{name}-tuned{epochs}", initial, train, epochs)
                row["fine-tuned" + part] = figures["accuracy"]
            return row

        self.results.add(name, lambda: self._cleared(make, name))

    def ablation(self, seed, label):
        """One changed model on both sets: what neighbours and a probe make of its features."""
        for data in (Cells(self.work, seed, tuning=False), Fashion(self.work, seed, tuning=False)):
            settings = ABLATIONS[label]
            name = f"ablation-{data.name}-{label.replace(' ', '_')}-{seed}"
            trainers = {"wamim": self.shop.pretrainer(data, "wamim")}
            images = self.images(data, trainers, self.options.ablation_minutes)["wamim"]

            def make():
                trainer, run = self.shop.pretrained(data, "wamim", seed, images, name, settings)
                return self.shop.worth(trainer, run, data, data.tenth if data.name == Fashion.name else None)

            self.results.add(name, lambda: self._cleared(make, name))

    def tune(self):
        """Learning rates of pre-training and lengths of fine-tuning, on a fifth of the training images of one seed."""
        chosen = PRETRAINING["base-lr"]
        for rate, method in itertools.product((2e-3, 4e-3, 8e-3), METHODS[1:]):
            PRETRAINING["base-lr"] = rate
            self.cells(0, method, tuning=True, rate=rate)
        PRETRAINING["base-lr"] = chosen
        for epochs, method in itertools.product((20, 60), METHODS):
            self.cells(0, method, tuning=True, epochs=epochs)

    @staticmethod
    def _suffix(changes):
        return "".join(f"-{name}-{value}" for name, value in changes.items())

    def _cleared(self, make, name):
        """What `make` gives; the runs that it made are removed, as their figures are what is wanted."""
        row = make()
        for folder in os.listdir(self.shop.path):
            if folder == name or folder.startswith(f"{name}-tuned"): shutil.rmtree(os.path.join(self.shop.path, folder))
        return row


def make_rows(evidence, options):
    """Makes all rows, seed by seed, so that what is there after some hours is whole."""
    chosen = options.seeds and [int(seed) for seed in options.seeds.split(",")]

    def seeds(count):
        return [seed for seed in range(count) if chosen is None or seed in chosen]

    if options.only in (None, "cells"):
        for seed, method in itertools.product(seeds(5), METHODS): evidence.cells(seed, method)
    if options.only in (None, "fashion"):
        for seed, method in itertools.product(seeds(3), METHODS): evidence.fashion(seed, method)
    if options.only in (None, "ablations"):
        for seed, label in itertools.product(seeds(3), ABLATIONS): evidence.ablation(seed, label)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["cells", "fashion", "ablations"], help="one experiment (default: all)")
    parser.add_argument("--tune", action="store_true", help="try learning rates and lengths on a fifth of the training images")
    parser.add_argument("--minutes", type=float, default=8, help="of pre-training (default: 8)")
    parser.add_argument("--ablation-minutes", type=float, default=2, help="of pre-training in ablations (default: 2)")
    parser.add_argument("--seeds", help="some of the seeds, such as 0,1 (default: 0 to 4 for cells, 0 to 2 for the others)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of each trainer (default: all)")
    parser.add_argument("--work", default=os.path.join(REPOSITORY, ".build/evidence"), help="folder for data, trainers and runs")
    parser.add_argument("--results", type=os.path.abspath, default=RESULTS, help="the file that rows are added to")
    options = parser.parse_args()
    evidence = Evidence(options)
    if options.tune: return evidence.tune()
    try:
        make_rows(evidence, options)
    finally:
        if evidence.results.rows: write_report(evidence.results.rows, os.path.dirname(options.results), ABLATIONS)


if __name__ == "__main__":
    sys.exit(main())
