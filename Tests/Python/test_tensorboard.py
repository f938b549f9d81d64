"""TensorBoard reads what runs write: the numbers of metrics.jsonl, pictures, and no step twice after a run was killed."""
import io
import json
import os
import signal
import subprocess
import tempfile
import time

from PIL import Image
from tensorboard.backend.event_processing import event_accumulator

from trainer import compile_model, run

SETTINGS = dict(image=32, patch=8, dim=24, depth=4, heads=2, taps="[1, 2, 3, 4]", levels="[1, 2, 3, 4]", decoder_dim=16,
                decoder_heads=2, batch=4)
LOSSES = ["level_1", "level_2", "level_3", "level_4"]


def events(folder):
    accumulator = event_accumulator.EventAccumulator(
        folder, size_guidance={event_accumulator.SCALARS: 0, event_accumulator.IMAGES: 0})
    return accumulator.Reload()


def metrics(folder):
    with open(os.path.join(folder, "metrics.jsonl")) as file:
        return [json.loads(line) for line in file]


def near(actual, expected):
    return abs(actual - expected) <= 1e-6 * max(1, abs(expected))


def check(folder, steps, epoch):
    read, lines = events(folder), metrics(folder)
    training = {line["step"]: line for line in lines if "loss" in line}
    shown = [step for step in range(1, steps + 1) if step == 1 or step % 5 == 0 or step == steps]
    assert sorted(training) == list(range(1, steps + 1))

    def agree(tag, expected):
        found = {event.step: event.value for event in read.Scalars(tag)}
        assert sorted(found) == sorted(expected) and len(found) == len(read.Scalars(tag)), (tag, sorted(found), sorted(expected))
        assert all(near(found[step], value) for step, value in expected.items()), tag

    agree("loss/total", {step: training[step]["loss"] for step in shown})
    for index, name in enumerate(LOSSES):
        agree(f"loss/{name}", {step: training[step]["losses"][index] for step in shown})
    for tag, key in [("learning_rate", "learning_rate"), ("images_per_second", "images_per_second"),
                     ("norm/gradients", "gradient_norm"), ("norm/parameters", "parameter_norm")]:
        agree(tag, {step: training[step][key] for step in shown})
    validation = {line["step"]: line for line in lines if "validation_loss" in line}
    ends = sorted({*range(epoch, steps + 1, epoch), steps})
    assert sorted(validation) == ends, (sorted(validation), ends)
    agree("validation/total", {step: line["validation_loss"] for step, line in validation.items()})
    for index, name in enumerate(LOSSES):
        agree(f"validation/{name}", {step: line["validation_losses"][index] for step, line in validation.items()})
    pictures = read.Images("reconstruction")
    assert [picture.step for picture in pictures] == ends
    for picture in pictures:
        image = Image.open(io.BytesIO(picture.encoded_image_string)).convert("RGB")
        assert image.size == (picture.width, picture.height) and len(image.getcolors(1 << 24)) > 50


with tempfile.TemporaryDirectory() as folder:
    train, at = os.path.join(folder, "train"), lambda name: os.path.join(folder, name)
    compile_model("graphs/wamim_vit_demo.wg", SETTINGS, train)
    options = ["--data", "synthetic:80", "--val", "synthetic:10", "--epochs", 2.5, "--log-every", 5, "--every", 7]
    run(train, "fit", *options, "--out", at("whole"))
    check(at("whole"), steps=50, epoch=20)

    words = [train, "fit", *map(str, options), "--epochs", "60", "--out", at("killed")]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    while not os.path.exists(at("killed/checkpoint.safetensors")) or len(metrics(at("killed"))) < 30:
        time.sleep(0.02)
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    run(train, "fit", "--resume", at("killed"))
    check(at("killed"), steps=1200, epoch=20)
    print("TensorBoard agrees with metrics.jsonl")
