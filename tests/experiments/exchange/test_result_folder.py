import pytest

from engine.errors import ConfigError
from experiments.exchange.result_folder import refuse_existing, result_folder


def fill(out, overwrite=False, **files):
    with result_folder(out, overwrite) as folder:
        for name, text in files.items():
            (folder / f"{name}.csv").write_text(text)


def names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_results_appear_under_their_name_when_they_are_complete(tmp_path):
    out = tmp_path / "deep" / "plan"
    with result_folder(out, overwrite=False) as folder:
        (folder / "a.csv").write_text("a")
        assert not out.exists()
    assert names(out) == ["a.csv"]
    assert [path.name for path in out.parent.iterdir()] == ["plan"]


def test_a_run_that_fails_leaves_nothing(tmp_path):
    def fail_halfway():
        with result_folder(tmp_path / "plan", overwrite=False) as folder:
            (folder / "a.csv").write_text("a")
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        fail_halfway()
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_fails_leaves_the_results_before_it(tmp_path):
    out = tmp_path / "plan"
    fill(out, a="first")
    with pytest.raises(RuntimeError, match="halfway"), result_folder(out, overwrite=True):
        raise RuntimeError("halfway")
    assert (out / "a.csv").read_text() == "first"


def test_results_are_replaced_only_when_asked(tmp_path):
    out = tmp_path / "plan"
    fill(out, a="first", b="first")
    with pytest.raises(ConfigError, match="--overwrite"):
        fill(out, a="second")
    fill(out, overwrite=True, a="second")
    assert names(out) == ["a.csv"]
    assert (out / "a.csv").read_text() == "second"


def test_files_of_others_stay_in_a_replaced_folder(tmp_path):
    out = tmp_path / "data"
    out.mkdir()
    (out / "sales.csv").write_text("mine")
    (out / "notes").mkdir()
    (out / "notes" / "n.txt").write_text("mine")
    fill(out, overwrite=True, a="plan")
    fill(out, overwrite=True, b="plan")
    assert names(out) == ["b.csv", "notes", "sales.csv"]
    assert (out / "notes" / "n.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_results_in_folders_are_replaced_too(tmp_path):
    out = tmp_path / "plan"
    with result_folder(out, overwrite=False) as folder:
        (folder / "quarantine").mkdir()
        (folder / "quarantine" / "sales.csv").write_text("bad")
    fill(out, overwrite=True, a="plan")
    assert names(out) == ["a.csv"]


def test_the_folder_behind_a_link_is_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    fill(tmp_path / "link", overwrite=True, a="plan")
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "real") == ["a.csv"]


def test_a_folder_that_comes_to_be_meanwhile_is_not_replaced(tmp_path):
    out = tmp_path / "plan"
    with pytest.raises(ConfigError, match="--overwrite"), result_folder(out, overwrite=False):
        out.mkdir()
    assert list(out.iterdir()) == []


def test_a_file_is_no_output_folder(tmp_path):
    (tmp_path / "plan").write_text("")
    with pytest.raises(ConfigError, match="is a folder"):
        refuse_existing(tmp_path / "plan", overwrite=True)
