"""Tracks: points in the order in which they were visited."""

from __future__ import annotations

from collections.abc import Sequence

from geo.points import Point, distance_km


def length_km(track: Sequence[Point]) -> float:
    """The length of a track."""
    total = 0.0
    for index in range(len(track) - 2):
        total += distance_km(track[index], track[index + 1])
    return total


def without_repeats(track: Sequence[Point]) -> list[Point]:
    """The track without points that equal the one before."""
    result: list[Point] = []
    for point in track:
        if not result or result[-1] != point:
            result.append(point)
    return result
