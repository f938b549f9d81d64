#!/usr/bin/env python3
"""Damages the files of a run's folder at random and runs every command of the trainer on what is left.

usage: runs.py COMPILER SECONDS [SEED]

No command may crash, none that only reads may change anything, and none that ends with an error may have deleted or replaced what
the folder held.
"""
import os, random, shutil, subprocess, sys, tempfile, time

compiler, seconds = os.path.realpath(sys.argv[1]), float(sys.argv[2])
seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 32)
repository = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
numbers = random.Random(seed)

TINY = ["image=32", "dim=24", "depth=4", "heads=2", "taps=[1, 2, 3, 4]", "decoder_dim=16", "decoder_heads=2", "batch=4"]
DATA = ["--data", "synthetic:40"]


def contents(folder):
  """All files below `folder` and their bytes, links as what they say."""
  found = {}
  for path, folders, names in os.walk(folder):
    for name in names + [name for name in folders if os.path.islink(os.path.join(path, name))]:
      file = os.path.join(path, name)
      key = os.path.relpath(file, folder)
      found[key] = os.readlink(file).encode() if os.path.islink(file) else open(file, "rb").read()
  return found


def damage(folder):
  """Changes one of the folder's entries, and says how."""
  names = sorted(os.listdir(folder))
  name = numbers.choice(names)
  path = os.path.join(folder, name)
  way = numbers.choice(["remove", "truncate", "empty", "swap", "flip", "append", "folder", "link", "rename", "copy", "replacement"])
  if way == "replacement":
    # What a killed process leaves, made of anything.
    target = os.path.join(folder, numbers.choice(["saved", "unsaved"]))
    os.makedirs(target, exist_ok=True)
    if os.path.isfile(path): shutil.copy(path, os.path.join(target, name))
    if numbers.random() < 0.5: open(os.path.join(target, "replaced.json"), "w").write(numbers.choice(["", "[", "[]", '["../x", "lock"]']))
  elif os.path.islink(path) or not os.path.isfile(path):
    return f"leave {name}"
  elif way == "remove": os.unlink(path)
  elif way == "truncate": os.truncate(path, numbers.randrange(os.path.getsize(path) + 1))
  elif way == "empty": os.truncate(path, 0)
  elif way in ("swap", "copy", "rename"):
    other = os.path.join(folder, numbers.choice(names))
    if not os.path.isfile(other) or other == path: return f"leave {name}"
    if way == "copy": shutil.copy(path, other + ".new"); os.rename(other + ".new", other)
    elif way == "rename": os.rename(path, other)
    else:
      os.rename(path, path + ".x"); os.rename(other, path); os.rename(path + ".x", other)
  elif way == "flip":
    data = bytearray(open(path, "rb").read())
    for _ in range(numbers.randrange(1, 9)):
      # The beginning, where headers are, more often than the rest.
      if data: data[numbers.randrange(min(len(data), 64) if numbers.random() < 0.5 else len(data))] = numbers.randrange(256)
    open(path, "wb").write(data)
  elif way == "append": open(path, "ab").write(numbers.randbytes(numbers.randrange(1, 200)))
  else:
    os.unlink(path)
    if way == "folder": os.mkdir(path)
    else: os.symlink(numbers.choice(["nowhere", "checkpoint.safetensors", "/dev/null", name]), path)
  return f"{way} {name}"


READING = [
  ["export", "--timm", "--checkpoint", "run", "-o", "out.safetensors"],
  ["reconstruct", "--checkpoint", "run", *DATA, "--count", "1", "-o", "out.png"],
  ["fit", "--init", "run", *DATA, "--out", "other", "--overwrite", "--limit-steps", "1"],
  ["fit", "--resume", "run", "--out", "other", "--overwrite", "--limit-steps", "99"],
  ["grad", "--input", "run/checkpoint.safetensors", "--output", "out.safetensors"], ["info"],
]
WRITING = [
  ["fit", "--resume", "run"], ["fit", "--resume", "run", "--limit-steps", "99"], ["fit", "--resume", "run/checkpoint-00000010.safetensors"],
  ["fit", "--resume", "run/checkpoint-00000020.safetensors", "--data", "synthetic:80"],
  ["fit", "--resume", "run", "--profile", "/no/such/x"], ["fit", *DATA, "--epochs", "1", "--out", "run"],
  ["fit", *DATA, "--epochs", "1", "--out", "run", "--overwrite"], ["fit", "--data", "/no/such/folder", "--out", "run", "--overwrite"],
  ["fit", "--resume", "whole/checkpoint-00000020.safetensors", "--out", "run"],
]


def check(words, mutations, before, reads, result):
  """Fails where a command has done what it may not."""
  problem = None
  after = contents("run")
  if result.returncode not in (0, 1, 64) or b"Fatal error" in result.stderr: problem = f"it ended with {result.returncode}"
  elif reads and after != before: problem = "it has changed what it only reads"
  elif result.returncode != 0:
    for name, data in before.items():
      # What was complete may be brought to its end, and lines may be added to what a run writes at once.
      if name.startswith(("saved/", "unsaved/")) or os.path.isdir("run/saved") or "saved/replaced.json" in before: continue
      if name in ("run.json", "graph.wg", "images.index", "lock"): continue
      if not after.get(name, b"").startswith(data): problem = f"it has lost {name}"
  if problem is None: return
  print(f"FAILED with seed {seed}: {problem}\n  {' '.join(words)}\n  after: {'; '.join(mutations)}")
  print(result.stdout.decode(errors="replace")[-2000:], result.stderr.decode(errors="replace")[-4000:])
  sys.exit(1)


with tempfile.TemporaryDirectory() as work:
  os.chdir(work)
  print(f"seed {seed}", flush=True)
  settings = [word for setting in TINY for word in ("--set", setting)]
  subprocess.run([compiler, f"{repository}/graphs/wamim_vit_demo.wg", *settings, "-o", "train"], check=True)
  subprocess.run(["./train", "fit", *DATA, "--epochs", "3", "--every", "5", "--keep", "9", "--val", "synthetic:8", "--out", "whole"],
    check=True, stdout=subprocess.DEVNULL)
  end, count, refused = time.monotonic() + seconds, 0, 0
  while time.monotonic() < end:
    for folder in ("run", "other"): shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree("whole", "run")
    mutations = [damage("run") for _ in range(numbers.randrange(1, 5))]
    for words in numbers.sample(READING, 2) + numbers.sample(WRITING, 2):
      before = contents("run")
      result = subprocess.run(["./train", *words, "--threads", "1"] if words[0] in ("fit", "grad", "reconstruct") else ["./train", *words],
        capture_output=True, timeout=120)
      check(words, mutations, before, words in READING, result)
      count += 1
      refused += result.returncode != 0
      mutations.append(" ".join(words))
  print(f"{count} commands on damaged runs, of which {refused} were refused: no crash, and nothing lost")
