"""Points as (latitude, longitude) in degrees."""

from __future__ import annotations

import math

EARTH_RADIUS_KM = 6371.0
Point = tuple[float, float]


def distance_km(first: Point, second: Point) -> float:
    """The great-circle distance between two points (haversine formula)."""
    lat1, lon1, lat2, lon2 = map(math.radians, (*first, *second))
    part = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(part))


def is_valid(point: Point) -> bool:
    """Whether latitude and longitude are in their ranges."""
    latitude, longitude = point
    return -90 <= latitude <= 90 and -90 <= longitude <= 90


def parse_point(text: str) -> Point:
    """A point from text such as "47.5, 8.7"."""
    latitude, longitude = text.split(",")
    return float(latitude), float(longitude)
