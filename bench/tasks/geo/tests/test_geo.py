import pytest
from geo.boxes import box_of, contains
from geo.points import distance_km, is_valid, parse_point
from geo.tracks import length_km, without_repeats


def test_a_degree_along_the_equator():
    assert distance_km((0.0, 0.0), (0.0, 1.0)) == pytest.approx(111.19, abs=0.01)


def test_ranges():
    assert is_valid((45.0, 8.0))
    assert not is_valid((91.0, 8.0))


def test_points_are_read():
    assert parse_point("47.5, 8.7") == (47.5, 8.7)


def test_the_smallest_box():
    assert box_of([(1.0, 5.0), (3.0, 2.0)]) == (1.0, 2.0, 3.0, 5.0)
    with pytest.raises(ValueError):
        box_of([])


def test_the_border_belongs_to_a_box():
    assert contains((0.0, 0.0, 1.0, 1.0), (1.0, 0.5))
    assert not contains((0.0, 0.0, 1.0, 1.0), (1.1, 0.5))


def test_a_track_of_one_point_has_no_length():
    assert length_km([(0.0, 0.0)]) == 0.0


def test_repeats_are_left_out():
    assert without_repeats([(0.0, 0.0), (0.0, 0.0), (1.0, 0.0), (0.0, 0.0)]) == [(0.0, 0.0), (1.0, 0.0), (0.0, 0.0)]
