"""Names made from fields: ``"{country}/{city}_{year:d}.json"``."""

from collections import namedtuple
from collections.abc import Mapping
from functools import cache
from itertools import takewhile
from typing import Any, NoReturn

from holdall._shown import shown
from holdall.abc import NOT_MINE
from holdall.errors import InvalidArgumentError, InvalidKeyError, UnsupportedError
from holdall.keys._layout import Layout
from holdall.keys._value import FrozenCodec, text_option

_FORMS = ("value", "tuple", "dict", "namedtuple", "str")


class Template(FrozenCodec[Any]):
    """Names made from fields, which are checked, converted and read back.

    A field is ``{name:spec:regex}``; each part may be left out. The spec is ``s`` for text (the default),
    ``d`` or ``x`` for int, ``f`` or ``g`` for float, with a width or precision as ``04d``, ``.2f``,
    ``06.2f``, ``.9g``, or a date or time by its directives, as ``%Y-%m-%d`` (``%Y %y %m %d %j %H %M %S %f``;
    it takes the rest of the field, so that no regex can follow). A regex must match the whole field. ``{{``
    and ``}}`` are literal braces. Names that do not fit are not listed, and keys that do not fit are refused.

    Parameters
    ----------
    text
        The template.
    keys
        What keys are: ``"tuple"``; ``"dict"`` or ``"namedtuple"``, by the names of the fields; ``"str"``, the
        whole name; or, for a template of one field, ``"value"``, the value of the field. None for ``"value"``
        where there is one field, ``"tuple"`` where there are more.

    Raises
    ------
    InvalidArgumentError
        If the text is not a template, or names could be read in two ways whatever the fields contain.

    Notes
    -----
    Text fields accept anything that leaves a name in its folder and can be read in one way only: ``/`` makes
    folders; no part between slashes is empty, ``.`` or ``..``; and where text fields follow each other, they
    do not contain the separator between them. A key whose name would be read as another key is refused, which
    can only happen with a regex. Names have at most 4,096 characters. Names are not encoded; ``Template(...)
    | PathKeys()`` does that.

    Threads and processes: immutable. Cost: 1 to 2 µs either way, for two or three fields. Regexes are those
    of `re`: one with nested repetitions, such as ``(a+)+b``, can take years for a name that others chose.

    Examples
    --------
    >>> cities = Template("{country}/{city}_{year:d}.json")
    >>> cities.encode(("fr", "aix_les_bains", 2024))
    'fr/aix_les_bains_2024.json'
    >>> cities.decode("fr/paris_2024.json"), cities.decode("fr/paris_MMXXIV.json")
    (('fr', 'paris', 2024), NOT_MINE)
    >>> Template("{}.wav").decode("a/b.wav")
    'a/b'
    >>> Template("{user}-{id:04d}", keys="dict").decode("ann-0007")
    {'user': 'ann', 'id': 7}
    >>> Template("{day:%Y-%m-%d}.csv").decode("2024-02-29.csv")
    datetime.date(2024, 2, 29)
    """

    #: The template, as it was given.
    text: str
    #: The form of keys.
    keys: str
    #: The names of the fields, "" for those without one.
    names: tuple[str, ...]
    #: Whether keys are tuples.
    tuples: bool
    _layout: Layout

    def __init__(self, text: str, *, keys: str | None = None) -> None:
        text = text_option(text, "a template")
        layout = Layout(text)
        names = layout.names
        usual = "value" if len(names) == 1 else "tuple"
        form = usual if keys is None else keys
        _check_form(form, names, text)
        self._freeze(
            text,
            options={} if form == usual else {"keys": form},
            text=text,
            keys=form,
            names=names,
            tuples=form in {"tuple", "namedtuple"},
            _layout=layout,
        )

    def encode(self, key: Any) -> str:  # docstring inherited
        if self.keys == "str":
            return self._whole(key)
        return self._layout.write(self._values(key))

    def decode(self, id: Any) -> Any:  # docstring inherited
        values = self._layout.read(id)
        return NOT_MINE if values is None else self._key(values, id)

    def decode_many(self, ids: list[str]) -> list[Any]:  # docstring inherited
        read, make = self._layout.read, self._key
        return [make(values, id) for id in ids if (values := read(id)) is not None]

    def id_prefix(self, prefix: Any) -> str:  # docstring inherited
        if self.keys in {"value", "str"}:
            if not isinstance(prefix, str):
                raise InvalidKeyError(f"keys of {self!r} have nothing below {shown(prefix)}: give a str")
            return (self._layout.literals[0] if self.keys == "value" else "") + str.__str__(prefix) + "/"
        if self.keys == "dict":
            self._check_names(prefix, whole=False)
            leading = _leading(prefix, self.names)
        elif isinstance(prefix, tuple):
            leading = prefix[: len(self.names)]
        else:
            self._refuse(prefix)
        return self._layout.start(leading)

    # ------------------------------------------------------------------ from form to form

    def to_str(self, key: Any) -> str:
        """Return the whole name of a key.

        Parameters
        ----------
        key
            A tuple, a namedtuple, a dict, a value where that is the key, or the whole name.

        Raises
        ------
        InvalidKeyError
            If it does not fit.

        Examples
        --------
        >>> Template("{user}-{id:04d}").to_str({"user": "ann", "id": 7})
        'ann-0007'
        """
        return self._layout.write(self._any(key))

    def to_tuple(self, key: Any) -> tuple[Any, ...]:
        """Return the fields of a key as a tuple.

        Parameters
        ----------
        key
            As in `to_str`.

        Examples
        --------
        >>> Template("{user}-{id:04d}").to_tuple("ann-0007")
        ('ann', 7)
        """
        return self._checked(key)

    def to_dict(self, key: Any) -> dict[str, Any]:
        """Return the fields of a key as a dict.

        Parameters
        ----------
        key
            As in `to_str`.

        Raises
        ------
        UnsupportedError
            If a field has no name.

        Examples
        --------
        >>> Template("{user}-{id:04d}").to_dict("ann-0007")
        {'user': 'ann', 'id': 7}
        """
        self._require_names()
        return dict(zip(self.names, self._checked(key), strict=True))

    def to_namedtuple(self, key: Any) -> Any:
        """Return the fields of a key as a namedtuple, which can be pickled.

        Parameters
        ----------
        key
            As in `to_str`.

        Raises
        ------
        UnsupportedError
            If a field has no name, or one that a namedtuple cannot have.

        Examples
        --------
        >>> Template("{user}-{id:04d}").to_namedtuple(("ann", 7))
        Key(user='ann', id=7)
        """
        self._require_names()
        try:
            kind = _key_class(self.names)
        except ValueError as error:
            raise UnsupportedError(f"{self!r} has no namedtuple: {error}") from error
        return kind._make(self._checked(key))

    def padded(self, id: str) -> str | None:
        """Return the text of a template whose ints have the leading zeros of a name.

        Parameters
        ----------
        id
            A name that this template does not read.

        Returns
        -------
        str or None
            None if the name does not fit for other reasons.

        Examples
        --------
        >>> Template("S_{:d}.wav").padded("S_003.wav")
        'S_{:03d}.wav'
        """
        return self._layout.padded(id)

    # ------------------------------------------------------------------ pieces

    def _checked(self, key: Any) -> tuple[Any, ...]:
        values = self._any(key)
        self._layout.write(values)
        return values

    def _any(self, key: Any) -> tuple[Any, ...]:
        """Return the values of a key in any form."""
        if isinstance(key, str) and self.keys != "value":
            values = self._layout.read(self._whole(key))
            assert values is not None  # noqa: S101  (checked by _whole)
            return values
        if isinstance(key, Mapping):
            self._check_names(key)
            return tuple(key[name] for name in self.names)
        if isinstance(key, tuple) and len(key) == len(self.names):
            return tuple(key)
        return self._values(key)

    def _values(self, key: Any) -> tuple[Any, ...]:
        """Return the values of a key in the form of this template."""
        form = self.keys
        if form == "value":
            return (key,)
        if form == "dict":
            self._check_names(key)
            return tuple(key[name] for name in self.names)
        if not isinstance(key, tuple) or len(key) != len(self.names):
            self._refuse(key)
        return tuple(key)

    def _key(self, values: tuple[Any, ...], id: str) -> Any:
        """Return the key of values."""
        form = self.keys
        if form == "tuple":
            return values
        if form == "value":
            return values[0]
        if form == "dict":
            return dict(zip(self.names, values, strict=True))
        return id if form == "str" else _key_class(self.names)._make(values)

    def _whole(self, key: Any) -> str:
        """Return a whole name, after a check."""
        if not isinstance(key, str):
            self._refuse(key)
        id = str.__str__(key)
        self._layout.check(id)
        return id

    def _check_names(self, key: Any, *, whole: bool = True) -> None:
        if not isinstance(key, Mapping):
            self._refuse(key)
        unknown = [name for name in key if name not in self.names]
        missing = [name for name in self.names if name not in key] if whole else []
        if unknown or missing:
            raise InvalidKeyError(
                f"keys of {self!r} have the fields {', '.join(self.names)}; "
                + "; ".join(
                    f"{what}: {', '.join(map(shown, names))}"
                    for what, names in (("missing", missing), ("unknown", unknown))
                    if names
                ),
            )

    def _require_names(self) -> None:
        if "" in self.names:
            raise UnsupportedError(f"{self!r} has fields without a name: name them all, as {{city}}")

    def _refuse(self, key: Any) -> NoReturn:
        fields = ", ".join(name or str(index) for index, name in enumerate(self.names, 1))
        what = {"dict": "dicts", "str": "whole names, as str"}.get(self.keys, "tuples")
        got = f"{type(key).__name__}: {shown(key)}"
        raise InvalidKeyError(f"keys of {self!r} are {what} with the fields {fields}, got {got}")


def _check_form(form: Any, names: tuple[str, ...], text: str) -> None:
    """Raise for a form of keys that these fields cannot have."""
    named = [name for name in names if name]
    if len(set(named)) < len(named):
        raise InvalidArgumentError(f"template {shown(text)} has a field twice: give each its own name")
    if form not in _FORMS:
        raise InvalidArgumentError(f"keys of a template are one of {', '.join(_FORMS)}, got {shown(form)}")
    if form == "value" and len(names) > 1:
        raise InvalidArgumentError(f"template {shown(text)} has {len(names)} fields: keys cannot be 'value'")
    if form in {"dict", "namedtuple"} and len(named) < len(names):
        raise InvalidArgumentError(f"template {shown(text)} needs a name for each field, as {{city}}")
    if form == "namedtuple":
        try:
            _key_class(names)
        except ValueError as error:
            raise InvalidArgumentError(f"template {shown(text)}: {error}; rename it") from error


def _leading(prefix: Mapping[str, Any], names: tuple[str, ...]) -> tuple[Any, ...]:
    """Return the values of the first fields, up to one that is not given."""
    return tuple(prefix[name] for name in takewhile(prefix.__contains__, names))


@cache
def _key_class(names: tuple[str, ...]) -> Any:
    """Return the class of keys with some fields: one per tuple of names, pickled by the names."""
    kind = namedtuple("Key", names)  # type: ignore[misc]  # noqa: PYI024  (fields known at run time only)
    return type("Key", (kind,), {"__slots__": (), "__reduce__": _reduce, "__module__": __name__})


def _reduce(key: Any) -> tuple[Any, ...]:
    return _make_key, (key._fields, tuple(key))


def _make_key(names: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    return _key_class(names)._make(values)
