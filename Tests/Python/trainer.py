"""Compiles models and runs trainers, for the tests against Python's libraries."""
import os
import subprocess

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMPILER = os.environ.get("WAMIMC", os.path.join(REPOSITORY, ".build/release/wamimc"))


def run(*words, status=0):
    """Runs a command, which has to end with `status`, and gives what it printed."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    assert done.returncode == status, f"{' '.join(map(str, words))}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def compile_model(model, settings, output):
    """Compiles a model of the repository with `settings` in place of its own."""
    options = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    run(COMPILER, os.path.join(REPOSITORY, model), *options, "-o", output)
