#!/bin/bash
# A Slurm job that goes on after preemption and after its time limit, until its command is done:
#
#   sbatch slurm.sh wandb agent --forward-signals me/vae_zoo/0a1b2c3d
#   sbatch --array=1-4 slurm.sh vae-zoo sweep divergences --storage postgresql+psycopg://…
#   vae-zoo sweep divergences --dry-run > lines.txt; sbatch --array=1-18 slurm.sh lines.txt
#
# The last runs one line of the file a job. Submit it from the folder that holds runs/.
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --time=04:00:00
#SBATCH --signal=B:TERM@60
#SBATCH --requeue
#SBATCH --open-mode=append

if [ -f "$1" ]; then
    eval "set -- $(sed -n "${SLURM_ARRAY_TASK_ID}p" "$1")"
fi
"$@" &
trap 'told=yes; kill -TERM $!' TERM  # a minute before the time limit; preemption reaches all
wait $!
code=$?
if [ $told ]; then
    wait $!
    code=$?
    scontrol requeue "$SLURM_JOB_ID"
fi
exit $code
