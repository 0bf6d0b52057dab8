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

from lgcnet_tf.data import Sample, dataset_info
from lgcnet_tf.errors import InputError
from lgcnet_tf.evaluation.by_image import ImageScores
from lgcnet_tf.evaluation.examples import write_example
from lgcnet_tf.evaluation.metrics import ConfusionMatrix
from lgcnet_tf.files import write_json
from lgcnet_tf.latency.estimate import CostModel
from lgcnet_tf.model.zoo import load_card
from lgcnet_tf.report import plot_run, write_report
from lgcnet_tf.report.evaluation import error_map
from lgcnet_tf.sweep.table import summarize


class Page(html.parser.HTMLParser):
    """Collects pictures, sections and text, and checks that tags close."""

    def __init__(self, path):
        super().__init__()
        self.pictures, self.words, self.open, self.sections = {}, [], [], []
        self.feed(path.read_text(encoding="utf-8"))
        assert not self.open

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "img":
            kind, data = attrs["src"].split(",", 1)
            assert kind in ("data:image/png;base64", "data:image/jpeg;base64")
            picture = Image.open(io.BytesIO(base64.b64decode(data)))
            self.pictures[attrs["alt"]] = np.asarray(picture.convert("RGB"))
        assert "href" not in attrs and not attrs.get("src", "").startswith("http")
        if tag not in ("img", "input", "meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if self.open and self.open[-1] == "h2":
            self.sections.append(data)

    @property
    def text(self):
        return " ".join(self.words)


def test_everything_a_search_leaves_is_drawn(run_dir):
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
        "report.html",
    ]
    assert {path.name for path in run_dir.iterdir()} == before | set(names)
    page = Page(run_dir / "report.html")
    assert {name: p.shape for name, p in page.pictures.items()} == {
        "Val predictions": (4, 6, 3)
    }
    assert page.sections == [
        "Results",
        "Choice",
        "What the search visited",
        "The cells, epoch by epoch",
        "How the choice was made",
        "IoU per class",
        "Training",
        "Val predictions",
        "Flags",
    ]
    for words in (
        "61.25 %",
        "12.50 ms",  # the genotype's prediction
        "25.00 ms",
        "<cat>",
        "--dataset=toy_streets",
        "P16->Q16",
        "last change: epoch 3, cell 4 s0->n1 from none to conv_3x3",
        "decided: median margin 0.42",
        "margin of the choice: minimum 0.015, median 0.42",
        "0.666667",  # the last epoch's loss
        "Temperature",
        "Entropy of α (nats)",
        "epoch 2: 27 ms, 20 %",
    ):
        assert words in page.text, words


def test_a_table_is_drawn_by_what_measured_it(tmp_path, table):
    table.save(tmp_path / "latency_table.json")
    assert [path.name for path in plot_run(tmp_path)] == ["latency.png", "report.html"]
    page = Page(tmp_path / "report.html")
    shown, drawn = page.pictures["Latency table"], Image.open(tmp_path / "latency.png")
    assert shown.shape[:2] == drawn.size[::-1]  # a large one as JPEG
    error = shown.astype(int) - np.asarray(drawn.convert("RGB"))
    assert np.abs(error).mean() < 2


@pytest.fixture
def evaluated(tmp_path, results):
    """The folder of an evaluation of CamVid's classes, with its images."""
    info, zoo = dataset_info("camvid"), load_card("lgcnet_camvid").left_out
    generator = np.random.default_rng(0)
    scores, images = ImageScores(1), []
    counts = ConfusionMatrix(info.num_classes)
    for index, share in enumerate((0.9, 0.5, 0.2)):
        label = generator.integers(0, 11, (30, 1000)).astype(np.uint8)
        label[:3] = 255
        mask = np.where(generator.random(label.shape) < share, label % 255, 2)
        mask = mask.astype(np.uint8)
        picture = generator.integers(0, 256, (30, 1000, 3)).astype(np.uint8)
        sample, own = Sample(f"a/{index}", picture, label), ConfusionMatrix(11)
        own.update(label, mask)
        scores.add(sample, mask, own)
        counts.counts += own.counts
        images.append((sample, mask))
    for kind, kept in (("best", scores.best), ("worst", scores.worst)):
        for _, sample, mask in kept:
            write_example(sample, mask, info, tmp_path / kind)
    write_example(*images[1], info, tmp_path / "examples")
    write_json(
        tmp_path / "accuracy.json",
        {
            "class_names": list(info.class_names),
            "confusion": counts.counts.tolist(),
            "best": ["a/0"],
            "worst": ["a/2"],
            "images": [score.to_dict() for score in scores.scores],
        },
    )
    ious = dict(zip(info.class_names, counts.per_class_iou.tolist()))
    found = {
        "dataset": "camvid",
        "classes": info.to_dict(),
        "per_class_iou": ious,
        "latency_by_part_ms": {"stem": 1.0, "cell 0": 2.5, "head": 1.5},
        "trained_on_these_images": 2,
        "model": "mine.keras",
    }
    plain = {
        k: v
        for k, v in results.items()
        if k not in ("last_change", "margin", "verdict")
    }
    write_json(tmp_path / "results.json", plain | found)
    return tmp_path, info, images, counts.counts, zoo


def test_an_evaluation_shows_where_it_is_wrong(evaluated):
    folder, info, images, counts, zoo = evaluated
    write_report(folder)
    page = Page(folder / "report.html")
    assert page.sections == [
        "Results",
        "IoU per class",
        "What is taken for what",
        "Where the milliseconds go",
        "The worst images",
        "The best images",
        "Images from all over the split",
    ]
    source = (folder / "report.html").read_text()
    assert "trained on 2 of these 101 images" in page.text
    # The zoo's figure of each class, as a mark and in words.
    for iou in zoo.per_class_iou.values():
        assert f"{100 * iou:.2f} %" in page.text
        assert f'<b style="left:{100 * iou:.1f}%">' in source
    shares = counts / counts.sum(1, keepdims=True)
    cells = re.findall(r'style="--p:([\d.]+)" title="([^"]+)">([\d·]*)</td>', source)
    assert len(cells) == 11 * 11
    for (depth, title, _), share, count in zip(cells, shares.ravel(), counts.ravel()):
        assert float(depth) == pytest.approx(share, abs=0.00501)
        assert title.endswith(f"{count:,} pixels")
    assert "50.0%" in page.text and "2.500 ms" in page.text  # of cell 0
    for share in (20, 50, 30):  # of stem, cell 0 and head: the width of each bar
        assert f'<i style="width:{share}.0%">' in source
    assert "mIoU" in page.text and "a-2" in page.text
    for index in (0, 2):
        sample, mask = images[index]
        shown = page.pictures[f"a-{index}: prediction"]
        assert shown.shape == (13, 420, 3)
        known = {tuple(color) for color in info.palette}
        assert {tuple(color) for color in shown.reshape(-1, 3)} <= known


def test_an_error_map_is_right_wrong_or_void():
    label = np.array([[0, 1, 255], [2, 2, 3]], np.uint8)
    mask = np.array([[0, 2, 2], [2, 1, 0]], np.uint8)
    assert error_map(label, mask, 3).tolist() == [[0, 1, 2], [0, 1, 2]]


def test_examples_of_an_evaluation_stand_side_by_side(evaluated):
    folder, info, images, *_ = evaluated
    assert plot_run(folder)[0].name == "predictions.png"
    picture = np.asarray(Image.open(folder / "predictions.png").convert("RGB"))
    last = picture[34:49, -512:-12].reshape(-1, 3)  # the one row's prediction
    found = {tuple(color) for color in last}
    assert found == {tuple(color) for color in info.palette[np.unique(images[1][1])]}


def test_a_sweep_has_a_front(tmp_path):
    rows = [
        {
            "trial": f"communication-{c}_seed-{seed}", "communication": c, "seed": seed,
            "miou": miou, "params": 2_000_000, "macs": 1_000_000_000,
            "predicted_ms": 9.0, "measured_ms": ms, "spread_ms": 0.5,
        }
        for c, seed, ms, miou in (
            ("none", 0, 10.0, 0.5), ("none", 1, 12.0, 0.4), ("ggm", 0, 15.0, 0.6),
            ("ggm", 1, 16.0, None),
        )
    ]  # fmt: skip
    front = [rows[0]["trial"], rows[2]["trial"]]
    summary = summarize(rows, [{"communication": "none"}, {"communication": "ggm"}])
    write_json(
        tmp_path / "results.json",
        {"trials": rows, "summary": summary, "pareto_front": front},
    )
    write_report(tmp_path)
    source = (tmp_path / "report.html").read_text()
    said = re.findall(r'class="point" [^>]* aria-label="([^"]+)"', source)
    assert said == [
        "communication none, seed 0: 10 ms, mIoU 50.00 %, 2.000 M parameters; on the "
        "front",
        "communication none, seed 1: 12 ms, mIoU 40.00 %, 2.000 M parameters",
        "communication ggm, seed 0: 15 ms, mIoU 60.00 %, 2.000 M parameters; on the "
        "front",
    ]
    page = Page(tmp_path / "report.html")
    assert page.sections == ["Results", "Accuracy and latency", "Trials", "Settings"]
    assert "45.00 % ±7.1" in page.text and "11.00 ms ±1.4" in page.text


def test_a_second_time_gives_the_same(run_dir):
    write_report(run_dir)
    first = (run_dir / "report.html").read_bytes()
    write_report(run_dir)
    assert (run_dir / "report.html").read_bytes() == first


def test_what_is_not_there_is_left_out(tmp_path, history):
    write_json(tmp_path / "history.json", [{"epoch": 1, "loss": 2.0}])
    assert [p.name for p in plot_run(tmp_path)] == [
        "training_curves.png",
        "report.html",
    ]
    assert Page(tmp_path / "report.html").sections == ["Training"]


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


def values_of(folder):
    source = (folder / "report.html").read_text()
    return json.loads(re.search(r'id="course-values">(.+?)</script>', source)[1])


def test_the_choice_epoch_by_epoch(run_dir, genotype, table):
    write_report(run_dir)
    what = values_of(run_dir)
    with np.load(run_dir / "alphas_history.npz") as arrays:
        cells, keep, up = (arrays[name] for name in ("cells", "keep", "up"))
    last = genotype.skeleton.last_cell + 1
    *epochs, derived = what["frames"]  # what was derived is not the last argmax
    assert len(epochs) == 3 and "was derived in the end" in derived["said"]
    edges = genotype.skeleton.fusion_cell.edges
    groups = [edge.up for edge in edges]
    for epoch, frame in enumerate(epochs):
        parts, of = [*cells[epoch, :last].reshape(-1, 8)], {False: 0, True: 0}
        for is_up in groups:
            parts.append((up if is_up else keep)[epoch, of[is_up]])
            of[is_up] += 1
        assert frame["choice"] == [int(part.argmax()) for part in parts]
        shares = np.array(frame["shares"]) / 100
        np.testing.assert_allclose(shares, np.concatenate(parts), atol=0.00501)
    own = genotype.choice
    assert derived["choice"] == [own[edge["place"]] for edge in what["edges"]]
    costs = CostModel(table, genotype.skeleton, table.input_size).costs
    drawn = [edge["place"] for edge in what["edges"]]
    for edge in what["edges"]:
        for index, width in enumerate(edge["widths"]):
            cost = costs[edge["place"], index]
            expected = 1.4 + 6.6 * cost / costs[drawn].max()
            assert width == pytest.approx(expected, abs=0.0501)
            said = f"{cost / 1000:.3g} ms"
            assert edge["texts"][index].endswith(said)


def test_an_unknown_epoch_and_many_of_them(run_dir, genotype):
    generator = np.random.default_rng(3)
    shapes = {"cells": (300, 14, 5, 8), "keep": (300, 5, 10), "up": (300, 8, 2)}
    arrays = {
        name: generator.dirichlet(np.ones(shape[-1]), shape[:-1])
        for name, shape in shapes.items()
    }
    arrays["keep"][0] = np.nan
    np.savez(run_dir / "alphas_history.npz", **arrays)
    write_report(run_dir)
    frames = values_of(run_dir)["frames"]
    said = [frame["said"] for frame in frames]
    assert said[0].startswith("epoch 2:") and said[-2] == "epoch 300"
    assert len(frames) == 101
    assert (run_dir / "report.html").stat().st_size < 1e6


def test_without_a_table_widths_say_nothing(run_dir):
    (run_dir / "table_of_mine.json").unlink()
    (run_dir / "alphas_history.npz").unlink()
    write_report(run_dir)
    page = Page(run_dir / "report.html")
    assert "The cells" in page.sections and "no latency table" in page.text
    source = (run_dir / "report.html").read_text()
    assert set(re.findall(r'stroke-width="([\d.]+)"', source)) == {"3.0"}


@pytest.fixture
def browser():
    found = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    chromium = next(filter(None, found), None)
    if chromium is None:
        pytest.skip("THE REPORT IS NOT TESTED IN A BROWSER: no chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        yield running
        running.close()


def test_one_design_light_dark_narrow_and_printed(run_dir, browser):
    """What a browser makes of a search's page; widths in pixels."""
    write_report(run_dir)
    what = values_of(run_dir)
    address = (run_dir / "report.html").as_uri()
    assert (run_dir / "report.html").stat().st_size < 5e6
    page = browser.new_page(viewport={"width": 360, "height": 700}, color_scheme="dark")
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(paper) == "rgb(21, 25, 29)"
    page.emulate_media(color_scheme="light")
    assert page.evaluate(paper) == "rgb(244, 245, 247)"
    slider, said = page.locator("#course input"), page.locator("#course output")
    assert "derived in the end" in said.inner_text()
    slider.focus()
    page.keyboard.press("Home")
    assert said.inner_text().startswith("epoch 1: ")
    shown = page.evaluate(
        """[...document.querySelectorAll("#course .edge")].map(g => [+g.dataset.edge,
        g.querySelector("text").textContent,
        +g.querySelector("path").getAttribute("stroke-width"),
        g.querySelector("title").textContent])"""
    )
    shown = {place: rest for place, *rest in shown}
    for edge, index in zip(what["edges"], what["frames"][0]["choice"], strict=True):
        name = what["operations"][what["candidates"][edge["candidates"]][index]]["name"]
        assert shown[edge["place"]] == [
            name,
            edge["widths"][index],
            edge["texts"][index],
        ]
    bars = page.evaluate(
        """[...document.querySelector("#course .mix").children].map(
        bar => +bar.getAttribute("width"))"""
    )
    shares = np.array(what["frames"][0]["shares"][: len(bars)])
    np.testing.assert_allclose(
        np.array(bars) / sum(bars), shares / shares.sum(), atol=0.01
    )
    point = page.locator(".point").first
    point.focus()
    tip = page.locator(".point:focus .tip")
    assert tip.is_visible() and "epoch 3" in tip.text_content()  # the fastest
    page.keyboard.press("ArrowRight")
    assert "epoch 2" in page.locator(".point:focus .tip").text_content()
    page.pdf(path=str(run_dir / "report.pdf"))
    assert (run_dir / "report.pdf").read_bytes().startswith(b"%PDF")
    assert not errors
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(address)
    assert not plain.locator("#course .slider").is_visible()
    assert plain.locator(".edge").first.is_visible()
    plain.locator(".point").first.hover()
    assert plain.locator(".point:hover .tip").is_visible()


def test_an_evaluation_on_a_phone(evaluated, browser):
    write_report(evaluated[0])
    page = browser.new_page(viewport={"width": 360, "height": 700})
    page.goto((evaluated[0] / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    cell = page.get_by_title(re.compile("^Road taken for Pole: "))
    assert cell.is_visible() and cell.inner_text().isdigit()
