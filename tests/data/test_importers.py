"""Annotations of labelling tools, written by hand in their forms, as data folders."""

import base64
import io
import json
import zlib

import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.commands.import_data import ImportOptions, import_data
from lgcnet_tf.data import load_samples
from lgcnet_tf.data.importers.voc import voc_colors
from lgcnet_tf.errors import InputError

from .folders import save

SIZE = (30, 40)
IMAGE = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
BOX, LATER = np.zeros(SIZE, bool), np.zeros(SIZE, bool)
BOX[5:20, 4:24] = True
LATER[10:15, 10:20] = True


def expected(background=0):
    """A car over a shop: classes background, car, shop."""
    label = np.full(SIZE, background, np.uint8)
    label[BOX], label[LATER] = 2, 1
    return label


def corners(mask):
    """(x, y) of a box' corners; pixels count by their edges."""
    y, x = np.nonzero(mask)
    left, right, top, bottom = x.min(), x.max() + 1, y.min(), y.max() + 1
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def png(array, mode=None):
    buffer = io.BytesIO()
    Image.fromarray(array, mode).save(buffer, "PNG")
    return buffer.getvalue()


def plain(value):
    """JSON of NumPy numbers."""
    return json.dumps(value, default=int)


def imported(tmp_path, format, annotations, split="train", **options):
    out = tmp_path / "out"
    given = ImportOptions(
        format=format, annotations=str(annotations), output_dir=str(out), split=split,
        **options,
    )  # fmt: skip
    result = import_data(given)
    return result, load_samples("folder", split, out)


def check(result, samples, names=("background", "car", "shop")):
    assert result["classes"] == list(names) and result["images"] == len(samples) == 1
    np.testing.assert_array_equal(samples[0].image, IMAGE)
    np.testing.assert_array_equal(samples[0].label, expected())


def coco(tmp_path, car, shop, **image):
    save(tmp_path / "pictures" / "x.png", IMAGE)
    content = {
        "images": [{"id": 7, "file_name": "x.png", "height": 30, "width": 40} | image],
        "categories": [{"id": 9, "name": "shop"}, {"id": 3, "name": "car"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "segmentation": car},
            {"id": 2, "image_id": 7, "category_id": 9, "segmentation": shop},
        ],
    }
    path = tmp_path / "instances.json"
    path.write_text(plain(content))
    return path, {"images": str(tmp_path / "pictures")}


def run_lengths(mask):
    """Runs down the columns, the first one of zeros."""
    flat = np.concatenate([[0], mask.T.ravel().astype(int), [1 - mask.T.ravel()[-1]]])
    runs = np.diff(np.concatenate([[0], np.flatnonzero(np.diff(flat))]))
    return {"size": [*mask.shape], "counts": [int(run) for run in runs]}


def test_coco_polygons_and_run_lengths(tmp_path):
    coco_mask = pytest.importorskip("pycocotools.mask")
    packed = coco_mask.encode(np.asfortranarray(BOX.astype(np.uint8)))
    packed["counts"] = packed["counts"].decode()
    polygon = [np.ravel(corners(BOX)).tolist()]
    for number, shop in enumerate((run_lengths(BOX), packed, polygon)):
        folder = tmp_path / str(number)
        path, images = coco(folder, run_lengths(LATER), shop)
        check(*imported(folder, "coco", path, **images))


def test_labelme_shapes(tmp_path):
    save(tmp_path / "l" / "x.png", IMAGE)
    shapes = [
        {"label": "shop", "shape_type": "rectangle", "points": corners(BOX)[::2]},
        {"label": "car", "shape_type": "mask", "points": [[10, 10], [19, 14]],
         "mask": base64.b64encode(png(LATER[10:15, 10:20])).decode()},
    ]  # fmt: skip
    content = {
        "shapes": shapes,
        "imagePath": "x.png",
        "imageHeight": 30,
        "imageWidth": 40,
    }
    (tmp_path / "l" / "x.json").write_text(plain(content))
    check(*imported(tmp_path, "labelme", tmp_path / "l"))
    (tmp_path / "l" / "x.png").unlink()
    content["imageData"] = base64.b64encode(png(IMAGE)).decode()
    (tmp_path / "l" / "x.json").write_text(plain(content))
    check(*imported(tmp_path / "inside", "labelme", tmp_path / "l"))


def test_cvat_shapes_in_the_order_of_z(tmp_path):
    save(tmp_path / "images" / "v" / "x.png", IMAGE)
    y, x = np.nonzero(LATER)
    left, top, width, height = x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1
    (tmp_path / "annotations.xml").write_text(
        f"""<?xml version="1.0" encoding="utf-8"?>
        <annotations><version>1.1</version><meta><task><labels>
        <label><name>car</name><color>#ff0000</color></label>
        <label><name>shop</name><color>#00ff00</color></label>
        </labels></task></meta>
        <image id="0" name="v/x.png" width="40" height="30">
        <mask label="car" rle="0, {width * height}" left="{left}" top="{top}"
              width="{width}" height="{height}" z_order="1"/>
        <box label="shop" xtl="4.0" ytl="5.0" xbr="24.0" ybr="20.0" z_order="0"/>
        <tag label="car"/>
        </image></annotations>"""
    )
    result, samples = imported(tmp_path, "cvat", tmp_path / "annotations.xml")
    check(result, samples)
    assert samples.names == ("train/v/x",)
    np.testing.assert_array_equal(samples.info.palette[1:], [(255, 0, 0), (0, 255, 0)])


@pytest.mark.parametrize("labelmap", [False, True])
def test_voc_palettes_and_lists(tmp_path, labelmap):
    root = tmp_path / "voc"
    save(root / "JPEGImages" / "x.png", IMAGE)
    save(root / "JPEGImages" / "other.png", IMAGE)
    label = expected()
    names = ("background", "car", "shop")
    colors = np.array([*voc_colors(21)])
    if labelmap:
        lines = [f"{n}:{','.join(map(str, c))}::" for n, c in zip(names, colors)]
        (root / "labelmap.txt").write_text(
            "# label:color_rgb:parts:actions\n" + "\n".join(lines)
        )
        save(root / "SegmentationClass" / "x.png", colors[label].astype(np.uint8))
    else:
        stored = np.where(label == 1, 7, np.where(label == 2, 20, 0)).astype(np.uint8)
        stored[0, 0] = 255
        picture = Image.fromarray(stored)
        palette = np.zeros((256, 3), np.uint8)
        palette[:21], palette[255] = colors, (224, 224, 192)
        picture.putpalette(palette.tobytes())
        (root / "SegmentationClass").mkdir()
        picture.save(root / "SegmentationClass" / "x.png")
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("x\n")
    result, samples = imported(tmp_path, "voc", root)
    if labelmap:
        check(result, samples)
    else:
        assert result["classes"][7] == "car" and result["classes"][20] == "tvmonitor"
        np.testing.assert_array_equal(samples[0].label, stored)
    with pytest.raises(InputError, match="val.txt: no such list. There are: train"):
        imported(tmp_path, "voc", root, "val")


def test_vocs_colours():
    found = voc_colors(21)  # as the development kit lists them
    assert found[1:5] == [(128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128)]
    assert found[15] == (192, 128, 128) and found[20] == (0, 64, 128)


def test_supervisely_bitmaps_and_holes(tmp_path):
    root = tmp_path / "project"
    save(root / "ds0" / "img" / "x.png", IMAGE)
    part = np.zeros((5, 10, 4), np.uint8)
    part[:] = 255
    objects = [
        {"classTitle": "shop", "geometryType": "rectangle",
         "points": {"exterior": corners(BOX)[::2], "interior": []}},
        {"classTitle": "car", "geometryType": "bitmap", "bitmap": {
            "origin": [10, 10],
            "data": base64.b64encode(zlib.compress(png(part))).decode()}},
    ]  # fmt: skip
    meta = {"classes": [{"title": "car", "color": "#FF0000", "shape": "bitmap"},
                        {"title": "shop", "color": "#00FF00", "shape": "polygon"}]}  # fmt: skip
    (root / "meta.json").write_text(json.dumps(meta))
    (root / "ds0" / "ann").mkdir()
    file = root / "ds0" / "ann" / "x.png.json"
    size = {"height": 30, "width": 40}
    file.write_text(plain({"size": size, "objects": objects}))
    result, samples = imported(tmp_path, "supervisely", root)
    check(result, samples)
    outline = [[2, 2], [37, 2], [37, 27], [2, 27]]
    hole = [[10, 10], [30, 10], [30, 20], [10, 20]]
    objects = [{"classTitle": "shop", "geometryType": "polygon",
                "points": {"exterior": outline, "interior": [hole]}}]  # fmt: skip
    file.write_text(plain({"size": size, "objects": objects}))
    _, samples = imported(tmp_path / "b", "supervisely", root)
    label = samples[0].label
    assert (label[12:19, 12:29] == 0).all() and (label[3:9, 3:36] == 2).all()
    assert (label[:2] == 0).all() and (label[:, 38:] == 0).all()


def test_label_studio_in_per_cent(tmp_path):
    save(tmp_path / "pictures" / "x.png", IMAGE)

    def region(kind, label, **value):
        size = {"original_width": 40, "original_height": 30}
        return {"type": kind, "value": {kind: [label]} | value, **size}

    box = {"x": 10, "y": 100 / 6, "width": 50, "height": 50, "rotation": 0}
    small = {"x": 25, "y": 100 / 3, "width": 25, "height": 100 / 6}
    task = {
        "id": 5, "data": {"image": "/data/upload/1/0a1b2c3d-x.png"},
        "annotations": [
            {"was_cancelled": True, "result": [region("brushlabels", "shop")]},
            {"result": [region("rectanglelabels", "shop", **box),
                        region("rectanglelabels", "car", **small),
                        {"type": "choices", "value": {"choices": ["good"]}}]},
        ],
    }  # fmt: skip
    path = tmp_path / "export.json"
    path.write_text(json.dumps([task]))
    options = {"images": str(tmp_path / "pictures")}
    result, samples = imported(tmp_path, "label_studio", path, **options)
    check(result, samples)
    points = [[10, 10], [90, 10], [90, 90], [10, 90]]
    task["annotations"] = [{"result": [region("polygonlabels", "car", points=points)]}]
    path.write_text(json.dumps([task]))
    _, samples = imported(tmp_path / "b", "label_studio", path, **options)
    inside = np.zeros(SIZE, bool)
    inside[3:27, 4:36] = True
    assert ((samples[0].label == 1) ^ inside).sum() < 2 * (24 + 32 + 4)
    task["annotations"] = [{"result": [region("brushlabels", "car", rle=[1])]}]
    path.write_text(json.dumps([task]))
    with pytest.raises(InputError, match="task 5: a brush, .*export it as COCO"):
        imported(tmp_path / "c", "label_studio", path, **options)


def test_bad_annotations_are_named_and_the_others_done(tmp_path, capsys):
    pytest.importorskip("pycocotools")
    path, images = coco(tmp_path, run_lengths(LATER), run_lengths(BOX))
    content = json.loads(path.read_text())
    for number, segmentation in enumerate(
        ([], [[1, 2, 3, 4]], {"size": [1, 1], "counts": [1]})
    ):
        name = f"bad{number}.png"
        save(tmp_path / "pictures" / name, IMAGE)
        content["images"].append(
            {"id": number, "file_name": name, "height": 30, "width": 40}
        )
        content["annotations"].append({"id": 50 + number, "image_id": number,
                                       "category_id": 3, "segmentation": segmentation})  # fmt: skip
    content["images"].append(
        {"id": 99, "file_name": "gone.png", "height": 30, "width": 40}
    )
    path.write_text(json.dumps(content))
    with pytest.raises(
        InputError, match="4 of 5 images left out; the first: .*bad0.png"
    ):
        imported(tmp_path, "coco", path, **images)
    bar, *lines = capsys.readouterr().err.splitlines()
    assert bar.startswith("writing: 5 images")
    assert [word in line for word, line in zip(
        ("annotation 50: has no segmentation", "annotation 51: malformed annotation: a "
         "polygon of fewer than three points", "annotation 52: malformed annotation: run",
         "gone.png: its image is not found"), lines)] == [True] * 4  # fmt: skip
    samples = load_samples("folder", "train", tmp_path / "out")
    assert samples.names == ("train/x",)
    np.testing.assert_array_equal(samples[0].label, expected())


def test_classes_and_background_as_asked(tmp_path):
    pytest.importorskip("pycocotools")
    path, images = coco(tmp_path, run_lengths(LATER), run_lengths(BOX))
    result, samples = imported(tmp_path, "coco", path, classes=("shop",), **images)
    assert result["classes"] == ["shop"] and result["left_out"] == {"car": 1}
    np.testing.assert_array_equal(samples[0].label, np.where(BOX, 0, 255))
    with pytest.raises(InputError, match="images/train: this split is already there"):
        imported(tmp_path, "coco", path, **images)
    _, val = imported(tmp_path, "coco", path, "val", classes=("shop",), **images)
    np.testing.assert_array_equal(val[0].label, samples[0].label)
    with pytest.raises(
        InputError, match="has no class 'background'; give --classes=shop"
    ):
        imported(tmp_path, "coco", path, "test", **images)
    with pytest.raises(InputError, match="no annotation has the label 'bus'"):
        imported(tmp_path / "b", "coco", path, classes=("bus",), **images)
    result, samples = imported(tmp_path / "c", "coco", path, background="", **images)
    assert result["classes"] == ["car", "shop"]
    np.testing.assert_array_equal(
        samples[0].label, np.where(LATER, 0, np.where(BOX, 1, 255))
    )


@pytest.mark.parametrize("upright", [True, False])
def test_annotated_upright_or_as_stored(tmp_path, picture_files, upright):
    pytest.importorskip("pycocotools")
    car, shop = (m if upright else picture_files.TURNS[8](m) for m in (LATER, BOX))
    size = dict(zip(("height", "width"), car.shape))
    path, images = coco(tmp_path, *map(run_lengths, (car, shop)), **size)
    stored = np.ascontiguousarray(picture_files.TURNS[8](IMAGE))
    data = picture_files.with_exif(png(stored), picture_files.exif(6))
    (tmp_path / "pictures" / "x.png").write_bytes(data)
    check(*imported(tmp_path, "coco", path, **images))


def test_other_pictures_become_png(tmp_path):
    pytest.importorskip("pycocotools")
    path, images = coco(
        tmp_path, run_lengths(LATER), run_lengths(BOX), file_name="x.bmp"
    )
    save(tmp_path / "pictures" / "x.bmp", IMAGE)
    check(*imported(tmp_path, "coco", path, **images))


@pytest.mark.parametrize(
    "format, content, message",
    [
        ("coco", "{", "not a JSON file"),
        ("coco", "[]", "must be an object with images, annotations, categories"),
        ("coco", '{"images": [{}], "annotations": [], "categories": []}', "'id' is"),
        ("cvat", "<a>", "not an XML file"),
        ("cvat", "<annotations><track/></annotations>", "CVAT for images 1.1"),
        ("label_studio", "{}", "a list of tasks"),
        ("labelme", '{"shapes": [{}], "imagePath": "x"}', "'label' is missing"),
        ("voc", "", "SegmentationClass/ is absent"),
    ],
)
def test_files_of_another_form_are_one_line(tmp_path, format, content, message):
    if format == "coco":
        pytest.importorskip("pycocotools")
    path = tmp_path / "file.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message) as error:
        imported(tmp_path, format, path)
    assert "\n" not in str(error.value) and str(path) in str(error.value)
    assert not (tmp_path / "out").exists()


def test_missing_options(tmp_path):
    with pytest.raises(InputError, match="--annotations is missing"):
        import_data(ImportOptions())
    with pytest.raises(InputError, match="no/file: no such file or folder"):
        imported(tmp_path, "coco", "no/file")
    with pytest.raises(InputError, match="--split must be a name"):
        imported(tmp_path, "coco", tmp_path, "a/b")
