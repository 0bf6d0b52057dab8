"""The page of `--demo` in a real browser, over a real server."""

import http.client
import io
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from lgcnet_tf.serving.demo_page import page_files
from lgcnet_tf.serving.server import Server

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)


@pytest.fixture(scope="module")
def served(base_path):
    with Server(
        {"lgcnet": base_path, "again": base_path}, port=0, rest_port=0, demo=True
    ) as running:
        yield running


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip(
            "THE DEMO PAGE IS NOT TESTED: no chromium (apt-get install chromium)"
        )
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="THE DEMO PAGE IS NOT TESTED: no playwright"
    )
    with playwright.sync_playwright() as driver:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        cameras = [
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
        ]
        running = driver.chromium.launch(
            executable_path=CHROMIUM, args=arguments + cameras
        )
        yield running
        running.close()


@pytest.fixture
def page(browser, served):
    opened = browser.new_page(viewport={"width": 1000, "height": 800})
    opened.set_default_timeout(60_000)
    errors = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda line: line.type == "error" and errors.append(line.text))
    opened.goto(f"http://127.0.0.1:{served.rest_port}/")
    opened.get_by_text("Ready.").wait_for()
    yield opened
    opened.close()
    assert not errors


@pytest.fixture
def picture(images):
    file = io.BytesIO()
    Image.fromarray(images[0]).save(file, "PNG")
    return {"name": "a.png", "mimeType": "image/png", "buffer": file.getvalue()}


@pytest.fixture
def name_at(live_mask, info, images):
    mask = live_mask(images[:1])[0]
    return lambda x, y: f"{info.class_names[mask[y, x]]} at {x}, {y}"


def give(page, picture):
    page.locator("#file").set_input_files(picture)
    page.get_by_text(re.compile("done")).wait_for()


def test_the_class_under_the_pointer_is_the_networks(page, picture, images, name_at):
    give(page, picture)
    height, width = images.shape[1:3]
    box = page.locator(".picture").bounding_box()
    for x, y in [(0, 0), (17, 11), (width - 1, height - 1), (5, 20)]:
        page.mouse.move(
            box["x"] + (x + 0.5) * box["width"] / width,
            box["y"] + (y + 0.5) * box["height"] / height,
        )
        assert page.locator(".under").inner_text() == name_at(x, y)


def test_the_drawn_classes_and_their_shares(page, picture, images, live_mask, info):
    give(page, picture)
    drawn = page.evaluate(
        """() => {
            const canvas = document.querySelector("canvas.classes");
            const {width, height} = canvas;
            const context = canvas.getContext("2d");
            return [...context.getImageData(0, 0, width, height).data];
        }"""
    )
    mask = live_mask(images[:1])[0]
    shown = np.array(drawn, np.uint8).reshape(*mask.shape, 4)
    np.testing.assert_array_equal(shown[..., :3], info.colorize(mask))
    first = page.locator("tbody tr").first.inner_text().split()
    counts = np.bincount(mask.ravel())
    assert first[0] == info.class_names[counts.argmax()]
    assert float(first[1]) == pytest.approx(100 * counts.max() / mask.size, abs=0.5)
    page.locator("tbody input").first.uncheck()
    transparent = page.evaluate(
        "() => document.querySelector('canvas.classes').getContext('2d')"
        ".getImageData(0, 0, 40, 24).data.filter((v, i) => i % 4 == 3 && !v).length"
    )
    assert transparent == counts.max()


def test_times_add_up(page, picture):
    give(page, picture)
    times = [
        float(page.locator(f'[data-time="{name}"]').inner_text().split()[0])
        for name in ("upload", "network", "answer", "together")
    ]
    assert times[1] > 0
    assert sum(times[:3]) == pytest.approx(times[3], abs=2)


def test_keys_move_and_a_slider_mixes(page, picture, name_at):
    give(page, picture)
    page.locator(".picture").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    assert page.locator(".under").inner_text() == name_at(21, 11)
    page.keyboard.press("Shift+ArrowLeft")
    assert page.locator(".under").inner_text() == name_at(11, 11)
    page.locator("#opacity").focus()
    page.keyboard.press("Home")
    assert page.locator("#opacity-value").inner_text() == "0 %"
    opacity = page.locator("canvas.classes").evaluate(
        "e => getComputedStyle(e).opacity"
    )
    assert float(opacity) == 0


def test_two_models_side_by_side(page, picture):
    give(page, picture)
    page.locator("#other").select_option("again/versions/1")
    page.get_by_text("The same class on 100.0 % of the pixels").wait_for()
    assert page.locator(".pane h2").all_inner_texts() == [
        "lgcnet, version 1",
        "again, version 1",
    ]


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_drop_and_paste(page, picture, event):
    page.evaluate(
        """([event, bytes]) => {
            const file = new File([new Uint8Array(bytes)], "b.png", {type: "image/png"});
            const data = new DataTransfer();
            data.items.add(file);
            const options = {bubbles: true, cancelable: true};
            const made = event == "drop"
                ? new DragEvent("drop", {...options, dataTransfer: data})
                : new ClipboardEvent("paste", {...options, clipboardData: data});
            document.body.dispatchEvent(made);
        }""",
        [event, list(picture["buffer"])],
    )
    page.get_by_text("b.png: done.").wait_for()


def test_the_camera(page):
    page.locator("#camera").click()
    # `wait_for_function` polls by eval, which the page's policy forbids.
    while not page.evaluate("document.getElementById('video').videoWidth > 0"):
        page.wait_for_timeout(50)
    page.locator("#shoot").click()
    page.get_by_text("camera.jpg: done.").wait_for()
    assert not page.locator("#viewfinder").is_visible()


def test_what_is_no_picture_is_said(page):
    page.locator("#file").set_input_files(
        {"name": "x.png", "mimeType": "image/png", "buffer": b"no picture"}
    )
    page.get_by_text("x.png is no picture that the browser can read.").wait_for()


def test_no_scrolling_to_the_side_on_a_phone(page, picture):
    page.set_viewport_size({"width": 360, "height": 700})
    give(page, picture)
    page.locator("#other").select_option("again/versions/1")
    page.get_by_text("The same class").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_page_is_light():
    """All that a browser loads before the first picture, unpacked."""
    files = page_files()
    assert sum(len(files[path][1]) for path in files if path != "/") < 40_000


def test_a_time_never_touches_the_next_one(page, picture):
    page.set_viewport_size({"width": 1200, "height": 850})
    give(page, picture)
    cells = page.locator("dd").all()
    for cell in cells:
        cell.evaluate("e => { e.textContent = '12345 ms' }")
    boxes = [cell.bounding_box() for cell in cells]
    for one, after in zip(boxes, boxes[1:]):
        assert one["x"] + one["width"] < after["x"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 1200


def test_a_screen_reader_hears_what_happens(page, picture):
    """What is said without being asked for, in the browser's own tree."""
    give(page, picture)
    said = page.locator("body").aria_snapshot()
    assert '- status: "a.png: done."' in said
    assert 'application "Classes of the picture: ' in said
    assert 'table "Classes and their shares of the picture"' in said
    page.locator(".picture").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".under").get_attribute("aria-live") == "polite"


def test_everything_is_reached_by_the_keyboard(page, picture):
    give(page, picture)
    wanted = {"model", "other", "file", "paste", "camera", "opacity", "picture"}
    reached = set()
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "document.activeElement.id || document.activeElement.className"
            )
        )
    assert wanted <= reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_can_be_read_on_their_ground(page, picture, scheme):
    """The contrast that WCAG's level AA asks for, in both schemes."""
    page.emulate_media(color_scheme=scheme)
    give(page, picture)
    colors = page.evaluate(
        """() => ["h1", "label", "#status", ".button", "dd", "dt.upload", "dt.network",
                  "dt.answer", "caption", "td"].map((selector) => {
            let e = document.querySelector(selector);
            const color = getComputedStyle(e).color;
            while (getComputedStyle(e).backgroundColor == "rgba(0, 0, 0, 0)")
                e = e.parentElement;
            return [color, getComputedStyle(e).backgroundColor];
        })"""
    )

    def light(color):
        parts = np.array([int(n) for n in re.findall(r"\d+", color)[:3]]) / 255
        linear = np.where(
            parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4
        )
        return float(linear @ [0.2126, 0.7152, 0.0722]) + 0.05

    for ink, ground in colors:
        low, high = sorted((light(ink), light(ground)))
        assert high / low >= 4.5, (ink, ground)


def test_everything_to_operate_has_a_name(page, picture):
    give(page, picture)
    for role in ("button", "combobox", "slider", "checkbox"):
        found = page.get_by_role(role).all()
        assert found
        for one in found:
            assert one.evaluate(
                "e => (e.ariaLabel || e.textContent || e.labels?.[0]?.textContent || '')"
                ".trim().length"
            )
    assert "Classes of the picture:" in page.locator(".picture").get_attribute(
        "aria-label"
    )


def ask(server, path, body=None, **headers):
    """Status, headers and body, without a browser."""
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=60)
    try:
        connection.request("POST" if body else "GET", path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def test_the_page_needs_no_token_and_what_it_asks_for_does(base_path):
    with Server(
        {"lgcnet": base_path}, port=0, rest_port=0, demo=True, token="secret"
    ) as server:
        status, headers, body = ask(server, "/")
        assert status == 200 and b"<!doctype html>" in body
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        for path in re.findall(r'(?:src|href)="(/[^"]+)"', body.decode()):
            assert ask(server, path)[0] == 200
        assert ask(server, "/demo/models")[0] == 401
        answer = ask(server, "/demo/models", Authorization="Bearer secret")[2]
        assert json.loads(answer) == {"models": [{"name": "lgcnet", "versions": [1]}]}
        for path in ("/demo/../settings.py", "/demo/%2e%2e/settings.py", "/demo/"):
            assert ask(server, path)[0] in (400, 401)


def test_a_request_may_name_the_outputs_it_wants(served, images):
    request = {"instances": images[:1].tolist(), "output_filter": ["mask"]}
    path = "/v1/models/lgcnet:predict"
    status, headers, body = ask(served, path, json.dumps(request))
    assert status == 200
    assert np.shape(json.loads(body)["predictions"]) == images[:1].shape[:3]
    assert re.match(
        r"queue;dur=\S+, network;dur=\S+, answer;", headers["Server-Timing"]
    )
    for wrong in (["no such"], "mask", [3]):
        body = json.dumps(request | {"output_filter": wrong})
        assert ask(served, path, body)[0] == 400


def test_without_demo_there_is_no_page(base_path):
    with Server({"lgcnet": base_path}, port=0, rest_port=0) as server:
        assert ask(server, "/")[0] == 400
        assert ask(server, "/demo/models")[0] == 400
