"""Every error of the command line, with its full text: key, value and what would be right.

A block is a command and what it prints after ``vae-zoo: error: ``; lines before it that begin with
a bar are the file ``c.yaml``. ``runs/a/x`` is a trained run. That a text is complete, and that a
new error is listed here, is for who writes it; that none is longer than five lines, is tested for
every error by the fuzzer, too.
"""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fuzz.place import tree
from vae_zoo import cli
from vae_zoo.packaged import find

ERRORS = r"""
$ vae-zoo fit -c base --model.regularizer MDD
model.regularizer: there is no class MDD. Did you mean MMD?

$ vae-zoo fit -c base --model.lr_scheduler ReduceLROnPlateau --model.lr_scheduler.monitor val/elbo
model.lr_scheduler: there is more than one class ReduceLROnPlateau: name it in full, torch.optim.lr_scheduler.ReduceLROnPlateau or lightning.pytorch.cli.ReduceLROnPlateau

$ vae-zoo fit -c base --model.regularizer MMD --model.regularizer.kernal imq
model.regularizer.kernal: MMD has no option kernal. Did you mean kernel? Its options are weight, kernel, scales, prior, width.

$ vae-zoo fit -c base --model.regularizer MMD --model.regularizer.scales '[]'
model.regularizer.scales: scales must be one positive number or more, got []

$ vae-zoo fit -c base --model.regularizer SlicedWasserstein --model.regularizer.projections 0
model.regularizer.projections: projections must be at least 1, got 0

$ vae-zoo fit -c base --model.regularizer Renyi --model.regularizer.alpha -1
model.regularizer.alpha: alpha must be positive and finite, since the divergence of order 0 is 0 between normals and one of negative order is below 0, got -1.0

$ vae-zoo fit -c base --model.regularizer InfoVAE --model.regularizer.alpha -1 --model.regularizer.lambda_ 1
model.regularizer.alpha: alpha + lambda_ must be at least 1, got -1.0 + 1.0: below, InfoVAE would reward a mismatch of codes and prior

$ vae-zoo fit -c base --model.regularizer Capacity --model.regularizer.inner KL --model.regularizer.nats -1 --model.regularizer.steps 5
model.regularizer.nats: nats must be a capacity of 0 or more, got -1.0

$ vae-zoo fit -c base --model.regularizer CramerWold --data.batch_size 1
CramerWold needs at least two examples, got 1: raise --data.batch_size

$ vae-zoo fit -c base --model.regularizer DIP --data.batch_size 1
DIP needs at least two examples, got 1: raise --data.batch_size

$ vae-zoo fit -c base --model.regularizer EmpiricalWasserstein --data.batch_size 1
EmpiricalWasserstein needs at least two examples, got 1: raise --data.batch_size

$ vae-zoo fit -c base --model.regularizer MaxSlicedWasserstein --data.batch_size 1
MaxSlicedWasserstein needs at least two examples, got 1: raise --data.batch_size

$ vae-zoo fit -c base --model.regularizer Sinkhorn --data.batch_size 1
Sinkhorn needs at least two examples, got 1: raise --data.batch_size

$ vae-zoo fit -c base --model.regularizer SlicedWasserstein --data.batch_size 1
SlicedWasserstein needs at least two examples, got 1: raise --data.batch_size

$ vae-zoo fit -c base --model.regularizer TotalCorrelation --data.batch_size 1
TotalCorrelation needs at least two examples, got 1: raise --data.batch_size

$ vae-zoo fit -c base --model.regularizer Moments --data.batch_size 1
Moments needs at least four examples, got 1: raise --data.batch_size

$ vae-zoo fit -c base --model.regularizer Annealed --model.regularizer.inner Annealed --model.regularizer.steps 4 --model.regularizer.inner.inner KL
model.regularizer.inner: Annealed needs --model.regularizer.inner.steps

$ vae-zoo fit -c base --model.regularizer FreeBits --model.regularizer.inner Annealed --model.regularizer.inner.inner KL --model.regularizer.inner.steps 5
model.regularizer.inner: inner must be a sum over dimensions, such as KL or Renyi, so that parts of it can have floors of their own, got Annealed

$ vae-zoo fit -c base --model.regularizer Sum --model.regularizer.parts KL
model.regularizer.parts: expected list, got KL

$ vae-zoo fit -c base --model.regularizer Sum --model.regularizer.parts '[{"class_path":"KL","init_args":{"wieght":2}}]'
model.regularizer.parts.0.wieght: KL has no option wieght. Did you mean weight? Its options are weight.

$ vae-zoo fit -c base --model.regularizer Kl
model.regularizer: there is no class Kl. Did you mean KL?

$ vae-zoo fit -c base --model.regularizer MMD --model.objective ImportanceWeighted
ImportanceWeighted bounds log p(x) by weights that contain the KL, so it goes with --model.regularizer KL at weight 1 alone, got MMD imq λ=1: use KL, or --model.objective PenalizedLikelihood

$ vae-zoo fit -c base --model.objective ImportanceWeighted --model.objective.samples 0
model.objective.samples: samples must be at least 1, got 0

$ vae-zoo fit -c base --model.objective GECO
model.objective: GECO needs --model.objective.target

$ vae-zoo fit -c base --model.regularizer Annealed
model.regularizer: Annealed needs --model.regularizer.inner, --model.regularizer.steps

$ vae-zoo fit -c base --model.regularizer MMD --model.regularizer.kernel gauss
model.regularizer.kernel: gauss is none of gaussian, imq, laplace. Did you mean gaussian?

$ vae-zoo fit -c base -c '{"model":{"regularizer":{"class_path":"MMD","init_args":{"kernal":"imq"}}}}'
model.regularizer.kernal: MMD has no option kernal. Did you mean kernel? Its options are weight, kernel, scales, prior, width.

$ vae-zoo fit -c base -c '{"model":{"regularizer":"MDD"}}'
model.regularizer: there is no class MDD. Did you mean MMD?

$ vae-zoo fit -c base -c '{"model":{"regulariser":"KL"}}'
model.regulariser: there is no such option. Did you mean model.regularizer?

$ vae-zoo fit -c base --model.latent_dims 3
model.latent_dims: there is no such option. Did you mean model.latent_dim?

$ vae-zoo fit -c base --model.latent_dim x
model.latent_dim: expected int, got x

$ vae-zoo fit -c base --model.latent_dim 0
model.latent_dim: latent_dim must be at least 1, or 0 with a condition, got 0

$ vae-zoo fit -c base --model.regularizer.weight -1
model.regularizer.weight: weight must be non-negative, got -1.0

$ vae-zoo fit -c base --model.encoder.hiden '[3]'
model.encoder.hiden: MLP has no option hiden. Did you mean hidden? Its options are hidden, injection, activation.

$ vae-zoo fit -c base --model.encoder StandardNormal
model.encoder: there is no class StandardNormal. `vae-zoo list networks` shows the zoo.

$ vae-zoo fit -c base --model.optimizer Adan
model.optimizer: there is no class Adan. Did you mean Adam?

$ vae-zoo fit -c base --model.regularizer nowhere.Mine
model.regularizer: cannot import nowhere.Mine: No module named 'nowhere'

$ vae-zoo fit -c base --trainer.max_epochs x
trainer.max_epochs: expected int or NoneType, got x

$ vae-zoo fit -c base --model.posterior Deterministic
KL needs the density of q(z | x), which a Deterministic posterior lacks: use --model.posterior DiagonalNormal, or --model.regularizer MMD or SlicedWasserstein

$ vae-zoo fit -c base --model.regularizer MMD --model.prior VampPrior --model.posterior FullNormal
the prior, a MixtureSameFamily, passes no gradients through its samples, so a regularizer that compares samples cannot train it: use --model.regularizer KL, or --model.prior StandardNormal or LearnedNormal

$ vae-zoo fit -c base --model.regularizer MMD --data.batch_size 1
MMD needs at least two samples of each, got 1 and 1: raise --data.batch_size

$ vae-zoo fit -c base --model.prior ConditionalNormal
ConditionalNormal makes a prior p(z | c), and the model has no condition c: give it one, such as --model.condition OneHot, or use LearnedNormal

$ vae-zoo fit -c base --data.binarization none
Bernoulli is a likelihood of binary data, but the data are unit interval: binarize them (--data.binarization), or use --model.likelihood ContinuousBernoulli or Normal

$ vae-zoo fit -c base --data.batch_size 5000
batch_size must be at most 1397: there are 1397 training examples, got 5000

$ vae-zoo fit -c base --data.batch_size 0
data.batch_size: batch_size must be at least 1, got 0

$ vae-zoo fit -c base -c regularizer/mdd
--config: there is no file regularizer/mdd, and no packaged one of that name. Did you mean regularizer/mmd?

$ vae-zoo fit -c base --trainer.accelerator gpu
trainer: No supported gpu backend found!

$ vae-zoo fit -c base --trainer.devices 0
trainer: `Trainer(devices='0')` value is not a valid input using cpu accelerator.

$ vae-zoo fit -c base --trainer.enable_checkpointing false
trainer: Trainer was configured with `enable_checkpointing=False` but found `ModelCheckpoint` in callbacks list.

$ vae-zoo fit -c base --trainer.default_root_dir other
trainer.default_root_dir: a run's folder is runs/<name>/<id>: use --name, got other

$ vae-zoo fit -c base --trainer.limit_test_batches 0
trainer.limit_test_batches: a fit ends with a test, got 0

$ vae-zoo fit -c base --trainer.max_epochs 0
trainer.max_epochs: nothing would be trained, got 0

$ vae-zoo fit -c base --trainer.max_epochs=-5
trainer: `max_epochs` must be a non-negative integer or -1. You passed in -5.

$ vae-zoo fit -c base --trainer.precision 8
trainer.precision: 8 is none of 64, 32, 16, transformer-engine, transformer-engine-float16, 16-true, 16-mixed, bf16-true, bf16-mixed, 32-true, 64-true, bf16.

$ vae-zoo fit -c base --model.optimizer.lr=-1
model.optimizer or model.lr_scheduler: Invalid learning rate: -1.0

$ vae-zoo fit -c base --name=
--name: '' is no name of a folder in runs/: it should be without slashes, and not begin with a dot or a hyphen

$ vae-zoo fit -c base --name a/b
--name: 'a/b' is no name of a folder in runs/: it should be without slashes, and not begin with a dot or a hyphen

$ vae-zoo fit
model.latent_dim, model.regularizer, data: not given. `-c base` gives all that is needed.

$ vae-zoo fit -c nope
--config: there is no file nope, and no packaged one of that name. Packaged are PACKAGED.

$ vae-zoo fit -c base --config
argument -c/--config: expected one argument

$ vae-zoo fit -c base --resume runs/none
--resume runs/none: it has no runs/none/checkpoints/last.ckpt

$ vae-zoo fit -c base --trust mine
--trust is of a run to --resume, got mine

$ vae-zoo fit --resume runs/a/x --trust a/b
--trust should name a module, as moments, got 'a/b'

$ vae-zoo fit --resume runs/a/x --model.latent_dim 3
runs/a/x is a run with another model, and goes on only as it began: see its config.yaml, or begin another run

$ vae-zoo fit --resume runs/a/x --seed_everything 3
runs/a/x is a run with another seed_everything, and goes on only as it began: see its config.yaml, or begin another run

$ vae-zoo fit --resume runs/a/x --data.batch_size 7
runs/a/x is a run with another data, and goes on only as it began: see its config.yaml, or begin another run

$ vae-zoo fit -c base --ckpt_path none.ckpt
there is no checkpoint none.ckpt

$ vae-zoo fit -c base --ckpt_path last
ckpt_path: a run goes on from its last.ckpt by --resume RUN; else it is the path of a file, got last

$ vae-zoo fit -c base --ckpt_path corrupt.ckpt
corrupt.ckpt is no checkpoint that can be read: its 13 bytes are no whole file: copy it again, or resume the run

$ vae-zoo fit -c base --ckpt_path runs/a/x/checkpoints/best.ckpt --model.latent_dim 3
runs/a/x/checkpoints/best.ckpt is a checkpoint of another model: Error(s) in loading state_dict for VAE: size mismatch for encoder.layers.4.weight: copying a param with shape torch.Size([16, 256]) from checkpoint, the shape in current model is torch.Size([6, 256]).

$ vae-zoo fit -c base --on_nan go
on_nan: go is none of stop, skip.

$ vae-zoo fit -c base --compile x
compile: expected bool, got x

$ vae-zoo fit -c base --scorecard x
scorecard: expected bool, got x

$ vae-zoo fit -c base --seed_everything x
seed_everything: expected bool or int, got x

$ vae-zoo fit -c base --data Digitz
data: there is no class Digitz. Did you mean Digits?

$ vae-zoo fit -c base --data.binarization statc
data.binarization: statc is none of threshold, none.

$ vae-zoo fit -c base --data Files --data.path nowhere
path: there is no nowhere

$ vae-zoo fit -c base --data Files --data.path corrupt.ckpt
data.path: path must be a folder of images, or end in .csv, .parquet, .npy, .npz, got corrupt.ckpt

$ vae-zoo fit -c base --data Files
data: Files needs --data.path

$ vae-zoo fit -c base --data Text --data.path nowhere.txt
path: there is no file nowhere.txt

$ vae-zoo fit -c base --data IDX --data.path nowhere
nowhere lacks train-images-idx3-ubyte, or train-images-idx3-ubyte.gz

$ vae-zoo fit -c base --data Ring --model.likelihood Bernoulli
Bernoulli is a likelihood of binary data, but the data are real: use --model.likelihood Normal

$ vae-zoo fit -c base --model.encoder.hidden [0]
model.encoder.hidden: hidden must be positive widths, got [0]

$ vae-zoo fit -c base --model.encoder.hidden x
model.encoder.hidden: expected list, got x

$ vae-zoo fit -c base --model.encoder.width 3
model.encoder.width: MLP has no option width. Its options are hidden, injection, activation.

$ vae-zoo fit -c base --model.decoder Conv --data Ring --model.likelihood Normal
Conv with 2 channels halves an image (C, H, W) 2 times, which (2,) does not allow: give fewer channels, or use MLP

$ vae-zoo fit -c base --model.likelihood Normall
model.likelihood: there is no class Normall. Did you mean Normal?

$ vae-zoo fit -c base --model.condition OneHott
model.condition: there is no class OneHott. Did you mean OneHot?

$ vae-zoo fit -c base --model.condition OneHot --data Ring --model.likelihood Normal
OneHot needs labels, and the data have none: use Unconditional

$ vae-zoo fit -c base --model.prior VampPrior --model.prior.components 0
model.prior.components: components must be at least 1, got 0

$ vae-zoo fit -c base --model.posterior Delta
model.posterior: there is no class Delta. `vae-zoo list posteriors` shows the zoo.

$ vae-zoo fit -c base --model.objective GEKO
model.objective: there is no class GEKO. Did you mean GECO?

$ vae-zoo fit -c base --model.lr_scheduler StepLRR
model.lr_scheduler: there is no class StepLRR. Did you mean StepLR?

$ vae-zoo fit -c base --model.lr_scheduler StepLR
model.lr_scheduler: StepLR needs --model.lr_scheduler.step_size

$ vae-zoo fit -c base --model.optimizer.lr x
model.optimizer.lr: expected float, got x

$ vae-zoo fit -c base --trainer.callbacks vae_zoo.callbacks.Picture
trainer.callbacks: cannot import vae_zoo.callbacks.Picture: No vae_zoo.callbacks attribute Picture

$ vae-zoo fit -c base --trainer.callbacks vae_zoo.callbacks.Pictures --trainer.callbacks.every_n_epochs -1
trainer.callbacks.every_n_epochs: every_n_epochs must be non-negative, got -1

$ vae-zoo fit -c base --trainer.callbacks vae_zoo.callbacks.RateGap --trainer.callbacks.rate -1
trainer.callbacks.rate: rate must be finite and non-negative, got -1.0

$ vae-zoo fit -c base --trainer.strategy dpp
You selected an invalid strategy name: `strategy='dpp'`. It must be either a string or an instance of `lightning.pytorch.strategies.Strategy`. Example choices: auto, ddp, ddp_spawn, deepspeed, ... Find a complete list of options in our documentation at https://lightning.ai

$ vae-zoo fit -c base --trainer.logger CSVLoger
trainer.logger: expected collections.abc.Iterable or bool or NoneType, got CSVLoger

$ vae-zoo fit -c base --name ..
--name: '..' is no name of a folder in runs/: it should be without slashes, and not begin with a dot or a hyphen

$ vae-zoo fit extra
extra: there is no such option.

$ vae-zoo validate -c base
validate needs --ckpt_path FILE with the run's -c CONFIG, or --resume RUN for its best.ckpt

$ vae-zoo test -c base
test needs --ckpt_path FILE with the run's -c CONFIG, or --resume RUN for its best.ckpt

$ vae-zoo test --resume runs/none
--resume runs/none: it has no runs/none/checkpoints/last.ckpt

$ vae-zoo test -c base --ckpt_path none.ckpt
there is no checkpoint none.ckpt

$ vae-zoo train
argument command: invalid choice: 'train' (choose from 'fit', 'validate', 'test', 'sweep', 'compare', 'workspace', 'evaluate', 'classify', 'encode', 'sample', 'reconstruct', 'interpolate', 'traverse', 'check', 'new', 'list'). `vae-zoo --help` shows all.

$ vae-zoo fti
argument command: invalid choice: 'fti' (choose from 'fit', 'validate', 'test', 'sweep', 'compare', 'workspace', 'evaluate', 'classify', 'encode', 'sample', 'reconstruct', 'interpolate', 'traverse', 'check', 'new', 'list'). Did you mean fit?

$ vae-zoo compare
the following arguments are required: folders. `vae-zoo compare --help` shows all.

$ vae-zoo compare nowhere
nowhere is no folder: give a run's, or one that holds runs

$ vae-zoo compare empty
no runs in empty: a run's folder holds a config.yaml

$ vae-zoo compare runs --reference KL
--reference: there is no group 'KL'. Known: KL β=1

$ vae-zoo compare runs --reference 'MMD imq'
--reference: there is no group 'MMD imq'. Known: KL β=1

$ vae-zoo compare runs --watch -1
argument --watch: should be above 0 and at most 86400, got -1. `vae-zoo compare --help` shows all.

$ vae-zoo compare runs --watch x
argument --watch: should be seconds, as 10, got 'x': name folders before --watch. `vae-zoo compare --help` shows all.

$ vae-zoo compare runs --json --csv
argument --csv: not allowed with argument --json. `vae-zoo compare --help` shows all.

$ vae-zoo compare runs --json --watch
--watch writes the page again and again: not with --json

$ vae-zoo compare runs --json --open
--json writes no page to open: add -o page.html

$ vae-zoo compare runs -o nowhere/page.html
output must be a file in a folder that exists, got nowhere/page.html

$ vae-zoo compare runs --wacth
unrecognized arguments: --wacth. Did you mean --watch?

$ vae-zoo evaluate
the following arguments are required: folders. `vae-zoo evaluate --help` shows all.

$ vae-zoo evaluate nowhere
nowhere is no folder: give a run's, or one that holds runs

$ vae-zoo evaluate empty
no runs in empty: a run's folder holds a config.yaml

$ vae-zoo evaluate runs --samples 0
samples must be at least 1, got 0

$ vae-zoo evaluate runs --examples 1
examples must be at least 2, got 1

$ vae-zoo evaluate runs --parts likelihod
argument --parts: invalid choice: 'likelihod' (choose from 'likelihood', 'importance', 'annealing', 'aggregate', 'yardsticks', 'holes', 'samples', 'probes', 'factors', 'cost'). Did you mean likelihood?

$ vae-zoo evaluate runs --split tset
argument --split: invalid choice: 'tset' (choose from 'train', 'val', 'test'). Did you mean test?

$ vae-zoo evaluate runs --shuffle-conditions
a/x: the model has no condition that could be shuffled

$ vae-zoo classify runs/a/x
Bayes' rule needs p(x | y) of labels y, and the condition of this model is Unconditional: train one with --model.condition OneHot on data with labels

$ vae-zoo classify nowhere
nowhere is no run: it has no config.yaml

$ vae-zoo encode runs/a/x
the following arguments are required: -o/--output. `vae-zoo encode --help` shows all.

$ vae-zoo encode runs/a/x -o codes.txt
--output must end in .npz, got codes.txt

$ vae-zoo encode runs/a/x -o nowhere/codes.npz
there is no folder nowhere to write codes.npz to

$ vae-zoo encode runs/a/x -o there.npz
there.npz is there already: name another file, or delete it

$ vae-zoo encode runs/a/x -o codes.npz --labels y
--labels are those of a --file, and a split has its own, got y

$ vae-zoo encode runs/a/x -o codes.npz --file nowhere.npy
path: there is no nowhere.npy

$ vae-zoo encode runs/a/x -o codes.npz --file small.npy
small.npy has examples of shape (1, 2, 2), and the model's are of (1, 8, 8)

$ vae-zoo encode runs/a/x -o codes.npz --file small.npy --split val
argument --split: not allowed with argument --file. `vae-zoo encode --help` shows all.

$ vae-zoo encode runs/a/x -o codes.npz --file corrupt.ckpt
path must be a folder of images, or end in .csv, .parquet, .npy, .npz, got corrupt.ckpt

$ vae-zoo sample
the following arguments are required: run. `vae-zoo sample --help` shows all.

$ vae-zoo sample nowhere
nowhere is no run: it has no config.yaml

$ vae-zoo sample runs/a
runs/a is no run: it has no config.yaml

$ vae-zoo sample runs/a/x -n 0
-n must be at least 1, got 0

$ vae-zoo sample runs/a/x -n x
argument -n: invalid int value: 'x'. `vae-zoo sample --help` shows all.

$ vae-zoo sample runs/a/x --seed -1
--seed must be non-negative, got -1

$ vae-zoo sample runs/a/x --label 3
--label is of a model with a label as its condition, got 3

$ vae-zoo sample runs/a/x -o there.npz
there.npz is there already: name another file, or delete it

$ vae-zoo sample runs/a/x -o picture.jpg
--output must end in .png or .npz for such data, got picture.jpg

$ vae-zoo sample runs/a/x -o texts.txt
--output must end in .png or .npz for such data, got texts.txt

$ vae-zoo reconstruct runs/a/x -n 0
-n must be at least 1, got 0

$ vae-zoo reconstruct runs/a/x --split tset
argument --split: invalid choice: 'tset' (choose from 'train', 'val', 'test'). Did you mean test?

$ vae-zoo interpolate runs/a/x --steps 1
--steps must be at least 2, got 1

$ vae-zoo interpolate runs/a/x --between 0 1000
--between must name two of the test examples 0 to 199, got 0 1000

$ vae-zoo interpolate runs/a/x --between 1
argument --between: expected 2 arguments. `vae-zoo interpolate --help` shows all.

$ vae-zoo traverse runs/a/x --example -1
--example must name one of the test examples 0 to 199, got -1

$ vae-zoo traverse runs/a/x --steps 1
--steps must be at least 2, got 1

$ vae-zoo check
the following arguments are required: part, options. `vae-zoo check --help` shows all.

$ vae-zoo check MDD
there is no regularizer, prior, likelihood or data module MDD. Did you mean MMD?

$ vae-zoo check mine.Moments
cannot import mine.Moments: No module named 'mine'

$ vae-zoo check nowhere
there is no regularizer, prior, likelihood or data module nowhere. `vae-zoo list` shows the zoo.

$ vae-zoo check MMD --kernel gauss
kernel: gauss is none of gaussian, imq, laplace. Did you mean gaussian?

$ vae-zoo check MMD --kernal imq
kernal: there is no such option. Did you mean kernel?

$ vae-zoo check Annealed
Annealed needs --inner: add it, with a value

$ vae-zoo new regularizer moments
name must be that of a class, such as StudentT, got 'moments'

$ vae-zoo new regularizr Moments
argument family: invalid choice: 'regularizr' (choose from 'regularizer'). Did you mean regularizer?

$ vae-zoo new regularizer Json
name must not be Json: json.py would hide the module json

$ vae-zoo list priorz
argument family: invalid choice: 'priorz' (choose from 'regularizers', 'objectives', 'priors', 'posteriors', 'likelihoods', 'conditions', 'networks', 'data'). Did you mean priors?

$ vae-zoo sweep
the following arguments are required: file. `vae-zoo sweep --help` shows all.

$ vae-zoo sweep nope
there is no file nope, and no packaged one of that name. Packaged are PACKAGED.

$ vae-zoo sweep diverences
there is no file diverences, and no packaged one of that name. Did you mean divergences?

$ vae-zoo sweep status
sweep status needs the sweep's folder, as runs/divergences

$ vae-zoo sweep status runs/a
runs/a is no sweep's folder: it has no sweep.db (or --storage?)

$ vae-zoo sweep divergences runs/a
sweep takes one file, got divergences and runs/a

$ vae-zoo sweep divergences -j 0
jobs must be at least 1, got 0

$ vae-zoo sweep divergences --name a/b
SWEEPS/divergences.yaml: --name: 'a/b' is no name of a folder in runs/: it should be without slashes, and not begin with a dot or a hyphen

$ vae-zoo sweep divergences --storage ""
--storage is empty: give a database's address, or leave it out

$ vae-zoo sweep divergences --storage nonsense
--storage should be as postgresql+psycopg://user@host/database, got nonsense: Could not parse SQLAlchemy URL from given URL string

$ vae-zoo sweep divergences --storage postgresql+psycopg://me:secret@127.0.0.1:port/x
--storage should be as postgresql+psycopg://user@host/database, got postgresql+psycopg://…@127.0.0.1:port/x: invalid literal for int() with base 10: 'port'

$ vae-zoo sweep divergences --dry-rnu
unrecognized arguments: --dry-rnu. Did you mean --dry-run?

$ vae-zoo workspace --dri-run
unrecognized arguments: --dri-run. Did you mean --dry-run?

| metod: grid
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: unknown key 'metod'. Did you mean method?

| method: gird
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: method: unknown value 'gird'. Did you mean grid?

| parameters: {a: {value: 1}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: the key 'method' is missing

| method: grid
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: the key 'parameters' is missing: a sweep needs at least one

| method: grid
| parameters: {}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: parameters should not be empty

| method: grid
| parameters: [1]
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: parameters should be a mapping, got [1]

| method: grid
| parameters: {a: 3}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: parameters.a should be a mapping such as `value: 3`, got 3

| method: grid
| parameters: {a: {}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: parameters.a should hold `value`, `values` or `parameters`, got {}

| method: grid
| parameters: {a: {valeus: [1]}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: unknown key 'valeus' in parameters.a. Did you mean values?

| method: grid
| parameters: {a: {values: 3}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: parameters.a.values should be a list, got 3

| method: grid
| parameters: {a: {values: []}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: parameters.a.values should not be empty

| method: grid
| parameters: {a: {value: 1, values: [1]}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: parameters.a should hold one of `values` and `value`, got {'value': 1, 'values': [1]}

| method: grid
| parameters: {a: {parameters: {b: {vale: 1}}}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: unknown key 'vale' in parameters.a.parameters.b. Did you mean value?

| method: grid
| parameters: {a: {distribution: unform}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: parameters.a.distribution: unknown value 'unform'. Did you mean uniform?

| method: grid
| parameters: {a b: {value: 1}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: the name 'a b' in parameters should be of letters, digits, `_`, `.` and `-`

| method: grid
| parameters: {_wandb: {value: 1}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: parameters._wandb: W&B locks what a sweep sets, and `vae-zoo fit` could not write _wandb there: choose another name

| method: grid
| parameters: {resolved: {value: 1}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: parameters.resolved: W&B locks what a sweep sets, and `vae-zoo fit` could not write resolved there: choose another name

| method: grid
| parameters: {1: {value: 1}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: the key 1 should be a text: put it in quotes

| method: grid
| name: 3
| parameters: {a: {value: 1}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: name should be a text, got 3

| method: grid
| run_cap: 0
| parameters: {a: {value: 1}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: run_cap should be above 0, got 0

| method: grid
| metric: {name: a, goal: minimise}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: metric.goal: unknown value 'minimise'. Did you mean minimize?

| method: grid
| parameters: {a: {min: 0, max: 1}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: parameters.a: a grid takes `value` or `values`, got {'min': 0, 'max': 1}

| method: grid
| parameters: {a: {parameters: {b: {min: 0}}}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: parameters.a.parameters.b: uniform needs 'max'

| method: grid
| parameters: {a: {values: [1, 2], probabilities: [0, 1]}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: parameters.a: a grid takes `value` or `values`, got {'values': [1, 2], 'probabilities': [0, 1]}

| method: grid
| parameters: {a: {values: [{b: 1}, {b: 1}]}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: parameters.a.values lists {'b': 1} twice

| method: grid
| parameters: {a: {value: 2024-01-01}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: parameters.a: datetime.date(2024, 1, 1) cannot be passed on as JSON. Use numbers, texts (in quotes), true, false, null, and lists and mappings of them

| method: grid
| parameters: {a: {value: .nan}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: parameters.a: nan cannot be passed on as JSON. Use numbers, texts (in quotes), true, false, null, and lists and mappings of them

| method: grid
| parameters: {a: {value: {1: 2}}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: parameters.a: {1: 2} cannot be passed on as JSON. Use numbers, texts (in quotes), true, false, null, and lists and mappings of them

| method: grid
| parameters: {a: {value: &x [*x]}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: no valid YAML: a block contains itself, or too many others

| method: grid
| method: grid
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: the key 'method' is given twice in one block (line 2)

| method: [grid
$ vae-zoo sweep c.yaml
c.yaml: no valid YAML: while parsing a flow sequence , line 1, column 9: method: [grid ^ expected ',' or ']', but got '<stream end>' , line 1, column 14: method: [grid ^

| method: random
| parameters: {a: {value: 1}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: method: random never comes to an end: say with run_cap: how many trials there are to be

| method: bayes
| parameters: {a: {value: 1}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: method: bayes never comes to an end: say with run_cap: how many trials there are to be

| method: bayes
| run_cap: 3
| parameters: {a: {value: 1}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: method: bayes needs a metric to judge trials by: say which

| method: grid
| early_terminate: {type: hyperband, min_iter: 3}
| parameters: {a: {value: 1}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: early_terminate: {'type': 'hyperband', 'min_iter': 3} needs a metric to judge trials by: say which

| method: grid
| metric: {name: a, impute_while_running: best}
| parameters: {a: {value: 1}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: metric.impute_while_running: vae-zoo sweep judges by the metric of finished trials alone; `wandb sweep` runs this file

| method: random
| run_cap: 2
| parameters: {a: {min: 3, max: 1}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: parameters.a: min should be below max, got 3 and 1

| method: grid
| job: x
| parameters: {a: {value: 1}}
| program: train.py
$ vae-zoo sweep c.yaml
c.yaml: vae-zoo sweep has no job; `wandb sweep` runs this file

| method: grid
| command: fit
| parameters: {a: {value: 1}}
$ vae-zoo sweep c.yaml
c.yaml: command should be a list, got 'fit'

| method: grid
| command: ['${arg_json}']
| parameters: {a: {value: 1}}
$ vae-zoo sweep c.yaml
c.yaml: command: unknown macro ${arg_json}. Did you mean ${args_json}?

| method: grid
| command: ['-c=${args_json}']
| parameters: {a: {value: 1}}
$ vae-zoo sweep c.yaml
c.yaml: command: ${args_json} should be an item of its own, got '-c=${args_json}'

| model: {encoder: [MLP
$ vae-zoo fit -c base -c c.yaml
c.yaml is no valid YAML: while parsing a flow sequence , line 1, column 18: model: {encoder: [MLP ^ expected ',' or ']', but got '<stream end>' , line 1, column 22: model: {encoder: [MLP ^

|
$ vae-zoo fit -c base -c c.yaml
c.yaml should hold a mapping of options, got None

| - a
$ vae-zoo fit -c base -c c.yaml
c.yaml should hold a mapping of options, got ['a']

| 3
$ vae-zoo fit -c base -c c.yaml
c.yaml should hold a mapping of options, got 3

| model: {1: 2}
$ vae-zoo fit -c base -c c.yaml
c.yaml: the key 1 in model is no name of an option

| model: {encoder: {class_path: 3}}
$ vae-zoo fit -c base -c c.yaml
c.yaml: model.encoder.class_path should name a class, such as KL, got 3

| model: {encoder: {class_path: MLP, init_args: 3}}
$ vae-zoo fit -c base -c c.yaml
c.yaml: model.encoder.init_args should be a mapping of options, got 3

| model: {optimizer: {class_path: Adam, init_args: {lr: null}}}
$ vae-zoo fit -c base -c c.yaml
model.optimizer or model.lr_scheduler: Adam: lr must not be null

| name: ${oc.env:WANDB_API_KEY}
$ vae-zoo fit -c base -c c.yaml
name: WANDB_API_KEY may be a secret, which a run must not keep

| name: ${a.b}
$ vae-zoo fit -c base -c c.yaml
name: Interpolation key '.a.b' not found (resolved to 'fit.a.b')

| trainer: 3
$ vae-zoo fit -c base -c c.yaml
c.yaml: trainer should be a mapping of options, got 3

| a: !!python/name:os.system
$ vae-zoo fit -c base -c c.yaml
c.yaml is no valid YAML: could not determine a constructor for the tag 'tag:yaml.org,2002:python/name:os.system' , line 1, column 4: a: !!python/name:os.system ^

| model: {regularizer: {class_path: MMD, init_args: {scales: null}}}
$ vae-zoo fit -c base -c c.yaml
MMD: scales must not be null

| model: &a {x: *a}
$ vae-zoo fit -c base -c c.yaml
c.yaml is no valid YAML: a block contains itself, or too many others
"""  # noqa: E501


def cases():
    """The file, the words and the error of each block."""
    for block in ERRORS.strip().split("\n\n"):
        lines = block.splitlines()
        config = [line.removeprefix("|").removeprefix(" ") for line in lines if line[0] == "|"]
        command, *error = lines[len(config) :]
        yield "\n".join(config) if config else None, command.removeprefix("$ vae-zoo "), error


@pytest.fixture(scope="module")
def place(folder_of_the_file):
    """The current folder, with a trained run and some files."""
    words = "fit -c base --name a --scorecard false --trainer.max_epochs 1"
    words += " --trainer.limit_train_batches 2 --trainer.accelerator cpu"
    words += " --trainer.logger false --trainer.enable_progress_bar false"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_RUN_ID", "x")
        assert code(words) == 0
    Path("empty").mkdir()
    Path("corrupt.ckpt").write_bytes(b"no checkpoint")
    np.save("small.npy", np.zeros((3, 2, 2), np.uint8))
    np.savez("there.npz", x=1)


def code(words):
    with pytest.raises(SystemExit) as end:
        cli.main(shlex.split(words))
    return end.value.code


@pytest.mark.parametrize(("config", "words", "error"), [*cases()])
def test_an_error_says_what_is_wrong_and_nothing_is_written(config, words, error, place, capsys):
    if "accelerator gpu" in words and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    Path("c.yaml").unlink(missing_ok=True)
    if config is not None:
        Path("c.yaml").write_text(config)
    before = tree()
    assert code(words) == 2
    said = capsys.readouterr().err.replace(
        str(Path(find("sweeps", "divergences")).parent), "SWEEPS"
    )
    said = re.sub("Packaged are .*", "Packaged are PACKAGED.", said)
    assert said == "vae-zoo: error: " + "\n".join(error) + "\n"
    assert len(error) <= cli.LINES
    assert tree() == before


def test_debug_shows_where_an_error_came_from(place, capsys):
    for words in ("--debug compare nowhere", "compare nowhere --debug", "compare --debug nowhere"):
        assert code(words) == 2
        trace, said = capsys.readouterr().err.rsplit("\n", 2)[:2]
        assert trace.startswith("Traceback (most recent call last):")
        assert said == "vae-zoo: error: nowhere is no folder: give a run's, or one that holds runs"
    assert code("--help") == 0
    assert "--debug" in capsys.readouterr().out


def test_what_nobody_has_thought_of_is_said_in_three_lines(place, monkeypatch, capsys):
    def fail(*_):
        raise ZeroDivisionError("a\x1b[2Jb\nc")

    monkeypatch.setattr(cli, "_compare", fail)
    assert code("compare runs") == 1
    first, where, advice = capsys.readouterr().err.splitlines()
    assert first == r"vae-zoo: unexpected ZeroDivisionError: a\x1b[2Jb"
    assert "test_errors.py, line " in where
    assert "it is a bug: run it again with --debug" in advice
    with pytest.raises(ZeroDivisionError):
        cli.main(["compare", "runs", "--debug"])


def test_a_long_error_is_cut_and_nothing_in_it_acts_on_a_terminal():
    error = ValueError("\x1b[31mred\r\n" + "line\n" * 9 + "x" * 700)
    first, *lines = cli.message(error).splitlines()
    assert first == r"vae-zoo: error: \x1b[31mred\r"
    assert lines == ["line", "line", "line", "… (7 more lines: add --debug)"]
    assert cli.message(ValueError("x" * 700)).endswith("xx… (add --debug for the rest)")
    assert len(cli.message(error, whole=True).splitlines()) == 11
