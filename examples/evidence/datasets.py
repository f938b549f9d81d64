"""The two sets of images, as folders and shards that trainers read."""
import csv
import gzip
import hashlib
import io
import os
import random
import shutil
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib

# The levels of solar cells, from "functional, sure" to "defective, sure" (Deitsch et al., Solar Energy 185, 2019).
DEFECTIVE = [0, 1, 1, 1]
WEIGHT = [1, 1 / 3, 2 / 3, 1]
CLASSES = ["functional", "defective"]


def made(folder, make):
    """Makes `folder` as a whole, by a folder beside it that is renamed in the end, where it is missing."""
    if not os.path.isdir(folder):
        new = f"{folder}.new-{os.getpid()}"
        os.makedirs(new)
        make(new)
        os.rename(new, folder)
    return folder


def split(rows, seed, share):
    """The files of `share` of the rows (file, level, type), the same share of each type and level: those of lowest SHA-256."""
    strata = {}
    for file, level, kind in rows:
        strata.setdefault((kind, level), []).append(file)
    counts = {key: int(len(files) * share) for key, files in strata.items()}
    rest = round(len(rows) * share) - sum(counts.values())
    # Those that lost most by rounding down take one more.
    for key in sorted(strata, key=lambda key: (-(len(strata[key]) * share % 1), key))[:rest]:
        counts[key] += 1

    def rank(file):
        return hashlib.sha256(f"{seed}:{file}".encode()).hexdigest()

    return {file for key, files in strata.items() for file in sorted(files, key=rank)[: counts[key]]}


class Cells:
    """2,624 photographs of solar cells, PyPI's elpv-dataset, split by a seed into 1,968 to train on and 656 to test on."""

    name = "ELPV"
    size, patch = 96, 16
    classes = CLASSES

    def __init__(self, work, seed, tuning):
        self.source = made(os.path.join(work, "elpv"), self._fetch)
        with open(os.path.join(self.source, "labels.csv")) as file:
            lines = (line.split() for line in file)
            self.rows = [(path, round(3 * float(share)), kind) for path, share, kind in lines]
        test = split(self.rows, seed, 0.25)
        if tuning:
            # A fifth of the training images takes the place of the test images, which nobody looks at.
            self.rows = [row for row in self.rows if row[0] not in test]
            test = split(self.rows, f"tuning {seed}", 0.2)
        self.levels = {path: level for path, level, _ in self.rows}
        self.train_rows = [row for row in self.rows if row[0] not in test]
        self.test_rows = [row for row in self.rows if row[0] in test]
        self.folder = made(os.path.join(work, f"elpv-{'tuning-' if tuning else ''}{seed}"), self._link)

    @staticmethod
    def _fetch(folder):
        run(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, "elpv-dataset==1.0.0.post1")
        wheel = next(name for name in os.listdir(folder) if name.endswith(".whl"))
        with zipfile.ZipFile(os.path.join(folder, wheel)) as archive:
            for entry in archive.infolist():
                if entry.filename.startswith("elpv_dataset/data/") and not entry.is_dir():
                    path = os.path.join(folder, entry.filename.removeprefix("elpv_dataset/data/"))
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                    with open(path, "wb") as file:
                        file.write(archive.read(entry))

    def _link(self, folder):
        counts = [sum(DEFECTIVE[level] == j for _, level, _ in self.train_rows) for j in (0, 1)]
        for part, rows in (("train", self.train_rows), ("test", self.test_rows)):
            os.makedirs(os.path.join(folder, part))
            with open(os.path.join(folder, f"{part}.csv"), "w", newline="") as file:
                table = csv.writer(file)
                table.writerow(["file", "class", "weight"])
                for path, level, _ in rows:
                    name = os.path.basename(path)
                    os.link(os.path.join(self.source, path), os.path.join(folder, part, name))
                    side = DEFECTIVE[level]
                    balance = len(self.train_rows) / (2 * counts[side]) if part == "train" else 1
                    table.writerow([name, CLASSES[side], WEIGHT[level] * balance])

    train = property(lambda self: os.path.join(self.folder, "train"))
    test = property(lambda self: os.path.join(self.folder, "test"))
    train_labels = property(lambda self: os.path.join(self.folder, "train.csv"))
    test_labels = property(lambda self: os.path.join(self.folder, "test.csv"))

    def figures(self, predictions):
        """What is published of such classifiers, in per cent, of {file name: class}."""
        rows = [(level, CLASSES.index(predictions[os.path.basename(path)])) for path, level, _ in self.test_rows]
        weight = sum(WEIGHT[level] for level, _ in rows)

        def share(right, among=lambda level: True):
            chosen = [(level, guess) for level, guess in rows if among(level)]
            return 100 * sum(right(level, guess) for level, guess in chosen) / len(chosen)

        def f1(j):
            hit = sum(WEIGHT[level] for level, guess in rows if guess == DEFECTIVE[level] == j)
            said = sum(WEIGHT[level] for level, guess in rows if guess == j)
            there = sum(WEIGHT[level] for level, guess in rows if DEFECTIVE[level] == j)
            return 2 * hit / (said + there)

        weighted = sum(WEIGHT[level] for level, guess in rows if guess == DEFECTIVE[level])
        return {
            "weighted": 100 * weighted / weight,
            "F1": 100 * (f1(0) + f1(1)) / 2,
            "unweighted": share(lambda level, guess: guess == DEFECTIVE[level]),
            "at half": share(lambda level, guess: guess == (level >= 2)),
            "sure": share(lambda level, guess: guess == DEFECTIVE[level], lambda level: level in (0, 3)),
        }


class Fashion:
    """60,000 and 10,000 pictures of clothes (MIT), Debian's dataset-fashion-mnist, as shards with the classes inside."""

    name = "Fashion-MNIST"
    size, patch = 32, 4
    classes = [str(number) for number in range(10)]

    def __init__(self, work, seed, tuning):
        self.folder = made(os.path.join(work, "fashion"), self._make)
        self.seed, self.tuning = seed, tuning

    def _make(self, folder):
        raw = os.path.join(folder, "raw")
        os.makedirs(raw)
        run("apt-get", "download", "-qq", "dataset-fashion-mnist", cwd=raw)
        package = next(name for name in os.listdir(raw) if name.endswith(".deb"))
        run("dpkg-deb", "-x", os.path.join(raw, package), raw)
        found = {name: os.path.join(path, name) for path, _, names in os.walk(raw) for name in names if name.endswith(".gz")}
        train = self._samples(found, "train")
        # The last fifth of the training images is for choices, which the test images take no part in.
        parts = {"train": train, "chosen": train[:48_000], "tuning": train[48_000:], "test": self._samples(found, "t10k")}
        order = list(range(len(train)))
        random.Random(1).shuffle(order)
        for name, count in (("hundredth", 600), ("tenth", 6_000)):
            parts[name] = [train[index] for index in sorted(order[:count])]
        for name, samples in parts.items():
            os.makedirs(os.path.join(folder, name))
            self._write(samples, os.path.join(folder, name, "images.tar"))
        shutil.rmtree(raw)

    @staticmethod
    def _samples(found, part):
        def numbers(kind, header):
            path = next(path for name, path in found.items() if name.startswith(f"{part}-{kind}"))
            with gzip.open(path) as file:
                return file.read()[header:]

        pixels, labels = numbers("images", 16), numbers("labels", 8)
        return [(index, labels[index], pixels[784 * index : 784 * (index + 1)]) for index in range(len(labels))]

    @staticmethod
    def _write(samples, path):
        with tarfile.open(path, "w") as archive:
            for index, label, pixels in samples:
                for ending, content in ((".png", png(pixels, 28)), (".cls", str(label).encode())):
                    entry = tarfile.TarInfo(f"{index:05}{ending}")
                    entry.size = len(content)
                    archive.addfile(entry, io.BytesIO(content))

    train = property(lambda self: os.path.join(self.folder, "chosen" if self.tuning else "train"))
    test = property(lambda self: os.path.join(self.folder, "tuning" if self.tuning else "test"))
    hundredth = property(lambda self: os.path.join(self.folder, "hundredth"))
    tenth = property(lambda self: os.path.join(self.folder, "tenth"))
    train_labels = test_labels = None


def png(pixels, side):
    """A grey PNG of `side` · `side` bytes."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    lines = b"".join(b"\0" + pixels[side * row : side * (row + 1)] for row in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def run(*words, cwd=None):
    """Runs a command, and gives what it printed; its failure ends the program."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, cwd=cwd)
    if done.returncode != 0:
        sys.exit(f"error: {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    return done.stdout
