"""Makes the fixtures of Tests/WaMIMRuntimeTests that augmented images are held against, with Pillow and timm.

usage: augmentation_fixtures.py TIMM, with Pillow and NumPy, and the folder timm/data of timm's sources
"""

import importlib.util
import math
import pathlib
import sys

import numpy
from PIL import Image

FOLDER = pathlib.Path(__file__).parent.parent / "WaMIMRuntimeTests" / "Fixtures"
# Each operation at each of these magnitudes, with the sign.
DRAWS = ((9, 1), (5.3, -1))
MEAN = (124, 116, 104)


def timm_operations(folder):
    spec = importlib.util.spec_from_file_location("auto_augment", pathlib.Path(folder) / "auto_augment.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rand_augment(timm, image):
    """The operations in timm's order, each at all draws."""
    options = dict(translate_pct=0.45, img_mean=MEAN)
    for name in timm._RAND_INCREASING_TRANSFORMS:
        for magnitude, sign in DRAWS:
            timm._randomly_negate = lambda value: sign * value
            level = timm.LEVEL_TO_ARG[name]
            arguments = level(magnitude, options) if level else ()
            yield timm.NAME_TO_OP[name](image, *arguments, fillcolor=MEAN, resample=Image.BICUBIC)


def hue(image, share):
    """As torchvision shifts hues of 8-bit images."""
    h, s, v = image.convert("HSV").split()
    shifted = (numpy.array(h, numpy.int32) + int(share * 255)) % 256
    return Image.merge("HSV", (Image.fromarray(shifted.astype(numpy.uint8), "L"), s, v)).convert("RGB")


def rotated(image, degrees, shift):
    """A turn about the middle of what is shifted first."""
    angle = -math.radians(degrees)
    a, b, d, e = math.cos(angle), math.sin(angle), -math.sin(angle), math.cos(angle)
    x, y = -image.width / 2 + shift[0], -image.height / 2 + shift[1]
    matrix = (a, b, a * x + b * y + image.width / 2, d, e, d * x + e * y + image.height / 2)
    return image.transform(image.size, Image.AFFINE, matrix, resample=Image.BICUBIC, fillcolor=MEAN)


def view(image, size, side):
    """The middle of the image once its shorter side is `side` long."""
    width, height = image.width * side // min(image.size), image.height * side // min(image.size)
    left, top = round((width - size) / 2), round((height - size) / 2)
    return image.resize((width, height), Image.BICUBIC).crop((left, top, left + size, top + size))


with Image.open(FOLDER / "resized-whole-24x20.png") as file:
    source = file.convert("RGB")
tiles = list(rand_augment(timm_operations(sys.argv[1]), source))
tiles += [hue(source, 0.1), hue(source, -0.3), rotated(source, 3, (0, 0)), rotated(source, -20, (1.5, -0.75))]
sheet = Image.new("RGB", (source.width, source.height * len(tiles)))
for index, tile in enumerate(tiles):
    sheet.paste(tile, (0, index * source.height))
sheet.save(FOLDER / "augmented.png", optimize=True)
with Image.open(FOLDER / "source.png") as file:
    view(file.convert("RGB"), 16, 19).save(FOLDER / "view-16x16.png", optimize=True)
