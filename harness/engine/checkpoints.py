"""Opens released checkpoints: a folder or a hub id, as plain data first, then tensor by tensor.

Nothing of a checkpoint is run. Opening and hashing import no torch, so an identity can use them.
"""

from __future__ import annotations

import json
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.descriptors import Json, is_installed
from harness.engine.packages import missing_package
from harness.engine.weights import PACKAGE, hash_files, package_folder, read_header
from harness.errors import UserError, one_line
from harness.packages import reader_of
from harness.plugins import plugins
from harness.resources import home_path, inner_folders

if TYPE_CHECKING:
    import torch

_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_SINGLES = ("model.safetensors", "pytorch_model.bin")
_SHARDS = ("model-*-of-*.safetensors", "pytorch_model-*-of-*.bin")
_SMALL = (
    "config.json",
    "generation_config.json",
    "*token*.json",
    "vocab.json",
    "merges.txt",
    "*.model",
    "*.tiktoken",
    "*processor_config.json",
    "chat_template*",
    "*.index.json",
)
_WORDS = ("tokenizer.json", "*.model", "vocab.json", "vocab.txt", "*.tiktoken")
_GROUPS = 8  # of tensors, in a message
_FOREIGN = (".pt", ".pth", ".ckpt", ".gguf", ".npz", ".msgpack", ".h5")
_AGAIN = "copy or download the file again"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_COMPUTED = ("rotary_emb.inv_freq", "embeddings.position_ids")  # old files hold them, no model does
_REMOTE_CODE = "trust_remote_code"  # transformers' name for it, and that of a model's option
_NOT_ITS_OWN = ("model_type", "auto_map", "architectures", "rope_scaling")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that is found but not loaded.

    Attributes:
        name: As the user wrote it.
        folder: Where its files are.
        revision: The hub's commit; empty for a folder of the user's.
        config: ``config.json`` as plain data.
    """

    name: str
    folder: Path
    revision: str
    config: Mapping[str, Any]

    @property
    def dtype(self) -> str | None:
        """The dtype that the config names."""
        text = self.config.get("text_config")
        inner = text if isinstance(text, Mapping) else {}
        for config in (self.config, inner):
            dtype = config.get("dtype") or config.get("torch_dtype")
            if isinstance(dtype, str):
                return dtype
        return None

    def identity(self, memo: Path | None, *, weights: bool = True) -> dict[str, Json]:
        """Return what tells this checkpoint from another: the hub's commit, or a hash of files.

        Args:
            memo: Folder that remembers hashes of files.
            weights: Whether its weights are used, or its configs alone.

        Raises:
            UserError: when a weight file is missing or damaged.
        """
        if self.revision:
            return {"name": self.name, "revision": self.revision}
        files = {path for pattern in _SMALL for path in self.folder.glob(pattern)}
        files |= set(weight_files(self) if weights else ())
        return {"sha256": hash_files(files, memo)}


def open_checkpoint(
    name: str, *, revision: str | None = None, base: Path | None = None
) -> Checkpoint:
    """Find a checkpoint and read its config; weights of the hub are fetched when first needed.

    Args:
        name: A folder, a hub id, or ``package:NAME/folder``.
        revision: Branch, tag or commit on the hub.
        base: Folder that relative paths start from; the working directory by default.

    Raises:
        UserError: when it is not there, or no checkpoint.
    """
    packed = name.startswith(PACKAGE)
    path = package_folder(name) if packed else (base or Path()) / home_path(name)
    if path.is_file():
        raise UserError("a checkpoint must be a folder, and this is a file", where=path)
    if path.is_dir():
        if revision:
            raise UserError("a folder has no revision", where=path, fix="leave out revision")
        folder, commit = path, ""
    elif _HUB_ID.fullmatch(name):
        folder = _fetch(name, revision, _SMALL)
        commit = folder.name
    else:
        raise UserError(
            f"there is no folder {name!r}, and it is not a hub id", where=path, fix="check the path"
        )
    return Checkpoint(name, folder, commit, _read_config(folder))


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object from a file.

    Raises:
        UserError: when it is not there or not a JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError("the file does not exist", where=path, fix=_AGAIN) from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"not readable as JSON: {error}", where=path, fix=_AGAIN) from None
    if not isinstance(content, dict):
        raise UserError("not a JSON object", where=path, fix=_AGAIN)
    return content


def family_of(config: Mapping[str, Any]) -> str:
    """Return the id of the model that a config is for; empty when none is known to fit.

    Uses the ``model_types`` of descriptors; this project's count even if they are not installed.
    """
    return reader_of(config, plugins().models())


def require_family(checkpoint: Checkpoint, plugin: str) -> None:
    """Refuse a checkpoint that another plugin, or none, is for.

    Raises:
        UserError: naming the plugin that fits.
    """
    family = family_of(checkpoint.config)
    if family != plugin:
        kind = checkpoint.config.get("model_type")
        fix = f"--model {family} reads it" if family else "harness models lists what there is"
        trusting = _remote_code_models()
        if family in {"", *trusting} and trusting and checkpoint.config.get("auto_map"):
            fix = (
                f"it needs code of its own: read that code, then --model {trusting[0]} "
                f"-o {_REMOTE_CODE}=true runs it"
            )
        raise UserError(
            f"{plugin} cannot read this checkpoint: its model_type is {kind!r}",
            where=checkpoint.folder / "config.json",
            fix=fix,
        )


def _remote_code_models() -> list[str]:
    """Return the installed models that can run a checkpoint's own code when asked to."""
    return [
        name
        for name, model in plugins().models().items()
        if any(option.name == _REMOTE_CODE for option in model.options)
    ]


def refuse_remote_code(checkpoint: Checkpoint) -> None:
    """Refuse a config that asks for code of its own.

    Raises:
        UserError: naming the code, and the plugin that reads the checkpoint without it.
    """
    auto_map = checkpoint.config.get("auto_map")
    if auto_map:
        named = auto_map.values() if isinstance(auto_map, Mapping) else [auto_map]
        native = family_of(checkpoint.config)
        fix = f"--model {native} reads it without" if native else "convert it to transformers' own"
        raise UserError(
            f"the checkpoint asks for code of its own (auto_map: {', '.join(map(str, named))}); "
            "the harness never sets trust_remote_code",
            where=checkpoint.folder / "config.json",
            fix=fix,
        )


def has_weights(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint's weights are on this machine; a folder's count as there."""
    names = (*_INDEXES, *_SINGLES)
    return not checkpoint.revision or any((checkpoint.folder / name).is_file() for name in names)


def weight_files(checkpoint: Checkpoint) -> tuple[Path, ...]:
    """Return the weight files, checked to be whole: safetensors where there are, else PyTorch's.

    Raises:
        UserError: when there are none, some of several are missing, or a header is damaged.
    """
    folder = checkpoint.folder
    if not has_weights(checkpoint):
        _fetch_weights(checkpoint)
    for index, single, shards in zip(_INDEXES, _SINGLES, _SHARDS, strict=True):
        if (folder / index).is_file():
            return _shards(folder / index, checkpoint)
        if (folder / single).is_file():
            if single.endswith(".safetensors"):
                read_header(folder / single)
            return (folder / single,)
        if any(folder.glob(shards)):
            raise UserError(
                f"the weights are in several files and their index, {index}, is missing",
                where=folder,
                fix="copy or download the checkpoint again",
            )
    raise UserError(
        "the folder holds no weights (model.safetensors, pytorch_model.bin, or their shards)"
        + inner_folders(folder, *_INDEXES, *_SINGLES),
        where=folder,
    )


def iterate_tensors(checkpoint: Checkpoint) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield every tensor by name, in the file's own dtype, one file open at a time.

    Raises:
        UserError: when a file is missing or damaged.
    """
    for path in weight_files(checkpoint):
        yield from iterate_file(path)


def iterate_file(path: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the tensors of one file, safetensors or PyTorch's; nothing of it is run.

    Raises:
        UserError: when it cannot be read, or holds something else than named tensors.
    """
    from safetensors import safe_open

    if path.suffix != ".safetensors":
        yield from _unpickled(path).items()
        return
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118  not a mapping
            yield name, file.get_tensor(name)


def _unpickled(path: Path) -> dict[str, torch.Tensor]:
    import torch

    fix = "copy or download the file again; only plain tensors are read"
    try:
        tensors: dict[str, torch.Tensor] = torch.load(
            path, map_location="cpu", weights_only=True, mmap=True
        )
    except Exception as error:  # noqa: BLE001  whatever a damaged pickle raises
        raise UserError(
            f"PyTorch cannot read the weights: {_why(error)}", where=path, fix=fix
        ) from None
    good = isinstance(tensors, dict) and all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor)
        for name, tensor in tensors.items()
    )
    if not good:
        raise UserError("the file holds something else than named tensors", where=path, fix=fix)
    return tensors


def _why(error: Exception) -> str:
    """Return why PyTorch refuses a file, without its advice to read it unsafely."""
    if "weights_only" in str(error) or "WeightsUnpickler" in str(error):
        return "it holds code or objects, or is damaged"
    return _first(error)


def check_loaded(missing: Iterable[str], unexpected: Iterable[str], where: Path) -> None:
    """Refuse weights that lack a tensor of the model or bring one that is not the model's.

    Raises:
        UserError: from :func:`key_report`.
    """
    lacking = [name for name in missing if not name.endswith(_COMPUTED)]
    extra = [name for name in unexpected if not name.endswith(_COMPUTED)]
    if lacking or extra:
        raise key_report(lacking, extra, where)


def key_report(missing: Iterable[str], unexpected: Iterable[str], where: Path) -> UserError:
    """Return the error that lists missing and unexpected tensors, grouped by module."""
    report = grouped_report({"missing": missing, "not this model's": unexpected})
    return UserError(report, where=where, fix="give a whole checkpoint of this model")


def grouped_report(names: Mapping[str, Iterable[str]]) -> str:
    """Return what is wrong with tensors, their names grouped by module; empty without names.

    Args:
        names: By what is said of them.
    """
    parts = []
    for problem, tensors in names.items():
        groups = _grouped(tensors)
        if groups:
            listed = list(groups.items())
            lines = "".join(f"\n    {one_line(name)} ({count})" for name, count in listed[:_GROUPS])
            if len(listed) > _GROUPS:
                lines += f"\n    and {len(listed) - _GROUPS} more groups"
            total = groups.total()
            parts.append(
                f"{total} {'tensor is' if total == 1 else 'tensors are'} {problem}:{lines}"
            )
    return "\n  ".join(parts)


def load_tokenizer(folder: Path) -> Any:
    """Return transformers' tokenizer of a folder; no code of the folder's is run.

    Raises:
        UserError: when there is none, or it cannot be read.
    """
    from transformers import AutoTokenizer

    require_tokenizer(folder)
    try:
        with _quiet():  # the config beside it need be none of transformers' own
            return AutoTokenizer.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False
            )
    except Exception as error:  # noqa: BLE001  transformers raises whatever the library below it raised
        pieces = (folder / "tokenizer.model").is_file() and not is_installed("sentencepiece")
        raise UserError(
            f"transformers cannot read the tokenizer: {_first(error)}",
            where=folder,
            fix="pip install sentencepiece protobuf"
            if pieces
            else missing_package(error)
            or "copy or download the tokenizer's files and the chat template again",
        ) from None


def require_tokenizer(folder: Path) -> None:
    """Refuse a folder without a vocabulary, of which transformers may make an empty tokenizer.

    Raises:
        UserError: naming the files.
    """
    if not any(path.is_file() for pattern in _WORDS for path in folder.glob(pattern)):
        raise UserError(
            f"the folder holds no tokenizer ({', '.join(_WORDS)})",
            where=folder,
            fix="copy or download the checkpoint again",
        )


def load_image_processor(folder: Path) -> Any:
    """Return transformers' image processor of a folder, on pillow as the originals ran it.

    Raises:
        UserError: when there is none, or it cannot be read.
    """
    from transformers import AutoImageProcessor

    auto: Any = AutoImageProcessor
    try:
        with _quiet():
            return auto.from_pretrained(
                str(folder), backend="pil", local_files_only=True, trust_remote_code=False
            )
    except Exception as error:  # noqa: BLE001  transformers raises what is below it
        raise UserError(
            f"transformers cannot read the image processor: {_first(error)}",
            where=folder,
            fix=missing_package(error) or "copy or download preprocessor_config.json again",
        ) from None


def part_config(kind: Any, release: Mapping[str, Any], where: Path) -> Any:
    """Return the config of a part (language model, tower) that a release keeps in its own.

    Args:
        kind: The config class.
        release: The release's keys, whatever else is among them.
        where: For the error.

    Raises:
        UserError: when the class refuses a value.
    """
    values = {key: value for key, value in release.items() if key not in _NOT_ITS_OWN}
    scaling = release.get("rope_scaling")
    if scaling:  # transformers 5 has another name for it and for its kind
        parameters = {key: value for key, value in scaling.items() if key != "type"}
        values["rope_parameters"] = {"rope_type": scaling.get("type"), **parameters}
    try:
        return kind.from_dict(values)
    except Exception as error:  # noqa: BLE001  the class has errors of its own for a wrong value
        message = " ".join(str(error).split())
        raise UserError(f"the config cannot be read: {message}", where=where) from None


def load_pretrained(
    kind: Any,
    source: Checkpoint | Path,
    *,
    config: Any = None,
    weights: Mapping[str, torch.Tensor] | None = None,
    **loading: Any,
) -> Any:
    """Return a transformers model in evaluation mode, all of its weights from the checkpoint.

    Args:
        kind: The model class, or an auto class.
        source: Where the weights lie; errors name it.
        config: The model's config; the folder's own by default.
        weights: Tensors under the model's own names, in place of the folder's.
        loading: Passed to ``from_pretrained`` (dtype, attention, device map, quantisation).

    Raises:
        UserError: when a tensor is missing, foreign, or of another shape.
    """
    folder = source.folder if isinstance(source, Checkpoint) else source
    if weights is None and isinstance(source, Checkpoint):
        weight_files(source)  # the hub's are fetched now, and incomplete ones are refused
    arguments: dict[str, Any] = {} if config is None else {"config": config}
    if weights is not None:
        arguments["state_dict"] = dict(weights)
    try:
        with _quiet():
            model, report = kind.from_pretrained(
                None if weights is not None else str(folder),
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                **arguments,
                **loading,
            )
    except Exception as error:  # noqa: BLE001  of a strange config or file, anything may come
        raise UserError(
            f"transformers cannot load the weights: {_first(error)}",
            where=folder,
            fix=missing_package(error),
        ) from None
    check_loaded(report["missing_keys"], report["unexpected_keys"], folder)
    if report["mismatched_keys"]:
        name, actual, expected = min(report["mismatched_keys"])
        raise UserError(
            f"{name} has the shape {list(actual)}, the config says {list(expected)}", where=folder
        )
    return model.eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from drawing bars, saying what our errors say, warning of old keys."""
    from transformers.utils import logging

    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if path.is_file():
        return read_json(path)
    fix = "give the folder with config.json and the weights"
    if (folder / "adapter_config.json").is_file():
        message = "this is an adapter, not a whole checkpoint"
    else:
        message = "not a checkpoint: it has no config.json"
        message += inner_folders(folder, path.name, "adapter_config.json")
        foreign = next((one for one in sorted(folder.iterdir()) if one.suffix in _FOREIGN), None)
        configs = (
            name for name in plugins().models() if (folder / f"{name}_config.json").is_file()
        )
        if model := next(configs, ""):  # a format of its own, such as a dual encoder's
            fix = f"--model {model} reads it"
        elif foreign is not None:
            message += f", and {foreign.name} is not in transformers' format"
            fix = "download the model in transformers' format, or convert it"
    raise UserError(message, where=folder, fix=fix)


def _shards(index: Path, checkpoint: Checkpoint) -> tuple[Path, ...]:
    """Return the files an index names, all there, each with the tensors the index says."""
    named = read_json(index).get("weight_map")
    if not isinstance(named, dict) or not named:
        raise UserError("not an index of weight files: it has no weight_map", where=index)
    tensors: dict[str, set[str]] = {}
    for tensor, file in named.items():
        if not isinstance(file, str) or Path(file).name != file:
            raise UserError(f"{file!r} is not the name of a file beside it", where=index)
        tensors.setdefault(file, set()).add(tensor)
    if checkpoint.revision and not all((index.parent / name).is_file() for name in tensors):
        _fetch_weights(checkpoint)
    absent = [name for name in sorted(tensors) if not (index.parent / name).is_file()]
    if absent:
        raise UserError(
            f"{len(absent)} of {len(tensors)} weight files are missing: {', '.join(absent[:5])}",
            where=index.parent,
            fix="copy or download the checkpoint again",
        )
    for file, names in tensors.items():
        if file.endswith(".safetensors"):
            lacking = names - set(read_header(index.parent / file))
            if lacking:
                raise key_report(lacking, (), index.parent / file)
    return tuple(index.parent / file for file in sorted(tensors))


def _fetch_weights(checkpoint: Checkpoint) -> None:
    for patterns in (("*.safetensors", _INDEXES[0]), ("pytorch_model*.bin", _INDEXES[1])):
        folder = _fetch(checkpoint.name, checkpoint.revision, patterns)
        if any(folder.glob(patterns[0])):
            return


def _fetch(name: str, revision: str | None, patterns: Iterable[str]) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(patterns)))
    except Exception as error:  # noqa: BLE001  the hub client raises a family of its own
        raise UserError(
            f"cannot fetch {name!r} from the hub: {_first(error)}",
            fix=f"hf download {name}, while online, or give a folder",
        ) from None


def _grouped(names: Iterable[str]) -> Counter[str]:
    """Count names by module, layers of a stack together."""
    modules = (re.sub(r"\.\d+(?=\.|$)", ".*", name).rpartition(".") for name in sorted(names))
    return Counter(module or last for module, _, last in modules)


def _first(error: Exception) -> str:
    return one_line(str(error).strip().partition("\n")[0], 300) or type(error).__name__
