"""First instruction: a copy of the kernel that says so as it is entered, and stops.

The file is as long as the kernel and has its header, so that firmware and loader do the same work.
"""

# mov dx, 3F8h; twice: mov al, "K"; out dx, al; then hlt; jmp to it
_TAIL = bytes([0xB0, 0x4B, 0xEE, 0xB0, 0x4B, 0xEE, 0xF4, 0xEB, 0xFD])
_CODE16 = bytes([0xBA, 0xF8, 0x03]) + _TAIL
_CODE32 = bytes([0xBA, 0xF8, 0x03, 0x00, 0x00]) + _TAIL
MARKER = b"KK"


def make_probe(kernel):
    """The bytes of a bzImage, patched at both its entries (Linux/x86 boot protocol); None if it isn't one."""
    if len(kernel) < 0x1000 or kernel[0x202:0x206] != b"HdrS" or kernel[0x200] != 0xEB:
        return None
    probe = bytearray(kernel)
    real_mode = 0x202 + kernel[0x201]
    protected = ((kernel[0x1F1] or 4) + 1) * 512
    probe[real_mode : real_mode + len(_CODE16)] = _CODE16
    probe[protected : protected + len(_CODE32)] = _CODE32
    return bytes(probe)
