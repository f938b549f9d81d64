"""Reads safetensors files with nothing but Python."""
import array
import json
import struct


def read(path):
    """The float32 tensors of a file by name, each an array of all elements."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        begin, end = entry["data_offsets"]
        tensors[name] = array.array("f", data[begin:end])
    return tensors


def write(path, tensors):
    """Writes float32 tensors, {name: (shape, array of all elements)}."""
    header, offset = {}, 0
    for name, (shape, elements) in tensors.items():
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + 4 * len(elements)]}
        offset += 4 * len(elements)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, elements in tensors.values():
            elements.tofile(file)


def shapes(path):
    """The shapes of a file's tensors by name."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}


def relative_error(actual, expected):
    """The largest difference of two tensors over the largest magnitude of the second one."""
    if actual is None or len(actual) != len(expected):
        return float("inf")
    scale = max((abs(x) for x in expected), default=0)
    difference = max((abs(x - y) if x == x and y == y else float("inf") for x, y in zip(actual, expected)), default=0)
    return difference / max(scale, 1e-30) if difference else 0


def largest_error(actual, expected):
    """The tensor of `expected` that `actual` is farthest from, and how far."""
    errors = {name: relative_error(actual.get(name), tensor) for name, tensor in expected.items()}
    name = max(errors, key=errors.get)
    return name, errors[name]
