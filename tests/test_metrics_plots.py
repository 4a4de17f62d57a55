"""Pictures of metrics: what is drawn in them, and input that they refuse."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

import drivetrain.metrics as ours
from drivetrain.metrics import plots

rng = np.random.default_rng(5)
N = 400
Y, GUESS = rng.integers(0, 4, N), rng.integers(0, 4, N)
CHANCES = rng.dirichlet(np.ones(4), N)
TWO, SCORES = rng.integers(0, 2, N), rng.random(N)
WEIGHTS = rng.random(N)


def curve(figure, place=1):
    return figure.axes[0].lines[place].get_xydata().T


@pytest.mark.parametrize("normalize", [None, "true"])
def test_confusion_matrix(tmp_path, normalize):
    names = ["a", "b", "c", "d"]
    options = {"class_names": names, "normalize": normalize}
    figure = plots.plot_confusion_matrix(Y, GUESS, tmp_path / "matrix.png", **options)
    assert (tmp_path / "matrix.png").stat().st_size > 1000
    axes, matrix = figure.axes[0], ours.confusion_matrix(Y, GUESS, normalize=normalize)
    np.testing.assert_allclose(axes.images[0].get_array(), matrix)
    written = [text.get_text() for text in axes.texts]
    assert written == [f"{value:.2f}" if normalize else str(value) for value in matrix.ravel()]
    assert [label.get_text() for label in axes.get_yticklabels()] == names
    metric = ours.ConfusionMatrix(4)
    metric.update(Y, GUESS)
    again = metric.plot(**options)
    np.testing.assert_array_equal(again.axes[0].images[0].get_array(), matrix)
    assert axes.get_title() == f"accuracy {ours.accuracy_score(Y, GUESS):.4f}"


def test_a_large_matrix_has_no_numbers_in_it():
    figure = plots.plot_confusion_matrix(np.arange(80), np.arange(80))
    assert not figure.axes[0].texts
    with pytest.raises(ValueError, match="class_names has 2 names, expected 4"):
        plots.plot_confusion_matrix(Y, GUESS, class_names=["a", "b"])


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_roc(tmp_path, weights):
    figure = plots.plot_roc_curve(TWO, SCORES, tmp_path / "roc.svg", sample_weight=weights)
    assert (tmp_path / "roc.svg").exists()
    across, height, _ = ours.roc_curve(TWO, SCORES, sample_weight=weights)
    np.testing.assert_allclose(curve(figure), [across, height])
    area = ours.roc_auc_score(TWO, SCORES, sample_weight=weights)
    assert figure.axes[0].get_title() == f"area below the curve {area:.4f}"
    metric = ours.ROCCurve()
    metric.update(TWO, SCORES, weights)
    np.testing.assert_allclose(curve(metric.plot()), [across, height])


def test_precision_and_recall():
    figure = plots.plot_precision_recall_curve(TWO, SCORES)
    precision, recall, _ = ours.precision_recall_curve(TWO, SCORES)
    np.testing.assert_allclose(curve(figure, 0), [recall, precision])
    assert figure.axes[0].get_title() == f"average precision {ours.average_precision_score(TWO, SCORES):.4f}"
    metric = ours.PrecisionRecallCurve()
    metric.update(TWO, SCORES)
    np.testing.assert_allclose(curve(metric.plot(), 0), [recall, precision])


def test_several_classes_and_labels():
    figure = plots.plot_roc_curve(Y, CHANCES, class_names=list("abcd"))
    assert len(figure.axes[0].lines) == 5  # and the diagonal
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    areas = ours.roc_auc_score(Y, CHANCES, multi_class="ovr", average=None)
    assert texts == [f"{name} {area:.4f}" for name, area in zip("abcd", areas, strict=True)]
    several = (Y[:, None] == [0, 1, 99]) * 1
    figure = plots.plot_precision_recall_curve(several, CHANCES[:, :3])
    assert len(figure.axes[0].lines) == 2  # nothing holds the third label
    with pytest.raises(ValueError, match="class_names has 1 names, expected 4"):
        plots.plot_roc_curve(Y, CHANCES, class_names=["a"])


def test_many_points_are_thinned():
    figure = plots.plot_precision_recall_curve(rng.integers(0, 2, 9000), rng.random(9000))
    points = curve(figure, 0)
    assert points.shape[1] <= plots.POINTS
    assert points[0, 0] == 1
    assert points[0, -1] == 0


def test_reliability():
    figure = plots.plot_reliability(TWO, SCORES, n_bins=5)
    came_true, predicted = ours.calibration_curve(TWO, SCORES, n_bins=5)
    np.testing.assert_allclose(curve(figure), [predicted, came_true])
    shares = [bar.get_height() for bar in figure.axes[1].patches]
    np.testing.assert_allclose(shares, np.histogram(SCORES, np.linspace(0, 1, 6))[0] / N)
    error = ours.expected_calibration_error(TWO, SCORES, n_bins=5)
    assert figure.axes[0].get_title() == f"expected calibration error {error:.4f}"
    metric = ours.CalibrationError(n_bins=7)
    metric.update(Y, CHANCES)
    np.testing.assert_allclose(curve(metric.plot()), curve(plots.plot_reliability(Y, CHANCES, n_bins=7)))
    with pytest.raises(ValueError, match="expected probabilities, 0 to 1"):
        plots.plot_reliability(TWO, SCORES + 1)


def test_resolution(tmp_path):
    from drivetrain.data import ArrayDataset, DataLoader, show_images

    images = np.zeros((4, 8, 8, 1), np.uint8)
    for draw in (
        lambda **options: plots.plot_confusion_matrix([0, 1], [0, 1], **options),
        lambda **options: show_images(images, **options),
        lambda **options: DataLoader(ArrayDataset(images, np.arange(4))).show_batch(1, **options),
    ):
        assert draw(dpi=37).dpi == 37
        sizes = []
        for dpi in (50, 100):
            draw(dpi=dpi, path=tmp_path / "picture.png")
            header = (tmp_path / "picture.png").read_bytes()[16:24]
            sizes.append(int.from_bytes(header[:4], "big"))
        assert sizes[1] == pytest.approx(2 * sizes[0], abs=2)
        with pytest.raises(ValueError, match="dpi must be an integer from 1 to 10000, got 0"):
            draw(dpi=0)
