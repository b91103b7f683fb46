"""The adapters of Wav2Lip and MuseTalk without their environments: networks, files that are theirs and others, memory, sound around a frame."""

from __future__ import annotations

import importlib.util
import json
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from retake.engines import registry
from retake.engines.host.retake_host.orders import Order, Refused, Setup
from retake.engines.host.retake_host.wire import Array
from retake.engines.manifest import Lips, read_manifest

MANIFESTS = registry.SHIPPED


def adapter(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tested_{name}", MANIFESTS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


w2l, muse = adapter("wav2lip"), adapter("musetalk")


def setup(weights: Path) -> Setup:
    return Setup({"weights": str(weights), "cache": str(weights), "device": "cpu", "threads": 0}, lambda fraction, detail: None)


def order(arrays: Mapping[str, np.ndarray], **fields: Any) -> Order:
    wires = {name: Array(str(values.dtype), values.shape, memoryview(values.tobytes())) for name, values in arrays.items()}
    return Order({"frames": [], "rate": [25, 1], **fields}, wires, lambda fraction, detail: None)


def wav2lip_order(count: int, *, seed: int = 0, smaller: bool = False) -> Order:
    random = np.random.default_rng(seed)
    crops = random.integers(0, 256, (count, 96, 96, 3), np.uint8)
    return order({"crops": crops, "sound": random.normal(0, 1, (count, 80, 16)).astype(np.float32)}, smaller=smaller)


@pytest.fixture(scope="module")
def small() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return dict(w2l.Generator(2).state_dict())


def save(state: Mapping[str, torch.Tensor], path: Path, *, prefix: str = "module.", old: bool = False) -> None:
    named = {prefix + name: tensor for name, tensor in state.items()}
    torch.save({"state_dict": named, "optimizer": None, "global_step": 3}, path, _use_new_zipfile_serialization=not old)


def test_the_network_has_as_many_numbers_as_the_published_one() -> None:
    network = w2l.Generator()
    assert sum(parameter.numel() for parameter in network.parameters()) == 36_298_035
    steps: list[tuple[int, ...]] = []
    for block in network.face_encoder_blocks:
        block.register_forward_hook(lambda module, given, out: steps.append(tuple(out.shape[1:])))
    with torch.inference_mode():
        out = network.eval()(torch.zeros(1, 1, 80, 16), torch.zeros(1, 6, 96, 96))
    assert out.shape == (1, 3, 96, 96) and out.min() >= 0 and out.max() <= 1
    assert steps == [(16, 96, 96), (32, 48, 48), (64, 24, 24), (128, 12, 12), (256, 6, 6), (512, 3, 3), (512, 1, 1)]


@pytest.mark.parametrize(
    ("name", "prefix", "old"), [("wav2lip_gan.pth", "module.", False), ("wav2lip.pth", "", False), ("wav2lip_gan.pth", "module.", True)]
)
def test_files_as_they_are_published(tmp_path: Path, small: dict[str, torch.Tensor], name: str, prefix: str, old: bool) -> None:
    save(small, tmp_path / name, prefix=prefix, old=old)
    engine = w2l.load(setup(tmp_path))
    out = list(engine.render(wav2lip_order(3)))
    assert [(face.shape, face.dtype) for face in out] == [((96, 96, 3), np.uint8)] * 3
    assert all(memoryview(face).c_contiguous for face in out)


def test_files_that_are_something_else_say_what_is_wrong(tmp_path: Path, small: dict[str, torch.Tensor]) -> None:
    path = tmp_path / "wav2lip_gan.pth"

    def refused() -> str:
        with pytest.raises(Refused) as caught:
            w2l.load(setup(tmp_path))
        assert str(path) in caught.value.remedy
        return caught.value.cause

    path.write_text("<html>Sign in to go on</html>", encoding="utf-8")
    assert "no checkpoint" in refused()
    torch.save({"state_dict": {"x": np.zeros(3)}}, path)
    assert "no checkpoint" in refused()  # numpy's pickles are code
    torch.save([1, 2], path)
    assert "no table" in refused()
    torch.save({"state_dict": {}}, path)
    assert "no table" in refused()
    name = "face_decoder_blocks.2.0.conv_block.0.weight"
    save({key: value for key, value in small.items() if key != name}, path)
    assert f"'{name}' is missing" in refused()
    save(small | {name: torch.zeros(3, 3)}, path)
    assert name in refused() and "(3, 3)" in refused()
    save(small | {"netcnnaud.0.weight": torch.zeros(1)}, path)
    assert "netcnnaud.0.weight" in refused()
    larger = small | {"face_encoder_blocks.0.0.conv_block.0.weight": torch.zeros(32, 6, 3, 3)}  # a generator for 192 pixels begins like this
    save(larger, path)
    assert "(32, 6, 3, 3)" in refused() and "96 x 96" in refused()
    path.unlink()
    assert "wav2lip_gan.pth" in refused()


def test_a_batch_draws_what_its_faces_draw_alone(tmp_path: Path, small: dict[str, torch.Tensor]) -> None:
    save(small, tmp_path / "wav2lip_gan.pth")
    engine = w2l.load(setup(tmp_path))
    together = np.stack(list(engine.render(wav2lip_order(5))))
    alone = np.stack(list(engine.render(wav2lip_order(5, smaller=True))))
    assert np.abs(together.astype(int) - alone).max() <= 1
    assert not np.array_equal(together[0], together[1])


def test_the_lower_half_is_hidden_and_colours_are_turned_for_the_network(tmp_path: Path, small: dict[str, torch.Tensor]) -> None:
    save(small, tmp_path / "wav2lip_gan.pth")
    engine = w2l.load(setup(tmp_path))
    given: list[torch.Tensor] = []

    def look(module: torch.nn.Module, faces: tuple[torch.Tensor, ...]) -> None:
        given.append(faces[0])

    engine.network.face_encoder_blocks[0].register_forward_pre_hook(look)
    red = np.zeros((1, 96, 96, 3), np.uint8)
    red[..., 0] = 255
    list(engine.render(order({"crops": red, "sound": np.zeros((1, 80, 16), np.float32)})))
    [faces] = given
    assert faces.shape == (1, 6, 96, 96)
    assert (faces[0, 2, :48] == 1).all() and (faces[0, :3, 48:] == 0).all()  # blue, green, red; without its lower half
    assert (faces[0, 5] == 1).all() and (faces[0, 3:5] == 0).all()


def test_a_full_memory_is_answered_with_smaller_batches_and_told_in_the_end(tmp_path: Path, small: dict[str, torch.Tensor]) -> None:
    save(small, tmp_path / "wav2lip_gan.pth")
    engine = w2l.load(setup(tmp_path))
    sizes: list[int] = []
    draw = engine.draw

    def scarce(crops: np.ndarray, sound: np.ndarray) -> np.ndarray:
        sizes.append(len(crops))
        if len(crops) > room[0]:
            raise errors[len(sizes) % len(errors)]
        return draw(crops, sound)

    # As PyTorch says it of a GPU, of a processor, and oneDNN within it.
    errors = [torch.OutOfMemoryError("no more"), RuntimeError("could not create a primitive"), RuntimeError("x: can't allocate memory: 9 bytes")]
    engine.draw, room = scarce, [1]
    assert len(list(engine.render(wav2lip_order(5)))) == 5
    assert sizes == [4, 2, 1, 1, 1, 1, 1]
    room[0] = 0
    with pytest.raises(RuntimeError):
        list(engine.render(wav2lip_order(2)))
    room[0], engine.batch, sizes[:] = 1, 4, []
    errors[:] = [RuntimeError("could not create a primitive descriptor")]  # something else is wrong, and fewer faces would not help
    with pytest.raises(RuntimeError, match="descriptor"):
        list(engine.render(wav2lip_order(4)))
    assert sizes == [4]


def test_what_does_not_go_together_is_refused(tmp_path: Path, small: dict[str, torch.Tensor]) -> None:
    save(small, tmp_path / "wav2lip_gan.pth")
    engine = w2l.load(setup(tmp_path))
    with pytest.raises(Refused):
        list(engine.render(order({"crops": np.zeros((2, 96, 96, 3), np.uint8), "sound": np.zeros((1, 80, 16), np.float32)})))


# MuseTalk, but for the networks, whose classes are in its environment alone


def test_positions_are_sines_and_cosines_by_turns() -> None:
    found = muse.positions(50, 384).numpy()
    place, part = np.arange(50)[:, None], np.arange(192)[None]
    angle = place / 10000 ** (2 * part / 384)
    np.testing.assert_allclose(found[:, 0::2], np.sin(angle), atol=1e-5)
    np.testing.assert_allclose(found[:, 1::2], np.cos(angle), atol=1e-5)


@pytest.mark.parametrize("rate", [(25, 1), (30000, 1001), (60, 1), (24, 1)])
def test_each_frame_hears_what_is_around_it(rate: tuple[int, int]) -> None:
    steps = torch.arange(1, 101).float()[:, None, None].expand(100, 5, 8)  # step i holds i + 1
    frames = [0, 1, 2, 10, 47]
    heard = muse.heard_around(steps, frames, rate) - muse.positions(50, 8)
    assert heard.shape == (5, 50, 8)
    for row, frame in zip(heard, frames, strict=True):
        first = frame * 50 * rate[1] // rate[0] - 4
        expected = [step + 1 if 0 <= step < 100 else 0 for step in range(first, first + 10)]
        np.testing.assert_allclose(row.reshape(10, 5, 8)[:, 0, 0], expected, atol=1e-4)
        assert (row.reshape(10, 5, 8).std(1) < 1e-3).all()  # the five layers of a step lie beside each other


def test_musetalks_checkpoint_is_read_in_both_formats(tmp_path: Path) -> None:
    for old in (False, True):
        torch.save({"module.a": torch.ones(2)}, tmp_path / "unet.pth", _use_new_zipfile_serialization=not old)
        assert torch.equal(muse.tensors_of(tmp_path / "unet.pth")["a"], torch.ones(2))
    (tmp_path / "unet.pth").write_bytes(b"no")
    with pytest.raises(ValueError, match="no checkpoint"):
        muse.tensors_of(tmp_path / "unet.pth")


def test_a_network_with_other_tensors_is_not_filled() -> None:
    network = torch.nn.Linear(2, 3)
    muse.fill(network, {"weight": torch.ones(3, 2), "bias": torch.zeros(3)})
    assert network.weight.sum() == 6
    for state, words in (
        ({"weight": torch.ones(3, 2)}, "'bias' is missing"),
        ({"weight": torch.ones(2, 3), "bias": torch.zeros(3)}, r"'weight' is of shape \(2, 3\)"),
        ({"weight": torch.ones(3, 2), "bias": torch.zeros(3), "more": torch.zeros(1)}, "'more'"),
    ):
        with pytest.raises(ValueError, match=words):
            muse.fill(network, state)


# Both manifests


@pytest.mark.parametrize("name", ["wav2lip", "musetalk"])
def test_manifests_say_what_is_sent(name: str) -> None:
    manifest = read_manifest(MANIFESTS / f"{name}.toml")
    assert manifest.stage == "lips" and manifest.lips is not None and manifest.licence.accept
    assert manifest.lips.size == (w2l if name == "wav2lip" else muse).SIDE
    assert manifest.licence.commercial_use == (name == "musetalk")
    json.dumps(manifest.model_dump(mode="json"))


def test_the_table_that_the_documentation_shows_is_wav2lips() -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "lips-engines.md").read_text(encoding="utf-8")
    shown = tomllib.loads(page.partition("```toml\n")[2].partition("```")[0])
    assert Lips.model_validate(shown["lips"]) == read_manifest(MANIFESTS / "wav2lip.toml").lips
