"""Loaders of image files, caches, pictures of batches."""

import math
import os

import numpy as np
import pytest

import drivetrain as dt
from drivetrain.data import (
    DataLoader,
    ImageFiles,
    ImageFolder,
    ImageReader,
    Subset,
)
from image_tools import batches, same, save, smooth


class Recorder:
    """A transform that says which place each batch had."""

    def transform_samples(self, batch, epoch, first):
        images = batch[0] if isinstance(batch, tuple) else batch
        marked = np.asarray(images).copy()
        marked[:, 0, 0, 0] = [(100 * epoch + first + i) % 256 for i in range(len(marked))]
        return (dt.from_numpy(marked), *batch[1:]) if isinstance(batch, tuple) else marked

    def __call__(self, batch):
        raise AssertionError("called without a place")


class TestLoader:
    @pytest.mark.parametrize("place", ["dataset", "loader"])
    @pytest.mark.parametrize("prefetch", [0, 2])
    def test_transforms_know_epoch_and_position(self, animals, place, prefetch):
        data = ImageFolder(animals, Recorder() if place == "dataset" else None, size=4)
        transform = Recorder() if place == "loader" else None
        loader = DataLoader(data, 4, shuffle=True, batch_transform=transform, prefetch=prefetch)
        for epoch in range(2):
            marks = [mark for images, _ in loader for mark in np.asarray(images)[:, 0, 0, 0].tolist()]
            assert marks == [100 * epoch + i for i in range(9)]

    def test_a_thread_prepares_ahead_where_that_takes_long(self, animals, monkeypatch):
        from drivetrain.data import loader as module

        made = []
        begin = module.Prefetcher.__init__

        def begin_and_tell(self, make_items, capacity):
            made.append(capacity)
            begin(self, make_items, capacity)

        monkeypatch.setattr(module.Prefetcher, "__init__", begin_and_tell)
        data = ImageFolder(animals, size=4, cache="memory")
        loaders = DataLoader(data, 4, shuffle=True), DataLoader(data, 4, shuffle=True, prefetch=1)
        for limit, expected in ((math.inf, [2, 1]), (math.inf, [1]), (0.0, [2, 1])):
            monkeypatch.setattr(module, "QUICK", limit)
            made.clear()
            assert same(*map(batches, loaders))
            assert made == expected

    @pytest.mark.parametrize("prefetch", [0, 2])
    def test_small_batches_are_made_several_at_a_time(self, animals, monkeypatch, prefetch):
        from drivetrain.augment import Compose, Normalize, RandomCrop, RandomHorizontalFlip
        from drivetrain.data import loader as module

        sizes = []

        class Watched(Compose):
            def transform_samples(self, batch, epoch, first):
                sizes.append(len(batch[0]))
                return super().transform_samples(batch, epoch, first)

        def new(kind=Compose):
            change = kind([RandomCrop(3), RandomHorizontalFlip(), Normalize(0.5, 0.5)], seed=1)
            data = ImageFolder(animals, size=4, cache="memory")
            return DataLoader(data, 2, shuffle=True, batch_transform=change, prefetch=prefetch)

        monkeypatch.setattr(module, "AT_ONCE", math.inf)
        monkeypatch.setattr(module, "MOST_AT_ONCE", 3)
        watched = new(Watched)
        monkeypatch.setattr(watched, "_batches_at_once", lambda arrays: 3)
        together = [batches(watched) for _ in range(3)]
        assert sizes == 3 * [6, 3]
        alone = new()
        monkeypatch.setattr(alone, "_batches_at_once", lambda arrays: 1)
        assert all(same(mine, batches(alone)) for mine in together)
        resumed = new(Watched)
        monkeypatch.setattr(resumed, "_batches_at_once", lambda arrays: 3)
        for number, _ in enumerate(resumed):
            if number == 1:
                break
        again = new()
        again.load_state_dict(resumed.state_dict())
        assert same(batches(again), together[0][2:])

    def test_who_looks_at_the_rest_of_a_batch_gets_it_alone(self, animals):
        from drivetrain.augment import Compose, RandomHorizontalFlip
        from drivetrain.data import CutMix

        flips = Compose([RandomHorizontalFlip()])
        for change, expected in ((flips, True), (CutMix(num_classes=3), False), (Recorder(), False)):
            loader = DataLoader(ImageFolder(animals, size=4), 2, batch_transform=change)
            loader._quickest = 1e-9
            assert (loader._batches_at_once(None) > 1) is expected

    def test_an_error_comes_behind_the_batches_before_it(self, animals, monkeypatch):
        from drivetrain.augment import RandomHorizontalFlip

        data = ImageFolder(animals, size=4)
        os.unlink(data.paths[5])
        loader = DataLoader(data, 2, batch_transform=RandomHorizontalFlip(seed=0), prefetch=0)
        monkeypatch.setattr(loader, "_batches_at_once", lambda arrays: 4)
        seen = []
        with pytest.raises(ValueError, match=r"does not exist$"):
            seen.extend(loader)
        assert len(seen) == 2

    def test_parts_of_folders(self, animals):
        data = Subset(ImageFolder(animals, Recorder(), size=4), [8, 3])
        loader = DataLoader(data, 1)
        assert [(int(images[0, 0, 0, 0]), int(labels)) for images, labels in loader] == [(0, 2), (1, 1)]
        assert (data.classes, data.targets) == (["bee", "cat", "dog"], [2, 1])
        assert "dataset" in loader.state_dict()

    def test_images_of_many_sizes_are_cut_to_one(self, animals):
        from drivetrain.augment import Compose, RandomHorizontalFlip, RandomResizedCrop

        change = Compose([RandomResizedCrop(16), RandomHorizontalFlip()], seed=1)
        early = batches(DataLoader(ImageFolder(animals, transform=change), 4, shuffle=True))
        late = batches(DataLoader(ImageFolder(animals), 4, shuffle=True, batch_transform=change))
        assert [images.shape for images, _ in early] == [(4, 16, 16, 3), (4, 16, 16, 3), (1, 16, 16, 3)]
        assert same(early, late)

    def test_augmented_training_has_the_same_bits_for_any_threads(self, animals, many_threads):
        from drivetrain import nn
        from drivetrain.augment import Compose, RandomAffine, RandomHorizontalFlip

        found = []
        before = dt.get_num_threads()
        try:
            for threads in (0, 1, 2, 3, 4):
                dt.set_num_threads(max(threads, 1))
                dt.manual_seed(0)
                model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))
                model.compile(optimizer="adam", loss="cross_entropy")
                change = Compose([RandomAffine(20, (0.2, 0.2)), RandomHorizontalFlip()], seed=1)
                data = ImageFolder(animals, size=8, threads=threads, cache="memory" if threads == 3 else None)
                model.fit(
                    DataLoader(data, 4, shuffle=True, batch_transform=change, prefetch=threads % 3),
                    epochs=3,
                    verbose=0,
                )
                found.append([np.asarray(each.detach()).copy() for each in model.parameters()])
        finally:
            dt.set_num_threads(before)
        for other in found[1:]:
            assert all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))

    def test_collate_fn_gets_transformed_samples(self, animals):
        data = ImageFolder(animals, Recorder(), size=4)
        loader = DataLoader(data, 4, collate_fn=lambda samples: [int(image[0, 0, 0]) for image, _ in samples])
        assert [list(loader), list(loader)][1] == [[100, 101, 102, 103], [104, 105, 106, 107], [108]]

    def test_resumes_in_the_middle(self, animals):
        def new():
            return DataLoader(ImageFolder(animals, Recorder(), size=8), 2, shuffle=True, seed=3)

        whole = new()
        expected = batches(whole) + batches(whole)
        first = new()
        seen = []
        for _ in range(2):
            for batch in first:
                seen.append(batch)
                if len(seen) == 7:
                    break
        state = first.state_dict()
        second = new()
        second.load_state_dict(state)
        assert same(expected[7:], batches(second))

    def test_the_state_knows_files_and_decoder(self, animals):
        state = DataLoader(ImageFolder(animals, reader=ImageReader(8, decoder="pillow")), 2).state_dict()
        assert state["dataset"]["decoder"] == "pillow"
        other = DataLoader(ImageFolder(animals, reader=ImageReader(9, decoder="pillow")), 2)
        with pytest.raises(ValueError, match=r"the state has size \[8, 8\], here it is \[9, 9\]"):
            other.load_state_dict(state)
        changed = dict(state, dataset=dict(state["dataset"], decoder="simplejpeg"))
        mine = DataLoader(ImageFolder(animals, reader=ImageReader(8, decoder="pillow")), 2)
        with pytest.raises(ValueError, match="decoder 'simplejpeg', here it is 'pillow'"):
            mine.load_state_dict(changed)
        (animals / "cat" / "1.png").rename(animals / "cat" / "5.png")
        renamed = DataLoader(ImageFolder(animals, reader=ImageReader(8, decoder="pillow")), 2)
        with pytest.raises(ValueError, match="other files"):
            renamed.load_state_dict(state)

    def test_fit_takes_it(self, animals):
        from drivetrain import nn

        data = ImageFolder(animals, size=4, threads=2)
        model = nn.Sequential(nn.Flatten(), nn.Linear(48, 3))
        model.compile(optimizer="adam", loss="cross_entropy", metrics=["accuracy"])
        history = model.fit(DataLoader(data, 4, shuffle=True), epochs=2, verbose=0)
        assert len(history.history["loss"]) == 2
        assert model.predict(DataLoader(ImageFiles(data.paths, size=4), 4)).shape == (9, 3)


class TestCache:
    @pytest.mark.parametrize("size", [8, None])
    @pytest.mark.parametrize("kind", ["memory", "file"])
    def test_same_pixels_and_no_second_read(self, animals, tmp_path, size, kind, monkeypatch):
        plain = DataLoader(ImageFolder(animals, size=size), 1 if size is None else 4, shuffle=True)
        expected = batches(plain) + batches(plain)
        data = ImageFolder(
            animals, size=size, cache="memory" if kind == "memory" else tmp_path / "c" / "images"
        )
        loader = DataLoader(data, plain.batch_size, shuffle=True)
        first = batches(loader)
        monkeypatch.setattr(ImageReader, "read", lambda *_: pytest.fail("read again"))
        assert same(expected, first + batches(loader))

    def test_file_outlives_the_process_and_follows_its_sources(self, animals, tmp_path, monkeypatch):
        path = tmp_path / "images.cache"
        first = ImageFolder(animals, size=8, cache=path)
        expected = first.take(np.arange(9))[0]
        assert path.exists()
        assert sorted(os.listdir(tmp_path)) == ["animals", "images.cache"]
        reads = []
        read = ImageReader.read
        monkeypatch.setattr(ImageReader, "read", lambda *a: (reads.append(a[1]), read(*a))[1])
        again = ImageFolder(animals, size=8, cache=path)
        np.testing.assert_array_equal(again.take(np.arange(9))[0], expected)
        np.testing.assert_array_equal(again.take(np.array([4, 4, 0]))[0], expected[[4, 4, 0]])
        assert not reads
        # Another size, another set of files, a file that changed: made anew.
        ImageFolder(animals, size=9, cache=path).fill_cache()
        assert len(reads) == 9
        ImageFolder(animals, size=8, cache=path).fill_cache()
        save(animals / "cat" / "1.png", smooth(30, 30, seed=99))
        changed = ImageFolder(animals, size=8, cache=path).take(np.arange(9))[0]
        assert len(reads) == 27
        assert not np.array_equal(changed[3], expected[3])
        np.testing.assert_array_equal(np.delete(changed, 3, 0), np.delete(expected, 3, 0))

    def test_damage_is_noticed(self, animals, tmp_path):
        path = tmp_path / "images.cache"
        data = ImageFolder(animals, size=8, cache=path)
        expected = data.take(np.arange(9))[0]
        del data
        whole = path.read_bytes()
        rng = np.random.default_rng(0)
        places = [0, 25, 40, 60, 4096, 4100, len(whole) - 1, len(whole) - 90, *rng.integers(0, len(whole), 8)]
        for place in places:
            broken = bytearray(whole)
            broken[place] ^= 0x41
            path.write_bytes(broken)
            found = ImageFolder(animals, size=8, cache=path).take(np.arange(9))[0]
            np.testing.assert_array_equal(found, expected)
        for length in (0, 10, 4096, len(whole) - 1):
            path.write_bytes(whole[:length])
            found = ImageFolder(animals, size=8, cache=path).take(np.arange(9))[0]
            np.testing.assert_array_equal(found, expected)
            assert path.read_bytes()[:20] == whole[:20]

    def test_it_is_read_while_it_gets_its_name(self, animals, tmp_path, monkeypatch):
        """A thread that reads from the unfinished file goes on with it."""
        data = ImageFolder(animals, size=8, cache=tmp_path / "images")
        expected = data.take(np.arange(8))[0]
        pread = os.pread

        def late(descriptor, *place):
            if not data._cache.is_complete:
                data._read_one(8, None)  # the last one
            return pread(descriptor, *place)

        monkeypatch.setattr(os, "pread", late)
        np.testing.assert_array_equal(data.take(np.array([3]))[0], expected[[3]])
        assert data._cache.is_complete

    def test_an_unfinished_file_goes(self, animals, tmp_path):
        path = tmp_path / "c" / "images"
        data = ImageFolder(animals, size=8, cache=path)
        data.take(np.arange(3))
        assert [name.endswith(".tmp") for name in os.listdir(path.parent)] == [True]
        del data
        assert os.listdir(path.parent) == []

    def test_skipped_images(self, animals, tmp_path):
        (animals / "cat" / "1.png").write_bytes(b"broken")
        path = tmp_path / "images"
        for _ in range(2):
            data = ImageFolder(animals, size=8, on_error="skip", cache=path)
            loader = DataLoader(data, 4)
            assert [[len(labels) for _, labels in loader] for _ in range(2)] == [[3, 4, 1]] * 2
            assert path.exists()

    def test_a_full_disk_costs_the_cache_only(self, animals, tmp_path, monkeypatch):
        from drivetrain.data import image_cache

        def fail(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(image_cache, "write_at", fail)
        expected = ImageFolder(animals, size=8).take(np.arange(9))[0]
        data = ImageFolder(animals, size=8, cache=tmp_path / "c" / "images")
        with pytest.warns(RuntimeWarning, match="No space left on device"):
            np.testing.assert_array_equal(data.take(np.arange(9))[0], expected)
        np.testing.assert_array_equal(data.take(np.arange(9))[0], expected)
        assert os.listdir(tmp_path / "c") == []

    def test_memory_that_is_not_there_is_refused(self, animals):
        data = ImageFolder(animals, size=60_000, cache="memory")
        with pytest.raises(MemoryError, match="name a file instead"):
            data.take(np.arange(1))


class TestShow:
    def test_titles_and_pixels(self, animals, tmp_path):
        pytest.importorskip("matplotlib")
        data = ImageFolder(animals, size=8)
        loader = DataLoader(data, 4, shuffle=True)
        expected = batches(loader)[0]
        fresh = DataLoader(data, 4, shuffle=True)
        figure = fresh.show_batch(3, path=tmp_path / "batch.png")
        assert (tmp_path / "batch.png").stat().st_size > 1000
        titles = [axes.get_title() for axes in figure.axes]
        assert titles == [data.classes[label] for label in expected[1][:3]]
        shown = figure.axes[1].images[0].get_array()
        np.testing.assert_allclose(shown, expected[0][1] / 255, atol=1e-6)
        # Looking changes nothing.
        assert same(batches(fresh), expected_epoch := batches(DataLoader(data, 4, shuffle=True)))
        assert len(expected_epoch) == 3
        assert len(data.show_batch(20).axes) == 9

    def test_soft_labels_and_floats(self):
        pytest.importorskip("matplotlib")
        from drivetrain.data import show_images

        images = np.random.default_rng(0).normal(size=(2, 4, 4, 1)).astype(np.float32)
        figure = show_images((images, np.array([[0.7, 0.3], [0, 1]], np.float32)), class_names=["a", "b"])
        assert [axes.get_title() for axes in figure.axes] == ["a 0.70, b 0.30", "b"]
        shown = np.stack([axes.images[0].get_array() for axes in figure.axes])
        assert shown.min() == 0
        assert shown.max() == 1
        with pytest.raises(ValueError, match=r"got shape \(3, 5\)"):
            show_images(np.zeros((3, 5)))
