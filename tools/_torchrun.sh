#!/usr/bin/env bash
# Start a tool with one process per GPU: bash tools/_torchrun.sh GPUS TOOL [arguments of the tool]
# On several machines, run it on each of them. Set NNODES and RDZV_ENDPOINT (the machines then find
# their ranks themselves), or NNODES, NODE_RANK, MASTER_ADDR and PORT. MAX_RESTARTS is the number of
# failures after which all processes are started again. See docs/how_to/distributed.md.
set -euo pipefail

if [[ -n "${RDZV_ENDPOINT:-}" ]]; then
    meeting=(--rdzv_backend=c10d --rdzv_endpoint="$RDZV_ENDPOINT" --rdzv_id="${RDZV_ID:-kdrank}")
else
    meeting=(
        --node_rank="${NODE_RANK:-0}"
        --master_addr="${MASTER_ADDR:-127.0.0.1}"
        --master_port="${PORT:-29500}"
    )
fi
if [[ -n "${LOCAL_ADDR:-}" ]]; then
    meeting+=(--local_addr="$LOCAL_ADDR")
fi

# In the agents' store, restarted processes can find old addresses of each other
# (pytorch/pytorch#135712). So the first rank opens a new store each time.
export TORCH_DISABLE_SHARE_RDZV_TCP_STORE="${TORCH_DISABLE_SHARE_RDZV_TCP_STORE:-1}"

exec python -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    "${meeting[@]}" \
    --max_restarts="${MAX_RESTARTS:-0}" \
    --nproc_per_node="$1" \
    "$(dirname "$0")/$2" "${@:3}" --launcher pytorch
