"""Repeatability: known spread in, the same spread out; the file it writes is the file the comparison reads."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfja_mri import visits
from lfja_mri.change.noise import noise_scale
from lfja_mri.change.repeatability import (
    fit_sem,
    joint_pairs,
    measure_repeatability,
    read_pairs,
    repeatability,
    repeatability_both_ways,
    repeatability_toml,
)
from lfja_mri.change.types import MEASURES
from lfja_mri.config import load_change_settings
from lfja_mri.errors import InputError
from lfja_mri.model import STANDARD_LEVELS, Side


def rows(generator, sources="sagittal_stir"):
    """Ten joints whose widths are 2 mm and whose volumes are 500 mm3, measured with noise of 0.1 mm and 10 %."""
    return [
        {
            "subject": "s",
            "level": level.value,
            "side": side.value,
            "status": "graded",
            "grade": "1",
            "effusion_width_mm": str(2 + generator.normal(0, 0.1)),
            "effusion_volume_mm3": str(500 * (1 + generator.normal(0, 0.1))),
            "sources": sources,
        }
        for level in STANDARD_LEVELS
        for side in Side
    ]


def many_pairs(count=40, sources="sagittal_stir"):
    generator = np.random.default_rng(3)
    return [
        pair for _ in range(count) for pair in joint_pairs(rows(generator, sources), rows(generator, sources))
    ]


def test_sem_icc_and_limits_of_a_hand_counted_example():
    """Differences 1, -1, 1, -1 around means 10 to 13: SEM^2 = 1/2, between = 2 * 5/3, limits -+1.96 * sqrt(4/3)."""
    centre = np.array([10.0, 11.0, 12.0, 13.0])
    half = np.array([0.5, -0.5, 0.5, -0.5])
    found = measure_repeatability("effusion_width_mm", centre - half, centre + half)
    assert found.sem_floor == pytest.approx(0.5**0.5)
    assert found.sem_share == pytest.approx(0, abs=1e-6)  # the root of what rounding leaves
    assert found.icc == pytest.approx((10 / 3 - 0.5) / (10 / 3 + 0.5))
    assert found.bias == pytest.approx(0)
    assert found.limit_high == pytest.approx(1.96 * (4 / 3) ** 0.5)


@pytest.mark.parametrize(("floor", "share"), [(0.2, 0.0), (0.0, 0.1), (5.0, 0.1)])
def test_floor_and_share_are_recovered(floor, share):
    generator = np.random.default_rng(7)
    truth = generator.uniform(1, 300, 6000)
    noise = np.hypot(floor, share * truth)
    first, second = (truth + generator.normal(0, 1, truth.size) * noise for _ in range(2))
    fitted = fit_sem(second - first, (first + second) / 2)
    for value in (10.0, 100.0, 250.0):
        # Squared noise of 30 units hides a floor of under one unit.
        allowed = 0.8 if share else 0.0
        expected = np.hypot(floor, share * value)
        assert np.hypot(fitted[0], fitted[1] * value) == pytest.approx(expected, rel=0.1, abs=allowed)


def test_nothing_measured_twice_says_nothing_of_the_spread():
    difference, centre = np.array([2.0, -2.0]), np.array([10.0, 10.0])
    padded = (np.append(difference, np.zeros(50)), np.append(centre, np.zeros(50)))
    assert fit_sem(*padded) == pytest.approx(fit_sem(difference, centre))


def test_nothing_varies_has_no_icc():
    found = measure_repeatability("effusion_width_mm", np.zeros(3), np.zeros(3))
    assert (found.icc, found.sem_floor, found.sem_share) == (None, 0.0, 0.0)


@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 1e4)), min_size=2, max_size=30))
@settings(max_examples=60, deadline=None)
def test_the_order_of_the_repeats_does_not_matter(values):
    array = np.array(values)
    one, other = (measure_repeatability("effusion_width_mm", *way) for way in (array.T, array.T[::-1]))
    assert one.sem_floor == pytest.approx(other.sem_floor)
    assert one.sem_share == pytest.approx(other.sem_share)
    assert one.icc == pytest.approx(other.icc)
    assert one.bias == pytest.approx(-other.bias, abs=1e-9)


def test_the_file_written_is_the_file_read(tmp_path):
    found = repeatability(many_pairs(), provenance='ten "subjects"', fewest_pairs=20)
    path = tmp_path / "ours.toml"
    path.write_text(repeatability_toml(found, detection_z=1.96))
    loaded = load_change_settings(repeatability=path).repeatability
    assert loaded.provenance == 'ten "subjects"'
    assert [entry.sources for entry in loaded.protocol] == [("sagittal_stir",), ()]
    width = loaded.protocol[0].measures["effusion_width_mm"]
    assert np.hypot(width.sem_floor, 2 * width.sem_share) == pytest.approx(0.1, rel=0.1)
    assert set(loaded.protocol[0].measures) == {"effusion_width_mm", "effusion_volume_mm3"} <= set(MEASURES)


def test_the_same_repeats_give_the_same_bytes():
    texts = {
        repeatability_toml(repeatability(many_pairs(5), provenance="x", fewest_pairs=20), detection_z=1.96)
        for _ in range(2)
    }
    assert len(texts) == 1


def test_sources_with_few_pairs_have_no_entry_of_their_own():
    pairs = many_pairs(4) + many_pairs(1, "axial_t2_fs")
    found = repeatability(pairs, provenance="x", fewest_pairs=20)
    assert [entry.sources for entry in found.protocol] == [("sagittal_stir",), ()]


def test_too_few_pairs_are_refused():
    with pytest.raises(InputError, match="at least 20"):
        repeatability(many_pairs(1), provenance="x", fewest_pairs=20)


def test_joints_graded_once_only_are_left_out():
    first, second = rows(np.random.default_rng(0)), rows(np.random.default_rng(1))
    second[0] |= {"status": "not_graded", "grade": ""}
    assert len(joint_pairs(first, second)) == 9


def test_pairs_are_read_relative_to_their_file(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("subject,first,second\ns1,a,b\n")
    (pair,) = read_pairs(path)
    assert pair.first == tmp_path / "a"
    path.write_text("subject,first,second\ns1,a,\n")
    with pytest.raises(InputError, match="row 1"):
        read_pairs(path)
    path.write_text("subject,first\n")
    with pytest.raises(InputError, match="second"):
        read_pairs(path)


def test_a_share_is_least_sure_in_the_middle():
    """Of 24 places each bright by chance p, the share has a standard error of sqrt(p (1 - p) / 24)."""
    generator = np.random.default_rng(3)
    chances = np.repeat(np.array([0.02, 0.2, 0.5, 0.8, 0.98]), 400)
    first, second = (generator.binomial(24, chances) / 24 for _ in range(2))
    found = measure_repeatability("perimeter_fraction", first, second)
    assert found.sem_share == pytest.approx(24**-0.5, rel=0.1)
    assert found.sem_floor < 0.03


@given(st.floats(0, 1))
def test_all_and_none_of_a_whole_are_told_alike(share):
    assert noise_scale("perimeter_fraction", share) == pytest.approx(
        noise_scale("perimeter_fraction", 1 - share), abs=1e-6
    )
    assert noise_scale("effusion_width_mm", share) == share


def test_joints_in_one_frame_get_their_own_noise_where_there_are_enough():
    many, few = many_pairs(4), many_pairs(1)
    both = repeatability_both_ways(many, many, provenance="ours", fewest_pairs=20)
    assert {entry.registered for entry in both.protocol} == {True, False}
    apart = repeatability_both_ways(few, many, provenance="ours", fewest_pairs=20)
    assert {entry.registered for entry in apart.protocol} == {False}
    with pytest.raises(InputError):
        repeatability_both_ways(many, few, provenance="ours", fewest_pairs=20)


def test_repeats_with_pixels_are_measured_in_common_frames_as_well(tmp_path, monkeypatch):
    generator = np.random.default_rng(11)
    (tmp_path / "pairs.csv").write_text("subject,first,second\n" + "a,x,y\n" * 4)
    monkeypatch.setattr(
        visits, "read_visit", lambda *_: SimpleNamespace(rows=rows(generator), result="pixels")
    )
    monkeypatch.setattr(visits, "grader", lambda _: None)
    monkeypatch.setattr(
        visits,
        "common_frame",
        lambda *_: SimpleNamespace(baseline=rows(generator), follow_up=rows(generator)),
    )
    monkeypatch.setattr(visits, "result_rows", lambda result, *_: result)
    text = visits.repeatability_of(tmp_path / "pairs.csv", None, load_change_settings(), "ours")
    assert text.count("registered = true") == text.count("registered = false") == 2
