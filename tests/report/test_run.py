"""A run folder drawn and reported, as `lgcnet-plot` does it."""

import base64
import html.parser
import io
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.data import Sample, Samples, dataset_info
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.examples import write_examples
from lgcnet_tf.files import write_json
from lgcnet_tf.report import plot_run


class Page(html.parser.HTMLParser):
    """Collects pictures and text, and checks that tags close."""

    def __init__(self, path):
        super().__init__()
        self.pictures, self.words, self.open = {}, [], []
        self.feed(path.read_text(encoding="utf-8"))
        assert not self.open

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "img":
            kind, data = attrs["src"].split(",", 1)
            assert kind == "data:image/png;base64"
            self.pictures[attrs["alt"]] = base64.b64decode(data)
        assert "href" not in attrs
        if tag not in ("img", "input", "meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(self.words)


def test_everything_a_search_leaves_is_drawn_and_embedded(run_dir):
    Image.fromarray(np.full((4, 6, 3), 7, np.uint8)).save(
        run_dir / "val_predictions.png"
    )
    before = {path.name for path in run_dir.iterdir()}
    written = plot_run(run_dir)
    names = [path.name for path in written]
    assert names == [
        "training_curves.png",
        "per_class_iou.png",
        "cells.png",
        "fusion_cell.png",
        "alphas.png",
        "choices.png",
        "latency.png",
        "report.html",
    ]
    assert {path.name for path in run_dir.iterdir()} == before | set(names)
    page = Page(run_dir / "report.html")
    for path, picture in zip(written[:-1], page.pictures.values()):
        assert picture == path.read_bytes()
        assert Image.open(io.BytesIO(picture)).format == "PNG"
    assert len(page.pictures) == 8
    assert Image.open(io.BytesIO(page.pictures["Val predictions"])).size == (6, 4)
    for words in (
        "61.25 %",
        "12.50 ms",  # the genotype's prediction
        "25.00 ms",
        "<cat>",
        "--dataset=toy_streets",
        "P16->Q16",
        "last change: epoch 3, cell 4 s0->n1 from none to conv_3x3",
        "margin of the choice: minimum 0.015, median 0.42",
        "0.666667",  # the last epoch's loss
    ):
        assert words in page.text, words


def test_examples_of_an_evaluation_stand_side_by_side(tmp_path, results):
    info = dataset_info("toy_streets")
    generator = np.random.default_rng(0)
    found = [
        Sample(
            f"street_{i}",
            generator.integers(0, 256, (30, 60, 3)).astype(np.uint8),
            generator.integers(0, 8, (30, 60)).astype(np.uint8),
        )
        for i in range(3)
    ]
    samples = Samples(info, "val", 3, lambda i: found[i])

    def predict(images):
        return images[..., 0] % 8

    write_examples(predict, samples, 2, tmp_path / "examples")
    write_json(tmp_path / "results.json", results | {"dataset": "toy_streets"})
    assert plot_run(tmp_path)[0].name == "predictions.png"
    picture = np.asarray(Image.open(tmp_path / "predictions.png").convert("RGB"))
    last = picture[34 + 252 : 34 + 252 + 240 : 8, 996 : 996 + 480 : 8]
    np.testing.assert_array_equal(last, info.colorize(predict(found[2].image)))
    assert list(Page(tmp_path / "report.html").pictures)[0] == "Predictions"


def test_a_second_time_gives_the_same(tmp_path, results):
    write_json(tmp_path / "results.json", results)
    plot_run(tmp_path)
    first = (tmp_path / "report.html").read_bytes()
    plot_run(tmp_path)
    assert (tmp_path / "report.html").read_bytes() == first


def test_what_is_not_there_is_left_out(tmp_path, history):
    write_json(tmp_path / "history.json", history)
    assert [p.name for p in plot_run(tmp_path)] == [
        "training_curves.png",
        "report.html",
    ]
    page = Page(tmp_path / "report.html")
    assert list(page.pictures) == ["Training"] and "Genotype" not in page.text


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("genotype.json", "{}", "genotype.json"),
        ("history.json", '{"loss": 1}', "one object per epoch"),
        ("results.json", "[1]", "results.json: must hold an object"),
        ("results.json", "{", "results.json: not a JSON file"),
        ("alphas.npz", "no archive", "alphas.npz"),
        ("alphas_history.npz", "no archive", "alphas_history.npz"),
    ],
)
def test_a_damaged_file_is_named_and_nothing_is_written(
    tmp_path, name, content, message
):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        plot_run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_nothing_to_plot(tmp_path):
    (tmp_path / "flags.txt").write_text("--seed=1\n")
    with pytest.raises(InputError, match="nothing to plot"):
        plot_run(tmp_path)
    with pytest.raises(InputError, match="no such run folder"):
        plot_run(tmp_path / "absent")


def test_the_choice_epoch_by_epoch(run_dir):
    plot_run(run_dir)
    page = Page(run_dir / "report.html")
    assert "The choice, epoch by epoch" in page.text
    with np.load(run_dir / "alphas_history.npz") as arrays:
        expected = arrays["cells"]
    source = (run_dir / "report.html").read_text()
    values = re.search(r'id="course-values">(\[[\d,]+\])<', source)[1]
    found = np.array(json.loads(values)).reshape(expected.shape) / 100
    np.testing.assert_allclose(found, expected, atol=0.00501)
    assert 'max="3"' in source


def test_one_design_light_dark_narrow_and_printed(run_dir):
    """What a browser makes of it; widths in pixels."""
    found = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    chromium = next(filter(None, found), None)
    if chromium is None:
        pytest.skip("THE REPORT IS NOT TESTED IN A BROWSER: no chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    plot_run(run_dir)
    assert (run_dir / "report.html").stat().st_size < 5e6
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        page = browser.new_page(
            viewport={"width": 360, "height": 700}, color_scheme="dark"
        )
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto((run_dir / "report.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        paper = "getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(paper) == "rgb(21, 25, 29)"
        page.emulate_media(color_scheme="light")
        assert page.evaluate(paper) == "rgb(244, 245, 247)"
        slider = page.locator("#course input")
        assert page.locator("#course output").inner_text() == "epoch 3 of 3"
        slider.focus()
        page.keyboard.press("Home")
        assert page.locator("#course output").inner_text() == "epoch 1 of 3"
        first = page.evaluate(
            "[...document.querySelector('#course canvas').getContext('2d')"
            ".getImageData(0, 0, 1, 1).data]"
        )
        with np.load(run_dir / "alphas_history.npz") as arrays:
            share = np.rint(100 * arrays["cells"][0, 0, 0, 0]) / 100
        np.testing.assert_allclose(
            first, [255 - 244 * share, 255 - 157 * share, 255 - 87 * share, 255], atol=1
        )
        page.pdf(path=str(run_dir / "report.pdf"))
        assert (run_dir / "report.pdf").read_bytes().startswith(b"%PDF")
        browser.close()
        assert not errors
