// The way to real mode and back, by 16-bit segments in the last two descriptors of the GDT.
#include "runtime/real_mode.h"

namespace {

constexpr u32 kBlock = 0x5000;  // the trampoline's segment is 0500
constexpr u32 kStubs = 0x5800;  // five bytes for each vector, in the same segment

extern "C" char real_block[], real_block_enter[], real_block_common[], real_block_result[], real_block_end[];
extern "C" void real_go(u32 enter);
asm(R"(
        .pushsection .text
real_go:                                # through a 16-bit code segment with the trampoline's base
        pushal
        sidtl   real_saved_idt
        movl    %esp, real_saved_esp
        lidtl   real_ivt_pointer
        movl    $0x1f8, %eax            # 64 KiB of data at 0
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    %eax, %fs
        movl    %eax, %gs
        ljmp    $0x1f0, $(real_block_enter - real_block)
real_back:
        movl    $0x10, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    %eax, %fs
        movl    %eax, %gs
        movl    real_saved_esp, %esp
        lidtl   real_saved_idt
        cld
        popal
        ret
real_block:
        .code16
real_block_enter:
        movl    %cr0, %eax
        andb    $0xfe, %al
        movl    %eax, %cr0
        ljmp    $0x500, $(1f - real_block)
1:      xorl    %eax, %eax
        movw    %ax, %ss
        movl    $0x6f00, %esp
        movw    %ax, %fs
        movw    %ax, %gs
        movw    $0xa00, %ax
        movw    %ax, %ds
        movw    %ax, %es
        xorl    %eax, %eax
        xorl    %ebx, %ebx
        xorl    %ecx, %ecx
        xorl    %edx, %edx
        xorl    %esi, %esi
        xorl    %edi, %edi
        xorl    %ebp, %ebp
        ljmp    $0x900, $0
real_block_common:                      # stack: vector, IP, CS, FLAGS
        movl    %eax, %cs:(real_block_result - real_block)
        movl    %ebx, %cs:(real_block_result - real_block + 4)
        movl    %ecx, %cs:(real_block_result - real_block + 8)
        movl    %edx, %cs:(real_block_result - real_block + 12)
        movl    %esi, %cs:(real_block_result - real_block + 16)
        movl    %edi, %cs:(real_block_result - real_block + 20)
        movl    %ebp, %cs:(real_block_result - real_block + 24)
        popw    %cs:(real_block_result - real_block + 32)
        popw    %cs:(real_block_result - real_block + 34)
        popw    %cs:(real_block_result - real_block + 36)
        popw    %cs:(real_block_result - real_block + 38)
        movl    %esp, %cs:(real_block_result - real_block + 28)
        movw    %ds, %cs:(real_block_result - real_block + 40)
        movw    %es, %cs:(real_block_result - real_block + 42)
        movw    %ss, %cs:(real_block_result - real_block + 44)
        movw    %fs, %cs:(real_block_result - real_block + 46)
        movw    %gs, %cs:(real_block_result - real_block + 48)
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        data32 ljmp $8, $real_back
        .align  4
real_block_result: .skip 52
real_block_end:
        .code32
        .popsection
        .pushsection .data
        .align  4
real_saved_idt: .word 0; .long 0
        .align  4
real_ivt_pointer: .word 0x3ff; .long 0
        .align  4
real_saved_esp: .long 0
        .popsection
)");

u8* low(u32 at) {
  u8* p = reinterpret_cast<u8*>(at);
  asm("" : "+r"(p));
  return p;
}

void place_trampoline() {
  memory_copy(low(kBlock), real_block, static_cast<u32>(real_block_end - real_block));
  const u32 common = kBlock + static_cast<u32>(real_block_common - real_block);
  for (u32 vector = 0; vector < 256; ++vector) {
    // PUSH vector (sign-extended); JMP common.
    const u32 at = kStubs + 5 * vector;
    const u16 distance = static_cast<u16>(common - (at + 5));
    const u8 stub[] = {0x6a, static_cast<u8>(vector), 0xe9, static_cast<u8>(distance),
                       static_cast<u8>(distance >> 8)};
    memory_copy(low(at), stub, sizeof stub);
    const u16 entry[] = {static_cast<u16>(at - kBlock), kBlock >> 4};
    memory_copy(low(4 * vector), entry, sizeof entry);
  }
  g_gdt[62] = make_descriptor(kBlock, 0xffff, 0x9b, 0);
  g_gdt[63] = make_descriptor(0, 0xffff, 0x93, 0);
}

}  // namespace

RealResult run_real(const char* start, const char* end) {
  place_trampoline();
  memory_set(low(kRealCode), 0xcc, 256);
  memory_copy(low(kRealCode), start, static_cast<u32>(end - start));
  real_go(0);
  RealResult result;
  memory_copy(&result, low(kBlock + static_cast<u32>(real_block_result - real_block)), sizeof result);
  result.vector &= 0xff;
  return result;
}

void check_real(const RealResult& result, u32 vector, const char* start, const char* at, const char* name) {
  check_equal(u32{result.vector} << 16 | result.ip, vector << 16 | static_cast<u32>(at - start), name);
}
