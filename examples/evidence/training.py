"""Trainers of the evidence: compiled once for each model, run, and asked what their encoders are worth."""
import csv
import hashlib
import json
import os
import re
import shutil
import statistics

from datasets import Cells, run

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMPILER = os.environ.get("WAMIMC", os.path.join(REPOSITORY, ".build/release/wamimc"))

# The encoder of all experiments. Products read bf16, which processors that have it compute faster.
ENCODER = dict(dim=192, depth=6, heads=3, precision="bf16")
# What the methods have besides, unless an experiment says otherwise.
WAMIM = dict(taps="[2, 3, 5, 6]", levels="[1, 2, 3, 4]", decoder_dim=96, decoder_heads=4)
MAE = dict(decoder_dim=96, decoder_depth=4, decoder_heads=4)
PRETRAINING_BATCH = 64
TUNING_BATCH = 32

# Recipes: the same learning rate, schedule and crops for every method, chosen on a fifth of the training images (`--tune`).
PRETRAINING = {"base-lr": 4e-3, "warmup": None, "crop-area": "0.3..1", "weight-decay": 0.05}
FLIPS = {"ELPV": ["--vertical-flip", "--quarter-turns"], "Fashion-MNIST": []}
FINE_TUNING = {
    "ELPV": [
        "--epochs", "60", "--warmup", "6", "--crop-area", "none", "--rotate", "3", "--translate", "0.02", "--rand-augment", "0",
        "--random-erasing", "0", "--mixup", "0", "--cutmix", "0",
    ],
    "Fashion-MNIST": [
        "--warmup", "0.5", "--crop-area", "0.6..1", "--rand-augment", "0", "--random-erasing", "0.25", "--mixup", "0", "--cutmix", "0",
    ],
}
# A network that begins with random numbers wants all of its layers trained alike.
SCRATCH = dict(layer_decay=1.0, base_lr=4e-3)
PRETRAINED = dict(layer_decay=0.75, base_lr=4e-3)


class Workshop:
    """A folder of trainers and runs, in which whatever is there already is not made again."""

    def __init__(self, path, threads):
        self.path, self.threads = path, threads
        os.makedirs(path, exist_ok=True)

    def trainer(self, graph, settings):
        """The trainer of a file of `graphs/` with `settings` in place of its own values."""
        words = [word for name, value in sorted(settings.items()) for word in ("--set", f"{name}={value}")]
        key = hashlib.sha256(" ".join([graph, *words]).encode()).hexdigest()[:12]
        path = os.path.join(self.path, f"trainer-{graph}-{key}")
        if not os.path.exists(path):
            run(COMPILER, os.path.join(REPOSITORY, f"graphs/{graph}.wg"), *words, "-o", f"{path}.new-{os.getpid()}")
            os.rename(f"{path}.new-{os.getpid()}", path)
        return path

    def pretrainer(self, data, method, settings=None):
        """The trainer of `method`, wamim or mae, for the images of `data`."""
        geometry = dict(image=data.size, patch=data.patch, batch=PRETRAINING_BATCH, **ENCODER)
        if method == "mae":
            return self.trainer("mae_vit", {**geometry, **MAE, **(settings or {})})
        return self.trainer("wamim_vit_demo", {**geometry, **WAMIM, **(settings or {})})

    def speeds(self, trainers):
        """Images a second of each trainer: medians of three measurements in turn."""
        found = {name: [] for name in trainers}
        for _ in range(3):
            for name, trainer in trainers.items():
                result = json.loads(run(trainer, "bench", "--steps", 5, "--threads", self.threads, "--json"))
                found[name].append(result["images_per_second"])
        return {name: statistics.median(values) for name, values in found.items()}

    def fit(self, trainer, out, words):
        """Trains to the end, from where an earlier process was interrupted; nothing is done where it has ended."""
        if os.path.exists(os.path.join(out, "done")):
            return out
        if os.path.exists(os.path.join(out, "checkpoint.safetensors")):
            run(trainer, "fit", "--resume", out, "--threads", self.threads)
        else:
            shutil.rmtree(out, ignore_errors=True)
            run(trainer, "fit", "--out", out, "--threads", self.threads, "--pictures", 0, "--every", 200, *words)
        open(os.path.join(out, "done"), "w").close()
        return out

    def pretrained(self, data, method, seed, images, out, settings=None, count=None):
        """A run of `method` on `images` images of the training set, and its trainer."""
        trainer = self.pretrainer(data, method, settings)
        epochs = images / (count or IMAGES[data.name])
        words = ["--data", data.train, "--seed", seed, "--epochs", f"{epochs:.3f}", *FLIPS[data.name]]
        for name, value in PRETRAINING.items():
            words += [f"--{name}", f"{epochs / 10:.3f}" if value is None else value]
        return trainer, self.fit(trainer, os.path.join(self.path, out), words)

    def features(self, trainer, run_folder, images, labels):
        """A file of the features of labelled images, next to the run that they are of."""
        name = os.path.join(run_folder, f"features-{os.path.basename(images)}.safetensors")
        if not os.path.exists(name):
            words = ["--checkpoint", run_folder, "--data", images, "--labelled", "--threads", self.threads, "-o", name]
            run(trainer, "features", *words, *(["--labels", labels] if labels else []))
        return name

    def worth(self, trainer, run_folder, data, train=None):
        """What features say of the test images: the share whose class the 20 nearest training images tell, and a probe's, in per cent."""
        words = [
            "--train", self.features(trainer, run_folder, train or data.train, data.train_labels),
            "--val", self.features(trainer, run_folder, data.test, data.test_labels), "--threads", self.threads,
        ]
        neighbours = run(trainer, "knn", "--k", 20, *words)
        probe = run(trainer, "probe", "--sgd", "--base-lr", 0.1, "--batch", 256, *words)
        return {
            "knn": float(re.search(r"top-1 +([\d.]+) %", neighbours)[1]),
            "probe": float(re.search(r"images: top-1 +([\d.]+) %", probe)[1]),
        }

    def fine_tuned(self, data, seed, out, initial=None, train=None, epochs=None):
        """What a classifier says of the test images: {file name: class}, and its share of right answers in per cent."""
        values = PRETRAINED if initial else SCRATCH
        geometry = dict(image=data.size, patch=data.patch, classes=len(data.classes), batch=TUNING_BATCH, **ENCODER)
        trainer = self.trainer("finetune_vit", {**geometry, **values})
        words = ["--data", train or data.train, "--seed", seed, *FINE_TUNING[data.name], *FLIPS[data.name]]
        if epochs: words += ["--epochs", epochs]
        if data.train_labels: words += ["--labels", data.train_labels]
        if initial: words += ["--init", initial]
        folder = self.fit(trainer, os.path.join(self.path, out), words)
        answers = os.path.join(folder, "predictions.csv")
        run(trainer, "predict", "--checkpoint", folder, "--data", data.test, "-o", answers, "--threads", self.threads)
        with open(answers, newline="") as file:
            said = {os.path.basename(row["file"]): row["class"] for row in csv.DictReader(file)}
        if isinstance(data, Cells): return data.figures(said)
        text = run(trainer, "evaluate", "--checkpoint", folder, "--data", data.test, "-o", os.path.join(folder, "evaluation"),
                   "--threads", self.threads)
        return {"accuracy": float(re.search(r"top-1 ([\d.]+) %", text)[1])}


# Images to train on.
IMAGES = {"ELPV": 1968, "Fashion-MNIST": 60_000}
