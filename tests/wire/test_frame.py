"""Frames: what goes in comes out, and every rule is kept by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.base.errors import OurFault, PeerFault
from accord.base.limits import FRAME_PAYLOAD_BYTES_MAX, PATH_BYTES_MAX, PROTOCOL_VERSION
from accord.wire.frame import PREFIX_BYTES, Header, Inward, Kind, Outward, decode, encode, require, stopped

WHERE = "server 1 (beta)"
DATA = Header(Kind.DATA, "a/b@0", 7, 24, 3)


@given(
    st.sampled_from(Kind),
    st.text(max_size=PATH_BYTES_MAX // 4),
    st.integers(0, 2**64 - 1),
    st.integers(0, FRAME_PAYLOAD_BYTES_MAX),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=40),
)
def test_a_header_comes_back_whatever_follows_it(kind, path, sequence, nbytes, round, rest):
    header = Header(kind, path.encode(errors="ignore").decode(), sequence, nbytes, round)
    encoded = encode(header)
    assert decode(memoryview(encoded + rest), WHERE) == (header, len(encoded))
    assert all(decode(memoryview(encoded[:cut]), WHERE) is None for cut in range(len(encoded)))


def test_the_layout_is_frozen():
    assert PREFIX_BYTES == 24
    assert encode(DATA).hex() == "01010500" + "03000000" + "0700000000000000" + "1800000000000000" + b"a/b@0".hex()


def test_our_own_limits():
    encode(DATA._replace(path="x" * PATH_BYTES_MAX, nbytes=FRAME_PAYLOAD_BYTES_MAX))
    with pytest.raises(OurFault, match=f"a path of {PATH_BYTES_MAX + 1} bytes"):
        encode(DATA._replace(path="x" * (PATH_BYTES_MAX + 1)))
    with pytest.raises(OurFault, match="in_blocks"):
        encode(DATA._replace(nbytes=FRAME_PAYLOAD_BYTES_MAX + 1))


def changed(at: int, to: bytes) -> memoryview:
    encoded = bytearray(encode(DATA))
    encoded[at : at + len(to)] = to
    return memoryview(bytes(encoded))


@pytest.mark.parametrize(
    ("at", "to", "says"),
    [
        (0, b"\x02", f"server 1 \\(beta\\): it runs protocol version 2, we run {PROTOCOL_VERSION}"),
        (1, b"\x63", "unknown kind 99"),
        (2, b"\x01\x04", f"a path of {PATH_BYTES_MAX + 1} bytes"),
        (16, (FRAME_PAYLOAD_BYTES_MAX + 1).to_bytes(8, "little"), f"a payload of {FRAME_PAYLOAD_BYTES_MAX + 1} bytes"),
        (24, b"\xff\xff", "not UTF-8"),
    ],
)
def test_a_bad_header_is_refused_by_name(at, to, says):
    with pytest.raises(PeerFault, match=says):
        decode(changed(at, to), WHERE)


def test_another_version_is_told_from_its_first_byte():
    with pytest.raises(PeerFault, match="protocol version 9"):
        decode(memoryview(b"\x09"), WHERE)


def test_frames_keep_their_turn():
    out, into = Outward(), Inward(WHERE)
    frames = [memoryview(out.header(Kind.DATA, f"p{i}", i)) for i in range(3)]
    assert [into.read(frame)[0].path for frame in frames[:2]] == ["p0", "p1"]
    with pytest.raises(PeerFault, match=r"server 1 \(beta\): it sent frame 0 \(p0\) where frame 2 is due"):
        into.read(frames[0])
    ahead = Inward(WHERE)
    with pytest.raises(PeerFault, match=r"frame 1 .* where frame 0"):
        ahead.read(frames[1])


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (DATA._replace(path="a/c@0"), "it sent 24 bytes at a/c@0"),
        (DATA._replace(nbytes=16), "it sent 16 bytes"),
        (DATA._replace(kind=Kind.GOODBYE), "it sent goodbye"),
    ],
)
def test_another_frame_than_the_due_one_is_refused(header, says):
    require(DATA, Kind.DATA, "a/b@0", 24, WHERE)
    with pytest.raises(PeerFault, match=f"{says}.*24 bytes of data at a/b@0 are due") as caught:
        require(header, Kind.DATA, "a/b@0", 24, WHERE)
    assert str(caught.value).startswith(WHERE)


def test_a_reason_to_stop_is_told_on_one_line():
    assert str(stopped(b"a\nb\x1b[31m", WHERE)) == f"{WHERE}: it stopped the run: ab[31m"
    assert "no reason" in str(stopped(b"", WHERE))
