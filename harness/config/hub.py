"""Datasets on the Hugging Face hub, named as ``hf:OWNER/NAME``: fetched once, then a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.descriptors import is_installed
from harness.errors import PluginError, UserError

PREFIX = "hf:"


def is_hub_id(path: Path) -> bool:
    """Whether a data path names a dataset on the hub."""
    return str(path).startswith(PREFIX)


def hub_folder(path: Path, patterns: Sequence[str] = ()) -> Path:
    """Return the folder of a dataset, fetched unless the hub's cache has it.

    Args:
        path: ``hf:OWNER/NAME`` or ``hf:OWNER/NAME@REVISION``.
        patterns: Patterns of the files needed; all files when none matches, or when empty.

    Raises:
        PluginError: the extra ``datasets`` is not installed.
        UserError: no such dataset, no permission, or no network and nothing in the cache.
    """
    name, _, revision = str(path).removeprefix(PREFIX).partition("@")
    if name.count("/") != 1 or not all(name.split("/")):
        raise UserError(f"{str(path)!r} is not hf:OWNER/NAME", fix="hf:Intel/SocialCounterfactuals")
    if not is_installed("huggingface_hub"):
        raise PluginError(
            f"{path} needs the package 'datasets'", fix="pip install 'social-harness[datasets]'"
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    def fetched(only: list[str] | None) -> Path:
        return Path(
            snapshot_download(
                name, repo_type="dataset", revision=revision or None, allow_patterns=only
            )
        )

    try:
        if not patterns:
            return fetched(None)
        folder = fetched(list(patterns))
        present = any(next(folder.glob(pattern), None) for pattern in patterns)
        return folder if present else fetched(None)
    except GatedRepoError:
        raise UserError(
            f"the dataset {name!r} is gated: your account has no access",
            fix=f"request access at https://huggingface.co/datasets/{name}, then hf auth login",
        ) from None
    except RepositoryNotFoundError:
        raise UserError(f"the hub has no dataset {name!r} (or does not show it to you)") from None
    except LocalEntryNotFoundError:
        raise UserError(
            f"the dataset {name!r} is not on this machine, and the hub cannot be reached",
            fix="go online, unset HF_HUB_OFFLINE, or give a folder with the dataset's files",
        ) from None
    except (HfHubHTTPError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"the dataset {name!r} cannot be fetched: {reason}") from None
