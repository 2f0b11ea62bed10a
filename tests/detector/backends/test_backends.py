"""All back ends give the same scores; their choice is reported and explained."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save

from cli.engine.main import main
from detector import analyze
from detector.backends import selection as backends
from detector.backends.runtimes import OpenVINO
from detector.errors import ModelError, ParameterError
from detector.faces.crop import crop_square, square_for_face
from detector.faces.search.networks import FaceDetector
from detector.models.card import Card
from detector.models.loaded import LoadedModel, graph_path, load_model, load_pair
from detector.models.model_files import load_card
from detector.networks import graphs
from detector.networks.base import create
from detector.networks.trace_graphs import SHIPPED_GRAPHS
from detector.schema.analysis import Analysis, Parameters
from detector.scoring.scorer import Scorer
from verification.agreement import compare_analyses

EXACT = [name for name in backends.BACKEND_NAMES if name not in backends.REDUCED_PRECISION]
CLOSE = 5e-4
"""Largest difference of logits: a fiftieth of what two analyses' probabilities may differ by."""


@pytest.fixture(autouse=True)
def _free_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(backends.BACKEND_VARIABLE, "")


@pytest.fixture(scope="module")
def crops(astronaut: np.ndarray) -> np.ndarray:
    """A face as the network sees it, lit and compressed in several ways."""
    square = square_for_face(FaceDetector()(astronaut)[0])
    face = crop_square(astronaut, square, 128)
    variants = [face, face[:, ::-1], face // 3, cv2.GaussianBlur(face, (0, 0), 2), 255 - face]
    for quality in (10, 50):
        data = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        variants.append(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return np.stack(variants)


def hide_packages(packages: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As if these were not installed."""
    monkeypatch.setattr(backends, "find_spec", lambda name: None if name in packages else name)


def make_untrained_model(architecture: str, size: int, folder: Path) -> LoadedModel:
    """A model whose weights are chance, on disk as any other."""
    torch.manual_seed(3)
    network = create(architecture)
    for name, value in network.state_dict().items():
        if name.endswith("running_mean"):
            value.normal_(0, 0.1)
        elif name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
    for name, value in network.state_dict().items():
        if name == "window_judge.weight":  # zero until it is fitted
            value.normal_(0, 0.1)
    data = save(network.state_dict())
    path = folder / "untrained.safetensors"
    path.write_bytes(data)
    card = load_card()[0]
    changes = {
        "architecture": architecture,
        "sha256": hashlib.sha256(data).hexdigest(),
        "input": card.input.model_copy(
            update={"size": size, "mean": (0.4, 0.5, 0.6), "std": (0.2, 0.5, 0.3)}
        ),
    }
    return load_pair(Card.model_validate({**card.model_dump(), **changes}), path)


class TestAgreement:
    @pytest.mark.parametrize("name", EXACT)
    def test_the_shipped_model(self, model: LoadedModel, crops: np.ndarray, name: str) -> None:
        expected = backends.open_backend(model, "torch").run(crops)
        backend = backends.open_backend(model, name)
        assert backend.name == name and backend.precision.startswith("float32")
        logits = backend.run(crops)
        assert logits.dtype == np.float32 and logits.shape == (len(crops),)
        assert np.abs(logits - expected).max() < CLOSE
        assert len({round(float(logit), 2) for logit in logits}) > 3, "crops that tell nothing apart"

    @pytest.mark.parametrize("name", EXACT)
    def test_get_ready_does_not_change_results(
        self, model: LoadedModel, crops: np.ndarray, name: str
    ) -> None:
        backend = backends.open_backend(model, name)
        backend.get_ready()
        logits = backend.run(crops)
        backend.get_ready()
        assert np.array_equal(backend.run(crops), logits)

    @pytest.mark.parametrize("name", EXACT)
    def test_batches_of_any_size_keep_earlier_results(
        self, model: LoadedModel, crops: np.ndarray, name: str
    ) -> None:
        backend = backends.open_backend(model, name)
        together = backend.run(crops)
        kept = together.copy()
        for i in range(len(crops)):
            assert backend.run(crops[i : i + 1]) == pytest.approx(together[i : i + 1], abs=CLOSE)
        many = np.concatenate([crops] * 9)  # more than all threads take at a time
        assert backend.run(many) == pytest.approx(np.concatenate([together] * 9), abs=CLOSE)
        mirrored = backend.run(crops[:, :, ::-1])  # a view, not in order of memory
        assert mirrored[0] == pytest.approx(together[1], abs=CLOSE)
        assert together.tolist() == kept.tolist()

    @pytest.mark.parametrize(("architecture", "size"), SHIPPED_GRAPHS)
    def test_shipped_graphs_match_their_architectures(
        self, architecture: str, size: int, crops: np.ndarray, tmp_path: Path
    ) -> None:
        """With weights the graph was not made of: had any been left in it, this would differ."""
        model = make_untrained_model(architecture, size, tmp_path)
        given = np.stack([cv2.resize(crop, (size, size)) for crop in crops[:3]])
        expected = backends.open_backend(model, "torch").run(given)
        assert expected.std() > 1e-4
        for name in ("openvino", "onnxruntime"):
            outputs = backends.open_backend(model, name).run(given)
            assert outputs.shape == expected.shape
            scale = max(1.0, float(np.abs(expected).max()))
            assert np.abs(outputs - expected).max() < CLOSE * scale, name

    def test_a_sequence_network_through_the_scorer(self, crops: np.ndarray) -> None:
        model = load_model("efficientnet-lstm")
        logits = {}
        for name in EXACT:
            scorer = Scorer(model, backend=name)
            features = scorer.features(list(crops))
            assert len(features) == len(crops) and features[0].shape == (256,)
            logits[name] = [*scorer.track_logits(features), *scorer.logits(list(crops))]
        for name in EXACT:
            assert logits[name] == pytest.approx(logits["torch"], abs=CLOSE)

    def test_photographs_are_scored_with_their_mirror_image(
        self, model: LoadedModel, crops: np.ndarray
    ) -> None:
        scorer = Scorer(model)
        straight, mirrored = scorer.logits([crops[0], crops[1]])
        assert scorer.stills.logits([crops[0]])[0] == pytest.approx((straight + mirrored) / 2, abs=CLOSE)
        assert scorer.logits([crops[0]])[0] == pytest.approx(straight, abs=CLOSE)

    def test_rounding_is_reported_and_small(self, model: LoadedModel, crops: np.ndarray) -> None:
        rough = backends.open_backend(model, "openvino-bf16")
        if rough.precision == "float32":
            pytest.skip("this processor does not know bfloat16")
        assert (rough.name, rough.precision) == ("openvino-bf16", "bfloat16")
        difference = np.abs(rough.run(crops) - backends.open_backend(model, "torch").run(crops)).max()
        assert CLOSE < difference < 1

    def test_weights_in_bfloat16(self, crops: np.ndarray, tmp_path: Path) -> None:
        card, weights = load_card()
        halved = {n: v.bfloat16() if v.is_floating_point() else v for n, v in load_file(weights).items()}
        (tmp_path / "x.safetensors").write_bytes(data := save(halved))
        changed = card.model_copy(update={"sha256": hashlib.sha256(data).hexdigest()})
        model = load_pair(changed, tmp_path / "x.safetensors")
        expected = backends.open_backend(model, "torch").run(crops)
        assert np.abs(backends.open_backend(model, "openvino").run(crops) - expected).max() < CLOSE


class TestChoice:
    def test_fastest_installed_back_end_is_chosen(
        self, model: LoadedModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(backends, "gpu_is_here", lambda: False)
        assert backends.available_backends() == ("openvino", "onnxruntime", "torch")
        assert backends.open_backend(model).name == "openvino"
        for lacking, left in (({"openvino"}, "onnxruntime"), ({"openvino", "onnxruntime"}, "torch")):
            monkeypatch.setattr(
                backends, "find_spec", lambda name, gone=lacking: None if name in gone else name
            )
            assert backends.open_backend(model).name == left

    def test_torch_is_chosen_with_a_gpu(self, model: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(backends, "gpu_is_here", lambda: True)
        assert backends.open_backend(model).name == "torch"

    def test_choice_by_environment_and_by_name(
        self, model: LoadedModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(backends.BACKEND_VARIABLE, "onnxruntime")
        assert Scorer(model).backend.name == "onnxruntime"
        assert Scorer(model, backend="torch").backend.name == "torch"

    def test_created_once_per_model(self, model: LoadedModel) -> None:
        assert Scorer(model).backend is Scorer(model, still=True).backend
        assert Scorer(model.alone).backend is Scorer(model).backend, "a second look changes nothing of it"

    def test_unknown_back_end_is_refused(self, model: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(backends.BACKEND_VARIABLE, "tensorflow")
        with pytest.raises(
            ParameterError, match="'tensorflow' is no back end. Choose one of: openvino, onnx"
        ):
            Scorer(model)

    def test_missing_back_end_is_refused(self, model: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(backends, "find_spec", lambda name: None if name == "openvino" else name)
        with pytest.raises(
            ParameterError, match="needs openvino, not installed here. Run make setup, or .*torch"
        ):
            Scorer(model, backend="openvino")

    def test_torch_is_chosen_without_a_graph(self, model: LoadedModel, tmp_path: Path) -> None:
        other = make_untrained_model("efficientnet_lite0", 96, tmp_path)
        assert backends.open_backend(other).name == "torch"
        with pytest.raises(ModelError, match="no graph of efficientnet_lite0 at 96 px .* openvino"):
            backends.open_backend(other, "openvino")
        # A network made elsewhere is run as it is, whatever its card says.
        assert Scorer(LoadedModel(model.card, model.network)).backend.name == "torch"

    @pytest.mark.parametrize("name", ["../../../etc/passwd", "*", "efficientnet_lite0-128.onnx\0"])
    def test_foreign_architecture_name_is_not_a_path(self, name: str) -> None:
        assert graphs.shipped_graph(name, 128) is None

    def test_threads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OMP_NUM_THREADS", "7")
        assert backends.processor_threads() == 7
        monkeypatch.delenv("OMP_NUM_THREADS")
        assert backends.processor_threads() >= 1


@pytest.fixture(scope="module")
def usual(model: LoadedModel, still: Path) -> Analysis:
    """The portrait's analysis by the back end that is chosen by itself."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(backends.BACKEND_VARIABLE, "")
        return analyze(still, model=model.alone, parameters=Parameters(second_look=0))


class TestFromAShell:
    def test_wrong_option_is_reported(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["score", "x.jpg", "--backend", "fast"]) == 2
        assert "'fast' is no back end" in capsys.readouterr().err

    def test_wrong_environment_variable_is_reported(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, still: Path
    ) -> None:
        monkeypatch.setenv(backends.BACKEND_VARIABLE, "fast")
        assert main(["analyze", str(still)]) == 2
        assert "'fast' is no back end" in capsys.readouterr().err

    @pytest.mark.parametrize("name", ["onnxruntime", "torch"])
    def test_analysis_records_the_back_end(
        self, name: str, usual: Analysis, capsys: pytest.CaptureFixture[str], still: Path
    ) -> None:
        """In a confined process too."""
        arguments = ["--format", "json", "--set", "second_look=0", "--backend", name]
        assert main(["analyze", str(still), *arguments]) == 0
        analysis = Analysis.from_json(capsys.readouterr().out)
        assert (analysis.software.backend or "").lower().replace(" ", "").startswith(name)
        assert (usual.software.backend or "").startswith("OpenVINO") or backends.gpu_is_here()
        assert compare_analyses(analysis, usual).agree

    def test_different_precision_is_no_agreement(self, usual: Analysis) -> None:
        analysis = usual
        changed = analysis.software.model_copy(update={"precision": "bfloat16"})
        comparison = compare_analyses(analysis, analysis.model_copy(update={"software": changed}))
        assert not comparison.agree and "bfloat16, where float32 is recorded" in comparison.problems[0]
        matrix = analysis.software.model_copy(update={"precision": "float32, matrix products highest"})
        assert compare_analyses(analysis, analysis.model_copy(update={"software": matrix})).agree


@pytest.fixture(scope="module")
def whole(model: LoadedModel) -> bytes:
    """The default network with its weights, as one ONNX file."""
    path, given = graph_path(model), model.card.input
    assert path is not None
    return graphs.bind(graphs.read_graph(path), given.mean, given.std, model.tensors())


def test_openvino_accepts_graph_and_constants_separately(
    model: LoadedModel, crops: np.ndarray, whole: bytes
) -> None:
    path, given = graph_path(model), model.card.input
    assert path is not None
    apart = graphs.UnboundGraph(
        path.read_bytes(), graphs.graph_constants(given.mean, given.std, model.tensors())
    )
    backend, other = OpenVINO(lambda: whole, 1), OpenVINO(lambda: apart, 1)
    assert np.array_equal(backend.run(crops), other.run(crops))


def test_networks_are_compiled_in_parallel(crops: np.ndarray, whole: bytes) -> None:
    both = threading.Barrier(2, timeout=60)

    def network() -> bytes:
        both.wait()
        return whole

    with ThreadPoolExecutor(2) as threads:
        logits, other = threads.map(
            lambda backend: backend.run(crops), [OpenVINO(network, 1) for _ in range(2)]
        )
    assert np.array_equal(logits, other)


def test_large_crops_are_processed_in_pairs(model: LoadedModel) -> None:
    second = model.second_look
    assert second is not None
    crops = np.random.default_rng(5).integers(0, 256, (5, 224, 224, 3), np.uint8)
    backend = backends.open_backend(second.graphs[0], "openvino")
    singly = np.concatenate([backend.run(crops[i : i + 1]) for i in range(5)])
    assert np.array_equal(backend.run(crops), singly)
