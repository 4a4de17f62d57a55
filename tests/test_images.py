"""Image files: folders, reading, bad files, data sets."""

import contextlib
import os
import threading
import zlib

import numpy as np
import pytest

from drivetrain.data import (
    DataLoader,
    ImageError,
    ImageFiles,
    ImageFolder,
    ImageReader,
    scan_directory,
)
from image_tools import Image, batches, same, save, smooth

HAS_SIMPLEJPEG = ImageReader().decoder == "simplejpeg"
DECODERS = [
    "pillow",
    pytest.param("simplejpeg", marks=pytest.mark.skipif(not HAS_SIMPLEJPEG, reason="absent")),
]


class TestScan:
    def test_order_and_classes(self, tmp_path):
        for name in (
            "b/2.png",
            "b/10.png",
            "b/deep/1.PNG",
            "a/x.jpeg",
            "a/.hidden.png",
            "a/notes.txt",
            ".git/1.png",
        ):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        (tmp_path / "loose.png").touch()
        found = scan_directory(tmp_path)
        assert found.classes == ["a", "b"]
        assert found.class_to_idx == {"a": 0, "b": 1}
        assert found.labels.tolist() == [0, 1, 1, 1]
        names = [os.path.relpath(path, tmp_path) for path in found.paths]
        assert names == ["a/x.jpeg", "b/10.png", "b/2.png", "b/deep/1.PNG"]
        assert scan_directory(tmp_path, classes=["b", "a"]).labels.tolist() == [0, 0, 0, 1]
        assert scan_directory(tmp_path, extensions=["txt"], allow_empty=True).paths == [
            str(tmp_path / "a/notes.txt")
        ]
        assert len(scan_directory(tmp_path, labels=None)) == 5

    def test_part_divides_every_class(self, tmp_path):
        for name, count in (("a", 5), ("b", 10)):
            (tmp_path / name).mkdir()
            for i in range(count):
                (tmp_path / name / f"{i}.png").touch()
        whole = scan_directory(tmp_path)
        first, second = whole.part(0, 0.3), whole.part(0.3, 1)
        assert np.bincount(first.labels).tolist() == [1, 3]
        assert sorted(first.paths + second.paths) == sorted(whole.paths)
        with pytest.raises(ValueError, match="shares from 0 to 1"):
            whole.part(0.5, 0.2)

    def test_links(self, tmp_path):
        outside = tmp_path / "outside"
        save(outside / "1.png", smooth(4, 4))
        root = tmp_path / "root"
        save(root / "a" / "0.png", smooth(4, 4))
        (root / "a" / "loop").symlink_to(root)
        (root / "a" / "more").symlink_to(outside)
        (root / "a" / "same").symlink_to(outside)
        (root / "a" / "2.png").symlink_to(outside / "1.png")
        (root / "b").symlink_to(outside)
        assert len(scan_directory(root)) == 3
        followed = [os.path.relpath(path, root) for path in scan_directory(root, follow_links=True).paths]
        # The loop ends: each folder is read once per class, by its first name.
        assert followed == ["a/0.png", "a/2.png", "a/more/1.png", "b/1.png"]

    def test_pipes_are_no_images(self, tmp_path):
        save(tmp_path / "a" / "0.png", smooth(4, 4))
        os.mkfifo(tmp_path / "a" / "pipe.png")
        assert len(scan_directory(tmp_path)) == 1

    def test_errors(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="none' does not exist"):
            ImageFolder(tmp_path / "none")
        (tmp_path / "file").touch()
        with pytest.raises(NotADirectoryError, match="file is no folder"):
            scan_directory(tmp_path / "file")
        with pytest.raises(ValueError, match="no class folders, but nothing of use"):
            ImageFolder(tmp_path)
        (tmp_path / "1.png").touch()
        with pytest.raises(ValueError, match="1 images directly in it; expected a folder for each class"):
            ImageFolder(tmp_path)
        (tmp_path / "a").mkdir()
        with pytest.raises(ValueError, match="class folders without images: a"):
            ImageFolder(tmp_path)
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "1.png").touch()
        with pytest.raises(ValueError, match="class folders without images: a"):
            ImageFolder(tmp_path)
        assert ImageFolder(tmp_path, allow_empty=True).class_counts() == {"a": 0, "b": 1}
        with pytest.raises(ValueError, match="no folder 'c'; it has a, b"):
            scan_directory(tmp_path, classes=["a", "c"])
        with pytest.raises(ValueError, match="different names"):
            scan_directory(tmp_path, classes=["b", "b"])
        with pytest.raises(TypeError, match="extensions is 'png'"):
            scan_directory(tmp_path, extensions="png")
        with pytest.raises(ValueError, match="labels is 'x'"):
            scan_directory(tmp_path, labels="x")


class TestReader:
    """The documented rules of color modes."""

    def read(self, path, **options):
        return ImageReader(**options).read(path)

    def test_palette_with_transparency(self, tmp_path):
        image = Image.new("P", (2, 1))
        image.putpalette([255, 0, 0, 0, 0, 255])
        image.putdata([0, 1])
        path = save(tmp_path / "p.png", image, transparency=1)
        assert self.read(path).tolist() == [[[255, 0, 0], [255, 255, 255]]]
        assert self.read(path, color_mode="rgba").tolist() == [[[255, 0, 0, 255], [0, 0, 255, 0]]]
        assert self.read(path, background=None).tolist() == [[[255, 0, 0], [0, 0, 255]]]

    def test_alpha_is_laid_on_the_background(self, tmp_path):
        path = save(tmp_path / "a.png", np.array([[[100, 0, 0, 255], [9, 9, 9, 0]]], np.uint8))
        assert self.read(path).tolist() == [[[100, 0, 0], [255, 255, 255]]]
        assert self.read(path, background=0).tolist() == [[[100, 0, 0], [0, 0, 0]]]
        assert self.read(path, color_mode="grayscale").tolist() == [[[30], [255]]]
        grey = save(
            tmp_path / "la.png", Image.merge("LA", [Image.new("L", (1, 1), 50), Image.new("L", (1, 1), 0)])
        )
        assert self.read(grey, color_mode="grayscale").tolist() == [[[255]]]

    def test_16_bits(self, tmp_path):
        path = save(tmp_path / "16.png", np.array([[0, 257, 32896, 65535]], np.uint16))
        assert self.read(path, color_mode="grayscale")[..., 0].tolist() == [[0, 1, 128, 255]]
        assert self.read(path)[..., 2].tolist() == [[0, 1, 128, 255]]
        floats = save(tmp_path / "f.tif", np.array([[-5, 3.6, np.nan, 400]], np.float32))
        assert self.read(floats, color_mode="grayscale")[..., 0].tolist() == [[0, 4, 0, 255]]

    def test_black_and_white_grey_and_cmyk(self, tmp_path):
        bits = save(tmp_path / "1.png", Image.fromarray(np.array([[True, False]])))
        assert self.read(bits)[0, :, 0].tolist() == [255, 0]
        grey = save(tmp_path / "l.png", np.full((3, 2), 7, np.uint8))
        assert self.read(grey).tolist() == [[[7, 7, 7]] * 2] * 3
        cmyk = save(tmp_path / "c.jpg", Image.new("CMYK", (8, 8), (0, 255, 255, 0)), quality=95)
        red = self.read(cmyk)
        assert red.shape == (8, 8, 3)
        assert red[..., 0].min() > 240
        assert red[..., 1:].max() < 15

    @pytest.mark.parametrize("decoder", DECODERS)
    def test_photographs_of_phones_hold_several(self, tmp_path, decoder):
        first, second = (Image.fromarray(smooth(64, 80, seed=seed)) for seed in (1, 2))
        path = tmp_path / "a.jpg"
        first.save(path, "MPO", save_all=True, append_images=[second])
        first.save(tmp_path / "b.jpg")
        for size in (None, 8):
            expected = self.read(tmp_path / "b.jpg", size=size, decoder="pillow")
            np.testing.assert_array_equal(self.read(path, size=size, decoder=decoder), expected)

    def test_programs_are_no_images(self, tmp_path):
        path = tmp_path / "a.png"
        Image.new("RGB", (4, 4)).save(path, "EPS")
        with pytest.raises(ImageError, match="is no image that Pillow can read"):
            self.read(path)

    def test_animation_gives_its_first_image(self, tmp_path):
        frames = [Image.new("RGB", (3, 2), color) for color in ("red", "blue")]
        path = tmp_path / "a.gif"
        frames[0].save(path, save_all=True, append_images=frames[1:])
        assert self.read(path)[0, 0].tolist() == [255, 0, 0]

    @pytest.mark.parametrize("decoder", DECODERS)
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_photographs_are_turned_upright(self, tmp_path, decoder, orientation):
        from PIL import ImageOps

        exif = Image.Exif()
        exif[0x0112] = orientation
        path = save(tmp_path / "t.jpg", smooth(16, 32), exif=exif, quality=95)
        with Image.open(path) as image:
            upright, stored = np.asarray(ImageOps.exif_transpose(image)), np.asarray(image)
        assert upright.shape[:2] == ((16, 32) if orientation <= 4 else (32, 16))
        np.testing.assert_array_equal(self.read(path, decoder=decoder), upright)
        np.testing.assert_array_equal(self.read(path, decoder=decoder, orientation=False), stored)

    @pytest.mark.parametrize("decoder", DECODERS)
    @pytest.mark.parametrize("size", [None, (10, 12), (60, 80), (120, 161), (200, 50)])
    def test_jpeg_is_close_whatever_decodes_and_scales_it(self, tmp_path, decoder, size):
        path = save(tmp_path / "a.jpg", smooth(120, 161, seed=3), quality=90)
        for mode in ("rgb", "grayscale"):
            reference = self.read(path, size=size, color_mode=mode, decoder="pillow", scaled_decoding=False)
            pixels = self.read(path, size=size, color_mode=mode, decoder=decoder)
            assert pixels.shape == reference.shape
            difference = np.abs(pixels.astype(int) - reference)
            # Decoded at a quarter of the size, edges come out a little different.
            is_scaled = size == (10, 12)
            assert difference.max() <= (30 if is_scaled else 2)
            assert difference.mean() < (5 if is_scaled else 0.5)

    def test_scaled_decoding_does_less(self, tmp_path, monkeypatch):
        path = save(tmp_path / "a.jpg", smooth(256, 256))
        asked = []
        from PIL import JpegImagePlugin

        draft = JpegImagePlugin.JpegImageFile.draft
        monkeypatch.setattr(
            JpegImagePlugin.JpegImageFile,
            "draft",
            lambda self, mode, size: (draft(self, mode, size), asked.append(self.size))[0],
        )
        for size in (None, 100, 64, 16, 2):
            self.read(path, size=size, decoder="pillow")
        assert asked == [(256, 256), (256, 256), (128, 128), (32, 32), (32, 32)]

    def test_aspects(self, tmp_path):
        pixels = np.zeros((4, 8, 3), np.uint8)
        pixels[:, 2:6] = 200
        path = save(tmp_path / "a.png", pixels)
        assert self.read(path, size=4, aspect="crop").min() == 200
        assert self.read(path, size=(4, 4), interpolation="nearest")[0, :, 0].tolist() == [0, 200, 200, 0]
        padded = self.read(path, size=8, aspect="pad", padding=9)
        assert padded[:2].tolist() == [[[9] * 3] * 8] * 2
        np.testing.assert_array_equal(padded[2:6], pixels)
        with Image.open(path) as image:
            expected = np.asarray(image.resize((3, 5), Image.Resampling.BICUBIC))
        np.testing.assert_array_equal(self.read(path, size=(5, 3), interpolation="bicubic"), expected)

    def test_into_a_buffer(self, tmp_path):
        for name in ("a.png", "b.jpg"):
            path = save(tmp_path / name, smooth(9, 7))
            out = np.zeros((9, 7, 3), np.uint8)
            reader = ImageReader((9, 7))
            assert reader.read(path, out) is out
            np.testing.assert_array_equal(out, reader.read(path))

    def test_arguments(self):
        with pytest.raises(ValueError, match=r"color_mode must be one of .*got 'bgr'"):
            ImageReader(color_mode="bgr")
        with pytest.raises(ValueError, match=r"interpolation must be one of .*got 'spline'"):
            ImageReader(interpolation="spline")
        with pytest.raises(ValueError, match="aspect must be one of"):
            ImageReader(aspect="fill")
        with pytest.raises(ValueError, match="size must be an integer from 1 to 65536, got 0"):
            ImageReader(size=(0, 5))
        with pytest.raises(ValueError, match=r"size is \(1, 2, 3\)"):
            ImageReader(size=(1, 2, 3))
        with pytest.raises(TypeError, match=r"size must be .*got 2\.5"):
            ImageReader(size=(2.5, 3))
        with pytest.raises(ValueError, match="background must be an integer from 0 to 255, got 256"):
            ImageReader(background=256)
        with pytest.raises(TypeError, match="no argument 'colour_mode'; did you mean 'color_mode'"):
            ImageReader(colour_mode="rgb")


class TestBadFiles:
    def test_each_is_named(self, tmp_path):
        reader = ImageReader()
        text = tmp_path / "text.jpg"
        text.write_text("no image")
        with pytest.raises(ImageError, match=r"text\.jpg is no image that Pillow can read"):
            reader.read(text)
        empty = tmp_path / "empty.png"
        empty.touch()
        with pytest.raises(ImageError, match=r"empty\.png is empty"):
            reader.read(empty)
        with pytest.raises(ImageError, match="is a folder"):
            reader.read(tmp_path)
        with pytest.raises(FileNotFoundError):
            reader.read(tmp_path / "none.png")
        for name in ("a.jpg", "a.png"):
            data = save(tmp_path / name, smooth(40, 40)).read_bytes()
            (tmp_path / name).write_bytes(data[: len(data) // 2])
            with pytest.raises(ImageError, match=rf"{name} is truncated or damaged"):
                reader.read(tmp_path / name)

    @pytest.mark.parametrize("compression", ["tiff_adobe_deflate", "tiff_lzw", "jpeg"])
    def test_damaged_tiffs_say_it_once(self, tmp_path, capfd, compression):
        path = tmp_path / "a.tif"
        Image.fromarray(smooth(40, 48)).save(path, compression=compression)
        whole = path.read_bytes()
        named = []
        for place in range(8, len(whole), max(len(whole) // 60, 1)):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x5A]) + whole[place + 1 :])
            try:
                assert ImageReader().read(path).dtype == np.uint8
            except ImageError as error:
                named.append(str(path) in str(error))
        assert named
        assert all(named)
        if os.path.exists("/proc/self/maps"):
            assert capfd.readouterr().err == ""

    def test_one_pixel(self, tmp_path):
        for name in ("a.png", "a.jpg", "a.gif"):
            path = save(tmp_path / name, np.full((1, 1, 3), 200, np.uint8))
            assert ImageReader().read(path).shape == (1, 1, 3)
            assert np.ptp(ImageReader(5).read(path)) <= 3
            for aspect in ("crop", "pad"):
                assert ImageReader((4, 9), aspect=aspect).read(path).shape == (4, 9, 3)

    def test_too_large_is_refused_before_memory_is_taken(self, tmp_path):
        # The header alone says 20,000 x 20,000.
        def chunk(kind, data):
            body = kind + data
            return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

        size = (20_000).to_bytes(4, "big")
        head = chunk(b"IHDR", size + size + bytes([8, 2, 0, 0, 0]))
        png = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
        path = tmp_path / "large.png"
        path.write_bytes(png)
        with pytest.raises(ImageError, match=r"large\.png has .*pixels"):
            ImageReader().read(path)
        small = save(tmp_path / "small.png", smooth(10, 10))
        with pytest.raises(ImageError, match="10 x 10 pixels, more than the 99 of max_pixels"):
            ImageReader(max_pixels=99).read(small)
        assert ImageReader(max_pixels=100).read(small).shape == (10, 10, 3)

    @pytest.mark.parametrize("decoder", DECODERS)
    def test_the_limit_holds_for_jpeg(self, tmp_path, decoder):
        path = save(tmp_path / "a.jpg", smooth(10, 10))
        with pytest.raises(ImageError, match="10 x 10 pixels, more than the 99"):
            ImageReader(max_pixels=99, decoder=decoder).read(path)

    @pytest.mark.filterwarnings("ignore")
    @pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "bmp", "webp", "tif"])
    def test_mutants_never_crash(self, tmp_path, suffix):
        """Every mutated file gives an image or an ImageError."""
        data = save(tmp_path / f"a.{suffix}", smooth(24, 24)).read_bytes()
        rng = np.random.default_rng(len(suffix) + data[5])
        readers = [ImageReader(decoder="pillow", max_pixels=10**6), ImageReader(8, max_pixels=10**6)]
        read = 0
        for trial in range(150):
            bytes_ = bytearray(data)
            for place in rng.integers(0, len(data), rng.integers(1, 8)):
                bytes_[place] = rng.integers(256)
            if trial % 3 == 0:
                del bytes_[int(rng.integers(len(bytes_))) :]
            for reader in readers:
                with contextlib.suppress(ImageError):
                    pixels = reader.decode(bytes(bytes_))
                    read += pixels.dtype == np.uint8 and pixels.ndim == 3
        assert 0 < read < 300

    def test_raise_names_the_file(self, animals):
        (animals / "cat" / "1.png").write_bytes(b"broken")
        with pytest.raises(ImageError, match=r"cat.1\.png is no image"):
            list(DataLoader(ImageFolder(animals, size=8), 4))

    def test_skip_leaves_out_and_counts(self, animals, many_threads):
        (animals / "cat" / "1.png").write_bytes(b"broken")
        (animals / "bee" / "9.png").symlink_to(animals / "nothing")
        for size in (8, None):
            for threads in (0, 3):
                data = ImageFolder(animals, size=size, on_error="skip", threads=threads)
                loader = DataLoader(data, 4)
                first, second = [[len(labels) for _, labels in loader] for _ in range(2)]
                assert first == second == [3, 3, 2]
                assert {os.path.basename(path) for path in data.skipped} == {"9.png", "1.png"}
                assert "link to nothing" in data.skipped[str(animals / "bee" / "9.png")]
        assert data.check() == data.skipped
        with pytest.raises(ImageError, match="link to nothing"):
            data[2]

    def test_a_bad_first_image(self, tmp_path):
        for i in range(3):
            save(tmp_path / "a" / f"{i}.png", np.full((4, 5, 3), i, np.uint8))
        (tmp_path / "a" / "0.png").write_bytes(b"broken")
        images, _ = next(iter(DataLoader(ImageFolder(tmp_path, on_error="skip"), 3)))
        assert np.asarray(images)[:, 0, 0, 0].tolist() == [1, 2]

    def test_a_batch_without_any_is_passed_over(self, animals):
        for path in (animals / "bee").iterdir():
            path.write_bytes(b"broken")
        loader = DataLoader(ImageFolder(animals, size=8, on_error="skip"), 2)
        assert [labels.tolist() for _, labels in loader] == [[1, 1], [1, 2], [2, 2], [2]]
        assert loader.state_dict()["epoch"] == 1


class TestDatasets:
    def test_folder(self, animals):
        data = ImageFolder(animals, size=(6, 5))
        assert data.classes == ["bee", "cat", "dog"]
        assert data.class_counts() == {"bee": 2, "cat": 3, "dog": 4}
        assert data.samples[2] == (str(animals / "cat" / "0.jpg"), 1)
        image, label = data[-1]
        assert (image.shape, label) == ((6, 5, 3), 2)
        images, labels = data.take(np.array([8, 0]))
        np.testing.assert_array_equal(images[0], image)
        assert labels.tolist() == [2, 0]
        with pytest.raises(IndexError, match="index 9 of 9 images"):
            data[9]
        with pytest.raises(TypeError, match=r"index is 1\.5"):
            data[1.5]
        assert repr(data) == "ImageFolder(9 images of 3 classes, rgb)"

    def test_reads_what_pillow_reads(self, animals):
        data = ImageFolder(animals)
        for index in range(len(data)):
            with Image.open(data.paths[index]) as image:
                np.testing.assert_array_equal(data[index][0], np.asarray(image))

    def test_sizes_that_differ_stay_a_list(self, animals):
        data = ImageFolder(animals)
        images, _ = data.take(np.arange(3))
        assert [image.shape for image in images] == [(20, 24, 3), (21, 24, 3), (20, 25, 3)]
        images, _ = data.take(np.array([0, 0]))
        assert images.shape == (2, 20, 24, 3)

    def test_transforms(self, animals):
        data = ImageFolder(animals, lambda image: image[:4, :4], lambda label: label * 10)
        images, labels = data.take(np.arange(9))
        assert images.shape == (9, 4, 4, 3)
        assert labels.tolist() == [0, 0, 10, 10, 10, 20, 20, 20, 20]
        assert data[2][1] == 10
        np.testing.assert_array_equal(data[2][0], images[2])

    def test_lists(self, animals):
        paths = scan_directory(animals).paths
        data = ImageFiles(paths, size=4, color_mode="grayscale")
        assert data[0].shape == (4, 4, 1)
        assert next(iter(DataLoader(data, 9))).shape == (9, 4, 4, 1)
        with pytest.raises(ValueError, match="9 paths and 2 labels"):
            ImageFiles(paths, [0, 1])
        with pytest.raises(TypeError, match="expected a list of paths"):
            ImageFiles(str(animals))
        with pytest.raises(TypeError, match="transform is a int"):
            ImageFiles(paths, transform=3)
        with pytest.raises(ValueError, match="reader with size"):
            ImageFiles(paths, reader=ImageReader(), size=3)
        with pytest.raises(ValueError, match="threads must be an integer of at least 0, got -1"):
            ImageFiles(paths, threads=-1)
        with pytest.raises(TypeError, match="no argument 'on_errors'; did you mean 'on_error'"):
            ImageFolder(animals, on_errors="skip")

    def test_tables(self, animals):
        table = animals / "list.csv"
        table.write_text("\ufefflabel,file\n7,bee/0.jpg\n3,cat/0.jpg\n", encoding="utf-8")
        data = ImageFiles.from_csv(table, path_column="file", label_column="label", size=4)
        assert data.labels.tolist() == [7, 3]
        assert data.classes == []
        assert data.take(np.arange(2))[0].shape == (2, 4, 4, 3)
        moved = animals.parent / "list.csv"
        table.rename(moved)
        moved.write_text('file,animal\nbee/0.jpg,bee\n\ndog/0.jpg,"big, dog"\n')
        data = ImageFiles.from_csv(moved, root=animals)
        assert (data.classes, data.labels.tolist()) == (["bee", "big, dog"], [0, 1])
        assert data[1][0].shape == (20, 26, 3)
        with pytest.raises(ValueError, match="no column 'path'; it has file, animal"):
            ImageFiles.from_csv(moved, path_column="path")
        with pytest.raises(ValueError, match="2 columns, none at place 5"):
            ImageFiles.from_csv(moved, label_column=5)
        moved.write_text("file,animal\n1.png\n")
        with pytest.raises(ValueError, match=r"row 2 of .* has 1 columns, expected 2"):
            ImageFiles.from_csv(moved)
        moved.write_text("file,animal\n")
        with pytest.raises(ValueError, match="no lines"):
            ImageFiles.from_csv(moved)
        with pytest.raises(ValueError, match=r"^ImageFiles\.from_csv: path is the folder .*, expected a CSV"):
            ImageFiles.from_csv(animals)

    def test_labels_may_be_rows(self, animals):
        paths = scan_directory(animals).paths[:2]
        data = ImageFiles(paths, np.eye(2, dtype=np.float32), size=4)
        _, labels = next(iter(DataLoader(data, 2)))
        assert labels.tolist() == [[1, 0], [0, 1]]
        assert data[1][1].tolist() == [0, 1]

    def test_threads_do_not_change_bits(self, animals, many_threads):
        for size in (16, None):
            results = []
            for threads in (0, 1, 2, 3, 4):
                data = ImageFolder(animals, size=size, threads=threads)
                loader = DataLoader(data, 1 if size is None else 4, shuffle=True, seed=5)
                results.append(batches(loader) + batches(loader))
            assert all(same(results[0], each) for each in results[1:])

    def test_threads_end_with_the_data_set(self, animals, many_threads):
        before = threading.enumerate()  # of data sets of other tests, which wait for the garbage collector
        data = ImageFolder(animals, size=8, threads=4)
        list(DataLoader(data, 8))
        threads = [thread for thread in threading.enumerate() if thread not in before]
        assert any(thread.name.startswith("drivetrain-read") for thread in threads)
        del data
        for thread in threads:
            thread.join(5)
            assert not thread.is_alive()
