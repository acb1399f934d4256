// What can't be done twice, for -d verify: the guest's I/O is done once and logged, and the replica replays
// it.
#pragma once

#include <string>
#include <vector>

#include "cpu-model/cpu_io.h"

namespace ringshift::bt {

struct IoEvent {
  enum class Kind : u8 { port_in, port_out, mmio_read, mmio_write, acknowledge, tsc, apic_base, ferr };
  Kind kind;
  unsigned size;
  u64 address;
  u64 value;  // written, or read
};
std::string describe(const IoEvent& event);

// Passes everything on to the machine, and remembers it until clear(). It has no tsc_scale(), so that
// translated code doesn't read the host's counter by itself.
class IoRecorder final : public CpuIo {
 public:
  void attach(CpuIo& machine) { machine_ = &machine; }
  void record(bool on) { on_ = on; }
  const std::vector<IoEvent>& events() const { return events_; }
  void clear() { events_.clear(); }

  u32 port_in(u16 port, unsigned size) override;
  void port_out(u16 port, unsigned size, u32 value) override;
  u64 mmio_read(Gpa gpa, unsigned size) override;
  void mmio_write(Gpa gpa, unsigned size, u64 value) override;
  int acknowledge_interrupt() override;
  u64 read_tsc() override;
  void service(u32 events) override { machine_->service(events); }
  void apic_base_changed(u64 value) override;
  void set_ferr(bool level) override;

 private:
  u64 note(IoEvent::Kind kind, u64 address, unsigned size, u64 value) {
    if (on_) events_.push_back({kind, size, address, value});
    return value;
  }
  CpuIo* machine_ = nullptr;
  bool on_ = true;
  std::vector<IoEvent> events_;
};

// Answers as the recording did; what is asked or written otherwise, or too often, is a difference.
class IoReplay final : public CpuIo {
 public:
  explicit IoReplay(const IoRecorder& recorder) : recorder_(recorder) {}
  void begin() {
    next_ = 0;
    difference_.clear();
  }
  // Empty: all that was recorded has been asked for, and nothing else.
  std::string difference() const;

  u32 port_in(u16 port, unsigned size) override;
  void port_out(u16 port, unsigned size, u32 value) override;
  u64 mmio_read(Gpa gpa, unsigned size) override;
  void mmio_write(Gpa gpa, unsigned size, u64 value) override;
  int acknowledge_interrupt() override;
  u64 read_tsc() override;
  void service(u32) override {}
  void apic_base_changed(u64 value) override;
  void set_ferr(bool level) override;

 private:
  enum class Compare : bool { address, address_and_value };
  u64 replay(IoEvent::Kind kind, u64 address, unsigned size, u64 value, Compare compare);

  const IoRecorder& recorder_;
  std::size_t next_ = 0;
  std::string difference_;
};

}  // namespace ringshift::bt
