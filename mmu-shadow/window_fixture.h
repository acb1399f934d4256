// WindowFixture: for tests, a Cpu with page tables in guest RAM, and probes of what a window really allows.
#pragma once

#include <gtest/gtest.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <optional>

#include "cpu-model/cpu_fixture.h"
#include "mmu-shadow/window_set.h"

namespace ringshift {

// What entries hold for data that a user's program has written to.
inline constexpr u32 kUserData = kP | kU | kW | kA | kD;

// Where tests map their page.
inline constexpr Gva kGva = 0x08048000;

class WindowFixture : public CpuFixture {
 protected:
  static constexpr Gpa kTables = 0x200000;  // made on demand, one after another
  static constexpr Gpa kPages = 0x400000;   // where tests put their pages

  WindowFixture() {
    enter_flat_mode();
    // Each page of RAM begins with its own address.
    for (Gpa page = kPages; page < kRam; page += kPageSize) poke<u32>(page, static_cast<u32>(page));
  }
  void enable_paging() {
    cpu_.state.cr0 |= kCr0Pg | kCr0Wp;
    cpu_.state.cr3 = kDirectory;
    cpu_.state.cr4 |= kCr4Pse | kCr4Pge;
  }
  Gpa entry_at(Gva gva) {
    const Gpa pde_at = cpu_.state.cr3 + (gva >> 22) * 4;
    if (peek_at<u32>(pde_at) == 0) {
      poke<u32>(pde_at, static_cast<u32>(next_table_) | kP | kW | kU | kA);
      next_table_ += kPageSize;
    }
    return (peek_at<u32>(pde_at) & ~kPageOffsetMask) + (gva >> 12 & 1023) * 4;
  }
  void map(Gva gva, Gpa page, u32 bits) { poke<u32>(entry_at(gva), static_cast<u32>(page) | bits); }
  u32 entry(Gva gva) { return peek_at<u32>(entry_at(gva)); }

  // Of the host's page under the window, without touching it with an own instruction.
  static std::optional<u32> read_host(const void* at) {
    u32 value = 0;
    iovec local{&value, sizeof value}, remote{const_cast<void*>(at), sizeof value};
    if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != sizeof value) return std::nullopt;
    return value;
  }
  static bool write_host(void* at, u32 value) {
    iovec local{&value, sizeof value}, remote{at, sizeof value};
    return process_vm_writev(getpid(), &local, 1, &remote, 1, 0) == sizeof value;
  }
  static std::optional<u32> read_at(const ShadowWindow& window, Gva gva) {
    return read_host(window.base() + gva);
  }
  static bool write_at(const ShadowWindow& window, Gva gva, u32 value) {
    return write_host(window.base() + gva, value);
  }
  // Whether a store would go through; puts back what was there.
  static bool writable_at(const ShadowWindow& window, Gva gva) {
    const auto old = read_at(window, gva);
    return old && write_at(window, gva, *old);
  }
  // Mappings that the kernel has in the window, by /proc/self/maps.
  static u64 kernel_vmas(const ShadowWindow& window) {
    std::FILE* file = std::fopen("/proc/self/maps", "r");
    char line[512];
    u64 count = 0;
    const u64 first = reinterpret_cast<u64>(window.base()) - WindowRange::kGuard;
    const u64 last = reinterpret_cast<u64>(window.base()) + WindowRange::kSize;
    while (std::fgets(line, sizeof line, file) != nullptr) {
      unsigned long start = 0;
      if (std::sscanf(line, "%lx-", &start) == 1 && start >= first && start <= last) ++count;
    }
    std::fclose(file);
    return count;
  }

  static FillResult done(const Outcome<FillResult>& outcome) {
    EXPECT_TRUE(outcome.has_value());
    return outcome.value_or(FillResult::no_room);
  }

  Gpa next_table_ = kTables;
};

// Passes the Cpu's flushes on, as the translator's dispatcher does.
class SetFixture : public WindowFixture {
 protected:
  SetFixture() { cpu_.observer = &set_; }
  ~SetFixture() override { cpu_.observer = nullptr; }
  ShadowWindow& in() { return *set_.enter(); }
  void load_cr3(Gpa directory) {
    cpu_.state.cr3 = directory;
    if ((cpu_.state.cr4 & kCr4Pge) != 0)
      cpu_.flush_address_space();
    else
      cpu_.flush_all();
  }

  WindowSet set_{cpu_};
};

}  // namespace ringshift
