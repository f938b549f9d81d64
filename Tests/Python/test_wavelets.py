"""Wavelet coefficients that compiled programs compute, against those of PyWavelets' wavedec2(mode="periodization")."""
import os
import tempfile
import warnings

import numpy
import pywt
from safetensors.numpy import load_file, save_file

from trainer import compile_model, run

WAVELETS = ["haar", "db2", "db4", "sym4", "bior2.2", "bior4.4"]
LEVELS = [1, 2, 3, 4, 5]
# Pictures as the models have them, pictures that are not square, and some whose last levels are shorter than the filters.
SIZES = [(96, 96), (224, 224), (64, 160), (288, 32), (32, 32)]
BATCH, CHANNELS = 2, 3
TOLERANCE = 1e-5

# PyWavelets says where a picture is shorter than a filter; the coefficients are defined all the same.
warnings.filterwarnings("ignore", message="Level value of .* is too high")


def model(height, width):
    """A model without much to learn, whose outputs are the coefficients of all wavelets at all levels."""
    lines = [
        "model wavelets",
        f"input images: f32[{BATCH}, {CHANNELS}, {height}, {width}]",
        'let scale = parameter(name: "scale", shape: [1], initial: filled(1.0))',
    ]
    for number, wavelet in enumerate(WAVELETS):
        lines.append(f"let all{number} = dwt(images, wavelet: {wavelet}, levels: {LEVELS}, subbands: all)")
        lines.append(f"let detail{number} = dwt(images, wavelet: {wavelet}, levels: {LEVELS}, subbands: detail)")
        for index, level in enumerate(LEVELS):
            lines.append(f'output "{wavelet}/{level}/all" = all{number}[{index}]')
            lines.append(f'output "{wavelet}/{level}/detail" = detail{number}[{index}]')
    return "\n".join(lines + ["loss total(scale)"]) + "\n"


def expected(images, wavelet, level, subbands):
    """PyWavelets' coefficients of one level, [batch, channels * subbands, height, width], colour-major."""
    coarse, details, *_ = pywt.wavedec2(images.astype(numpy.float64), wavelet, mode="periodization", level=level, axes=(2, 3))
    bands = numpy.stack(([coarse] if subbands == "all" else []) + list(details), axis=2)
    return bands.reshape(len(images), -1, *bands.shape[3:])


def pictures(height, width, generator):
    """Noise, and the brightest picture that there is, so that the coarse coefficients are as large as they get."""
    noise = generator.standard_normal((1, CHANNELS, height, width))
    bright = 2.64 - 0.05 * generator.random((1, CHANNELS, height, width))
    return numpy.concatenate([noise, bright]).astype(numpy.float32)


def check(height, width, folder):
    """Compares all coefficients of pictures of one size, and gives the largest error."""
    source, train, given, found = (os.path.join(folder, name) for name in ("model.wg", "train", "in.safetensors", "out.safetensors"))
    with open(source, "w") as file:
        file.write(model(height, width))
    compile_model(source, {}, train)
    images = pictures(height, width, numpy.random.default_rng(height * 1000 + width))
    save_file({"images": images, "scale": numpy.ones(1, numpy.float32)}, given)
    run(train, "grad", "--input", given, "--output", found)
    outputs = load_file(found)
    worst = 0
    for wavelet in WAVELETS:
        errors = {"noise": 0, "bright details": 0, "bright LL": 0, "bright LL, relative": 0}
        for level in LEVELS:
            wanted = expected(images, wavelet, level, "all")
            actual = outputs[f"{wavelet}/{level}/all"]
            assert actual.shape == wanted.shape, (wavelet, level, actual.shape, wanted.shape)
            # Nine of every twelve channels are details: the same numbers, whoever computes them.
            details = outputs[f"{wavelet}/{level}/detail"]
            assert numpy.array_equal(details, numpy.delete(actual, range(0, 4 * CHANNELS, 4), axis=1))
            noise, bright = numpy.abs(actual - wanted)
            coarse, rest = bright[::4].max(), numpy.delete(bright, range(0, 4 * CHANNELS, 4), axis=0).max()
            relative = coarse / numpy.abs(wanted[1]).max()
            for name, error in zip(errors, (noise.max(), rest, coarse, relative)):
                errors[name] = max(errors[name], error)
        print(f"    {wavelet:8}", ", ".join(f"{name} {error:.1e}" for name, error in errors.items()))
        # LL of a bright picture is up to 85 at level 5, where neighbours in single precision are 8e-6 apart.
        assert errors["noise"] < TOLERANCE and errors["bright details"] < TOLERANCE and errors["bright LL"] < 2 * TOLERANCE
        worst = max(worst, errors["noise"], errors["bright details"], errors["bright LL"])
    return worst


worst = 0
for height, width in SIZES:
    print(f"{height} x {width}")
    with tempfile.TemporaryDirectory() as folder:
        worst = max(worst, check(height, width, folder))
print(f"the largest error of all is {worst:.1e}")
