"""The part of an HEVC sequence parameter set that BPG keeps, and the parameter sets that a decoder needs back.

ITU-T H.265, 7.3.2.1 to 7.3.3 and E.2.1; the BPG format, version 0.9.5, "HEVC header" and "HEVC data".
"""

import re
from dataclasses import dataclass, fields

from cvqn_baselines.bpg.bits import BitReader, BitWriter


@dataclass(frozen=True)
class Sequence:
    """The fields of BPG's HEVC header, in its order, under their names in H.265. PCM and extensions are off."""

    log2_min_luma_coding_block_size_minus3: int
    log2_diff_max_min_luma_coding_block_size: int
    log2_min_transform_block_size_minus2: int
    log2_diff_max_min_transform_block_size: int
    max_transform_hierarchy_depth_intra: int
    sample_adaptive_offset_enabled_flag: int
    strong_intra_smoothing_enabled_flag: int

    @property
    def block(self) -> int:
        """Side of the smallest coding block in pixels; coded sizes are multiples of it."""
        return 8 << self.log2_min_luma_coding_block_size_minus3

    def coded_size(self, width: int, height: int) -> tuple[int, int]:
        """The size in which the bitstream holds a picture of `width` x `height` pixels."""
        return -(-width // self.block) * self.block, -(-height // self.block) * self.block


def write_header(sequence: Sequence) -> bytes:
    """BPG's HEVC header without its length."""
    bits = BitWriter()
    for field in fields(sequence)[:5]:
        bits.ue(getattr(sequence, field.name))
    bits.u(1, sequence.sample_adaptive_offset_enabled_flag)
    bits.u(1, 0)  # pcm_enabled_flag
    bits.u(1, sequence.strong_intra_smoothing_enabled_flag)
    bits.u(1, 0)  # sps_extension_present_flag
    return bits.getvalue()


def read_header(data: bytes) -> Sequence:
    """The reverse of `write_header`.

    Raises:
        EOFError: the data end too early.
        ValueError: the header asks for PCM or extensions, or holds block sizes that HEVC does not have.
    """
    bits = BitReader(data)
    blocks = [bits.ue() for _ in range(5)]
    offset, pcm, smoothing, extension = (bits.u(1) for _ in range(4))
    _expect(pcm=(pcm, 0), sps_extension_present_flag=(extension, 0))
    if max(blocks) > 3 or blocks[0] + blocks[1] > 3 or blocks[2] + blocks[3] > 3:
        raise ValueError("the header holds block sizes that HEVC does not have")
    return Sequence(*blocks, offset, smoothing)


def from_sps(nal: bytes, width: int, height: int) -> Sequence:
    """The sequence of an encoder's SPS, `nal` with its two-byte header, for a coded size of `width` x `height`.

    Raises:
        ValueError: the SPS departs from what a BPG decoder assumes; the message names the field.
    """
    bits = BitReader(nal[2:].replace(b"\0\0\3", b"\0\0"))
    _expect(sps_video_parameter_set_id=(bits.u(4), 0), sps_max_sub_layers_minus1=(bits.u(3), 0))
    bits.u(1 + 88 + 8)  # temporal nesting, profile and level
    _expect(
        sps_seq_parameter_set_id=(bits.ue(), 0),
        chroma_format_idc=(bits.ue(), 3),
        separate_colour_plane_flag=(bits.u(1), 0),
        pic_width_in_luma_samples=(bits.ue(), width),
        pic_height_in_luma_samples=(bits.ue(), height),
        conformance_window_flag=(bits.u(1), 0),
        bit_depth_luma_minus8=(bits.ue(), 0),
        bit_depth_chroma_minus8=(bits.ue(), 0),
        log2_max_pic_order_cnt_lsb_minus4=(bits.ue(), 4),
    )
    bits.u(1)  # sps_sub_layer_ordering_info_present_flag; with one sub-layer it decides nothing
    for _ in range(3):
        bits.ue()
    blocks = [bits.ue() for _ in range(4)]
    depth_inter, depth_intra = bits.ue(), bits.ue()
    _expect(
        max_transform_hierarchy_depth_inter=(depth_inter, depth_intra),
        scaling_list_enabled_flag=(bits.u(1), 0),
        amp_enabled_flag=(bits.u(1), 1),
    )
    offset = bits.u(1)
    _expect(
        pcm_enabled_flag=(bits.u(1), 0),
        num_short_term_ref_pic_sets=(bits.ue(), 0),
        long_term_ref_pics_present_flag=(bits.u(1), 0),
        sps_temporal_mvp_enabled_flag=(bits.u(1), 1),
    )
    smoothing = bits.u(1)
    if bits.u(1):
        _skip_vui(bits)
    _expect(sps_extension_present_flag=(bits.u(1), 0))
    return Sequence(*blocks, depth_intra, offset, smoothing)


def parameter_sets(sequence: Sequence, width: int, height: int) -> list[bytes]:
    """VPS and SPS as NAL units without start codes, for a picture of `width` x `height` pixels in 8-bit 4:4:4."""
    video = BitWriter()
    for size, value in ((4, 0), (2, 3), (6, 0), (3, 0), (1, 1), (16, 0xFFFF)):
        video.u(size, value)
    _write_profile(video)
    _write_ordering(video)
    video.u(6, 0)  # vps_max_layer_id
    video.ue(0)  # vps_num_layer_sets_minus1
    video.u(3, 0b001)  # no timing, no extension, stop bit

    bits = BitWriter()
    bits.u(8, 1)  # VPS 0, one sub-layer, nesting
    _write_profile(bits)
    bits.ue(0)  # sps_seq_parameter_set_id
    bits.ue(3)  # chroma_format_idc: 4:4:4
    bits.u(1, 0)  # separate_colour_plane_flag
    for side in sequence.coded_size(width, height):
        bits.ue(side)
    bits.u(1, 0)  # conformance_window_flag
    for value in (0, 0, 4):  # bit depths - 8, log2_max_pic_order_cnt_lsb_minus4
        bits.ue(value)
    _write_ordering(bits)
    for field in fields(sequence)[:4]:
        bits.ue(getattr(sequence, field.name))
    bits.ue(sequence.max_transform_hierarchy_depth_intra)  # inter
    bits.ue(sequence.max_transform_hierarchy_depth_intra)
    bits.u(2, 0b01)  # no scaling list, asymmetric partitions
    bits.u(1, sequence.sample_adaptive_offset_enabled_flag)
    bits.u(1, 0)  # pcm_enabled_flag
    bits.ue(0)  # num_short_term_ref_pic_sets
    bits.u(2, 0b01)  # no long-term references, temporal motion vectors
    bits.u(1, sequence.strong_intra_smoothing_enabled_flag)
    bits.u(3, 0b001)  # no VUI, no extension, stop bit
    return [b"\x40\x01" + _escape(video.getvalue()), b"\x42\x01" + _escape(bits.getvalue())]


def _write_profile(bits: BitWriter) -> None:
    """profile_tier_level: format range extensions, level 8.5 (no limit)."""
    for size, value in ((8, 4), (32, 1 << 27), (48, 0), (8, 255)):
        bits.u(size, value)


def _write_ordering(bits: BitWriter) -> None:
    bits.u(1, 1)
    for _ in range(3):  # one picture to hold, none to reorder, no latency limit
        bits.ue(0)


def _escape(payload: bytes) -> bytes:
    """Emulation prevention (H.265, 7.4.2)."""
    return re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", payload)


def _expect(**found_and_wanted: tuple[int, int]) -> None:
    for name, (found, wanted) in found_and_wanted.items():
        if found != wanted:
            raise ValueError(f"{name} is {found}, BPG wants {wanted}")


def _skip_vui(bits: BitReader) -> None:
    """Read over vui_parameters (E.2.1), which decide nothing that is decoded."""
    if bits.u(1) and bits.u(8) == 255:  # aspect ratio
        bits.u(32)
    if bits.u(1):  # overscan
        bits.u(1)
    if bits.u(1) and bits.u(4) >= 0 and bits.u(1):  # video signal type with colour description
        bits.u(24)
    if bits.u(1):  # chroma location
        bits.ue(), bits.ue()
    bits.u(3)
    if bits.u(1):  # default display window
        for _ in range(4):
            bits.ue()
    if bits.u(1):  # timing
        bits.u(64)
        if bits.u(1):
            bits.ue()
        _expect(vui_hrd_parameters_present_flag=(bits.u(1), 0))
    if bits.u(1):  # bitstream restriction
        bits.u(3)
        for _ in range(5):
            bits.ue()
