"""Videos in, videos of overlays out."""

import numpy as np
import pytest

from lgcnet_tf.errors import InputError
from lgcnet_tf.serving.backend import BadPicture
from lgcnet_tf.serving.video import is_video, plan_video, predict_video

cv2 = pytest.importorskip("cv2")


@pytest.fixture
def film(tmp_path, images):
    """A video of four frames of one picture, 48x80."""
    path = tmp_path / "street.avi"
    frame = np.ascontiguousarray(images[0].repeat(2, 0).repeat(2, 1)[..., ::-1])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 5, (80, 48))
    for _ in range(4):
        writer.write(frame)
    writer.release()
    return path


def read(path):
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (found := capture.read())[0]:
        frames.append(found[1][..., ::-1])
    return frames, capture.get(cv2.CAP_PROP_FPS)


class Sky:
    """A backend that sees nothing but class 2, and stops a film when told."""

    target = model_name = "sky"

    def __init__(self, interrupted_after=10):
        self.left = interrupted_after

    def predict_encoded(self, encoded):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        height, width = cv2.imdecode(np.frombuffer(encoded[0], np.uint8), 1).shape[:2]
        return [np.full((height, width), 2, np.uint8)]

    def gives_own_sizes(self):
        return True


def test_every_frame_is_blended_with_its_mask(film, info):
    done = predict_video(Sky(), info, film)
    source, fps = read(film)
    drawn, drawn_fps = read(film.parent / "street_overlay.mp4")
    assert len(drawn) == done["frames"] == 4 and drawn_fps == fps == 5
    expected = 0.4 * source[0] + 0.6 * info.palette[2]
    assert np.abs(drawn[0] - expected).mean() < 6  # of 255; both videos are lossy
    assert done["class_percentages"]["sky"] == 100 and done["size"] == [48, 80]


def test_the_real_server_answers_for_frames(client, info, film, tmp_path):
    done = predict_video(client, info, film, tmp_path / "out", max_frames=2)
    assert len(read(tmp_path / "out" / "street_overlay.mp4")[0]) == 2
    assert sum(done["class_percentages"].values()) == pytest.approx(100)


def test_an_interrupt_keeps_what_is_done(film, info):
    assert predict_video(Sky(2), info, film)["frames"] == 2
    assert len(read(film.parent / "street_overlay.mp4")[0]) == 2


def test_no_frame_no_file(tmp_path, info):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(BadPicture, match="broken.mp4: no frame can be read"):
        predict_video(Sky(), info, broken)
    with pytest.raises(BadPicture, match="camera 63: no frame"):
        predict_video(Sky(), info, 63, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["broken.mp4"]


def test_plans_replace_nothing(film):
    assert is_video("A.MP4") and not is_video("a.png")
    (film.parent / "street_overlay.mp4").write_bytes(b"")
    with pytest.raises(InputError, match="exists already"):
        plan_video(film)
    assert plan_video(film, ours={"street_overlay.mp4": "street.avi"}).exists()
    with pytest.raises(InputError, match="exists already"):
        plan_video(film, ours={"street_overlay.mp4": "other/street.avi"})
    with pytest.raises(InputError, match="absent.avi: no such video file"):
        plan_video(film.parent / "absent.avi")
    assert plan_video(0, "out").name == "camera_0_overlay.mp4"
