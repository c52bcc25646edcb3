"""A misspelt key is refused with the nearest known one; a user's file overrides key by key."""

from __future__ import annotations

import pytest

from lfja_mri.config import config_folder, digest, load_pipeline_settings
from lfja_mri.errors import ConfigurationError, ExitCode
from lfja_mri.settings.ingest import packaged_ingest_settings


def test_the_packaged_settings_load():
    assert load_pipeline_settings().facets


def test_what_inspect_reads_without_the_checks_is_what_they_give():
    assert packaged_ingest_settings() == load_pipeline_settings().ingest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[ingest]\nlocalizer_planes = 4\n",
            "unknown key 'ingest.localizer_planes'; did you mean 'localiser_planes'",
        ),
        (
            "[ingest]\nlocaliser_planes = 'four'\n",
            "key 'ingest.localiser_planes': Input should be a valid integer",
        ),
    ],
)
def test_a_wrong_key_of_ingestion_is_named(text, said, tmp_path):
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        load_pipeline_settings(tmp_path / "mine.toml")


def test_a_misspelt_section_names_the_nearest(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[facet]\n")
    with pytest.raises(ConfigurationError, match="unknown key 'facet'; did you mean 'facets'") as caught:
        load_pipeline_settings(path)
    assert caught.value.exit_code is ExitCode.CONFIGURATION


def test_what_is_not_toml_names_the_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[facets\n")
    with pytest.raises(ConfigurationError, match=r"mine\.toml is not valid TOML"):
        load_pipeline_settings(path)


def test_an_absent_file_is_a_configuration_error(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot read the configuration"):
        load_pipeline_settings(tmp_path / "absent.toml")


def test_the_digest_follows_the_content(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("")
    assert digest(load_pipeline_settings(path)) == digest(load_pipeline_settings())


def test_every_packaged_file_is_found():
    names = {path.name for path in config_folder().glob("**/*.toml")}
    assert {"pipeline.toml", "change.toml", "czervionke_fenton.toml"} <= names
