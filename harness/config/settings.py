"""Settings in layers: built-in profile < harness.toml < environment < flags."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

from harness.config.hub import is_hub_id
from harness.descriptors import Json
from harness.errors import DEBUG_VARIABLE, UserError, refuse_unknown_debug, unknown
from harness.jsonfiles import read_file
from harness.packages import packaged
from harness.plugins import BLOCK_VARIABLE, blocked_by_environment, plugins, refuse_unknown_plugins
from harness.resources import home_path

FILE = "harness.toml"
DEFAULT_PROFILE = "demo"
PROFILES = ("demo", "full")
PROFILE_VARIABLE, RESULTS_VARIABLE = "HARNESS_PROFILE", "HARNESS_RESULTS"
CACHE_VARIABLE = "HARNESS_CACHE"
_VARIABLES = (PROFILE_VARIABLE, RESULTS_VARIABLE, CACHE_VARIABLE, BLOCK_VARIABLE, DEBUG_VARIABLE)
_ALIKE = 0.9  # a variable is taken for a misspelt one of ours; others have some that begin so too
_KEYS = ("profile", "results", "cache", "data", "models", "tasks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What holds for every command, whichever layer said it.

    Attributes:
        results: Folder of evaluations and run manifests.
        cache: Folder of what can be made again (drawn data, features, hashes).
        source: Data source asked for data no path is given for.
        data: Task or benchmark id to the folder its data lie in.
        models: Model id to the options it has unless ``-o`` says otherwise.
    """

    profile: str
    results: Path
    cache: Path
    source: str | None = None
    data: Mapping[str, Path] = field(default_factory=dict)
    models: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)

    def with_data(self, data: Mapping[str, Path]) -> Settings:
        """Return the settings with more data paths, which win over those held."""
        return replace(self, data={**self.data, **data})


def load_settings(
    *,
    profile: str | None = None,
    results: Path | None = None,
    data: Mapping[str, Path] | None = None,
    folder: Path | None = None,
) -> Settings:
    """Read all layers and return what holds.

    Args:
        profile: ``--profile``.
        results: ``--results``.
        data: ``--data``, by task or benchmark id.
        folder: Where ``harness.toml`` is looked for; the working directory by default.

    Raises:
        UserError: for a file that cannot be read or is malformed, an unknown key, profile or model,
            or a data path for what is not a task or benchmark.
    """
    _refuse_unknown_variables()
    path = (folder or _working_folder()) / FILE
    file_settings = _own(path)
    name = (
        profile
        or os.environ.get(PROFILE_VARIABLE)
        or file_settings.get("profile")
        or DEFAULT_PROFILE
    )
    if name not in PROFILES:
        raise unknown("profile", str(name), PROFILES)
    profile_file = files("harness.config").joinpath("profiles", f"{name}.toml")
    base = _read(profile_file.read_bytes(), f"profile {name}")
    paths, source = _data(base, file_settings, path.parent)
    if data or file_settings.get("data"):
        from harness.config.data import refuse_unknown  # reads every spec

        refuse_unknown(data or {}, "--data")
        refuse_unknown(set(file_settings.get("data", {})) - {"source"}, f"{path}: [data]")
    models = {
        model: {
            **base.get("models", {}).get(model, {}),
            **file_settings.get("models", {}).get(model, {}),
        }
        for model in {*base.get("models", {}), *file_settings.get("models", {})}
    }
    cache = os.environ.get(CACHE_VARIABLE) or file_settings.get("cache") or _user_cache()
    records = home_path(results, "--results") if results else _results(file_settings, str(path))
    _refuse_no_folder(records)
    return Settings(
        profile=str(name),
        results=records,
        cache=home_path(cache, str(path)),
        source=source,
        data={**paths, **(data or {})},
        models=models,
    )


def included(folder: Path | None = None) -> list[Path]:
    """Return the files and folders of specs that ``[tasks] include`` of ``harness.toml`` names.

    Raises:
        UserError: one that is not there, or settings that cannot be read.
    """
    path = (folder or _working_folder()) / FILE
    if not os.path.lexists(path):
        return []
    table = _read(read_file(path), str(path)).get("tasks", {})
    places = [path.parent / home_path(text, str(path)) for text in table.get("include", ())]
    for entry in places:
        if not entry.exists():
            raise UserError(
                f"includes {str(entry)!r}, which does not exist", where=f"{path}: [tasks]"
            )
    return places


def _refuse_unknown_variables() -> None:
    """Refuse variables of the environment that are misspelt, and values that they cannot have."""
    refuse_unknown_debug()
    refuse_unknown_plugins(blocked_by_environment(), BLOCK_VARIABLE)
    for name in os.environ:
        if name.startswith("HARNESS_") and name not in _VARIABLES:
            near = get_close_matches(name, _VARIABLES, n=1, cutoff=_ALIKE)
            if near:
                raise UserError(f"unknown variable {name}", where="environment", fix=near[0])


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UserError(
            "the working folder no longer exists", fix="cd to a folder that exists"
        ) from None


def _results(file_settings: Mapping[str, Any], where: str) -> Path:
    """Return the folder of records that the environment or the settings file names."""
    if folder := os.environ.get(RESULTS_VARIABLE):
        return home_path(folder, RESULTS_VARIABLE)
    return home_path(file_settings.get("results") or "results", where)


def _refuse_no_folder(results: Path) -> None:
    """Refuse a folder of records that is a file, or that would lie within one.

    Raises:
        UserError: it does; a folder that is not there yet is none.
    """
    first = next(filter(os.path.lexists, (results, *results.parents)), results)
    if os.path.lexists(first) and not first.is_dir():
        raise UserError("records need a folder, and this is none", where=first,
                        fix="--results FOLDER")  # fmt: skip


def _data(
    base: Mapping[str, Any], file_settings: Mapping[str, Any], folder: Path
) -> tuple[dict[str, Path], str | None]:
    tables = {**base.get("data", {}), **file_settings.get("data", {})}
    source = tables.pop("source", None)
    return {key: _path(folder, value) for key, value in tables.items()}, source


def _path(folder: Path, value: str) -> Path:
    """Return a path of the settings file, or the hub's name of a dataset as it stands."""
    return Path(value) if is_hub_id(Path(value)) else folder / home_path(value, str(folder / FILE))


def _own(path: Path) -> dict[str, Any]:
    """Return what the user's settings file says; nothing where there is none."""
    if not os.path.lexists(path):
        return {}
    if path.is_symlink() and not path.exists():
        raise UserError("is a broken link", where=path)
    file_settings = _read(read_file(path), str(path))
    profile = file_settings.get("profile", DEFAULT_PROFILE)
    if profile not in PROFILES:
        raise unknown("profile", profile, PROFILES, where=str(path))
    _refuse_unknown_models(file_settings.get("models", {}), str(path))
    source, sources = file_settings.get("data", {}).get("source"), plugins().data_sources()
    unclear = any(info.status != "loaded" for info in plugins().infos)  # whose it may be
    if source not in {None, *sources, *packaged("data source")} and not unclear:
        raise unknown("data source", source, sources, where=f"{path}: [data]")
    return file_settings


def _refuse_unknown_models(models: Mapping[str, Any], where: str) -> None:
    """Refuse options that no model has, whichever model is asked.

    A model that is nowhere is refused too, unless a plugin that is not loaded may add it and no
    model has nearly its name.
    """
    installed = plugins().models()
    lost = [model for info in plugins().infos for model in info.lost.get("models", ())]
    model_names = {*installed, *packaged("model"), *lost}
    unclear = any(info.status != "loaded" and not info.lost for info in plugins().infos)
    for name, model_options in models.items():
        if name in installed:
            from harness.requests.reasoning import common_options

            options = [*installed[name].options, *common_options(installed[name])]
            names = [option.name for option in options] + ["preset"] * bool(installed[name].presets)
            for key in model_options:
                if key not in names:
                    raise unknown(f"option of model {name!r}", key, names, where=where)
            if model_options.get("preset", "") not in {"", *installed[name].presets}:
                preset = str(model_options["preset"])
                raise unknown(
                    f"preset of model {name!r}", preset, installed[name].presets, where=where
                )
            for option in options:
                if option.name in model_options:
                    option.parse(model_options[option.name], where=f"{where}: {name}.{option.name}")
        elif name not in model_names and (get_close_matches(name, model_names, n=1) or not unclear):
            raise unknown("model", name, model_names, where=where)


def _read(data: bytes, where: str) -> dict[str, Any]:
    try:
        table = tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError(f"not UTF-8 text: {error.reason}", where=where) from None
    except RecursionError:
        raise UserError("not valid TOML: nested too deeply", where=where) from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"not valid TOML: {error}", where=where) from None
    except ValueError:  # int() takes no more digits than sys.get_int_max_str_digits() says
        raise UserError("not valid TOML: a number with too many digits", where=where) from None
    _refuse_wrong(table, where)
    return table


def _refuse_wrong(table: Mapping[str, Any], where: str) -> None:
    """Refuse a key that is unknown, and a value that its key cannot have."""
    for key, value in table.items():
        if key not in _KEYS:
            raise unknown("key", key, _KEYS, where=where)
        kind: type = dict if key in {"data", "models", "tasks"} else str
        if not isinstance(value, kind) or value == "":
            noun = "a table" if kind is dict else "a string that is not empty"
            raise UserError(f"{key!r} must be {noun}", where=where)
        if isinstance(value, str) and "\0" in value:
            raise UserError(f"{key!r} holds a null character", where=where)
    for key, value in table.get("data", {}).items():
        if not isinstance(value, str) or not value or "\0" in value:
            noun = "a data source's name" if key == "source" else "a path"
            raise UserError(f"'data.{key}' must be a string: {noun}", where=where)
    _refuse_wrong_includes(table.get("tasks", {}), where)
    for key, value in table.get("models", {}).items():
        if not isinstance(value, dict):
            raise UserError(f"'models.{key}' must be a table of options", where=where)


def _refuse_wrong_includes(table: Mapping[str, Any], where: str) -> None:
    for key, value in table.items():
        if key != "include":
            raise unknown("key", f"tasks.{key}", ["tasks.include"], where=where)
        if not isinstance(value, list) or not all(
            isinstance(one, str) and one and "\0" not in one for one in value
        ):
            raise UserError("'tasks.include' must be a list of paths", where=where)


def _user_cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path("~/.cache")) / "social-harness"
