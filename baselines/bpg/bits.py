"""Bit fields of HEVC headers and BPG: most significant bit first."""


class BitReader:
    """Reads bit fields from bytes.

    Raises:
        EOFError: a field goes beyond the end.
    """

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def u(self, width: int) -> int:
        """Unsigned integer of `width` bits, u(n)."""
        if width > self._left:
            raise EOFError("the header ends in the middle of a field")
        self._left -= width
        return (self._value >> self._left) & ((1 << width) - 1)

    def ue(self) -> int:
        """Exponential Golomb code of order 0, ue(v) (ITU-T H.265, 9.2)."""
        zeros = 0
        while not self.u(1):
            zeros += 1
        return (1 << zeros) - 1 + self.u(zeros)


class BitWriter:
    """Collects bit fields; `getvalue` pads with zeros to a byte."""

    def __init__(self) -> None:
        self._bits: list[str] = []

    def u(self, width: int, value: int) -> None:
        """Unsigned integer of `width` bits, u(n)."""
        if width:
            self._bits.append(f"{value:0{width}b}")

    def ue(self, value: int) -> None:
        """Exponential Golomb code of order 0, ue(v) (ITU-T H.265, 9.2)."""
        digits = f"{value + 1:b}"
        self._bits.append("0" * (len(digits) - 1) + digits)

    def getvalue(self) -> bytes:
        bits = "".join(self._bits)
        bits += "0" * (-len(bits) % 8)
        return bytes(int(bits[start : start + 8], 2) for start in range(0, len(bits), 8))


def write_ue7(value: int) -> bytes:
    """BPG's ue7: seven bits per byte, the highest first, the top bit set in all bytes but the last."""
    groups = [value & 127]
    while value := value >> 7:
        groups.append(128 | value & 127)
    return bytes(reversed(groups))


def read_ue7(data: bytes, position: int) -> tuple[int, int]:
    """The ue7 of at most 32 bits at `position`, and the position after it.

    Raises:
        EOFError: the data end inside it.
        ValueError: it has leading zeros, or more than 32 bits.
    """
    value = 0
    for count in range(5):
        if position + count >= len(data):
            raise EOFError("the header ends in the middle of a field")
        byte = data[position + count]
        if count == 0 and byte == 128:
            raise ValueError("a number has needless leading zeros")
        value = value << 7 | byte & 127
        if byte < 128:
            break
    if byte >= 128 or value >> 32:
        raise ValueError("a number has more than 32 bits")
    return value, position + count + 1
