"""Compiled kernels are used again only while no source of the package has changed."""

from __future__ import annotations

import os
from pathlib import Path

import numba
import pytest

import operators
from operators import kernel_cache, numerics


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "package"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.py").write_text("x = 1\n")
    (folder / "inner" / "b.py").write_text("y = 2\n")
    return folder


def test_any_change_of_any_source_takes_another_folder(package: Path, tmp_path: Path) -> None:
    """An edit, a new file or a renamed one in any folder never meets kernels compiled before it."""
    folders = [kernel_cache.folder_for(package, tmp_path / "cache")]
    (package / "inner" / "b.py").write_text("y = 3\n")
    folders.append(kernel_cache.folder_for(package, tmp_path / "cache"))
    (package / "c.py").write_text("")
    folders.append(kernel_cache.folder_for(package, tmp_path / "cache"))
    (package / "c.py").rename(package / "d.py")
    folders.append(kernel_cache.folder_for(package, tmp_path / "cache"))
    assert len(set(folders)) == 4


def test_unchanged_sources_find_their_kernels_again(package: Path, tmp_path: Path) -> None:
    """Starting again, or touching a file without changing it, compiles nothing anew."""
    before = kernel_cache.folder_for(package, tmp_path / "cache")
    os.utime(package / "a.py", (1, 1))
    (package / "notes.txt").write_text("no source")
    assert kernel_cache.folder_for(package, tmp_path / "cache") == before


def test_folders_of_old_versions_do_not_pile_up(package: Path, tmp_path: Path) -> None:
    """Of the versions before, only the latest few keep their kernels; the present one stays."""
    base = tmp_path / "cache"
    present = kernel_cache.folder_for(package, base)
    for age, name in enumerate([present.name, *(f"v{n}" for n in range(kernel_cache.KEPT + 3))]):
        (base / name).mkdir(parents=True)
        os.utime(base / name, (age, age))
    assert kernel_cache.folder_for(package, base) == present
    left = {folder.name for folder in base.iterdir()}
    assert left == {present.name, *(f"v{n}" for n in range(3, kernel_cache.KEPT + 3))}


def test_a_version_in_use_is_not_dropped_for_its_age(package: Path, tmp_path: Path) -> None:
    """What counts is when kernels were last used, not when the last of them was compiled."""
    base = tmp_path / "cache"
    daily = kernel_cache.folder_for(package, base)
    daily.mkdir(parents=True)
    os.utime(daily, (1, 1))
    for n in range(kernel_cache.KEPT):
        (base / f"tried-{n}").mkdir()
        os.utime(base / f"tried-{n}", (2, 2))
    assert kernel_cache.folder_for(package, base) == daily
    (package / "a.py").write_text("x = 2\n")
    (base / "newest").mkdir()
    kernel_cache.folder_for(package, base)
    assert daily.is_dir()
    assert len(list(base.iterdir())) == kernel_cache.KEPT


def test_the_packages_own_kernels_are_kept_this_way() -> None:
    """Importing what kernels are built on has pointed numba at the folder of their sources."""
    assert numerics.exp.py_func.__module__ == "operators.numerics"
    package = Path(operators.__path__[0])
    assert Path(vars(numba.config)["CACHE_DIR"]).name == kernel_cache.source_digest(package)
