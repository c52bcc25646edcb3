"""Slices of phantoms as the network learns them: the true tissue under every pixel, of the lumbar spine and S1 and S2 alone."""

from __future__ import annotations

import numpy as np
import pytest
from training_modules import training_module

SEED = 802


@pytest.fixture(scope="module")
def phantoms():
    with training_module("phantoms") as module:
        yield module


@pytest.fixture(scope="module")
def samples(phantoms, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phantoms, "FIRST_SEED", SEED)
        return phantoms.load_phantoms(1, tmp_path_factory.mktemp("kept"))


def rows_of(sample, kind):
    return np.argwhere(sample.classes == kind)[:, 0]


def lumbar_columns_of(sample, kind, s1):
    lumbar = sample.classes[: rows_of(sample, s1).min()]  # the sacral canal runs on to the back
    return np.argwhere(lumbar == kind)[:, 1]


@pytest.mark.slow
def test_every_series_gives_slices_of_one_made_up_person(samples, phantoms):
    assert len(samples) == len(phantoms.SERIES) * phantoms.PLANES_A_SERIES
    assert {sample.patient for sample in samples} == {-SEED}  # never the number of a SPIDER person
    assert all(sample.image.shape == sample.classes.shape for sample in samples)


@pytest.mark.slow
def test_rows_run_to_the_feet_and_columns_to_the_back(samples, phantoms):
    for sample in samples:
        assert rows_of(sample, phantoms.BODY).mean() < rows_of(sample, phantoms.S1).mean()
        body, canal, behind = (
            lumbar_columns_of(sample, kind, phantoms.S1).mean()
            for kind in (phantoms.BODY, phantoms.CANAL, phantoms.POSTERIOR)
        )
        assert body < canal < behind


@pytest.mark.slow
def test_nothing_below_s2_is_taught_but_the_background(samples, phantoms):
    spine = (phantoms.DISC, phantoms.BODY, phantoms.POSTERIOR, phantoms.CANAL, phantoms.S1)
    for sample in samples:
        lowest = rows_of(sample, phantoms.S2).max()
        assert all(rows_of(sample, kind).max() <= lowest for kind in spine)


@pytest.mark.slow
def test_labels_lie_on_the_tissue_that_is_seen(samples, phantoms):
    """On T2 and STIR the dural sac outshines the bodies; a slip of a few mm between label and image would hide it."""
    for sample in samples[: phantoms.PLANES_A_SERIES]:
        canal, body = (
            np.median(sample.image[sample.classes == kind]) for kind in (phantoms.CANAL, phantoms.BODY)
        )
        assert canal > body


@pytest.mark.slow
def test_kept_slices_are_read_again(samples, phantoms, tmp_path, monkeypatch):
    monkeypatch.setattr(phantoms, "FIRST_SEED", SEED)
    monkeypatch.setattr(phantoms, "_samples", lambda _seed: iter(samples))
    phantoms.load_phantoms(1, tmp_path)
    monkeypatch.setattr(phantoms, "_samples", lambda _seed: pytest.fail("made twice"))
    again = phantoms.load_phantoms(1, tmp_path)
    assert all(np.array_equal(a.image, b.image) for a, b in zip(again, samples, strict=True))
