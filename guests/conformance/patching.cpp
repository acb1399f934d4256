// Guest: code that is patched again and again: an engine may come to treat its operands as data, or to keep
// old translations.
#include "conformance/written_code.h"
#include "runtime/paging.h"

namespace {

constexpr u32 kOften = 200;

void store(u8* p, u32 value) { *reinterpret_cast<volatile u32*>(p) = value; }

// MOV EAX's immediate at p + 1, a byte at a time.
bool follows_single_bytes(u8* p) {
  bool good = true;
  for (u32 i = 0; i < kOften; ++i) {
    p[1 + i % 4] = static_cast<u8>(i);
    u32 now;
    memory_copy(&now, p + 1, 4);
    good = good && at(p)() == now;
  }
  return good;
}

void test_operands() {
  u8* const p = g_code[0] + 512;
  put_mov(p, 0);
  bool good = true;
  for (u32 i = 0; i < kOften; ++i) {
    store(p + 1, i);
    good = good && at(p)() == i;
  }
  check(good, "an immediate, often");
  check(follows_single_bytes(p), "its single bytes, often");
  // MOV EAX, [table + i * 4]; RET.
  static u32 table[64];
  p[64] = 0xa1;
  p[69] = 0xc3;
  good = true;
  for (u32 i = 0; i < kOften; ++i) {
    u32* const entry = &table[i % 64];
    *entry = i ^ 0x5a5a;
    store(p + 65, reinterpret_cast<u32>(entry));
    good = good && at(p + 64)() == (i ^ 0x5a5a);
  }
  check(good, "an address, often");
  // CALL one of four; RET.
  for (u32 i = 0; i < 4; ++i) put_mov(p + 192 + i * 16, i + 100);
  p[128] = 0xe8;
  p[133] = 0xc3;
  for (u32 i = 0; i < kOften; ++i) {
    store(p + 129, 192 + i % 4 * 16 - 133);
    good = good && at(p + 128)() == i % 4 + 100;
  }
  check(good, "a call's distance, often");
  // MOV EAX, 77 or a jump to MOV EAX, 78.
  put_mov(p + 300, 78);
  put_mov(p + 256, 77);
  for (u32 i = 0; i < kOften; ++i) {
    p[256] = (i & 1) != 0 ? 0xe9 : 0xb8;
    store(p + 257, (i & 1) != 0 ? 300 - 261 : 77);
    good = good && at(p + 256)() == 77 + (i & 1);
  }
  check(good, "an instruction and a jump in turns, often");
}

void test_shared_operand() {
  // MOV EAX, imm, whose immediate is code, too: MOV AL, n; RET.
  u8* const p = g_code[1] + 512;
  put_mov(p, 0x90c300b0);
  bool good = true;
  for (u32 i = 0; i < kOften; ++i) {
    p[2] = static_cast<u8>(i);
    good = good && at(p)() == (0x90c300b0 | (i & 0xff) << 8);
    u32 low;
    asm volatile("xorl %%eax, %%eax\n call *%1" : "=&a"(low) : "r"(p + 1) : "memory");
    good = good && low == (i & 0xff);
    if (i % 10 == 9) p[1] ^= 4;  // MOV AH
    if (i % 10 == 9) good = good && at(p)() == ((0x90c30000 | p[1]) | (i & 0xff) << 8);
    if (i % 10 == 9) p[1] ^= 4;
  }
  check(good, "an immediate that is code from its second byte on, often");
}

void test_two_pages() {
  u8* const p = page(2) - 3;  // MOV EAX's immediate straddles into the next page
  put_mov(p, 0x11223344);
  check(follows_single_bytes(p), "an instruction on two pages, often");
}

void test_two_names() {
  enable_paging();
  const u32 alias = reinterpret_cast<u32>(g_code[3]);
  volatile u32& entry = page_entry(alias);
  entry = reinterpret_cast<u32>(g_code[0]) | kPresent | kWritable;
  flush_page(g_code[3]);
  bool good = true;
  put_mov(g_code[0], 0);
  for (u32 i = 0; i < kOften; ++i) {
    store(((i & 1) != 0 ? g_code[0] : g_code[3]) + 1, i);
    good = good && at(g_code[0])() == i && at(g_code[3])() == i;
  }
  check(good, "changed through either name, often");
  entry = alias | kPresent | kWritable | kUser;
  flush_page(g_code[3]);
  disable_paging();
}

// So many stores beside it that an engine may take the page for data.
void test_data_beside_code() {
  u8* const p = g_code[2] + 1024;
  put_mov(p, 5);
  bool good = true;
  for (u32 i = 0; i < 20000; ++i) {
    store(p + 6, i);
    if (i % 1000 == 999) {
      store(p + 1, i);
      good = good && at(p)() == i;
    }
  }
  good = good && *reinterpret_cast<volatile u32*>(p + 6) == 19999;
  check(good, "data beside code, 20,000 times, and code now and then");
}

}  // namespace

void guest_main() {
  test_operands();
  test_shared_operand();
  test_two_pages();
  test_two_names();
  test_data_beside_code();
}
