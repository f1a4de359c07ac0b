#!/bin/bash
# Runs Snakemake itself as a job, which is requeued until the work is done. See docs/cluster.md.
#
#   sbatch --account=myproject --partition=cpu slurm/head-job.sh all
#
# Only one runs at a time (singleton), because it removes the locks of the previous one. A minute before its time limit
# it stops Snakemake and requeues itself. With CVQN_ORPHANS=cancel, the next one cancels the old jobs; their trainings
# save and resume.
#SBATCH --job-name=cvqn
#SBATCH --dependency=singleton
#SBATCH --time=24:00:00
#SBATCH --cpus-per-task=2
#SBATCH --mem=8G
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=snakemake-%j.log
#SBATCH --signal=B:USR1@60
export CVQN_ORPHANS=${CVQN_ORPHANS:-cancel} # what to do with jobs left by an earlier Snakemake: cancel or keep
profile=${CVQN_PROFILE:-slurm}

snakemake --profile "$profile" "$@" --unlock
snakemake --profile "$profile" "$@" &
pid=$!
trap 'kill -KILL "$pid"; scontrol requeue "$SLURM_JOB_ID"; sleep 60' USR1
wait "$pid"
