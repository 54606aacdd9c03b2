"""What version 3 of the stored form has inside: site, User-Agent and body as one zstd block, by a fixed dictionary.

A frame's nine bytes before its block are left out: they are the same for all, or follow from the length. The dictionary
belongs to the version and never changes, as nothing could be read without it; how it was trained: load/dictionary.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import zstandard

DICTIONARY: Final = Path(__file__).with_name("stored-3.zdict").read_bytes()
DIGEST: Final = "202c1309ab987caeb81b028ccea9083981848fec03d629bd31e0233b064ef250"  # SHA-256 of it
MOST_BYTES: Final = 16_384  # of text in a block, so that nobody has to hold more; larger events are rare, and plain
_MOSTLY: Final = 4_096  # of text: room for so much costs less, and few need more
_HEAD: Final = (
    b"\x28\xb5\x2f\xfd\x00\x38"  # of a frame (RFC 8878): its mark, no size, sum or dictionary, 128 kB of window
)
_BLOCK_BYTES: Final = 3  # of a block's own head
_LAST: Final = 1
_COMPRESSED: Final = 2 << 1

if hashlib.sha256(DICTIONARY).hexdigest() != DIGEST:
    raise RuntimeError("stored-3.zdict is damaged: install the relay anew, or nobody could read what it keeps")

_dictionary: Final = zstandard.ZstdCompressionDict(DICTIONARY, dict_type=zstandard.DICT_TYPE_FULLDICT)
_dictionary.precompute_compress(level=3)  # level 5 saves a byte or two, and takes twice as long
_compressor: Final = zstandard.ZstdCompressor(
    dict_data=_dictionary, write_content_size=False, write_checksum=False, write_dict_id=False
)
_decompressor: Final = zstandard.ZstdDecompressor(dict_data=_dictionary)


def text_of(site: str, user_agent: bytes | None, body: bytes) -> bytes:
    """What is compressed of an event."""
    return b"\n".join((site.encode(), user_agent or b"", body))


def compress(text: bytes) -> bytes | None:
    """The text as one block; None if it is too long, or does not become shorter."""
    if len(text) > MOST_BYTES:
        return None
    frame = _compressor.compress(text)
    block = frame[len(_HEAD) + _BLOCK_BYTES :]
    return block if frame[len(_HEAD) : len(_HEAD) + _BLOCK_BYTES] == _block_head(block) else None


def decompress(block: bytes) -> bytes:
    """The text of a block, MOST_BYTES at most; raises ValueError for what is no such block."""
    if len(block) > MOST_BYTES:  # no block is longer than its text, and a frame's head has no room for any length
        raise ValueError("too long a block")
    frame = b"".join((_HEAD, _block_head(block), block))
    try:
        return _decompressor.decompress(frame, max_output_size=_MOSTLY)
    except zstandard.ZstdError:
        try:
            return _decompressor.decompress(frame, max_output_size=MOST_BYTES)
        except zstandard.ZstdError as error:
            raise ValueError("no block of the relay's, or too long a text") from error


def _block_head(block: bytes) -> bytes:
    """Of the one and last block, which is compressed."""
    return (len(block) << 3 | _COMPRESSED | _LAST).to_bytes(_BLOCK_BYTES, "little")
