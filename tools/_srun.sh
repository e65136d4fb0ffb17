#!/usr/bin/env bash
# Start a tool under Slurm: bash tools/_srun.sh PARTITION JOB_NAME TOOL [arguments of the tool]
# GPUS (8), GPUS_PER_NODE (8), CPUS_PER_TASK (5) and SRUN_ARGS are read from the environment.
set -euo pipefail

# shellcheck disable=SC2086 # SRUN_ARGS holds several words
exec srun --partition="$1" \
    --job-name="$2" \
    --gres=gpu:"${GPUS_PER_NODE:-8}" \
    --ntasks="${GPUS:-8}" \
    --ntasks-per-node="${GPUS_PER_NODE:-8}" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    ${SRUN_ARGS:-} \
    python -u "$(dirname "$0")/$3" "${@:4}" --launcher=slurm
