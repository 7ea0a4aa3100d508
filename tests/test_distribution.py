"""The archives that are published: the source distribution runs its tests, the wheel has no test.

They are built by setuptools alone, from a copy of the repository, without any network.
"""
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOP = ("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "MANIFEST.in", "README.md", "pyproject.toml",
       "setup.cfg")
LIGHT = ("tests/test_safe_files.py", "tests/optim/test_schedules.py",
         "tests/analysis/test_metrics.py", "tests/experiments/test_equivalent_mutants.py")
FOLDERS = (".ci", "cs231n_fer", "experiments", "tests")


def wanted():
    """Return the names of all files that belong to the source distribution."""
    names = {path.relative_to(ROOT).as_posix() for folder in FOLDERS
             for path in (ROOT / folder).rglob("*")
             if path.is_file() and "__pycache__" not in path.parts}
    return names | {*TOP, "data/README.md"}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return a function of "sdist" or "wheel" that builds the archive and returns its path."""
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("built")
    tree = folder / "tree"
    for name in wanted():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tree / name)
    (tree / "data" / "fer2013.h5").write_text("faces that must not be published")
    (tree / "tests" / "old.pyc").write_text("")

    def build(kind):
        code = f"from setuptools.build_meta import build_{kind} as build; build({str(folder)!r})"
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=tree, text=True,
                              capture_output=True)
        if kind == "wheel" and "bdist_wheel" in done.stderr:
            pytest.skip("this setuptools needs the package wheel")
        assert done.returncode == 0, done.stderr
        return next(folder.glob("*.tar.gz" if kind == "sdist" else "*.whl"))
    return build


def test_the_source_distribution_has_every_file_that_its_tests_read(built, tmp_path):
    with tarfile.open(built("sdist")) as archive:
        for member in archive:
            if member.isfile():
                (tmp_path / member.name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / member.name).write_bytes(archive.extractfile(member).read())
    (root,) = tmp_path.iterdir()
    found = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    written = {"PKG-INFO", *(name for name in found if name.startswith("cs231n_fer.egg-info/"))}
    assert found - written == wanted()
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *LIGHT],
                          cwd=root, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_has_the_net_the_page_the_licence_and_the_types_and_no_test(built):
    with zipfile.ZipFile(built("wheel")) as archive:
        names = archive.namelist()
    page = {name for name in wanted() if re.fullmatch(r"cs231n_fer/web/.*\.(html|css|js)", name)}
    assert page | {"cs231n_fer/py.typed", "cs231n_fer/classifiers/pretrained.h5",
                   "cs231n_fer/classifiers/pretrained.md"} <= set(names)
    assert [name for name in names if name.endswith("/LICENSE")]
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"cs231n_fer"}
