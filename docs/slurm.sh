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

unset SLURM_NTASKS  # a trial on several devices starts its own processes
: "${1:?a command, or a file of lines}"
if [ -f "$1" ]; then
    line=$(sed -n "${SLURM_ARRAY_TASK_ID:?a file of lines needs --array=1-N}p" "$1")
    eval "set -- ${line:?no such line in the file}"
fi
export VAE_ZOO_PREEMPTED=$(mktemp -u)  # made where the job, and not one run of it, is told to end
"$@" &
trap 'touch "$VAE_ZOO_PREEMPTED"; kill -TERM $!' TERM  # preemption reaches all, a time limit the shell
wait $!
code=$?
if [ -f "$VAE_ZOO_PREEMPTED" ]; then
    wait $!
    code=$?
    rm "$VAE_ZOO_PREEMPTED"
    scontrol requeue "$SLURM_JOB_ID"
fi
exit $code
