"""The table of serializers and of the layers over them: name, class, suffix, extra."""

from typing import Any, NamedTuple

from holdall.abc import Serializer

__all__ = ["ALIASES", "TABLE", "Entry"]


class Entry(NamedTuple):
    """What is known of a serializer before it is imported."""

    target: str | type[Serializer[Any]]
    suffix: str
    extra: str | None = None
    #: Whether it is a layer over another serializer, as in ``"json.gz"``.
    layer: bool = False


_HERE = "holdall.serializers."

TABLE: dict[str, Entry] = {
    "pickle": Entry(_HERE + "pickle_:PickleSerializer", ".pkl"),
    "json": Entry(_HERE + "json_:JsonSerializer", ".json"),
    "text": Entry(_HERE + "text:TextSerializer", ".txt"),
    "bytes": Entry(_HERE + "raw:BytesSerializer", ".bin"),
    "npy": Entry(_HERE + "npy:NpySerializer", ".npy", "arrays"),
    "line": Entry(_HERE + "line:LineSerializer", ".line"),
    "npz": Entry(_HERE + "npy:NpzSerializer", ".npz", "arrays"),
    "hdf5": Entry(_HERE + "hdf5:Hdf5Serializer", ".h5", "arrays"),
    "csv": Entry(_HERE + "csv_:CsvSerializer", ".csv"),
    "toml": Entry(_HERE + "toml_:TomlSerializer", ".toml", "toml"),
    "ini": Entry(_HERE + "ini:IniSerializer", ".ini"),
    "yaml": Entry(_HERE + "yaml_:YamlSerializer", ".yaml", "yaml"),
    "parquet": Entry(_HERE + "frames:ParquetSerializer", ".parquet", "parquet"),
    "feather": Entry(_HERE + "frames:FeatherSerializer", ".feather", "parquet"),
    "pandas-csv": Entry(_HERE + "frames:FrameCsvSerializer", ".csv", "parquet"),
    "xlsx": Entry(_HERE + "workbook:XlsxSerializer", ".xlsx", "xlsx"),
    "msgpack": Entry(_HERE + "packed:MsgpackSerializer", ".msgpack", "msgpack"),
    "cbor": Entry(_HERE + "packed:CborSerializer", ".cbor", "cbor"),
    "orjson": Entry(_HERE + "packed:OrjsonSerializer", ".json", "orjson"),
    "image": Entry(_HERE + "media:ImageSerializer", ".png", "images"),
    "wave": Entry(_HERE + "media:WaveSerializer", ".wav"),
    "audio": Entry(_HERE + "media:AudioSerializer", ".flac", "audio"),
    "by_suffix": Entry(_HERE + "suffix:BySuffix", ""),
    "gz": Entry(_HERE + "compressed:GzipSerializer", ".gz", layer=True),
    "bz2": Entry(_HERE + "compressed:Bz2Serializer", ".bz2", layer=True),
    "xz": Entry(_HERE + "compressed:XzSerializer", ".xz", layer=True),
    "zst": Entry(_HERE + "compressed:ZstdSerializer", ".zst", "zstd", layer=True),
    "lz4": Entry(_HERE + "compressed:Lz4Serializer", ".lz4", "lz4", layer=True),
    "base64": Entry(_HERE + "layers:Base64Serializer", ".b64", layer=True),
    "checksum": Entry(_HERE + "layers:ChecksumSerializer", ".sum", layer=True),
    "hmac": Entry(_HERE + "sealed:HmacSerializer", ".signed", layer=True),
    "aesgcm": Entry(_HERE + "sealed:AesGcmSerializer", ".aesgcm", "crypto", layer=True),
    "fernet": Entry(_HERE + "sealed:FernetSerializer", ".fernet", "crypto", layer=True),
}

#: Other common names of layers.
ALIASES = {"gzip": "gz", "bzip2": "bz2", "lzma": "xz", "zstd": "zst"}
