// Recording and replaying of the guest's I/O.
#include "translator/verify_io.h"

#include <fmt/format.h>

namespace ringshift::bt {

using Kind = IoEvent::Kind;

std::string describe(const IoEvent& event) {
  constexpr const char* kNames[] = {"IN",          "OUT",   "MMIO read",       "MMIO write",
                                    "acknowledge", "RDTSC", "APIC base write", "FERR#"};
  return fmt::format("{} {:x} size {} value {:x}", kNames[static_cast<unsigned>(event.kind)], event.address,
                     event.size, event.value);
}

// --- IoRecorder

u32 IoRecorder::port_in(u16 port, unsigned size) {
  return static_cast<u32>(note(Kind::port_in, port, size, machine_->port_in(port, size)));
}
void IoRecorder::port_out(u16 port, unsigned size, u32 value) {
  note(Kind::port_out, port, size, value);
  machine_->port_out(port, size, value);
}
u64 IoRecorder::mmio_read(Gpa gpa, unsigned size) {
  return note(Kind::mmio_read, gpa, size, machine_->mmio_read(gpa, size));
}
void IoRecorder::mmio_write(Gpa gpa, unsigned size, u64 value) {
  note(Kind::mmio_write, gpa, size, value);
  machine_->mmio_write(gpa, size, value);
}
int IoRecorder::acknowledge_interrupt() {
  return static_cast<int>(note(Kind::acknowledge, 0, 0, static_cast<u64>(machine_->acknowledge_interrupt())));
}
u64 IoRecorder::read_tsc() { return note(Kind::tsc, 0, 0, machine_->read_tsc()); }
void IoRecorder::apic_base_changed(u64 value) {
  note(Kind::apic_base, 0, 0, value);
  machine_->apic_base_changed(value);
}
void IoRecorder::set_ferr(bool level) {
  note(Kind::ferr, 0, 0, level ? 1 : 0);
  machine_->set_ferr(level);
}

// --- IoReplay

u64 IoReplay::replay(Kind kind, u64 address, unsigned size, u64 value, Compare compare) {
  if (!difference_.empty()) return ~u64{0};
  const IoEvent asked{kind, size, address, value};
  if (next_ == recorder_.events().size()) {
    difference_ = fmt::format("nothing / {}", describe(asked));
    return ~u64{0};
  }
  const IoEvent& done = recorder_.events()[next_++];
  const bool same = done.kind == kind && done.address == address && done.size == size &&
                    (compare == Compare::address || done.value == value);
  if (!same) difference_ = fmt::format("{} / {}", describe(done), describe(asked));
  return done.value;
}

std::string IoReplay::difference() const {
  if (!difference_.empty()) return difference_;
  if (next_ == recorder_.events().size()) return {};
  return fmt::format("{} / nothing", describe(recorder_.events()[next_]));
}

u32 IoReplay::port_in(u16 port, unsigned size) {
  return static_cast<u32>(replay(Kind::port_in, port, size, 0, Compare::address));
}
void IoReplay::port_out(u16 port, unsigned size, u32 value) {
  replay(Kind::port_out, port, size, value, Compare::address_and_value);
}
u64 IoReplay::mmio_read(Gpa gpa, unsigned size) {
  return replay(Kind::mmio_read, gpa, size, 0, Compare::address);
}
void IoReplay::mmio_write(Gpa gpa, unsigned size, u64 value) {
  replay(Kind::mmio_write, gpa, size, value, Compare::address_and_value);
}
int IoReplay::acknowledge_interrupt() {
  return static_cast<int>(replay(Kind::acknowledge, 0, 0, 0, Compare::address));
}
u64 IoReplay::read_tsc() { return replay(Kind::tsc, 0, 0, 0, Compare::address); }
void IoReplay::apic_base_changed(u64 value) {
  replay(Kind::apic_base, 0, 0, value, Compare::address_and_value);
}
void IoReplay::set_ferr(bool level) { replay(Kind::ferr, 0, 0, level ? 1 : 0, Compare::address_and_value); }

}  // namespace ringshift::bt
