"""Digests of texts and folders: what is whole passes, and one changed byte is noticed."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

import pytest

from backends import digests
from backends.digests import Damaged

TEXT = '{"a": "é"}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sealed folder of two files."""
    (tmp_path / "a.json").write_bytes(b"{}")
    (tmp_path / "b.npz").write_bytes(bytes(range(256)))
    digests.seal_folder(tmp_path)
    return tmp_path


def test_a_digest_is_sha256_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    wanted = hashlib.sha256(b"abc").hexdigest()
    assert digests.digest_of(b"abc") == digests.digest_of_file(tmp_path / "x") == wanted


def test_a_sealed_text_comes_back_and_an_older_one_has_no_seal() -> None:
    assert digests.unseal(digests.seal(TEXT)) == TEXT.encode()
    assert digests.unseal(TEXT.encode()) == TEXT.encode()


def test_every_flipped_bit_of_a_sealed_text_is_noticed_or_leaves_the_seal_in_it() -> None:
    sealed = digests.seal(TEXT)
    for place in range(len(sealed)):
        broken = bytearray(sealed)
        broken[place] ^= 1
        with contextlib.suppress(Damaged):
            assert len(digests.unseal(bytes(broken))) == len(sealed)  # the mark itself broke, and is left in the text
    with pytest.raises(Damaged, match="its digest is another one"):
        digests.unseal(sealed.replace(b"a", b"b", 1))
    with pytest.raises(Damaged, match="its digest is another one"):
        digests.unseal(sealed[:-5])


def test_a_folder_is_whole_until_a_file_changes(folder: Path) -> None:
    digests.check_folder(folder)
    digests.check_folder(folder, "a.json")
    (folder / "b.npz").write_bytes(bytes(range(255)) + b"\x00")
    digests.check_folder(folder, "a.json")
    with pytest.raises(Damaged, match=r"the digest of b\.npz is another one"):
        digests.check_folder(folder)


def test_the_list_of_a_folder_names_all_its_files(folder: Path) -> None:
    lines = (folder / digests.SUMS).read_text().splitlines()
    assert lines == [f"{digests.digest_of_file(folder / name)}  {name}" for name in ("a.json", "b.npz")]
    for change in ("".join(f"{line}\n" for line in lines[:1]), "", "x" * 70 + "\n"):
        (folder / digests.SUMS).write_text(change)
        with pytest.raises(Damaged, match="its list of digests is not whole"):
            digests.check_folder(folder)
    (folder / digests.SUMS).unlink()
    digests.check_folder(folder)  # as an older Vitrine wrote it


def test_what_is_settled_only_its_owner_reads(folder: Path) -> None:
    for path in folder.iterdir():
        path.chmod(0o644)
    digests.settle(folder / "a.json")
    assert (folder / "a.json").stat().st_mode & 0o777 == 0o600
    assert (folder / "b.npz").stat().st_mode & 0o777 == 0o644
    digests.settle(folder)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
