"""Where results are sent: a repository of the hub by its own client, or a folder."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Protocol

from harness.errors import FAULTS, UserError, one_line
from harness.resources import home_path

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_TOKEN = re.compile(r"hf_[A-Za-z0-9]{6,}")


class Target(Protocol):
    """Where files go."""

    @property
    def name(self) -> str:
        """The place, for messages."""
        ...

    def send(self, staged: Path) -> str:
        """Send a folder's files and return where they are.

        Raises:
            UserError: they cannot be sent.
        """
        ...


def target_of(text: str, repo_type: str, *, create: bool, public: bool) -> Target:
    """Return the repository that a text names, or the folder: that begins with ``.``, ``/``, ``~``.

    Raises:
        UserError: it is neither.
    """
    if text.startswith((".", "/", "~")):
        return Folder(home_path(text, "--to"))
    if not _REPOSITORY.fullmatch(text):
        raise UserError(f"{text[:80]!r} is neither OWNER/NAME nor a folder", where="--to",
                        fix="--to OWNER/NAME, or ./FOLDER")  # fmt: skip
    return Repository(text, repo_type, create=create, public=public)


class Folder:
    """A folder of this machine; files that are there are replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        """The folder."""
        return str(self._path)

    def send(self, staged: Path) -> str:
        """Copy the files."""
        try:
            shutil.copytree(staged, self._path, dirs_exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot be written: {error.strerror}", where=self._path) from None
        return self.name


class Repository:
    """A repository of the hub; the client takes the token from its own places."""

    def __init__(self, name: str, repo_type: str, *, create: bool, public: bool) -> None:
        self._name, self._type, self._create, self._public = name, repo_type, create, public

    @property
    def name(self) -> str:
        """The repository's id."""
        return f"{self._type} {self._name}"

    def send(self, staged: Path) -> str:
        """Upload the files as one commit and return its address."""
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

        api = HfApi()
        try:
            if self._create:
                api.create_repo(
                    self._name, repo_type=self._type, private=not self._public, exist_ok=True
                )
            commit = api.upload_folder(
                repo_id=self._name,
                repo_type=self._type,
                folder_path=staged,
                commit_message="Results of social-harness",
            )
        except OfflineModeIsEnabled:
            raise UserError("the hub's client is offline", where="HF_HUB_OFFLINE",
                            fix="unset HF_HUB_OFFLINE") from None  # fmt: skip
        except HfHubHTTPError as error:
            raise UserError(f"the hub rejected the request: {_said(error)}", where=self._name,
                            fix=_fix(error)) from None  # fmt: skip
        except FAULTS as error:  # of the network, whose names releases of the client change
            message = f"the hub cannot be reached: {_said(error)}"
            raise UserError(message, where=self._name) from None
        return str(commit.commit_url)


def _said(error: BaseException) -> str:
    """Return an error in one line, with every token masked."""
    return _TOKEN.sub("hf_***", one_line(str(error), 300))


def _fix(error: Exception) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    fixes = {
        401: "hf auth login, or HF_TOKEN with the right to write",
        403: "HF_TOKEN with the right to write there",
        404: "--create makes the repository",
    }
    return fixes.get(status or 0, "")
