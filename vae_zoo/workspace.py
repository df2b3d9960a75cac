"""``vae-zoo workspace``: makes the page on W&B on which the runs of a project are compared.

Nothing here imports torch.
"""

import os

import wandb
from wandb.sdk.lib.service.service_connection import WandbApiFailedError


def run_workspace(entity: str | None, project: str | None, name: str, dry_run: bool) -> str:
    """Make a workspace, a new one each time.

    Args:
        entity: Whose it is; the key's owner's unless given here or by ``WANDB_ENTITY``.
        project: Of the runs; that of ``WANDB_PROJECT`` or ``vae_zoo`` unless given.
        name: Of the workspace.
        dry_run: Send nothing.

    Returns:
        Its address, or the specification that would be sent, as JSON.

    Raises:
        ValueError: The library or a key is missing, or W&B does not take the workspace.
    """
    try:
        from vae_zoo import panels
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("wandb_workspaces"):
            raise
        raise ValueError(
            "a workspace is made by the library wandb-workspaces: pip install 'vae_zoo[workspace]'"
        ) from error
    project = project or os.environ.get("WANDB_PROJECT", "vae_zoo")
    entity = entity or os.environ.get("WANDB_ENTITY")
    if dry_run:
        return panels.specification(panels.workspace(entity or "", project, name))
    try:
        if not wandb.login(prompt=False, verify=False):
            raise ValueError(
                "a workspace needs an account of W&B: log in by `wandb login`, or set "
                "WANDB_API_KEY; --dry-run needs none"
            )
        owner = entity or wandb.Api().default_entity or ""
        return str(panels.workspace(owner, project, name).save().url)
    except (wandb.Error, WandbApiFailedError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"W&B did not take the workspace of {project}: {reason}") from error
