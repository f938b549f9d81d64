"""The page and the figure of what was found."""
import os
import statistics

METHODS = {"scratch": "no pre-training", "mae": "MAE", "wamim": "WaMIM"}
SETS = {"elpv": "ELPV", "fashion": "Fashion-MNIST"}


def spread(values):
    """Mean and deviation of some runs."""
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def cell(values):
    if not values: return "–"
    mean, deviation = spread(values)
    return f"{mean:.2f} ± {deviation:.2f}" if len(values) > 1 else f"{mean:.2f}"


def runs(rows, prefix):
    """The rows of all seeds of what begins with `prefix`."""
    return [row for key, row in rows.items() if key.rpartition("-")[0] == prefix and key.rpartition("-")[2].isdigit()]


def paired_runs(rows, name):
    """The rows of each method on a set, of those seeds that all methods have: other seeds are other images."""
    seeds = {method: {key.rpartition("-")[2] for key in rows if key.rpartition("-")[0] == f"{name}-{method}"} for method in METHODS}
    common = set.intersection(*seeds.values())
    return {method: [rows[f"{name}-{method}-{seed}"] for seed in sorted(common)] for method in METHODS}


def comparison(rows, name, columns):
    """A table of the three methods on a set: a column for each figure."""
    lines = ["| | runs | " + " | ".join(columns) + " |", "| --- " * (len(columns) + 2) + "|"]
    paired = paired_runs(rows, name)
    for method, label in METHODS.items():
        found = paired[method]
        cells = (cell([row[column] for row in found if column in row]) for column in columns)
        lines.append(f"| {label} | {len(found)} | " + " | ".join(cells) + " |")
    return lines


def ablation_table(rows, labels):
    names = [(title, figure) for title in SETS.values() for figure in ("knn", "probe")]
    lines = ["| | runs | " + " | ".join(f"{title} {figure}" for title, figure in names) + " |", "| --- " * 6 + "|"]
    for label in labels:
        found = {title: runs(rows, f"ablation-{title}-{label.replace(' ', '_')}") for title in SETS.values()}
        cells = (cell([row[figure] for row in found[title]]) for title, figure in names)
        lines.append(f"| {label} | {min(map(len, found.values()))} | " + " | ".join(cells) + " |")
    return lines


def write_report(rows, folder, ablations):
    """Writes evidence.md and evidence.svg of all rows that there are to `folder`."""
    lines = [
        "# Evidence",
        "",
        "What WaMIM's encoders are worth in small: `make evidence` makes this page, row by row, and goes on where it was interrupted.",
        "All methods have the same encoder (width 192, six blocks; cells of 96 pixels in 36 patches, clothes of 32 pixels in 64), the same",
        "crops, schedule and learning rate, and the same time of pre-training on the training images alone. Figures are per cent of",
        "test images, mean ± deviation of the runs whose seeds all methods have. The models and all commands are in `examples/evidence/training.py`.",
        "",
        "![the figures](evidence.svg)",
        "",
    ]
    for title, prefix, text, table in sections(rows, ablations):
        if any(key.startswith(prefix) for key in rows): lines += [f"## {title}", "", *text, "", *table, ""]
    with open(os.path.join(folder, "evidence.md"), "w") as file:
        file.write("\n".join(lines))
    with open(os.path.join(folder, "evidence.svg"), "w") as file:
        file.write(figure(rows, ablations))


def sections(rows, ablations):
    """The parts of the page: their titles, how the keys of their rows begin, what is said of them, and their tables."""
    return [
        (
            "Solar cells (ELPV)", "elpv-",
            [
                "Cells are functional or defective, weighed by how sure the expert was; 1,968 to train on, 656 to test on, split anew for each",
                "run. Published: 82.44 of an SVM, 88.42 of a VGG-19 that begins with ImageNet's weights (Deitsch et al., 2019), both weighted.",
            ],
            comparison(rows, "elpv", ["weighted", "F1", "unweighted", "at half", "sure", "knn", "probe"]),
        ),
        (
            "Clothes (Fashion-MNIST)", "fashion-",
            ["60,000 pictures to train on, 10,000 to test on; 1 %: with the labels of 600."],
            comparison(rows, "fashion", ["knn 1 %", "probe 1 %", "fine-tuned 1 %", "knn", "probe", "fine-tuned"]),
        ),
        (
            "Ablations", "ablation-",
            ["The first row is the model of the other experiments after a shorter pre-training; each other row changes one thing of it."],
            ablation_table(rows, ablations),
        ),
    ]


def figure(rows, ablations):
    """Means with their deviations: the methods on both sets, then the probe of each ablation."""
    cells, clothes = paired_runs(rows, "elpv"), paired_runs(rows, "fashion")
    panels = [("ELPV: weighted accuracy, %", [(label, [r["weighted"] for r in cells[m]]) for m, label in METHODS.items()])]
    for column in ("fine-tuned 1 %", "fine-tuned", "probe"):
        found = [(label, [r[column] for r in clothes[m] if column in r]) for m, label in METHODS.items()]
        panels.append((f"Fashion-MNIST: {column}, %", found))
    for title in SETS.values():
        found = [(label, [r["probe"] for r in runs(rows, f"ablation-{title}-{label.replace(' ', '_')}")]) for label in ablations]
        panels.append((f"{title}: probe of ablations, %", found))
    panels = [(title, [bar for bar in bars if bar[1]]) for title, bars in panels]
    panels = [panel for panel in panels if panel[1]]
    parts, top = [], 10
    for title, bars in panels:
        part, height = panel(title, bars, top)
        parts.append(part)
        top += height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {top}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="720" height="{top}" fill="#fff"/>\n{"".join(parts)}</svg>\n'
    )


def panel(title, bars, top):
    """Points below `top` with their deviations, one a line. Their scale begins just below the lowest, where bars would seem to begin at 0."""
    spreads = [spread(values) for _, values in bars]
    low = min(mean - deviation for mean, deviation in spreads)
    high = max(mean + deviation for mean, deviation in spreads)
    start = max(0, low - max(1, 0.3 * (high - low)))
    scale = 460 / max(high - start, 1e-9)
    lines = [f'<text x="10" y="{top + 14}" font-weight="bold">{title}</text>\n']
    for index, ((label, _), (mean, deviation)) in enumerate(zip(bars, spreads)):
        y = top + 26 + 18 * index
        end = 170 + (mean - start) * scale
        left, right = end - deviation * scale, end + deviation * scale
        lines.append(
            f'<text x="160" y="{y + 10}" text-anchor="end">{label}</text>'
            f'<path d="M170 {y + 6.5}H650" stroke="#ddd"/><circle cx="{end:.1f}" cy="{y + 6.5}" r="4" fill="#3a7ca5"/>'
            f'<path d="M{left:.1f} {y + 6.5}H{right:.1f}M{left:.1f} {y + 3}v7M{right:.1f} {y + 3}v7" stroke="#234" fill="none"/>'
            f'<text x="{right + 8:.1f}" y="{y + 10}">{mean:.1f}</text>\n'
        )
    return "".join(lines), 40 + 18 * len(bars)
