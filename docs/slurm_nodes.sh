#!/bin/bash
# A Slurm job that trains one model on all devices of its nodes, and goes on after preemption and
# after its time limit, until it is done:
#
#   sbatch slurm_nodes.sh -c base -c data/mnist --name large --trainer.max_epochs 500
#
# Submit it from the folder that holds runs/, which all nodes must see.
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=2
#SBATCH --time=04:00:00
#SBATCH --signal=B:TERM@60
#SBATCH --requeue
#SBATCH --open-mode=append

export WANDB_RUN_ID=$SLURM_JOB_ID  # of all processes, and of all starts of the job: they are one run
told=$(mktemp -u)  # made where the job is told to end
srun --kill-on-bad-exit vae-zoo fit --trainer.strategy ddp --trainer.num_nodes "$SLURM_NNODES" \
    --trainer.devices "$SLURM_NTASKS_PER_NODE" "$@" &
trap 'touch "$told"; kill -TERM $!' TERM  # srun then kills: what counts is in last.ckpt
wait $!
code=$?
if [ -f "$told" ]; then
    wait $!
    rm "$told"
    scontrol requeue "$SLURM_JOB_ID"
fi
exit $code
