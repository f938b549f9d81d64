"""Makes the fixtures of Tests/WaMIMRuntimeTests that hold metadata, animations and scans, or were resized, with what Pillow reads in them.

usage: image_fixtures.py, with Pillow, and cjpeg of libjpeg-turbo for the files of several scans
"""

import io
import pathlib
import struct
import subprocess
import warnings

from PIL import Image, ImageOps, PngImagePlugin

FOLDER = pathlib.Path(__file__).parent.parent / "WaMIMRuntimeTests" / "Fixtures"
# The orientation that files are made with; the tests replace it by every other one.
ORIENTATION = 6


def picture(width=16, height=8):
    """Smooth, and the same as none of its turns."""
    image = Image.new("RGB", (width, height))
    image.putdata([(x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)) for y in range(height) for x in range(width)])
    return image


def exif(orientation=ORIENTATION, order="<"):
    """Exif data with two tags."""
    head = b"II*\0" if order == "<" else b"MM\0*"
    tags = [(0x0112, 3, 1, struct.pack(order + "HH", orientation, 0)), (0x0128, 3, 1, struct.pack(order + "HH", 2, 0))]
    body = struct.pack(order + "IH", 8, len(tags))
    for tag, kind, count, value in tags:
        body += struct.pack(order + "HHI", tag, kind, count) + value
    return b"Exif\0\0" + head + body + bytes(4)


def orientations():
    image = picture()
    image.save(FOLDER / "upright.png")
    for order, name in (("<", "exif.jpg"), (">", "exif-big-endian.jpg")):
        image.save(FOLDER / name, quality=95, subsampling=0, exif=exif(order=order))
    xmp = f'<x:xmpmeta><rdf:Description tiff:Orientation="{ORIENTATION}"/></x:xmpmeta>'
    image.save(FOLDER / "xmp.jpg", quality=95, subsampling=0, xmp=xmp.encode())
    image.save(FOLDER / "exif.png", exif=exif())
    image.save(FOLDER / "exif.webp", lossless=True, exif=exif())
    text = PngImagePlugin.PngInfo()
    data = exif()
    text.add_text("Raw profile type exif", f"\nexif\n{len(data):8}\n{data.hex()}\n", zip=True)
    image.save(FOLDER / "exif-profile.png", pnginfo=text)
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", xmp)
    image.save(FOLDER / "xmp.png", pnginfo=text)
    for name in ("exif.jpg", "exif-big-endian.jpg", "xmp.jpg", "exif.png", "exif.webp", "exif-profile.png", "xmp.png"):
        with Image.open(FOLDER / name) as file:
            assert ImageOps.exif_transpose(file).size == (8, 16), name
    for orientation in range(2, 9):
        file = io.BytesIO()
        image.save(file, "PNG", exif=exif(orientation))
        ImageOps.exif_transpose(Image.open(file)).save(FOLDER / f"turned-{orientation}.png")


def chunk(name, content):
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def animations():
    def three(number):
        return number.to_bytes(3, "little")

    with Image.open(FOLDER / "animated.webp") as file:
        file.convert("RGB").save(FOLDER / "animated-webp-pixels.png")
    frames = b""
    for image, x, y in ((picture(), 4, 2), (picture(8, 16), 0, 0)):
        file = io.BytesIO()
        image.save(file, "WEBP", lossless=True)
        head = three(x // 2) + three(y // 2) + three(image.width - 1) + three(image.height - 1) + three(100) + b"\0"
        frames += chunk(b"ANMF", head + file.getvalue()[12:])
    content = chunk(b"VP8X", bytes([2, 0, 0, 0]) + three(23) + three(17)) + chunk(b"ANIM", b"\x80\x80\x80\xff\0\0") + frames
    (FOLDER / "animated-part.webp").write_bytes(b"RIFF" + struct.pack("<I", len(content) + 4) + b"WEBP" + content)
    with Image.open(FOLDER / "animated-part.webp") as file:
        file.convert("RGB").save(FOLDER / "animated-part-webp-pixels.png")


def without_segments(data, marker):
    """A JPEG file without its segments of `marker`."""
    result, offset = data[:2], 2
    while data[offset + 1] != 0xDA:
        end = offset + 2 + int.from_bytes(data[offset + 2 : offset + 4], "big")
        if data[offset + 1] != marker:
            result += data[offset:end]
        offset = end
    return result + data[offset:]


def colors():
    for name in ("cmyk", "ycck"):
        data = without_segments((FOLDER / f"{name}.jpg").read_bytes(), 0xEE)
        (FOLDER / f"{name}-unmarked.jpg").write_bytes(data)
        with Image.open(FOLDER / f"{name}-unmarked.jpg") as file:
            file.convert("RGB").save(FOLDER / f"{name}-unmarked-jpg-pixels.png")


def scans():
    source, script = io.BytesIO(), FOLDER / "scans.txt"
    with Image.open(FOLDER / "color.png") as file:
        file.convert("RGB").save(source, "PPM")
    script.write_text("0;\n1;\n2;\n")
    for name, options in (("scans", ["-scans", str(script)]), ("arithmetic", ["-arithmetic"]), ("restarts", ["-restart", "2B"])):
        data = subprocess.run(["cjpeg", *options], input=source.getvalue(), capture_output=True, check=True).stdout
        (FOLDER / f"{name}.jpg").write_bytes(data)
        with Image.open(FOLDER / f"{name}.jpg") as file:
            file.convert("RGB").save(FOLDER / f"{name}-jpg-pixels.png")
    script.unlink()


def resized():
    with Image.open(FOLDER / "source.png") as file:
        source = file.convert("RGB")
    for name, box, size in (("box-16x16", (7, 5, 52, 44), (16, 16)), ("enlarged-96x80", (11, 9, 40, 30), (96, 80))):
        source.crop(box).resize(size, Image.BILINEAR).save(FOLDER / f"bilinear-{name}.png")


warnings.simplefilter("error")
orientations()
animations()
colors()
scans()
resized()
