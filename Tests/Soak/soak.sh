#!/usr/bin/env bash
# Kills training runs at random moments, new ones and those that replace others, compares what they end with, and watches the memory of a long one.
#
# soak.sh COMPILER [KILLS [STEPS [SEED]]]
set -euo pipefail
compiler=$(realpath "$1")
kills=${2:-50}
steps=${3:-20000}
seed=${4:-$RANDOM}
repository=$(realpath "$(dirname "$0")/../..")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
RANDOM=$seed
echo "seed $seed"

"$compiler" "$repository/graphs/wamim_vit_demo.wg" --set image=32 --set dim=24 --set depth=4 --set heads=2 \
  --set 'taps=[1, 2, 3, 4]' --set decoder_dim=16 --set decoder_heads=2 --set batch=4 -o train

# What a run leaves that does not depend on the clock.
result() {
  sha256sum < "$1/checkpoint.safetensors"
  for kept in "$1"/checkpoint-*; do basename "$kept"; sha256sum < "$kept"; done
  sed -E 's/"(images_per_second|waiting_for_data)":[^,}]*,?//g' "$1/metrics.jsonl" | sha256sum
}

# 1. Runs that are killed.
options=(--data synthetic:200 --val synthetic:8 --epochs 8 --every 15 --keep 3)
start=$(date +%s%N)
./train fit "${options[@]}" --out whole > /dev/null
milliseconds=$((($(date +%s%N) - start) / 1000000))
expected=$(result whole)
echo "a run takes $milliseconds ms"
unsaved=0
for ((kill = 1; kill <= kills; kill++)); do
  while true; do
    rm -rf killed
    delay=$(((RANDOM * 32768 + RANDOM) % milliseconds))
    ./train fit "${options[@]}" --out killed > /dev/null &
    process=$!
    sleep "$(printf '%d.%03d' $((delay / 1000)) $((delay % 1000)))"
    if kill -9 $process 2> /dev/null; then break; fi
    wait $process
  done
  { wait $process || true; } 2> /dev/null
  if [ -f killed/checkpoint.safetensors ]; then
    ./train fit --resume killed > /dev/null
  else
    unsaved=$((unsaved + 1))
    ./train fit "${options[@]}" --out killed --overwrite > /dev/null
  fi
  if [ "$(result killed)" != "$expected" ]; then
    echo "FAILED: run $kill, killed after $delay ms, ends with other bits"
    exit 1
  fi
done
echo "$kills killed runs end with the bits of one that was not; $unsaved of them had no checkpoint yet"

# 2. Runs that are killed while they replace others: what stands after it is one of the two, whole, and goes on as that.
rewind() { ./train fit --resume "$1/checkpoint-00000150.safetensors" --base-lr 0.01 --out "$1"; }
overwrite() { ./train fit "${options[@]}" --seed 2 --out "$1" --overwrite; }
./train fit "${options[@]}" --keep 99 --out old > /dev/null
former=$(result old)
for way in rewind overwrite; do
  rm -rf new
  cp -a old new
  $way new > /dev/null
  replaced=$(result new)
  stayed=0
  for ((kill = 1; kill <= (kills + 1) / 2; kill++)); do
    while true; do
      rm -rf killed
      cp -a old killed
      # The first checkpoint comes early.
      delay=$(((RANDOM * 32768 + RANDOM) % (milliseconds / 4)))
      $way killed > /dev/null &
      process=$!
      sleep "$(printf '%d.%03d' $((delay / 1000)) $((delay % 1000)))"
      # The function runs in a shell, which the trainer is a child of.
      if pkill -9 -P $process 2> /dev/null; then break; fi
      wait $process
    done
    { wait $process || true; } 2> /dev/null
    ./train fit --resume killed > /dev/null
    found=$(result killed)
    if [ "$found" = "$former" ]; then
      stayed=$((stayed + 1))
    elif [ "$found" != "$replaced" ] || [ -e killed/unsaved ] || [ -e killed/saved ]; then
      echo "FAILED: $way $kill, killed after $delay ms, ends neither with the bits of the old run nor with those of the new one"
      exit 1
    fi
  done
  echo "$((kill - 1)) runs were killed in a $way: $stayed times the old run stood, else the new one, with all of their bits"
done

# 3. A long run, which draws and evaluates every 50 steps. What counts is the most memory that it ever had: drawing takes some for a moment.
./train fit --data synthetic:200 --val synthetic:8 --epochs $((steps / 50)) --every 500 --keep 2 --out long > /dev/null &
process=$!
first=0
last=0
while kill -0 $process 2> /dev/null; do
  kilobytes=$(awk '/^VmHWM/ { print $2 }' /proc/$process/status 2> /dev/null || true)
  count=$(grep -c '"loss"' long/metrics.jsonl 2> /dev/null || true)
  if [ "${count:-0}" -gt 100 ] && [ "${kilobytes:-0}" -gt 0 ]; then
    [ "$first" -gt 0 ] || { first=$kilobytes; first_step=$count; }
    last=$kilobytes
  fi
  sleep 0.2
done
wait $process
count=$(grep -c '"loss"' long/metrics.jsonl)
echo "$count steps: at most $first KiB up to step ${first_step:-?}, at most $last KiB in all"
if [ "$count" -ne "$steps" ] || [ "$first" -eq 0 ] || [ $((last - first)) -gt $((first / 50)) ]; then
  echo "FAILED: memory grows, or steps are missing"
  exit 1
fi
