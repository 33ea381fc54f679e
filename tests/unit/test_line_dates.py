"""Dates in one readable line, where that is exact."""
# ruff: noqa: DTZ001  (naive ones are what scripts keep)

from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from holdall import CorruptValueError
from holdall.serializers.line import LineSerializer

serializer = LineSerializer()
READABLE = {
    date(2026, 1, 2): b"date 2026-01-02",
    datetime(2026, 1, 2, 3, 4): b"datetime 2026-01-02T03:04:00",
    datetime(1, 1, 1): b"datetime 0001-01-01T00:00:00",
    datetime(2026, 1, 2, 3, 4, 5, 6): b"datetime 2026-01-02T03:04:05.000006",
    datetime(2026, 1, 2, tzinfo=UTC): b"datetime 2026-01-02T00:00:00+00:00",
    datetime(
        2026, 1, 2, tzinfo=timezone(timedelta(hours=-3, minutes=-30))
    ): b"datetime 2026-01-02T00:00:00-03:30",
}


class Day(date):
    pass


@pytest.mark.parametrize("value", READABLE, ids=str)
def test_a_date_is_readable_and_comes_back(value):
    data = serializer.dumps(value)
    assert data == READABLE[value]
    again = serializer.loads(data)
    assert (type(again), repr(again)) == (type(value), repr(value))
    assert LineSerializer(pickles=False).loads(LineSerializer(pickles=False).dumps(value)) == value


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 10, 25, 2, 30, fold=1),
        datetime(2026, 1, 2, tzinfo=ZoneInfo("UTC")),
        datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=1), "mine")),
        Day(2026, 1, 2),
        time(3, 4),
        [date(2026, 1, 2)],
    ],
    ids=repr,
)
def test_what_iso_does_not_keep_is_a_pickle(value):
    data = serializer.dumps(value)
    assert data.startswith(b"pickle ")
    assert repr(serializer.loads(data)) == repr(value)


@pytest.mark.parametrize("data", [b"date", b"date 2026", b"datetime x", b"dates 2026-01-02", b"date \xff"])
def test_what_is_no_date_is_corrupt(data):
    with pytest.raises(CorruptValueError):
        serializer.loads(data)
