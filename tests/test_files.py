import errno
import hashlib
import os
import stat

import pytest

from lgcnet_tf import files
from lgcnet_tf.errors import InputError
from lgcnet_tf.files import (
    atomic_write,
    fingerprint,
    read_json,
    remove_leftovers,
    write_json,
)


def test_appears_when_whole(tmp_path):
    path = tmp_path / "new" / "folder" / "file.txt"
    with atomic_write(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        assert temporary.parent == path.parent
    assert path.read_text() == "half"
    assert list(path.parent.iterdir()) == [path]


def test_old_content_stays_until_then(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with atomic_write(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_broken_write_leaves_nothing(tmp_path, error):
    path = tmp_path / "file.txt"
    with pytest.raises(error), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == []
    path.write_text("old")
    with pytest.raises(error), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_told_of_in_one_line(tmp_path, number):
    path = tmp_path / "file.txt"
    with pytest.raises(InputError, match=r"file\.txt: not written: .*same command"):
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise OSError(number, "full")
    assert list(tmp_path.iterdir()) == []


def test_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    synced = []

    def fsync(handle):
        synced.append((os.fstat(handle).st_ino, path.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    path = tmp_path / "file.txt"
    write_json(path, 1)
    assert synced == [(path.stat().st_ino, False), (tmp_path.stat().st_ino, True)]


def test_only_leftovers_are_removed(tmp_path):
    with atomic_write(tmp_path / "a.weights.h5") as temporary:
        temporary.write_text("")
        left = temporary.rename(tmp_path / temporary.name.replace(".a", ".b"))
        temporary.write_text("")
    kept = [tmp_path / name for name in ("a.weights.h5", ".hidden", "b-abcdefgh.npz")]
    for path in kept:
        path.touch()
    remove_leftovers(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    assert left.name.startswith(".b-")
    remove_leftovers(tmp_path / "absent")


@pytest.mark.parametrize("name", ["model.keras", "a.weights.h5", "plain"])
def test_temporary_file_keeps_the_suffix(tmp_path, name):
    with atomic_write(tmp_path / name) as temporary:
        assert temporary.suffixes == (tmp_path / name).suffixes
        assert temporary.name.startswith(".")


def test_mode_is_that_of_any_new_file(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_write(tmp_path / "file") as temporary:
            temporary.write_text("")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_json_there_and_back(tmp_path):
    value = {"a": [1, 2.5, None], "b": {"c": "ü"}}
    write_json(tmp_path / "file.json", value)
    assert read_json(tmp_path / "file.json") == value
    assert (tmp_path / "file.json").read_text().endswith("}\n")


def test_what_is_no_json_is_not_written(tmp_path):
    path = tmp_path / "file.json"
    write_json(path, 1)
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert read_json(path) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match="absent.json: no such file"):
        read_json(tmp_path / "absent.json")


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff\xfe\x00", b"a: 1"])
def test_no_json(tmp_path, content):
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match="bad.json: not a JSON file") as caught:
        read_json(path)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_json(tmp_path):
    with pytest.raises(InputError, match="not a JSON file"):
        read_json(tmp_path)


def test_fingerprint_is_of_the_content(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"0123456789")
    (tmp_path / "b").write_bytes(b"0123456789")
    os.utime(tmp_path / "a", (1, 1))
    found = fingerprint(tmp_path / "a")
    digest = hashlib.sha256(b"0123456789").hexdigest()[:16]
    assert found == fingerprint(tmp_path / "b") == f"10 bytes, {digest}"
    (tmp_path / "b").write_bytes(b"0123456780")
    assert found != fingerprint(tmp_path / "b")
    with pytest.raises(InputError, match="absent: cannot be read"):
        fingerprint(tmp_path / "absent")
    monkeypatch.setattr(files, "_WHOLE", 9)
    monkeypatch.setattr(files, "_END", 3)
    digest = hashlib.sha256(b"012789").hexdigest()[:16]
    assert fingerprint(tmp_path / "a") == f"10 bytes, {digest}"


def test_fingerprint_of_a_folder(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_text("1")
    one = fingerprint(tmp_path)
    (tmp_path / "b").write_text("2")
    two = fingerprint(tmp_path)
    (tmp_path / "b").rename(tmp_path / "c")
    assert len({one, two, fingerprint(tmp_path)}) == 3
