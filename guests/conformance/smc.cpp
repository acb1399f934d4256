// Guest: self-modifying code in all its forms; the changed instruction must be the one that runs.
#include "conformance/written_code.h"
#include "runtime/paging.h"

namespace {

// Each returns EAX; the patched MOV EAX, 1 must give 2.
extern "C" u32 next_instruction();
extern "C" u32 next_byte();
extern "C" u32 earlier_in_block();
extern "C" u32 later_in_block();
extern "C" u32 by_string();
extern "C" u32 by_push();
extern "C" u32 by_call();
extern "C" u32 by_xadd();
extern "C" u32 own_bytes();
extern "C" u32 by_xchg();
extern "C" u32 by_cmpxchg8b();
extern "C" u32 by_movs();
extern "C" u32 by_fistp();
extern "C" u32 by_neg();
extern "C" u32 by_pop();
extern "C" u32 by_setcc();
extern "C" u32 branch_target();
extern "C" u32 into_immediate();
extern "C" u32 repeated_patch();
asm(R"(
        .pushsection .smc, "awx"
next_instruction:
        movl    $2, 1f+1
1:      movl    $1, %eax
        ret
next_byte:
        movb    $2, 1f+1
1:      movb    $1, %al
        movzbl  %al, %eax
        ret
earlier_in_block:
        pushl   %ebx
        movl    $2, %ebx
        xorl    %eax, %eax
1:      addl    $1, %eax
        cmpl    $1, %eax
        jne     2f
        movb    $1, 1b+2
        movb    $11, 1b+2
        jmp     1b
2:      popl    %ebx
        ret
later_in_block:
        pushl   %ebx
        movl    $2, 1f+1
        nop
        movl    %esp, %ebx
        nop
1:      movl    $1, %eax
        popl    %ebx
        ret
by_string:
        pushl   %edi
        movl    $1f, %edi
        movl    $5, %ecx
        movb    $0x90, %al
        rep stosb
        movl    $2, %eax
1:      movl    $1, %eax
        popl    %edi
        ret
by_push:
        movl    %esp, %ecx
        movl    $1f+5, %esp
        pushl   $2
        movl    %ecx, %esp
1:      movl    $1, %eax
        ret
by_call:
        movl    %esp, %ecx
        movl    $1f+8, %esp
        movl    $0x90909090, %eax
        call    2f
        nop
        nop
1:      nop
        nop
        nop
        nop
        nop
        nop
        nop
        nop
2:      popl    %eax
        movl    %ecx, %esp
        movl    $2, %eax
        ret
by_xadd:
        movl    $1, %eax
        lock xaddl %eax, 1f+1
1:      movl    $1, %eax
        ret
own_bytes:
        # A store into its own bytes: what runs is what was fetched.
1:      movb    $0x90, 1b
        movl    $2, %eax
        ret
by_xchg:
        movl    $2, %eax
        xchgl   %eax, 1f+1
1:      movl    $1, %eax
        ret
by_cmpxchg8b:
        pushl   %ebx
        movl    $1f, %ebx
        movl    (%ebx), %eax
        movl    4(%ebx), %edx
        movl    %edx, %ecx
        pushl   %esi
        movl    %ebx, %esi
        movl    $0x000002b8, %ebx
        cmpxchg8b (%esi)
1:      movl    $1, %eax
        popl    %esi
        popl    %ebx
        ret
by_movs:
        pushl   %esi
        pushl   %edi
        movl    $two, %esi
        movl    $1f+1, %edi
        movsl
1:      movl    $1, %eax
        popl    %edi
        popl    %esi
        ret
by_fistp:
        fildl   two
        fistpl  1f+1
1:      movl    $1, %eax
        ret
by_neg:
        negb    1f+1
1:      movb    $0xfe, %al
        movzbl  %al, %eax
        ret
by_pop:
        pushl   $2
        popl    1f+1
1:      movl    $1, %eax
        ret
by_setcc:
        xorl    %eax, %eax
        movb    $0, 1f+1
        setz    1f+1
1:      movb    $5, %al
        addl    $1, %eax
        ret
branch_target:
        movb    $2f-1f-2+6, 1f+1
1:      jmp     2f
2:      movl    $1, %eax
        ret
        movl    $2, %eax
        ret
into_immediate:
        # The immediate holds code: MOV AL, 2; RET.
        xorl    %eax, %eax
        jmp     1f+1
1:      movl    $0x90c302b0, %eax
        ret
two:    .long   2
repeated_patch:
        pushl   %ebx
        xorl    %ebx, %ebx
        xorl    %ecx, %ecx
1:      movl    %ecx, 2f+2
2:      addl    $0x12345678, %ebx
        incl    %ecx
        cmpl    $100, %ecx
        jne     1b
        movl    %ebx, %eax
        popl    %ebx
        ret
        .popsection
)");

void test_within_block() {
  check_equal(next_instruction(), 2, "the next instruction");
  check_equal(next_instruction(), 2, "the next instruction, again");
  check_equal(next_byte(), 2, "one byte of the next instruction");
  check_equal(earlier_in_block(), 12, "an earlier instruction of a loop");
  check_equal(later_in_block(), 2, "later in the block");
  check_equal(by_string(), 2, "by REP STOS");
  check_equal(by_push(), 2, "by PUSH");
  check_equal(by_call(), 2, "by CALL's return address");
  check_equal(by_xadd(), 2, "by LOCK XADD");
  check_equal(by_xchg(), 2, "by XCHG");
  check_equal(by_cmpxchg8b(), 2, "by CMPXCHG8B");
  check_equal(by_movs(), 2, "by MOVS");
  asm volatile("fninit");
  check_equal(by_fistp(), 2, "by FISTP");
  check_equal(by_neg(), 2, "by NEG");
  check_equal(by_pop(), 2, "by POP");
  check_equal(by_setcc(), 2, "by MOV, then SETcc");
  check_equal(branch_target(), 2, "a branch's displacement");
  check_equal(into_immediate(), 2, "a jump into an immediate");
  check_equal(own_bytes(), 2, "its own bytes");
  check_equal(repeated_patch(), 4950, "an immediate, patched in a loop");
}

void test_patch_and_call() {
  bool good = true;
  for (u32 i = 0; i < 1000; ++i) {
    put_mov(g_code[0] + 64, i);
    good = good && at(g_code[0] + 64)() == i;
  }
  check(good, "patch and call, 1,000 times");
  // Data beside code: writes to the page that touch no code.
  good = true;
  put_mov(g_code[0], 77);
  for (u32 i = 0; i < 1000; ++i) {
    *reinterpret_cast<volatile u32*>(g_code[0] + 2048) = i;
    good = good && at(g_code[0])() == 77 && *reinterpret_cast<volatile u32*>(g_code[0] + 2048) == i;
  }
  check(good, "data beside code");
  put_mov(g_code[1], 1);
  check_equal(at(g_code[1])(), 1, "code in another page");
  memory_copy(g_code[1] + 1, "\x05\0\0\0", 4);
  check_equal(at(g_code[1])(), 5, "changed by REP MOVS");
}

void test_across_pages() {
  u8* const p = page(2) - 3;  // MOV EAX's immediate straddles into the next page
  put_mov(p, 0x11223344);
  check_equal(at(p)(), 0x11223344, "an instruction on two pages");
  p[4] = 0x55;
  check_equal(at(p)(), 0x55223344, "changed in its second page");
  p[1] = 0x66;
  check_equal(at(p)(), 0x55223366, "changed in its first page");
  *reinterpret_cast<volatile u32*>(page(2) - 2) = 0xaabbccdd;
  check_equal(at(p)(), 0xaabbccdd, "changed by a store that straddles too");
}

void test_through_mappings() {
  enable_paging();
  put_mov(g_code[0], 10);
  put_mov(g_code[1], 20);
  const u32 alias = reinterpret_cast<u32>(g_code[3]);
  volatile u32& entry = page_entry(alias);
  entry = reinterpret_cast<u32>(g_code[0]) | kPresent | kWritable;
  flush_page(g_code[3]);
  check_equal(at(g_code[3])(), 10, "code through an alias");
  put_mov(g_code[0], 11);
  check_equal(at(g_code[3])(), 11, "changed through the other name");
  put_mov(g_code[3], 12);
  check_equal(at(g_code[0])(), 12, "changed through the alias");
  entry = reinterpret_cast<u32>(g_code[1]) | kPresent | kWritable;
  flush_page(g_code[3]);
  check_equal(at(g_code[3])(), 20, "mapped elsewhere: other code at the same address");
  entry = reinterpret_cast<u32>(g_code[0]) | kPresent | kWritable;
  flush_page(g_code[3]);
  check_equal(at(g_code[3])(), 12, "and back");
  // A jump between pages whose target's mapping changes.
  bool good = true;
  u8* const jumper = g_code[2];
  const u32 distance = alias - (reinterpret_cast<u32>(jumper) + 5);
  jumper[0] = 0xe9;
  memory_copy(jumper + 1, &distance, 4);
  for (u32 i = 0; i < 100; ++i) {
    entry = reinterpret_cast<u32>(g_code[i & 1]) | kPresent | kWritable;
    flush_page(g_code[3]);
    good = good && at(jumper)() == ((i & 1) != 0 ? 20u : 12u);
  }
  check(good, "a direct jump into a page that is remapped, 100 times");
  entry = alias | kPresent | kWritable | kUser;
  flush_page(g_code[3]);
  disable_paging();
}

// The same bytes under another operand size must not be taken for the same code.
void test_modes() {
  u8* const p = g_code[1] + 256;
  // MOV EAX, 90909001h / MOV AX, 9001h with NOPs; RETF.
  const u8 bytes[] = {0xb8, 0x01, 0x90, 0x90, 0x90, 0xcb};
  memory_copy(p, bytes, sizeof bytes);
  g_gdt[kFreeDescriptor] = make_descriptor(0, 0xfffff, 0x9b, 0x8);  // 16-bit code
  g_gdt[kFreeDescriptor + 1] = make_descriptor(0, 0xfffff, 0x9b, 0xc);
  u32 value;
  struct [[gnu::packed]] {
    u32 offset;
    u16 selector;
  } target{reinterpret_cast<u32>(p), 0x38};
  asm volatile("xorl %%eax, %%eax\n lcall *%1" : "=&a"(value) : "m"(target) : "memory");
  check_equal(value, 0x90909001, "as 32-bit code");
  // RETF of 16 bits pops four bytes: push them by hand.
  struct [[gnu::packed]] {
    u32 offset;
    u16 selector;
  } narrow{reinterpret_cast<u32>(p), 0x30};
  const u8 back[] = {0xb8, 0x01, 0x90, 0x90, 0x90, 0x66, 0xcb};  // ... RETF of 32 bits
  memory_copy(p, back, sizeof back);
  asm volatile("xorl %%eax, %%eax\n lcall *%1" : "=&a"(value) : "m"(narrow) : "memory");
  check_equal(value, 0x9001, "as 16-bit code");
}

}  // namespace

void guest_main() {
  test_within_block();
  test_patch_and_call();
  test_across_pages();
  test_through_mappings();
  test_modes();
}
