#!/usr/bin/env bash
# Start a tool once a GPU: bash tools/_torchrun.sh GPUS TOOL [arguments of the tool]
# On several machines run it on each, with NNODES, NODE_RANK, MASTER_ADDR and PORT set.
set -euo pipefail

exec python -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$1" \
    "$(dirname "$0")/$2" "${@:3}" --launcher pytorch
