#!/usr/bin/env bash
# Train on several GPUs: bash tools/dist_train.sh CONFIG GPUS [train.py options]
set -euo pipefail

exec bash "$(dirname "$0")/_torchrun.sh" "$2" train.py "$1" "${@:3}"
