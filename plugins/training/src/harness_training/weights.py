"""Which weights train: named parts of a model, whole or through LoRA; saved as safetensors."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.descriptors import Json
from harness.engine.adapters.active import activate_all
from harness.engine.weights import hash_file
from harness.errors import UserError
from harness.jsonfiles import read_object

from harness_training.parts import AUTO, FULL, LORA, WORDS, LoraSettings, named_parts

if TYPE_CHECKING:
    from harness.engine.contract import VisionLanguageModel
    from torch import Tensor, nn

ADAPTER = "adapter"
FILE = "trained.json"
_LORA = LoraSettings()


@dataclass(frozen=True, slots=True)
class Trained:
    """What trains.

    Attributes:
        parts: Any of ``vision_tower``, ``connector``, ``language_model`` (a dual encoder's is
            ``encoder``), ``lora``, and those of ``added``.
        rank: Rank of the LoRA adapters.
        alpha: Their scale.
        dropout: Before them, in training.
        frozen: Weights of the parts that stay as they are, each as ``PART NAME``.
        added: Settings of parts that a recipe added to a dual encoder, by name.
    """

    parts: tuple[str, ...]
    rank: int = _LORA.rank
    alpha: int = _LORA.alpha
    dropout: float = _LORA.dropout
    frozen: tuple[str, ...] = ()
    added: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)

    def about(self) -> dict[str, Json]:
        """Return it as a record has it: without what came later where there is none of it."""
        return {name: value for name, value in asdict(self).items() if name != "added" or value}


def chosen_parts(model: VisionLanguageModel, text: str) -> tuple[str, ...]:
    """Return the parts that a word or a comma-separated list stands for.

    Args:
        model: The model.
        text: ``auto`` (as the model's plugin says), ``full``, or names of parts.

    Raises:
        UserError: for a part that the model has not.
    """
    if text in WORDS:
        parts = (*model.parts(), LORA)
        return tuple(part for part in (model.trains if text == AUTO else FULL) if part in parts)
    return named_parts(text, model.parts())


def add_parts(model: Any, added: Mapping[str, Mapping[str, Json]]) -> None:
    """Give a dual encoder the parts that a recipe adds.

    Raises:
        UserError: a model that takes none, or settings that it cannot make a part of.
    """
    if added:
        if not hasattr(model, "add"):
            raise UserError(f"the model has no added part such as {next(iter(added))!r}")
        model.add(added)


def prepare(model: VisionLanguageModel, trained: Trained) -> None:
    """Freeze a model but for what trains; LoRA is put into the language model in place."""
    from peft import LoraConfig, inject_adapter_in_model

    if LORA in trained.parts:
        language_model = _unwrapped(_adapted(model.parts()))
        config = LoraConfig(
            r=trained.rank,
            lora_alpha=trained.alpha,
            lora_dropout=trained.dropout,
            target_modules=_linear_layers(language_model),
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Already found a `peft_config`")
            inject_adapter_in_model(config, language_model, adapter_name=ADAPTER)
        activate_all(language_model)
    _let_train(model, trained)
    if "vision_tower" in trained.parts:
        model.features_key = None  # what it says of an image changes from step to step


def choose_weights(
    model: VisionLanguageModel, trained: Trained, trains: Callable[[str, str], bool]
) -> Trained:
    """Freeze weights of a prepared model that shall not train after all; return what does.

    Args:
        model: Prepared.
        trained: For what.
        trains: Told the part and the name of each weight within it.

    Raises:
        UserError: when none would train.
    """
    named = [(part, name) for part, name, _ in weights(model, trained)]
    left = {f"{part} {name}" for part, name in named if not trains(part, name)}
    if len(left) == len(named):
        raise UserError(
            f"the recipe trains none of the weights of {', '.join(trained.parts)}",
            fix="other --train-parts",
        )
    chosen = replace(trained, frozen=(*trained.frozen, *sorted(left)))
    _let_train(model, chosen)
    return chosen


def _let_train(model: VisionLanguageModel, trained: Trained) -> None:
    for part in model.parts().values():
        part.requires_grad_(requires_grad=False)
    for _, _, weight in weights(model, trained):
        weight.requires_grad_()


def keep_whole_numbers(model: VisionLanguageModel, trained: Trained) -> None:
    """Give weights that train single precision: half the digits lose small steps."""
    for _, _, weight in weights(model, trained):
        weight.data = weight.data.float()


def weights(model: VisionLanguageModel, trained: Trained) -> Iterator[tuple[str, str, Tensor]]:
    """Yield part, name within the part, and tensor of everything that trains."""
    modules, frozen = model.parts(), frozenset(trained.frozen)
    for part in trained.parts:
        module = _unwrapped(_adapted(modules) if part == LORA else modules[part])
        for name, weight in module.named_parameters():
            if (part != LORA or f".{ADAPTER}." in name) and f"{part} {name}" not in frozen:
                yield part, name, weight


def save(
    model: VisionLanguageModel, trained: Trained, folder: Path, *, writes: bool = True
) -> None:
    """Write the trained weights, one safetensors file a part, and what they are.

    Weights that are split over processes are put together one by one: each process must come here,
    and all but one with ``writes=False``.
    """
    from safetensors.torch import save_file

    by_part: dict[str, dict[str, Tensor]] = {}
    for part, name, weight in weights(model, trained):
        tensor = _whole(weight.detach())
        if writes:
            by_part.setdefault(part, {})[name] = tensor.cpu().contiguous()
    if not writes:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for part, tensors in by_part.items():
        save_file(tensors, folder / f"{part}.safetensors")
    text = json.dumps(trained.about(), indent=2)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")


def read_trained(folder: Path) -> Trained:
    """Return what a folder of trained weights says it holds.

    Raises:
        UserError: when it is no such folder.
    """
    try:
        if not (folder / FILE).exists():
            raise UserError(
                f"not a checkpoint of harness train: no {FILE}",
                where=folder,
                fix="harness train ...",
            )
        content = read_object(folder / FILE)
        parts, frozen = tuple(content.pop("parts")), tuple(content.pop("frozen", ()))
        return Trained(parts, frozen=frozen, **content)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"cannot be read: {error!r:.200}", where=folder / FILE) from None


def _require_all_named(model: VisionLanguageModel, trained: Trained, folder: Path) -> None:
    """Refuse a folder whose files are not those of its parts, so that none is left out unsaid."""
    stems = {path.stem for path in folder.glob("*.safetensors")}
    strange = [f"no part {part!r}" for part in trained.parts if part not in {*model.parts(), LORA}]
    strange += [f"a file of {part}, which is not named" for part in stems - set(trained.parts)]
    if strange or not trained.parts:
        raise UserError(
            f"{FILE} does not name the files to load: {strange[0] if strange else 'nothing'}",
            where=folder,
            fix="copy the whole folder that harness train wrote again",
        )


def load(model: VisionLanguageModel, folder: Path) -> Trained:
    """Put trained weights into the model they were trained on, and return what trained.

    Raises:
        UserError: for weights of another model: a name or a shape that does not fit.
    """
    trained = read_trained(folder)
    add_parts(model, trained.added)
    _require_all_named(model, trained, folder)
    prepare(model, trained)
    restore(model, trained, folder)
    for part in model.parts().values():
        part.eval()  # adapters come in training mode, with dropout
    return trained


def take(model: VisionLanguageModel, part: str, folder: Path) -> None:
    """Put one part as a training left it into a model that is not prepared yet.

    Raises:
        UserError: the training did not train that part, or it does not fit.
    """
    trained = read_trained(folder)
    if part not in trained.parts:
        raise UserError(
            f"this training saved no {part}",
            where=folder,
            fix=f"it trained {', '.join(trained.parts)}",
        )
    restore(model, replace(trained, parts=(part,)), folder)
    if model.features_key is not None:
        model.features_key = {**model.features_key, part: hash_file(folder / f"{part}.safetensors")}


def restore(model: VisionLanguageModel, trained: Trained, folder: Path) -> None:
    """Copy saved weights into a model that is already prepared for them.

    Raises:
        UserError: for a file that is missing or damaged, or does not fit.
    """
    import torch

    training = {part for part, _, _ in weights(model, trained)}  # all of one may be frozen
    files = {part: read_part(folder / f"{part}.safetensors") for part in sorted(training)}
    expected: dict[str, set[str]] = {part: set() for part in files}
    with torch.no_grad():
        for part, name, weight in weights(model, trained):
            expected[part].add(name)
            saved = files[part].get(name)
            if saved is None or saved.shape != weight.shape:
                problem = "is not there" if saved is None else f"has the shape {tuple(saved.shape)}"
                raise UserError(
                    f"these weights belong to another model: {name} {problem}",
                    where=folder / f"{part}.safetensors",
                )
            _put(weight, saved)
    for part, tensors in files.items():
        extra = sorted(set(tensors) - expected[part])
        if extra:
            raise UserError(
                f"these weights belong to another model: it has no {extra[0]}",
                where=folder / f"{part}.safetensors",
            )


def read_part(path: Path) -> Mapping[str, Tensor]:
    """Return the tensors of one file.

    Raises:
        UserError: when it is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: Mapping[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot be read: {error}", where=path) from None
    return tensors


def here(weight: Tensor) -> Tensor:
    """Return what this process holds of a weight that may be split over processes."""
    tensor: Any = weight
    local: Tensor = tensor.to_local() if _is_split(weight) else tensor
    return local


def _is_split(weight: Tensor) -> bool:
    """Whether a weight is split over processes; torch's own type is slow to import."""
    return hasattr(weight, "full_tensor")


def _whole(weight: Tensor) -> Tensor:
    if not _is_split(weight):
        return weight
    from harness_training.fsdp import whole

    return whole(weight)


def _put(weight: Tensor, values: Tensor) -> None:
    if not _is_split(weight):
        weight.copy_(values)
        return
    from harness_training.fsdp import put

    put(weight, values)


def _unwrapped(module: nn.Module) -> nn.Module:
    """Return a module without peft's wrapper: its weights' names are then those of a merged one."""
    from peft import PeftModel

    base: nn.Module = module.get_base_model() if isinstance(module, PeftModel) else module
    return base


def _adapted(modules: Mapping[str, nn.Module]) -> nn.Module:
    """Return the part that takes adapters: the language model, or a dual encoder."""
    return modules["language_model" if "language_model" in modules else "encoder"]


def _linear_layers(module: nn.Module) -> list[str]:
    """Return the names of the linear layers, adapted or not, but the one that names tokens."""
    from peft.tuners.tuners_utils import BaseTunerLayer
    from torch import nn

    head = getattr(module, "get_output_embeddings", lambda: None)()
    names: list[str] = []
    # torch's own attention reads the weights of its layers itself, past any adapter.
    adapted = tuple(
        f"{name}." for name, layer in module.named_modules()
        if isinstance(layer, nn.MultiheadAttention)
    )  # fmt: skip
    for name, layer in module.named_modules():
        if name.startswith(adapted):
            continue
        base = layer
        if isinstance(layer, BaseTunerLayer):
            adapted = (*adapted, f"{name}.")
            base = layer.get_base_layer()
        if isinstance(base, nn.Linear) and layer is not head and not name.endswith("lm_head"):
            names.append(name)
    return names
