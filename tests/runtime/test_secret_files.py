"""A secret is read only where nobody else can, in the two forms that there are: one's own file, and a pod's."""

import os
import stat
from pathlib import Path

import pytest

from runtime.secret_files import is_private, read_private

ROOT, SOMEBODY = 0, 10001


def found(owner: int, mode: int) -> os.stat_result:
    return os.stat_result((stat.S_IFREG | mode, 1, 1, 1, owner, 1, 1, 0, 0, 0))


@pytest.mark.parametrize(
    ("owner", "mode", "reader"),
    [(SOMEBODY, 0o600, SOMEBODY), (SOMEBODY, 0o400, SOMEBODY), (ROOT, 0o600, ROOT), (ROOT, 0o440, SOMEBODY)],
)
def test_ones_own_file_and_what_kubernetes_mounts_are_private(owner: int, mode: int, reader: int) -> None:
    assert is_private(found(owner, mode), reader)


@pytest.mark.parametrize(
    ("owner", "mode", "reader"),
    [
        (SOMEBODY, 0o640, SOMEBODY),
        (SOMEBODY, 0o440, SOMEBODY),
        (SOMEBODY, 0o604, SOMEBODY),
        (SOMEBODY, 0o610, SOMEBODY),
        (ROOT, 0o440, ROOT),
        (ROOT, 0o444, SOMEBODY),
        (ROOT, 0o460, SOMEBODY),
        (ROOT, 0o442, SOMEBODY),
        (SOMEBODY + 1, 0o440, SOMEBODY),
    ],
)
def test_every_other_form_is_not(owner: int, mode: int, reader: int) -> None:
    assert not is_private(found(owner, mode), reader)


def test_a_file_that_others_may_read_is_not_given_out(tmp_path: Path) -> None:
    secret = tmp_path / "ledger.key"
    secret.write_bytes(b"canary")
    secret.chmod(0o644)
    with pytest.raises(PermissionError, match="chmod 0600") as refused:
        read_private(secret)
    assert "canary" not in str(refused.value)
    secret.chmod(0o600)
    assert read_private(secret) == b"canary"


def test_a_file_is_followed_to_where_kubernetes_keeps_it(tmp_path: Path) -> None:
    kept = tmp_path / "..2026_11_23" / "ledger.key"
    kept.parent.mkdir()
    kept.touch(mode=0o600)
    kept.write_bytes(b"x")
    (tmp_path / "ledger.key").symlink_to(kept)
    assert read_private(tmp_path / "ledger.key") == b"x"
    kept.chmod(0o644)
    with pytest.raises(PermissionError):
        read_private(tmp_path / "ledger.key")
