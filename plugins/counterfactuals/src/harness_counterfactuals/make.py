"""Make the sets of a spec in a folder: planned, journaled set by set, sealed, and then filtered.

The journal and the seal are the harness's own. A set is journaled once its images are on disk, so
that a command that was killed continues with the next set, and ends with the same bytes.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UserError
from harness.jsonfiles import as_object, read_json
from harness.models import threads
from harness.progress import EachMinute
from harness.resources import home_path
from harness.runs.journal import Journal, remove_journal
from harness.runs.lock import writing
from harness.runs.sample_record import SampleRecord
from harness.runs.seal import tidy, write_json, write_whole
from harness.specs.yaml_loader import parse_yaml

from harness_counterfactuals.checkpoints import (
    TEXT_TO_IMAGE,
    blend_positions,
    local_checkpoint,
    open_checkpoint,
)
from harness_counterfactuals.filtering import make_filters
from harness_counterfactuals.folder import SetFolder
from harness_counterfactuals.identity import refuse_other
from harness_counterfactuals.manifest import (
    ABOUT,
    IMAGES,
    PICTURES,
    SPEC,
    About,
    Row,
    is_made,
    seal_folder,
)
from harness_counterfactuals.plan import disk_estimate, image_count, planned_sets, set_count
from harness_counterfactuals.spec import Spec, read_spec
from harness_counterfactuals.tokens import check_tokens

if TYPE_CHECKING:
    from harness.descriptors import Json
    from harness.workers.start import FoundExecutor

    from harness_counterfactuals.studio import Materials

LOCK, BEGUN = ".lock", "begun.json"
"""What an unfinished folder is made from; of a finished one ``about.json`` says it."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a command would do.

    Attributes:
        done: Sets that are there.
        seconds: That a set took so far; ``None`` before the first.
        disk: Bytes that all images take, as a rule.
        free: Bytes that are free where they go.
        store: Bytes of attention that are kept while a base is made.
        longest: Tokens of the longest prompt; ``None`` where the checkpoint is not here.
    """

    sets: int
    images: int
    done: int
    seconds: float | None
    disk: int
    free: int
    store: int | None
    longest: int | None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def plan(spec: Spec, out: Path) -> Plan:
    """Return what is to be made in a folder, and what of it is there; no weight is loaded.

    Raises:
        UserError: a folder of other images, or a checkpoint that cannot be used.
    """
    store, longest = _from_checkpoint(spec)
    done, seconds = 0, None
    if is_made(out):
        refuse_other_spec(spec, out)
        done = set_count(spec)
    elif (out / BEGUN).exists():
        refuse_other_spec(spec, out)
        journal = Journal(out)
        done = len(journal.done)
        taken = [_seconds(journal, block) for block in sorted(journal.done)]
        seconds = sum(taken) / len(taken) if taken else None
    above = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(above).free
    sets = set_count(spec)
    return Plan(sets, image_count(spec), done, seconds, disk_estimate(spec), free, store, longest)


def _from_checkpoint(spec: Spec) -> tuple[int | None, int | None]:
    """Return bytes of kept attention and tokens of the longest prompt; ``None`` if far away."""
    if local_checkpoint(spec.generator.model) is None:
        return None, None
    checkpoint = open_checkpoint(spec.generator.model, TEXT_TO_IMAGE)
    longest = check_tokens(spec, checkpoint.tokenizers())
    if not spec.editor.blend:
        return 0, longest
    scale = 2 ** (len(checkpoint.config("vae").get("block_out_channels", [0] * 4)) - 1)
    side = spec.height // scale, spec.width // scale
    rows = len(spec.attributes[spec.edited])
    return rows * 4 * blend_positions(checkpoint.config("unet"), side), longest


def make(  # noqa: PLR0913  a keyword for each flag
    spec: Spec,
    out: Path,
    *,
    device: str = "auto",
    batch: int | None = None,
    workers: FoundExecutor | None = None,
    say: Say,
) -> SetFolder:
    """Make what is missing of a spec's sets, and seal the folder.

    Args:
        spec: What is to be made.
        out: The folder.
        device: As ``--device`` takes it.
        batch: Images made at once, at most; all of a base where it is ``None``.
        workers: Makes sets by workers instead of this process.
        say: Takes notes on progress.

    Raises:
        UserError: a folder of other images, a checkpoint or prompt that cannot be used, a disk that
            is full, or too little memory. What is journaled stays.
    """
    if is_made(out):
        refuse_other_spec(spec, out)
        folder = SetFolder.open(out)
        if folder.about.generator["model"] != spec.generator.model:
            raise UserError(
                f"the folder's images were made by {folder.about.generator['model']}",
                where=out,
                fix="--out ANOTHER_FOLDER for another checkpoint",
            )
        _refuse_other_weights(spec, folder)
        with writing(out, "--out"):
            _clear(out)
        return folder
    threads.wait_passively()  # workers inherit it; what is imported next loads PyTorch
    from harness_counterfactuals.studio import find_materials

    materials = find_materials(spec, device)
    if out.is_dir() and not (out / LOCK).exists():
        _refuse_strangers(out)  # before a lock is left in a folder of somebody else
    # Filters that cannot run are refused before hours of images, not after them.
    make_filters(spec.filters, about(materials, []))
    with writing(out, "--out"):
        _refuse_strangers(out)
        if (out / BEGUN).exists():
            begun = as_object(read_json(out / BEGUN), out / BEGUN)
            refuse_other(materials.identity, begun, out)
        else:
            write_json(out / BEGUN, materials.identity)
        write_whole(out / SPEC, [spec.text.encode()])
        sizes = [one.images for one in planned_sets(spec)]
        with Journal(out, sizes) as journal:
            missing = _missing(spec, out, journal)
            if missing and workers is not None:
                from harness_counterfactuals.on_workers import make_on

                make_on(workers, materials, out, batch, journal, missing, say)
            elif missing:
                _make_here(materials, out, batch, journal, missing, say)
            _finish(materials, out, journal)
        _clear(out)
    return SetFolder.open(out)


def _refuse_other_weights(spec: Spec, folder: SetFolder) -> None:
    """Refuse a finished folder whose checkpoint was replaced under its name, if it is here."""
    if home_path(spec.generator.model).is_dir():
        checkpoint = open_checkpoint(spec.generator.model, TEXT_TO_IMAGE, spec.generator.revision)
        theirs = as_texts(folder.about.generator["sha256"])
        ours = checkpoint.hashes()
        refuse_other(dict(ours), {part: theirs.get(part) for part in ours}, folder.directory)


def _clear(out: Path) -> None:
    """Remove what a sealed folder needs no more."""
    remove_journal(out)
    (out / BEGUN).unlink(missing_ok=True)


def _make_here(  # noqa: PLR0913, PLR0917  one keyword for each of a run's parts
    materials: Materials,
    out: Path,
    batch: int | None,
    journal: Journal,
    missing: list[int],
    say: Say,
) -> None:
    from harness_counterfactuals.studio import Studio

    def note(text: str) -> None:
        journal.note(text)
        say(text)

    say(f"loading {materials.spec.generator.model} on {materials.device} in {materials.dtype}")
    sets = list(planned_sets(materials.spec))
    count = EachMinute(say, materials.spec.id, len(sets), "sets", done=len(sets) - len(missing))
    with closing(Studio(materials, out, batch or _rows(materials.spec), note)) as studio:
        for block in missing:
            began = time.monotonic()
            rows = studio.make(sets[block])
            journal.append(block, entries(rows, time.monotonic() - began))
            count.advance()


def entries(rows: Iterable[Row], seconds: float) -> list[SampleRecord]:
    """Return a set's rows as a block of the journal."""
    return [
        SampleRecord(
            row.file, row.set, None, extra={"row": row.to_json(), "seconds": round(seconds, 3)}
        )
        for row in rows
    ]


def _seconds(journal: Journal, block: int) -> float:
    value = journal.records(block)[0].extra.get("seconds")
    return value if isinstance(value, float) else 0.0


def _rows(spec: Spec) -> int:
    return len(spec.attributes[spec.edited])


def _missing(spec: Spec, out: Path, journal: Journal) -> list[int]:
    """Return the sets that are to be made: also those of which an image is gone."""
    missing = []
    for block, planned in enumerate(planned_sets(spec)):
        files = [out / image.file for base in planned.bases for image in base.images]
        if block in journal.done and not all(file.is_file() for file in files):
            journal.forget(block)
        if block not in journal.done:
            missing.append(block)
    return missing


def _finish(materials: Materials, out: Path, journal: Journal) -> None:
    """Write what the folder says of itself and of each image, and seal it."""
    for folder, _, _ in os.walk(out / PICTURES):
        tidy(Path(folder))  # what killed writers left

    def lines() -> Iterable[bytes]:
        for records in journal.blocks():
            for record in records:
                yield json.dumps(record.extra["row"], ensure_ascii=False).encode() + b"\n"

    write_whole(out / IMAGES, lines())
    write_json(out / ABOUT, asdict(about(materials, sorted(journal.notes))))
    seal_folder(out)


def about(materials: Materials, notes: list[str]) -> About:
    """Return what a folder says of itself."""
    spec, identity = materials.spec, materials.identity
    generator: dict[str, Json] = {
        "model": spec.generator.model,
        "revision": spec.generator.revision,
        "refiner": spec.generator.refiner,
        "licence": spec.generator.licence,
        "family": materials.checkpoint.kind,
        "sha256": identity["models"],
    }
    settings: dict[str, Json] = {
        "width": spec.width,
        "height": spec.height,
        "format": spec.format,
        "steps": spec.generator.steps,
        "guidance": spec.generator.guidance,
        "negative_prompt": spec.generator.negative_prompt,
        "scheduler": materials.scheduler,
        "dtype": materials.dtype,
        "device type": materials.device.type,
        "seed": spec.seed,
        "source": spec.source,
        "splits": dict(spec.splits),
    }
    return About(
        title=spec.title,
        spec=spec.sha256,
        purpose=spec.purpose,
        licence=spec.licence,
        concepts={concept.name: concept.group for concept in spec.concepts},
        attributes=spec.attributes,
        edited=spec.edited,
        editor=spec.editor.kind,
        schedule=spec.editor.to_json(),
        generator=generator,
        settings=settings,
        packages=as_texts(identity["packages"]),
        filters=[{"filter": name, "options": dict(options)} for name, options in spec.filters],
        drop=spec.drop,
        sets=set_count(spec),
        images=image_count(spec),
        note=spec.note,
        notes=notes,
    )


def as_texts(value: Json) -> dict[str, str]:
    """Return a table of texts."""
    return {key: str(text) for key, text in value.items()} if isinstance(value, dict) else {}


def _refuse_strangers(out: Path) -> None:
    """Refuse a folder that holds something, and was not begun by this command."""
    if (out / BEGUN).exists():
        return
    others = sorted(path.name for path in out.iterdir() if path.name not in {LOCK, SPEC})
    if others:
        raise UserError(
            f"the folder holds other files: {', '.join(others[:3])}",
            where=out,
            fix="give --out a new or empty folder",
        )


def refuse_other_spec(spec: Spec, out: Path) -> None:
    """Refuse a folder whose spec makes other images.

    Raises:
        UserError: with the parts that differ.
    """
    refuse_other(spec.making(), made_spec(out, spec).making(), out)


def made_spec(out: Path, spec: Spec) -> Spec:
    """Return the spec of a folder, with the checkpoint that the command names.

    Raises:
        UserError: it cannot be read.
    """
    path = out / SPEC
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError):
        raise UserError(
            "is not a folder of counterfactual sets",
            where=out,
            fix="without --filter-only the same command makes them",
        ) from None
    theirs = read_spec(parse_yaml(text, name=str(path), path=path))
    return replace(theirs, generator=replace(theirs.generator, model=spec.generator.model))
