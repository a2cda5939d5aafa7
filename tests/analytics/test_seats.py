"""Division codes: what a city is, and who covers whom."""

import pytest

from tanzheng.analytics.seats import NATION, Level, Place, Seat, seat_of
from tanzheng.core.errors import BadInput


@pytest.mark.parametrize(
    ("code", "city"),
    [
        ("320583", "320500"),  # Kunshan, of Suzhou
        ("320500", "320500"),
        ("110105", "110105"),  # a district of a municipality stands where a city does
        ("500101", "500101"),
        ("429004", "429004"),  # answers to its province
    ],
)
def test_the_city_of_a_county(code: str, city: str) -> None:
    place = Place("E1", code)
    found = seat_of(place, Level.CITY)
    assert str(found) == city
    assert Seat.parse(city) == found
    assert found.covers(place)
    assert str(seat_of(place, Level.PROVINCE)) == f"{code[:2]}0000"


@pytest.mark.parametrize("text", ["nation", "320000", "320500", "110105", "enterprise:E-1"])
def test_a_seat_is_read_as_it_is_written(text: str) -> None:
    assert str(Seat.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "320583", "32", "china", "020000", "enterprise:", "３２００００"]
)
def test_no_seat(text: str) -> None:
    with pytest.raises(BadInput):
        Seat.parse(text)


@pytest.mark.parametrize("code", ["320000", "32058", "3205830", "x20583", "", "３２０５８３"])
def test_no_place(code: str) -> None:
    with pytest.raises(BadInput, match="division_code"):
        Place("E1", code)


def test_an_enterprise_is_no_province() -> None:
    place = Place("320000", "110105")
    assert Seat.parse("enterprise:320000").covers(place)
    assert not Seat.parse("320000").covers(place)
    assert NATION.covers(place)
