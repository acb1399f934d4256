// CpuFixture: for tests, a Cpu with 16 MiB of RAM, a CpuIo that records MMIO, and ways to lay tables out.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "cpu-model/cpu.h"
#include "cpu-model/empty_board.h"
#include "cpu-model/outcome.h"

namespace ringshift {

// Entry bits, for the tests' page tables, and where many have them.
inline constexpr u32 kP = 1, kW = 2, kU = 4, kA = 0x20, kD = 0x40, kPs = 0x80, kG = 0x100;
inline constexpr Gpa kDirectory = 0x10000, kTable = 0x11000;

class RecordingIo final : public EmptyBoard {
 public:
  struct Access {
    Gpa gpa;
    unsigned size;
    u64 value;  // written; 0 for a read
    bool write;
    bool operator==(const Access&) const = default;
  };
  std::vector<Access> accesses;
  u64 tsc = 0;
  u64 apic_base = 0;

  // Each byte reads as the low byte of its address.
  u64 mmio_read(Gpa gpa, unsigned size) override {
    accesses.push_back({gpa, size, 0, false});
    u64 value = 0;
    for (unsigned i = 0; i < size; ++i) value |= u64{static_cast<u8>(gpa + i)} << (8 * i);
    return value;
  }
  void mmio_write(Gpa gpa, unsigned size, u64 value) override {
    accesses.push_back({gpa, size, value, true});
  }
  u64 read_tsc() override { return tsc; }
  void apic_base_changed(u64 value) override { apic_base = value; }
};

// Ports answer with their number; what is written to them is kept.
class PortIo : public EmptyBoard {
 public:
  RecordingIo memory;
  std::vector<std::pair<u16, u32>> written;
  RunControl* control = nullptr;
  int vector = -1;
  int services = 0;

  u32 port_in(u16 port, unsigned) override { return port; }
  void port_out(u16 port, unsigned, u32 value) override { written.emplace_back(port, value); }
  u64 mmio_read(Gpa gpa, unsigned size) override { return memory.mmio_read(gpa, size); }
  void mmio_write(Gpa gpa, unsigned size, u64 value) override { memory.mmio_write(gpa, size, value); }
  int acknowledge_interrupt() override {
    control->clear_event(kEventInterrupt);
    return vector;
  }
  u64 read_tsc() override { return tsc += 1000; }
  void service(u32) override { ++services; }
  void apic_base_changed(u64 value) override { memory.apic_base_changed(value); }

  u64 tsc = u64{1} << 40;
};

// Counts what a Cpu tells its observer.
struct FlushCounter final : MmuObserver {
  int all = 0, space = 0, page = 0;
  void on_flush_all() override { ++all; }
  void on_flush_address_space() override { ++space; }
  void on_flush_page(Gva) override { ++page; }
};

class CpuFixture : public ::testing::Test {
 protected:
  static constexpr u64 kRam = u64{16} << 20;

  GuestMemory memory_ = GuestMemory::create(kRam).value();
  PhysicalMap phys_{memory_};
  CpuidTable cpuid_ = CpuidTable::create("n270").value();
  RunControl control_;
  Tracer tracer_;
  RecordingIo io_;
  Cpu cpu_{phys_, cpuid_, control_, tracer_};

  CpuFixture() { cpu_.io = &io_; }

  template <class T>
  void poke(Gpa gpa, T value) {
    std::memcpy(memory_.base() + gpa, &value, sizeof value);
  }
  template <class T>
  T peek_at(Gpa gpa) {
    T value;
    std::memcpy(&value, memory_.base() + gpa, sizeof value);
    return value;
  }

  // Protected mode at CPL 0 with flat 4 GiB segments, without a GDT behind them.
  void enter_flat_mode() {
    cpu_.state.cr0 = kCr0Pe | kCr0Et;
    for (SegmentRegister& segment : cpu_.state.seg) segment = {0x10, 0, 0xc093, 0xffffffff, 0, 0};
    cpu_.state.segment(Seg::cs) = {0x08, 0, 0xc09b, 0xffffffff, 0, 0};
    set_cpl(0);
  }
  void set_cpl(u8 cpl) { cpu_.state.cpl = cpl; }
  void enter_v86(unsigned iopl) {
    enter_flat_mode();
    set_cpl(3);
    cpu_.state.rflags = kFlagFixed | kFlagVm | (iopl << 12);
  }
  bool inspect_raised() { return (control_.events.exchange(0) & kEventInspect) != 0; }

  template <class T>
  static std::optional<Fault> fault_of(const Outcome<T>& outcome) {
    if (outcome) return std::nullopt;
    return outcome.error();
  }
};

// EXPECT_FAULT(Fault::gp(8), load_segment(...)); EXPECT_DONE(load_segment(...));
#define EXPECT_FAULT(expected, expression)                                             \
  do {                                                                                 \
    const auto rs_fault = fault_of(expression);                                        \
    ASSERT_TRUE(rs_fault.has_value()) << "no fault: " #expression;                     \
    const Fault rs_wanted = expected;                                                  \
    EXPECT_EQ(static_cast<int>(rs_fault->vector), static_cast<int>(rs_wanted.vector)); \
    EXPECT_EQ(rs_fault->error_code, rs_wanted.error_code);                             \
    EXPECT_EQ(rs_fault->has_error_code, rs_wanted.has_error_code);                     \
    EXPECT_EQ(rs_fault->address, rs_wanted.address);                                   \
  } while (false)
#define EXPECT_DONE(expression)                                                                \
  do {                                                                                         \
    const auto rs_fault = fault_of(expression);                                                \
    EXPECT_FALSE(rs_fault.has_value())                                                         \
        << #expression << ": vector " << (rs_fault ? static_cast<int>(rs_fault->vector) : -1); \
  } while (false)

}  // namespace ringshift
