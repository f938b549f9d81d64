"""Writes Tests/Support/WaveletFixture.swift: what PyWavelets makes of a small picture.

    python Tests/Python/wavelet_fixture.py > Tests/Support/WaveletFixture.swift
"""
import warnings

import numpy
import pywt

HEIGHT, WIDTH, LEVELS = 4, 8, 2
CASES = [("haar", "haar"), ("db2", "db2"), ("db4", "db4"), ("sym4", "sym4"), ("bior22", "bior2.2"), ("bior44", "bior4.4")]

# The picture is shorter than most filters, which PyWavelets warns of.
warnings.filterwarnings("ignore", message="Level value of .* is too high")
picture = numpy.array([[(3 * row * row + 5 * column + row * column) % 7 for column in range(WIDTH)] for row in range(HEIGHT)], float)


def lines(numbers, indent):
    """Numbers in lines of Swift that the formatter leaves as they are."""
    text, line = [], ""
    for number in numbers:
        word = f"{number:.12g}, "
        if len(indent + line + word.rstrip()) > 132:
            text.append(indent + line.rstrip())
            line = ""
        line += word
    return "\n".join(text + [indent + line.rstrip()])


print(f"""import WaMIMManifest

/// What PyWavelets {pywt.__version__} makes of a small picture; written by Tests/Python/wavelet_fixture.py.
public enum WaveletFixture {{
  public static let height = {HEIGHT}
  public static let width = {WIDTH}
  public static let levels = {LEVELS}

  /// The picture, row by row.
  public static let picture: [Double] = [
{lines(picture.ravel(), "    ")}
  ]

  /// For each wavelet the coefficients of `wavedec2(picture, wavelet, "periodization", level=levels)` in the order that it returns
  /// them: cA of the deepest level, and of each level from there on cH, cV and cD.
  public static let coefficients: [Manifest.Wavelet: [Double]] = [""")
for case, name in CASES:
    coarse, *details = pywt.wavedec2(picture, name, mode="periodization", level=LEVELS)
    flat = numpy.concatenate([coarse.ravel()] + [band.ravel() for level in details for band in level])
    # Rounding errors instead of zeros are nothing to write down.
    flat[numpy.abs(flat) < 1e-11] = 0
    print(f"    .{case}: [\n{lines(flat, '      ')}\n    ],")
print("  ]\n}")
