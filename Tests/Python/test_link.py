"""Two ranks in two network namespaces, joined by a link of 1 Gbit/s: how long steps take, and what ends a run. Needs root and MPICH."""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from trainer import COMPILER, REPOSITORY, run

HOSTS = ["wamimc-a", "wamimc-b"]
ADDRESSES = ["10.99.0.1", "10.99.0.2"]
INTERFACES = ["wamimc0", "wamimc1"]

# What MPICH starts a host's processes with: `launcher ADDRESS COMMAND…`, as ssh is called. Each host has a name of its own, as ranks
# of one name would talk through shared memory.
LAUNCHER = """#!/bin/bash
while [[ $1 == -* ]]; do shift; done
address=$1; shift
case $address in 10.99.0.1) host=wamimc-a ;; *) host=wamimc-b ;; esac
exec ip netns exec $host unshare --uts sh -c "hostname $host; cd $PWD; $*"
"""


class Link:
    """Two namespaces and what joins them, until it is left."""

    def __init__(self, rate, delay):
        self.rate, self.delay = rate, delay

    def __enter__(self):
        self.remove()
        for host in HOSTS:
            run("ip", "netns", "add", host)
        run("ip", "link", "add", INTERFACES[0], "type", "veth", "peer", "name", INTERFACES[1])
        for host, address, interface in zip(HOSTS, ADDRESSES, INTERFACES):
            run("ip", "link", "set", interface, "netns", host)
            self.within(host, "ip", "addr", "add", f"{address}/24", "dev", interface)
            self.within(host, "ip", "link", "set", "lo", "up")
            self.within(host, "ip", "link", "set", interface, "up")
            self.limit(host, interface)
        return self

    def limit(self, host, interface):
        """Makes an interface slow, and late where the kernel can do that."""
        words = ["ip", "netns", "exec", host, "tc", "qdisc", "add", "dev", interface, "root"]
        late = subprocess.run(
            [*words, "netem", "delay", self.delay, "rate", self.rate, "limit", "10000"], stderr=subprocess.DEVNULL)
        self.is_late = late.returncode == 0
        if not self.is_late:
            run(*words, "tbf", "rate", self.rate, "burst", "256kb", "latency", "50ms")

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        for host in HOSTS:
            subprocess.run(["ip", "netns", "del", host], stderr=subprocess.DEVNULL)

    @staticmethod
    def within(host, *words):
        return run("ip", "netns", "exec", host, *words)

    def cut(self):
        self.within(HOSTS[0], "ip", "link", "set", INTERFACES[0], "down")


def command(folder, words, ends_others=True):
    """What runs two ranks, one on each host, whose words go to files: a link that is cut brings nothing home."""
    # UCX knows that both hosts are one machine, and would go through its memory.
    script = f"exec env UCX_TLS=self,tcp {words} >out.$PMI_RANK 2>err.$PMI_RANK"
    cleanup = [] if ends_others else ["-disable-auto-cleanup"]
    return [
        "ip", "netns", "exec", HOSTS[0], "unshare", "--uts", "sh", "-c", f'hostname {HOSTS[0]}; exec "$@"', "sh",
        "mpiexec", *cleanup, "-launcher", "ssh", "-launcher-exec", os.path.join(folder, "launcher"), "-localhost", ADDRESSES[0],
        "-hosts", ",".join(ADDRESSES), "-ppn", "1", "-n", "2", "sh", "-c", script,
    ]


def text(folder, name):
    with open(os.path.join(folder, name)) as file:
        return file.read()


def measure(folder, rounds):
    """Steps of both ranks in turn, alone and over the link, with and without overlap."""
    ways = {
        "alone": None,
        "over the link": "./train bench --json --threads 1 --steps 6 --overlap",
        "over the link, without overlap": "./train bench --json --threads 1 --steps 6 --no-overlap",
    }
    results = {name: [] for name in ways}
    for _ in range(rounds):
        for name, words in ways.items():
            if words is None:
                # Both at once, so that they share the machine as ranks do.
                alone = [
                    subprocess.Popen(
                        ["./train", "bench", "--json", "--threads", "1", "--steps", "6"], cwd=folder, stdout=subprocess.PIPE)
                    for _ in HOSTS
                ]
                results[name].append([json.loads(process.communicate()[0]) for process in alone])
            else:
                subprocess.run(command(folder, words), cwd=folder, check=True)
                results[name].append([json.loads(text(folder, "out.0"))])
    seconds = {
        name: statistics.median(max(each["step_seconds_median"] for each in one) for one in many) for name, many in results.items()
    }
    return seconds, results["over the link"][-1][0]["reduction"], results["over the link, without overlap"][-1][0]["reduction"]


def train(folder, what, every=1):
    """Starts a run on both hosts that never ends by itself, and waits for its first checkpoint."""
    for name in ("out.0", "out.1", "err.0", "err.1"):
        open(os.path.join(folder, name), "w").close()
    words = f"./train fit --data synthetic:64 --epochs 1000 --pictures 0 --threads 1 --every {every} --out {what} --peer-timeout 5"
    process = subprocess.Popen(command(folder, words, ends_others=False), cwd=folder)
    deadline = time.monotonic() + 120
    while not os.path.exists(os.path.join(folder, what, "checkpoint.safetensors")):
        assert time.monotonic() < deadline and process.poll() is None, text(folder, "err.0") + text(folder, "err.1")
        time.sleep(0.1)
    return process


def pids(words):
    """The processes whose command line begins with some words, by host."""
    found = {}
    for host in HOSTS:
        for pid in run("ip", "netns", "pids", host).split():
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    line = file.read().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if line.startswith(words):
                found[host] = int(pid)
    return found


def await_end(host, limit):
    """How long a host's rank goes on."""
    start = time.monotonic()
    while host in pids("./train fit"):
        assert time.monotonic() - start < limit, f"{host} still runs after {limit} s"
        time.sleep(0.1)
    return time.monotonic() - start


def stop(process):
    for pid in pids("./train").values():
        os.kill(pid, signal.SIGKILL)
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def check_death(folder):
    """A rank that is killed is named by the other one, which ends."""
    process = train(folder, "killed")
    os.kill(pids("./train fit")[HOSTS[1]], signal.SIGKILL)
    seconds = await_end(HOSTS[0], limit=15)
    said = text(folder, "err.0")
    stop(process)
    assert f"rank 1 on {HOSTS[1]}" in said, said
    return seconds, said


def check_cut(folder, link):
    """Where the link is cut, each side names the other one, and ends."""
    process = train(folder, "cut")
    link.cut()
    seconds = max(await_end(host, limit=15) for host in HOSTS)
    said = [text(folder, "err.0"), text(folder, "err.1")]
    stop(process)
    assert f"rank 1 on {HOSTS[1]}" in said[0] and f"rank 0 on {HOSTS[0]}" in said[1], "\n".join(said)
    return seconds, said


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="wamim_vit_tiny")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", default="1gbit")
    parser.add_argument("--delay", default="0.2ms")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("namespaces of the network need root")
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "launcher"), "w") as file:
            file.write(LAUNCHER)
        os.chmod(file.name, 0o755)
        train = os.path.join(folder, "train")
        run(COMPILER, f"{REPOSITORY}/graphs/{options.model}.wg", "--set", f"batch={options.batch}", "--mpi", "-o", train)
        with Link(options.rate, options.delay) as link:
            print(f"{options.rate}, {f'{link.delay} late' if link.is_late else 'no delay: this kernel has no netem'}")
            if options.rounds > 0:
                seconds, reduction, exposed = measure(folder, options.rounds)
                bits = float(options.rate.removesuffix("gbit")) * 1e9
                link_seconds = reduction["sent_bytes"] * 8 / bits
                least = max(seconds["alone"], link_seconds)
                for name, value in seconds.items():
                    print(f"a step {name}: {value:.3f} s, {value / least:.2f} of the least")
                print(f"bytes over the link: {link_seconds:.3f} s")
                print(f"the reduction takes {reduction['seconds']:.3f} s, {100 * reduction['hidden_share']:.0f} % of it hidden;", end=" ")
                print(f"without overlap {exposed['seconds']:.3f} s")
            print("a rank that is killed: the other ends after {:.1f} s: {}".format(*check_death(folder)))
            seconds, said = check_cut(folder, link)
            print(f"a link that is cut: both end after {seconds:.1f} s:\n{''.join(said)}")
    print("1 passed, 0 failed")


main()
