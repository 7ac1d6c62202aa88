"""The plugin as the harness and a user see it, wrong input included."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from harness_hf_vlm import loading
from harness_hf_vlm.answerer import ProcessorAnswerer
from harness_hf_vlm.factory import HfVlm

from harness.cli.main import invoke, main
from harness.errors import UserError
from harness.models import Runtime
from harness.requests import Choose, Failed, Request, Response, Scores, Turn
from tests.plugins.hf_vlm import families
from tests.plugins.hf_vlm.tiny import picture, tokenizer

pytestmark = pytest.mark.torch

CODE = {"AutoModelForImageTextToText": "own.Model"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return families.llava(tmp_path_factory.mktemp("llava"))


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return families.gemma3(tmp_path_factory.mktemp("gemma3"))


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def identity(folder: Path, runtime: Runtime | None = None, **options: Any) -> Any:
    return HfVlm({"path": str(folder), **options}).identity(runtime or Runtime())


def load(folder: Path, **options: Any) -> Any:
    return HfVlm({"path": str(folder), **options}).load(Runtime(device="cpu"))


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_identity_imports_nothing_heavy(folder: Path) -> None:
    code = (
        "import sys\n"
        "from harness.targets import load_target\n"
        "from harness.models import Runtime\n"
        "from harness.plugins import plugins\n"
        "model = load_target(plugins().models()['hf_vlm'])({'path': sys.argv[1]})\n"
        "assert model.identity(Runtime())['chat_template']\n"
        "heavy = {'torch', 'transformers'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_what_changes_numbers_changes_the_identity(folder: Path, copy: Path) -> None:
    plain = identity(copy)
    assert plain == identity(folder)
    assert identity(copy, way="whole") == plain
    others = [
        identity(copy, Runtime(dtype="bfloat16")),
        identity(copy, prompt_format="plain"),
        identity(copy, score_eos=False),
        identity(copy, trust_remote_code=True),
    ]
    template = copy / "chat_template.jinja"
    template.write_text(template.read_text() + " ")
    others.append(identity(copy))
    assert others[-1]["chat_template"] != plain["chat_template"]
    assert len({json.dumps(other) for other in [plain, *others]}) == 1 + len(others)


@pytest.mark.parametrize("name", ["config.json", "processor_config.json"])
def test_code_of_a_checkpoint_is_refused_by_default(copy: Path, name: str) -> None:
    change(copy / name, auto_map=CODE)
    with pytest.raises(UserError, match=r"own\.Model.*can do whatever you can") as caught:
        identity(copy)
    assert "-o trust_remote_code=true" in caught.value.fix
    assert "--model llava reads it without" in caught.value.fix
    assert identity(copy, trust_remote_code=True)["trust_remote_code"] is True


def test_code_that_is_allowed_and_missing_is_said(copy: Path) -> None:
    change(copy / "config.json", auto_map=CODE, model_type="unheard_of")
    with pytest.raises(UserError, match="own code cannot load it"):
        load(copy, trust_remote_code=True)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("more", [True, False])
def test_code_that_is_allowed_gets_all_of_its_weights(copy: Path, more: bool) -> None:
    from safetensors.torch import load_file, save_file

    # A class of its own, as such code has: transformers marks the class that it loads so.
    base = "LlavaForConditionalGeneration"
    code = f"import transformers\n\nclass Model(transformers.{base}):\n    pass\n"
    (copy / "own.py").write_text(code)
    change(copy / "config.json", auto_map=CODE)
    tensors = load_file(copy / "model.safetensors")
    name = next(name for name in tensors if name.endswith("linear_1.weight"))
    tensors["extra.weight" if more else name] = tensors.pop(name).clone()
    if more:
        tensors[name] = tensors["extra.weight"].clone()
    else:
        del tensors[name]
    save_file(tensors, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match="extra" if more else "linear_1"):
        load(copy, trust_remote_code=True)


def test_what_is_no_checkpoint_is_said(copy: Path) -> None:
    with pytest.raises(UserError, match="needs a checkpoint"):
        HfVlm({}).identity(Runtime())
    with pytest.raises(UserError, match="no folder"):
        identity(copy / "gone")
    (copy / "processor_config.json").unlink()
    with pytest.raises(UserError, match="processor"):
        load(copy)
    (copy / "model.safetensors").unlink()
    with pytest.raises(UserError, match="no weights"):
        identity(copy)


def test_a_tokenizer_without_the_image_token_is_refused(copy: Path) -> None:
    words = tokenizer(bos=True)
    words.chat_template = None
    words.save_pretrained(copy)
    with pytest.raises(UserError, match=r"image token"):
        load(copy)


def test_a_template_that_shows_no_image_is_refused(copy: Path) -> None:
    (copy / "chat_template.jinja").write_text("{{ messages[0]['role'] }}")
    with pytest.raises(
        UserError, match=r"the chat template writes nothing for an image; wanted is .* '<image>'"
    ):
        load(copy)
    assert load(copy, prompt_format="plain") is not None


def test_a_picture_so_thin_that_resizing_it_would_fill_the_memory_is_rejected(folder: Path) -> None:
    turns = (Turn("user", "yes?", (picture(1, 1200, 2),)),)
    (response,) = load(folder).answer([Request("r", "s", "t", turns, Choose(("a", "b")))])
    assert isinstance(response.result, Failed)
    assert response.result.kind == "image_rejected"
    assert "over 200 times the other" in response.result.message


def test_a_context_too_short_for_any_question_is_for_the_record_to_say(copy: Path) -> None:
    content = json.loads((copy / "config.json").read_text())
    content["text_config"]["max_position_embeddings"] = 8
    change(copy / "config.json", **content)
    turns = (Turn("user", "yes?", (picture(1),)),)
    (response,) = load(copy).answer([Request("r", "s", "t", turns, Choose(("a", "b")))])
    assert isinstance(response.result, Failed)
    assert response.result.kind == "prompt_too_long"
    with pytest.raises(UserError, match="cannot answer about an image: prompt and answer take"):
        load(copy, way="engine")


def test_a_checkpoint_without_template_is_asked_plainly(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    made = families.paligemma(tmp_path_factory.mktemp("paligemma"))
    with pytest.raises(UserError, match="no chat template"):
        load(made, prompt_format="template")
    request = Request("r", "s", "t", (Turn("user", "yes?", (picture(1),)),), Choose(("a", "b")))
    values = [
        next(iter(load(made, prompt_format=form).answer([request]))).result.values
        for form in ("auto", "plain", "question")
    ]
    assert values[0] == values[1] != values[2]


def test_what_cannot_be_answered_fails_alone(gemma: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answerer = load(gemma)
    (good,) = [Request("good", "s", "t", (Turn("user", "x", (picture(1),)),), Choose(("a", "b")))]
    turns = good.turns
    long = (Turn("user", "yes no maybe " * 400, (picture(1),)),)
    questions = [
        good,
        Request("empty", "s", "t", turns, Choose(("a", ""))),
        Request("long", "s", "t", long, Choose(("a", "b"))),
        Request("bad", "s", "t", (Turn("user", "x", (picture(5),)),), Choose(("a", "b"))),
    ]
    images = answerer._chats.processor.image_processor
    expected = type(images).preprocess

    def preprocess(self: Any, arguments: Any, *positional: Any, **named: Any) -> Any:
        if picture(5).pixels.tobytes() in [item.tobytes() for item in _flat(arguments)]:
            raise ValueError("a picture like this is too much")
        return expected(self, arguments, *positional, **named)

    monkeypatch.setattr(type(images), "preprocess", preprocess)
    results = {response.request: response.result for response in answerer.answer(questions)}
    assert isinstance(results["good"], Scores)
    kinds = {name: results[name].kind for name in ("empty", "long", "bad")}
    assert kinds == {"empty": "empty_option", "long": "prompt_too_long", "bad": "image_rejected"}
    assert isinstance(results["bad"], Failed)
    assert "too much" in results["bad"].message


def _flat(arguments: Any) -> list[Any]:
    if isinstance(arguments, (list, tuple)):
        return [item for some in arguments for item in _flat(some)]
    return [arguments] if hasattr(arguments, "tobytes") else []


def test_a_way_that_would_change_numbers_is_turned_off(
    gemma: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wrong(ProcessorAnswerer):
        def answer(self, requests: Any) -> Any:
            for response in super().answer(requests):
                scores = response.result
                if not (self._cached and isinstance(scores, Scores)):
                    yield response
                    continue
                moved = (scores.values[0] + 2e-4, *scores.values[1:])
                yield Response(response.request, replace(scores, values=moved))

    monkeypatch.setattr(loading, "ProcessorAnswerer", Wrong)
    answerer = load(gemma)
    assert answerer._cached is False
    assert "a log-probability differs by 0.0002" in answerer.notes()[-1]
    with pytest.raises(UserError, match="this way does not work for this model"):
        load(gemma, way="cached")


def test_a_model_that_stops_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise RuntimeError("no such layer\nmore")

    monkeypatch.setattr("harness_hf_vlm.forwards.Forwards.score_whole", stop)
    with pytest.raises(UserError, match=r"cannot answer about an image: no such layer$"):
        load(folder)


def test_an_encoder_with_a_decoder_cannot_be_asked_behind_keys(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    made = families.blip2_t5(tmp_path_factory.mktemp("t5"))
    with pytest.raises(UserError, match="an encoder of its own"):
        load(made, way="cached")


def test_half_precision_runs(folder: Path) -> None:
    answerer = HfVlm({"path": str(folder)}).load(Runtime(device="cpu", dtype="bfloat16"))
    request = Request("r", "s", "t", (Turn("user", "x", (picture(1),)),), Choose(("a", "b")))
    (response,) = answerer.answer([request])
    assert isinstance(response.result, Scores)
    assert torch.tensor(response.result.values).isfinite().all()


def test_a_task_of_the_demo_world_from_the_command_line(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    questions = ["run", "--model", "hf_vlm", "--tasks", "raf_db", "--limit", "4"]
    code = invoke(main, [*questions, "-o", f"path={folder}"])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    records = list(Path("results").rglob("samples.jsonl"))
    assert len(records) == 1
    assert len(records[0].read_text().splitlines()) == 4
    code = invoke(main, [*questions, "-o", f"path={tmp_path}"])
    printed = capsys.readouterr()
    assert code == 2
    assert "not a checkpoint" in printed.err
    assert "Traceback" not in printed.err


@pytest.mark.parametrize("family", [families.qwen3_5, families.lfm2_vl])
@pytest.mark.filterwarnings("ignore")
def test_a_decoder_with_a_running_state_is_said_to_have_one(tmp_path: Path, family: Any) -> None:
    notes = load(family(tmp_path)).notes()
    assert len(notes) == 2
    for note in notes:
        assert "layers of its decoder" in note
        assert "running state in place of the keys and values" in note
        assert "index out of range" not in note
    with pytest.raises(UserError, match=r"this way does not work for this model: .* running state"):
        load(tmp_path, way="engine")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (IndexError("list index out of range"), "its code does not allow it .* raises IndexError"),
        (AttributeError("no 'x'"), "its code does not allow it .* raises AttributeError: no 'x'"),
        (ValueError("images do not stand in the text"), "images do not stand in the text"),
        (
            ImportError("`pip install causal-conv1d`"),
            r"it needs a package that is not installed \(pip install causal-conv1d\)",
        ),
    ],
)
def test_what_keeps_prompts_from_being_shared_is_said_in_words(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("harness_hf_vlm.loading._shared", stop)
    notes = load(folder).notes()
    assert re.search(f"sharing of prompts is off: {message}", notes[0])
    with pytest.raises(UserError, match=message):
        load(folder, way="engine")


@pytest.mark.parametrize("family", [families.blip, families.git])
def test_a_model_whose_text_has_no_place_for_an_image_is_refused_for_that(
    tmp_path: Path, family: Any
) -> None:
    with pytest.raises(UserError, match="take an image separately from their text") as caught:
        load(family(tmp_path))
    assert "tokenizer files" not in caught.value.fix


def test_a_package_that_a_processor_lacks_is_to_be_installed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lack(*_: Any, **__: Any) -> None:
        text = "Package `num2words` is required to run SmolVLM processor. "
        raise ImportError(text + "Install it with `pip install num2words`.")

    monkeypatch.setattr("transformers.LlavaProcessor.__init__", lack)
    with pytest.raises(UserError, match="num2words") as caught:
        load(folder)
    assert caught.value.fix == "pip install num2words"


@pytest.mark.parametrize(
    ("config", "native"),
    [
        ({"model_type": "llava", "mm_vision_tower": "clip"}, "llava"),
        ({"model_type": "llava_llama", "mm_vision_tower": "clip"}, "llava"),
        ({"model_type": "bunny-phi"}, "bunny"),
        ({"model_type": "qwen", "visual": {}}, "qwen_vl"),
        ({"model_type": "clip", "vision_config": {}}, "open_clip"),
        ({"model_type": "siglip"}, "open_clip"),
    ],
)
def test_a_format_that_another_plugin_reads_names_the_plugin(
    copy: Path, config: dict[str, Any], native: str
) -> None:
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError) as caught:
        load(copy)
    assert caught.value.fix == f"--model {native} reads it"


@pytest.mark.parametrize("kind", ["llama", "no_such_model", None])
def test_a_model_that_transformers_has_not_for_images_is_said(copy: Path, kind: str | None) -> None:
    (copy / "config.json").write_text(json.dumps({"model_type": kind}))
    with pytest.raises(UserError, match=f"no model for images and text of type {kind!r}") as caught:
        load(copy)
    assert "a transformers newer than" in caught.value.fix
