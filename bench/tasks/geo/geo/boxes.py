"""Boxes that enclose points: (south, west, north, east)."""

from __future__ import annotations

from collections.abc import Iterable

from geo.points import Point

Box = tuple[float, float, float, float]


def box_of(points: Iterable[Point]) -> Box:
    """The smallest box around some points."""
    known = list(points)
    if not known:
        raise ValueError("no points")
    latitudes = [latitude for latitude, _ in known]
    longitudes = [longitude for _, longitude in known]
    return min(latitudes), min(longitudes), max(latitudes), max(longitudes)


def contains(box: Box, point: Point) -> bool:
    """Whether a point lies in a box, its border included."""
    south, west, north, east = box
    latitude, longitude = point
    return south <= latitude <= north and west <= longitude <= east
