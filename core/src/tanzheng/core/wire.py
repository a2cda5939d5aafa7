"""A signed batch as it travels and as the platform keeps it: one zstd frame (RFC 8878) that states
its size. Who imports this brings `zstandard`; a verifier gets batches bare and does not.
"""

import zstandard

from tanzheng.core.batch import BATCH_BYTES_MAX
from tanzheng.core.errors import EncodingError

_COSE_SIGN1 = b"\xd2"  # tag 18, with which every signed batch begins


class FrameInvalid(EncodingError):
    """Not one zstd frame that states its size."""


class FrameTooLarge(FrameInvalid):
    """A frame that is, or says it becomes, larger than any batch."""


def unpack(frame: bytes) -> bytes:
    """The signed bytes in `frame`; memory is given only for a size that may be.

    `FrameTooLarge`, `FrameInvalid`.
    """
    try:
        size = max(zstandard.frame_content_size(frame), len(frame))
        if size > BATCH_BYTES_MAX:
            raise FrameTooLarge(f"expected at most {BATCH_BYTES_MAX} bytes, got {size}")
        return zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise FrameInvalid(f"expected one zstd frame that states its size, got {error}") from error


def unpack_kept(kept: bytes) -> bytes:
    """The signed bytes of a stored batch: a frame, or bare as they were kept once."""
    return kept if kept.startswith(_COSE_SIGN1) else unpack(kept)
