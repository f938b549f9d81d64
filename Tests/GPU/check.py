#!/usr/bin/env python3
"""Checks trainers for GPUs on a machine that has one: kernel by kernel against what each means, and whole against golden
numbers, the processor's trainers and the emulator, after small programs have shown how far the emulator can be believed.

check.py COMPILER [FOLDER]: prints a table, and writes results.json and all that it made to FOLDER (default: gpu-check).

Needs what `wamimc --target cuda` needs, an NVIDIA driver, and nothing from a registry. compute-sanitizer is run where it is installed, and
PyTorch where PYTHON (python3) has it. With WAMIM_GPU_DRIVER=FOLDER, the driver is the libcuda.so.1 in that folder.
"""
import array
import concurrent.futures
import json
import math
import os
import random
import shutil
import subprocess
import sys
import time

import safetensors

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GOLDEN_MODEL = ["image=32", "patch=4", "dim=48", "depth=4", "heads=3", "taps=[1, 2, 3, 4]", "levels=[1, 2, 3, 4]", "decoder_dim=32",
                "decoder_heads=4", "batch=3"]
SMALL_SWIN = ["image=32", "patch=1", "window=4", "dim=4", "depths=[2, 1, 1, 1]", "heads=[1, 2, 2, 4]", "decoder_dim=8",
              "decoder_heads=2", "levels=[1, 2, 3, 3]", "batch=2"]
SMALL_MAE = ["image=32", "patch=8", "dim=24", "depth=2", "heads=3", "decoder_dim=16", "decoder_depth=2", "batch=2"]
SMALL_SIMMIM = ["image=32", "patch=4", "dim=24", "depth=2", "heads=3", "unit=8", "batch=2"]
# What differs by the order of sums alone; AdamW divides small gradients by their own size, so that steps differ more. In bf16,
# numbers between two are rounded to either.
TOLERANCE, STEP_TOLERANCES = 2e-5, {"f32": 2e-3, "bf16": 2e-2}
# What a wrong kernel makes of gradients in bf16 is far beyond what roundings do.
GRADIENT_TOLERANCE = 5e-2
# ViT-B's products, of which Hopper's tiles of all widths are made, in few blocks.
WIDE_MODEL = ["depth=4", "taps=[1, 2, 3, 4]", "batch=32"]
# Small models whose kernels take seconds where they are emulated.
QUICK_MODELS = ["features_vit", "probe_vit"]
PYTHON = os.environ.get("PYTHON", "python3")


class Check:
    """Runs one thing after the other in a folder, and keeps what came of it."""

    def __init__(self, compiler, folder):
        self.compiler = os.path.abspath(compiler)
        self.folder = os.path.abspath(folder)
        self.results = []
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, *words, driver=os.environ.get("WAMIM_GPU_DRIVER")):
        environment = dict(os.environ)
        if driver:
            environment["LD_LIBRARY_PATH"] = driver
        done = subprocess.run(words, cwd=self.folder, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def compile(self, model, settings, name, target="cuda", precision="f32"):
        options = [word for setting in settings for word in ("--set", setting)]
        model = os.path.join(REPOSITORY, "graphs", model + ".wg")
        self.run(self.compiler, model, *options, "--target", target, "--precision", precision, "-o", name)

    def measure(self, name, body):
        """Notes what `body` says of itself, (good or not, a sentence, more for the JSON), or why it failed."""
        start = time.time()
        try:
            good, text, *more = body()
        except Exception as problem:  # Whatever goes wrong, the other checks are worth something.
            good, text, more = False, str(problem), []
        row = {"check": name, "good": good, "result": text, "seconds": round(time.time() - start, 1)}
        if more:
            row["data"] = more[0]
        self.note(row)

    def note(self, row):
        self.results.append(row)
        print(f"{'ok  ' if row['good'] else 'FAIL'}  {row['check']:<34} {row['result']}", flush=True)

    def kernels(self, jobs):
        """Notes what `gpu-kernels` says of each of `jobs`, its words; several processes work at a time."""
        program = os.path.join(os.path.dirname(self.compiler), "gpu-kernels")
        if not os.path.exists(program):
            return self.note({"check": "kernels", "good": True, "result": "left out: gpu-kernels has not been built"})

        def rows(words):
            try:
                return [json.loads(line) for line in self.run(program, *words).splitlines()]
            except Exception as problem:  # As in `measure`.
                return [{"check": f"kernels, {', '.join(words)}", "good": False, "result": str(problem)}]

        with concurrent.futures.ThreadPoolExecutor(max(1, min(8, (os.cpu_count() or 1) // 2))) as pool:
            for found in pool.map(rows, jobs):
                for row in found:
                    self.note(row)

    def compare(self, actual, expected, tolerance):
        name, error = safetensors.largest_error(actual, expected)
        return error <= tolerance, f"largest relative error {error:.1e}, of {name}; at most {tolerance:.0e} is good"

    # MARK: Checks

    def golden(self):
        self.compile("wamim_vit_demo", GOLDEN_MODEL, "golden")
        given = os.path.join(REPOSITORY, "Tests/Golden/vit-tiny.in.safetensors")
        self.run("./golden", "grad", "--input", given, "--output", "golden.out")
        expected = safetensors.read(os.path.join(REPOSITORY, "Tests/Golden/vit-tiny.out.safetensors"))
        actual = safetensors.read(self.path("golden.out"))
        return self.compare(actual, {name: value for name, value in expected.items() if name in actual}, 1e-4)

    def emulator(self):
        """The bits of the GPU are those of the emulator, which rounds as PTX says: it can be believed where there is no GPU."""
        library = os.path.join(os.path.dirname(self.compiler), "libFakeCUDA.so")
        if not os.path.exists(library):
            return True, "left out: the tests' driver has not been built"
        os.makedirs(self.path("driver"))
        os.symlink(library, self.path("driver/libcuda.so.1"))
        given = os.path.join(REPOSITORY, "Tests/Golden/vit-tiny.in.safetensors")
        self.run("./golden", "grad", "--input", given, "--output", "emulated.out", driver=self.path("driver"))
        actual, expected = safetensors.read(self.path("golden.out")), safetensors.read(self.path("emulated.out"))
        same = sum(actual.get(name) == tensor for name, tensor in expected.items())
        _, error = safetensors.largest_error(actual, expected)
        return error <= TOLERANCE, f"{same} of {len(expected)} tensors have the emulator's bits; largest relative error {error:.1e}"

    def steps(self, model, settings, precision="f32", count=20, window=1):
        """Losses of some steps on the GPU and on the processor, means of `window` steps."""
        for name, target in (("steps-gpu", "cuda"), ("steps-cpu", "cpu")):
            self.compile(model, settings, name, target, precision)
            self.run("./" + name, "fit", "--data", "synthetic:1200", "--epochs", "10", "--limit-steps", str(count), "--pictures", "0",
                     "--out", f"run-{name}", "--overwrite")
        losses = [[json.loads(line)["loss"] for line in open(self.path(f"run-{name}/metrics.jsonl"))]
                  for name in ("steps-gpu", "steps-cpu")]
        means = [[sum(curve[at:at + window]) / window for at in range(0, count, window)] for curve in losses]
        error = max(abs(x - y) / abs(y) for x, y in zip(*means))
        of = "" if window == 1 else f", means of {window}"
        return (error <= STEP_TOLERANCES[precision], f"losses of {count} steps{of} differ by {error:.1e} at most",
                {"gpu": losses[0], "cpu": losses[1]})

    def gradients(self, model, settings, images, noise):
        """Gradients in bf16 on the GPU and on the processor, tensor by tensor."""
        for name, target in (("gradients-gpu", "cuda"), ("gradients-cpu", "cpu")):
            self.compile(model, settings, name, target, "bf16")
        self.run("./gradients-cpu", "fit", "--data", f"synthetic:{images[0]}", "--epochs", "1", "--limit-steps", "1", "--pictures", "0",
                 "--out", "gradients", "--overwrite")
        checkpoint = self.path("gradients/checkpoint.safetensors")
        sizes, values = safetensors.shapes(checkpoint), safetensors.read(checkpoint)
        tensors = {name: (sizes[name], elements) for name, elements in values.items() if "_moment." not in name}
        drawn = random.Random(1)
        for name, shape, draw in (("images", images, lambda: drawn.gauss(0, 1)), ("noise", noise, drawn.random)):
            tensors[name] = (shape, array.array("f", (draw() for _ in range(math.prod(shape)))))
        safetensors.write(self.path("gradients.in"), tensors)
        for name in ("gpu", "cpu"):
            self.run(f"./gradients-{name}", "grad", "--input", "gradients.in", "--output", f"gradients-{name}.out")
        actual, expected = (safetensors.read(self.path(f"gradients-{name}.out")) for name in ("gpu", "cpu"))
        return self.compare(actual, expected, GRADIENT_TOLERANCE)

    def resumption(self):
        for words in ["--out whole --limit-steps 6", "--out cut --limit-steps 3"]:
            self.run("./golden", "fit", "--data", "synthetic:60", "--epochs", "1", "--pictures", "0", *words.split())
        self.run("./golden", "fit", "--resume", "cut", "--limit-steps", "6")
        whole, cut = (safetensors.read(self.path(f"{name}/checkpoint.safetensors")) for name in ("whole", "cut"))
        return whole == cut, "a resumed run has the bits of one that was not" if whole == cut else "a resumed run has other bits"

    def sanitizer(self, tool, trainer, given):
        if not shutil.which("compute-sanitizer"):
            return True, "left out: there is no compute-sanitizer"
        self.run("compute-sanitizer", "--tool", tool, "--error-exitcode", "9", "./" + trainer, "grad", "--input", given, "--output",
                 "sanitized.out")
        return True, "nothing found"

    def bench(self, model, batch, precision):
        self.compile(model, [f"batch={batch}"], "bench", precision=precision)
        data = json.loads(self.run("./bench", "bench", "--steps", "20", "--json"))
        slowest = sorted(data["kernels"], key=lambda kernel: -kernel["seconds"])[:10]
        ours = data["images_per_second"]
        text = (f"{ours:.1f} images/s, {data['step_seconds_median'] * 1e3:.2f} ms a step, "
                f"{100 * data['share_of_limit']:.0f} % of the GPU's arithmetic")
        results = {"images_per_second": ours, "step_seconds": data["step_seconds"], "limits": data["limits"], "slowest": slowest}
        for way in ("eager", "compiled"):
            theirs = self.pytorch(model, batch, precision, way == "compiled")
            results[f"pytorch_{way}"] = theirs
            if "images_per_second" in theirs:
                ratio = ours / theirs["images_per_second"]
                text += f"; PyTorch {theirs['version']}, {way}: {theirs['images_per_second']:.1f}, ratio {ratio:.2f}"
            else:
                text += f"; PyTorch, {way}: {theirs['left_out']}"
        return True, text, results

    def pytorch(self, model, batch, precision, compiled):
        """The same in PyTorch, in a process of its own, or why there is no such number."""
        script = os.path.join(REPOSITORY, "Tests/GPU/pytorch.py")
        words = [PYTHON, script, "--model", model, "--batch", str(batch), "--precision", precision]
        done = subprocess.run(words + ["--compiled"] * compiled, capture_output=True, text=True)
        if done.returncode == 0:
            return json.loads(done.stdout.splitlines()[-1])
        return {"left_out": (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]}


def small_models(check):
    program = os.path.join(os.path.dirname(check.compiler), "gpu-kernels")
    return check.run(program, "models").split() if os.path.exists(program) else []


def main():
    check = Check(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "gpu-check")
    quick = "WAMIM_GPU_QUICK" in os.environ
    check.kernels([["calibrate"]])
    check.measure("golden case", check.golden)
    check.measure("golden case, bits of the emulator", check.emulator)
    check.measure("resumed run", check.resumption)
    models = QUICK_MODELS if quick else small_models(check)
    check.kernels([[model, precision] for model in [*models, "random"] for precision in ("f32", "bf16")])
    for precision in ("f32", "bf16"):
        check.measure(f"20 steps, small ViT, {precision}", lambda: check.steps("wamim_vit_demo", GOLDEN_MODEL, precision))
    check.measure("20 steps, small Swin", lambda: check.steps("wamim_swin_demo", SMALL_SWIN))
    check.measure("20 steps, small MAE", lambda: check.steps("mae_vit", SMALL_MAE))
    check.measure("20 steps, small SimMIM", lambda: check.steps("simmim_vit", SMALL_SIMMIM))
    if quick:
        check.measure("gradients, small ViT, bf16",
                      lambda: check.gradients("wamim_vit_demo", GOLDEN_MODEL, [3, 3, 32, 32], [3, 64]))
    else:
        check.measure("200 steps, demo ViT, bf16", lambda: check.steps("wamim_vit_demo", ["batch=8"], "bf16", count=200, window=50))
        check.measure("gradients, ViT-B of 4 blocks, bf16",
                      lambda: check.gradients("wamim_vit_base", WIDE_MODEL, [32, 3, 224, 224], [32, 196]))
        check.measure("gradients, demo ViT, bf16", lambda: check.gradients("wamim_vit_demo", ["batch=8"], [8, 3, 96, 96], [8, 144]))
    golden = os.path.join(REPOSITORY, "Tests/Golden/vit-tiny.in.safetensors")
    for tool in ("memcheck", "racecheck", "synccheck"):
        check.measure(f"compute-sanitizer, {tool}, f32", lambda: check.sanitizer(tool, "golden", golden))
        check.measure(f"compute-sanitizer, {tool}, bf16", lambda: check.sanitizer(tool, "gradients-gpu", "gradients.in"))
    if not quick:
        check.measure("bench, ViT-B, batch 128, f32", lambda: check.bench("wamim_vit_base", 128, "f32"))
        check.measure("bench, ViT-Ti, batch 256, bf16", lambda: check.bench("wamim_vit_tiny", 256, "bf16"))
        check.measure("bench, ViT-B, batch 256, bf16", lambda: check.bench("wamim_vit_base", 256, "bf16"))
    with open(check.path("results.json"), "w") as file:
        json.dump(check.results, file, indent=1)
    print(f"all of it: {check.path('results.json')}")
    sys.exit(0 if all(row["good"] for row in check.results) else 1)


if __name__ == "__main__":
    main()
