from planner.clock import format_time, parse_time, round_up
from planner.meetings import Meeting, conflicts, of_person
from planner.slots import free, merged, overlaps

DAILY = Meeting("Daily", (540, 555), ("Ann", "Bob"))
REVIEW = Meeting("Review", (550, 600), ("Bob",))
LUNCH = Meeting("Lunch", (720, 780), ("Ann",))


def test_times_are_read_and_written():
    assert parse_time("9:30") == 570
    assert format_time(570) == "09:30"


def test_a_time_is_rounded_up():
    assert round_up(541) == 555


def test_slots_overlap():
    assert overlaps((0, 10), (5, 15))
    assert not overlaps((0, 10), (20, 30))


def test_slots_are_merged():
    assert merged([(20, 30), (0, 10), (10, 15), (25, 40)]) == [(0, 15), (20, 40)]


def test_what_is_free():
    assert free([(10, 20), (30, 40)], 0, 50) == [(0, 10), (20, 30), (40, 50)]


def test_meetings_of_a_person_are_ordered():
    assert of_person([LUNCH, DAILY, REVIEW], "Ann") == [DAILY, LUNCH]


def test_a_conflict_needs_a_common_person():
    assert conflicts([DAILY, REVIEW, LUNCH]) == [(DAILY, REVIEW)]
